# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What ks.compile(target="cuda") and its functions refuse, and that they go on after."""

import re

import ks_gpu
import numpy as np
import pytest
from ks_arrays import CHAIN, random_arrays
from ks_gpu import arrays_on

import ks
from ks import _cuda, _native

# --- Compiling -----------------------------------------------------------------


def test_no_driver(gpu, monkeypatch):
    monkeypatch.setenv("KS_CUDA_DRIVER", "/nonexistent/libcuda.so.1")
    with pytest.raises(ks.DeviceError, match=r"driver could not be opened.*set KS_CUDA_DRIVER"):
        ks.compile(CHAIN, target="cuda")
    f = ks.compile(CHAIN, target="sm_90")  # needs none
    with pytest.raises(ks.DeviceError, match="driver could not be opened"):
        f(*arrays_on(gpu)[:3])
    monkeypatch.setenv("KS_CUDA_DRIVER", str(ks_gpu.DRIVER))
    f(*arrays_on(gpu)[:3])  # goes on


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"initResult": 100}, "CUDA error 100.*check nvidia-smi and CUDA_VISIBLE_DEVICES"),
        ({"numDevices": 0}, "opening GPU 0 failed.*check nvidia-smi"),
        ({"capability": 75}, r"capability 7\.5; expected 8\.0 or later \(use target='host'"),
        ({"ptxResult": 218}, "loading the PTX for sm_90a failed.*update the driver"),
    ],
)
def test_unusable_devices(gpu, fault, message):
    for name, value in fault.items():
        gpu[name] = value
    with pytest.raises(ks.DeviceError, match=message) as error:
        ks.compile(CHAIN, target="cuda")
    assert isinstance(error.value, RuntimeError)


def test_code_for_newer_gpus(gpu):
    gpu["capability"] = 80
    f = ks.compile(CHAIN, target="sm_90")
    with pytest.raises(ks.DeviceError, match=r"no code for this GPU.* of compute capability 8.0"):
        f(*arrays_on(gpu)[:3])


