# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""wgmma, for ptx_emulator.

Results arrive in registers only when somebody waits for them: kernels that do not wait
compute with NaN.
"""

from __future__ import annotations

import numpy as np

GROUP = 128  # threads
ROWS = 64
DEPTHS = {"f16": 16, "bf16": 16, "tf32": 8}
SIZES = {"f16": 2, "bf16": 2, "tf32": 4}  # bytes


class WgmmaError(Exception):
    pass


def swizzle(addresses: np.ndarray, mode: int) -> np.ndarray:
    bits = {0: 0, 1: 7, 2: 3, 3: 1}[mode]
    return addresses ^ (((addresses >> 7) & bits) << 4)


def locate(descriptor: int, rows: int, transposed: bool, kind: str) -> np.ndarray:
    """Addresses of a matrix [rows][k]."""
    start = (descriptor & 0x3FFF) << 4
    leading = (descriptor >> 16 & 0x3FFF) << 4
    stride = (descriptor >> 32 & 0x3FFF) << 4
    mode = descriptor >> 62
    r, k = np.arange(rows)[:, None], np.arange(DEPTHS[kind])[None, :]
    if mode == 0 and not transposed:  # core matrices of 8 rows of 16 bytes
        size = SIZES[kind]
        wide = 16 // size
        at = r // 8 * stride + r % 8 * 16 + k // wide * leading + k % wide * size
    elif kind == "tf32":
        raise WgmmaError(f"a matrix of tf32 with swizzle mode {mode} is not known here")
    elif not transposed:  # rows of 128, 64 or 32 bytes
        at = r // 8 * stride + r % 8 * (256 >> mode) + k * 2
    elif mode == 1:  # 64 rows in 128 bytes, for each k
        at = r // 64 * leading + r % 64 * 2 + k // 8 * stride + k % 8 * 128
    else:
        raise WgmmaError(f"a matrix with swizzle mode {mode} is not known here")
    return swizzle(start + at, mode)


def to_floats(bits: np.ndarray, kind: str) -> np.ndarray:
    if kind == "tf32":
        values = bits.astype(np.uint32).view(np.float32)
        if (bits & 0x1FFF).any() and np.isfinite(values).all():
            raise WgmmaError("numbers are given to wgmma without rounding to tf32")
        return values.astype(np.float64)
    if kind == "bf16":
        return (bits.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    return bits.view(np.float16).astype(np.float64)


class Wgmma:
    def __init__(self, grid):
        self.grid = grid
        # Sums under way, NaN where there are none, and how many groups each thread had
        # committed when they began.
        self.pending: dict[str, np.ndarray] = {}
        self.begun: dict[str, np.ndarray] = {}
        self.committed = np.zeros(grid.count, np.int64)
        # Registers that first operands are in: how many groups had been committed when the
        # last multiplication that reads them began, and how many are known to be over.
        self.read_by: dict[str, np.ndarray] = {}
        self.over = np.zeros(grid.count, np.int64)

    def check_write(self, register: str) -> None:
        begun = self.read_by.get(register)
        active = self.grid.active
        if begun is not None and (begun[active] >= self.over[active]).any():
            raise WgmmaError(f"{register} is written while wgmma may read it")

    def execute(self, instruction) -> None:
        kind = instruction.opcode[1]
        if kind == "mma_async":
            self.multiply(instruction)
        elif kind == "commit_group":
            self.committed[self.grid.active] += 1
        elif kind == "wait_group":
            self.wait(int(instruction.operands[0], 0))
        elif kind != "fence":
            raise WgmmaError(f"unknown instruction: {instruction.text}")

    def wait(self, groups: int) -> None:
        """For all but the last `groups` of them."""
        grid = self.grid
        active = grid.active
        self.over[active] = self.committed[active] - groups
        for register, values in self.pending.items():
            is_over = self.begun[register] < self.committed - groups
            done = active[(~np.isnan(values) & is_over)[active]]
            grid.active = done
            grid.write(register, values[done].astype(np.float32))
            values[done] = np.nan
        grid.active = active

    def read_uniform(self, operand: str, groups: np.ndarray) -> list[int]:
        values = self.grid.read(operand, "u64").reshape(-1, GROUP)
        if (values != values[:, :1]).any():
            raise WgmmaError(f"{operand} differs within four warps")
        return [int(value) for value in values[:, 0]]

    def load(self, block: int, addresses: np.ndarray, kind: str) -> np.ndarray:
        shared = self.grid.shared[block]
        size = SIZES[kind]
        if addresses.max() + size > self.grid.shared_size:
            raise WgmmaError("a matrix is outside of shared memory")
        parts = [shared[addresses + i].astype(np.uint32) << 8 * i for i in range(size)]
        bits = np.bitwise_or.reduce(parts)
        return to_floats(bits.astype(np.uint16) if size == 2 else bits, kind)

    def read_first(self, operand: str, kind: str, row: np.ndarray) -> np.ndarray:
        """Matrices [rows][k] that lanes hold in four registers, of 32 bits each."""
        lane = np.arange(GROUP) % 32
        matrices = np.empty((len(self.grid.active) // GROUP, ROWS, DEPTHS[kind]))
        for number, register in enumerate(operand.strip("{}").split(",")):
            words = self.grid.read(register.strip(), "b32").astype(np.uint32).reshape(-1, GROUP)
            begun = self.read_by.setdefault(register.strip(), np.full(self.grid.count, -1))
            begun[self.grid.active] = self.committed[self.grid.active]
            if kind == "tf32":
                matrices[:, row + number % 2 * 8, lane % 4 + number // 2 * 4] = to_floats(
                    words, kind
                )
                continue
            for half in range(2):
                bits = (words >> (16 * half) & 0xFFFF).astype(np.uint16)
                values = to_floats(bits, kind)
                k = lane % 4 * 2 + half + number // 2 * 8
                matrices[:, row + number % 2 * 8, k] = values
        return matrices

    def multiply(self, instruction) -> None:
        grid = self.grid
        opcode, operands = instruction.opcode, instruction.operands
        kind = opcode[6]
        columns = int(opcode[4].removeprefix("m64n").removesuffix(f"k{DEPTHS[kind]}"))
        registers = [r.strip() for r in operands[0].strip("{}").split(",")]
        if len(registers) != columns // 2:
            raise WgmmaError(f"{len(registers)} registers, expected {columns // 2}")
        if kind == "tf32":  # always K-major, which is not asked for
            operands = [*operands, "0"]
        if operands[4:6] != ["1", "1"] or operands[6] != "0":
            raise WgmmaError(f"{instruction.text}: scales or transposition of A")
        groups = grid.active.reshape(-1, GROUP)
        if (groups[:, 0] % 32).any():
            raise WgmmaError(f"{instruction.text}: not all lanes are there")
        thread = np.arange(GROUP)
        row = thread // 32 * 16 + thread % 32 // 4
        is_in_registers = operands[1].startswith("{")
        if is_in_registers:
            operands = [*operands[:6], "0", operands[6]]
            fragments = self.read_first(operands[1], kind, row)
        else:
            first = self.read_uniform(operands[1], groups)
        second = self.read_uniform(operands[2], groups)
        adds = grid.read(operands[3], "pred").astype(bool)  # to what is in the registers
        products = np.empty((len(groups), ROWS, columns))
        for number, threads in enumerate(groups):
            block = grid.block[threads[0]]
            if is_in_registers:
                a = fragments[number]
            else:
                a = self.load(block, locate(first[number], ROWS, False, kind), kind)
            at = locate(second[number], columns, operands[7] == "1", kind)
            with np.errstate(all="ignore"):
                products[number] = a @ self.load(block, at, kind).T
        for number, register in enumerate(registers):
            at = products[
                :, row + number // 2 % 2 * 8, number // 4 * 8 + thread % 4 * 2 + number % 2
            ]
            values = self.pending.setdefault(register, np.full(grid.count, np.nan))
            before = values[grid.active]
            with np.errstate(all="ignore"):
                held = grid.read(register, "f32").astype(np.float64)
                held = np.where(np.isnan(before), held, before)
                total = np.where(adds, held, 0) + at.reshape(-1)
            # A sum that is NaN is what the register then reads as.
            values[grid.active] = total
            begun = self.begun.setdefault(register, np.zeros(grid.count, np.int64))
            begun[grid.active] = self.committed[grid.active]
            grid.write(register, np.full(len(grid.active), np.nan, np.float32))
