# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kronecker-sparse chains in NumPy, with a bound for each element's error.

Shares nothing with the compiler. For a factor with weight K, input x (error
e_in) and result y, the bound is that of the contract of numbers,

    e_out = |K| e_in + (c + 2) u_acc |K| |x| + u_type |y|,

with |x| and |y| enlarged by their own errors, which makes it rigorous, and with
an absolute term for denormals. u_acc is that of f32 for f16 and bf16 and of the
type otherwise, times four if it is complex. For float64 and complex128 the
reference errs as much as the program: both are counted.
"""

from __future__ import annotations

import numpy as np
from ks_bounded import Bounded, Precision

F16 = Precision(2.0**-11, 2.0**-24)
BF16 = Precision(2.0**-8, 2.0**-133)
F32 = Precision(2.0**-24, 2.0**-149)
F64 = Precision(2 * 2.0**-53, 2.0**-1073)  # the program and the reference

# Of storage, of accumulation.
PRECISIONS = {
    "f16": (F16, F32),
    "bf16": (BF16, F32),
    "f32": (F32, F32),
    "f64": (F64, F64),
    "complex64": (F32, F32),
    "complex128": (F64, F64),
}


def multiply(pattern, weight, x):
    """K x for x of shape (features, batch) and a weight with 1 where it is tied."""
    a, b, c, d = pattern
    full = np.broadcast_to(weight, (a, b, c, d)).transpose(0, 3, 1, 2)
    blocks = x.reshape(a, c, d, -1).transpose(0, 2, 1, 3)
    y = np.matmul(full, blocks)  # (a, d, b, batch)
    return y.transpose(0, 2, 1, 3).reshape(a * b * d, x.shape[1])


def factor(pattern, weight, x: Bounded, dtype: str, tf32: bool = False) -> Bounded:
    """One factor before its result is rounded; `weight` and `x` are wide.

    With tf32, both factors of each product are rounded to 10 bits first.
    """
    c = pattern[2]
    _, accumulator = PRECISIONS[dtype]
    growth = (c + 2) * accumulator.unit * (4 if dtype.startswith("complex") else 1)
    if tf32:
        growth += 2 * 2.0**-11 * (1 + growth) + 2.0**-22
    error = multiply(pattern, np.abs(weight), (1 + growth) * x.error + growth * np.abs(x.value))
    return Bounded(
        multiply(pattern, weight, x.value), error + (c + 2) * accumulator.tiny, accumulator
    )


def chain(
    patterns,
    weights,
    x,
    dtype: str,
    epilogue=None,
    tf32: bool = False,
    stored: Precision | None = None,
) -> Bounded:
    """The chain on x of shape (features, batch); all arrays are wide.

    `epilogue` maps the Bounded accumulator of the last factor. The result is `stored` in
    the type of the chain if nothing else is said.
    """
    storage, accumulator = PRECISIONS[dtype]
    result = Bounded(x, np.zeros(x.shape), accumulator)
    for number, (pattern, weight) in enumerate(zip(patterns, weights)):
        result = factor(pattern, weight, result, dtype, tf32)
        is_last = number + 1 == len(patterns)
        if epilogue and is_last:
            result = epilogue(result)
        result = result.stored_as(stored if stored and is_last else storage)
    return result
