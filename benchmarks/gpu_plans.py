#!/usr/bin/env python3
# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""How good the planner is: what it predicts of plans, and what they take.

    python benchmarks/gpu_plans.py --make DIR                    # no GPU; needs ks-run
    python benchmarks/gpu_plans.py --run DIR --runtime libKSRuntimeC.so   # needs PyTorch
    python benchmarks/gpu_plans.py --table docs/gpu_plans.csv    # no GPU

For each problem the plans that are ranked first are compiled, and some of those behind
them, farther and farther apart: these tell how far the model holds. All are then timed as
in gpu_factors.py, and a CSV has a row for each. Constants of the model
(lib/Analysis/GPUCost.cpp) are fitted to it, and the table says how well they fit.
"""

import argparse
import csv
import json
import statistics
import subprocess
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gpu_cases import BATCH, KINDS, LAYOUTS, PATTERNS, Case, Kind
from gpu_processes import preload

ROOT = Path(__file__).resolve().parents[1]
FIRST = 10  # ranks that are all compiled
FIELDS = ["pattern", "batch", "type", "layout", "rank", "predicted_us", "limit", "measured_us"]
FIELDS += ["floor_us", "plan", "device", "date"]


def choose_ranks(count: int, farther: int) -> list[int]:
    """The first ones, and `farther` others, with growing distances."""
    ranks = list(range(min(FIRST, count)))
    step = 1.0
    for _ in range(farther):
        step *= 1.5
        rank = ranks[-1] + round(step)
        if rank >= count:
            break
        ranks.append(rank)
    return ranks


def make_case(args: argparse.Namespace, case: Case) -> list[dict]:
    base = [args.ks_run, *case.options, "--target", "sm_90"]
    listed = subprocess.run(
        [*base, "--plans", "400", "--json"], check=True, capture_output=True, text=True
    )
    entries = json.loads(listed.stdout)
    made = []
    for rank in choose_ranks(len(entries), args.farther):
        entry = entries[rank]
        name = f"{case.name}-{case.kind.name}-{case.layout}-{case.batch}-{rank}.ks"
        command = [*base, "--plan", entry["plan"], "--emit", "artifact", "--no-cubin"]
        subprocess.run([*command, "-o", args.make / name], check=True, capture_output=True)
        made.append(
            {
                "pattern": list(case.pattern),
                "batch": case.batch,
                "type": case.kind.name,
                "layout": case.layout,
                "rank": rank,
                "file": name,
                **{key: entry[key] for key in ("predicted_us", "limit", "plan")},
            }
        )
    return made


def make(args: argparse.Namespace, cases: list[Case]) -> int:
    args.make.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(args.jobs) as pool:
        made = [
            entry for entries in pool.map(lambda c: make_case(args, c), cases) for entry in entries
        ]
    (args.make / "plans.json").write_text(json.dumps(made, indent=1))
    print(f"{len(made)} plans of {len(cases)} problems")
    return 0


def run(args: argparse.Namespace) -> int:
    """Rows for all that --make made."""
    entries = json.loads((args.run / "plans.json").read_text())
    preload([args.run / entry["file"] for entry in entries], args.runtime, args.jobs)
    groups = defaultdict(list)
    for entry in entries:
        groups[entry["type"]].append(entry)
    with args.csv.open("w", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        writer.writeheader()
        for kind, members in groups.items():
            for row in time_plans(args, KINDS[kind], members):
                writer.writerow(row)
                file.flush()
    return 0


def time_plans(args: argparse.Namespace, kind: Kind, entries: list[dict]):
    import contextlib
    import datetime

    import torch
    from gpu_measure import Buffers, bind_layer, make_weight, make_workspace, pack_layer
    from gpu_timing import Timer, get_device_info, measure_copy, measure_peak, set_precision
    from ks_runtime import Runtime

    torch.set_grad_enabled(False)
    torch.cuda.init()
    set_precision(kind)
    device, _, _ = get_device_info()
    copy, peak = measure_copy(), measure_peak(kind)
    torch.cuda.empty_cache()
    cases = [Case(tuple(e["pattern"]), e["batch"], kind, e["layout"]) for e in entries]
    total = torch.cuda.get_device_properties(0).total_memory
    buffers = Buffers(cases, kind, int(0.4 * total))
    runtime = Runtime(args.runtime)
    stream = torch.cuda.current_stream().cuda_stream
    for case, entry in zip(cases, entries):
        if not buffers.fit(case):
            continue
        xs, ys = buffers.take(case)
        with contextlib.ExitStack() as stack:
            layer = stack.enter_context(runtime.load(args.run / entry["file"]))
            packed = pack_layer(layer, [make_weight(case)])
            workspace = make_workspace(layer, case.batch)
            calls = bind_layer(layer, packed, workspace, xs, ys)
            calls[0](stream)
            timer = Timer(lambda at: calls[at](stream), len(xs), args.ms)  # noqa: B023
            for _ in range(args.rounds):
                timer.measure()
            torch.cuda.synchronize()
        row = {key: entry[key] for key in FIELDS if key in entry}
        row["pattern"] = case.name
        row["predicted_us"] = f"{entry['predicted_us']:.4g}"
        row["measured_us"] = f"{timer.ms * 1e3:.4g}"
        row["floor_us"] = f"{max(case.bytes / copy, case.flops / peak) * 1e6:.4g}"
        row["device"], row["date"] = device, datetime.date.today().isoformat()
        yield row


def read_groups(path: Path) -> dict[tuple, list[dict]]:
    groups = defaultdict(list)
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            for key in ("predicted_us", "measured_us", "floor_us"):
                row[key] = float(row[key])
            row["rank"] = int(row["rank"])
            groups[tuple(row[key] for key in FIELDS[:4])].append(row)
    return groups


def table(args: argparse.Namespace) -> int:
    """First against best of the first ten, and predicted against measured."""
    print(
        "| pattern | batch | type | layout | first µs | × floor | best µs | first / best | error |"
    )
    print("|---|--:|---|---|--:|--:|--:|--:|--:|")
    losses, errors = [], []
    for key, rows in read_groups(args.table).items():
        first = min(rows, key=lambda row: row["rank"])
        best = min(r["measured_us"] for r in rows if r["rank"] < FIRST)
        losses.append(first["measured_us"] / best)
        errors += [abs(r["predicted_us"] / r["measured_us"] - 1) for r in rows]
        error = first["predicted_us"] / first["measured_us"] - 1
        over = first["measured_us"] / first["floor_us"]
        print(
            f"| {' | '.join(key)} | {first['measured_us']:.1f} | {over:.2f} | {best:.1f} "
            f"| {losses[-1]:.2f} | {error:+.0%} |"
        )
    print()
    print(
        f"{len(losses)} problems, {len(errors)} plans: first / best of the first {FIRST}: median "
        f"{statistics.median(losses):.3f}, worst {max(losses):.2f}; predicted / measured: median "
        f"error {statistics.median(errors):.0%}"
    )
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--make", type=Path, metavar="DIR", help="compile plans")
    what.add_argument("--run", type=Path, metavar="DIR", help="time them")
    what.add_argument("--table", type=Path, metavar="FILE.csv", help="print how good they are")
    add("--ks-run", type=Path, default=ROOT / "build/release/bin/ks-run")
    add("--runtime", type=Path, metavar="PATH", help="libKSRuntimeC.so")
    add("--csv", type=Path, default=ROOT / "docs/gpu_plans.csv")
    add("--types", nargs="+", choices=list(KINDS), default=["f16"])
    add("--layouts", nargs="+", choices=LAYOUTS, default=LAYOUTS)
    add("--batch", type=int, default=BATCH)
    add("--patterns", nargs="+", metavar="A,B,C,D", help="default: those of gpu_factors.py")
    add("--farther", type=int, default=6, help="plans behind the first ten (default 6)")
    add("--jobs", type=int, default=2)
    add("--rounds", type=int, default=3)
    add("--ms", type=float, default=5)
    args = parser.parse_args()
    if args.run:
        return run(args)
    if args.table:
        return table(args)
    patterns = PATTERNS
    if args.patterns:
        patterns = [tuple(map(int, text.split(","))) for text in args.patterns]
    cases = [
        Case(pattern, args.batch, KINDS[kind], layout, is_fixed=True)
        for kind in args.types
        for layout in args.layouts
        for pattern in patterns
    ]
    return make(args, cases)


if __name__ == "__main__":
    sys.exit(main())
