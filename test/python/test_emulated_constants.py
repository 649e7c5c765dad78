# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Weights that are constants: packed at compile time, and brought along by the layer."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "gpu"))
import emulate_cases
from device_cases import embed_weights, mlir
from test_emulated_gpu import BUILD, pytestmark  # noqa: F401
from test_emulated_wgmma import get_plans

import ks

KS_RUN = BUILD / "bin" / "ks-run"


def make_case(chain, dtype, layout, number=1):
    """Odd numbers are ieee, even ones tf32."""
    return dataclasses.replace(
        emulate_cases.ks_cases.draw(1, number),
        chain=chain,
        dtype=dtype,
        layout=layout,
        batch=40,
        is_dynamic=True,
        epilogue=None,
        is_pitched=False,
        is_small=False,
    )


def check(emulator, tmp_path, case, options, as_resources=False):
    data = emulate_cases.ks_cases.Maker(case).make()
    source, path = tmp_path / "layer.mlir", tmp_path / "layer.ks"
    source.write_text(embed_weights(mlir(case), data.weights, as_resources))
    command = [KS_RUN, source, *options, "--emit", "artifact", "-o", path, "--no-cubin"]
    subprocess.run(command, check=True, capture_output=True, text=True)
    with emulator.runtime.load(path) as layer:
        assert layer.packed_bytes == 0
        assert not any(argument.is_weight for argument in layer.arguments)
    assert emulator.check(case, path, data.weights) is None, options


@pytest.mark.parametrize(
    ("tied", "dtype", "layout", "number"),
    [
        ("", "f16", "batch_first", 1),
        ("a", "f32", "batch_first", 1),
        ("", "f32", "batch_last", 2),
        ("d", "bf16", "batch_last", 1),
        ("ad", "f64", "batch_first", 1),
        ("", "complex64", "batch_first", 1),
        ("d", "complex128", "batch_last", 1),
    ],
)
@pytest.mark.parametrize("target", ["sm_80", "sm_90"])
def test_types_and_ties(emulator, tmp_path, tied, dtype, layout, number, target):
    case = make_case(ks.Chain([(2, 20, 18, 3)], [tied]), dtype, layout, number)
    check(emulator, tmp_path, case, ["--target", target])


@pytest.mark.parametrize(
    ("instruction", "dtype", "number"),
    [
        ("mma16", "f16", 1),
        ("wgmma16", "f16", 1),
        ("wgmma16_rs", "f16", 1),
        ("wgmma8_rs", "f32", 2),  # even: tf32
        ("mma16_split", "f32", 1),
    ],
)
def test_layouts(emulator, tmp_path, instruction, dtype, number):
    case = make_case(ks.Chain([(2, 24, 40, 2)]), dtype, "batch_first", number)
    source = tmp_path / "plans.mlir"
    source.write_text(mlir(case))
    plans = get_plans(source, instruction, 4, with_cluster=False)
    assert plans
    for plan in plans:
        check(emulator, tmp_path, case, ["--target", "sm_90", "--plan", plan])


@pytest.mark.parametrize("as_resources", [False, True])
def test_chains(emulator, tmp_path, as_resources):
    chain = ks.Chain([(1, 16, 8, 3), (6, 8, 8, 1), (1, 5, 12, 4)])
    case = make_case(chain, "f32", "batch_first")
    check(emulator, tmp_path, case, ["--target", "sm_90"], as_resources)
