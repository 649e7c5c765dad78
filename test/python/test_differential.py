# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random chains: both paths of the compiler against NumPy, and against each other, element
by element.

KS_SEED, KS_CASES (default 2026 and 1500), KS_LONG_SEED and KS_LONG_CASES (default a new one
each time, and 1000) choose the cases; a failure says how to see one of them alone.
"""

import multiprocessing
import os
import secrets
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import ks_cases
import ks_differential
import ks_reference
import numpy as np
import pytest
from ks_bounded import Bounded

import ks

SEED = int(os.environ.get("KS_SEED", "2026"))
CASES = int(os.environ.get("KS_CASES", "1500"))
LONG_CASES = int(os.environ.get("KS_LONG_CASES", "1000"))
SEEDS = {
    "mixed": SEED,
    "long": int(os.environ.get("KS_LONG_SEED") or secrets.randbelow(2**32)),
}
GROUPS = [
    (name, range(start, min(start + ks_differential.GROUP, count)))
    for name, count in (("mixed", CASES), ("long", LONG_CASES))
    for start in range(0, count, ks_differential.GROUP)
]


def _check(seed: int, numbers: range, directory: str, name: str) -> list[str]:
    log = Path(directory) / f"worker-{os.getpid()}"
    failures = ks_differential.check(seed, list(numbers), log, name)
    log.write_text("idle\n")
    return failures


@pytest.fixture(scope="module")
def results(request, tmp_path_factory):
    """Futures of all groups that were selected."""
    selected = [
        item.callspec.params["group"]
        for item in request.session.items
        if item.path == request.path
        and hasattr(item, "callspec")
        and "group" in item.callspec.params
    ]
    directory = tmp_path_factory.mktemp("differential")
    # One BLAS thread each; compiled code may use what it likes.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    pool = ProcessPoolExecutor(
        min(len(os.sched_getaffinity(0)), 4), multiprocessing.get_context("spawn")
    )
    futures = {
        group: pool.submit(_check, SEEDS[group[0]], group[1], str(directory), group[0])
        for group in selected
    }
    yield futures, directory
    pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("group", GROUPS, ids=lambda g: f"{g[0]}-{g[1].start}-{g[1].stop - 1}")
def test_chains_agree_with_numpy(results, group):
    futures, directory = results
    name, numbers = group
    try:
        failures = futures[group].result()
    except BrokenProcessPool:
        logs = "".join(log.read_text() for log in directory.iterdir())
        pytest.fail(f"a process crashed (seeds {SEEDS}) while\n{logs}", pytrace=False)
    if failures:
        text = "\n\n".join(failures)
        pytest.fail(
            f"{len(failures)} failures among cases {numbers.start} to {numbers.stop - 1} "
            f"of seed {SEEDS[name]}, {name}:\n{text}",
            pytrace=False,
        )


def test_long_chains_are_of_all_kinds():
    """Among as many as are run there is enough of everything."""
    cases = [ks_cases.draw_long(SEEDS["long"], number) for number in range(1000)]

    def share(is_so) -> float:
        return sum(map(is_so, cases)) / len(cases)

    lengths = Counter(len(case.chain) for case in cases)
    assert set(lengths) == set(range(2, ks_cases.MOST_FACTORS + 1))
    assert min(lengths.values()) >= 4
    assert sum(lengths[count] for count in lengths if count > 4) >= 200
    kinds = Counter((case.dtype, case.layout) for case in cases)
    assert len(kinds) == len(ks_cases.DTYPES) * len(ks.LAYOUTS)
    assert min(kinds.values()) >= 80
    batches = Counter(case.batch for case in cases)
    assert min(batches[batch] for batch in ks_cases.SMALL_BATCHES) >= 100
    assert 10 <= batches[0] <= 80
    assert share(lambda case: case.is_dynamic) > 0.1
    assert 0.3 < share(lambda case: case.chain.is_chainable) < 0.7
    assert share(lambda case: any(case.chain.tied)) > 0.4
    assert share(lambda case: case.epilogue is not None) > 0.5
    assert share(lambda case: any(p.b % 2 or p.c % 2 for p in case.chain)) > 0.5


def test_twice_the_bound_is_all_that_fused_and_unfused_may_differ_by():
    case = next(
        case
        for case in (ks_cases.draw_long(SEED, number) for number in range(1000))
        if case.dtype == "f32" and case.batch > 1
    )
    data = ks_cases.Maker(case).make()
    expected = ks_differential.reference(case, data)
    value = expected.value.T if case.layout == "batch_first" else expected.value
    error = expected.error.T if case.layout == "batch_first" else expected.error
    compare = ks_differential.compare_paths
    assert compare(case, value - 0.9 * error, value + 0.9 * error, expected.error) is None
    assert compare(case, value - 1.1 * error, value + 1.1 * error, expected.error)
    assert compare(case, value, np.full_like(value, np.nan), expected.error)


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
