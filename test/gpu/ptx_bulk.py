# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The copy engine and its barriers, for ptx_emulator.

What the engine copies arrives only when somebody asks the barrier for it, so that
kernels that do not wait read what was there before.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, field

import numpy as np

ELEMENT_BYTES = {6: 2, 7: 4, 8: 8, 9: 2}  # of CUtensorMapDataType


class BulkError(Exception):
    pass


def name_waits(body: str) -> str:
    """Gives the registers and labels of inline waits names of their own."""
    pattern = re.compile(r"\{\s*\.reg \.pred\s+P1;(.*?)\n\s*\}", re.DOTALL)

    def rename(match: re.Match) -> str:
        number = match.start()
        text = re.sub(r"\bP1\b", f"%wait{number}", match.group(1))
        return re.sub(r"\b(LAB_WAIT|DONE)\b", rf"\1_{number}", text)

    return pattern.sub(rename, body)


@dataclass
class TensorMap:
    """What the fake driver writes into a CUtensorMap."""

    base: int
    sizes: list[int]
    strides: list[int]  # bytes, of all dimensions
    box: list[int]
    swizzle: int  # bytes
    element_bytes: int

    @staticmethod
    def read(data: bytes) -> TensorMap:
        words = struct.unpack_from("<11Q8I", data)
        base, sizes, strides = words[1], words[2:7], words[7:11]
        kind, rank, box, swizzle = words[11], words[12], words[13:18], words[18]
        if rank == 0:
            raise BulkError("a copy uses a tensor map that is not there")
        size = ELEMENT_BYTES[kind]
        return TensorMap(
            base,
            list(sizes[:rank]),
            [size, *strides[: rank - 1]],
            list(box[:rank]),
            {0: 0, 1: 32, 2: 64, 3: 128}[swizzle],
            size,
        )

    def locate(self, at: list[int]) -> tuple[np.ndarray, np.ndarray]:
        """Addresses of the box at `at`, and which of its elements exist."""
        address = np.array(self.base, np.int64)
        exists = np.array(True)
        for dim in reversed(range(len(self.box))):  # the innermost comes last
            index = at[dim] + np.arange(self.box[dim])
            address = address[..., None] + index * self.strides[dim]
            exists = exists[..., None] & (index >= 0) & (index < self.sizes[dim])
        return address.reshape(-1), exists.reshape(-1)

    def place(self, address: int) -> np.ndarray:
        """Where the bytes of a box go that begins at `address`."""
        count = int(np.prod(self.box)) * self.element_bytes
        to = address + np.arange(count)
        if self.swizzle:
            to ^= ((to >> 7) & (self.swizzle // 16 - 1)) << 4
        return to


@dataclass
class Barriers:
    """Those at one shared address, one per block."""

    count: np.ndarray
    pending: np.ndarray
    bytes: np.ndarray
    phase: np.ndarray
    copies: list = field(default_factory=list)  # (block, places, data)


# Shared memory of a cluster's blocks: addresses below are the block's own.
CLUSTER_WINDOW = 1 << 24


def locate_blocks(grid, addresses: np.ndarray) -> np.ndarray:
    """Whose shared memory the active threads mean."""
    own = grid.block[grid.active]
    rank = addresses.astype(np.int64) // CLUSTER_WINDOW - 1
    return np.where(rank < 0, own, own - own % grid.cluster + rank)


class BulkEngine:
    def __init__(self, grid):
        self.grid = grid
        self.barriers: dict[int, Barriers] = {}

    def at(self, operand: str) -> tuple[Barriers, np.ndarray]:
        """The barriers that the active threads name, and the threads' blocks."""
        grid = self.grid
        addresses = grid.address(operand) & np.uint64(0xFFFFFFFF)
        blocks = locate_blocks(grid, addresses)
        addresses = np.unique(addresses % np.uint64(CLUSTER_WINDOW))
        if len(addresses) != 1:
            raise BulkError("threads use different barriers at a time")
        address = int(addresses[0])
        if address not in self.barriers:
            raise BulkError(f"a barrier at {address} is used before it is initialized")
        return self.barriers[address], blocks

    def complete(self, barrier: Barriers) -> None:
        done = (barrier.pending == 0) & (barrier.bytes == 0) & (barrier.count > 0)
        barrier.phase[done] ^= 1
        barrier.pending[done] = barrier.count[done]
        if done.any():
            self.grid.blocked[:] = False

    def execute(self, instruction) -> None:
        opcode, operands = instruction.opcode, instruction.operands
        kind = opcode[1]
        if opcode[0] == "cp":
            self.copy(instruction)
        elif kind == "init":
            self.initialize(operands)
        elif kind == "arrive":
            self.arrive(opcode, operands)
        elif opcode[0] == "mapa":
            rank = self.grid.read(operands[2], "u32").astype(np.uint64)
            window = np.uint64(CLUSTER_WINDOW)
            at = self.grid.read(operands[1], "u64") % window
            self.grid.write(operands[0], at + (rank + np.uint64(1)) * window)
        elif kind == "try_wait":
            self.try_wait(operands)
        else:
            raise BulkError(f"unknown instruction: {instruction.text}")

    def initialize(self, operands: list[str]) -> None:
        grid = self.grid
        addresses, counts = grid.address(operands[0]), grid.read(operands[1], "u32")
        blocks = grid.block[grid.active]
        for address, count, block in zip(addresses, counts, blocks):
            barrier = self.barriers.setdefault(
                int(address), Barriers(*(np.zeros(len(grid.shared), np.int64) for _ in range(4)))
            )
            barrier.count[block] = barrier.pending[block] = count

    def arrive(self, opcode: list[str], operands: list[str]) -> None:
        grid = self.grid
        active = grid.active
        # Lanes may be at different stages.
        for address in np.unique(grid.address(operands[1])):
            grid.active = active[self.addresses(operands[1], active) == address]
            barrier, blocks = self.at(operands[1])
            if "expect_tx" in opcode:
                np.add.at(barrier.bytes, blocks, grid.read(operands[2], "u32").astype(np.int64))
            np.subtract.at(barrier.pending, blocks, 1)
            if (barrier.pending < 0).any():
                raise BulkError("more threads arrive at a barrier than it expects")
            self.complete(barrier)
            grid.blocked[:] = False  # who waits gets what has been copied
        grid.active = active

    def addresses(self, operand: str, threads: np.ndarray) -> np.ndarray:
        grid = self.grid
        grid.active = threads
        return grid.address(operand)

    def try_wait(self, operands: list[str]) -> None:
        grid = self.grid
        active = grid.active
        for address in np.unique(self.addresses(operands[1], active)):
            grid.active = active[self.addresses(operands[1], active) == address]
            barrier, blocks = self.at(operands[1])
            self.deliver(barrier, np.unique(blocks))
            done = barrier.phase[blocks] != grid.read(operands[2], "u32")
            threads = grid.active
            grid.active = threads[done]
            grid.write(operands[0], np.ones(done.sum(), bool))
            # The others try again when something has happened.
            grid.blocked[threads[~done]] = True
            grid.pc[threads[~done]] -= 1
        grid.active = active

    def deliver(self, barrier: Barriers, blocks: np.ndarray) -> None:
        left = []
        for block, to, data in barrier.copies:
            if block in blocks:
                self.grid.shared[block, to] = data
                barrier.bytes[block] -= len(data)
            else:
                left.append((block, to, data))
        barrier.copies = left
        self.complete(barrier)

    def copy(self, instruction) -> None:
        grid = self.grid
        opcode, operands = instruction.opcode, instruction.operands
        active = grid.active
        for thread in active:
            grid.active = np.array([thread])
            to = int(grid.address(operands[0])[0]) & 0xFFFFFFFF
            if "tensor" in opcode:
                places, data = self.read_box(operands, to)
                barrier, block = self.at(operands[2])
            else:
                size = int(grid.read(operands[2], "u32")[0])
                source = int(grid.address(operands[1])[0])
                if size % 16 or source % 16 or to % 16:
                    raise BulkError(f"{instruction.text}: not of 16 bytes")
                places = to + np.arange(size)
                data = self.read_global(source + np.arange(size), instruction.text)
                barrier, block = self.at(operands[3])
            if places.max() >= grid.shared.shape[1]:
                raise BulkError(f"{instruction.text}: outside of shared memory")
            blocks = [block[0]]
            if "multicast::cluster" in opcode:
                mask = int(grid.read(operands[3], "u16")[0])
                first = block[0] - block[0] % grid.cluster
                blocks = [first + rank for rank in range(16) if mask >> rank & 1]
            barrier.copies += [(block, places, data) for block in blocks]
        grid.active = active

    def read_box(self, operands: list[str], to: int) -> tuple[np.ndarray, np.ndarray]:
        grid = self.grid
        name, _, coordinates = operands[1].strip("[]").partition(",")
        number = int(grid.read(name.strip(), "u64")[0]) - PARAMETER_SPACE
        tensor = TensorMap.read(grid.values[number])
        at = [int(grid.read(c.strip(), "s32")[0]) for c in coordinates.strip(" {}").split(",")]
        if to % 128:
            raise BulkError(f"a box goes to byte {to}, expected a multiple of 128")
        addresses, exists = tensor.locate(at)
        size = tensor.element_bytes
        data = np.zeros((len(addresses), size), np.uint8)
        wanted = (addresses[exists][:, None] + np.arange(size)).reshape(-1)
        data[exists] = self.read_global(wanted, "a box").reshape(-1, size)
        return tensor.place(to), data.reshape(-1)

    def read_global(self, addresses: np.ndarray, what: str) -> np.ndarray:
        memory = self.grid.memory
        return memory.data[memory.locate(addresses.astype(np.uint64), 1, what)]


# Where parameters lie that are used by address.
PARAMETER_SPACE = 1 << 60
