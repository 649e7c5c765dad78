# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels whose rows are no multiples of a few bytes, on the emulator: shifted rows of
activations, results in whole rows, and warps that overlap along j."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "gpu"))
import emulate_cases
from device_cases import mlir
from plan_kinds import find_plans
from test_emulated_gpu import BUILD, pytestmark  # noqa: F401

import ks

CHAINS = [
    ((2, 10, 11, 67), "f16"),
    ((1, 24, 16, 17), "bf16"),
    ((2, 33, 18, 31), "f16"),
    ((2, 20, 40, 21), "bf16"),
    ((3, 60, 27, 1), "f16"),
    ((2, 49, 69, 1), "bf16"),
    ((3, 21, 65, 3), "f16"),
    ((2, 18, 37, 3), "bf16"),
    ((1, 34, 20, 70), "f16"),
    ((2, 22, 21, 58), "bf16"),
    ((3, 14, 50, 5), "f16"),
    ((2, 22, 34, 11), "f16"),
    ((1, 24, 18, 19), "bf16"),
    ((2, 10, 35, 19), "f32"),
    ((3, 21, 33, 3), "f32"),
    ((2, 10, 11, 19), "complex64"),
    ((1, 9, 10, 21), "f64"),
]


def get_plans(chain: tuple[int, ...], case, count: int) -> list[str]:
    """Plans with cp.async and all j in a slab that differ in how warps share them."""
    options = ["--chain", ",".join(map(str, chain)), "--target", "sm_80"]
    options += ["--type", case.dtype.replace("complex64", "c64"), "--batch", str(case.batch)]

    def get_kind(plan: str, fields: dict[str, str]):
        if "copies = cp_async" not in plan or f"j = {chain[3]}>>" not in plan:
            return None
        return fields["vector"], fields["weights"], "run_k = 4" in plan, "stages = 1" in plan

    return find_plans(BUILD / "bin" / "ks-run", options, get_kind)[:count]


@pytest.mark.parametrize(("chain", "dtype"), CHAINS)
@pytest.mark.parametrize("is_pitched", [False, True], ids=["dense", "pitched"])
def test_plans(emulator, tmp_path, chain, dtype, is_pitched):
    number = 3  # odd: f32 is ieee
    case = dataclasses.replace(
        emulate_cases.ks_cases.draw(1, number),
        chain=ks.Chain([chain]),
        dtype=dtype,
        layout="batch_first",
        batch=37,
        is_dynamic=True,
        epilogue="residual" if is_pitched else None,
        is_pitched=is_pitched,
        is_small=False,
    )
    plans = get_plans(chain, case, 2 if is_pitched else 3)
    assert plans
    for plan in plans:
        source, path = tmp_path / "layer.mlir", tmp_path / "layer.ks"
        source.write_text(mlir(case))
        command = [BUILD / "bin" / "ks-run", source, "--target", "sm_80", "--plan", plan]
        command += ["--emit", "artifact", "-o", path, "--no-cubin"]
        subprocess.run(command, check=True, capture_output=True, text=True)
        assert emulator.check(case, path) is None, plan
