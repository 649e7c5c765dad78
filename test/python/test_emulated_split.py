# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Products of f32 on tensor cores (mma16_split), on the emulator."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "gpu"))
import split_cases
from split_cases import find_split_plans, get_errors, get_options
from test_emulated_gpu import BUILD, pytestmark  # noqa: F401

sys.path.insert(0, str(ROOT / "benchmarks"))
from ks_runtime import KsError

KS_RUN = BUILD / "bin" / "ks-run"
BATCH = 40


def compute(emulator, tmp_path, options, plan, layout, x, weight):
    path = tmp_path / "layer.ks"
    command = [KS_RUN, *options, "--emit", "artifact", "-o", path, "--no-cubin", "--plan", plan]
    subprocess.run(command, check=True, capture_output=True, text=True)
    device = emulator.device
    device.reset()
    device.failure = None
    batch, (a, b, _, d) = len(x), weight.shape
    columns, y = x.reshape(batch, -1), np.full((batch, a * b * d), np.nan, np.float32)
    if layout == "last":
        columns, y = columns.T, y.T
    arrays = [device.put(np.ascontiguousarray(array)) for array in (columns, weight, y)]
    try:
        emulator.run(path, [(array, "f32") for array in arrays], batch)
    except KsError as error:
        raise AssertionError(device.failure or error) from error
    y = arrays[-1] if layout == "first" else arrays[-1].T
    return y.reshape(batch, a, b, d)


@pytest.mark.parametrize("kind", split_cases.KINDS)
@pytest.mark.parametrize("layout", ["first", "last"])
def test_numbers(emulator, tmp_path, kind, layout):
    pattern = 1, 20, 64, 4
    options = get_options(pattern, layout, "sm_90", BATCH)
    x, weight = split_cases.make(kind, pattern, BATCH, seed=3)
    for plan in find_split_plans(KS_RUN, options, 1):
        y = compute(emulator, tmp_path, options, plan, layout, x, weight)
        assert split_cases.check(kind, y, get_errors(x, weight, y)) is None, plan


@pytest.mark.parametrize(
    ("pattern", "layout", "target"),
    [
        ((2, 24, 40, 1), "first", "sm_90"),
        ((1, 17, 33, 3), "first", "sm_80"),
        ((1, 40, 48, 8), "first", "sm_90"),
        ((2, 33, 50, 2), "last", "sm_80"),
        ((1, 64, 300, 1), "last", "sm_90"),
    ],
)
def test_plans(emulator, tmp_path, pattern, layout, target):
    options = get_options(pattern, layout, target, BATCH)
    x, weight = split_cases.make("random", pattern, BATCH, seed=4)
    plans = find_split_plans(KS_RUN, options, 4)
    assert len(plans) > 1
    for plan in plans:
        y = compute(emulator, tmp_path, options, plan, layout, x, weight)
        assert split_cases.check("random", y, get_errors(x, weight, y)) is None, plan


def test_below_32_products_fmas_are_used():
    """Few roundings of theirs would allow few errors of the parts."""
    options = get_options((2, 64, 31, 4), "first", "sm_90", BATCH)
    assert not find_split_plans(KS_RUN, options, 1)
    assert find_split_plans(KS_RUN, get_options((2, 64, 32, 4), "first", "sm_90", BATCH), 1)


def test_plain_tf32_would_fail():
    """The bounds are tight enough to notice."""
    x, weight = split_cases.make("random", (1, 20, 64, 4), BATCH, seed=3)

    def cut(array):
        return (array.view(np.uint32) & 0xFFFFE000).view(np.float32)

    y = split_cases.multiply(cut(x), cut(weight))[0].astype(np.float32)
    assert "beyond the bound" in split_cases.check("random", y, get_errors(x, weight, y))
