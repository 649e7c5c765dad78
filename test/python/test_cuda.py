# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""ks.compile(target="cuda"): results and frameworks. There is no GPU: the fake driver of
the unit tests hands kernels to the PTX emulator."""

import dataclasses
import subprocess
import sys

import ks_gpu
import ks_stored
import numpy as np
import pytest
from ks_arrays import CHAIN, dense, random_arrays
from ks_gpu import OTHER, STREAM, arrays_on, emulate_cases, place

import ks
from ks import _native, _streams

# --- Results -------------------------------------------------------------------


@pytest.mark.parametrize("layout", ks.LAYOUTS)
@pytest.mark.parametrize(
    ("dtype", "tolerance"),
    [
        ("float32", 1e-5),
        ("float16", 4e-2),
        ("bfloat16", 3e-1),
        ("float64", 1e-13),
        ("complex64", 1e-5),
    ],
)
def test_results(gpu, torch, dtype, tolerance, layout):
    wide = np.float32 if dtype == "bfloat16" else np.dtype(dtype)
    x, weights = random_arrays(batch=11, dtype=wide)
    if dtype == "bfloat16":
        x, *weights = (ks_gpu.to_bf16(array) for array in (x, *weights))
        expected = dense(ks_gpu.from_bf16(x), [ks_gpu.from_bf16(w) for w in weights])
    else:
        expected = dense(x, weights)
    if layout == "batch_last":
        x, expected = np.ascontiguousarray(x.T), expected.T
    placed = place(gpu, [x, *weights], torch.Tensor, dtype=dtype)
    f = ks.compile(CHAIN, dtype, layout, target="cuda")
    for y in (f(*placed), f.bind(*placed[1:])(placed[0])):
        assert isinstance(y, torch.Tensor)
        assert y.dtype == dtype
        got = ks_gpu.from_bf16(y.array) if dtype == "bfloat16" else y.array
        np.testing.assert_allclose(got, expected, rtol=tolerance, atol=10 * tolerance)


@pytest.mark.parametrize(
    ("dtype", "stored", "tolerance"),
    [("float16", "float32", 4e-2), ("float32", "bfloat16", 2e-2), ("bfloat16", "float64", 1e-1)],
)
def test_results_of_another_type(gpu, torch, dtype, stored, tolerance):
    """A cast behind the chain: results have its type, as new arrays and as `out`."""
    kinds = {"float16": "f16", "bfloat16": "bf16", "float32": "f32", "float64": "f64"}
    case = ks_stored.convert(
        dataclasses.replace(
            ks_stored.ks_cases.draw(1, 1),
            chain=CHAIN,
            dtype=kinds[dtype],
            layout="batch_first",
            is_dynamic=True,
            epilogue=None,
        ),
        kinds[stored],
        is_cast=True,
    )
    x, weights = random_arrays(batch=11, dtype=np.float32)
    expected = dense(x, weights)
    arrays = [ks_stored.ks_cases.narrow(array, kinds[dtype]) for array in (x, *weights)]
    placed = place(gpu, arrays, torch.Tensor, dtype=dtype)
    f = ks.compile(case.mlir(), target="cuda")
    y = f(*placed)
    assert isinstance(y, torch.Tensor)
    assert y.dtype == stored
    got = ks_stored.ks_cases.widen(y.array, kinds[stored])
    np.testing.assert_allclose(got, expected, rtol=tolerance, atol=10 * tolerance)
    # Rows with a pitch, which begin anywhere.
    frame = ks_stored.ks_cases.narrow(np.full((11, 50), 5.0), kinds[stored])
    frame = gpu.put(frame)
    out = torch.Tensor(frame[:, 7:43], dtype=stored)
    assert f(*placed, out=out) is out
    np.testing.assert_array_equal(out.array, y.array)
    for rest in (frame[:, :7], frame[:, 43:]):
        assert (ks_stored.ks_cases.widen(rest, kinds[stored]) == 5).all()
    wrong = torch.Tensor(gpu.put(np.zeros((11, 36), arrays[0].dtype)), dtype=dtype)
    with pytest.raises(TypeError, match=f"result 0 has dtype .*; expected {stored}"):
        f(*placed, out=wrong)


def test_epilogue_and_strided_rows(gpu, torch):
    f = ks.compile(CHAIN, epilogue="bias+relu+residual", target="cuda")
    x, weights = random_arrays(batch=9)
    rng = np.random.default_rng(1)
    bias = rng.standard_normal(36).astype(np.float32)
    residual = rng.standard_normal((9, 40)).astype(np.float32)
    expected = np.maximum(dense(x, weights) + bias, 0) + residual[:, :36]
    wide = np.zeros((9, 30), np.float32)
    wide[:, 3:27] = x
    tx = torch.Tensor(gpu.put(wide)[:, 3:27])
    tr = torch.Tensor(gpu.put(residual)[:, :36])
    tw, tb = place(gpu, weights, torch.Tensor), torch.Tensor(gpu.put(bias))
    frame = gpu.put(np.full((9, 50), 5, np.float32))
    out = torch.Tensor(frame[:, 7:43])
    assert f(tx, *tw, tb, tr, out=out) is out
    np.testing.assert_allclose(out.array, expected, rtol=1e-4, atol=1e-4)
    assert (frame[:, :7] == 5).all()
    assert (frame[:, 43:] == 5).all()
    # What is bound is copied.
    for g, rest in ((f.bind(*tw, tb), (tr,)), (f.bind(*tw, tb, tr), ())):
        out.array[...] = 0
        saved = [array.array.copy() for array in (*tw, tb)]
        for array in (*tw, tb):
            array.array[...] = np.nan
        g(tx, *rest, out=out)
        np.testing.assert_allclose(out.array, expected, rtol=1e-4, atol=1e-4)
        for array, old in zip((*tw, tb), saved):
            array.array[...] = old


@pytest.mark.parametrize("number", range(6))
def test_random_cases(gpu, torch, number):
    """Patterns, types, layouts, ties, epilogues, pitches and batches, as in
    test_emulated_gpu.py, but from MLIR text to results within this process."""
    case = emulate_cases.ks_cases.draw(3, number)
    if not emulate_cases.is_emulated(case):
        return
    try:
        f = ks.compile(emulate_cases.mlir(case), target="sm_80")
    except ks.CompileError as error:
        if "libdevice" in str(error):  # no CUDA toolkit on this machine
            return
        raise

    class InProcess(emulate_cases.Emulator):
        def __init__(self):
            self.device = gpu

        def run(self, function, values, batch):
            ks.free_workspaces()  # memory is all new
            arrays = [
                torch.Tensor(array, emulate_cases.NAMES.get(dtype, dtype))
                for array, dtype in values
            ]
            function(*arrays[:-1], out=arrays[-1])

    assert InProcess().check(case, f) is None


def test_tied_weights_and_fixed_batches(gpu, torch):
    chain = ks.Chain([(2, 4, 3, 2), (1, 5, 16, 1)], tied=["ad", ""])
    f = ks.compile(chain, batch=3, target="cuda")
    x, weights = random_arrays(chain, batch=3)
    y = f(*place(gpu, [x, *weights], torch.Tensor))
    np.testing.assert_allclose(y.array, dense(x, weights, chain), rtol=1e-4, atol=1e-4)
    with pytest.raises(ValueError, match=r"argument 0 has shape \(2, 12\); expected \(3, 12\)"):
        f(torch.Tensor(gpu.put(x[:2])), *place(gpu, weights, torch.Tensor))


def test_no_batch(gpu, torch, compiled):
    x, w0, w1, _ = arrays_on(gpu, torch.Tensor, batch=5)
    empty = torch.Tensor(x.array[:0])
    assert compiled(empty, w0, w1).shape == (0, 36)


def test_several_results(gpu, torch):
    text = """