@pytest.mark.parametrize(
    ("capability", "target"),
    [
        (80, "sm_80:multiprocessors=132"),
        (87, "sm_86:multiprocessors=132"),
        (90, "sm_90"),
        (103, "sm_100:multiprocessors=132"),
    ],
)
def test_cuda_is_the_current_device(gpu, capability, target):
    gpu["capability"] = capability
    assert _cuda.find_target("cuda") == target


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"target": "sm_75"}, ks.CompileError, "unknown target 'sm_75'; expected one of sm_80"),
        ({"path": "loops"}, ValueError, "path is for CPUs; expected none with target 'sm_90'"),
        ({"threads": 2}, ValueError, "threads is for CPUs"),
        ({"opt_level": 1}, ValueError, "opt_level is for CPUs"),
        ({"entry": "f"}, ks.CompileError, "no public function @f"),
        ({"dtype": "i8"}, ValueError, "dtype is 'i8'; expected one of f16"),
    ],
)
def test_bad_options(options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        ks.compile(CHAIN, **{"target": "sm_90", **options})


def test_diagnostics():
    with pytest.raises(ks.CompileError, match=r"<mlir>:2:3: error: .*foo"):
        ks.compile("func.func @f() {\n  foo.bar\n  return\n}", target="sm_90")


@pytest.mark.parametrize(
    ("rung", "expected"),
    [
        ("math", "ks.chain"),
        ("plans", "plan #ks.gpu_"),
        ("tiles", "gpu.func"),
        ("machine", "nvvm"),
        ("binary", ".target sm_90"),
    ],
)
def test_rungs(rung, expected):
    assert expected in ks.emit(CHAIN, rung, target="sm_90")


def test_cpus_have_no_binary_rung():
    with pytest.raises(ValueError, match="rung is 'binary', which is for GPUs; got target 'host'"):
        ks.emit(CHAIN, "binary")


# --- Arguments -----------------------------------------------------------------


@pytest.fixture
def arrays(gpu, torch):
    gpu.emulates = False
    x, w0, w1, _ = arrays_on(gpu, torch.Tensor)
    return x, w0, w1, torch.Tensor(gpu.put(np.zeros((5, 36), np.float32)))


def test_arrays_of_the_cpu(gpu, arrays, compiled, torch):
    x, w0, w1, _out = arrays
    host = random_arrays()[0]
    with pytest.raises(ValueError, match=r"argument 0 is a numpy.ndarray in the CPU's memory, but"):
        compiled(host, w0, w1)
    with pytest.raises(ValueError, match=r"argument 2 is a numpy.ndarray in the CPU's memory"):
        compiled(x, w0, random_arrays()[1][1])
    with pytest.raises(ValueError, match=r"result 0 is a numpy.ndarray in the CPU's memory"):
        compiled(x, w0, w1, out=np.zeros((5, 36), np.float32))
    with pytest.raises(ValueError, match=r"argument 1 is a numpy.ndarray in the CPU's memory"):
        compiled.bind(*random_arrays()[1])
    x.is_cuda = False
    x.__class__.__dlpack_device__ = lambda self: (1, 0)
    with pytest.raises(ValueError, match=r"Tensor in the CPU's memory.*move it with \.cuda\(\)"):
        compiled(x, w0, w1)
    compiled(w := arrays[3].__class__(gpu.put(host)), w0, w1)  # goes on
    assert w.streams


@pytest.mark.parametrize(("value", "name"), [([1.0], "list"), (None, "NoneType"), (3, "int")])
def test_no_arrays(gpu, arrays, compiled, value, name):
    with pytest.raises(TypeError, match=f"argument 0 is a {name}, which does not export DLPack"):
        compiled(value, *arrays[1:3])
    with pytest.raises(TypeError, match=f"argument 2 is a {name}"):
        compiled(*arrays[:2], value)


def test_wrong_dtypes(gpu, arrays, compiled, torch):
    x, w0, w1, out = arrays
    half = torch.Tensor(gpu.put(x.array.astype(np.float16)))
    with pytest.raises(
        TypeError, match=r"argument 0 has dtype float16; expected float32 \(convert"
    ):
        compiled(half, w0, w1)
    with pytest.raises(TypeError, match="result 0 has dtype int32; expected float32"):
        compiled(x, w0, w1, out=torch.Tensor(gpu.put(out.array.view(np.int32))))
    f = ks.compile(CHAIN, "bf16", target="sm_80")
    with pytest.raises(
        TypeError, match="argument 0 has dtype float16; expected bfloat16 or uint16"
    ):
        f(half, w0, w1)


def test_wrong_shapes(gpu, arrays, compiled, torch):
    x, w0, w1, out = arrays
    for wrong, shape in (
        (x.array[:, :23], "5, 23"),
        (x.array[0], "24"),
        (x.array[None], "1, 5, 24"),
    ):
        message = re.escape(f"argument 0 has shape ({shape}")
        with pytest.raises(ValueError, match=message + r".*\); expected \(batch, 24\)"):
            compiled(torch.Tensor(wrong), w0, w1)
    with pytest.raises(ValueError, match=r"argument 1 has shape .*; expected \(6, 8, 4, 1\)"):
        compiled(x, w1, w0)
    with pytest.raises(ValueError, match=r"result 0 has shape \(4, 36\); expected \(5, 36\)"):
        compiled(x, w0, w1, out=torch.Tensor(out.array[:4]))
    with pytest.raises(ValueError, match="@chain was given 2 arguments; expected 3"):
        compiled(x, w0)


def test_wrong_strides(gpu, arrays, compiled, torch):
    x, w0, w1, _out = arrays
    wide = gpu.put(np.zeros((5, 48), np.float32))
    message = r"argument 0: it has stride 2 elements in dimension 1, expected 1; pass a contiguous"
    with pytest.raises(ValueError, match=message):
        compiled(torch.Tensor(wide[:, ::2]), w0, w1)
    with pytest.raises(ValueError, match=r"result 0: it has stride 1 elements in dimension 0"):
        compiled(x, w0, w1, out=torch.Tensor(gpu.put(np.zeros((36, 5), np.float32)).T))
    turned = gpu.put(np.zeros((4, 8, 6, 1), np.float32)).transpose(2, 1, 0, 3)
    with pytest.raises(ValueError, match=r"argument 1: it has stride .* pass a contiguous copy"):
        compiled(x, torch.Tensor(turned), w1)
    with pytest.raises(ValueError, match=r"argument 1: it has stride"):
        compiled.bind(torch.Tensor(turned), w1)


def test_wrong_alignment(gpu, arrays, compiled, torch):
    _x, w0, w1, _out = arrays
    odd = gpu.allocate(5 * 24 * 4 + 2)[2:].view(np.float32).reshape(5, 24)
    with pytest.raises(ValueError, match="argument 0: its data is 2 bytes off a multiple of 4"):
        compiled(torch.Tensor(odd), w0, w1)


def test_overlaps(gpu, arrays, compiled, torch):
    x, w0, w1, _out = arrays
    memory = gpu.allocate(5 * 60 * 4).view(np.float32)
    inside = torch.Tensor(memory[: 5 * 24].reshape(5, 24))
    result = torch.Tensor(memory[20 : 20 + 5 * 36].reshape(5, 36))
    with pytest.raises(ValueError, match="result 0 overlaps with argument 0"):
        compiled(inside, w0, w1, out=result)
    weight = torch.Tensor(memory[: 6 * 8 * 4].reshape(6, 8, 4, 1))
    with pytest.raises(ValueError, match="result 0 overlaps argument 1 in memory"):
        compiled(x, weight, w1, out=result)


def test_read_only_results(gpu, arrays, compiled):
    x, w0, w1, out = arrays
    fixed = ks_gpu.Array(out.array)
    fixed.array.flags.writeable = False
    with pytest.raises(ValueError, match="result 0 is read-only; expected an array that can be"):
        compiled(x, w0, w1, out=fixed)


def test_binding(gpu, arrays, compiled):
    x, w0, w1, _out = arrays
    with pytest.raises(ValueError, match="argument 2 of @chain is a weight, and is not bound"):
        compiled.bind(w0)
    with pytest.raises(ValueError, match="got 3 to bind, expected at most 2"):
        compiled.bind(w0, w1, w1)
    g = compiled.bind(w0, w1)
    with pytest.raises(ValueError, match="@chain was given 4 arguments; expected 3"):
        g(x, w0)
    with pytest.raises(TypeError, match="argument 0 is a NoneType"):
        g(None)


def test_frameworks_that_refuse(gpu, arrays, compiled):
    class Refusing(ks_gpu.Array):
        def __dlpack__(self, **_):
            raise BufferError("not today")

    class Strange(ks_gpu.Array):
        def __dlpack__(self, **_):
            return 5

    class Lost(ks_gpu.Array):
        def __dlpack_device__(self):
            raise RuntimeError("sharded")

    x, w0, w1, _out = arrays
    for kind, message in (
        (Refusing, "argument 0, a Refusing, cannot be exported by DLPack: not today"),
        (Strange, "argument 0 is exported as no capsule of DLPack"),
        (Lost, "does not say which device it is on: sharded"),
    ):
        with pytest.raises(ValueError, match=message):
            compiled(kind(x.array), w0, w1)
    capsule = x.__dlpack__()
    _native.read_capsule(capsule)
    with pytest.raises(ValueError, match="one that was used before"):
        _native.read_capsule(capsule)


# --- Faults of the device ------------------------------------------------------


def test_faults_of_launches(gpu, arrays, compiled):
    x, w0, w1, _out = arrays
    g = compiled.bind(w0, w1)
    gpu["launchResult"] = 700
    with pytest.raises(ks.DeviceError, match="launching it failed with CUDA error 700"):
        g(x)
    gpu["launchResult"] = 2
    with pytest.raises(MemoryError, match="free memory of the device, or use a smaller batch"):
        g(x)
    gpu["launchResult"] = 0
    g(x)


def test_no_memory(gpu, compiled):
    arrays = arrays_on(gpu)[:3]
    gpu.emulates = False
    gpu.used = len(gpu.arena)  # the allocator fails
    with pytest.raises(MemoryError, match=r"allocating .* bytes of device memory failed"):
        compiled(*arrays)
