# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels whose warps multiply four at a time (wgmma), on the emulator."""

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
CASES = [
    ((2, 24, 40, 3), "f16", "batch_last", None),
    ((1, 100, 150, 2), "bf16", "batch_last", "bias"),
    ((2, 200, 70, 1), "f16", "batch_last", None),
    ((2, 72, 136, 1), "f16", "batch_first", None),
    ((1, 300, 64, 1), "bf16", "batch_first", "bias"),
    ((2, 24, 40, 2), "f16", "batch_first", None),  # folded
    ((1, 30, 24, 3), "bf16", "batch_first", None),
    ((2, 17, 20, 4), "f16", "batch_first", "bias"),
]
# Activations go through registers.
CASES_RS = [
    ((2, 24, 40, 2), "f16", None),
    ((2, 40, 32, 3), "bf16", None),
    ((1, 17, 20, 4), "f16", "bias"),
    ((2, 20, 28, 8), "f16", None),
    ((2, 33, 24, 16), "bf16", "bias"),
    ((1, 40, 40, 24), "f16", None),
    ((1, 24, 72, 32), "f16", None),
    ((1, 20, 40, 9), "f16", "bias"),  # all columns of an odd number
    ((2, 24, 16, 11), "bf16", None),
]
# The same, of tf32.
CASES_RS8 = [
    ((2, 40, 24, 1), "batch_first", "bias"),
    ((2, 24, 40, 2), "batch_first", None),
    ((1, 40, 32, 3), "batch_first", None),
    ((2, 20, 28, 4), "batch_first", "bias"),
    ((1, 33, 24, 8), "batch_first", None),
    ((1, 24, 36, 24), "batch_first", None),
    ((2, 24, 40, 3), "batch_last", None),
    ((1, 70, 50, 2), "batch_last", "bias"),
]
# Blocks along n share activations.
CASES_CLUSTER = [
    ((2, 32, 40, 2), "f16", None),
    ((1, 60, 24, 3), "bf16", "bias"),
    ((1, 64, 24, 16), "f16", None),
]


def get_plans(source: Path, instruction: str, count: int, with_cluster: bool) -> list[str]:
    """Plans that differ in what warps do."""

    def get_kind(plan: str, fields: dict[str, str]):
        if f"<{instruction}," not in plan or ("cluster" in fields) != with_cluster:
            return None
        kind = plan.split(",")[0], fields["n"], fields["weights"], fields["k"], fields["warps"]
        return *kind, fields.get("cluster")

    return spread(find_plans(KS_RUN, [source, "--target", "sm_90"], get_kind), count)


@pytest.mark.parametrize(("chain", "dtype", "layout", "epilogue"), CASES)
@pytest.mark.parametrize("is_aligned", [True, False], ids=["aligned", "unaligned"])
def test_plans(emulator, tmp_path, chain, dtype, layout, epilogue, is_aligned):
    check(emulator, tmp_path, "wgmma16", chain, dtype, layout, epilogue, is_aligned)


@pytest.mark.parametrize(("chain", "dtype", "epilogue"), CASES_RS)
@pytest.mark.parametrize("is_aligned", [True, False], ids=["aligned", "unaligned"])
def test_plans_rs(emulator, tmp_path, chain, dtype, epilogue, is_aligned):
    check(emulator, tmp_path, "wgmma16_rs", chain, dtype, "batch_first", epilogue, is_aligned)


@pytest.mark.parametrize(("chain", "layout", "epilogue"), CASES_RS8)
@pytest.mark.parametrize("is_aligned", [True, False], ids=["aligned", "unaligned"])
def test_plans_tf32(emulator, tmp_path, chain, layout, epilogue, is_aligned):
    check(emulator, tmp_path, "wgmma8_rs", chain, "f32", layout, epilogue, is_aligned)


@pytest.mark.parametrize(("chain", "dtype", "epilogue"), CASES_CLUSTER)
@pytest.mark.parametrize("is_aligned", [True, False], ids=["aligned", "unaligned"])
def test_clusters(emulator, tmp_path, chain, dtype, epilogue, is_aligned):
    case = chain, dtype, "batch_first", epilogue, is_aligned
    check(emulator, tmp_path, "wgmma16_rs", *case, with_cluster=True)


def check(
    emulator,
    tmp_path,
    instruction,
    chain,
    dtype,
    layout,
    epilogue,
    is_aligned,
    with_cluster=False,
):
    case = dataclasses.replace(
        emulate_cases.ks_cases.draw(1, 2),
        chain=ks.Chain([chain]),
        dtype=dtype,
        layout=layout,
        batch=200,
        is_dynamic=True,
        epilogue=epilogue,
        is_pitched=not is_aligned,
        is_small=False,
    )
    source, path = tmp_path / "layer.mlir", tmp_path / "layer.ks"
    source.write_text(mlir(case))
    plans = get_plans(source, instruction, 4 if is_aligned else 1, with_cluster)
    assert plans
    for plan in plans:
        command = [KS_RUN, source, "--target", "sm_90", "--plan", plan]
        command += ["--emit", "artifact", "-o", path, "--no-cubin"]
        subprocess.run(command, check=True, capture_output=True, text=True)
        assert emulator.check(case, path) is None, plan
