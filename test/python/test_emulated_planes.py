# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Chains as one kernel through planes, on the emulator: random pairs with random plans of
that kind, against float64. KS_PLANES_CASES sets how many, KS_SEED which."""

import dataclasses
import os
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "gpu"))
import emulate_cases
from device_cases import mlir
from test_emulated_gpu import BUILD, pytestmark  # noqa: F401

COUNT = int(os.environ.get("KS_PLANES_CASES", "12"))
GROUP = 3
SEED = int(os.environ.get("KS_SEED", "9"))
KS_RUN = BUILD / "bin" / "ks-run"
FRAGMENTS = "fragments = <wgmma16_rs, run_k = 2, run_n = 1>"


def draw(number: int, **fixed):
    return dataclasses.replace(emulate_cases.ks_cases.draw_planes(SEED, number), **fixed)


def divisors(number: int) -> list[int]:
    return [size for size in range(1, number + 1) if number % size == 0]


def make_plan(case, rng: np.random.Generator) -> str:
    """One of those that the case can have, as #ks.gpu_chain_plan."""
    (a1, b1, c1, _), (a2, _, c2, d2) = case.chain.patterns
    # What fits the registers of a lane, and 227 KB of shared memory.
    columns = int(rng.choice([j for j in (8, 16, 32) if d2 % j == 0 and j * c2 <= 1024]))
    rows = int(rng.choice([n for n in (16, 32, 48, 64) if n * columns <= 1024 and n * c2 <= 6144]))
    redundancy = b1 // d2
    # Sums of a set of groups are in registers, too.
    most = 12288 // (64 * c1 * 2)
    groups = [
        g for g in divisors(a1 // a2) if g <= max(1, most) and g * redundancy * columns <= 128
    ]
    vectors = [j for j in divisors(columns) if j % 2 == 0 and j * rows * c2 * 2 <= 24576]
    parts, tied = d2 // columns, case.chain.tied

    def packing(number: int, n: int, k: int, j: int) -> str:
        axes = tied[number]
        if (a1, a2)[number] == 1:  # one group has nothing to share
            axes = axes.replace("a", "")
        text = f"packing = <{FRAGMENTS}, n = {n}, k = {k}, j = {1 if 'd' in axes else j}"
        if axes:
            text += f", tied = {'a|d' if axes == 'ad' else axes}"
        if number == 0 and parts > 1:
            text += f", parts = {parts}, run = {columns}"
        return text + ">"

    vector = int(rng.choice(vectors))
    slices = a2 * parts
    return (
        "#ks.gpu_chain_plan<entries = 64, "
        + (f"slices = {slices}, " if slices > 1 else "")
        + f"warps = 8, stages = 2, batch_blocks = {rng.choice([1, 2, 33])}, factors = ["
        + f"<entries = 64, vector = 1, groups = {rng.choice(groups)}, "
        + packing(0, redundancy * columns, c1, 1)
        + f">, <entries = 64, vector = {vector}, "
        + packing(1, rows, c2, vector)
        + ">]>"
    )


@pytest.mark.parametrize("first", range(0, COUNT, GROUP))
def test_random_pairs(emulator, tmp_path, first):
    failures, checked = [], 0
    for number in range(first, first + GROUP):
        case = draw(number)
        if not emulate_cases.is_emulated(case):
            continue
        plan = make_plan(case, np.random.default_rng([SEED, number, 6]))
        path = tmp_path / f"{number}.ks"
        try:
            emulate_cases.compile_text(mlir(case), path, "sm_90", KS_RUN, plan)
        except RuntimeError as error:
            # No CUDA toolkit on this machine, or an epilogue needs what registers are left.
            if "libdevice" in str(error) or "a lane needs about" in str(error):
                continue
            raise AssertionError(f"{error}\n  {case}\n  {plan}") from error
        wrong = emulator.check(case, path)
        checked += 1
        if wrong:
            failures.append(f"{wrong}\n  {case}\n  {plan}")
    assert not failures, "\n".join(failures)
    assert checked
