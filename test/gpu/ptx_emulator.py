# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs PTX on NumPy, as far as the compiler makes it: kernels can be tested without a GPU.

All threads of a grid run side by side, one array element each; where they part, those
that are behind go first, which is where they meet again. What a GPU may hide is found:

* global accesses outside of the memory that was given, and misaligned ones;
* shared memory that is read before it was written, or before cp.async.wait_group and a
  barrier made it visible: it holds NaN until then.

Instructions: PTX ISA 8.0, https://docs.nvidia.com/cuda/parallel-thread-execution.
Approximations (ex2.approx, rcp.approx, ...) are computed exactly and rounded.
"""

from __future__ import annotations

import re

import numpy as np
import ptx_bulk
import ptx_wgmma
from ptx_bulk import CLUSTER_WINDOW, locate_blocks
from ptx_parser import SIZES, Instruction, Kernel

UNSIGNED = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.uint64}
SIGNED = {1: np.int8, 2: np.int16, 4: np.int32, 8: np.int64}
FLOATS = {"f16": np.float16, "f32": np.float32, "f64": np.float64}


# Threads that execute an instruction at a time.
TOGETHER = {"mma": 32, "shfl": 32, "wgmma": 128}


class EmulationError(Exception):
    """The kernel did what it must not do, or what is not known here."""


# Barriers without a number.
WARP_BARRIER, CLUSTER_BARRIER = -1, -2

SHARED_SPACES = ("shared", "shared::cluster")


def to_bf16(values: np.ndarray) -> np.ndarray:
    bits = values.astype(np.float32).view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    return np.where(np.isnan(values), np.uint32(0x7FFF), rounded).astype(np.uint16)


def cut_to_bf16(values: np.ndarray) -> np.ndarray:
    """Towards zero."""
    bits = values.astype(np.float32).view(np.uint32) >> 16
    return np.where(np.isnan(values), np.uint32(0x7FFF), bits).astype(np.uint16)


def cut_off(values: np.ndarray) -> np.ndarray:
    """As tensor cores make f32 of their sums: towards zero."""
    rounded = values.astype(np.float32)
    is_beyond = np.isfinite(rounded) & (np.abs(rounded.astype(np.float64)) > np.abs(values))
    return np.where(is_beyond, np.nextafter(rounded, np.float32(0)), rounded)


def to_tf32(values: np.ndarray) -> np.ndarray:
    """To the nearest with 10 bits of mantissa, ties away from zero."""
    bits = values.astype(np.float32).view(np.uint32)
    rounded = (bits + np.uint32(0x1000)) & np.uint32(0xFFFFE000)
    return np.where(np.isfinite(values), rounded, bits)


class Memory:
    """Bytes at an address of the host, of which some may be accessed."""

    def __init__(self, address: int, data: np.ndarray, allowed: np.ndarray):
        self.address, self.data, self.allowed = address, data, allowed

    def locate(self, addresses: np.ndarray, size: int, what: str) -> np.ndarray:
        at = addresses.astype(np.int64) - self.address
        bad = (at < 0) | (at + size > len(self.data))
        inside = np.where(bad, 0, at)
        bad |= ~(
            self.allowed[inside] & self.allowed[np.minimum(inside + size - 1, len(self.data) - 1)]
        )
        bad |= (addresses % np.uint64(size)) != 0
        if bad.any():
            first = int(np.argmax(bad))
            raise EmulationError(
                f"{what}: {bad.sum()} of {len(at)} lanes access {size} bytes outside of the "
                f"arrays, or misaligned; the first at byte {at[first]} of the memory"
            )
        return at


class Grid:
    """A launch under way."""

    def __init__(
        self,
        kernel: Kernel,
        values: list[bytes],
        blocks: int,
        threads: int,
        shared: int,
        memory: Memory,
    ):
        self.kernel, self.values, self.memory = kernel, values, memory
        self.threads, self.count = threads, blocks * threads
        everyone = np.arange(self.count)
        self.special = {
            "%tid.x": everyone % threads,
            "%ctaid.x": everyone // threads,
            "%ntid.x": np.full(self.count, threads),
            "%nctaid.x": np.full(self.count, blocks),
            "%laneid": everyone % 32,
        }
        self.block = everyone // threads
        self.cluster = kernel.cluster
        self.shared_size = kernel.static_bytes + shared  # dynamic memory comes behind
        self.shared = np.full((blocks, self.shared_size + 16), 0xFF, np.uint8)
        self.registers: dict[str, np.ndarray] = {}
        self.pc = np.zeros(self.count, np.int64)
        self.waiting = np.zeros(self.count, bool)  # at a barrier
        self.barrier = np.zeros(self.count, np.int64)  # which
        self.arrived_in_cluster = np.zeros(self.count, np.int64)  # without having waited
        self.awaited = np.zeros(self.count, np.int64)  # threads; 0: all
        self.stalled = np.zeros(self.count, bool)  # at an mma, for the rest of the warp
        self.blocked = np.zeros(self.count, bool)  # at an mbarrier
        self.bulk = ptx_bulk.BulkEngine(self)
        self.wgmma = ptx_wgmma.Wgmma(self)
        # Asynchronous copies that have not arrived, in order: threads, the groups
        # of each (how many it had committed), places, bytes.
        self.copies: list[tuple[np.ndarray, ...]] = []
        self.committed = np.zeros(self.count, np.int64)

    # --- Registers -----------------------------------------------------------

    def read(self, operand: str, kind: str) -> np.ndarray:
        """An operand of the active threads, as numbers of `kind`."""
        size = SIZES.get(kind, 8)
        if operand.startswith("%") or operand in self.registers:  # some have names
            if operand in self.special:
                bits = self.special[operand][self.active].astype(np.uint64)
            elif operand in self.registers:
                bits = self.registers[operand][self.active]
            else:  # undefined: what comes of it is NaN
                bits = np.full(len(self.active), 2**64 - 1, np.uint64)
            if kind == "pred":
                return bits.astype(bool)
            bits = bits.astype(UNSIGNED[size])
        else:
            value = self.parse_constant(operand, kind)
            bits = np.full(len(self.active), value, UNSIGNED[size])
        return self.interpret(bits, kind)

    def parse_constant(self, operand: str, kind: str) -> int:
        size = SIZES.get(kind, 8)
        if match := re.fullmatch(r"0[fFdD]([0-9A-Fa-f]+)", operand):
            return int(match.group(1), 16)
        if operand.startswith("__dynamic_shmem"):
            return self.kernel.static_bytes
        if operand in self.kernel.statics:
            return self.kernel.statics[operand]
        if match := re.search(r"_param_(\d+)$", operand):
            return ptx_bulk.PARAMETER_SPACE + int(match.group(1))
        return int(operand.removesuffix("U"), 0) % (1 << (8 * size))

    @staticmethod
    def interpret(bits: np.ndarray, kind: str) -> np.ndarray:
        if kind in FLOATS:
            return bits.view(FLOATS[kind])
        if kind.startswith("s"):
            return bits.view(SIGNED[SIZES[kind]])
        return bits

    def write(self, operand: str, values: np.ndarray) -> None:
        self.wgmma.check_write(operand)
        if operand not in self.registers:
            self.registers[operand] = np.zeros(self.count, np.uint64)
        if values.dtype == bool:
            bits = values.astype(np.uint64)
        else:
            bits = np.ascontiguousarray(values).view(UNSIGNED[values.dtype.itemsize])
        self.registers[operand][self.active] = bits

    # --- Memory --------------------------------------------------------------

    def address(self, operand: str) -> np.ndarray:
        base, _, offset = operand.strip("[]").replace(" ", "").partition("+")
        kind = "u64"
        if base.startswith("%") and base not in self.registers:
            raise EmulationError(f"{base} is read before it is written")
        return self.read(base, kind) + np.uint64(int(offset or "0", 0) % 2**64)

    def get_bytes(self, space: str, addresses: np.ndarray, size: int, total: int, text: str):
        where = np.arange(size)
        if space in SHARED_SPACES:
            blocks, addresses = self.locate_shared(space, addresses)
            self.check_shared(addresses, total, text)
            return self.shared[blocks[:, None], addresses.astype(np.int64)[:, None] + where]
        at = self.memory.locate(addresses, size, text)
        return self.memory.data[at[:, None] + where]

    def locate_shared(self, space: str, addresses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Whose shared memory the active threads mean, and where in it."""
        if space == "shared":
            return self.block[self.active], addresses
        blocks = locate_blocks(self, addresses)
        ended = np.bincount(self.block[self.pc < len(self.kernel.code)], minlength=len(self.shared))
        if (ended[blocks] == 0).any():
            raise EmulationError("shared memory of a block that has ended is read")
        return blocks, addresses % np.uint64(CLUSTER_WINDOW)

    def check_shared(self, addresses: np.ndarray, size: int, text: str) -> None:
        if (addresses + np.uint64(size) > self.shared_size).any() or (
            addresses % np.uint64(size)
        ).any():
            raise EmulationError(
                f"{text}: outside of {self.shared_size} shared bytes, or misaligned"
            )

    def load(self, instruction: Instruction) -> None:
        opcode = instruction.opcode
        space, kind = opcode[1], opcode[-1]
        targets = instruction.operands[0].strip("{}").split(",")
        size = SIZES[kind]
        if space == "param":
            self.load_parameter(instruction, targets[0])
            return
        addresses = self.address(instruction.operands[1])
        total = size * len(targets)
        if space in SHARED_SPACES:
            at = self.locate_shared(space, addresses)[1]
            self.check_shared(at, total, instruction.text)
        else:
            self.memory.locate(addresses, total, instruction.text)
        for number, target in enumerate(targets):
            data = self.get_bytes(
                space, addresses + np.uint64(size * number), size, size, instruction.text
            )
            self.write(target.strip(), np.ascontiguousarray(data).view(UNSIGNED[size])[:, 0])

    def load_parameter(self, instruction: Instruction, target: str) -> None:
        match = re.search(r"_param_(\d+)(?:\+(\d+))?\]", instruction.operands[1])
        start = int(match.group(2) or 0)
        size = SIZES[instruction.opcode[-1]]
        value = int.from_bytes(self.values[int(match.group(1))][start : start + size], "little")
        self.write(target, np.full(len(self.active), value, UNSIGNED[size]))

    def store(self, instruction: Instruction) -> None:
        opcode = instruction.opcode
        space, kind = opcode[1], opcode[-1]
        size = SIZES[kind]
        addresses = self.address(instruction.operands[0])
        sources = [s.strip() for s in instruction.operands[1].strip("{}").split(",")]
        total = size * len(sources)
        blocks = self.block[self.active]
        if space == "shared::cluster":
            addresses = addresses & np.uint64(0xFFFFFFFF)
            blocks = ptx_bulk.locate_blocks(self, addresses)
            addresses, space = addresses % np.uint64(ptx_bulk.CLUSTER_WINDOW), "shared"
        if space == "shared":
            self.check_shared(addresses, total, instruction.text)
        else:
            self.memory.locate(addresses, total, instruction.text)
        for number, source in enumerate(sources):
            bits = np.ascontiguousarray(self.read(source, f"b{8 * size}"))
            data = bits.view(np.uint8).reshape(-1, size)
            at = (addresses + np.uint64(size * number)).astype(np.int64)[:, None] + np.arange(size)
            if space == "shared":
                self.shared[blocks[:, None], at] = data
            else:
                self.memory.data[at - self.memory.address] = data

    def copy_async(self, instruction: Instruction) -> None:
        opcode, operands = instruction.opcode, instruction.operands
        if opcode[2] == "commit_group":
            self.committed[self.active] += 1
            return
        if opcode[2] == "wait_group":
            self.wait_for_copies(int(operands[0]))
            return
        size = int(operands[2])
        to, source = self.address(operands[0]), self.address(operands[1])
        self.check_shared(to, size, instruction.text)
        available = self.read(operands[3], "u32") if len(operands) > 3 else np.full(len(to), size)
        data = np.zeros((len(to), size), np.uint8)
        if (source[available > 0] % np.uint64(size)).any():
            raise EmulationError(f"{instruction.text}: misaligned")
        for count in np.unique(available[available > 0]):
            lanes = np.flatnonzero(available == count)
            at = source[lanes].astype(np.int64)[:, None] + np.arange(count)
            self.memory.locate(at.reshape(-1).view(np.uint64), 1, instruction.text)
            data[lanes, :count] = self.memory.data[at - self.memory.address]
        where = to.astype(np.int64)[:, None] + np.arange(size)
        self.copies.append((self.active, self.committed[self.active], where, data))

    def wait_for_copies(self, keep: int) -> None:
        """The active threads' copies arrive, but for those of their last groups."""
        arrived = np.full(self.count, -1)
        arrived[self.active] = self.committed[self.active] - keep
        left = []
        for threads, groups, to, data in self.copies:
            here = groups < arrived[threads]
            self.shared[self.block[threads[here]][:, None], to[here]] = data[here]
            if not here.all():
                left.append((threads[~here], groups[~here], to[~here], data[~here]))
        self.copies = left

    # --- Tensor cores ---------------------------------------------------------

    def mma(self, instruction: Instruction) -> None:
        opcode = instruction.opcode
        depth = 16 if "m16n8k16" in opcode else 8
        kind = opcode[opcode.index("col") + 2]
        d, a, b, c = ([r.strip() for r in o.strip("{}").split(",")] for o in instruction.operands)
        lanes = len(self.active)
        if lanes % 32 or (self.active.reshape(-1, 32)[:, 0] % 32).any():
            raise EmulationError(f"{instruction.text}: not all lanes of a warp are there")
        warps = lanes // 32

        def halves(register: str) -> np.ndarray:
            bits = np.ascontiguousarray(self.read(register, "b32")).view(np.uint16).reshape(-1, 2)
            if kind == "bf16":
                return (bits.astype(np.uint32) << 16).view(np.float32)
            return bits.view(np.float16).astype(np.float32)

        lane = np.arange(32)
        g, t = lane // 4, lane % 4
        first, second = np.zeros((warps, 16, depth)), np.zeros((warps, depth, 8))

        def place(array: np.ndarray, rows, columns, values: np.ndarray) -> None:
            array[:, rows, columns] = values.reshape(warps, 32)

        for number, register in enumerate(a):
            row, half = g + 8 * (number % 2), number // 2
            if depth == 16:
                pair = halves(register)
                for e in range(2):
                    place(first, row, 2 * t + e + 8 * half, pair[:, e])
            else:
                place(first, row, t + 4 * half, self.read_tf32(register))
        for number, register in enumerate(b):
            if depth == 16:
                pair = halves(register)
                for e in range(2):
                    place(second, 2 * t + e + 8 * number, g, pair[:, e])
            else:
                place(second, t + 4 * number, g, self.read_tf32(register))
        with np.errstate(all="ignore"):
            product = first @ second
        for number, (target, addend) in enumerate(zip(d, c)):
            part = product[:, g + 8 * (number // 2), 2 * t + number % 2].reshape(-1)
            with np.errstate(all="ignore"):
                total = cut_off(part + self.read(addend, "f32"))
            self.write(target, total)

    def find_whole(self, threads: np.ndarray, together: int) -> np.ndarray:
        """Those of which all that execute together are there, in blocks' groups."""
        blocks = threads.reshape(-1, self.threads)
        gap = -self.threads % together
        groups = np.pad(blocks, ((0, 0), (0, gap))).reshape(len(blocks), -1, together)
        whole = groups.all(axis=2).repeat(together, axis=1)
        return whole[:, : self.threads].reshape(-1)

    def shuffle(self, instruction: Instruction) -> None:
        target, source, mask = instruction.operands[:3]
        if instruction.opcode[2] != "bfly":
            raise EmulationError(f"unknown instruction: {instruction.text}")
        lanes = self.read(source, "b32").reshape(-1, 32)
        other = np.arange(32) ^ int(mask, 0)
        self.write(target.partition("|")[0], lanes[:, other].reshape(-1))

    def read_tf32(self, register: str) -> np.ndarray:
        bits = self.read(register, "b32")
        if (bits & np.uint32(0x1FFF)).any() and np.isfinite(bits.view(np.float32)).all():
            raise EmulationError(f"{register} is given to a tf32 mma without rounding")
        return bits.view(np.float32)

    # --- Control --------------------------------------------------------------

    def wait_at_barrier(self, instruction: Instruction) -> None:
        """Marks who waits where: a warp, barrier 0 of the block, or another with a count."""
        self.waiting[self.active] = True
        opcode, operands = instruction.opcode, instruction.operands
        if "cluster" in opcode and "arrive" in opcode:
            self.arrived_in_cluster[self.active] += 1
            self.waiting[self.active] = False  # until it asks who else has come
            return
        if opcode[1] == "warp":
            place, count = np.full(len(self.active), WARP_BARRIER), 0
        elif "cluster" in opcode:
            if (self.arrived_in_cluster[self.active] != 1).any():
                raise EmulationError("threads wait for their cluster without arriving once")
            self.arrived_in_cluster[self.active] = 0
            place, count = np.full(len(self.active), CLUSTER_BARRIER), 0
        else:
            place = self.read(operands[0], "u32") if operands else 0
            count = self.read(operands[1], "u32") if len(operands) > 1 else 0
        self.barrier[self.active], self.awaited[self.active] = place, count

    def open_barriers(self) -> None:
        """Lets those go on whose barrier all have reached that it awaits."""
        alive = self.pc < len(self.kernel.code)
        opened = False
        for place in np.unique(self.barrier[self.waiting]):
            here = self.waiting & (self.barrier == place)
            # Whoever is alive must come, unless the barrier has a count.
            group = self.block
            if place == WARP_BARRIER:
                group = np.arange(self.count) // 32
            elif place == CLUSTER_BARRIER:
                group = self.block // self.cluster
            arrived = np.bincount(group[here], minlength=group[-1] + 1)
            expected = np.bincount(group[alive], minlength=group[-1] + 1)
            awaited = np.zeros_like(expected)
            awaited[group[here]] = self.awaited[here]
            complete = arrived == np.where(awaited > 0, awaited, expected)
            self.waiting &= ~(here & complete[group])
            opened |= bool((here & complete[group]).any())
        if not opened:
            raise EmulationError("threads wait at a barrier for ever")

    def run(self) -> None:
        end = len(self.kernel.code)
        while True:
            running = (self.pc < end) & ~self.waiting & ~self.blocked
            ready = running & ~self.stalled
            if not ready.any():
                if self.stalled.any() and not self.blocked.any():
                    raise EmulationError("an mma waits for lanes that never come")
                if self.blocked.any() and not self.waiting.any():
                    raise EmulationError("threads wait at an mbarrier for ever")
                if not (self.pc < end).any():
                    return
                self.open_barriers()
                continue
            now = int(self.pc[ready].min())
            here = running & (self.pc == now)
            instruction = self.kernel.code[now]
            if together := TOGETHER.get(instruction.opcode[0]):
                whole = self.find_whole(here, together)
                self.stalled = (self.stalled | here) & ~whole
                here &= whole
                if not here.any():
                    continue
            self.active = np.flatnonzero(here)
            self.pc[self.active] = now + 1
            if instruction.guard:
                take = self.read(instruction.guard, "pred") != instruction.negated
                self.active = self.active[take]
                if not len(self.active):
                    continue
            self.execute(instruction, end)

    def execute(self, instruction: Instruction, end: int) -> None:
        name = instruction.opcode[0]
        if name == "bra":
            self.pc[self.active] = self.kernel.labels[instruction.operands[0]]
        elif name in ("ret", "exit"):
            self.pc[self.active] = end
        elif name == "bar" or name == "barrier":
            self.wait_at_barrier(instruction)
        elif name == "ld":
            self.load(instruction)
        elif name == "st":
            self.store(instruction)
        elif name in ("mbarrier", "mapa") or (name == "cp" and instruction.opcode[2] == "bulk"):
            self.bulk.execute(instruction)
        elif name == "cp":
            self.copy_async(instruction)
        elif name in ("fence", "setmaxnreg", "griddepcontrol"):
            pass  # kernels come one by one, share what they see, and have registers
        elif name == "wgmma":
            self.wgmma.execute(instruction)
        elif name == "shfl":
            self.shuffle(instruction)
        elif name == "mma":
            self.mma(instruction)
        else:
            with np.errstate(all="ignore"):
                self.compute(instruction)

    def compute(self, instruction: Instruction) -> None:
        from ptx_arithmetic import compute

        compute(self, instruction)


def launch(
    kernel: Kernel, values: list[bytes], blocks: int, threads: int, shared: int, memory: Memory
) -> None:
    """Runs all blocks, some at a time. `values` are the bytes of the parameters."""
    at_once = max(1, 8192 // threads // kernel.cluster) * kernel.cluster
    if blocks % kernel.cluster:
        raise EmulationError(f"{blocks} blocks in clusters of {kernel.cluster}")
    for first in range(0, blocks, at_once):
        grid = Grid(kernel, values, min(at_once, blocks - first), threads, shared, memory)
        grid.special["%ctaid.x"] = grid.special["%ctaid.x"] + first
        grid.special["%nctaid.x"][:] = blocks
        grid.run()
