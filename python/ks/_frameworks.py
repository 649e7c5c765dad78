# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Arrays on GPUs, of frameworks that are never imported here: those that the caller
imported are found in sys.modules."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from math import prod
from types import ModuleType
from typing import Any

from ks import _native
from ks._dtypes import ElementType
from ks._streams import LEGACY_DEFAULT, dlpack_stream, get_device

# DLDeviceType: memory of a GPU, and memory that it shares with the CPU.
CUDA, CUDA_MANAGED = 2, 13
_NO_SYNCHRONIZATION = -1
_DLPACK_VERSION = (1, 0)


class DeviceArray:
    """An array on a GPU that exports DLPack, and nothing more: a result for callers
    whose framework KS does not know. Its memory is freed with it, which waits for the GPU.
    """

    def __init__(self, ordinal: int, shape: Sequence[int], element: ElementType) -> None:
        # At least a byte: others may take no null pointers.
        memory = get_device(ordinal).allocate(max(prod(shape) * element.bytes, 1))
        self._tensor = _native.make_tensor(
            memory.address, element.code, shape, contiguous_strides(shape), ordinal, memory
        )
        self._element = element
        self._event: _native.Event | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self._tensor.shape)

    @property
    def dtype(self) -> str:
        """The name of the element type, such as "f32"."""
        return self._element.name

    def __repr__(self) -> str:
        sizes = ", ".join(map(str, self.shape))
        return f"<ks.DeviceArray {self.dtype}[{sizes}] on cuda:{self._tensor.device[1]}>"

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._tensor.device

    def __dlpack__(
        self,
        stream: int | None = None,  # by position from older versions of JAX
        *,
        max_version: tuple[int, int] | None = None,
        dl_device: tuple[int, int] | None = None,
        copy: bool | None = None,
    ) -> object:
        """A capsule. Work that `stream` gets from now on waits for the result; None and 1
        are the legacy default stream, -1 is none."""
        if copy or (dl_device is not None and tuple(dl_device) != self._tensor.device):
            raise BufferError(f"{self!r} is not copied; expected copy=None and its own device")
        if stream == 0 or (stream is not None and stream < -1):
            raise BufferError(
                f"stream is {stream}, which DLPack does not know; expected None, -1, 1, 2 or more"
            )
        if stream != _NO_SYNCHRONIZATION and self._event is not None:
            self._event.wait(LEGACY_DEFAULT if stream in (None, 1) else stream)
        return self._tensor.to_capsule(max_version is not None and max_version[0] >= 1)

    def mark_written(self, event: _native.Event) -> None:
        """Says when the array has its values."""
        self._event = event


def contiguous_strides(shape: Sequence[int]) -> list[int]:
    """In elements."""
    return [prod(shape[dim + 1 :]) for dim in range(len(shape))]


class Framework:
    """What KS asks of a framework; this one knows DLPack only."""

    name = "ks"
    hint = "expected an array on a GPU, such as a torch.Tensor, cupy.ndarray or jax.Array there"
    # Whether memory that was allocated while a graph is captured belongs to the graph.
    owns_captured_memory = False

    def device_of(self, array: Any) -> tuple[int, int]:
        """(DLDeviceType, number)"""
        return array.__dlpack_device__()

    def current_stream(self, ordinal: int) -> int:
        return LEGACY_DEFAULT

    def export(self, array: Any, ordinal: int, stream: int) -> object:
        """A capsule of DLPack, valid for work that is put on `stream` from now on."""
        return self._export_for(array, dlpack_stream(stream))

    def _export_for(self, array: Any, stream: int) -> object:
        try:
            return array.__dlpack__(stream=stream, max_version=_DLPACK_VERSION)
        except TypeError:  # of before DLPack 1.0
            return array.__dlpack__(stream=stream)

    def check_writeable(self, array: Any, what: str) -> None:
        pass

    def allocate(self, size: int, ordinal: int, stream: int) -> tuple[object, int]:
        """Memory for work on `stream`, which is freed with the first object; its address."""
        memory = get_device(ordinal).allocate(size)
        return memory, memory.address

    def keep_for(self, memory: Any, ordinal: int, stream: int) -> None:
        """Lets `memory`, which was allocated for another stream, be used on `stream`."""

    def empty(
        self, shape: Sequence[int], element: ElementType, like: Any, ordinal: int, stream: int
    ) -> Any:
        """A new array, of the dtype of `like` if that is not None."""
        return DeviceArray(ordinal, shape, element)

    def finish(self, array: Any) -> Any:
        """What callers get of an array that `empty` made, and that was written."""
        return array


