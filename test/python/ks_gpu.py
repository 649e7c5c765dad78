# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""An emulated GPU for tests of ks.compile(target="cuda"), and frameworks whose arrays
are on it: as much of PyTorch, CuPy and JAX as KS uses, and one that it does not know."""

from __future__ import annotations

import ctypes
import os
import sys
import types
from contextlib import contextmanager
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "gpu"))
import emulate_cases as emulate_cases  # for tests, too
from device_cases import ask_for_kernels as ask_for_kernels
from emulated_device import Device
from ks_arrays import dense, random_arrays

BUILD = Path(os.environ.get("KS_BUILD_DIR", ROOT / "build" / "release"))
DRIVER = BUILD / "test" / "unit" / "libKSFakeDriver.so"

STREAM, OTHER = 0x10, 0x20  # two streams


class GPU(Device):
    """The driver's fields are items: gpu["numDevices"] = 2."""

    def __init__(self):
        self.emulates, self.path = True, DRIVER
        super().__init__(str(DRIVER), size=96 << 20)

    def launch(self, *arguments) -> int:
        return super().launch(*arguments) if self.emulates else 0

    def __setitem__(self, name: str, value: int) -> None:
        assert self.driver.fakeSet(name.encode(), value)

    def __getitem__(self, name: str) -> int:
        return self.driver.fakeGet(name.encode())

    def _read(self, function: str, columns: int = 1) -> list[list[int]]:
        count = getattr(self.driver, function)(*[None] * columns, 0)
        arrays = [(ctypes.c_void_p * count)() for _ in range(columns)]
        getattr(self.driver, function)(*arrays, ctypes.c_size_t(count))
        return [[value or 0 for value in array] for array in arrays]

    def launches(self) -> list[tuple[int, int]]:
        """(stream, device) of each."""
        streams, contexts = self._read("fakeGetLaunches", 2)
        return [(stream, context - 0x8000) for stream, context in zip(streams, contexts)]

    def streams(self) -> list[int]:
        """Of launches, without repetitions."""
        return list(dict.fromkeys(stream for stream, _ in self.launches()))

    def waits(self) -> list[int]:
        return self._read("fakeGetWaits")[0]

    def records(self) -> list[int]:
        return self._read("fakeGetRecords")[0]

    def clear(self) -> None:
        self.driver.fakeClearRecords()

    @contextmanager
    def capturing(self, stream: int):
        self.driver.fakeSetCapturingStream(ctypes.c_void_p(stream))
        yield
        self.driver.fakeSetCapturingStream(None)

    @contextmanager
    def context_of(self, ordinal: int):
        self.driver.cuCtxPushCurrent_v2(ctypes.c_void_p(0x8000 + ordinal))
        yield
        self.driver.cuCtxPopCurrent_v2(ctypes.byref(ctypes.c_void_p()))


# --- Arrays --------------------------------------------------------------------

get_pointer = ctypes.pythonapi.PyCapsule_GetPointer
get_pointer.restype, get_pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]


class Array:
    """An array that exports DLPack; `streams` are those it was asked for. bf16 arrays
    hold their bits, as uint16."""

    def __init__(self, array: np.ndarray, dtype: str | None = None, ordinal: int = 0):
        self.array, self.dtype, self.ordinal = array, dtype or array.dtype.name, ordinal
        self.shape = array.shape
        self.streams: list[int | None] = []

    def __dlpack_device__(self) -> tuple[int, int]:
        return (2, self.ordinal)

    def __dlpack__(self, *, stream=None, max_version=None):
        self.streams.append(stream)
        is_versioned = max_version is not None
        capsule = self.array.__dlpack__(max_version=(1, 0) if is_versioned else None)
        name = b"dltensor_versioned" if is_versioned else b"dltensor"
        start = get_pointer(capsule, name) + (32 if is_versioned else 0)
        (ctypes.c_int32 * 2).from_address(start + 8)[:] = self.__dlpack_device__()
        if self.dtype == "bfloat16":
            ctypes.c_uint8.from_address(start + 20).value = 4
        return capsule


class OldArray(Array):
    """Of a framework from before DLPack 1.0."""

    def __dlpack__(self, *, stream=None):
        return super().__dlpack__(stream=stream)


