# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Where work on GPUs is put, and what it is checked for before."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

from ks import _native
from ks._dtypes import of_code
from ks._frameworks import Framework, framework_of, ordinal_of
from ks._streams import (
    LEGACY_DEFAULT,
    current_device,
    get_device,
    stream_handle,
    stream_info,
)

_ALIGNMENT = 256  # bytes, of packed weights and workspaces

# Element type, shape with -1 for the batch, whether it is a weight or a result.
Info = tuple[int, Sequence[int], bool, bool]


class Place(NamedTuple):
    """Where work is put."""

    framework: Framework  # that memory is from
    ordinal: int
    device: _native.Device
    stream: int
    stream_id: int
    is_capturing: bool

    @staticmethod
    def of(lead: object, what: str, stream: object) -> Place:
        """The device of an array, and `stream` or its framework's current one."""
        framework = framework_of(lead)
        ordinal = ordinal_of(lead, what)
        handle = framework.current_stream(ordinal) if stream is None else stream_handle(stream)
        device = get_device(ordinal)
        return Place(framework, ordinal, device, handle, *stream_info(device, handle))

    @staticmethod
    def current(stream: object) -> Place:
        """The current device, where there is no array to ask."""
        device = current_device()
        handle = LEGACY_DEFAULT if stream is None else stream_handle(stream)
        return Place(Framework(), device.ordinal, device, handle, *stream_info(device, handle))

    def allocate(self, size: int) -> tuple[object, int]:
        if size == 0:
            return None, 0
        return self.framework.allocate(size, self.ordinal, self.stream)


class Packed:
    """Packed weights, and copies of other arguments, on one GPU."""

    def __init__(
        self, place: Place, memory: Any, address: int, kept: list[_native.Tensor | None]
    ) -> None:
        self.place = place
        self.memory = memory
        self.address = address
        self.kept = kept  # of arguments 1, 2, ...; None for weights
        self._event = None if place.is_capturing else place.device.record(place.stream)
        self._streams = {place.stream_id}

    def has(self, number: int) -> bool:
        return 1 <= number <= len(self.kept)

    def prepare(self, place: Place) -> None:
        """Before the first work on another stream: that waits for the copies."""
        if place.ordinal != self.place.ordinal:
            raise ValueError(
                f"argument 0 is on cuda:{place.ordinal}; expected cuda:{self.place.ordinal}, where "
                "the weights were bound (move it there, or bind them on both)"
            )
        # A graph cannot wait for what is not in it; capturing begins after a wait anyway.
        if place.stream_id in self._streams or place.is_capturing:
            return
        if self._event is not None:
            self._event.wait(place.stream)
        if self.memory is not None:
            self.place.framework.keep_for(self.memory, place.ordinal, place.stream)
        self._streams.add(place.stream_id)


# --- Checks --------------------------------------------------------------------


def check_shape(
    what: str,
    tensor: _native.Tensor,
    info: Info,
    batch: int | None,
) -> int | None:
    """Returns the size of the batch, as far as it is known."""
    got, expected, known = tensor.shape, info[1], batch
    fits = len(got) == len(expected)
    for size, wanted in zip(got, expected) if fits else ():
        if wanted < 0 and batch is None:
            batch = size
        fits = fits and size == (batch if wanted < 0 else wanted)
    if not fits:
        entries = "batch" if known is None else str(known)
        names = [entries if size < 0 else str(size) for size in expected]
        raise ValueError(f"{what} has shape {tuple(got)}; expected ({', '.join(names)})")
    return batch


def check_writeable(array: Any, what: str, tensor: _native.Tensor) -> None:
    framework_of(array).check_writeable(array, what)
    if tensor.is_read_only:
        raise ValueError(f"{what} is read-only; expected an array that can be written to")


class renamed_errors:
    """Turns "array 1 ('arg3'): it has" of the runtime into "argument 3: it has"."""

    def __init__(self, is_weight: list[bool], *, weights: bool) -> None:
        self._listed = [n for n, is_one in enumerate(is_weight) if is_one == weights]

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type | None, error: BaseException | None, _: object) -> None:
        if kind is ValueError:
            text = re.sub(r"array (\d+) \('[^']*'\)", self._name, str(error))
            raise ValueError(text) from None

    def _name(self, match: re.Match) -> str:
        position = int(match[1])
        if position < len(self._listed):
            return f"argument {self._listed[position]}"
        return f"result {position - len(self._listed)}"


def round_up(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def extent_of(tensor: _native.Tensor) -> int:
    """Bytes from the first element to the last."""
    if 0 in tensor.shape:
        return 0
    last = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.strides))
    return max(last + 1, 0) * of_code(tensor.type).bytes
