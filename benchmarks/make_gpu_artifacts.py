#!/usr/bin/env python3
# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles the layers that gpu_factors.py and gpu_graphs.py run. Needs ks-run, no GPU.

    python benchmarks/make_gpu_artifacts.py --out DIR                # of gpu_factors.py
    python benchmarks/make_gpu_artifacts.py --small --unseen --out DIR
    python benchmarks/make_gpu_artifacts.py --graphs --out DIR       # of gpu_graphs.py

A layer that is there already is not made again: after a change of the compiler, use another
folder. (gpu_plans.py makes its own.)
"""

import argparse
import itertools
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gpu_cases import BATCH, KINDS, LAYOUTS, PATTERNS, SMALL_BATCHES, SMALL_PATTERNS, Case
from gpu_graphs import make_graph_cases
from gpu_unseen import UNSEEN_PATTERNS, make_unseen_case

ROOT = Path(__file__).resolve().parents[1]
BUILD = Path(os.environ.get("KS_BUILD_DIR", ROOT / "build" / "release"))


def list_cases(args: argparse.Namespace, kind: str, layout: str) -> list[Case]:
    """Of all lists that were asked for, or else the 36 patterns."""
    cases = []
    if not (args.small or args.unseen or args.graphs):
        cases += [Case(pattern, BATCH, KINDS[kind], layout) for pattern in PATTERNS]
    if args.small:
        for pattern, batch in itertools.product(SMALL_PATTERNS, SMALL_BATCHES):
            cases.append(Case(pattern, batch, KINDS[kind], layout))
    if args.unseen:
        cases += [make_unseen_case(pattern, kind, layout) for pattern in UNSEEN_PATTERNS]
    if args.graphs:
        cases += make_graph_cases(kind, layout)
    return cases


def make(args: argparse.Namespace, case: Case) -> str:
    """What went wrong, or ''."""
    part = args.out / (case.artifact + ".part")
    command = [args.ks_run, *case.options, "--target", args.target]
    command += ["--emit", "artifact", "--no-cubin", "-o", part]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return f"{case.artifact}: {done.stderr.strip()}"
    part.replace(args.out / case.artifact)  # whole, or not there
    return ""


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--small", action="store_true", help="of gpu_factors.py --small")
    add("--unseen", action="store_true", help="of gpu_factors.py --unseen")
    add("--graphs", action="store_true", help="of gpu_graphs.py")
    add("--types", nargs="+", choices=list(KINDS), default=list(KINDS))
    add("--layouts", nargs="+", choices=LAYOUTS, default=LAYOUTS)
    add("--target", default="sm_90")
    add("--ks-run", type=Path, default=BUILD / "bin" / "ks-run")
    add("--jobs", type=int, default=os.cpu_count())
    add("--out", type=Path, metavar="DIR", required=True)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    cases = {
        case.artifact: case
        for kind, layout in itertools.product(args.types, args.layouts)
        for case in list_cases(args, kind, layout)
    }
    missing = [case for name, case in cases.items() if not (args.out / name).exists()]
    with ThreadPoolExecutor(args.jobs) as pool:
        failures = list(filter(None, pool.map(lambda case: make(args, case), missing)))
    print("".join(f"{failure}\n" for failure in failures), end="")
    print(f"{len(missing) - len(failures)} made, {len(failures)} failed", end=", ")
    print(f"{len(cases) - len(missing)} were there")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
