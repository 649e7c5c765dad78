# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""ks.compile(target="cuda") with PyTorch, CuPy and JAX themselves, where they find a GPU."""

import numpy as np
import pytest
from ks_arrays import CHAIN, dense, random_arrays

import ks
from ks import _streams

torch = pytest.importorskip("torch")
if not torch.cuda.is_available():
    pytest.skip("needs a GPU", allow_module_level=True)


@pytest.fixture(autouse=True)
def driver(monkeypatch):
    """The real one."""
    monkeypatch.delenv("KS_CUDA_DRIVER", raising=False)
    ks.free_workspaces()
    _streams._devices.clear()


@pytest.fixture(scope="module")
def data():
    x, weights = random_arrays(batch=300)
    return x, weights, dense(x.astype(np.float64), weights)


def on_gpu(array, dtype=None):
    return torch.as_tensor(array, dtype=dtype, device="cuda")


def check(got, expected, tolerance=1e-4):
    np.testing.assert_allclose(
        got.double().cpu().numpy(), expected, rtol=tolerance, atol=10 * tolerance
    )


@pytest.mark.parametrize(
    ("dtype", "tolerance"), [("float32", 1e-4), ("float16", 4e-2), ("bfloat16", 3e-1)]
)
def test_results(data, dtype, tolerance):
    x, weights, expected = data
    kind = getattr(torch, dtype)
    f = ks.compile(CHAIN, dtype, target="cuda")
    arrays = [on_gpu(array, kind) for array in (x, *weights)]
    y = f(*arrays)
    assert (y.dtype, y.device) == (kind, arrays[0].device)
    check(y, expected, tolerance)
    g, out = f.bind(*arrays[1:]), torch.empty_like(y)
    assert g(arrays[0], out=out) is out
    check(out, expected, tolerance)
    wide = torch.zeros(300, 40, dtype=kind, device="cuda")
    wide[:, 5:29] = arrays[0]
    check(g(wide[:, 5:29]), expected, tolerance)


def test_streams(data):
    x, weights, expected = data
    x, *weights = map(on_gpu, (x, *weights))
    f = ks.compile(CHAIN, target="cuda")
    g = f.bind(*weights)
    side, other = torch.cuda.Stream(), torch.cuda.Stream()
    torch.cuda.synchronize()
    with torch.cuda.stream(side):
        torch.cuda._sleep(20_000_000)
        late = x * 1  # known to `side` alone
        y = g(late)
        z = g(late, stream=other)  # waits for `late` by DLPack
    other.synchronize()
    check(z, expected)
    side.synchronize()
    check(y, expected)


def test_graphs(data):
    x, weights, expected = data
    x, *weights = map(on_gpu, (x, *weights))
    g = ks.compile(CHAIN, target="cuda").bind(*weights)
    source = torch.zeros_like(x)
    g(source)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        y = g(source)
    source.copy_(x)
    graph.replay()
    check(y, expected)


def test_gradients(data):
    x, weights, expected = data
    x, *weights = map(on_gpu, (x, *weights))
    parameters = [torch.nn.Parameter(weight) for weight in weights]
    f = ks.compile(CHAIN, target="cuda")
    with pytest.raises(ValueError, match="argument 1 requires a gradient"):
        f(x, *parameters)
    with torch.no_grad():
        check(f(x, *parameters), expected)
    with pytest.raises(ValueError, match=r"argument 0 is a torch\.Tensor in the CPU's memory"):
        f(x.cpu(), *weights)


def test_cupy(data):
    cupy = pytest.importorskip("cupy")
    x, weights, expected = data
    f = ks.compile(CHAIN, target="cuda")
    with cupy.cuda.Stream(non_blocking=True) as stream:
        y = f(*map(cupy.asarray, (x, *weights)))
        stream.synchronize()
    assert isinstance(y, cupy.ndarray)
    np.testing.assert_allclose(cupy.asnumpy(y), expected, rtol=1e-4, atol=1e-3)


def test_jax(data):
    jax = pytest.importorskip("jax")
    if jax.default_backend() != "gpu":
        pytest.skip("JAX finds no GPU")
    x, weights, expected = data
    f = ks.compile(CHAIN, target="cuda")
    y = f(*map(jax.numpy.asarray, (x, *weights)))
    assert isinstance(y, jax.Array)
    np.testing.assert_allclose(np.asarray(y + 0), expected, rtol=1e-4, atol=1e-3)
