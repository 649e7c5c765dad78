# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Running on NVIDIA GPUs."""

from __future__ import annotations

import weakref
from typing import Any

from ks import _native
from ks._dtypes import of_code
from ks._frameworks import DeviceArray, Framework, framework_of, ordinal_of, to_tensor
from ks._info import ArgumentInfo, CompileTimes, show_signature, to_info
from ks._places import (
    Info,
    Packed,
    Place,
    check_shape,
    check_writeable,
    extent_of,
    renamed_errors,
    round_up,
)
from ks._streams import LoadedLayers, current_device, workspaces

# Whether `ptxas` assembles code, if it is there; otherwise the driver does.
ASSEMBLE = True


class CUDAFunction:
    """A function that runs on NVIDIA GPUs; made by ``ks.compile(..., target="cuda")``.

    Call it with arrays on a GPU that export DLPack, such as those of PyTorch, CuPy and
    JAX. Arrays of rank 2 may have rows of any pitch, but their elements must follow each
    other; other arrays must be contiguous. Calls put work on a stream and wait for
    nothing; they may come from several threads at once. Code is loaded at the first
    call on each GPU.
    """

    def __init__(self, artifact: _native.Artifact) -> None:
        self._artifact = artifact
        arguments = artifact.arguments
        self._inputs = [info for info in arguments if not info[3]]
        self._outputs = [info for info in arguments if info[3]]
        self._is_weight = [is_weight for _, _, is_weight, _ in self._inputs]
        self._loaded = LoadedLayers()
        # At exit the driver may be gone, and needs no help.
        weakref.finalize(self, self._loaded.bury).atexit = False

    @property
    def name(self) -> str:
        return self._artifact.entry

    @property
    def inputs(self) -> tuple[ArgumentInfo, ...]:
        return tuple(map(to_info, self._inputs))

    @property
    def outputs(self) -> tuple[ArgumentInfo, ...]:
        return tuple(map(to_info, self._outputs))

    @property
    def compile_times(self) -> CompileTimes:
        """In seconds; without the time that the driver takes to load the code."""
        return CompileTimes(*self._artifact.times)

    @property
    def library(self) -> str | None:
        """The library that computes products, as "cublasLt 13.1.0"; None if
        kernels do, and until the code was loaded.

        Only functions with a product that it is predicted to be faster at look for
        one, and none that were compiled for a target with ``:library=none``.
        """
        names = (layer.library for layer in self._loaded.layers.values())
        return next((name for name in names if name), None)

    @property
    def artifact(self) -> bytes:
        """What the C++ and C runtimes load: `ks::Layer::load`, `ksLoadLayerFromMemory`."""
        return self._artifact.to_bytes()

    def __repr__(self) -> str:
        return f"<ks.CUDAFunction {show_signature(self.name, self.inputs, self.outputs)}>"

    def __call__(self, *arguments: Any, out: Any = None, stream: Any = None) -> Any:
        """Runs the function: ``f(x, w0, w1, ..., bias, ..., out=None, stream=None)``.

        Weights are packed for this call alone, so that the result is always that of the
        arrays as they are now. To pack them once, use `bind`.

        Args:
            arguments: Arrays of the shapes and element types in `inputs`, on one GPU;
                bf16 also as uint16.
            out: Array for the result (a tuple of them if there are several), on the same
                GPU; None makes new ones. Must not overlap an argument in memory.
            stream: An int (a CUstream; 0 is the legacy default stream) or a stream object
                of any framework. None: the current stream of PyTorch or CuPy, if the
                first argument is theirs, or else the legacy default stream.

        Returns:
            The result, a tuple of them, or None if there is none: arrays of the framework
            of the first argument, in memory of its allocator. For JAX and unknown
            frameworks KS allocates the memory, which is slower; results for unknown ones
            are `ks.DeviceArray`.

        Raises:
            TypeError: an argument exports no DLPack or has the wrong element type.
            ValueError: the number, a device, a shape, strides, alignment or overlaps are
                wrong, or a framework does not export its array.
            DeviceError: there is no driver or no such GPU, or it reports an error.
            MemoryError: the GPU's memory does not suffice.
        """
        return self._run(None, arguments, out, stream)

    def bind(self, *arguments: Any, stream: Any = None) -> BoundCUDAFunction:
        """Fixes the arguments after the first: ``g = f.bind(w0, w1); g(x)``.

        Binds arguments 1, 2, ..., which must include all weights, and may include what
        follows them. Their values are copied on `stream` (weights in packed form), so
        that later changes to the arrays have no effect: bind again instead. Calls on
        other streams wait for that, on the GPU.

        Raises:
            As a call.
        """
        self._check_bound(len(arguments))
        # Without arrays there may still be constants to pack.
        place = Place.of(arguments[0], "argument 1", stream) if arguments else Place.current(stream)
        tensors = [
            self._to_tensor(array, f"argument {number}", self._inputs[number], place)
            for number, array in enumerate(arguments, 1)
        ]
        batch = None
        for number, tensor in enumerate(tensors, 1):
            batch = check_shape(f"argument {number}", tensor, self._inputs[number], batch)
        return BoundCUDAFunction(self, self._pack(place, tensors), len(arguments))

    def _check_bound(self, count: int) -> None:
        most = max(len(self._inputs) - 1, 0)
        if count > most:
            raise ValueError(
                f"@{self.name} takes {len(self._inputs)} arguments, the first of which stays free; "
                f"got {count} to bind, expected at most {most}"
            )
        weights = [number for number, is_weight in enumerate(self._is_weight) if is_weight]
        for number in weights:
            if not 1 <= number <= count:
                raise ValueError(
                    f"argument {number} of @{self.name} is a weight, and is not bound; expected "
                    f"all weights in bind(), that is arguments 1 to {weights[-1]}"
                )

    def _layer(self, place: Place) -> _native.Layer:
        layer = self._loaded.get(place.device, place.ordinal, self._artifact)
        if place.is_capturing:
            self._loaded.is_captured = True
        return layer

    def _pack(self, place: Place, tensors: list[_native.Tensor]) -> Packed:
        """One block of memory for packed weights and copies of the rest."""
        layer = self._layer(place)
        is_weight = self._is_weight[1 : 1 + len(tensors)]
        offsets, size = [], layer.packed_bytes
        for tensor, packed in zip(tensors, is_weight):
            size = round_up(size)
            offsets.append(size)
            size += 0 if packed else extent_of(tensor)
        memory, address = place.allocate(size)
        weights = [tensor for tensor, packed in zip(tensors, is_weight) if packed]
        with renamed_errors(self._is_weight, weights=True):
            layer.pack(weights, address, layer.packed_bytes, place.stream)
        kept: list[_native.Tensor | None] = []
        for tensor, packed, offset in zip(tensors, is_weight, offsets):
            if packed:
                kept.append(None)
                continue
            start = address + offset
            place.device.copy(start, tensor.address, extent_of(tensor), place.stream)
            kept.append(
                _native.make_tensor(
                    start, tensor.type, tensor.shape, tensor.strides, place.ordinal, memory
                )
            )
        return Packed(place, memory, address, kept)

    def _to_tensor(self, array: Any, what: str, info: Info, place: Place) -> _native.Tensor:
        ordinal = ordinal_of(array, what)
        if ordinal != place.ordinal:
            raise ValueError(
                f"{what} is on cuda:{ordinal}; expected cuda:{place.ordinal}, where the other "
                "arrays are (move it there)"
            )
        tensor = to_tensor(array, what, place.ordinal, place.stream)
        element = of_code(info[0])
        if element.name == "bf16" and tensor.type_name == "uint16":
            tensor.set_type(element.code)
        if tensor.type != element.code:
            also = " or uint16" if element.name == "bf16" else ""
            raise TypeError(
                f"{what} has dtype {tensor.type_name}; expected {element.torch}{also} (convert it)"
            )
        return tensor

    def _run(self, packed: Packed | None, arguments: tuple[Any, ...], out: Any, stream: Any) -> Any:
        """None among `arguments` stands for what is packed."""
        if len(arguments) != len(self._inputs):
            raise ValueError(
                f"@{self.name} was given {len(arguments)} arguments; expected "
                f"{len(self._inputs)}: {self!r}"
            )
        place = self._find_place(packed, arguments, out, stream)
        if packed is not None:
            packed.prepare(place)
        tensors: list[_native.Tensor | None] = []
        batch = None
        for number, (array, info) in enumerate(zip(arguments, self._inputs)):
            what = f"argument {number}"
            if packed is not None and packed.has(number):
                tensor = packed.kept[number - 1]
            else:
                tensor = self._to_tensor(array, what, info, place)
            if tensor is not None:
                batch = check_shape(what, tensor, info, batch)
                if not self._outputs:
                    check_writeable(array, what, tensor)
            tensors.append(tensor)
        results = self._results(arguments, out, batch, place)
        written = [
            self._to_tensor(result, f"result {number}", info, place)
            for number, (result, info) in enumerate(zip(results, self._outputs))
        ]
        for number, (result, tensor, info) in enumerate(zip(results, written, self._outputs)):
            check_shape(f"result {number}", tensor, info, batch)
            check_writeable(result, f"result {number}", tensor)
            if out is not None:
                self._check_overlap(f"result {number}", tensor, tensors)
        self._launch(place, packed, tensors, written, batch)
        return self._finish(results, out, place)

    def _find_place(
        self, packed: Packed | None, arguments: tuple[Any, ...], out: Any, stream: Any
    ) -> Place:
        if arguments:
            return Place.of(arguments[0], "argument 0", stream)
        if self._outputs and out is not None:
            return Place.of(out[0] if isinstance(out, tuple) else out, "result 0", stream)
        return Place.current(stream)

    def _results(
        self, arguments: tuple[Any, ...], out: Any, batch: int | None, place: Place
    ) -> tuple[Any, ...]:
        if out is not None:
            results = out if isinstance(out, tuple) else (out,)
            if len(results) != len(self._outputs):
                raise ValueError(
                    f"out has {len(results)} arrays; expected {len(self._outputs)}, one per result"
                )
            return results
        return tuple(
            place.framework.empty(
                [batch if size < 0 else size for size in shape],
                of_code(code),
                self._like(code, arguments, place.framework),
                place.ordinal,
                place.stream,
            )
            for code, shape, _, _ in self._outputs
        )

    def _like(self, code: int, arguments: tuple[Any, ...], framework: Framework) -> Any:
        """An argument of element type `code`, whose dtype is that of the result."""
        for array, info in zip(arguments, self._inputs):
            if array is not None and info[0] == code and framework_of(array) is framework:
                return array
        return None

    def _check_overlap(
        self, what: str, result: _native.Tensor, tensors: list[_native.Tensor | None]
    ) -> None:
        """Against weights; the runtime sees to the rest."""
        for number, (tensor, is_weight) in enumerate(zip(tensors, self._is_weight)):
            if tensor is None or not is_weight:
                continue
            low, high = sorted((tensor, result), key=lambda array: array.address)
            if high.address < low.address + extent_of(low) and extent_of(high):
                raise ValueError(
                    f"{what} overlaps argument {number} in memory; expected memory of its own"
                )

    def _launch(
        self,
        place: Place,
        packed: Packed | None,
        tensors: list[_native.Tensor | None],
        results: list[_native.Tensor],
        batch: int | None,
    ) -> None:
        layer = self._layer(place)
        weights = [t for t, is_weight in zip(tensors, self._is_weight) if is_weight]
        arrays = [t for t, is_weight in zip(tensors, self._is_weight) if not is_weight] + results
        size = layer.workspace_bytes(1 if batch is None else batch)
        front = 0 if packed is not None else round_up(layer.packed_bytes)

        def enqueue(address: int) -> None:
            at = address if packed is None else packed.address
            if front:
                with renamed_errors(self._is_weight, weights=True):
                    layer.pack(weights, at, front, place.stream)
            with renamed_errors(self._is_weight, weights=False):
                layer.run(at, arrays, address + front if size else 0, size, place.stream)

        if place.is_capturing:
            # The graph runs on any stream, and later: the memory is its own.
            memory, address = place.allocate(front + size)
            if not place.framework.owns_captured_memory:
                self._loaded.captured.append(memory)
            enqueue(address)
            return
        workspace = workspaces.get(place.framework.name, place.ordinal, place.stream_id)
        with workspace.lock:
            enqueue(workspace.require(front + size, place.allocate))

    def _finish(self, results: tuple[Any, ...], out: Any, place: Place) -> Any:
        for result in results:
            if isinstance(result, DeviceArray):
                result.mark_written(place.device.record(place.stream))
        if out is None:
            results = tuple(map(place.framework.finish, results))
        if len(results) == 1:
            return results[0]
        return results or None


