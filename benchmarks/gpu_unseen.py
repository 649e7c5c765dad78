# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Patterns that nobody chose and nothing was tuned for: a draw with a fixed seed."""

import random
from collections.abc import Callable

from gpu_cases import BATCH, KINDS, PATTERNS, Case, Pattern

SEED = 1
ALIGNED, ODD = 30, 10  # how many
MAX_FEATURES = 65536  # of the input, and of the output
MAX_BYTES = 8 * 10**9  # of both together
STEP = 8  # features in 16 bytes of f16
BATCH_STEP = 128


def is_aligned(pattern: Pattern) -> bool:
    """Whether what belongs to a group is a multiple of 16 bytes, also in f16."""
    _, b, c, d = pattern
    return b * d % STEP == 0 and c * d % STEP == 0


def is_odd(pattern: Pattern) -> bool:
    """Whether some row, of the input or of the output, is not such a multiple."""
    a, b, c, d = pattern
    return a * b * d % STEP != 0 or a * c * d % STEP != 0


def draw_sizes(rng: random.Random) -> Pattern:
    """a and d from 1 to 128, b and c from 8 to 1024, uniform in their logarithms."""

    def log_uniform(low: int, high: int) -> int:
        return round(low * (high / low) ** rng.random())

    return log_uniform(1, 128), log_uniform(8, 1024), log_uniform(8, 1024), log_uniform(1, 128)


def align(pattern: Pattern) -> Pattern:
    """With b and c rounded. To refuse what is not aligned would leave few small d."""
    a, b, c, d = pattern
    step = next(step for step in (1, 2, 4, 8) if step * d % STEP == 0)
    return a, round(b / step) * step, round(c / step) * step, d


def draw_patterns() -> list[Pattern]:
    """The aligned ones, and behind them the odd ones."""
    rng = random.Random(SEED)
    found: list[Pattern] = []

    def draw(count: int, change: Callable[[Pattern], Pattern], is_wanted: Callable) -> None:
        end = len(found) + count
        while len(found) < end:
            pattern = a, b, c, d = change(draw_sizes(rng))
            is_new = pattern not in found and pattern not in PATTERNS
            if is_new and is_wanted(pattern) and a * d * max(b, c) <= MAX_FEATURES:
                found.append(pattern)

    draw(ALIGNED, align, is_aligned)
    draw(ODD, lambda pattern: pattern, is_odd)
    return found


UNSEEN_PATTERNS = draw_patterns()


def make_unseen_case(pattern: Pattern, kind: str, layout: str, batch: int = BATCH) -> Case:
    """With a smaller batch where input and output would be too large."""
    most = MAX_BYTES // Case(pattern, 1, KINDS[kind], layout).array_bytes
    if batch > most:
        batch = most // BATCH_STEP * BATCH_STEP
    return Case(pattern, batch, KINDS[kind], layout, is_fixed=True)
