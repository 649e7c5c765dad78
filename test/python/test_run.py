# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiled functions: what they compute, and what they say about bad arguments."""

import gc
import math
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from ks_arrays import CHAIN, dense, random_arrays

import ks

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