class BoundCUDAFunction:
    """A function for GPUs with fixed weights; made by `CUDAFunction.bind`.

    ``g(x, *rest, out=None, stream=None)`` takes the first argument and those that were
    not bound; see `CUDAFunction.__call__`.
    """

    def __init__(self, function: CUDAFunction, packed: Packed, count: int) -> None:
        self._function = function
        self._packed = packed
        self._bound = (None,) * count

    @property
    def function(self) -> CUDAFunction:
        return self._function

    def __repr__(self) -> str:
        return f"<ks.BoundCUDAFunction of {self._function!r}, {len(self._bound)} bound>"

    def __call__(self, *arguments: Any, out: Any = None, stream: Any = None) -> Any:
        merged = (*arguments[:1], *self._bound, *arguments[1:])
        return self._function._run(self._packed, merged, out, stream)


# --- Compiling -----------------------------------------------------------------


def is_gpu_target(target: object) -> bool:
    return isinstance(target, str) and (_is_current(target) or target.startswith("sm_"))


def _is_current(target: str) -> bool:
    """Whether it is "cuda", perhaps with what there is otherwise behind a colon."""
    return target.partition(":")[0] == "cuda"


def find_target(target: str) -> str:
    """A row of the compiler's table of GPUs; "cuda" is the current device's, with what the
    device has otherwise, as in "sm_90:multiprocessors=114". What follows "cuda", such as
    ":library=none", follows that.

    Raises:
        DeviceError: there is no driver or no GPU, or it is too old.
    """
    if not _is_current(target):
        return target
    device = current_device()
    name = _native.find_gpu_target(device)
    if not name:
        major, minor = divmod(device.capability, 10)
        raise _native.DeviceError(
            f"cuda:{device.ordinal} ({device.name}) has compute capability {major}.{minor}; "
            "expected 8.0 or later (use target='host' to run on the CPU)"
        )
    return name + target.removeprefix("cuda")


def compile_for_gpu(text: str, entry: str | None, target: str) -> CUDAFunction:
    """For "cuda" the code is loaded at once, so that errors come early."""
    function = CUDAFunction(
        _native.build_artifact(text, entry, find_target(target), assemble=ASSEMBLE)
    )
    if _is_current(target):
        device = current_device()
        function._loaded.get(device, device.ordinal, function._artifact)
    return function
