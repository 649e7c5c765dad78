# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Dense products by a BLAS: the fake one of the unit tests, the machine's, if it has one, and
none. A process decides once, so each has a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import ks

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("KS_BUILD_DIR", ROOT / "build" / "release"))
FAKE = BUILD / "test/unit/libKSFakeBlas.so"

PLAN = (
    "#ks.library_plan<blas, fallback = #ks.cpu_plan<batch_block = 64, parallel = batch, tiles = "
    "[<rows = 4, vectors = 2, lanes = {lanes}, unroll = 1, stationary = weights, packing = "
    "<vectors = {pack}, lanes = {pack_lanes}, n = {n}, j = 1>>]>>"
)


def mlir(dtype: str, layout: str) -> str:
    """A dense product of 48 to 40 features, with a pinned plan."""
    is_first = layout == "batch_first"
    lanes = 8 if dtype == "f32" else 4
    plan = PLAN.format(
        lanes=lanes,
        pack=2 if is_first else 1,
        pack_lanes=lanes if is_first else 4,
        n=lanes if is_first else 4,
    )
    x = f"tensor<{'?x48' if is_first else '48x?'}x{dtype}>"
    y = f"tensor<{'?x40' if is_first else '40x?'}x{dtype}>"
    w = f"tensor<1x40x48x1x{dtype}>"
    axis = 0 if is_first else 1
    return f"""
func.func @dense(%x: {x}, %w: {w}) -> {y} {{
  %axis = arith.constant {axis} : index
  %batch = tensor.dim %x, %axis : {x}
  %init = tensor.empty(%batch) : {y}
  %y = ks.matmul <1, 40, 48, 1> layout({layout}) ins(%x, %w : {x}, {w}) outs(%init : {y})
    plan {plan} -> {y}
  return %y : {y}
}}"""


def check(expected: str) -> None:
    """Runs in a process of its own. `expected` is of the library's name; "" for none."""
    rng = np.random.default_rng(3)
    for dtype, layout in [(d, y) for d in ("f32", "f64") for y in ks.LAYOUTS]:
        function = ks.compile(mlir(dtype, layout))
        assert (function.library or "").startswith(expected), function.library
        assert bool(function.library) == bool(expected)
        numpy_type = np.dtype(dtype.replace("f", "float"))
        weight = rng.standard_normal((1, 40, 48, 1)).astype(numpy_type)
        bound = function.bind(weight)
        for batch in (0, 1, 9, 130):
            shapes = [(batch, 48), (batch, 40)]
            if layout == "batch_last":
                shapes = [shape[::-1] for shape in shapes]
            # Rows that are further apart than they are long, and results full of NaN.
            x, y = (np.full((s[0], s[1] + 3), np.nan, numpy_type)[:, : s[1]] for s in shapes)
            x[...] = rng.standard_normal(x.shape)
            bound(x, out=y)
            wide, matrix = x.astype(np.float64), weight[0, :, :, 0].astype(np.float64)
            reference = wide @ matrix.T if layout == "batch_first" else matrix @ wide
            tolerance = 1e-4 if dtype == "f32" else 1e-12
            np.testing.assert_allclose(y, reference, rtol=tolerance, atol=tolerance)
            np.testing.assert_array_equal(function(x, weight), y)
            assert np.isnan(y.base[:, y.shape[1] :]).all()


def run(code: str, **environment: str) -> subprocess.CompletedProcess:
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
    )


@pytest.mark.skipif(not FAKE.exists(), reason="needs the library KSFakeBlas")
def test_a_blas_multiplies():
    code = "import test_blas; test_blas.check('OpenBLAS 9.8.7')"
    result = run(code, KS_BLAS=str(FAKE), KS_FAKE_BLAS_TRACE="1")
    assert result.returncode == 0, result.stderr
    assert "fake gemm: 40 x 9 x 48 of 4 bytes" in result.stderr
    assert "fake gemm: 130 x 40 x 48 of 8 bytes" in result.stderr


def test_kernels_multiply_without_one():
    result = run("import test_blas; test_blas.check('')", KS_BLAS="none")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("name", ["libopenblas.so.0", "libblis.so.4", "libmkl_rt.so.2"])
def test_a_real_blas_multiplies(name):
    if run(f"import ctypes; ctypes.CDLL({name!r})").returncode != 0:
        pytest.skip(f"{name} is not installed")
    code = "import test_blas; test_blas.check('BLAS' if {} else 'OpenBLAS')"
    result = run(code.format(name != "libopenblas.so.0"), KS_BLAS=name)
    assert result.returncode == 0, result.stderr


def test_a_blas_that_was_asked_for_must_be_there():
    result = run("import test_blas; test_blas.check('')", KS_BLAS="/nowhere/libblas.so")
    assert result.returncode != 0
    assert "CompileError: @dense may use a BLAS: no BLAS could be opened" in result.stderr
