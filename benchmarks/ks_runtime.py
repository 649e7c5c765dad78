# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiled layers from Python, through the C API of the GPU runtime (ks-c/Runtime.h).

    runtime = Runtime("libKSRuntimeC.so")
    with runtime.load("layer.ks") as layer:
        packed = torch.empty(layer.packed_bytes, dtype=torch.uint8, device="cuda")
        layer.pack([k0], packed, stream)
        work = torch.empty(layer.workspace_bytes(len(x)), dtype=torch.uint8, device="cuda")
        layer.bind(packed, [x, y], work)(stream)

Needs nothing but ctypes. An array is anything with data_ptr(), shape, stride(), dtype and
is_contiguous(), so a torch tensor; a stream is an integer, as
torch.cuda.current_stream().cuda_stream is. 0 is the default stream.
"""

import ctypes
from collections.abc import Callable, Sequence
from ctypes import POINTER, byref, c_char_p, c_int, c_int64, c_size_t, c_uint32, c_void_p
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TYPES = {"float16": 0, "bfloat16": 1, "float32": 2, "float64": 3, "complex64": 4, "complex128": 5}
STATUS = (
    *("KS_OK", "KS_ERROR_NO_DRIVER", "KS_ERROR_NO_DEVICE", "KS_ERROR_ARTIFACT"),
    *("KS_ERROR_ARGUMENT", "KS_ERROR_OUT_OF_MEMORY", "KS_ERROR_COMPILE", "KS_ERROR_CUDA"),
)


class KsBuffer(ctypes.Structure):
    """KsBuffer of ks-c/Types.h."""

    _fields_ = [
        ("data", c_void_p),
        ("type", c_int),
        ("rank", c_int64),
        ("shape", POINTER(c_int64)),
        ("strides", POINTER(c_int64)),
    ]


class KsLayerArgument(ctypes.Structure):
    """KsLayerArgument of ks-c/Runtime.h."""

    _fields_ = [
        ("name", c_char_p),
        ("type", c_int),
        ("rank", c_int64),
        ("shape", POINTER(c_int64)),
        ("isWeight", c_int),
        ("isResult", c_int),
        ("alignment", c_uint32),
    ]


class KsError(RuntimeError):
    """A call that failed; `status` is the name of its code."""

    def __init__(self, code: int, message: str):
        self.status = STATUS[code] if 0 <= code < len(STATUS) else f"status {code}"
        super().__init__(f"{self.status}: {message}")


@dataclass(frozen=True)
class Argument:
    """What a layer says of an argument; sizes that depend on the batch are -1."""

    name: str
    type: int
    shape: tuple[int, ...]
    is_weight: bool
    is_result: bool
    alignment: int


class Buffers:
    """A C array of KsBuffer that describes tensors, and all that it points to."""

    def __init__(self, tensors: Sequence[Any]):
        self.tensors = list(tensors)
        self.array = (KsBuffer * len(self.tensors))()
        self.sizes = []  # kept alive
        for buffer, tensor in zip(self.array, self.tensors):
            rank = len(tensor.shape)
            shape = (c_int64 * rank)(*tensor.shape)
            buffer.data = tensor.data_ptr() or None
            buffer.type = TYPES[str(tensor.dtype).removeprefix("torch.")]
            buffer.rank = rank
            buffer.shape = ctypes.cast(shape, POINTER(c_int64))
            self.sizes.append(shape)
            if not tensor.is_contiguous():
                strides = (c_int64 * rank)(*tensor.stride())
                buffer.strides = ctypes.cast(strides, POINTER(c_int64))
                self.sizes.append(strides)

    def __len__(self) -> int:
        return len(self.tensors)


class Runtime:
    """libKSRuntimeC."""

    def __init__(self, path: str | Path):
        self.library = ctypes.CDLL(str(path))
        layer, array = c_void_p, POINTER(KsBuffer)
        for name, result, arguments in (
            ("ksGetErrorMessage", c_char_p, []),
            ("ksLoadLayer", c_int, [c_char_p, POINTER(layer)]),
            ("ksFreeLayer", None, [layer]),
            ("ksGetNumLayerArguments", c_size_t, [layer]),
            ("ksGetLayerArgument", c_int, [layer, c_size_t, POINTER(KsLayerArgument)]),
            ("ksGetLayerTarget", c_char_p, [layer]),
            ("ksGetLayerPackedBytes", c_int, [layer, POINTER(c_size_t)]),
            ("ksGetLayerWorkspaceBytes", c_int, [layer, c_int64, POINTER(c_size_t)]),
            ("ksPackLayer", c_int, [layer, array, c_size_t, c_void_p, c_size_t, c_void_p]),
            (
                "ksRunLayer",
                c_int,
                [layer, c_void_p, array, c_size_t, c_void_p, c_size_t, c_void_p],
            ),
        ):
            function = getattr(self.library, name)
            function.restype, function.argtypes = result, arguments

    def check(self, code: int) -> None:
        if code:
            raise KsError(code, self.library.ksGetErrorMessage().decode(errors="replace"))

    def load(self, path: str | Path) -> "Layer":
        """For the context that is current, or else device 0: PyTorch's, once it has one."""
        handle = c_void_p()
        self.check(self.library.ksLoadLayer(str(path).encode(), byref(handle)))
        return Layer(self, handle)


