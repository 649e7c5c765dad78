# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random factors of blocks that cublasLt reads where they lie, and plans that have it compute
them, whatever is predicted: it may be slower, or nobody has measured it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
from device_cases import import_cases

ks_cases = import_cases()
import ks

SIZES, BATCHES = (1, 3, 8, 17, 24, 40), (1, 5, 8, 13, 32)
LARGE_SIZES, LARGE_BATCHES = (1, 7, 32, 64, 96, 129, 256, 384), (1, 2, 8, 63, 64, 1000, 4096)


def draw_blocks(seed: int, number: int, is_large: bool = False) -> ks_cases.Case:
    """Two of three are batch-last. Large ones are for real GPUs."""
    rng = np.random.default_rng((seed, number))
    layout = ("batch_last", "batch_last", "batch_first")[number % 3]
    a, d = (int(rng.integers(1, 6)) for _ in range(2))
    if layout == "batch_first":
        a, d = a + 1, 1
    b, c = (int(size) for size in rng.choice(LARGE_SIZES if is_large else SIZES, 2))
    tied = "".join(axis for axis, size in (("a", a), ("d", d)) if size > 1 and rng.random() < 0.35)
    return ks_cases.Case(
        seed=seed,
        number=number,
        chain=ks.Chain([(a, b, c, d)], [tied]),
        dtype=("f16", "bf16", "f32", "f64")[number // 3 % 4],
        layout=layout,
        batch=int(rng.choice(LARGE_BATCHES if is_large else BATCHES)),
        is_dynamic=bool(rng.random() < 0.5),
        epilogue=None,
        is_pitched=bool(rng.random() < 0.6),
        is_bound=False,
        is_small=False,
    )


def make_library_plan(ks_run: Path, source: Path, target: str) -> str:
    """A #ks.library_plan for the one product of `source`."""
    command = [ks_run, source, "--target", target + ":library=none", "--plans", "1", "--json"]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    plan = json.loads(done.stdout)[0]["plan"]
    return f"#ks.library_plan<cublaslt, fallback = {plan}>"
