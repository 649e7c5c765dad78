# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiling, and running on the CPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np

from ks import _native
from ks._arrays import NativeArray, check_writeable, result_dtype, to_native
from ks._chain import Chain
from ks._cuda import CUDAFunction, compile_for_gpu, find_target, is_gpu_target
from ks._dtypes import of_code
from ks._epilogue import Epilogue
from ks._info import ArgumentInfo, CompileTimes, show_signature, to_info

PATHS = ("cpu", "loops", "reference")
RUNGS = ("math", "kernels", "plans", "buffers", "tiles", "machine", "binary")

Result: TypeAlias = "np.ndarray | tuple[np.ndarray, ...] | None"


class CompiledFunction:
    """A function that runs on this machine's CPU; made by ``ks.compile``.

    Call it with NumPy arrays. Arrays of rank 2 may have rows of any pitch, but
    their elements must follow each other; other arrays must be contiguous. It may
    be called from several threads at once; the GIL is released meanwhile.
    """

    def __init__(self, native: _native.Function) -> None:
        self._native = native
        self._input_types = [of_code(code) for code, *_ in native.inputs]
        self._output_types = [of_code(code) for code, *_ in native.outputs]
        self._is_packed = [is_packed for _, _, is_packed, _ in native.inputs]

    @property
    def name(self) -> str:
        return self._native.name

    @property
    def inputs(self) -> tuple[ArgumentInfo, ...]:
        return tuple(map(to_info, self._native.inputs))

    @property
    def outputs(self) -> tuple[ArgumentInfo, ...]:
        return tuple(map(to_info, self._native.outputs))

    @property
    def compile_times(self) -> CompileTimes:
        """In seconds; those of the whole module after ``ks.compile_all``."""
        return CompileTimes(*self._native.compile_times)

    @property
    def library(self) -> str | None:
        """The library that computes dense products, as "OpenBLAS 0.3.21"; None if kernels do.

        Only functions that were compiled for a target with ``:library=blas``, such as
        ``"host:library=blas"``, look for one. The first of them decides for the process.
        """
        return self._native.library or None

    def __repr__(self) -> str:
        return f"<ks.CompiledFunction {show_signature(self.name, self.inputs, self.outputs)}>"

    def __call__(
        self, *arguments: np.ndarray, out: np.ndarray | tuple[np.ndarray, ...] | None = None
    ) -> Result:
        """Runs the function: ``f(x, w0, w1, ..., bias, ..., out=None)``.

        Weights are packed for this call alone, so that the result is always that
        of the arrays as they are now. To pack them once, use `bind`.

        Args:
            arguments: Arrays of the shapes and element types in `inputs`.
            out: Array for the result (a tuple of them if there are several);
                None makes new ones. Must not overlap an argument in memory.

        Returns:
            The result, a tuple of them, or None if there is none.

        Raises:
            TypeError: an argument is no array, or has the wrong element type.
            ValueError: the number, a shape, strides or overlaps are wrong.
        """
        return self._run(None, arguments, out)

    def bind(self, *arguments: np.ndarray) -> BoundFunction:
        """Fixes the arguments after the first: ``g = f.bind(w0, w1); g(x)``.

        Binds arguments 1, 2, ..., which must include all weights, and may include
        what follows them. Their values are copied (weights in packed form), so
        that later changes to the arrays have no effect: bind again instead.

        Raises:
            TypeError: an argument is no array, or has the wrong element type.
            ValueError: a shape is wrong, or a weight is missing.
        """
        count = len(self._input_types)
        if len(arguments) > max(count - 1, 0):
            raise ValueError(
                f"@{self.name} takes {count} arguments, the first of which stays free; got "
                f"{len(arguments)} to bind, expected at most {max(count - 1, 0)}"
            )
        bound = range(1, 1 + len(arguments))
        for number, is_packed in enumerate(self._is_packed):
            if is_packed and number not in bound:
                raise ValueError(
                    f"argument {number} of @{self.name} is a weight, and is not bound; expected "
                    f"all weights in bind(), that is arguments 1 to {self._last_weight()}"
                )
        # Unbound arguments are not looked at when packing.
        packed = self._native.pack(
            [
                to_native(arguments[number - 1], element, f"argument {number}")
                if number in bound
                else _empty(element.code)
                for number, element in enumerate(self._input_types)
            ]
        )
        kept = tuple(
            None if self._is_packed[number] else np.array(argument, copy=True, order="C")
            for number, argument in zip(bound, arguments)
        )
        return BoundFunction(self, packed, kept)

    def _last_weight(self) -> int:
        return max(number for number, is_packed in enumerate(self._is_packed) if is_packed)

    def _run(
        self,
        packed: _native.Packed | None,
        arguments: tuple[np.ndarray | None, ...],
        out: np.ndarray | tuple[np.ndarray, ...] | None,
    ) -> Result:
        """None among `arguments` stands for packed weights."""
        if len(arguments) != len(self._input_types):
            raise ValueError(
                f"@{self.name} was given {len(arguments)} arguments; expected "
                f"{len(self._input_types)}: {self!r}"
            )
        inputs: list[NativeArray] = []
        for number, (argument, element) in enumerate(zip(arguments, self._input_types)):
            if argument is None and packed is not None:
                inputs.append(_empty(element.code))
                continue
            inputs.append(to_native(argument, element, f"argument {number}"))
            if not self._output_types:
                check_writeable(argument, f"argument {number}")
        results = self._results(arguments, inputs, out)
        outputs = [
            to_native(result, element, f"result {number}")
            for number, (result, element) in enumerate(zip(results, self._output_types))
        ]
        self._native.run(packed, inputs, outputs)
        if len(results) == 1:
            return results[0]
        return results or None

    def _results(
        self,
        arguments: tuple[object, ...],
        inputs: list[NativeArray],
        out: np.ndarray | tuple[np.ndarray, ...] | None,
    ) -> tuple[np.ndarray, ...]:
        if out is None:
            return tuple(
                np.empty(
                    self._native.result_shape(number, inputs), result_dtype(element, arguments)
                )
                for number, element in enumerate(self._output_types)
            )
        results = out if isinstance(out, tuple) else (out,)
        if len(results) != len(self._output_types):
            raise ValueError(
                f"out has {len(results)} arrays; expected {len(self._output_types)}, one per result"
            )
        for number, result in enumerate(results):
            check_writeable(result, f"result {number}")
        return results


