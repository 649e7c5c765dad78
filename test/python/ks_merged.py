# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random chains whose factors may be merged, and a bound for whatever becomes of them.

Any neighbours may be multiplied with each other, so a weight may be rounded that the
program does not have, and a sum may run over all features. With A = |K_n| ... |K_1| |x|,
which bounds all intermediates of all ways to multiply,

    e_out = |K| e_in + ((N + c + 4) u_acc + 2 u_type) A

for each factor, and what gradual underflow loses: of a merged weight and of a result.
u_acc is four times that of the type if it is complex, as in ks_reference.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator

import ks_cases
import ks_reference
import numpy as np
from ks_bounded import Bounded
from ks_cases import Case, Data

import ks

MAX_FEATURES = 256


def permit(text: str) -> str:
    """The program with frozen weights and products that may be merged."""
    text = re.sub(r"(%w\d+: tensor<[^<>]*(?:<[^>]*>)?>)", r"\1 {ks.frozen}", text)
    return re.sub(r"(precision\(\w+\))", r"\1 fastmath<reassoc>", text)


def _dyadic(case: Case) -> ks.Chain:
    """Of 2x2 blocks or a few larger ones, tied now and then."""
    rng = np.random.default_rng([case.seed, case.number, 2])
    count, size = int(rng.integers(2, 7)), int(rng.choice([2, 2, 2, 3]))
    count = min(count, 4) if size == 3 else count
    patterns = [(size ** (count - 1 - t), size, size, size**t) for t in range(count)]
    tied = ["".join(axis for axis in "ad" if rng.random() < 0.3) for _ in patterns]
    return ks.Chain(patterns, tied)


def draw(seed: int) -> Iterator[Case]:
    """Cases with chains of at least two factors that are not too large to be multiplied out
    while somebody waits; every other one is dyadic."""
    number = 0
    while True:
        case = ks_cases.draw(seed, number)
        number += 1
        if case.number % 2:
            case = dataclasses.replace(case, chain=_dyadic(case))
        features = max(max(p.in_features, p.out_features) for p in case.chain)
        if len(case.chain) > 1 and features <= MAX_FEATURES:
            yield case


def reference(case: Case, data: Data, tf32: bool = False) -> Bounded:
    """The result and its bound, both of shape (features, batch)."""

    def columns(array: np.ndarray) -> np.ndarray:
        wide = ks_cases.widen(array, case.dtype)
        return wide.T if case.layout == "batch_first" else wide

    storage, accumulator = ks_reference.PRECISIONS[case.dtype]
    times = 4 if case.dtype.startswith("complex") else 1
    value = columns(data.x)
    error, most = np.zeros(value.shape), np.abs(value)  # most: A
    for p, narrow in zip(case.chain, data.weights):
        pattern = tuple(p)
        weight = ks_cases.widen(narrow, case.dtype)
        terms = p.in_features + p.c + 4
        growth = terms * accumulator.unit * times + 2 * storage.unit
        if tf32:
            growth += 2 * 2.0**-11 * 1.1 + 2.0**-22
        tiny = storage.tiny * (1 + p.in_features * most.max(initial=0))
        value = ks_reference.multiply(pattern, weight, value)
        error = ks_reference.multiply(pattern, np.abs(weight), error)
        most = ks_reference.multiply(pattern, np.abs(weight), most)
        error = error + growth * (most + error) + tiny + terms * accumulator.tiny
    result = Bounded(value, error, accumulator)
    if case.epilogue:
        extras = [
            columns(extra) if extra.ndim == 2 else ks_cases.widen(extra, case.dtype)[:, None]
            for extra in data.extras
        ]
        result = case.epilogue_case.reference(result, *extras)
    return result.stored_as(storage)
