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
No compiler is needed here. Without --artifacts only the others are measured.

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
import itertools
import subprocess
import sys
import time
from pathlib import Path

from gpu_cases import (
    BATCH,
    KINDS,
    LAYOUTS,
    PATTERNS,
    PEERS,
    SMALL_BATCHES,
    SMALL_PATTERNS,
    Case,
    Pattern,
    Row,
    drop_rows,
    marker_path,
    read_rows,
)
from gpu_unseen import UNSEEN_PATTERNS, make_unseen_case

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
RESTART = 3  # what a process returns that left the GPU unusable, for itself
MAX_STARTS = 8
START_SECONDS, STALL_SECONDS = 90, 45  # without a sign of life, before and in cases


def say(*words: object) -> None:
    print(*words, file=sys.stderr, flush=True)


def is_done(args: argparse.Namespace, case: Case, row: Row | None) -> bool:
    if row is None:
        return False
    if row["status"] == "no artefact":
        return not (args.artifacts and (args.artifacts / case.artifact).exists())
    return True


def make_cases(args: argparse.Namespace, kind: str, layout: str) -> list[Case]:
    def make(pattern: Pattern, batch: int) -> Case:
        if args.unseen:
            return make_unseen_case(pattern, kind, layout, batch)
        return Case(pattern, batch, KINDS[kind], layout)

    return [make(pattern, batch) for pattern in args.patterns for batch in args.batch]


def find_todo(args: argparse.Namespace, kind: str, layout: str) -> list[Case]:
    """What is left to do."""
    done = read_rows(args.csv)
    cases = make_cases(args, kind, layout)
    return [case for case in cases if not is_done(args, case, done.get(case.key))]


def forget(args: argparse.Namespace) -> None:
    """Takes out of the CSV what is to be measured again."""
    rows = read_rows(args.csv)
    keys = set()
    for kind in args.types:
        for layout in args.layouts:
            marker_path(args.csv, kind, layout).unlink(missing_ok=True)
            keys.update(case.key for case in make_cases(args, kind, layout))
    keys = {key for key in keys if args.redo or rows.get(key, {}).get("status") != "ok"}
    drop_rows(args.csv, keys)


def run_child(command: list[str], marker: Path, seconds: float | None) -> int:
    """The status of the process; one that shows no life for long is ended."""
    process = subprocess.Popen(command)
    begin = alive = time.monotonic()
    stamp = None
    try:
        while True:
            try:
                return process.wait(timeout=1)
            except subprocess.TimeoutExpired:
                now = time.monotonic()
            found = marker.stat().st_mtime_ns if marker.exists() else None
            if found != stamp:
                stamp, alive = found, now
            limit = START_SECONDS if found is None else STALL_SECONDS
            if now - alive > limit or (seconds and now - begin > seconds + 60):
                say(f"*** ended a process that hung: {marker.name}")
                return -1
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def run_all(args: argparse.Namespace) -> int:
    """A process for each type and layout, one after the other."""
    start = time.monotonic()
    failed = []
    # Children get the same arguments; where options are repeated, the last one counts.
    words = [word for word in sys.argv[1:] if word not in ("--all", "--redo", "--retry")]
    for kind, layout in itertools.product(args.types, args.layouts):
        marker = marker_path(args.csv, kind, layout)
        for _ in range(MAX_STARTS):
            if not find_todo(args, kind, layout):
                break
            command = [sys.executable, str(HERE / "gpu_factors.py"), *words]
            command += ["--types", kind, "--layouts", layout]
            left = None
            if args.max_minutes:
                left = args.max_minutes * 60 - (time.monotonic() - start)
                if left <= 0:
                    say("out of time; run again to go on")
                    return 1
                command += ["--max-minutes", f"{left / 60:.3f}"]
            status = run_child(command, marker, left)
            if status == 0:
                break
            if status > 0 and status != RESTART and not marker.exists():
                failed.append(f"{kind} {layout}: status {status}")
                break
        else:
            failed.append(f"{kind} {layout}: gave up after {MAX_STARTS} starts")
    say(f"{(time.monotonic() - start) / 60:.1f} minutes")
    for line in failed:
        say("***", line)
    return 1 if failed else 0