func.func @two(%x: tensor<2x4xf32>, %w: tensor<1x3x4x1xf32>, %v: tensor<1x2x4x1xf32>)
    -> (tensor<2x3xf32>, tensor<2x2xf32>) {
  %i = tensor.empty() : tensor<2x3xf32>
  %j = tensor.empty() : tensor<2x2xf32>
  %y = ks.matmul <1, 3, 4, 1> ins(%x, %w : tensor<2x4xf32>, tensor<1x3x4x1xf32>)
         outs(%i : tensor<2x3xf32>) -> tensor<2x3xf32>
  %z = ks.matmul <1, 2, 4, 1> ins(%x, %v : tensor<2x4xf32>, tensor<1x2x4x1xf32>)
         outs(%j : tensor<2x2xf32>) -> tensor<2x2xf32>
  return %y, %z : tensor<2x3xf32>, tensor<2x2xf32>
}"""
    (f,) = ks.compile_all(text, ["two"], target="cuda")
    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    w, v = np.ones((1, 3, 4, 1), np.float32), np.ones((1, 2, 4, 1), np.float32)
    tx, tw, tv = place(gpu, [x, w, v], torch.Tensor)
    y, z = f(tx, tw, tv)
    np.testing.assert_allclose(y.array, x @ np.ones((4, 3)))
    np.testing.assert_allclose(z.array, x @ np.ones((4, 2)))
    with pytest.raises(ValueError, match="out has 1 arrays; expected 2, one per result"):
        f(tx, tw, tv, out=y)
    with pytest.raises(ValueError, match="result 1 overlaps with result 0"):
        f(tx, tw, tv, out=(y, torch.Tensor(y.array.reshape(-1)[:4].reshape(2, 2))))


def test_descriptions(gpu, compiled):
    assert compiled.name == "chain"
    assert compiled.inputs[0] == ks.ArgumentInfo("f32", (None, 24), False)
    assert compiled.inputs[1] == ks.ArgumentInfo("f32", (6, 8, 4, 1), True)
    assert compiled.outputs == (ks.ArgumentInfo("f32", (None, 36), False),)
    assert compiled.compile_times.total > 0
    assert repr(compiled).startswith("<ks.CUDAFunction @chain(f32[?, 24], f32[6, 8, 4, 1]")
    assert b".target sm_80" in compiled.artifact
    _x, w0, w1, _ = arrays_on(gpu)
    g = compiled.bind(w0, w1)
    assert g.function is compiled
    assert repr(g).endswith("2 bound>")


# --- Frameworks ----------------------------------------------------------------


def test_torch_arrays_come_from_its_allocator(gpu, torch, compiled):
    x, w0, w1, expected = arrays_on(gpu, torch.Tensor)
    y = compiled(x, w0, w1)
    np.testing.assert_allclose(y.array, expected, rtol=1e-5, atol=1e-5)
    assert gpu.driver.fakeGetAllocatedBytes() == 0
    assert x.streams == [-1]  # its own stream: nothing to wait for


def test_gradients_are_not_dropped_silently(gpu, torch, compiled):
    x, w0, w1, expected = arrays_on(gpu, torch.Tensor)
    w1.requires_grad = True
    with pytest.raises(ValueError, match=r"argument 2 requires a gradient.*torch\.no_grad\(\)"):
        compiled(x, w0, w1)
    torch.state.grad = False
    np.testing.assert_allclose(compiled(x, w0, w1).array, expected, rtol=1e-5, atol=1e-5)
    x.conjugated = True
    with pytest.raises(ValueError, match=r"argument 0 is conjugated .*resolve_conj"):
        compiled(x, w0, w1)
    x.conjugated, x.layout = False, "sparse"
    with pytest.raises(ValueError, match=r"argument 0 has layout sparse; expected torch\.strided"):
        compiled(x, w0, w1)


def test_cupy_arrays(gpu, cupy, compiled):
    x, w0, w1, expected = arrays_on(gpu, cupy.ndarray)
    y = compiled(x, w0, w1)
    assert isinstance(y, cupy.ndarray)
    np.testing.assert_allclose(y.array, expected, rtol=1e-5, atol=1e-5)
    assert x.streams == [-1]
    assert gpu.driver.fakeGetAllocatedBytes() == 0
    # bf16 as bits
    bits = place(gpu, [ks_gpu.to_bf16(a.array) for a in (x, w0, w1)], cupy.ndarray)
    y = ks.compile(CHAIN, "bf16", target="cuda")(*bits)
    assert y.array.dtype == np.uint16
    np.testing.assert_allclose(ks_gpu.from_bf16(y.array), expected, rtol=5e-2, atol=1)


def test_jax_takes_results_over(gpu, monkeypatch, compiled):
    jax = ks_gpu.make_jax()
    monkeypatch.setitem(sys.modules, "jax", jax)
    monkeypatch.setitem(sys.modules, "jax.dlpack", jax.dlpack)
    x, w0, w1, expected = arrays_on(gpu, jax.Array)
    y = compiled(x, w0, w1)
    assert isinstance(y, jax.Array)
    got = ks_gpu.read_tensor(gpu, y.tensor)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)
    assert x.streams == [1]  # the legacy default stream waits for x,
    assert gpu.records() == [0]
    assert gpu.waits() == [0x77]  # and JAX's own for the result
    with pytest.raises(ValueError, match=r"result 0 is a jax\.Array, which is immutable"):
        compiled(x, w0, w1, out=x.__class__(gpu.put(np.zeros((5, 36), np.float32))))
    _streams.workspaces.clear()
    held = gpu.driver.fakeGetAllocatedBytes()
    del y
    assert gpu.driver.fakeGetAllocatedBytes() == held - 5 * 36 * 4


@pytest.mark.parametrize("kind", [ks_gpu.Array, ks_gpu.OldArray])
def test_unknown_frameworks_get_dlpack(gpu, compiled, kind):
    x, w0, w1, expected = arrays_on(gpu, kind)
    y = compiled(x, w0, w1)
    assert isinstance(y, ks.DeviceArray)
    assert (y.shape, y.dtype, y.__dlpack_device__()) == ((5, 36), "f32", (2, 0))
    assert repr(y) == "<ks.DeviceArray f32[5, 36] on cuda:0>"
    for version in (None, (1, 0)):
        tensor = _native.read_capsule(y.__dlpack__(stream=OTHER, max_version=version))
        got = ks_gpu.read_tensor(gpu, tensor)
        np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)
    assert gpu.waits() == [OTHER, OTHER]
    y.__dlpack__(stream=-1)  # never used: freed
    assert len(gpu.waits()) == 2
    for options in ({"stream": 0}, {"copy": True}, {"dl_device": (1, 0)}):
        with pytest.raises(BufferError):
            y.__dlpack__(**options)
    # It is an argument, too.
    g = ks.compile(ks.Chain([(1, 2, 36, 1)]), target="cuda")
    weight = kind(gpu.put(np.ones((1, 2, 36, 1), np.float32)))
    z = _native.read_capsule(g(y, weight).__dlpack__())
    sums = expected.sum(axis=1, keepdims=True) * np.ones((1, 2))
    np.testing.assert_allclose(ks_gpu.read_tensor(gpu, z), sums, rtol=1e-4, atol=1e-4)


def test_frameworks_are_not_imported():
    code = (
        "import sys, ks; known = set(sys.modules); f = ks.compile(ks.Chain([(1, 2, 3, 4)]), "
        "target='sm_80')\ntry: f([1], [2])\nexcept TypeError: pass\n"
        "assert not {'torch', 'cupy', 'jax'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_frameworks_mix(gpu, torch, cupy, compiled):
    x, w0, w1, expected = arrays_on(gpu, torch.Tensor)
    w1 = cupy.ndarray(w1.array)
    torch.state.stream = STREAM
    y = compiled(x, w0, w1)
    assert isinstance(y, torch.Tensor)
    np.testing.assert_allclose(y.array, expected, rtol=1e-5, atol=1e-5)
    assert w1.streams == [STREAM]  # CuPy orders its stream before ours
