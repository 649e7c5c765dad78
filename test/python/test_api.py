# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The Python package: what it computes, and what it says about bad arguments."""

import gc
import math
import re
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import ks

CHAIN = ks.Chain([(6, 8, 4, 1), (1, 12, 16, 3)])  # 24 -> 48 -> 36 features


def random_arrays(chain=CHAIN, batch=5, dtype=np.float32, seed=0):
    rng = np.random.default_rng(seed)

    def normal(shape):
        values = rng.standard_normal(shape)
        if np.issubdtype(dtype, np.complexfloating):
            values = values + 1j * rng.standard_normal(shape)
        return values.astype(dtype)

    return normal((batch, chain.in_features)), [normal(shape) for shape in chain.weight_shapes]


def dense(x, weights, chain=CHAIN):
    return x @ chain.to_dense(weights).T


@pytest.fixture(scope="module")
def function():
    return ks.compile(CHAIN)


# --- Patterns ----------------------------------------------------------------


def test_sizes_of_a_pattern():
    pattern = ks.Pattern(2, 3, 4, 5)
    assert (pattern.in_features, pattern.out_features, pattern.num_weights) == (40, 30, 120)
    assert pattern.transposed() == ks.Pattern(2, 4, 3, 5)
    assert pattern.weight_shape == (2, 3, 4, 5) == tuple(pattern)
    assert str(pattern) == "<2, 3, 4, 5>"


@pytest.mark.parametrize(
    ("sizes", "error", "message"),
    [
        ((1, 2, 0, 4), ValueError, "pattern has c = 0; expected at least 1"),
        ((1, 2, 3, -4), ValueError, "pattern has d = -4; expected at least 1"),
        ((1, 2.5, 3, 4), TypeError, "pattern has b = 2.5; expected an integer"),
        ((2**30, 2**30, 1, 1), ValueError, "expected fewer than 2^59"),
    ],
)
def test_bad_patterns(sizes, error, message):
    with pytest.raises(error, match=re.escape(message)):
        ks.Pattern(*sizes)


CHAINABLE = [
    ((6, 64, 64, 1), (1, 768, 192, 2), 32),
    ((4, 5, 6, 1), (1, 7, 4, 5), 1),
    ((4, 6, 5, 2), (2, 5, 4, 6), 2),
    ((2, 2, 2, 4), (1, 2, 2, 8), 1),
]


@pytest.mark.parametrize(("first", "second", "rank"), CHAINABLE)
def test_product_of_chainable_patterns(first, second, rank):
    p, q = ks.Pattern(*first), ks.Pattern(*second)
    assert p.rank(q) == rank

    def support(a, b, c, d):
        return np.kron(np.kron(np.eye(a), np.ones((b, c))), np.eye(d))

    assert np.array_equal(support(*q) @ support(*p), rank * support(*p.product(q)))
    assert ks.Chain([p, q]).product() == p.product(q)


def test_a_chain_that_is_not_chainable():
    p, q = ks.Pattern(6, 64, 256, 1), ks.Pattern(1, 128, 128, 3)
    assert p.fits(q)
    assert not p.is_chainable(q)
    assert p.rank(q) is None
    with pytest.raises(ValueError, match="are not chainable; expected"):
        p.product(q)
    assert not ks.Chain([p, q]).is_chainable


# --- Chains ------------------------------------------------------------------


def test_sizes_of_a_chain():
    chain = ks.Chain([(6, 8, 4, 1), ks.Pattern(1, 12, 16, 3)], tied=["a", "ad"])
    assert (chain.in_features, chain.out_features) == (24, 36)
    assert chain.weight_shapes == ((1, 8, 4, 1), (1, 12, 16, 1))
    assert chain.num_weights == 32 + 192
    assert repr(chain) == "Chain([(6, 8, 4, 1), (1, 12, 16, 3)], tied=['a', 'ad'])"
    assert len(chain) == 2
    assert chain == ks.Chain(chain.patterns, chain.tied)
    assert chain != CHAIN
    assert len({chain, CHAIN, ks.Chain(CHAIN)}) == 2


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([],), ValueError, "chain has no factors; expected at least one pattern"),
        (([(1, 2, 3)],), TypeError, "got the factor (1, 2, 3); expected a ks.Pattern"),
        (([7],), TypeError, "got the factor 7; expected a ks.Pattern"),
        (
            ([(1, 2, 3, 1), (1, 5, 4, 1)],),
            ValueError,
            "factor 0 <1, 2, 3, 1> gives a·b·d = 2 features, but factor 1 <1, 5, 4, 1> takes "
            "a·c·d = 4",
        ),
        (([(1, 2, 3, 1)], ["a", "d"]), ValueError, "tied has 2 entries; expected 1"),
        (([(1, 2, 3, 1)], ["b"]), ValueError, "tied has an entry 'b'; expected '', 'a', 'd'"),
    ],
)
def test_bad_chains(arguments, error, message):
    with pytest.raises(error, match=re.escape(message)):
        ks.Chain(*arguments)