class Torch(Framework):
    name = "torch"
    hint = "expected it on a GPU (move it with .cuda())"
    owns_captured_memory = True

    def __init__(self, torch: ModuleType) -> None:
        self._torch = torch

    def device_of(self, array: Any) -> tuple[int, int]:
        # The same as __dlpack_device__, which takes longer.
        return (CUDA, array.get_device()) if array.is_cuda else array.__dlpack_device__()

    def current_stream(self, ordinal: int) -> int:
        return self._torch.cuda.current_stream(ordinal).cuda_stream

    def export(self, array: Any, ordinal: int, stream: int) -> object:
        torch = self._torch
        if array.requires_grad:
            if torch.is_grad_enabled():
                raise ValueError(
                    "requires a gradient, which KS does not compute; call the function under "
                    "torch.no_grad(), or pass tensor.detach()"
                )
            array = array.detach()
        if array.is_conj() or array.is_neg():
            raise ValueError(
                "is conjugated or negated lazily; expected values in memory (use "
                "tensor.resolve_conj() and resolve_neg())"
            )
        if array.layout != torch.strided:
            raise ValueError(f"has layout {array.layout}; expected torch.strided")
        if stream == self.current_stream(ordinal):
            return torch.utils.dlpack.to_dlpack(array)  # as __dlpack__(stream=-1), faster
        with torch.cuda.device(ordinal):
            return self._export_for(array, dlpack_stream(stream))

    def _stream(self, ordinal: int, stream: int) -> Any:
        if stream == LEGACY_DEFAULT:
            return self._torch.cuda.default_stream(ordinal)
        return self._torch.cuda.ExternalStream(stream, device=ordinal)

    def _on(self, ordinal: int, stream: int) -> AbstractContextManager:
        """Memory belongs to the stream that is current when it is allocated."""
        if stream == self.current_stream(ordinal):
            return nullcontext()
        return self._torch.cuda.stream(self._stream(ordinal, stream))

    def allocate(self, size: int, ordinal: int, stream: int) -> tuple[object, int]:
        torch = self._torch
        with self._on(ordinal, stream):
            memory = torch.empty(size, dtype=torch.uint8, device=torch.device("cuda", ordinal))
        return memory, memory.data_ptr()

    def keep_for(self, memory: Any, ordinal: int, stream: int) -> None:
        memory.record_stream(self._stream(ordinal, stream))

    def empty(
        self, shape: Sequence[int], element: ElementType, like: Any, ordinal: int, stream: int
    ) -> Any:
        torch = self._torch
        dtype = getattr(torch, element.torch) if like is None else like.dtype
        with self._on(ordinal, stream):
            return torch.empty(tuple(shape), dtype=dtype, device=torch.device("cuda", ordinal))


