# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How the benchmarks for GPUs run: a process for each element type and layout, which a
parent watches, starts again after a crash, and ends when it hangs. Each case is a row of a
CSV; what it holds is not measured again.

A benchmark says what its cases are and how one is measured; the options, and what follows
from them, are here."""

import argparse
import contextlib
import itertools
import json
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from gpu_cases import KINDS, LAYOUTS, Case, Pattern, Row, append_row, drop_rows, read_rows

if TYPE_CHECKING:
    from gpu_measure import Meter

RESTART = 3  # what a process returns that left the GPU unusable, for itself
MAX_STARTS = 8
START_SECONDS, STALL_SECONDS = 90, 45  # without a sign of life, before and in cases

MakeCases = Callable[[argparse.Namespace, str, str], list[Case]]
MeasureCases = Callable[[argparse.Namespace, str, str, list[Case]], int]


def say(*words: object) -> None:
    print(*words, file=sys.stderr, flush=True)


class Fatal(Exception):
    """The GPU can do no more in this process."""


def get_marker_path(path: Path, kind: str, layout: str) -> Path:
    """What a process that fills the CSV at `path` writes while it measures."""
    return path.with_name(f"{path.name}.{kind}-{layout}.running")


class Marker:
    """A file that says what is being measured. It tells the parent that this process is
    alive, and the next process what this one died of."""

    def __init__(self, path: Path):
        self.path = path
        self.state: dict = {}
        if path.exists():
            with contextlib.suppress(ValueError):
                self.state = json.loads(path.read_text())

    def begin(self, case: Case) -> None:
        key = list(case.key)
        tries = self.state.get("tries", 0) if self.state.get("key") == key else 0
        self.state = {"key": key, "tries": tries + 1, "way": ""}
        self.enter("")

    def has_failed(self, case: Case) -> str:
        """The way in which processes died twice in this case, or ''."""
        if self.state.get("key") == list(case.key) and self.state.get("tries", 0) >= 2:
            return self.state.get("way") or "its set-up"
        return ""

    def enter(self, way: str) -> None:
        self.state["way"] = way
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(json.dumps(self.state))

    def clear(self) -> None:
        self.state = {}
        self.path.unlink(missing_ok=True)


# ----------------------------------------------------------------------------------------
# Options
# ----------------------------------------------------------------------------------------


def parse_pattern(text: str) -> Pattern:
    words = text.split(",")
    if len(words) != 4 or not all(word.isdigit() and int(word) > 0 for word in words):
        raise argparse.ArgumentTypeError(f"'{text}' is not a pattern; write it as 6,64,64,1")
    a, b, c, d = map(int, words)
    return a, b, c, d


def add_run_options(
    parser: argparse.ArgumentParser, rounds: int, ms: float, has_patterns: bool = True
) -> None:
    add = parser.add_argument
    add("--artifacts", type=Path, metavar="DIR", help="compiled layers")
    add("--runtime", type=Path, metavar="PATH", help="libKSRuntimeC.so")
    add("--all", action="store_true", help="all types and layouts, in processes of their own")
    add("--types", nargs="+", choices=list(KINDS), help="of --all, or one to measure here")
    add("--layouts", nargs="+", choices=LAYOUTS, help="of --all, or one to measure here")
    add("--batch", type=int, nargs="+", help="instead of those of the benchmark")
    if has_patterns:
        add("--patterns", type=parse_pattern, nargs="+", metavar="A,B,C,D", help="the same")
    add("--rounds", type=int, default=rounds, help="turns of each way (default %(default)s)")
    add("--ms", type=float, default=ms, help="of each turn, in ms (default %(default)s)")
    add("--max-minutes", type=float, help="stop after the case that passes this")
    add("--preload", type=int, default=0, metavar="N", help="let the driver compile all layers "
        "first, in N processes; it keeps the code")  # fmt: skip
    add("--redo", action="store_true", help="measure also what the CSV holds")
    add("--retry", action="store_true", help="measure again what failed or was wrong")
    add("--ks-version", default="", help="of the compiler that made the layers")
    add("--table", type=Path, metavar="FILE.md", help="write the table, from the CSV")


def check_run_options(
    parser: argparse.ArgumentParser,
    args: argparse.Namespace,
    types: list[str],
    layouts: list[str],
    needs_work: bool = True,
) -> None:
    """Fills in what --all means, and refuses what makes no sense."""
    if args.artifacts and not args.runtime:
        parser.error("--artifacts needs --runtime, the path of libKSRuntimeC.so")
    if args.rounds < 1 or any(batch < 0 for batch in args.batch):
        parser.error("--rounds must be at least 1 and --batch at least 0")
    args.is_single = not args.all and bool(args.types or args.layouts)
    if needs_work and not (args.all or args.is_single or args.table):
        parser.error("nothing to do: --all, --types and --layouts, or what to make of the CSV")
    if args.is_single and (len(args.types or []) != 1 or len(args.layouts or []) != 1):
        parser.error("name one type and one layout (--types f16 --layouts first), or --all")
    args.types = args.types or types
    args.layouts = args.layouts or layouts
    for path in (args.artifacts, args.runtime):
        if path and not path.exists():
            parser.error(f"'{path}' does not exist")


# ----------------------------------------------------------------------------------------
# What is left to do
# ----------------------------------------------------------------------------------------


def is_there(args: argparse.Namespace, artifact: str) -> bool:
    return bool(args.artifacts and args.runtime) and (args.artifacts / artifact).exists()


def has_artifact(args: argparse.Namespace, case: Case) -> bool:
    return is_there(args, case.artifact)


def find_todo(args: argparse.Namespace, cases: list[Case]) -> list[Case]:
    done = read_rows(args.csv, args.fields)

    def is_done(case: Case) -> bool:
        row = done.get(case.key)
        return row is not None and not any(is_there(args, a) for a in case.list_missing(row))

    return [case for case in cases if not is_done(case)]


def forget(args: argparse.Namespace, make_cases: MakeCases) -> None:
    """Takes out of the CSV what is to be measured again."""
    rows = read_rows(args.csv, args.fields)
    keys = set()
    for kind, layout in itertools.product(args.types, args.layouts):
        get_marker_path(args.csv, kind, layout).unlink(missing_ok=True)
        keys.update(case.key for case in make_cases(args, kind, layout))
    keys = {key for key in keys if args.redo or rows.get(key, {}).get("status") != "ok"}
    drop_rows(args.csv, keys, args.fields)


def load(task: tuple[Path, Path]) -> None:
    """Has the driver compile the layer, and keep the code for the next process."""
    import torch
    from ks_runtime import KsError, Runtime

    path, library = task
    torch.cuda.init()
    torch.zeros(1, device="cuda")
    try:
        Runtime(library).load(path).close()
    except KsError as error:  # whoever measures it will say so, too
        say(f"*** {path.name}: {error}")


def preload(paths: list[Path], library: Path, jobs: int) -> None:
    start = time.monotonic()
    with get_context("spawn").Pool(jobs) as pool:
        pool.map(load, [(path, library) for path in paths], 8)
    say(f"{len(paths)} layers were loaded in {time.monotonic() - start:.0f} s")


def preload_todo(args: argparse.Namespace, make_cases: MakeCases) -> None:
    names = {
        artifact: None  # in order, once each
        for kind, layout in itertools.product(args.types, args.layouts)
        for case in find_todo(args, make_cases(args, kind, layout))
        for artifact in case.layers
        if is_there(args, artifact)
    }
    if names:
        preload([args.artifacts / name for name in names], args.runtime, args.preload)


# ----------------------------------------------------------------------------------------
# The parent
# ----------------------------------------------------------------------------------------


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


def run_all(args: argparse.Namespace, script: Path, make_cases: MakeCases) -> int:
    """A process for each type and layout, one after the other."""
    start = time.monotonic()
    failed = []
    # Children get the same arguments; where options are repeated, the last one counts.
    words = [word for word in sys.argv[1:] if word not in ("--all", "--redo", "--retry")]
    for kind, layout in itertools.product(args.types, args.layouts):
        marker = get_marker_path(args.csv, kind, layout)
        for _ in range(MAX_STARTS):
            if not find_todo(args, make_cases(args, kind, layout)):
                break
            command = [sys.executable, str(script), *words]
            command += ["--types", kind, "--layouts", layout, "--preload", "0"]
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


def run(args: argparse.Namespace, script: str, make_cases: MakeCases, measure: MeasureCases) -> int:
    """What the options ask to be measured, if anything."""
    if not (args.all or args.is_single):
        return 0
    if args.redo or args.retry:
        forget(args, make_cases)
    if args.preload:
        preload_todo(args, make_cases)
    if args.all:
        return run_all(args, Path(script).resolve(), make_cases)
    kind, layout = args.types[0], args.layouts[0]
    cases = find_todo(args, make_cases(args, kind, layout))
    say(f"{kind} {layout}: {len(cases)} cases to do")
    return measure(args, kind, layout, cases) if cases else 0


# ----------------------------------------------------------------------------------------
# The child
# ----------------------------------------------------------------------------------------


def run_cases(
    args: argparse.Namespace,
    kind: str,
    layout: str,
    cases: list[Case],
    make_meter: Callable[[Marker], "Meter"],
) -> int:
    """Measures the cases, a row each. 0: all done; RESTART: to be started again."""
    start = time.perf_counter()
    marker = Marker(get_marker_path(args.csv, kind, layout))
    meter = make_meter(marker)
    for at, case in enumerate(cases):
        minutes = (time.perf_counter() - start) / 60
        if args.max_minutes and minutes > args.max_minutes:
            say(f"stopped after {minutes:.1f} minutes; run again to go on")
            break
        begin = time.perf_counter()
        dead = marker.has_failed(case)
        if dead:
            row = meter.begin_row(case)
            row["notes"] = f"the process ended, twice, in {dead}"
            append_row(args.csv, row, args.fields)
            marker.clear()
            continue
        marker.begin(case)
        row, is_alive = run_case(meter, case)
        append_row(args.csv, row, args.fields)
        if row["status"] == "failed":
            marker.clear()
            say(f"*** {case.name}, batch {case.batch}: {row['notes']}")
            if not is_alive:
                say("the GPU cannot go on in this process")
                return RESTART
            continue
        say(
            f"[{at + 1}/{len(cases)}, {time.perf_counter() - begin:.1f} s] {kind} {layout} "
            f"{case.name}, batch {case.batch}: {meter.describe()}"
        )
    marker.clear()
    say(f"{kind} {layout}: {(time.perf_counter() - start) / 60:.1f} minutes")
    return 0


def run_case(meter: "Meter", case: Case) -> tuple[Row, bool]:
    """The row, also of a case that fails, and whether the GPU can go on."""
    import torch

    try:
        return meter.run_case(case), True
    except Exception as error:
        # What is left of the CUDA context decides; a failed set-up may be harmless.
        is_alive = not isinstance(error, Fatal)
        row = meter.row
        row["status"] = "failed"
        if is_alive:
            text = f"{type(error).__name__}: {error}".splitlines()[0][:200]
            row["notes"] = "; ".join([*filter(None, [row.get("notes", "")]), text])
            try:
                torch.cuda.synchronize()
                torch.cuda.empty_cache()
            except RuntimeError:
                is_alive = False
        return row, is_alive