def test_to_dense_follows_the_definition():
    chain = ks.Chain([(2, 3, 2, 2), (3, 1, 2, 2)], tied=["a", "d"])
    weights = random_arrays(chain)[1]
    expected = np.eye(chain.in_features)
    for (a, b, c, d), tied, weight in zip(chain, chain.tied, weights):
        matrix = np.zeros((a * b * d, a * c * d))
        for i, n, k, j in np.ndindex(a, b, c, d):
            value = weight[0 if "a" in tied else i, n, k, 0 if "d" in tied else j]
            matrix[(i * b + n) * d + j, (i * c + k) * d + j] = value
        expected = matrix @ expected
    np.testing.assert_allclose(chain.to_dense(weights), expected)


def test_bad_weights_for_to_dense():
    weights = random_arrays()[1]
    with pytest.raises(ValueError, match="got 1 weights; expected 2"):
        CHAIN.to_dense(weights[:1])
    with pytest.raises(ValueError, match=r"weight 0 has shape \(1, 12, 16, 3\); expected \(6"):
        CHAIN.to_dense(weights[::-1])
    with pytest.raises(TypeError, match="weight 1 is uint16"):
        CHAIN.to_dense([weights[0], weights[1].astype(np.uint16)])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": "f8"}, "dtype is 'f8'; expected one of f16, bf16, f32"),
        ({"dtype": np.int32}, "expected one of f16, bf16, f32"),
        ({"layout": "rows"}, "layout is 'rows'; expected one of batch_first, batch_last"),
        ({"batch": -1}, "batch is -1; expected None (any) or at least 0"),
        ({"epilogue": "swish"}, "epilogue has a step 'swish'; expected steps of bias"),
        ({"epilogue": 3}, "epilogue is 3; expected None, a string or a ks.Epilogue"),
        ({"epilogue": "relu", "dtype": "complex64"}, "epilogue 'relu' is for real types"),
    ],
)
def test_bad_options_of_mlir(options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        CHAIN.mlir(**options)


def test_a_bad_epilogue():
    with pytest.raises(ValueError, match="extra argument 'row'; expected 'feature' or 'result'"):
        ks.Epilogue("ks.yield %acc : f32", ("row",))


# --- Running -----------------------------------------------------------------


@pytest.mark.parametrize("path", ["cpu", "loops"])
@pytest.mark.parametrize("layout", ks.LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex64, np.complex128])
def test_a_chain_is_its_dense_matrix(dtype, layout, path):
    function = ks.compile(CHAIN, dtype, layout, path=path)
    x, weights = random_arrays(dtype=dtype)
    y = function(np.ascontiguousarray(x.T) if layout == "batch_last" else x, *weights)
    assert y.dtype == dtype
    tolerance = 1e-4 if y.real.dtype == np.float32 else 1e-12
    expected = dense(x, weights)
    np.testing.assert_allclose(
        y.T if layout == "batch_last" else y, expected, rtol=tolerance, atol=tolerance * 10
    )


def test_the_reference_path_takes_and_gives_f64():
    function = ks.compile(CHAIN, "f16", path="reference")
    x, weights = random_arrays(dtype=np.float64)
    assert [info.dtype for info in function.inputs] == ["f64"] * 3
    assert function(x, *weights).dtype == np.float64


@pytest.mark.parametrize("batch", [0, 1, 7])
def test_any_batch(function, batch):
    x, weights = random_arrays(batch=batch)
    y = function(x, *weights)
    assert y.shape == (batch, 36)
    np.testing.assert_allclose(y, dense(x, weights), rtol=1e-4, atol=1e-4)


