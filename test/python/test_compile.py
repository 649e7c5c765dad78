# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""ks.compile and ks.emit: modules, entries, options, rungs."""

import gc
import re

import numpy as np
import pytest
from ks_arrays import CHAIN

import ks

# --- Modules -----------------------------------------------------------------

TWO = """
func.func @first(%x: tensor<?x4xf32>, %w: tensor<2x3x2x1xf32>) -> tensor<?x6xf32> {
  %axis = arith.constant 0 : index
  %batch = tensor.dim %x, %axis : tensor<?x4xf32>
  %init = tensor.empty(%batch) : tensor<?x6xf32>
  %y = ks.matmul <2, 3, 2, 1> ins(%x, %w : tensor<?x4xf32>, tensor<2x3x2x1xf32>)
         outs(%init : tensor<?x6xf32>) -> tensor<?x6xf32>
  return %y : tensor<?x6xf32>
}
func.func @second(%x: tensor<2x4xf32>, %w: tensor<1x3x4x1xf32>, %v: tensor<1x2x4x1xf32>)
    -> (tensor<2x3xf32>, tensor<2x2xf32>) {
  %i = tensor.empty() : tensor<2x3xf32>
  %j = tensor.empty() : tensor<2x2xf32>
  %y = ks.matmul <1, 3, 4, 1> ins(%x, %w : tensor<2x4xf32>, tensor<1x3x4x1xf32>)
         outs(%i : tensor<2x3xf32>) -> tensor<2x3xf32>
  %z = ks.matmul <1, 2, 4, 1> ins(%x, %v : tensor<2x4xf32>, tensor<1x2x4x1xf32>)
         outs(%j : tensor<2x2xf32>) -> tensor<2x2xf32>
  return %y, %z : tensor<2x3xf32>, tensor<2x2xf32>
}
"""


def test_entries_of_a_module():
    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    w = np.ones((1, 3, 4, 1), np.float32)
    v = np.ones((1, 2, 4, 1), np.float32)
    first, second = ks.compile_all(TWO, ["first", "second"])
    assert (first.name, second.name) == ("first", "second")
    alone = ks.compile(TWO, entry="second")
    for function in (second, alone):
        y, z = function(x, w, v)
        np.testing.assert_array_equal(y, x @ np.ones((4, 3), np.float32))
        np.testing.assert_array_equal(z, x @ np.ones((4, 2), np.float32))
    out = (np.empty((2, 3), np.float32), np.empty((2, 2), np.float32))
    assert second(x, w, v, out=out) == out
    memory = np.empty(10, np.float32)
    with pytest.raises(ValueError, match="result 1 overlaps result 0 in memory"):
        second(x, w, v, out=(memory[:6].reshape(2, 3), memory[5:9].reshape(2, 2)))
    del second, alone
    gc.collect()
    assert first(x, np.ones((2, 3, 2, 1), np.float32)).shape == (2, 6)
    assert ks.compile_all(TWO, []) == []


def test_entries_that_do_not_exist():
    with pytest.raises(ks.CompileError, match=r"several public functions \(@first, @second\)"):
        ks.compile(TWO)
    with pytest.raises(ks.CompileError, match="no public function @third; expected one of @first"):
        ks.compile(TWO, entry="third")
    with pytest.raises(TypeError, match="entries is the string 'first'"):
        ks.compile_all(TWO, "first")
    with pytest.raises(ks.CompileError, match="no public function"):
        ks.compile("")


def test_diagnostics_have_line_numbers():
    with pytest.raises(ks.CompileError, match=r"<mlir>:2:3: error: .*foo"):
        ks.compile("func.func @f() {\n  foo.bar\n  return\n}")
    wrong = TWO.replace("<2, 3, 2, 1>", "<2, 3, 2, 7>")
    with pytest.raises(ks.CompileError, match=r"<mlir>:6:8: error: .*expected") as error:
        ks.compile(wrong, entry="first")
    assert isinstance(error.value, RuntimeError)
    assert "%y = ks.matmul <2, 3, 2, 7>" in str(error.value)  # quotes the source