def make_torch(gpu: GPU) -> types.ModuleType:
    torch = types.ModuleType("torch")
    state = types.SimpleNamespace(stream=0, grad=True, device=0)

    class Tensor(Array):
        is_cuda, requires_grad, layout = True, False, "strided"
        conjugated = False
        used_on: list[int]

        def get_device(self):
            return self.ordinal

        def data_ptr(self):
            return self.array.ctypes.data

        def is_conj(self):
            return self.conjugated

        def is_neg(self):
            return False

        def detach(self):
            return Tensor(self.array, self.dtype, self.ordinal)

        def record_stream(self, stream):
            self.used_on = [*getattr(self, "used_on", []), stream.cuda_stream]

        def __dlpack__(self, *, stream=None, max_version=None):
            assert self.ordinal == state.device, "PyTorch exports from its current device only"
            return super().__dlpack__(stream=stream, max_version=max_version)

    def empty(shape, dtype, device):
        shape = (shape,) if isinstance(shape, int) else shape
        kind = np.dtype({"bfloat16": "uint16"}.get(dtype, dtype))
        memory = gpu.allocate(int(np.prod(shape)) * kind.itemsize)
        tensor = Tensor(memory.view(kind).reshape(shape), dtype, device[1])
        torch.allocations.append((tensor.array.nbytes, state.stream))
        return tensor

    @contextmanager
    def use(stream):
        old, state.stream = state.stream, stream.cuda_stream
        yield
        state.stream = old

    @contextmanager
    def use_device(ordinal):
        old, state.device = state.device, ordinal
        yield
        state.device = old

    def stream(handle, device=None):
        return types.SimpleNamespace(cuda_stream=handle)

    torch.Tensor, torch.empty, torch.strided, torch.state = Tensor, empty, "strided", state
    torch.allocations = []
    torch.device = lambda kind, ordinal: (kind, ordinal)
    for dtype in ("uint8", "float16", "bfloat16", "float32", "float64", "complex64"):
        setattr(torch, dtype, dtype)
    torch.is_grad_enabled = lambda: state.grad
    torch.cuda = types.SimpleNamespace(
        current_stream=lambda ordinal: stream(state.stream),
        default_stream=lambda ordinal: stream(0),
        ExternalStream=stream,
        stream=use,
        device=use_device,
    )
    to_dlpack = lambda tensor: Array.__dlpack__(tensor, stream=-1)  # noqa: E731
    torch.utils = types.SimpleNamespace(dlpack=types.SimpleNamespace(to_dlpack=to_dlpack))
    return torch


def make_cupy(gpu: GPU) -> types.ModuleType:
    cupy = types.ModuleType("cupy")
    state = types.SimpleNamespace(stream=0, device=0)

    class ndarray(Array):
        @property
        def data(self):
            return types.SimpleNamespace(ptr=self.array.ctypes.data)

    def empty(shape, dtype):
        shape = (shape,) if isinstance(shape, int) else shape
        kind = np.dtype(dtype)
        memory = gpu.allocate(int(np.prod(shape)) * kind.itemsize)
        cupy.allocations.append((memory.nbytes, state.stream))
        return ndarray(memory.view(kind).reshape(shape), ordinal=state.device)

    class Use:
        def __init__(self, name, value):
            self.name, self.value = name, value

        def __enter__(self):
            self.old = getattr(state, self.name)
            setattr(state, self.name, self.value)

        def __exit__(self, *_):
            setattr(state, self.name, self.old)

    cupy.ndarray, cupy.empty, cupy.state, cupy.allocations = ndarray, empty, state, []
    cupy.cuda = types.SimpleNamespace(
        Device=lambda ordinal: Use("device", ordinal),
        ExternalStream=lambda handle, ordinal: Use("stream", handle),
        get_current_stream=lambda: types.SimpleNamespace(ptr=state.stream),
    )
    return cupy


def make_jax() -> types.ModuleType:
    """`from_dlpack` asks as JAX does, and keeps what it got."""
    jax = types.ModuleType("jax")
    import ks._native

    class JAXArray(Array):
        pass

    def from_dlpack(external):
        assert external.__dlpack_device__()[0] == 2
        tensor = ks._native.read_capsule(external.__dlpack__(stream=0x77, max_version=(1, 1)))
        result = JAXArray.__new__(JAXArray)
        result.tensor, result.shape, result.streams = tensor, tuple(tensor.shape), []
        return result

    jax.Array = JAXArray
    jax.dlpack = types.ModuleType("jax.dlpack")
    jax.dlpack.from_dlpack = from_dlpack
    return jax


def place(gpu, arrays, kind=Array, **options):
    return [kind(gpu.put(array), **options) for array in arrays]


def arrays_on(gpu, kind=Array, batch=5, **options):
    """x, the weights, and the expected result."""
    x, weights = random_arrays(batch=batch)
    return *place(gpu, [x, *weights], kind, **options), dense(x.astype(np.float64), weights)


def read_tensor(gpu: GPU, tensor, dtype: str = "float32") -> np.ndarray:
    """The elements of a ks._native.Tensor, in the arena."""
    start = tensor.address - gpu.arena.ctypes.data
    kind = np.dtype(dtype)
    count = int(np.prod(tensor.shape))
    return gpu.arena[start : start + count * kind.itemsize].view(kind).reshape(tensor.shape)


def to_bf16(values: np.ndarray) -> np.ndarray:
    """Bits, rounded to nearest even."""
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(np.uint16)


def from_bf16(bits: np.ndarray) -> np.ndarray:
    return (bits.astype(np.uint32) << 16).view(np.float32)
