# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs random cases through the compiler and compares them with NumPy, and the chain that is
one kernel with its factors one after the other.

    python test/python/ks_differential.py --seed 1 --case 137 [--long]

shows one case alone: its MLIR, and what is wrong with its result.
"""

from __future__ import annotations

import argparse
import sys
import traceback
from pathlib import Path

import ks_cases
import ks_reference
import numpy as np
from ks_bounded import Bounded
from ks_cases import Case, Data

import ks

#: Cases that are compiled as one module.
GROUP = 50

#: How to draw the cases of a set.
SETS = {"mixed": ks_cases.draw, "long": ks_cases.draw_long}

#: On path "cpu" a chain is one kernel; on "loops" the result of each factor is in memory
#: before the next one begins: fused and unfused, which are compared with each other, too.
#: Per path what to compile with; groups of cases take turns. Targets other than
#: the host change the plan (sizes of vectors and tiles), not the instructions.
OPTIONS = {
    "cpu": (
        {"opt_level": 2, "threads": 1},
        {"opt_level": 1, "threads": 2, "target": "x86-64-v3"},
        {"opt_level": 2, "threads": 4},
        {"opt_level": 2, "threads": 0, "target": "x86-64-v2"},
        {"opt_level": 1, "threads": 1},
        {"opt_level": 2, "threads": 2, "target": "aarch64"},
    ),
    "loops": ({"opt_level": 0}, {"opt_level": 1}),
}


#: The same for sets whose chains are long, which are many: with less to optimize.
QUICK_OPTIONS = {
    "cpu": (
        {"opt_level": 0, "threads": 1},
        {"opt_level": 0, "threads": 2, "target": "x86-64-v3"},
        {"opt_level": 1, "threads": 2},
        {"opt_level": 0, "threads": 1, "target": "x86-64-v2"},
    ),
    "loops": ({"opt_level": 0},),
}


def reference(case: Case, data: Data, tf32: bool = False) -> Bounded:
    """The result and its bound, both of shape (features, batch)."""

    def columns(array: np.ndarray) -> np.ndarray:
        wide = ks_cases.widen(array, case.dtype)
        return wide.T if case.layout == "batch_first" else wide

    epilogue = None
    if case.epilogue:
        extras = [
            columns(extra) if extra.ndim == 2 else ks_cases.widen(extra, case.dtype)[:, None]
            for extra in data.extras
        ]
        epilogue = lambda v: case.epilogue_case.reference(v, *extras)  # noqa: E731
    weights = [ks_cases.widen(weight, case.dtype) for weight in data.weights]
    patterns = [tuple(p) for p in case.chain]
    x = columns(data.x)
    result = ks_reference.chain(
        patterns, weights, x, case.dtype, epilogue, tf32, stored=case.precision
    )
    return case.finish(result)


def compare(case: Case, got: np.ndarray, expected: Bounded) -> str | None:
    """What is wrong with `got`, in the type of its result and the layout of the case."""
    wide = ks_cases.widen(got, case.result_dtype)
    if case.layout == "batch_first":
        wide = wide.T
    error = np.abs(wide - expected.value)
    good = error <= expected.error  # false for NaN
    if good.all():
        return None
    feature, entry = np.argwhere(~good)[0]
    at = feature, entry
    return (
        f"{(~good).sum()} of {good.size} elements are wrong; the first is feature {feature} of "
        f"batch entry {entry}: got {wide[at]}, expected {expected.value[at]} within "
        f"{expected.error[at]:.3g}, off by {error[at]:.3g}"
    )


def compare_paths(case: Case, fused: np.ndarray, unfused: np.ndarray, error) -> str | None:
    """Whether two results of a case differ by more than twice the bound."""
    x, y = (ks_cases.widen(result, case.result_dtype) for result in (fused, unfused))
    difference = np.abs(x - y)
    if case.layout == "batch_first":
        difference = difference.T
    good = difference <= 2 * error  # false for NaN
    if good.all():
        return None
    return (
        f"{(~good).sum()} of {good.size} elements of fused and unfused differ by more than "
        f"twice the bound, by up to {difference[~good].max():.3g}"
    )


def run(case: Case, function: ks.CompiledFunction, data: Data) -> str | None:
    """Runs the case into data.out; what is wrong about memory, if anything."""
    poison = ks_cases.narrow(np.full(data.out.shape, np.nan), case.result_dtype)
    data.out[...] = poison
    bits = [frame.tobytes() for frame in data.frames]
    if case.is_bound:
        function.bind(*data.weights)(data.x, *data.extras, out=data.out)
    else:
        function(data.x, *data.weights, *data.extras, out=data.out)
    # Only the result may have changed.
    result = data.out.copy()
    data.out[...] = poison
    changed = [n for n, frame in enumerate(data.frames) if frame.tobytes() != bits[n]]
    data.out[...] = result
    if changed:
        return f"memory around the arrays changed (frames {changed} of {len(bits)})"
    return None


def compile_cases(
    cases: list[Case], path: str, choices: tuple[dict, ...]
) -> list[ks.CompiledFunction | ks.CompileError]:
    """One module for all; one by one if that is refused, to see which it is."""
    options = choices[cases[0].number // GROUP % len(choices)]
    text = "\n".join(case.mlir() for case in cases)
    try:
        return list(ks.compile_all(text, [case.name for case in cases], path=path, **options))
    except ks.CompileError:
        results: list[ks.CompiledFunction | ks.CompileError] = []
        for case in cases:
            try:
                results.append(ks.compile(case.mlir(), path=path, **options))
            except ks.CompileError as error:
                results.append(error)
        return results


def check(seed: int, numbers: list[int], log: Path | None = None, name: str = "mixed") -> list[str]:
    """Runs cases of one group of a set on all paths; the failures.

    `log` is a file that names what is under way, for the case that it crashes.
    """
    cases = [SETS[name](seed, number) for number in numbers]
    failures = []

    def note(case: Case, path: str, what: str) -> None:
        failures.append(
            f"{what}\n  path {path}, {case}\n  to see it alone: python "
            f"test/python/ks_differential.py --seed {seed} --case {case.number}"
            + " --long"
            * (name == "long")
        )

    options = QUICK_OPTIONS if name == "long" else OPTIONS
    functions = {}
    for path in options:
        if log:
            log.write_text(f"compiling cases {numbers[0]} to {numbers[-1]}, path {path}\n")
        functions[path] = compile_cases(cases, path, options[path])
    for number, case in enumerate(cases):
        data = ks_cases.Maker(case).make()
        with np.errstate(all="ignore"):
            expected = reference(case, data)
        results = []
        for path in options:
            function = functions[path][number]
            if isinstance(function, ks.CompileError):
                note(case, path, f"does not compile: {function}")
                continue
            if log:
                log.write_text(f"running path {path}, {case}\n")
            try:
                wrong = run(case, function, data) or compare(case, data.out, expected)
            except Exception:
                wrong = traceback.format_exc()
            if wrong:
                note(case, path, wrong)
            else:
                results.append(data.out.copy())
        if len(results) == len(options):
            wrong = compare_paths(case, *results, expected.error)
            if wrong:
                note(case, "cpu and loops", wrong)
    return failures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--case", type=int, required=True)
    parser.add_argument("--long", action="store_true", help="of two to ten factors")
    options = parser.parse_args()
    name = "long" if options.long else "mixed"
    case = SETS[name](options.seed, options.case)
    print(case)
    print(case.mlir())
    failures = check(options.seed, [options.case], name=name)
    print("\n".join(failures) or "good on all paths")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