def test_what_a_function_says_of_itself(function):
    assert function.name == "chain"
    assert [info.shape for info in function.inputs] == [(None, 24), (6, 8, 4, 1), (1, 12, 16, 3)]
    assert [info.is_packed for info in function.inputs] == [False, True, True]
    assert function.outputs == (ks.ArgumentInfo("f32", (None, 36), False),)
    assert "f32[?, 24]" in repr(function)
    times = function.compile_times
    assert 0 < times.passes < times.total == times.passes + times.llvm < 60


@pytest.mark.parametrize(
    "name", ["bias", "bias+relu", "residual+tanh", "bias+gelu+residual", "silu"]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_named_epilogues(name, dtype):
    function = ks.compile(CHAIN, dtype, epilogue=name)
    x, weights = random_arrays(dtype=dtype)
    rng = np.random.default_rng(1)
    extras, expected = [], dense(x.astype(np.float64), weights)
    for step in name.split("+"):
        if step in ("bias", "residual"):
            extras.append(rng.standard_normal(36 if step == "bias" else (5, 36)).astype(dtype))
            expected = expected + extras[-1]
        elif step == "relu":
            expected = np.maximum(expected, 0)
        elif step == "tanh":
            expected = np.tanh(expected)
        elif step == "silu":
            expected = expected / (1 + np.exp(-expected))
        else:
            expected = expected * 0.5 * (1 + np.vectorize(math.erf)(expected / math.sqrt(2)))
    tolerance = 1e-4 if dtype == np.float32 else 3e-2
    np.testing.assert_allclose(
        function(x, *weights, *extras), expected, rtol=tolerance, atol=tolerance
    )


def test_bf16_as_bits():
    function = ks.compile(ks.Chain([(1, 1, 2, 1)]), "bf16")
    x = np.array([[1.5, -2.0]], np.float32).view(np.uint32) >> 16
    weight = np.array([2.0, 0.5], np.float32).view(np.uint32).reshape(1, 1, 2, 1) >> 16
    y = function(x.astype(np.uint16), weight.astype(np.uint16))
    assert y.dtype == np.uint16
    assert (y.astype(np.uint32) << 16).view(np.float32) == 2.0


def test_bf16_of_ml_dtypes():
    ml_dtypes = pytest.importorskip("ml_dtypes")
    function = ks.compile(ks.Chain([(1, 1, 2, 1)]), ml_dtypes.bfloat16)
    x = np.array([[1.5, -2.0]], ml_dtypes.bfloat16)
    y = function(x, np.array([2.0, 0.5], ml_dtypes.bfloat16).reshape(1, 1, 2, 1))
    assert y.dtype == ml_dtypes.bfloat16
    assert y == 2.0


def test_results_are_never_those_of_old_weights(function):
    x, weights = random_arrays()
    function(x, *weights)
    for weight in weights:
        weight *= 2  # in place: the same arrays
    np.testing.assert_allclose(function(x, *weights), dense(x, weights), rtol=1e-4, atol=1e-4)
    others = random_arrays(seed=1)[1]
    np.testing.assert_allclose(function(x, *others), dense(x, others), rtol=1e-4, atol=1e-4)


def test_bound_weights_are_a_snapshot():
    function = ks.compile(CHAIN, epilogue="bias")
    x, weights = random_arrays()
    bias = np.arange(36, dtype=np.float32)
    layer = function.bind(*weights, bias)
    other = function.bind(*random_arrays(seed=1)[1], bias)
    expected = dense(x, weights) + bias
    for array in (*weights, bias):
        array[...] = np.nan
    other(x)
    np.testing.assert_allclose(layer(x), expected, rtol=1e-4, atol=1e-4)
    assert layer.function is function
    assert "3 bound" in repr(layer)


def test_bound_weights_alone(function):
    bias_function = ks.compile(CHAIN, epilogue="bias")
    x, weights = random_arrays()
    bias = np.ones(36, np.float32)
    np.testing.assert_array_equal(
        bias_function.bind(*weights)(x, bias), bias_function(x, *weights, bias)
    )
    layer = function.bind(*weights)
    del weights
    gc.collect()
    assert np.isfinite(layer(x)).all()


@pytest.mark.parametrize("path", ["loops"])
def test_binding_without_packing(path):
    function = ks.compile(CHAIN, path=path)
    x, weights = random_arrays()
    layer = function.bind(*weights)
    expected = function(x, *weights)
    weights[0][...] = np.nan
    np.testing.assert_array_equal(layer(x), expected)


def test_bind_wants_all_weights(function):
    x, weights = random_arrays()
    with pytest.raises(ValueError, match="argument 2 of @chain is a weight, and is not bound"):
        function.bind(weights[0])
    with pytest.raises(ValueError, match="got 3 to bind, expected at most 2"):
        function.bind(*weights, x)
    with pytest.raises(ValueError, match=r"argument 1 has shape \(1, 12, 16, 3\); expected \(6"):
        function.bind(*weights[::-1])
    layer = function.bind(*weights)
    with pytest.raises(ValueError, match="was given 4 arguments; expected 3"):
        layer(x, x)
    with pytest.raises(TypeError, match="argument 0 is None"):
        layer(None)


# --- Bad arguments -----------------------------------------------------------


def test_wrong_number_of_arguments(function):
    x, weights = random_arrays()
    with pytest.raises(ValueError, match="@chain was given 2 arguments; expected 3"):
        function(x, weights[0])


def test_wrong_types(function):
    x, weights = random_arrays()
    with pytest.raises(TypeError, match="argument 0 has dtype float64; expected float32"):
        function(x.astype(np.float64), *weights)
    with pytest.raises(TypeError, match=r"argument 0 is a list; expected a numpy\.ndarray"):
        function(x.tolist(), *weights)
    with pytest.raises(TypeError, match="argument 1 is a NoneType"):
        function(x, None, weights[1])
    with pytest.raises(TypeError, match="argument 0 has dtype >f4; expected float32"):
        function(x.astype(">f4"), *weights)


def test_wrong_shapes(function):
    x, weights = random_arrays()
    with pytest.raises(ValueError, match=r"argument 0 has shape \(5, 23\); expected \(any, 24\)"):
        function(x[:, :-1], *weights)
    with pytest.raises(ValueError, match=r"argument 0 has shape \(24\); expected \(any, 24\)"):
        function(x[0], *weights)
    static = ks.compile(CHAIN, batch=4)
    with pytest.raises(ValueError, match=r"argument 0 has shape \(5, 24\); expected \(4, 24\)"):
        static(x, *weights)


def test_strides(function):
    x, weights = random_arrays()
    wide = np.full((5, 40), np.nan, np.float32)
    wide[:, 3:27] = x
    expected = function(x, *weights)
    np.testing.assert_array_equal(function(wide[:, 3:27], *weights), expected)
    out = np.full((5, 50), np.nan, np.float32)
    assert function(x, *weights, out=out[:, 7:43]) is not None
    np.testing.assert_array_equal(out[:, 7:43], expected)
    assert np.isnan(out[:, :7]).all()
    assert np.isnan(out[:, 43:]).all()

    spread = np.zeros((5, 48), np.float32)[:, ::2]
    with pytest.raises(ValueError, match="argument 0 has stride 2 elements in dimension 1"):
        function(spread, *weights)
    with pytest.raises(ValueError, match="argument 0 has stride -24 elements in dimension 0"):
        function(x[::-1], *weights)
    with pytest.raises(ValueError, match="argument 0 has stride 0 elements in dimension 0"):
        function(np.broadcast_to(x[0], x.shape), *weights)
    with pytest.raises(ValueError, match="argument 0 has stride 1 elements"):
        function(np.asfortranarray(x), *weights)
    with pytest.raises(ValueError, match="argument 1 has stride"):
        function(x, np.asfortranarray(weights[0]), weights[1])
    packed = np.zeros(5, [("pad", np.uint8), ("x", np.float32, 24)])["x"]
    with pytest.raises(ValueError, match=r"argument 0 has strides of .* bytes; expected multiples"):
        function(packed, *weights)


def test_misaligned_memory(function):
    x, weights = random_arrays()
    memory = np.zeros(x.nbytes + 1, np.uint8)[1:].view(np.float32).reshape(x.shape)
    with pytest.raises(ValueError, match="argument 0 is not aligned to its elements"):
        function(memory, *weights)


def test_results_in_given_memory(function):
    x, weights = random_arrays()
    out = np.full((5, 36), np.nan, np.float32)
    assert function(x, *weights, out=out) is out
    np.testing.assert_array_equal(out, function(x, *weights))
    with pytest.raises(ValueError, match=r"result 0 has shape \(4, 36\); expected \(5, 36\)"):
        function(x, *weights, out=out[:4])
    with pytest.raises(TypeError, match="result 0 has dtype float64"):
        function(x, *weights, out=out.astype(np.float64))
    with pytest.raises(ValueError, match="out has 2 arrays; expected 1"):
        function(x, *weights, out=(out, out))
    out.flags.writeable = False
    with pytest.raises(ValueError, match="result 0 is read-only"):
        function(x, *weights, out=out)


def test_results_must_not_overlap_arguments():
    chain = ks.Chain([(1, 4, 4, 1)])
    function = ks.compile(chain, epilogue="residual")
    memory = np.zeros((9, 4), np.float32)
    x, weight = memory[:4], np.zeros((1, 4, 4, 1), np.float32)
    residual = np.zeros((4, 4), np.float32)
    for out in (x, memory[3:7]):
        with pytest.raises(ValueError, match="result 0 overlaps argument 0 in memory"):
            function(x, weight, residual, out=out)
        with pytest.raises(ValueError, match="result 0 overlaps argument 0 in memory"):
            function.bind(weight)(x, residual, out=out)
    with pytest.raises(ValueError, match="result 0 overlaps argument 1 in memory"):
        function(x, weight, residual, out=weight.reshape(4, 4))
    with pytest.raises(ValueError, match="result 0 overlaps argument 2 in memory"):
        function(x, weight, residual, out=residual)
    function(x, weight, residual, out=memory[4:8])
    # Bound weights were copied, so that their memory is free.
    function.bind(weight)(x, residual, out=weight.reshape(4, 4))


def test_read_only_arguments(function):
    x, weights = random_arrays()
    expected = function(x, *weights)
    for array in (x, *weights):
        array.flags.writeable = False
    np.testing.assert_array_equal(function(x, *weights), expected)


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
    with pytest.raises(ValueError, match="rung is 'asm'; expected one of math, plans"):
        ks.emit(CHAIN, "asm")
    with pytest.raises(ks.CompileError, match="<mlir>:1:1: error"):
        ks.emit("nonsense")


# --- Threads -----------------------------------------------------------------


def test_number_of_threads():
    default = ks.get_num_threads()
    assert default >= 1
    try:
        ks.set_num_threads(1)
        assert ks.get_num_threads() == 1
        ks.set_num_threads(3)
        assert ks.get_num_threads() == 3
    finally:
        ks.set_num_threads(0)
    assert ks.get_num_threads() == default


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("batch", [1, 200])
def test_results_do_not_depend_on_threads(function, batch, threads):
    x, weights = random_arrays(batch=batch)
    expected = function(x, *weights)
    try:
        ks.set_num_threads(threads)
        for plan in (0, 1, 4):
            planned = ks.compile(CHAIN, threads=plan)
            np.testing.assert_allclose(planned(x, *weights), expected, rtol=1e-4, atol=1e-4)
    finally:
        ks.set_num_threads(0)


def test_python_threads_share_a_function(function):
    """Each with weights of its own, bound and unbound."""

    def work(seed):
        x, weights = random_arrays(batch=64, seed=seed)
        expected = dense(x, weights)
        layer = function.bind(*weights)
        for _ in range(20):
            np.testing.assert_allclose(layer(x), expected, rtol=1e-3, atol=1e-3)
            np.testing.assert_allclose(function(x, *weights), expected, rtol=1e-3, atol=1e-3)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(8)))


def test_python_threads_compile_at_once():
    def work(size):
        chain = ks.Chain([(2, size, 3, 1)])
        x, weights = random_arrays(chain)
        np.testing.assert_allclose(
            ks.compile(chain)(x, *weights), dense(x, weights, chain), rtol=1e-4, atol=1e-4
        )
        with pytest.raises(ks.CompileError, match="<mlir>:1:1"):
            ks.compile("nonsense")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(1, 9)))


def test_the_gil_is_released_while_compiling():
    chain = ks.Chain([(6, 64, 64, 1), (1, 768, 192, 2)])
    done = threading.Event()
    ticks = 0

    def compile_chain():
        ks.compile(chain, opt_level=3)
        done.set()

    thread = threading.Thread(target=compile_chain)
    thread.start()
    while not done.wait(0.001):
        ticks += 1
    thread.join()
    assert ticks > 10


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
