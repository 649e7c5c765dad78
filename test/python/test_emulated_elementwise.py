# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Elementwise linalg ops behind products, fused into kernels on an emulated GPU.
KS_GPU_ELEMENTWISE_CASES (default 20) sets how many of each kind, KS_SEED which."""

import functools
import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "gpu"))
import emulate_cases
import ks_conversions
import ks_elementwise
import ks_runtime
from device_cases import mlir
from plan_kinds import find_plans
from test_emulated_gpu import BUILD, pytestmark  # noqa: F401

import ks

COUNT = int(os.environ.get("KS_GPU_ELEMENTWISE_CASES", "20"))
GROUP = 4
SEED = int(os.environ.get("KS_SEED", "4"))


def draw(first, count, make=ks_elementwise.draw):
    """Small ones: emulated threads are slow."""
    cases = (make(SEED, number) for number in itertools.count())
    small = (
        case
        for case in cases
        if case.batch <= 64 and max(max(p.in_features, p.out_features) for p in case.chain) <= 96
    )
    return itertools.islice(small, first, first + count)


def compile_case(text, path, number, plan=None):
    """What is wrong, and whether there is something to run."""
    target = ("sm_80", "sm_90")[number // 2 % 2]
    try:
        emulate_cases.compile_text(text, path, target, BUILD / "bin" / "ks-run", plan)
    except RuntimeError as error:
        # No CUDA toolkit on this machine?
        return (None if "libdevice" in str(error) else str(error)), False
    return None, True


@pytest.mark.parametrize("first", range(0, COUNT, GROUP))
def test_random_cases(emulator, tmp_path, first):
    failures = []
    for case in draw(first, GROUP):
        path = tmp_path / f"{case.number}.ks"
        wrong, is_there = compile_case(mlir(case), path, case.number)
        if is_there:
            wrong = emulator.check(case, path)
        if wrong:
            failures.append(f"{wrong}\n  {case}\n{case.mlir()}")
    assert not failures, "\n".join(failures)


def check_conversions(emulator, tmp_path, case, text=None, plan=None):
    path = tmp_path / f"{case.number}.ks"
    wrong, is_there = compile_case(text or case.mlir(), path, case.number, plan)
    if not is_there:
        return wrong
    arguments, poison = case.make()
    emulator.device.reset()
    emulator.device.failure = None
    placed = [emulator.device.put(array) for array in [*arguments, poison]]
    types = [*case.argument_types, case.types[-1]]
    try:
        emulator.run(path, list(zip(placed, types)), case.batch)
    except ks_runtime.KsError as error:
        return str(emulator.device.failure or error)
    with np.errstate(all="ignore"):
        return case.compare(placed[-1], case.reference(arguments))


@pytest.mark.parametrize("first", range(0, COUNT, GROUP))
def test_conversions(emulator, tmp_path, first):
    """Casts on all sides: input, bias and residual, and result of another type than the
    product."""
    failures = []
    make = functools.partial(ks_conversions.draw, types=ks_conversions.GPU_TYPES)
    for case in draw(first, GROUP, make):
        wrong = check_conversions(emulator, tmp_path, case)
        if wrong:
            failures.append(f"{wrong}\n  {case}\n{case.mlir()}")
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize(
    ("dtype", "wide", "wanted"),
    [
        # Vectors of 16 bytes of the product, and of fewer of the residual.
        ("f32", "f16", "vector = 4,.*mma16_split"),
        ("f32", "bf16", "vector = 4,.*mma16_split"),
        # And of more.
        ("f32", "f64", "vector = 4,.*mma16_split"),
        ("f16", "f32", "vector = 8,.*mma16"),
    ],
)
def test_residuals_of_another_type(emulator, tmp_path, dtype, wide, wanted):
    """Entries of a lane are where the type of the product has them, whatever is added."""
    types = (dtype, dtype, wide, dtype)
    chain = ks.Chain([(1, 16, 32, 2)])
    case = ks_conversions.Conversions(2, chain, types, "relu", "batch_last", 70, True)
    source = tmp_path / "case.mlir"
    source.write_text(case.mlir())
    fuse = [BUILD / "bin" / "ks-opt", "--ks-fuse-elementwise", source, "-o", source]
    subprocess.run(fuse, check=True)
    kind = lambda plan, fields: 0 if re.search(wanted, plan) else None  # noqa: E731
    (plan,) = find_plans(BUILD / "bin" / "ks-run", [source, "--target", "sm_80"], kind)
    assert check_conversions(emulator, tmp_path, case, source.read_text(), plan) is None
