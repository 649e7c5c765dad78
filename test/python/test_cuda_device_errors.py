# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What the runtime refuses on a real GPU; each time the process, and the layer, go on."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ks_arrays import CHAIN, dense, random_arrays

import ks
from ks import _streams

torch = pytest.importorskip("torch")
if not torch.cuda.is_available():
    pytest.skip("needs a GPU", allow_module_level=True)

ROOT = Path(__file__).resolve().parents[2]
BUILD = Path(os.environ.get("KS_BUILD_DIR", ROOT / "build" / "release"))
sys.path.insert(0, str(ROOT / "benchmarks"))
import ks_runtime

BATCH = 300


@pytest.fixture(scope="module")
def arrays():
    """x, weights, and what is expected of them."""
    x, weights = random_arrays(batch=BATCH)
    expected = dense(x.astype(np.float64), weights)
    return [torch.as_tensor(a, device="cuda") for a in (x, *weights)], expected


@pytest.fixture(scope="module")
def compiled():
    return ks.compile(CHAIN, target="cuda")


@pytest.fixture(autouse=True)
def goes_on(arrays, compiled, monkeypatch):
    """After each fault."""
    monkeypatch.delenv("KS_CUDA_DRIVER", raising=False)
    ks.free_workspaces()
    _streams._devices.clear()
    yield
    monkeypatch.undo()
    operands, expected = arrays
    np.testing.assert_allclose(compiled(*operands).cpu().numpy(), expected, rtol=1e-4, atol=1e-3)


def test_no_driver(monkeypatch):
    monkeypatch.setenv("KS_CUDA_DRIVER", "/nonexistent/libcuda.so.1")
    with pytest.raises(ks.DeviceError, match="driver could not be opened"):
        ks.compile(CHAIN, target="cuda")


def test_no_device():
    code = """
import ks, sys
try:
    ks.compile(ks.Chain([(2, 8, 8, 2)]), target="cuda")
except ks.DeviceError as error:
    print(error)
print("goes on", ks.compile(ks.Chain([(2, 8, 8, 2)])) is not None)
"""
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment
    )
    assert "check nvidia-smi and CUDA_VISIBLE_DEVICES" in done.stdout, done.stderr
    assert "goes on True" in done.stdout, done.stderr


def test_another_architecture(arrays):
    major, minor = torch.cuda.get_device_capability()
    if (major, minor) >= (12, 0):
        pytest.skip("no later architecture is known")
    f = ks.compile(CHAIN, target="sm_120")
    with pytest.raises(ks.DeviceError, match="no code for this GPU"):
        f(*arrays[0])


def test_no_memory(compiled, arrays):
    operands, _ = arrays
    batch = 1 << 20
    x = torch.zeros(batch, operands[0].shape[1], device="cuda")
    out = torch.empty(batch, CHAIN.out_features, device="cuda")
    g = compiled.bind(*operands[1:])
    torch.cuda.empty_cache()
    free, _ = torch.cuda.mem_get_info()
    hog = torch.empty(free - (48 << 20), dtype=torch.uint8, device="cuda")
    with pytest.raises((MemoryError, torch.OutOfMemoryError), match=r"(?i)memory"):
        g(x, out=out)
    del hog, x, out
    torch.cuda.empty_cache()


def test_wrong_arrays(compiled, arrays):
    x, w0, w1 = arrays[0]
    wide = torch.zeros(BATCH, 2 * x.shape[1], device="cuda")
    for operands, error, message in (
        ((wide[:, ::2], w0, w1), ValueError, "it has stride 2 elements in dimension 1"),
        ((x[:, :-1], w0, w1), ValueError, "argument 0 has shape"),
        ((x, w1, w0), ValueError, "argument 1 has shape"),
        ((x.half(), w0, w1), TypeError, "argument 0 has dtype float16"),
        ((x.cpu(), w0, w1), ValueError, "in the CPU's memory"),
    ):
        with pytest.raises(error, match=message):
            compiled(*operands)


class Raw:
    """A tensor that begins `offset` bytes later than it should."""

    def __init__(self, tensor, offset: int):
        self.tensor, self.offset = tensor, offset
        self.shape, self.dtype = tensor.shape, tensor.dtype

    def data_ptr(self) -> int:
        return self.tensor.data_ptr() + self.offset

    def stride(self):
        return self.tensor.stride()

    def is_contiguous(self) -> bool:
        return True


@pytest.fixture(scope="module")
def runtime():
    return ks_runtime.Runtime(BUILD / "lib" / "libKSRuntimeC.so")


def test_wrong_alignment(runtime, compiled, arrays, tmp_path):
    x, w0, w1 = arrays[0]
    path = tmp_path / "layer.ks"
    path.write_bytes(compiled.artifact)
    stream = torch.cuda.current_stream().cuda_stream
    with runtime.load(path) as layer:
        packed = torch.empty(layer.packed_bytes, dtype=torch.uint8, device="cuda")
        layer.pack([w0, w1], packed, stream)
        size = layer.workspace_bytes(BATCH)
        workspace = torch.empty(size + 256, dtype=torch.uint8, device="cuda")
        out = torch.empty(BATCH, CHAIN.out_features, device="cuda")
        for operands, work, message in (
            ([Raw(x, 2), out], workspace, "its data is 2 bytes off a multiple of 4"),
            ([x, Raw(out, 1)], workspace, "its data is 1 bytes off a multiple of 4"),
            ([x, out], workspace[8:], "workspace"),
            ([x, out], workspace[: size - 1], "workspace"),
        ):
            with pytest.raises(ks_runtime.KsError, match=f"KS_ERROR_ARGUMENT: .*{message}"):
                layer.bind(packed, operands, work)(stream)
        with pytest.raises(ks_runtime.KsError, match="KS_ERROR_ARGUMENT"):
            layer.pack([w0, w1], packed[8:], stream)
        layer.bind(packed, [x, out], workspace)(stream)
        np.testing.assert_allclose(out.cpu().numpy(), arrays[1], rtol=1e-4, atol=1e-3)


def test_damaged_artefacts(runtime, compiled, tmp_path):
    good = compiled.artifact
    path = tmp_path / "layer.ks"
    rng = np.random.default_rng(1)
    damaged = [b"", good[:7], good[: len(good) // 2], good[:-1], good + b"x", b"MZ" + good[2:]]
    for _ in range(50):
        altered = bytearray(good)
        altered[rng.integers(len(good))] ^= 1 << rng.integers(8)
        damaged.append(bytes(altered))
    for content in damaged:
        path.write_bytes(content)
        with pytest.raises(ks_runtime.KsError, match="KS_ERROR_ARTIFACT"):
            runtime.load(path)
    with pytest.raises(ks_runtime.KsError, match="KS_ERROR_A"):
        runtime.load(tmp_path / "nowhere.ks")
    path.write_bytes(good)
    runtime.load(path).close()
