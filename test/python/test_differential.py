# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random chains: both paths of the compiler against NumPy, element by element.

KS_SEED and KS_CASES (default 2026 and 2000) choose the cases; a failure says how
to see one of them alone.
"""

import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import ks_cases
import ks_differential
import ks_reference
import numpy as np
import pytest
from ks_bounded import Bounded

SEED = int(os.environ.get("KS_SEED", "2026"))
CASES = int(os.environ.get("KS_CASES", "2000"))
GROUPS = [
    range(start, min(start + ks_differential.GROUP, CASES))
    for start in range(0, CASES, ks_differential.GROUP)
]


def _check(seed: int, numbers: range, directory: str) -> list[str]:
    log = Path(directory) / f"worker-{os.getpid()}"
    failures = ks_differential.check(seed, list(numbers), log)
    log.write_text("idle\n")
    return failures


@pytest.fixture(scope="module")
def results(request, tmp_path_factory):
    """Futures of all groups that were selected, by their first case."""
    selected = [
        item.callspec.params["numbers"]
        for item in request.session.items
        if item.path == request.path
        and hasattr(item, "callspec")
        and "numbers" in item.callspec.params
    ]
    directory = tmp_path_factory.mktemp("differential")
    # One BLAS thread each; compiled code may use what it likes.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    pool = ProcessPoolExecutor(
        min(len(os.sched_getaffinity(0)), 4), multiprocessing.get_context("spawn")
    )
    futures = {
        numbers.start: pool.submit(_check, SEED, numbers, str(directory)) for numbers in selected
    }
    yield futures, directory
    pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("numbers", GROUPS, ids=lambda r: f"{r.start}-{r.stop - 1}")
def test_chains_agree_with_numpy(results, numbers):
    futures, directory = results
    try:
        failures = futures[numbers.start].result()
    except BrokenProcessPool:
        logs = "".join(log.read_text() for log in directory.iterdir())
        pytest.fail(f"a process crashed (seed {SEED}) while\n{logs}", pytrace=False)
    if failures:
        text = "\n\n".join(failures)
        pytest.fail(
            f"{len(failures)} failures among cases {numbers.start} to {numbers.stop - 1} "
            f"of seed {SEED}:\n{text}",
            pytrace=False,
        )


# --- Does the bound bite? ----------------------------------------------------


def _accumulate(pattern, weight, x, dtype):
    """A factor with sums in `dtype`, one k after another, rounded to f16."""
    a, b, c, d = pattern
    blocks = x.reshape(a, 1, c, d, -1)
    total = np.zeros((a, b, d, x.shape[1]), dtype)
    for k in range(c):
        product = weight[:, :, k, :, None].astype(dtype) * blocks[:, :, k].astype(dtype)
        total = (total + product).astype(dtype)
    return total.reshape(a * b * d, -1).astype(np.float16)


@pytest.fixture(params=[(1, 8, 512, 1), (4, 16, 128, 2), (1, 3, 1024, 3), (2, 64, 64, 1)], ids=str)
def f16_factor(request):
    pattern = request.param
    rng = np.random.default_rng(SEED)
    weight = (rng.standard_normal(pattern) / np.sqrt(pattern[2])).astype(np.float16)
    x = rng.standard_normal((pattern[0] * pattern[2] * pattern[3], 64)).astype(np.float16)
    expected = ks_reference.chain(
        [pattern], [weight.astype(np.float64)], x.astype(np.float64), "f16"
    )
    return pattern, weight, x, expected


def _is_within(got: np.ndarray, expected: Bounded) -> bool:
    return bool((np.abs(got.astype(np.float64) - expected.value) <= expected.error).all())


def test_the_bound_admits_f32_accumulation(f16_factor):
    pattern, weight, x, expected = f16_factor
    assert _is_within(_accumulate(pattern, weight, x, np.float32), expected)


def test_the_bound_refuses_f16_accumulation(f16_factor):
    pattern, weight, x, expected = f16_factor
    assert not _is_within(_accumulate(pattern, weight, x, np.float16), expected)


def test_the_bound_refuses_a_dropped_k(f16_factor):
    pattern, weight, x, expected = f16_factor
    dropped = weight.copy()
    dropped[0, 0, -1, 0] = 0
    assert not _is_within(_accumulate(pattern, dropped, x, np.float32), expected)


def test_the_bound_refuses_a_wrong_j(f16_factor):
    pattern, weight, x, expected = f16_factor
    wrong = np.roll(weight, 1, axis=3 if pattern[3] > 1 else 2)
    assert not _is_within(_accumulate(pattern, wrong, x, np.float32), expected)


def test_the_bound_refuses_rounding_twice(f16_factor):
    """A result that was truncated instead of rounded to nearest."""
    pattern, weight, x, expected = f16_factor
    exact = _accumulate(pattern, weight, x, np.float32)
    nudged = np.nextafter(exact, np.where(expected.value > 0, np.inf, -np.inf).astype(np.float16))
    nudged = np.nextafter(nudged, np.where(expected.value > 0, np.inf, -np.inf).astype(np.float16))
    assert not _is_within(nudged, expected)


@pytest.mark.parametrize("dtype", ks_cases.DTYPES)
def test_the_bound_refuses_mutated_chains(dtype):
    """In most random chains one weight too few is seen."""
    seen = total = number = 0
    while total < 20:
        case = ks_cases.draw(SEED, number)
        number += 1
        if case.dtype != dtype or case.batch < 3 or case.epilogue or case.is_small:
            continue
        data = ks_cases.Maker(case).make()
        weights = [weight.copy() for weight in data.weights]
        for weight in weights[-1:]:
            weight[0, 0, 0, 0] = 0 if np.any(weight[0, 0, 0, 0]) else weight.flat[-1]
        expected = ks_differential.reference(case, data)
        data.weights = weights
        mutated = ks_differential.reference(case, data)
        error = np.abs(mutated.value - expected.value)
        seen += bool((error > expected.error).any())
        total += 1
    assert seen >= 0.8 * total