def parse_pattern(text: str) -> Pattern:
    words = text.split(",")
    if len(words) != 4 or not all(word.isdigit() and int(word) > 0 for word in words):
        raise argparse.ArgumentTypeError(f"'{text}' is not a pattern; write it as 6,64,64,1")
    a, b, c, d = map(int, words)
    return a, b, c, d


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--csv", type=Path, help="where rows go (default docs/gpu_factors.csv or gpu_unseen.csv)")
    add("--artifacts", type=Path, metavar="DIR", help="compiled layers")
    add("--runtime", type=Path, metavar="PATH", help="libKSRuntimeC.so")
    add("--all", action="store_true", help="all types and layouts, in processes of their own")
    add("--types", nargs="+", choices=list(KINDS), help="default with --all: all")
    add("--layouts", nargs="+", choices=LAYOUTS, help="default with --all: both")
    lists = parser.add_mutually_exclusive_group()
    lists.add_argument("--small", action="store_true", help="6 patterns, batches 0 to 100003")
    lists.add_argument("--unseen", action="store_true", help="40 patterns drawn at random")
    add("--batch", type=int, nargs="+", help=f"default: {BATCH}")
    add("--patterns", type=parse_pattern, nargs="+", metavar="A,B,C,D", help="default: 36")
    add("--ways", nargs="+", choices=PEERS, default=PEERS, help="others to measure")
    add("--rounds", type=int, default=3, help="turns of each way per case (default 3)")
    add("--ms", type=float, default=25, help="of each turn, in milliseconds (default 25)")
    add("--max-minutes", type=float, help="stop after the case that passes this")
    add("--redo", action="store_true", help="measure also what the CSV holds")
    add("--retry", action="store_true", help="measure again what failed or was wrong")
    add("--ks-version", default="", help="of the compiler that made the layers")
    add("--table", type=Path, metavar="FILE.md", help="write the table, from the CSV")
    add("--picture", type=Path, metavar="FILE.svg", help="draw the picture, from the CSV")
    args = parser.parse_args()
    args.csv = args.csv or ROOT / f"docs/gpu_{'unseen' if args.unseen else 'factors'}.csv"
    args.batch = args.batch or (SMALL_BATCHES if args.small else [BATCH])
    args.patterns = args.patterns or (
        SMALL_PATTERNS if args.small else UNSEEN_PATTERNS if args.unseen else PATTERNS
    )
    if args.unseen and args.picture:
        parser.error("--picture shows the 36 patterns")
    if args.artifacts and not args.runtime:
        parser.error("--artifacts needs --runtime, the path of libKSRuntimeC.so")
    if args.rounds < 1 or any(batch < 0 for batch in args.batch):
        parser.error("--rounds must be at least 1 and --batch at least 0")
    args.is_single = not args.all and bool(args.types or args.layouts)
    if not (args.all or args.is_single or args.table or args.picture):
        parser.error("nothing to do: --all, --types and --layouts, --table or --picture")
    if args.is_single and (len(args.types or []) != 1 or len(args.layouts or []) != 1):
        parser.error("name one type and one layout (--types f16 --layouts first), or --all")
    args.types = args.types or list(KINDS)
    args.layouts = args.layouts or LAYOUTS
    return args


def main() -> int:
    args = parse_arguments()
    for path in (args.artifacts, args.runtime):
        if path and not path.exists():
            say(f"'{path}' does not exist")
            return 2
    status = 0
    if (args.redo or args.retry) and (args.all or args.is_single):
        forget(args)
    if args.all:
        status = run_all(args)
    elif args.is_single:
        kind, layout = args.types[0], args.layouts[0]
        cases = find_todo(args, kind, layout)
        say(f"{kind} {layout}: {len(cases)} cases to do")
        if not cases:
            return 0
        from gpu_measure import run_process

        return run_process(args, KINDS[kind], layout, cases)
    if args.table or args.picture:
        from gpu_table import draw_picture, write_table, write_unseen

        rows = list(read_rows(args.csv).values())
        if args.table:
            (write_unseen if args.unseen else write_table)(rows, args.table)
        if args.picture:
            draw_picture(rows, args.picture, say)
    return status


if __name__ == "__main__":
    sys.exit(main())