class BoundFunction:
    """A compiled function with fixed weights; made by `CompiledFunction.bind`.

    ``g(x, *rest, out=None)`` takes the first argument and those that were not
    bound; see `CompiledFunction.__call__`.
    """

    def __init__(
        self,
        function: CompiledFunction,
        packed: _native.Packed,
        kept: tuple[np.ndarray | None, ...],
    ) -> None:
        self._function = function
        self._packed = packed
        self._kept = kept

    @property
    def function(self) -> CompiledFunction:
        return self._function

    def __repr__(self) -> str:
        return f"<ks.BoundFunction of {self._function!r}, {len(self._kept)} bound>"

    def __call__(
        self, *arguments: np.ndarray, out: np.ndarray | tuple[np.ndarray, ...] | None = None
    ) -> Result:
        for number, argument in enumerate(arguments):
            if argument is None:
                raise TypeError(f"argument {number} is None; expected a numpy.ndarray")
        return self._function._run(self._packed, (*arguments[:1], *self._kept, *arguments[1:]), out)


def compile(
    source: Chain | str,
    dtype: object = "f32",
    layout: str = "batch_first",
    target: str = "host",
    *,
    entry: str | None = None,
    batch: int | None = None,
    epilogue: str | Epilogue | None = None,
    precision: str = "ieee",
    frozen: bool | Sequence[int] = False,
    reassoc: bool = False,
    threads: int = 0,
    opt_level: int = 2,
    path: str = "cpu",
) -> CompiledFunction | CUDAFunction:
    """Compiles a chain, or a function of a module in MLIR text.

    Args:
        source: A chain (see `Chain.mlir` for dtype, layout, batch, epilogue, precision,
            frozen and reassoc), or MLIR text, which says all that itself.
        target: Row of the compiler's table of CPUs ("host" is this machine) or GPUs
            ("sm_80", "sm_90", ...; "cuda" is the current one, or else the first).
            "host:library=blas" lets the host's BLAS compute dense products, if it can be
            opened, as cublasLt may for GPUs: see `CUDAFunction.library`.
            Functions for GPUs are `CUDAFunction`. With "sm_..." neither GPU nor driver
            is needed until the function is called.
        entry: Function of the module; None: its only public one.
        frozen, reassoc: Permissions to multiply factors with each other, ahead of time;
            both are needed. That happens when weights are packed: once by `bind`, and
            again for each call that is given weights, which then takes longer than
            without. Either way results are those of the weights that were given.
        threads: To plan for; 0: as many as compiled code uses.
        opt_level: Of LLVM, 0 to 3.
        path: "cpu" (vector kernels), "loops" (scalar loops in the types of the
            program) or "reference" (the same program with all types widened: takes
            and gives f64 or complex128).

    Returns:
        A function of arrays: of NumPy, or for GPUs of whatever exports DLPack.

    Raises:
        CompileError: the module is wrong; the message holds the diagnostics,
            with line:column.
        DeviceError: target is "cuda", but there is no driver or no GPU, or it does not
            take the code.
        TypeError, ValueError: an argument is none of the above.
    """
    options = _options(path, target, threads, opt_level)
    text = _to_text(source, dtype, layout, batch, epilogue, precision, frozen, reassoc)
    if is_gpu_target(target):
        return compile_for_gpu(text, entry, target)
    entries = None if entry is None else [entry]
    return CompiledFunction(_native.compile(text, entries, options)[0])


