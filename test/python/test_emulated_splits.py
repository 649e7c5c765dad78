# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Emulated kernels whose blocks share k: sums pass from block to block of a cluster."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "gpu"))
import emulate_cases
from device_cases import mlir
from plan_kinds import find_plans, spread
from test_emulated_gpu import BUILD, pytestmark  # noqa: F401

import ks

KS_RUN = BUILD / "bin" / "ks-run"
# Few slabs and long k: (instruction, pattern, type, layout, epilogue).
CASES = [
    ("wgmma16_rs", (1, 64, 96, 16), "f16", "batch_first", "bias"),
    ("wgmma16_rs", (1, 24, 160, 3), "bf16", "batch_first", None),
    ("wgmma8_rs", (1, 32, 128, 8), "f32", "batch_first", None),
    ("mma16", (2, 48, 96, 4), "f16", "batch_first", "bias"),
    ("mma16", (1, 40, 128, 8), "bf16", "batch_last", None),
    ("mma16_split", (1, 64, 128, 2), "f32", "batch_first", "bias"),
    ("fma", (1, 40, 64, 2), "f64", "batch_first", None),
    ("fma", (1, 24, 64, 2), "complex64", "batch_last", None),
]


@pytest.mark.parametrize(("instruction", "chain", "dtype", "layout", "epilogue"), CASES)
def test_plans(emulator, tmp_path, instruction, chain, dtype, layout, epilogue):
    case = dataclasses.replace(
        emulate_cases.ks_cases.draw(1, 1 if instruction == "mma16_split" else 2),
        chain=ks.Chain([chain]),
        dtype=dtype,
        layout=layout,
        batch=70,
        is_dynamic=False,
        epilogue=epilogue,
        is_pitched=False,
        is_small=False,
    )
    source, path = tmp_path / "layer.mlir", tmp_path / "layer.ks"
    source.write_text(mlir(case))
    plans = get_plans(source, instruction, 4)
    assert plans
    for plan in plans:
        command = [KS_RUN, source, "--target", "sm_90", "--plan", plan]
        command += ["--emit", "artifact", "-o", path, "--no-cubin"]
        subprocess.run(command, check=True, capture_output=True, text=True)
        assert emulator.check(case, path) is None, plan


def get_plans(source: Path, instruction: str, count: int) -> list[str]:
    """Plans that differ in what blocks share, and in who copies."""

    def get_kind(plan: str, fields: dict[str, str]):
        if f"<{instruction}," not in plan or "splits" not in fields:
            return None
        return tuple(fields[key] for key in ("splits", "copies", "weights", "n"))

    return spread(find_plans(KS_RUN, [source, "--target", "sm_90"], get_kind), count)