class Layer:
    """A loaded artefact."""

    def __init__(self, runtime: Runtime, handle: c_void_p):
        self.runtime, self.handle = runtime, handle
        self.arguments = [self.read_argument(at) for at in range(self.count_arguments())]
        size = c_size_t()
        runtime.check(runtime.library.ksGetLayerPackedBytes(handle, byref(size)))
        self.packed_bytes: int = size.value
        self.target: str = runtime.library.ksGetLayerTarget(handle).decode()

    def __enter__(self) -> "Layer":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Launches of the layer must have ended."""
        self.runtime.library.ksFreeLayer(self.handle)
        self.handle = c_void_p()

    def count_arguments(self) -> int:
        return self.runtime.library.ksGetNumLayerArguments(self.handle)

    def read_argument(self, index: int) -> Argument:
        info = KsLayerArgument()
        self.runtime.check(self.runtime.library.ksGetLayerArgument(self.handle, index, byref(info)))
        return Argument(
            name=info.name.decode(),
            type=info.type,
            shape=tuple(info.shape[: info.rank]),
            is_weight=bool(info.isWeight),
            is_result=bool(info.isResult),
            alignment=info.alignment,
        )

    def workspace_bytes(self, batch: int) -> int:
        size = c_size_t()
        library = self.runtime.library
        self.runtime.check(library.ksGetLayerWorkspaceBytes(self.handle, batch, byref(size)))
        return size.value

    def pack(self, weights: Sequence[Any], packed: Any, stream: int) -> None:
        """Packs all arguments that are weights, in order, into a tensor of bytes."""
        buffers = Buffers(weights)
        library = self.runtime.library
        self.runtime.check(
            library.ksPackLayer(
                *(self.handle, buffers.array, len(buffers)),
                *(packed.data_ptr() or None, packed.numel(), stream or None),
            )
        )

    def bind(self, packed: Any, arrays: Sequence[Any], workspace: Any) -> Callable[[int], None]:
        """A function of the stream that runs the layer on arrays: all arguments that are
        not weights, in order. What it needs is made here, so that a call costs little."""
        buffers = Buffers(arrays)
        run, check, handle = self.runtime.library.ksRunLayer, self.runtime.check, self.handle
        array, count = buffers.array, len(buffers)
        packed_at = packed.data_ptr() or None
        workspace_at, size = workspace.data_ptr() or None, workspace.numel()
        held = (buffers, packed, workspace)

        def call(stream: int) -> None:
            code = run(handle, packed_at, array, count, workspace_at, size, stream or None)
            if code:
                check(code)

        call.held = held  # type: ignore[attr-defined]
        return call
