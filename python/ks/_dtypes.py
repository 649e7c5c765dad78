# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Element types: their names here, in MLIR and in NumPy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

try:
    from ml_dtypes import bfloat16
except ImportError:
    bfloat16 = None


@dataclass(frozen=True)
class ElementType:
    """One of the six element types."""

    name: str  # "f16", ...
    code: int  # KsElementType
    mlir: str  # "complex<f32>", ...
    accumulator: str  # in MLIR
    dtypes: tuple[np.dtype, ...]  # that arrays may have; the first is preferred

    @property
    def is_complex(self) -> bool:
        return self.mlir != self.name

    @property
    def bytes(self) -> int:
        return self.dtypes[0].itemsize

    @property
    def torch(self) -> str:
        """Its name in PyTorch, and in messages about arrays on GPUs."""
        return "bfloat16" if self.name == "bf16" else self.dtypes[0].name

    def describe(self) -> str:
        return " or ".join(str(dtype) for dtype in self.dtypes)


def _bf16_dtypes() -> tuple[np.dtype, ...]:
    bits = np.dtype(np.uint16)
    return (bits,) if bfloat16 is None else (np.dtype(bfloat16), bits)


TYPES = (
    ElementType("f16", 0, "f16", "f32", (np.dtype(np.float16),)),
    ElementType("bf16", 1, "bf16", "f32", _bf16_dtypes()),
    ElementType("f32", 2, "f32", "f32", (np.dtype(np.float32),)),
    ElementType("f64", 3, "f64", "f64", (np.dtype(np.float64),)),
    ElementType("complex64", 4, "complex<f32>", "complex<f32>", (np.dtype(np.complex64),)),
    ElementType("complex128", 5, "complex<f64>", "complex<f64>", (np.dtype(np.complex128),)),
)

_ALIASES = {
    "float16": "f16",
    "bfloat16": "bf16",
    "float32": "f32",
    "float64": "f64",
    "c64": "complex64",
    "c128": "complex128",
}


def element_type(dtype: object) -> ElementType:
    """The element type called `dtype`: a name, or a NumPy dtype.

    Raises:
        ValueError: there is no such element type.
    """
    name = dtype if isinstance(dtype, str) else _name_of(dtype)
    name = _ALIASES.get(name, name)
    for candidate in TYPES:
        if candidate.name == name:
            return candidate
    names = ", ".join(candidate.name for candidate in TYPES)
    raise ValueError(f"dtype is {dtype!r}; expected one of {names}")


def of_code(code: int) -> ElementType:
    """The element type of a KsElementType."""
    return TYPES[code]


def _name_of(dtype: object) -> str:
    try:
        return np.dtype(dtype).name  # type: ignore[call-overload]
    except TypeError:
        return repr(dtype)