def compile_all(
    text: str,
    entries: Sequence[str],
    target: str = "host",
    *,
    threads: int = 0,
    opt_level: int = 2,
    path: str = "cpu",
) -> list[CompiledFunction] | list[CUDAFunction]:
    """Compiles several functions of a module in one go; see `compile`."""
    options = _options(path, target, threads, opt_level)
    if isinstance(entries, str):
        raise TypeError(f"entries is the string {entries!r}; expected a list of names")
    if is_gpu_target(target):
        return [compile_for_gpu(text, entry, target) for entry in entries]
    return [CompiledFunction(f) for f in _native.compile(text, list(entries), options)]


def emit(
    source: Chain | str,
    rung: str = "tiles",
    dtype: object = "f32",
    layout: str = "batch_first",
    target: str = "host",
    *,
    batch: int | None = None,
    epilogue: str | Epilogue | None = None,
    precision: str = "ieee",
    frozen: bool | Sequence[int] = False,
    reassoc: bool = False,
    threads: int = 0,
    path: str = "cpu",
) -> str:
    """The IR of a chain or module at a rung of the ladder, as text.

    Args:
        rung: "math", "kernels", "plans", "buffers", "tiles", "machine", or for GPUs "binary" (PTX).
        source, dtype, layout, target, batch, epilogue, precision, frozen, reassoc,
            threads, path: See `compile`.

    Raises:
        CompileError: the module is wrong.
        TypeError, ValueError: an argument is none of the above.
    """
    if rung not in RUNGS:
        raise ValueError(f"rung is {rung!r}; expected one of {', '.join(RUNGS)}")
    if rung == "binary" and not is_gpu_target(target):
        raise ValueError(f"rung is 'binary', which is for GPUs; got target {target!r}")
    options = _options(path, target, threads, opt_level=2)
    text = _to_text(source, dtype, layout, batch, epilogue, precision, frozen, reassoc)
    return _native.emit(text, RUNGS.index(rung), options)


def set_num_threads(threads: int) -> None:
    """How many threads compiled code uses; 0 or less: the default, that is the
    environment variable KS_NUM_THREADS, or the cores that this thread may use."""
    _native.set_num_threads(max(0, min(threads, 1024)))


def get_num_threads() -> int:
    """How many threads compiled code uses at most."""
    return _native.get_num_threads()


def _options(path: str, target: str, threads: int, opt_level: int) -> _native.Options:
    if path not in PATHS:
        raise ValueError(f"path is {path!r}; expected one of {', '.join(PATHS)}")
    if not isinstance(target, str):
        raise TypeError(f"target is {target!r}; expected a string, such as 'host'")
    if not isinstance(threads, int) or threads < 0:
        raise ValueError(f"threads is {threads!r}; expected 0 (all) or more")
    if opt_level not in (0, 1, 2, 3):
        raise ValueError(f"opt_level is {opt_level!r}; expected 0, 1, 2 or 3")
    if is_gpu_target(target):
        for name, is_given in (
            ("path", path != "cpu"),
            ("threads", threads),
            ("opt_level", opt_level != 2),
        ):
            if is_given:
                raise ValueError(f"{name} is for CPUs; expected none with target {target!r}")
        target = find_target(target)
    return _native.Options(PATHS.index(path), target, threads, opt_level)


def _to_text(
    source: Chain | str,
    dtype: object,
    layout: str,
    batch: int | None,
    epilogue: str | Epilogue | None,
    precision: str,
    frozen: bool | Sequence[int],
    reassoc: bool,
) -> str:
    if isinstance(source, Chain):
        return source.mlir(
            dtype, layout, batch, epilogue, precision=precision, frozen=frozen, reassoc=reassoc
        )
    if not isinstance(source, str):
        raise TypeError(f"source is a {type(source).__name__}; expected a ks.Chain or MLIR text")
    given = {
        "dtype": dtype != "f32",
        "layout": layout != "batch_first",
        "batch": batch is not None,
        "epilogue": epilogue is not None,
        "precision": precision != "ieee",
        "frozen": frozen is not False,
        "reassoc": reassoc is not False,
    }
    for name, is_given in given.items():
        if is_given:
            raise ValueError(f"{name} was given with MLIR text; expected it in the text itself")
    return source


def _empty(code: int) -> NativeArray:
    """Stands for an argument that is not looked at."""
    return (0, code, (), ())
