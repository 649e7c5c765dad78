# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Elementwise linalg ops around products: fused on CPUs, and not (loops), against NumPy.
KS_ELEMENTWISE_CASES (default 40) and KS_CONVERSION_CASES (default 34) set how many,
KS_SEED which."""

import os

import ks_cases
import ks_conversions
import ks_differential
import ks_elementwise
import numpy as np
import pytest

import ks

CASES = int(os.environ.get("KS_ELEMENTWISE_CASES", "40"))
CONVERSIONS = int(os.environ.get("KS_CONVERSION_CASES", "34"))
GROUP = 20
SEED = int(os.environ.get("KS_SEED", "4"))


@pytest.mark.parametrize("first", range(0, CASES, GROUP))
def test_random_cases(first):
    failures = []
    cases = [ks_elementwise.draw(SEED, number) for number in range(first, first + GROUP)]
    functions = {
        path: ks_differential.compile_cases(cases, path, options)
        for path, options in ks_differential.OPTIONS.items()
    }
    for number, case in enumerate(cases):
        data = ks_cases.Maker(case).make()
        with np.errstate(all="ignore"):
            expected = ks_differential.reference(case, data)
        for path in functions:
            function = functions[path][number]
            if isinstance(function, ks.CompileError):
                failures.append(f"path {path}, {case}: {function}\n{case.mlir()}")
                continue
            wrong = ks_differential.run(case, function, data)
            wrong = wrong or ks_differential.compare(case, data.out, expected)
            if wrong:
                failures.append(f"path {path}, {case}: {wrong}\n{case.mlir()}")
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize("first", range(0, CONVERSIONS, len(ks_conversions.TYPES)))
def test_conversions(first):
    failures = []
    cases = [ks_conversions.draw(SEED, first + at) for at in range(len(ks_conversions.TYPES))]
    text = "\n".join(case.mlir() for case in cases)
    # All of them are one kernel: nothing is left of linalg, and the input is converted.
    kernels = ks.emit(text, "kernels")
    assert "linalg" not in kernels
    assert kernels.count("load_as") == sum(case.types[0] != case.types[1] for case in cases)
    names = [case.name for case in cases]
    # Few entries of a batch and many threads: these share panels of weights.
    options = {"cpu": {"threads": 1 + 3 * (first % 2)}, "loops": {"opt_level": 1}}
    functions = {path: ks.compile_all(text, names, path=path, **options[path]) for path in options}
    for number, case in enumerate(cases):
        arguments, poison = case.make()
        with np.errstate(all="ignore"):
            expected = case.reference(arguments)
        for path in functions:
            out = poison.copy()
            functions[path][number](*arguments, out=out)
            wrong = case.compare(out, expected)
            if wrong:
                failures.append(f"path {path}, {case}: {wrong}\n{case.mlir()}")
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize("layout", ["batch_first", "batch_last"])
@pytest.mark.parametrize(("source", "dtype"), [("f32", "f16"), ("f32", "bf16"), ("f64", "f32")])
def test_input_is_rounded(layout, source, dtype):
    """To the bit: through the identity, each number comes back as it was loaded."""
    size, batch = 24, 19
    case = ks_conversions.Conversions(
        0, ks.Chain([(2, 12, 12, 1)]), (source, dtype, source, source), "relu", layout, batch, True
    )
    (x, weight, bias, residual), out = case.make()
    weight[...] = ks_cases.narrow(
        np.broadcast_to(np.eye(12)[None, :, :, None], weight.shape), dtype
    )
    bias[...] = residual[...] = 0
    ks.compile(case.mlir())(x, weight, bias, residual, out=out)
    rounded = ks_cases.widen(ks_cases.narrow(x.astype(np.float64), dtype), dtype)
    assert out.shape == case.shape(size)
    np.testing.assert_array_equal(out, np.maximum(rounded, 0))
