# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Chains that may be merged on an emulated GPU: @f_pack merges and packs on the device.
KS_GPU_MERGED_CASES (default 16) sets how many, KS_SEED which."""

import itertools
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "gpu"))
import emulate_cases
import ks_merged
from device_cases import embed_weights, is_tf32, mlir
from test_emulated_gpu import BUILD, pytestmark  # noqa: F401

COUNT = int(os.environ.get("KS_GPU_MERGED_CASES", "16"))
GROUP = 4
SEED = int(os.environ.get("KS_SEED", "3"))


def reference(case, data):
    return ks_merged.reference(case, data, tf32=is_tf32(case))


def draw(first, count):
    """Small ones: emulated threads are slow."""
    cases = (
        case
        for case in ks_merged.draw(SEED)
        if emulate_cases.is_emulated(case)
        and case.batch <= 64
        and max(max(p.in_features, p.out_features) for p in case.chain) <= 64
    )
    return itertools.islice(cases, first, first + count)


@pytest.mark.parametrize("first", range(0, COUNT, GROUP))
def test_random_chains_that_may_be_merged(emulator, tmp_path, first):
    failures = []
    for case in draw(first, GROUP):
        target = ("sm_80", "sm_90")[case.number // 2 % 2]
        path = tmp_path / f"{case.number}.ks"
        text = ks_merged.permit(mlir(case))
        try:
            emulate_cases.compile_text(text, path, target, BUILD / "bin" / "ks-run")
        except RuntimeError as error:
            if "libdevice" in str(error):  # no CUDA toolkit on this machine
                continue
            raise
        wrong = emulator.check(case, path, reference=reference)
        if wrong:
            failures.append(f"{wrong}\n  {case} for {target}")
    assert not failures, "\n".join(failures)


def test_constants_are_merged_by_the_compiler(emulator, tmp_path):
    case = next(c for c in draw(0, 100) if not c.epilogue and c.batch > 1 and c.dtype == "f16")
    weights = ks_merged.ks_cases.Maker(case).make().weights
    text = embed_weights(ks_merged.permit(mlir(case)).replace(" {ks.frozen}", ""), weights)
    path = tmp_path / "constants.ks"
    emulate_cases.compile_text(text, path, "sm_80", BUILD / "bin" / "ks-run")
    wrong = emulator.check(case, path, weights=weights, reference=reference)
    assert not wrong, f"{wrong}\n  {case}"
