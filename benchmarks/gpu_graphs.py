#!/usr/bin/env python3
# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Times single Kronecker-sparse factors in CUDA graphs, at small batches.

    pip install torch
    python benchmarks/gpu_graphs.py --all --artifacts DIR --runtime libKSRuntimeC.so --preload 8
    python benchmarks/gpu_graphs.py --table docs/gpu_graphs.md       # from the CSV, no GPU

That is how small layers run where latency matters: launches cost the host nothing, but each
has to wait for the one before. A graph holds 100 launches. Where input and output are of one
size, each takes what the one before it left, to and fro between two buffers; their weights
are orthogonal, so that values stay what they are. Elsewhere all have the same input and
output, and wait because the graph is a line. Everything is used again and again: weights,
inputs and outputs come from L2 if they fit.

DIR holds layers that were compiled for each batch: 6,64,64,1-f16-first-8.ks
(make_gpu_artifacts.py --graphs). Peers are those of gpu_factors.py. Every way is compared
with f64, launched alone and at the end of its graph, and ours gives the same bits in the
graph as when the host waits after each launch.

Times are of the GPU, by events around some graphs, which are queued ahead; a launch is a
hundredth of a graph. The ways take turns; the median over the rounds counts.

The CSV grows by a row per case; cases it already holds are skipped.
"""

import argparse
import sys
from pathlib import Path

from gpu_cases import KINDS, PATTERNS, Case, Row, number, read_rows
from gpu_processes import add_run_options, check_run_options, run, run_cases

ROOT = Path(__file__).resolve().parents[1]
BATCHES = [1, 8, 64, 128, 512]
LAUNCHES = 100  # of a graph
PEERS = ["bmm", "einsum", "dense"]
WAYS = ["ks", *PEERS]
FACTORED = ["bmm", "einsum"]  # peers that know of the pattern
FIELDS = [
    *("pattern", "batch", "type", "layout", "status", "floor_us"),
    *(f"{way}_us" for way in WAYS),
    *("ks_minus_floor_us", "ks_over_best", "weight_bytes", "weights_in_l2", "is_chain"),
    *(f"{way}_spread" for way in WAYS),
    *(f"{way}_error" for way in WAYS),
    *("wrong", "notes", "copy_gbps", "peak_tflops", "fma_tflops"),
    *("target", "device", "driver", "date", "torch", "ks"),
]


def finish_row(row: Row) -> None:
    """Fills in what follows from the times. The best is that of bmm and einsum."""
    wrong = row.get("wrong", "").split()
    ks, floor = number(row, "ks_us"), number(row, "floor_us")
    times = [number(row, f"{way}_us") for way in FACTORED if way not in wrong]
    best = min((time for time in times if time > 0), default=0)
    if ks > 0 and floor > 0:
        row["ks_minus_floor_us"] = f"{ks - floor:.4g}"
    if ks > 0 and best:
        row["ks_over_best"] = f"{ks / best:.3f}"


def make_graph_cases(
    kind: str, layout: str, patterns: list = PATTERNS, batches: list[int] = BATCHES
) -> list[Case]:
    return [
        Case(pattern, batch, KINDS[kind], layout, is_fixed=True)
        for pattern in patterns
        for batch in batches
    ]


def make_cases(args: argparse.Namespace, kind: str, layout: str) -> list[Case]:
    return make_graph_cases(kind, layout, args.patterns, args.batch)


def measure(args: argparse.Namespace, kind: str, layout: str, cases: list[Case]) -> int:
    import torch
    from gpu_graph_measure import GraphMeasurement

    def make(marker):
        return GraphMeasurement(args, KINDS[kind], marker)

    # Graphs cannot be captured on the default stream; so everything is on this one.
    with torch.cuda.stream(torch.cuda.Stream()):
        return run_cases(args, kind, layout, cases, make)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--csv", type=Path, default=ROOT / "docs/gpu_graphs.csv", help="where rows go")
    add("--ways", nargs="+", choices=PEERS, default=PEERS, help="others to measure")
    add_run_options(parser, rounds=3, ms=5)
    args = parser.parse_args()
    args.fields = FIELDS
    args.batch = args.batch or BATCHES
    args.patterns = args.patterns or PATTERNS
    check_run_options(parser, args, ["f16", "f32"], ["first"])
    if min(args.batch) < 1:
        parser.error("--batch must be at least 1")
    return args


def main() -> int:
    args = parse_arguments()
    status = run(args, __file__, make_cases, measure)
    if args.table and not args.is_single:
        from gpu_graph_table import write_table

        write_table(list(read_rows(args.csv, FIELDS).values()), args.table)
    return status


if __name__ == "__main__":
    sys.exit(main())