def test_diagnostics_of_passes_have_line_numbers():
    text = """func.func @f(%n: index) -> tensor<?x4xf32> {
  %y = tensor.empty(%n) : tensor<?x4xf32>
  return %y : tensor<?x4xf32>
}"""
    with pytest.raises(ks.CompileError, match=r"<mlir>:3:3: error: dimension 0 of result 0 of @f"):
        ks.compile(text)


def test_entries_that_cannot_be_called():
    with pytest.raises(ks.CompileError, match="argument of type f32; expected tensors or memrefs"):
        ks.compile("func.func @f(%x: f32) {\n return\n}")
    with pytest.raises(ks.CompileError, match="elements of type i32; expected f16"):
        ks.compile("func.func @f(%x: memref<4xi32>) {\n return\n}")


def test_functions_on_memrefs_write_their_arguments():
    text = """func.func @f(%x: memref<3xf32>, %y: memref<3xf32>) {
  memref.copy %x, %y : memref<3xf32> to memref<3xf32>
  return
}"""
    function = ks.compile(text)
    x, y = np.arange(3, dtype=np.float32), np.zeros(3, np.float32)
    assert function(x, y) is None
    np.testing.assert_array_equal(x, y)
    y.flags.writeable = False
    with pytest.raises(ValueError, match="argument 1 is read-only"):
        function(x, y)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"path": "gpu"}, ValueError, "path is 'gpu'; expected one of cpu, loops, reference"),
        ({"threads": -1}, ValueError, "threads is -1; expected 0 (all) or more"),
        ({"opt_level": 4}, ValueError, "opt_level is 4; expected 0, 1, 2 or 3"),
        ({"target": None}, TypeError, "target is None; expected a string"),
        ({"target": "pdp11"}, ks.CompileError, "pdp11"),
    ],
)
def test_bad_options(options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        ks.compile(CHAIN, **options)


def test_options_that_text_excludes():
    for options in ({"dtype": "f16"}, {"batch": 3}, {"epilogue": "bias"}):
        with pytest.raises(ValueError, match="was given with MLIR text"):
            ks.compile(TWO, entry="first", **options)
    with pytest.raises(TypeError, match=r"source is a list; expected a ks\.Chain or MLIR text"):
        ks.compile([(1, 2, 3, 4)])


# --- Rungs -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rung", "expected", "gone"),
    [
        ("math", "ks.chain", "plan #ks"),
        ("plans", "plan #ks.cpu_plan", "memref<"),
        ("buffers", "memref<", "-> tensor<"),
        ("tiles", "vector.load", "ks.chain"),
        ("machine", "llvm.func", "scf."),
    ],
)
def test_rungs(rung, expected, gone):
    text = ks.emit(CHAIN, rung)
    assert expected in text
    assert gone not in text


def test_emit_takes_text_and_paths():
    assert "linalg.generic" in ks.emit(CHAIN.mlir(), "plans", path="loops")
    assert "f64" in ks.emit(CHAIN, "buffers", path="reference")
    with pytest.raises(ValueError, match="rung is 'asm'; expected one of math, kernels, plans"):
        ks.emit(CHAIN, "asm")
    with pytest.raises(ks.CompileError, match="<mlir>:1:1: error"):
        ks.emit("nonsense")


# --- Size --------------------------------------------------------------------


def test_deep_chains_and_large_factors():
    # The Hadamard transform as a chain of ten factors.
    factors = [(2 ** (9 - t), 2, 2, 2**t) for t in range(10)]
    chain = ks.Chain(factors, tied=["ad"] * 10)
    assert chain.is_chainable
    assert chain.product() == ks.Pattern(1, 1024, 1024, 1)
    weight = np.array([[1, 1], [1, -1]], np.float32).reshape(1, 2, 2, 1)
    layer = ks.compile(chain).bind(*[weight] * 10)
    x = np.random.default_rng(0).standard_normal((3, 1024)).astype(np.float32)
    np.testing.assert_allclose(layer(layer(x)), 1024 * x, rtol=1e-4, atol=1e-2)
