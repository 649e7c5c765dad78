# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What f32 products promise, on data that make it hard to keep.

Element by element the error is at most max(c, 8) 2^-24 Σ|K||x| + c 2^-126, and in RMS,
relative to Σ|K||x|, at most twice that of FMAs one after the other. Infinities and NaNs
come out where those give them.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from plan_kinds import find_plans, spread

KINDS = ["random", "positive", "cancelling", "wide", "denormal", "huge", "nonfinite"]


def get_options(pattern, layout: str, target: str, batch: int) -> list[str]:
    """Of ks-run."""
    options = ["--chain", ",".join(map(str, pattern)), "--type", "f32", "--layout", layout]
    return [*options, "--batch", str(batch), "--target", target]


def find_split_plans(ks_run: Path, options: list[str], count: int) -> list[str]:
    """Plans that differ in what warps do, and in who copies."""

    def get_kind(plan: str, fields: dict[str, str]):
        if "mma16_split" not in plan:
            return None
        return fields["copies"], fields["n"], fields["weights"], fields["vector"]

    return spread(find_plans(ks_run, options, get_kind), count)


def make(kind: str, pattern: tuple[int, ...], batch: int, seed: int):
    """Activations [batch, a, c, d] and weights [a, b, c, d], f32."""
    a, b, c, d = pattern
    rng = np.random.default_rng(seed)
    x, weight = rng.standard_normal((batch, a, c, d)), rng.standard_normal((a, b, c, d))
    if kind == "positive":
        x, weight = np.abs(x), np.abs(weight)
    elif kind == "cancelling":  # each k and its neighbour, but for the last bits
        x[:, :, 1::2] = x[:, :, : c // 2 * 2 : 2]
        weight[:, :, 1::2] = -weight[:, :, : c // 2 * 2 : 2]
        weight *= 1 + rng.integers(-4, 5, weight.shape) * 2.0**-20
    elif kind == "wide":
        x *= 2.0 ** rng.integers(-60, 61, x.shape)
        weight *= 2.0 ** rng.integers(-60, 61, weight.shape)
    elif kind == "denormal":
        x *= 2.0 ** rng.integers(-132, -124, x.shape)
        weight *= 2.0**20
    elif kind == "huge":  # half of them round up to infinity in tf32
        largest = float(np.finfo(np.float32).max)
        x = np.where(rng.random(x.shape) < 0.5, largest, largest / 2) * np.sign(x)
        weight *= 2.0**-20
    elif kind == "nonfinite":
        for array in (x, weight):
            where = rng.random(array.shape) < 0.002
            array[where] = rng.choice([np.inf, -np.inf, np.nan], where.sum(), p=[0.4, 0.4, 0.2])
    return with_low_nans(x.astype(np.float32)), with_low_nans(weight.astype(np.float32))


def with_low_nans(array: np.ndarray) -> np.ndarray:
    """All NaNs such that only their last bit tells them from infinities."""
    array.view(np.uint32)[np.isnan(array)] = 0x7F800001
    return array


def multiply(x: np.ndarray, weight: np.ndarray):
    """In [batch, a, b, d]: the sums, those of absolute values, and what FMAs make of it."""
    batch, _, c, _ = x.shape
    a, b, _, d = weight.shape
    wide_x, wide_weight = x.astype(np.longdouble), weight.astype(np.longdouble)
    exact = np.zeros((batch, a, b, d), np.longdouble)
    size, fma = exact.copy(), np.zeros(exact.shape, np.float32)
    for k in range(c):
        product = wide_x[:, :, k][:, :, None] * wide_weight[:, :, k][None]
        exact += product
        size += np.abs(product)
        fma = (product + fma).astype(np.float32)
    return exact, size, fma


class Errors(NamedTuple):
    """Of results that are finite in f32."""

    beyond: int  # results whose error is beyond the bound
    worst: float  # error, as a part of the bound
    rms: float  # relative to the sum of absolute values
    rms_fma: float  # of FMAs
    fma: np.ndarray  # what those make of it, all of them

    def __str__(self) -> str:
        rms, rms_fma = self.rms * 2**24, self.rms_fma * 2**24
        return (
            f"worst {self.worst:.2f} of the bound, RMS {rms:.3f} (FMAs {rms_fma:.3f}) 2^-24 Σ|K||x|"
        )


def get_errors(x: np.ndarray, weight: np.ndarray, y: np.ndarray) -> Errors:
    """Of `y`, [batch, a, b, d]."""
    c = weight.shape[2]
    with np.errstate(all="ignore"):
        exact, size, fma = multiply(x, weight)
        is_finite = np.isfinite(fma) & (size < np.finfo(np.float32).max)
        error, error_fma = (np.abs(array - exact)[is_finite] for array in (y, fma))
        size = size[is_finite]
        bound = max(c, 8) * 2.0**-24 * size + c * 2.0**-126
        rms, rms_fma = (
            float(np.sqrt(np.mean(np.square(array / np.maximum(size, 1e-300)))))
            for array in (error, error_fma)
        )
        beyond, worst = int((~(error <= bound)).sum()), float(np.nanmax(error / bound))
    return Errors(beyond, worst, rms, rms_fma, fma)


def check(kind: str, y: np.ndarray, errors: Errors) -> str | None:
    """What is wrong with `y`, if anything."""
    if errors.beyond:
        return f"{kind}: {errors.beyond} errors beyond the bound; worst {errors.worst:.3g} of it"
    if not errors.rms <= 2 * errors.rms_fma + 2.0**-40:
        return f"{kind}: RMS error {errors.rms:.3g}, of FMAs {errors.rms_fma:.3g}"
    if kind == "nonfinite":
        fma = errors.fma
        same = np.isnan(y) == np.isnan(fma)
        same &= (np.isinf(y) == np.isinf(fma)) & (np.isnan(y) | np.isfinite(y) | (y == fma))
        if not same.all():
            return f"{kind}: {(~same).sum()} of {same.size} results are not what f32 gives"
        if np.isfinite(y).all():
            return f"{kind}: nothing to see"
    return None