class CuPy(Framework):
    name = "cupy"

    def __init__(self, cupy: ModuleType) -> None:
        self._cupy = cupy

    def current_stream(self, ordinal: int) -> int:
        with self._cupy.cuda.Device(ordinal):
            handle = self._cupy.cuda.get_current_stream().ptr
        return LEGACY_DEFAULT if handle == 1 else handle

    def export(self, array: Any, ordinal: int, stream: int) -> object:
        is_current = stream == self.current_stream(ordinal)
        with self._cupy.cuda.Device(ordinal):
            number = _NO_SYNCHRONIZATION if is_current else dlpack_stream(stream)
            return self._export_for(array, number)

    def _empty(self, shape: Any, dtype: Any, ordinal: int, stream: int) -> Any:
        cuda = self._cupy.cuda
        with cuda.Device(ordinal):
            if stream == cuda.get_current_stream().ptr:
                return self._cupy.empty(shape, dtype)
            # The pool gives memory back to the stream that is current now.
            with cuda.ExternalStream(stream, ordinal):
                return self._cupy.empty(shape, dtype)

    def allocate(self, size: int, ordinal: int, stream: int) -> tuple[object, int]:
        memory = self._empty(size, "uint8", ordinal, stream)
        return memory, memory.data.ptr

    def empty(
        self, shape: Sequence[int], element: ElementType, like: Any, ordinal: int, stream: int
    ) -> Any:
        dtype = element.dtypes[-1] if like is None else like.dtype
        return self._empty(tuple(shape), dtype, ordinal, stream)


class JAX(Framework):
    """Results are written to memory of our own, which JAX then takes over: its arrays
    cannot be written to. Its streams are not known; DLPack orders work with them."""

    name = "jax"

    def __init__(self, jax: ModuleType) -> None:
        self._jax = jax

    def check_writeable(self, array: Any, what: str) -> None:
        raise ValueError(
            f"{what} is a jax.Array, which is immutable; expected out=None, or an array that can "
            "be written to"
        )

    def finish(self, array: Any) -> Any:
        # Not imported by `import jax` alone.
        return import_module(f"{self._jax.__name__}.dlpack").from_dlpack(array)


_GENERIC = Framework()
_KNOWN = (("torch", "Tensor", Torch), ("cupy", "ndarray", CuPy), ("jax", "Array", JAX))
_adapters: dict[ModuleType, Framework] = {}


# What types of arrays belong to: asked for several times per call.
_by_type: dict[type, Framework] = {}


def framework_of(array: object) -> Framework:
    known = _by_type.get(type(array))
    if known is not None:
        return known
    for name, type_name, adapter in _KNOWN:
        module = sys.modules.get(name)
        array_type = getattr(module, type_name, None)
        if isinstance(array_type, type) and isinstance(array, array_type):
            if module not in _adapters:
                _adapters[module] = adapter(module)
            _by_type[type(array)] = _adapters[module]
            return _adapters[module]
    return _GENERIC


def ordinal_of(array: object, what: str) -> int:
    """The number of the GPU that has the array.

    Raises:
        TypeError: it is no array that exports DLPack.
        ValueError: it is not on a GPU.
    """
    framework = framework_of(array)
    try:
        memory, ordinal = framework.device_of(array)
    except Exception as error:
        if not hasattr(array, "__dlpack__") or not hasattr(array, "__dlpack_device__"):
            raise TypeError(
                f"{what} is a {_name_type(array)}, which does not export DLPack; {framework.hint}"
            ) from None
        raise ValueError(
            f"{what}, a {_name_type(array)}, does not say which device it is on: {error}"
        ) from error
    if memory in (CUDA, CUDA_MANAGED):
        return int(ordinal)
    where = "the CPU's memory" if memory == 1 else f"memory of kind {memory}"
    raise ValueError(
        f"{what} is a {_name_type(array)} in {where}, but the function runs on a GPU; "
        f"{framework.hint}"
    )


def _name_type(array: object) -> str:
    """ "numpy.ndarray"."""
    package = type(array).__module__.split(".")[0]
    return f"{'' if package == 'builtins' else package + '.'}{type(array).__name__}"


def to_tensor(array: object, what: str, ordinal: int, stream: int) -> _native.Tensor:
    """`array`, to be used by work on a stream of GPU `ordinal`, where it is.

    Raises:
        ValueError: its framework does not export it.
    """
    framework = framework_of(array)
    try:
        capsule = framework.export(array, ordinal, stream)
    except ValueError as error:
        raise ValueError(f"{what} {error}") from error
    except Exception as error:
        raise ValueError(
            f"{what}, a {type(array).__name__}, cannot be exported by DLPack: {error}"
        ) from error
    try:
        return _native.read_capsule(capsule)
    except ValueError as error:
        raise ValueError(f"{what} {error}") from None
