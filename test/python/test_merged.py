# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Weights that are multiplied with each other: ks.merge_weights against NumPy, and random
chains that may be merged, on the CPU. KS_MERGED_CASES (default 200) sets how many."""

import itertools
import math
import os

import ks_cases
import ks_differential
import ks_merged
import ks_reference
import numpy as np
import pytest

import ks

SEED = int(os.environ.get("KS_SEED", "2026"))
CASES = int(os.environ.get("KS_MERGED_CASES", "200"))
GROUP = 20
MLIR_TYPES = {"complex64": "complex<f32>", "complex128": "complex<f64>"}


# --- ks.merge_weights -----------------------------------------------------------


def dense(pattern, weight):
    """The matrix, in f64."""
    pattern = ks.Pattern(*pattern)
    return ks_reference.multiply(tuple(pattern), weight, np.eye(pattern.in_features))


def draw_pair(rng):
    """(right, left, into), and which axes of the two are tied."""
    while True:
        chainable = rng.random() < 0.7
        right, left = (ks.Pattern(*p) for p in ks_cases.draw_patterns(rng, 2, chainable))
        n, m = left.out_features, right.in_features
        if max(n, m, right.out_features) > 200:
            continue
        into = ks.Pattern(1, n, m, 1)
        if chainable and rng.random() < 0.8:
            into = ks.Chain([right, left]).product()
        tied = ["".join(axis for axis in "ad" if rng.random() < 0.4) for _ in range(2)]
        return right, left, into, tied


def shape_of(pattern, tied):
    a, b, c, d = tuple(pattern)
    return (1 if "a" in tied else a, b, c, 1 if "d" in tied else d)


def merge_text(name, right, left, into, shapes, dtype, out_dtype):
    def tensor(shape, kind):
        return f"tensor<{'x'.join(map(str, shape))}x{MLIR_TYPES.get(kind, kind)}>"

    k0, k1 = tensor(shapes[0], dtype), tensor(shapes[1], dtype)
    k = tensor(shapes[2], out_dtype)
    return f"""func.func @{name}(%k0: {k0}, %k1: {k1}) -> {k} {{
  %init = tensor.empty() : {k}
  %k = ks.merge_weights {right}, {left} into {into} ins(%k0, %k1 : {k0}, {k1})
    outs(%init : {k}) -> {k}
  return %k : {k}
}}
"""


@pytest.mark.parametrize("path", ["loops", "cpu"])
@pytest.mark.parametrize("dtype", ks_cases.DTYPES)
def test_merged_weights_are_those_of_the_product(dtype, path):
    rng = np.random.default_rng([SEED, ks_cases.DTYPES.index(dtype)])
    drawn, text = [], ""
    for number in range(15):
        right, left, into, tied = draw_pair(rng)
        shapes = [shape_of(right, tied[0]), shape_of(left, tied[1]), list(tuple(into))]
        for axis in (0, 3):  # tied, where both are, or written out
            if shapes[0][axis] == shapes[1][axis] == 1 and rng.random() < 0.8:
                shapes[2][axis] = 1
        out_dtype = "f32" if dtype in ("f16", "bf16") and rng.random() < 0.3 else dtype
        drawn.append((right, left, into, shapes, out_dtype))
        text += merge_text(f"merge{number}", right, left, into, shapes, dtype, out_dtype)
    names = [f"merge{number}" for number in range(len(drawn))]
    functions = ks.compile_all(text, names, path=path, opt_level=1)
    for function, (right, left, into, shapes, out_dtype) in zip(functions, drawn):
        weights = []
        for shape in shapes[:2]:
            values = rng.standard_normal(shape)
            if dtype.startswith("complex"):
                values = values + 1j * rng.standard_normal(shape)
            weights.append(ks_cases.narrow(values / math.sqrt(shape[2]), dtype))
        out = ks_cases.narrow(np.full(shapes[2], np.nan), out_dtype)
        function(*weights, out=out)
        k0, k1 = (ks_cases.widen(weight, dtype) for weight in weights)
        expected = dense(left, k1) @ dense(right, k0)
        most = np.abs(dense(left, k1)) @ np.abs(dense(right, k0))
        storage, accumulator = ks_reference.PRECISIONS[out_dtype]
        times = 4 if dtype.startswith("complex") else 1
        bound = (left.c + 2) * accumulator.unit * times * most
        bound += 1.01 * storage.unit * most + storage.tiny
        error = np.abs(dense(into, ks_cases.widen(out, out_dtype)) - expected)
        assert (error <= bound).all(), (right, left, into, shapes, dtype, out_dtype)


# --- Chains -----------------------------------------------------------------------


@pytest.mark.parametrize("first", range(0, CASES, GROUP))
def test_random_chains_that_may_be_merged(first):
    cases = list(itertools.islice(ks_merged.draw(SEED), first, first + GROUP))
    text = "\n".join(ks_merged.permit(case.mlir()) for case in cases)
    names = [case.name for case in cases]
    threads = (1, 2, 4)[first // GROUP % 3]
    functions = ks.compile_all(text, names, path="cpu", opt_level=1, threads=threads)
    failures = []
    for case, function in zip(cases, functions):
        data = ks_cases.Maker(case).make()
        with np.errstate(all="ignore"):
            expected = ks_merged.reference(case, data)
        wrong = ks_differential.run(case, function, data)
        wrong = wrong or ks_differential.compare(case, data.out, expected)
        if wrong:
            failures.append(f"{wrong}\n  {case}")
    assert not failures, "\n".join(failures)


def test_many_of_them_are_merged():
    cases = itertools.islice(ks_merged.draw(SEED), 40)
    texts = [ks.emit(ks_merged.permit(case.mlir()), "kernels") for case in cases]
    assert sum("ks.merge_weights" in text for text in texts) >= 10
    assert any("into <1, " in text for text in texts)


def test_the_bound_refuses_a_wrong_weight():
    """One weight too few is seen in most chains."""
    seen = total = 0
    for case in itertools.islice(ks_merged.draw(SEED), 60):
        if case.batch < 3 or case.epilogue or case.is_small or case.dtype in ("f16", "bf16"):
            continue
        data = ks_cases.Maker(case).make()
        expected = ks_merged.reference(case, data)
        data.weights[-1] = data.weights[-1].copy()
        data.weights[-1][0, 0, 0, 0] += 1
        error = np.abs(ks_merged.reference(case, data).value - expected.value)
        seen += bool((error > expected.error).any())
        total += 1
    assert total > 5
    assert seen >= 0.8 * total


def test_without_permission_nothing_is_merged():
    for case in itertools.islice(ks_merged.draw(SEED), 10):
        assert "ks.merge_weights" not in ks.emit(case.mlir(), "kernels")
