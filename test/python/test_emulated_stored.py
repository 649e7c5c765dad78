# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kernels that convert their results, on the emulator: random chains, all ways in which
results go to memory, chains as one kernel. KS_STORED_CASES sets how many, KS_SEED which."""

import dataclasses
import itertools
import os
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "gpu"))
import emulate_cases
import ks_cases
import ks_stored
from device_cases import mlir
from plan_kinds import find_plans, spread
from test_emulated_chains import select_plan
from test_emulated_gpu import BUILD, pytestmark  # noqa: F401

import ks

COUNT = int(os.environ.get("KS_STORED_CASES", "32"))
GROUP = 8
SEED = int(os.environ.get("KS_SEED", "6"))
KS_RUN = BUILD / "bin" / "ks-run"
MOST_ENTRIES = 64


def draw(first: int, count: int, fits=lambda case: True):
    """Small ones: emulated threads are slow."""
    cases = (ks_stored.draw(SEED, number) for number in itertools.count())
    small = (
        case
        for case in cases
        if emulate_cases.is_emulated(case)
        and fits(case)
        and max(max(p.in_features, p.out_features) for p in case.chain) <= 512
    )
    for case in itertools.islice(small, first, first + count):
        if case.is_dynamic:
            case = dataclasses.replace(case, batch=min(case.batch, MOST_ENTRIES))
        yield case


def check(emulator, path: Path, text: str, case, target: str) -> str | None:
    try:
        emulate_cases.compile_text(text, path, target, KS_RUN)
    except RuntimeError as error:
        # No CUDA toolkit on this machine?
        return None if "libdevice" in str(error) else f"{error}\n{text}"
    return emulator.check(case, path)


@pytest.mark.parametrize("first", range(0, COUNT, GROUP))
def test_random_cases(emulator, tmp_path, first):
    target = ("sm_80", "sm_90")[first // GROUP % 2]
    failures = []
    for case in draw(first, GROUP):
        wrong = check(emulator, tmp_path / f"{case.number}.ks", mlir(case), case, target)
        if wrong:
            failures.append(f"{wrong}\n  {case} for {target}")
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize("first", range(0, COUNT, GROUP))
def test_fused_chains(emulator, tmp_path, first):
    """As `outs` of the chain, whose plan is chosen before; of some, results are staged."""
    target = ("sm_80", "sm_90")[first // GROUP % 2]
    failures, checked = [], 0
    for case in draw(first, GROUP, lambda case: not case.is_cast and len(case.chain) > 1):
        source, path = tmp_path / f"{case.number}.mlir", tmp_path / f"{case.number}.ks"
        source.write_text(mlir(case))
        planned = select_plan(source, target, case.number)
        if planned is None:
            continue
        checked += 1
        wrong = check(emulator, path, planned, case, target)
        if wrong:
            failures.append(f"{wrong}\n  {case} for {target}")
    assert not failures, "\n".join(failures)
    assert checked


def make_case(
    chain, dtype, stored, layout, epilogue, is_pitched, number=3, batch=72, is_dynamic=True
):
    """Odd numbers of f32 are ieee."""
    case = dataclasses.replace(
        ks_cases.draw(1, number),
        number=number,
        chain=ks.Chain([chain]),
        dtype=dtype,
        layout=layout,
        batch=batch,
        is_dynamic=is_dynamic,
        epilogue=epilogue,
        is_pitched=is_pitched,
        is_small=False,
    )
    return ks_stored.convert(case, stored, is_cast=False)


#: Instruction, pattern, types of product and result, layout, and what the plan must have.
PLANS = [
    # Lanes hold pairs of entries, which they exchange for pieces of 16 bits only.
    ("wgmma16", (2, 24, 40, 3), "f16", "f32", "batch_last", ""),
    ("wgmma16", (1, 100, 50, 2), "bf16", "f16", "batch_last", ""),
    ("wgmma16", (1, 70, 40, 2), "f16", "f64", "batch_last", ""),
    ("wgmma16", (2, 72, 136, 1), "f16", "f32", "batch_first", ""),
    ("wgmma16", (2, 24, 40, 2), "bf16", "f32", "batch_first", "folded"),
    # In whole lines.
    ("wgmma16_rs", (2, 40, 32, 2), "f16", "f32", "batch_first", ""),
    ("wgmma16_rs", (1, 24, 72, 32), "f16", "bf16", "batch_first", ""),
    ("wgmma16_rs", (2, 20, 28, 8), "bf16", "f64", "batch_first", ""),
    ("wgmma16_rs", (1, 60, 24, 3), "bf16", "f32", "batch_first", "cluster"),
    ("wgmma8_rs", (2, 24, 40, 2), "f32", "f16", "batch_first", ""),
    ("wgmma8_rs", (2, 24, 40, 3), "f32", "bf16", "batch_last", ""),
    # Row by row.
    ("mma16", (2, 10, 11, 67), "f16", "f32", "batch_first", "cp_async"),
    ("mma16", (2, 33, 18, 31), "f16", "bf16", "batch_first", "cp_async"),
    ("mma8", (2, 10, 35, 19), "f32", "f16", "batch_first", "cp_async"),
    ("mma16_split", (2, 11, 35, 19), "f32", "bf16", "batch_first", "cp_async"),
    ("fma", (1, 9, 10, 21), "f64", "f16", "batch_first", "cp_async"),
    ("fma", (3, 7, 5, 11), "f32", "f64", "batch_first", "cp_async"),
    # Lanes with vectors of entries as wide as an access.
    ("mma16", (2, 24, 40, 3), "f16", "f32", "batch_last", "vector = 8"),
    ("mma16", (2, 24, 40, 3), "bf16", "f64", "batch_last", "vector = 8"),
    ("mma8", (2, 24, 40, 3), "f32", "f16", "batch_last", "vector = 4"),
    ("mma16_split", (2, 24, 40, 3), "f32", "f64", "batch_last", "vector = 4"),
    # Sums of several blocks.
    ("wgmma16_rs", (1, 64, 96, 16), "f16", "f32", "batch_first", "splits"),
    ("mma16", (1, 40, 128, 8), "bf16", "f32", "batch_last", "splits"),
    ("mma16_split", (1, 64, 128, 2), "f32", "f16", "batch_first", "splits"),
    # The copy engine.
    ("mma16", (2, 24, 40, 8), "bf16", "f32", "batch_first", "bulk"),
]


@pytest.mark.parametrize(
    "plan_of", PLANS, ids=lambda p: f"{p[0]}-{p[1]}-{p[3]}-{p[4]}".replace(" ", "")
)
@pytest.mark.parametrize("is_aligned", [True, False], ids=["aligned", "unaligned"])
def test_plans(emulator, tmp_path, plan_of, is_aligned):
    instruction, chain, dtype, stored, layout, wanted = plan_of
    is_tf32 = instruction in ("mma8", "wgmma8_rs")
    has_epilogue = "f64" not in (dtype, stored) and not is_aligned
    epilogue = "bias" if has_epilogue else None
    number = 2 if is_tf32 else 3
    # Blocks share k where there are few of them.
    is_dynamic = wanted != "splits"
    case = make_case(
        chain, dtype, stored, layout, epilogue, not is_aligned, number, is_dynamic=is_dynamic
    )
    source, path = tmp_path / "layer.mlir", tmp_path / "layer.ks"
    source.write_text(mlir(case))

    def get_kind(plan: str, fields: dict[str, str]):
        if f"<{instruction}," not in plan or wanted not in plan:
            return None
        return fields["vector"], fields["n"], fields["weights"], fields["warps"]

    plans = find_plans(KS_RUN, [source, "--target", "sm_90"], get_kind)
    assert plans
    for plan in spread(plans, 2 if is_aligned else 1):
        emulate_cases.compile_text(mlir(case), path, "sm_90", KS_RUN, plan)
        assert emulator.check(case, path) is None, plan


@pytest.mark.parametrize(("dtype", "stored"), list(itertools.permutations(ks_stored.WIDTHS, 2)))
@pytest.mark.parametrize("layout", ks.LAYOUTS)
def test_rounds_as_written(emulator, tmp_path, dtype, stored, layout):
    """To the bit: through the identity, the program rounds to the type of the product,
    which x has already, and then to that of the result."""
    size, batch = 24, 21
    case = make_case((2, 12, 12, 1), dtype, stored, layout, None, False, batch=batch)
    case = dataclasses.replace(case, is_cast=True)
    path = tmp_path / "layer.ks"
    emulate_cases.compile_text(mlir(case), path, "sm_80", KS_RUN)
    device = emulator.device
    device.reset()
    data = ks_cases.Maker(case).make()
    identity = np.broadcast_to(np.eye(12)[None, :, :, None], (2, 12, 12, 1))
    x, weight = data.x.copy(), ks_cases.narrow(identity, dtype)
    placed = [device.put(np.ascontiguousarray(array)) for array in (x, weight, data.out)]
    emulator.run(path, list(zip(placed, (dtype, dtype, stored))), batch)
    expected = ks_cases.narrow(ks_cases.widen(x, dtype), stored)
    assert placed[-1].shape == ((batch, size) if layout == "batch_first" else (size, batch))
    np.testing.assert_array_equal(placed[-1], expected)


TWO_PRODUCTS = """
func.func @layer(%x: tensor<?x24xf32>, %k: tensor<2x12x12x1xf16>, %l: tensor<1x24x24x1xf16>)
    -> (tensor<?x24xf16>, tensor<?x24xf32>) {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?x24xf32>
  %h = tensor.empty(%n) : tensor<?x24xf16>
  %c = linalg.map { arith.truncf } ins(%x : tensor<?x24xf32>) outs(%h : tensor<?x24xf16>)
  %y = ks.matmul <2, 12, 12, 1> ins(%c, %k : tensor<?x24xf16>, tensor<2x12x12x1xf16>)
    outs(%h : tensor<?x24xf16>) -> tensor<?x24xf16>
  %z = ks.matmul <1, 24, 24, 1> ins(%c, %l : tensor<?x24xf16>, tensor<1x24x24x1xf16>)
    outs(%h : tensor<?x24xf16>) -> tensor<?x24xf16>
  %w = tensor.empty(%n) : tensor<?x24xf32>
  %r = linalg.map { arith.extf } ins(%z : tensor<?x24xf16>) outs(%w : tensor<?x24xf32>)
  return %y, %r : tensor<?x24xf16>, tensor<?x24xf32>
}
"""


@pytest.mark.parametrize("target", ["sm_80", "sm_90"])
def test_one_cast_for_two_products(emulator, tmp_path, target):
    """Both load x as it is, and round it: through identities both give it back."""
    path = tmp_path / "layer.ks"
    emulate_cases.compile_text(TWO_PRODUCTS, path, target, KS_RUN)
    emulator.device.reset()
    x = np.random.default_rng(1).standard_normal((37, 24)).astype(np.float32)
    k = np.broadcast_to(np.eye(12)[None, :, :, None], (2, 12, 12, 1)).astype(np.float16)
    weight = np.eye(24, dtype=np.float16)[None, :, :, None]
    y, z = np.full(x.shape, np.nan, np.float16), np.full(x.shape, np.nan, np.float32)
    placed = [emulator.device.put(np.ascontiguousarray(array)) for array in (x, k, weight, y, z)]
    emulator.run(path, list(zip(placed, ("f32", "f16", "f16", "f16", "f32"))), len(x))
    np.testing.assert_array_equal(placed[3], x.astype(np.float16))
    np.testing.assert_array_equal(placed[4], x.astype(np.float16).astype(np.float32))
