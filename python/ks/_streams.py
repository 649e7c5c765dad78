# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""CUDA streams, devices, and the memory that belongs to them."""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Callable
from operator import index
from typing import ClassVar

from ks import _native

# What both stand for in CUDA. DLPack calls it 1, the driver 0.
LEGACY_DEFAULT = 0
_LEGACY_HANDLE = 1


def stream_handle(stream: object) -> int:
    """The CUstream of an int or of a stream object of any framework.

    Raises:
        TypeError: `stream` is none of these.
        ValueError: it is negative.
    """
    handle = _ask_for_handle(stream)
    try:
        number = index(handle)  # type: ignore[arg-type]
    except TypeError:
        number = None
    if number is None or isinstance(handle, bool):
        raise TypeError(
            f"stream is {stream!r}; expected None (the current stream), the number of a CUstream, "
            "or an object with __cuda_stream__, cuda_stream or ptr"
        )
    if number < 0:
        raise ValueError(f"stream is {number}; expected a CUstream, or 0 for the default stream")
    return LEGACY_DEFAULT if number == _LEGACY_HANDLE else number


def _ask_for_handle(stream: object) -> object:
    protocol = getattr(stream, "__cuda_stream__", None)
    if protocol is not None:
        # (version, handle); early versions of the protocol had it as a property.
        answer = protocol() if callable(protocol) else protocol
        if isinstance(answer, tuple) and len(answer) == 2:
            return answer[1]
        raise TypeError(
            f"stream has a __cuda_stream__ that gives {answer!r}; expected (version, handle)"
        )
    for name in ("cuda_stream", "ptr"):
        handle = getattr(stream, name, None)
        if handle is not None:
            return handle
    return stream


def dlpack_stream(handle: int) -> int:
    """The number of a stream in `__dlpack__(stream=...)`, where 0 has no meaning."""
    return _LEGACY_HANDLE if handle == LEGACY_DEFAULT else handle


# --- Devices -------------------------------------------------------------------

_devices: dict[int, _native.Device] = {}


def get_device(ordinal: int) -> _native.Device:
    """GPU `ordinal`, opened once. Raises DeviceError if there is none."""
    device = _devices.get(ordinal)
    if device is None:
        # Of two threads that get here the later one wins; both devices work.
        device = _devices[ordinal] = _native.open_device(ordinal)
    return device


def current_device() -> _native.Device:
    """The GPU whose context is current on this thread, or else the first."""
    return get_device(_native.open_device(-1).ordinal)


def stream_info(device: _native.Device, stream: int) -> tuple[int, bool]:
    """A number that no other stream ever gets, and whether a graph is captured."""
    if stream == LEGACY_DEFAULT:
        return -1, False  # cannot be captured
    return device.stream_info(stream)


# --- Workspaces ----------------------------------------------------------------


class Workspace:
    """Memory that work on one stream shares. Hold `lock` while enqueueing that work:
    launches of two threads must not alternate."""

    def __init__(self) -> None:
        self.lock = threading.RLock()  # reentrant: finalizers may run functions, too
        self.owner: object = None
        self.address = 0
        self.size = 0

    def require(self, size: int, allocate: Callable[[int], tuple[object, int]]) -> int:
        """The address of at least `size` bytes. What was there before goes back to an
        allocator that knows the order of work on the stream, or that waits."""
        if size > self.size:
            self.owner, self.address, self.size = None, 0, 0
            self.owner, self.address = allocate(size)
            self.size = size
        return self.address


class Workspaces:
    """The last workspaces that were used, by allocator, device and stream."""

    def __init__(self, limit: int = 32) -> None:
        self._limit = limit
        self._lock = threading.RLock()
        self._entries: OrderedDict[tuple[str, int, int], Workspace] = OrderedDict()

    def get(self, allocator: str, device: int, stream_id: int) -> Workspace:
        key = (allocator, device, stream_id)
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                entry = self._entries[key] = Workspace()
            self._entries.move_to_end(key)
            # One that is in use lives on until it is not.
            old = self._entries.popitem(last=False) if len(self) > self._limit else None
        del old
        return entry

    def clear(self) -> None:
        """Gives all memory back."""
        with self._lock:
            entries = list(self._entries.values())
            self._entries.clear()
        del entries

    def __len__(self) -> int:
        return len(self._entries)


workspaces = Workspaces()


def free_workspaces() -> None:
    """Gives the memory that functions for GPUs work in back to its allocators, such as
    PyTorch's. The next calls allocate it again."""
    workspaces.clear()


# --- Loaded code ---------------------------------------------------------------


class LoadedLayers:
    """The code of a function on each device that it was used on.

    Code must stay while it runs, and when the function is collected its launches may
    not have ended: `bury` keeps it until the next function is loaded, which may wait.
    """

    _buried: ClassVar[deque[tuple[_native.Device, _native.Layer]]] = deque()
    _kept: ClassVar[deque[object]] = deque()

    def __init__(self) -> None:
        self.layers: dict[int, _native.Layer] = {}
        self.captured: list[object] = []
        self.is_captured = False
        self._lock = threading.Lock()

    def get(self, device: _native.Device, ordinal: int, artifact: _native.Artifact):
        layer = self.layers.get(ordinal)
        if layer is not None:
            return layer
        with self._lock:
            if ordinal not in self.layers:
                self.free_buried()
                self.layers[ordinal] = device.load(artifact)
            return self.layers[ordinal]

    def bury(self) -> None:
        """Takes no lock: finalizers run at any time."""
        if self.is_captured:
            self._kept.append((self.layers, self.captured))  # graphs launch it again
            return
        for ordinal, layer in self.layers.items():
            self._buried.append((get_device(ordinal), layer))

    @classmethod
    def free_buried(cls) -> None:
        while cls._buried:
            try:
                device, layer = cls._buried.popleft()
            except IndexError:  # another thread was faster
                return
            device.synchronize()
            del layer
