# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Orders of the features between two kernels, on the emulator: random chains, in pairs with
an order wherever there can be one. KS_ORDERED_CASES sets how many, KS_SEED which."""

import dataclasses
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "gpu"))
import emulate_cases
from device_cases import ask_for_kernels, embed_weights, mlir
from test_emulated_gpu import BUILD, pytestmark  # noqa: F401

import ks

COUNT = int(os.environ.get("KS_ORDERED_CASES", "24"))
GROUP = 6
SEED = int(os.environ.get("KS_SEED", "7"))
KS_RUN = BUILD / "bin" / "ks-run"
PLANES = r"#ks\.gpu_plan<.*planes = "


def check(emulator, path: Path, case, weights: list | None = None) -> tuple[str | None, int]:
    """What is wrong with the case, and how many of its kernels have planes."""
    text = mlir(case) if weights is None else embed_weights(mlir(case), weights)
    emulate_cases.compile_text(ask_for_kernels(text, "ordered"), path, "sm_90", KS_RUN)
    command = [KS_RUN, path.with_suffix(".mlir"), "--target", "sm_90", "--emit", "plans"]
    plans = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return emulator.check(case, path, weights), len(re.findall(PLANES, plans))


def draw(number: int, **fixed):
    return dataclasses.replace(emulate_cases.ks_cases.draw_ordered(SEED, number), **fixed)


@pytest.mark.parametrize("first", range(0, COUNT, GROUP))
def test_random_chains(emulator, tmp_path, first):
    failures, run, ordered = [], 0, 0
    for number in range(first, first + GROUP):
        case = draw(number)
        if not emulate_cases.is_emulated(case):
            continue
        try:
            wrong, planes = check(emulator, tmp_path / f"{number}.ks", case)
        except RuntimeError as error:
            if "libdevice" in str(error):  # no CUDA toolkit on this machine
                continue
            raise
        run += 1
        ordered += planes == 2
        if wrong:
            failures.append(f"{wrong}\n  {case}")
    assert not failures, "\n".join(failures)
    assert ordered >= run - 1


# With another redundancy of the order each: r = 1, 2, 3.
CHAINS = [
    ks.Chain([(16, 12, 24, 1), (1, 20, 16, 12)]),
    ks.Chain([(24, 14, 16, 1), (2, 40, 24, 7)]),
    ks.Chain([(16, 15, 40, 1), (1, 24, 48, 5)]),
]
IDS = ["r1", "r2", "r3"]


def make_case(chain: ks.Chain, dtype: str = "f16", **fixed):
    common = dict(batch=100, epilogue=None, is_dynamic=True, is_pitched=False, is_small=False)
    return draw(0, chain=chain, dtype=dtype, **{**common, **fixed})


@pytest.mark.parametrize("chain", CHAINS, ids=IDS)
@pytest.mark.parametrize("tied", ["", "a", "d"])
def test_constant_weights(emulator, tmp_path, chain, tied):
    """Packed at compile time, in the same order as on a device."""
    # Of d = 1 the writer has no columns that could share a weight.
    chain = ks.Chain(chain.patterns, [tied.replace("d", ""), tied])
    case = make_case(chain, "bf16")
    weights = emulate_cases.ks_cases.Maker(case).make().weights
    wrong, planes = check(emulator, tmp_path / "layer.ks", case, weights)
    assert planes == 2
    assert wrong is None


@pytest.mark.parametrize("chain", CHAINS, ids=IDS)
@pytest.mark.parametrize("dtype", ["f16", "bf16"])
def test_unaligned_input(emulator, tmp_path, chain, dtype):
    """Rows that the copy engine cannot read are copied to planes element by element."""
    case = make_case(chain, dtype, is_pitched=True)
    x = emulate_cases.ks_cases.Maker(case).make().x
    assert x.strides[0] % 16 != 0
    wrong, planes = check(emulator, tmp_path / "layer.ks", case)
    assert planes == 2
    assert wrong is None


def test_known_batch(emulator, tmp_path):
    case = make_case(CHAINS[2], batch=1030, is_dynamic=False)
    wrong, planes = check(emulator, tmp_path / "layer.ks", case)
    assert planes == 2
    assert wrong is None


def test_epilogue_of_the_reader(emulator, tmp_path):
    case = make_case(CHAINS[1], epilogue="bias, residual, relu")
    wrong, planes = check(emulator, tmp_path / "layer.ks", case)
    assert planes == 2
    assert wrong is None


@pytest.mark.parametrize(
    ("chain", "dtype", "layout", "target", "is_dynamic"),
    [
        (CHAINS[0], "f32", "batch_first", "sm_90", True),
        (CHAINS[0], "f16", "batch_last", "sm_90", True),
        (CHAINS[0], "f16", "batch_first", "sm_80", True),
        (CHAINS[0], "f16", "batch_first", "sm_90", False),
        (ks.Chain([(1, 24, 32, 1), (1, 20, 24, 1)]), "f16", "batch_first", "sm_90", True),
    ],
    ids=["f32", "batch_last", "sm_80", "small_batch", "d1"],
)
def test_there_is_none(emulator, tmp_path, chain, dtype, layout, target, is_dynamic):
    """The way that is asked for is not there; the fastest one is."""
    case = make_case(chain, dtype, layout=layout, is_dynamic=is_dynamic)
    source, path = tmp_path / "layer.mlir", tmp_path / "layer.ks"
    emulate_cases.compile_text(ask_for_kernels(mlir(case), "ordered"), path, target, KS_RUN)
    command = [KS_RUN, source, "--target", target, "--emit", "plans"]
    plans = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "planes" not in plans
    assert emulator.check(case, path) is None
