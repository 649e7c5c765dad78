# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The runtime on an emulated GPU: artefact, runtime and PTX together, without a GPU.

libKSRuntimeC opens the fake driver of the unit tests, which hands every launch to
ptx_emulator. Memory of the "device" is an arena of the host; only what was allocated
in it may be accessed.
"""

from __future__ import annotations

import ctypes
import os

import numpy as np
import ptx_emulator
import ptx_parser


class Tensor:
    """An array in the arena, with what ks_runtime asks of tensors."""

    def __init__(self, array: np.ndarray, dtype: str):
        self.array, self.dtype, self.shape = array, dtype, array.shape

    def data_ptr(self) -> int:
        return self.array.ctypes.data

    def is_contiguous(self) -> bool:
        return self.array.flags["C_CONTIGUOUS"]

    def stride(self) -> list[int]:
        return [stride // self.array.itemsize for stride in self.array.strides]

    def numel(self) -> int:
        return self.array.size


class Device:
    """One per process: the runtime keeps the driver that it opened first."""

    def __init__(self, driver: str, size: int = 256 << 20):
        os.environ["KS_CUDA_DRIVER"] = driver
        self.driver = ctypes.CDLL(driver, mode=ctypes.RTLD_GLOBAL)
        self.failure: Exception | None = None
        self.kernels: dict[str, dict[str, ptx_parser.Kernel]] = {}
        kind = ctypes.CFUNCTYPE(
            ctypes.c_uint, ctypes.c_char_p, ctypes.c_char_p, *[ctypes.c_uint] * 3,
            ctypes.POINTER(ctypes.c_void_p),
        )  # fmt: skip
        self.callback = kind(self.launch)
        self.driver.fakeSetLaunchCallback(self.callback)
        # Memory that the runtime allocates is in the arena, too.
        allocate = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_size_t)
        self.allocate_callback = allocate(self.try_allocate)
        self.driver.fakeSetAllocateCallback(self.allocate_callback)
        raw = np.empty(size + 256, np.uint8)
        start = -raw.ctypes.data % 256
        self.arena = raw[start : start + size]
        self.used = size
        self.reset()

    def close(self) -> None:
        """The driver records launches again, and allocates memory itself."""
        self.driver.fakeSetLaunchCallback(None)
        self.driver.fakeSetAllocateCallback(None)

    def reset(self) -> None:
        self.arena[: self.used] = 0xFF
        self.used = 0
        self.allowed = np.zeros(len(self.arena), bool)

    def allocate(self, bytes_: int) -> np.ndarray:
        """Bytes, aligned to 256, with a gap behind them."""
        start = self.used
        self.used = (start + bytes_ + 256 + 255) // 256 * 256
        if self.used > len(self.arena):
            raise MemoryError("the arena is too small")
        self.allowed[start : start + bytes_] = True
        return self.arena[start : start + bytes_]

    def try_allocate(self, bytes_: int) -> int | None:
        try:
            return self.allocate(bytes_).ctypes.data
        except MemoryError:  # nothing may pass through C
            return None

    def put(self, array: np.ndarray) -> np.ndarray:
        """A copy of a contiguous array."""
        copy = self.allocate(array.nbytes).view(array.dtype).reshape(array.shape)
        copy[...] = array
        return copy

    def launch(self, image, name, blocks, threads, shared, parameters) -> int:
        try:
            text = image.decode()
            if text not in self.kernels:
                self.kernels.clear()
                self.kernels[text] = ptx_parser.parse(text)
            kernel = self.kernels[text][name.decode()]
            values = [
                ctypes.string_at(parameters[number], size)
                for number, size in enumerate(kernel.parameters)
            ]
            memory = ptx_emulator.Memory(self.arena.ctypes.data, self.arena, self.allowed)
            ptx_emulator.launch(kernel, values, blocks, threads, shared, memory)
        except Exception as error:  # nothing may pass through C
            self.failure = error
            return 700  # CUDA_ERROR_ILLEGAL_ADDRESS
        return 0
