# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Energy that a GPU takes, by the counter of its driver (NVML)."""

import ctypes
import time
from collections.abc import Callable
from ctypes import byref, c_char_p, c_ulonglong, c_void_p

import torch

WARM_UP = 0.2  # of the time that counts, ahead of it: clocks and power settle
QUEUED_SECONDS = 0.05  # of work that waits on the stream


class EnergyCounter:
    """Of the GPU that PyTorch uses; raises RuntimeError where it cannot be read."""

    def __init__(self) -> None:
        try:
            self.library = ctypes.CDLL("libnvidia-ml.so.1")
        except OSError as error:
            raise RuntimeError("no NVML") from error
        self.check(self.library.nvmlInit_v2())
        self.device = c_void_p()
        uuid = str(torch.cuda.get_device_properties(torch.cuda.current_device()).uuid)
        name = uuid if uuid.startswith(("GPU-", "MIG-")) else f"GPU-{uuid}"
        find = self.library.nvmlDeviceGetHandleByUUID
        find.argtypes = [c_char_p, ctypes.POINTER(c_void_p)]
        self.check(find(name.encode(), byref(self.device)))
        self.read()

    @staticmethod
    def check(code: int) -> None:
        if code:
            raise RuntimeError(f"NVML returned status {code}")

    def read(self) -> float:
        """Joules since the driver was loaded."""
        energy = c_ulonglong()
        function = self.library.nvmlDeviceGetTotalEnergyConsumption
        function.argtypes = [c_void_p, ctypes.POINTER(c_ulonglong)]
        self.check(function(self.device, byref(energy)))
        return energy.value / 1e3

    def measure(self, run: Callable[[], None], seconds: float) -> float:
        """Joules of a run, from as many as take that long. The whole board counts, idle
        parts too."""

        def repeat(duration: float) -> int:
            count, begin = 0, time.perf_counter()
            while time.perf_counter() - begin < duration:
                for _ in range(ahead):
                    run()
                torch.cuda.synchronize()
                count += ahead
            return count

        torch.cuda.synchronize()
        begin = time.perf_counter()
        run()
        torch.cuda.synchronize()
        ahead = max(1, round(QUEUED_SECONDS / max(time.perf_counter() - begin, 1e-5)))
        repeat(WARM_UP * seconds)
        start = self.read()
        count = repeat(seconds)
        return (self.read() - start) / count
