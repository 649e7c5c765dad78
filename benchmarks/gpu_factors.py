#!/usr/bin/env python3
# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Times single Kronecker-sparse factors on an NVIDIA GPU: this compiler against others.

    pip install torch triton
    python benchmarks/gpu_factors.py --all --artifacts DIR --runtime libKSRuntimeC.so
    python benchmarks/gpu_factors.py --all --small --artifacts DIR --runtime libKSRuntimeC.so
    python benchmarks/gpu_factors.py --all --unseen --artifacts DIR --runtime libKSRuntimeC.so
    python benchmarks/gpu_factors.py --table docs/gpu_factors.md     # from the CSV, no GPU
    python benchmarks/gpu_factors.py --picture docs/gpu_factors.svg  # the same; matplotlib

DIR holds compiled layers, one for each pattern, type and layout: 6,64,64,1-f16-first.ks
(ks-run --chain 6,64,64,1 --type f16 --layout first --batch 25088 --target sm_90 --emit
artifact -o ...), and for other batches one for any: 6,64,64,1-f16-first-any.ks (--batch any).
make_gpu_artifacts.py makes them. No compiler is needed here. Without --artifacts only the others are measured.

--unseen takes 40 patterns that nobody tuned for (gpu_unseen.py), with rows of their own:
docs/gpu_unseen.csv, and the page by --unseen --table docs/gpu_unseen.md. Where 25088 is
too large a batch, that of the layer is in its name: 51,99,122,8-f32-first-22144.ks.

Each element type and layout has a process of its own, which measures what the GPU can do
(a copy, a large product) and then ours and all others, case after case. A case is measured
in rounds in which the ways take turns. Times are those of the GPU, by events, with launches
queued ahead; the median over the rounds counts. Inputs and outputs rotate through more
memory than L2 holds; weights do not. Weights are arranged ahead of all timing. Results of
every way are compared with f64, in outputs filled with NaN before.

The CSV grows by a row per case; cases it already holds are skipped.
"""

import argparse
import sys
from pathlib import Path

from gpu_cases import (
    BATCH,
    FIELDS,
    KINDS,
    LAYOUTS,
    PATTERNS,
    PEERS,
    SMALL_BATCHES,
    SMALL_PATTERNS,
    Case,
    Pattern,
    read_rows,
)
from gpu_processes import add_run_options, check_run_options, run, run_cases, say
from gpu_unseen import UNSEEN_PATTERNS, make_unseen_case

ROOT = Path(__file__).resolve().parents[1]


def make_cases(args: argparse.Namespace, kind: str, layout: str) -> list[Case]:
    def make(pattern: Pattern, batch: int) -> Case:
        if args.unseen:
            return make_unseen_case(pattern, kind, layout, batch)
        return Case(pattern, batch, KINDS[kind], layout)

    return [make(pattern, batch) for pattern in args.patterns for batch in args.batch]


def measure(args: argparse.Namespace, kind: str, layout: str, cases: list[Case]) -> int:
    from gpu_measure import Measurement

    def make(marker):
        return Measurement(args, KINDS[kind], cases, marker)

    return run_cases(args, kind, layout, cases, make)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--csv", type=Path, help="where rows go (default docs/gpu_factors.csv or gpu_unseen.csv)")
    lists = parser.add_mutually_exclusive_group()
    lists.add_argument("--small", action="store_true", help="6 patterns, batches 0 to 100003")
    lists.add_argument("--unseen", action="store_true", help="40 patterns drawn at random")
    add("--ways", nargs="+", choices=PEERS, default=PEERS, help="others to measure")
    add("--picture", type=Path, metavar="FILE.svg", help="draw the picture, from the CSV")
    add_run_options(parser, rounds=3, ms=25)
    args = parser.parse_args()
    args.fields = FIELDS
    args.csv = args.csv or ROOT / f"docs/gpu_{'unseen' if args.unseen else 'factors'}.csv"
    args.batch = args.batch or (SMALL_BATCHES if args.small else [BATCH])
    args.patterns = args.patterns or (
        SMALL_PATTERNS if args.small else UNSEEN_PATTERNS if args.unseen else PATTERNS
    )
    if args.unseen and args.picture:
        parser.error("--picture shows the 36 patterns")
    check_run_options(parser, args, list(KINDS), LAYOUTS, needs_work=not args.picture)
    return args


def main() -> int:
    args = parse_arguments()
    status = run(args, __file__, make_cases, measure)
    if not args.is_single and (args.table or args.picture):
        from gpu_table import write_table, write_unseen

        rows = list(read_rows(args.csv).values())
        if args.table:
            (write_unseen if args.unseen else write_table)(rows, args.table)
        if args.picture:
            from gpu_pictures import draw_factors

            draw_factors(rows, args.picture, say)
    return status


if __name__ == "__main__":
    sys.exit(main())
