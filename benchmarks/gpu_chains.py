#!/usr/bin/env python3
# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Times chains of Kronecker-sparse factors on an NVIDIA GPU: this compiler against others.

    pip install torch
    python benchmarks/gpu_chains.py --all --artifacts DIR --runtime libKSRuntimeC.so --preload 8
    python benchmarks/gpu_chains.py --table docs/gpu_chains.md       # from the CSV, no GPU
    python benchmarks/gpu_chains.py --picture docs/gpu_chains.svg    # the same; matplotlib
    python benchmarks/gpu_chains.py --all --groupings --artifacts DIR --runtime libKSRuntimeC.so
    python benchmarks/gpu_chains.py --groupings --table docs/gpu_groupings.md

DIR holds compiled layers, for each chain, type, layout and batch in two variants:
dyadic-1024-f16-first-4096-exact.ks keeps every rounding of the chain as written,
...-free.ks may multiply factors with each other, or all out to the dense matrix, as weights
are frozen. make_gpu_artifacts.py --chains makes them, and beside each a .json that says
what became of the factors. No compiler is needed here. Without --artifacts only the others
are measured.

Batches up to 512 run in CUDA graphs of 100 launches that wait for each other, on memory that
L2 holds (as in gpu_graphs.py), and once more with weights that come from memory. Larger ones
run launch by launch, with inputs and outputs that rotate through more than L2 holds (as in
gpu_factors.py). Results of every way are compared with f64, in outputs filled with NaN
before; the bound carries the rounding of each factor's result.

--energy measures joules of a product as well, by the driver's counter. --groupings measures
all variants that DIR holds, also forced ones (make_gpu_artifacts.py --variant), to see how
good the compiler's choice is; its rows are in docs/gpu_groupings.csv.

The CSV grows by a row per case; cases it already holds are skipped.
"""

import argparse
import sys
from pathlib import Path

from gpu_cases import KINDS, read_rows
from gpu_chain_cases import (
    BATCHES,
    CHOSEN,
    FIELDS,
    GROUPING_BATCHES,
    GROUPING_FIELDS,
    PEERS,
    VARIANTS,
    ChainCase,
    GroupingCase,
    choose_chains,
    make_chain_cases,
)
from gpu_processes import add_run_options, check_run_options, run, run_cases, say

ROOT = Path(__file__).resolve().parents[1]


def find_variants(folder: Path | None, case: ChainCase) -> list[str]:
    """Of the case's layer, all that are there, but each code once: the chosen one comes
    first, and what equals it is not measured again."""
    found: dict[bytes, str] = {}
    stem = f"{case.stem}-"
    paths = sorted(folder.glob(f"{stem}*.ks")) if folder else []
    for path in sorted(paths, key=lambda path: path.stem != f"{stem}{CHOSEN}"):
        found.setdefault(path.read_bytes(), path.stem.removeprefix(stem))
    return list(found.values())


def make_cases(args: argparse.Namespace, kind: str, layout: str) -> list[ChainCase]:
    if not args.groupings:
        variants = {variant: VARIANTS[variant] for variant in args.variants}
        return make_chain_cases(kind, layout, args.titles, args.batch, variants)
    return [
        GroupingCase(case.title, case.batch, case.kind, layout, (variant,))
        for case in make_chain_cases(kind, layout, args.titles, args.batch)
        for variant in find_variants(args.artifacts, case)
    ]


def measure(args: argparse.Namespace, kind: str, layout: str, cases: list[ChainCase]) -> int:
    import torch
    from gpu_chain_measure import ChainMeasurement, GroupingMeasurement

    def make(marker):
        make_meter = GroupingMeasurement if args.groupings else ChainMeasurement
        return make_meter(args, KINDS[kind], cases, marker)

    # Graphs cannot be captured on the default stream; so everything is on this one.
    with torch.cuda.stream(torch.cuda.Stream()):
        return run_cases(args, kind, layout, cases, make)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--csv", type=Path, help="where rows go (default docs/gpu_chains.csv, gpu_groupings.csv)")
    add("--chains", choices=["main", "all"], default="all", help="which (default %(default)s)")
    add("--only", nargs="+", metavar="WORD", help="chains with one of these in their name")
    add("--variants", nargs="+", choices=list(VARIANTS), default=list(VARIANTS), help="of ours")
    add("--ways", nargs="*", choices=[way for way in PEERS if way != "compile"],
        default=PEERS, help="others to measure, besides torch.compile")  # fmt: skip
    add("--compile", choices=["off", "some", "all"], default="some", help="torch.compile, for "
        "which chains (some: the main ones without dyadic; default %(default)s)")  # fmt: skip
    add("--compile-timeout", type=int, default=120, help="seconds (default %(default)s)")
    add("--no-cold", dest="cold", action="store_false", help="leave out cold weights")
    add("--energy", type=float, nargs="?", const=1.0, default=0.0, metavar="SECONDS",
        help="measure joules too, over so long (1 s, at least 0.5)")  # fmt: skip
    add("--groupings", action="store_true", help="all variants of ours, without others")
    add("--picture", type=Path, metavar="FILE.svg", help="draw the picture, from the CSV")
    add_run_options(parser, rounds=3, ms=10, has_patterns=False)
    args = parser.parse_args()
    args.fields = GROUPING_FIELDS if args.groupings else FIELDS
    name = "gpu_groupings" if args.groupings else "gpu_chains"
    args.csv = args.csv or ROOT / f"docs/{name}.csv"
    args.batch = args.batch or (GROUPING_BATCHES if args.groupings else BATCHES)
    args.titles = choose_chains(args.chains, args.only)
    if args.groupings:
        args.ways, args.compile, args.cold, args.energy = [], "off", False, 0.0
    if args.groupings and args.picture:
        parser.error("--picture shows the chains")
    check_run_options(parser, args, ["f16", "bf16"], ["first"], needs_work=not args.picture)
    if min(args.batch) < 1:
        parser.error("--batch must be at least 1")
    if args.energy and args.energy < 0.5:
        parser.error("--energy must be at least 0.5, as the counter moves in steps")
    if not args.titles:
        parser.error("no chain has such a name")
    return args


def main() -> int:
    args = parse_arguments()
    status = run(args, __file__, make_cases, measure)
    if not args.is_single and (args.table or args.picture):
        from gpu_chain_table import write_groupings, write_table

        rows = list(read_rows(args.csv, args.fields).values())
        if args.table:
            (write_groupings if args.groupings else write_table)(rows, args.table)
        if args.picture:
            from gpu_pictures import draw_chains

            draw_chains(rows, args.picture, say)
    return status


if __name__ == "__main__":
    sys.exit(main())
