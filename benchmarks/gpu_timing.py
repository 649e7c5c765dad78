# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Times of work on a GPU, what the GPU could do, and which GPU it is."""

import subprocess
import time
from collections.abc import Callable

import torch
from gpu_cases import Kind

MAX_RUNS = 200  # launches wait in a queue of about a thousand


def get_device_info() -> tuple[str, str, float]:
    """Name, driver, and greatest clock in MHz (0: not known)."""
    name = torch.cuda.get_device_name()
    query = "driver_version,clocks.max.sm"
    command = ["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader,nounits"]
    try:
        output = subprocess.run(command, capture_output=True, text=True, timeout=20).stdout
        driver, clock = output.splitlines()[0].split(",")
        return name, driver.strip(), float(clock)
    except (OSError, IndexError, ValueError, subprocess.TimeoutExpired):
        clock = getattr(torch.cuda.get_device_properties(0), "clock_rate", 0) / 1e3
        return name, "", clock


def get_fma_peak(clock_mhz: float) -> float:
    """FLOP/s of f32 FMAs, by the specification: 128 lanes in each multiprocessor."""
    return torch.cuda.get_device_properties(0).multi_processor_count * 128 * 2 * clock_mhz * 1e6


def time_runs(call: Callable[[int], object], runs: int, lead_ms: float = 0.0) -> float:
    """Milliseconds of a run, by events. The GPU first waits for `lead_ms`, so that launches
    are queued ahead and the times are the GPU's, not those of Python."""
    start = torch.cuda.Event(enable_timing=True)
    end = torch.cuda.Event(enable_timing=True)
    if lead_ms:
        torch.cuda._sleep(int(lead_ms * 2e6))  # clocks, of at most about 2 GHz
    start.record()
    for run in range(runs):
        call(run)
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / runs


class Timer:
    """How often to run a way, and its times so far, one per round."""

    def __init__(self, call: Callable[[int], object], sets: int, round_ms: float):
        """`call` takes the index of one of the sets of buffers. It has run before."""
        self.sets, self.function = sets, call
        self.held: list[object] = [None] * sets  # results; each frees the one of a turn ago
        self.rounds: list[float] = []
        torch.cuda.synchronize()
        begin = time.perf_counter()
        self.call(0)
        host = time.perf_counter() - begin
        torch.cuda.synchronize()
        first = (time.perf_counter() - begin) * 1e3
        if first < round_ms:
            # Through all sets, so that what allocates results holds one for each.
            begin = time.perf_counter()
            for at in range(sets):
                self.call(at)
            host = min(host, (time.perf_counter() - begin) / sets)
            torch.cuda.synchronize()
            first = time_runs(self.call, 3, 2 * 3 * host * 1e3)
        self.runs = max(1, min(MAX_RUNS, round(round_ms / max(first, 1e-4))))
        # When the GPU is much slower than the host, the queue fills by itself.
        ahead = 2 * host * 1e3 * self.runs if first < 3 * host * 1e3 else 0.1
        self.lead_ms = min(ahead, 60.0)

    def call(self, run: int) -> None:
        at = run % self.sets
        self.held[at] = self.function(at)

    def measure(self) -> None:
        """One round more."""
        self.rounds.append(time_runs(self.call, self.runs, self.lead_ms))

    @property
    def ms(self) -> float:
        ordered = sorted(self.rounds)
        middle = len(ordered) // 2
        return (ordered[middle] + ordered[-1 - middle]) / 2

    @property
    def spread(self) -> float:
        return max(self.rounds) / min(self.rounds)


def set_precision(kind: Kind) -> None:
    """What PyTorch's products may do. Sums of f16 and bf16 are f32 everywhere."""
    matmul = torch.backends.cuda.matmul
    matmul.allow_tf32 = kind.tf32
    matmul.allow_fp16_reduced_precision_reduction = False
    matmul.allow_bf16_reduced_precision_reduction = False


def measure_copy() -> float:
    """Bytes read and written each second, copying 2 GiB on the device."""
    source = torch.empty(2 << 30, dtype=torch.uint8, device="cuda").fill_(1)
    target = torch.empty_like(source)
    target.copy_(source)
    best = min(time_runs(lambda _: target.copy_(source), 5) for _ in range(4))
    return 2 * source.numel() / best * 1e3


def measure_peak(kind: Kind, size: int = 8192) -> float:
    """FLOP/s of a large product by cuBLAS, on random numbers as all else here."""
    dtype = getattr(torch, kind.dtype)
    x, y = (torch.rand(size, size, device="cuda").mul_(2).sub_(1).to(dtype) for _ in range(2))
    result = torch.mm(x, y)
    torch.cuda.synchronize()
    first = time_runs(lambda _: torch.mm(x, y, out=result), 2)
    runs = max(1, round(40 / first))
    best = min(time_runs(lambda _: torch.mm(x, y, out=result), runs) for _ in range(4))
    return 2 * size**3 / best * 1e3
