# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""NumPy arrays as compiled functions see them."""

from __future__ import annotations

import numpy as np

from ks._dtypes import ElementType

# Address, code of the element type, shape, strides in elements.
NativeArray = tuple[int, int, tuple[int, ...], tuple[int, ...]]


def to_native(array: object, element: ElementType, what: str) -> NativeArray:
    """Describes `array`, which the caller keeps alive.

    Shapes, strides, alignment and overlaps are checked by the compiled function.
    """
    if not isinstance(array, np.ndarray):
        raise TypeError(
            f"{what} is a {type(array).__name__}; expected a numpy.ndarray of "
            f"{element.describe()} (use numpy.asarray)"
        )
    if array.dtype not in element.dtypes or not array.dtype.isnative:
        hint = "astype or view" if element.name == "bf16" else "astype"
        raise TypeError(
            f"{what} has dtype {array.dtype}; expected {element.describe()} (convert it with {hint})"
        )
    size = array.itemsize
    if any(stride % size for stride in array.strides):
        raise ValueError(
            f"{what} has strides of {array.strides} bytes; expected multiples of the element's "
            f"{size} bytes (make it contiguous with numpy.ascontiguousarray)"
        )
    strides = tuple(stride // size for stride in array.strides)
    return (array.__array_interface__["data"][0], element.code, array.shape, strides)


def check_writeable(array: np.ndarray, what: str) -> None:
    if isinstance(array, np.ndarray) and not array.flags.writeable:
        raise ValueError(f"{what} is read-only; expected an array that can be written to")


def result_dtype(element: ElementType, arguments: tuple[object, ...]) -> np.dtype:
    """The dtype of a new result: for bf16 that of the first bf16 argument."""
    for argument in arguments:
        if isinstance(argument, np.ndarray) and argument.dtype in element.dtypes:
            return argument.dtype
    return element.dtypes[0]
