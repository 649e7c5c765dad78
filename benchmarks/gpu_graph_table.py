# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The page of launches in CUDA graphs, from the rows that gpu_graphs.py measured."""

from pathlib import Path

from gpu_cases import Row, number
from gpu_graphs import FACTORED, LAUNCHES, PEERS, WAYS
from gpu_table import (
    describe,
    get_worst,
    good,
    group,
    is_wrong,
    label,
    list_troubles,
    make_table,
    median,
    show,
    values,
    write_page,
)

INTRODUCTION = f"""\
# Single Kronecker-sparse factors in CUDA graphs

<!-- Made by `python benchmarks/gpu_graphs.py --table docs/gpu_graphs.md`; do not edit. -->

- Times are of one launch, in µs: a hundredth of a graph of {LAUNCHES} launches, each of which waits for the one before. Patterns with b = c
  go to and fro between two buffers, each launch on what the last one left; the others have the same input and output all the time.
  Launching costs the host nothing here, and nothing is read from memory that L2 still holds.
- **floor**: that of [gpu_factors.md](gpu_factors.md), max(bytes / copy bandwidth, flops / matrix peak). L2 is faster than memory, so that
  less than 1 is possible; what a launch costs at least is not in it.
- **best**: the faster of `bmm` (permute, `torch.bmm`, permute back; with d = 1 nothing is permuted) and `einsum`, which are some kernels
  each. `dense` is cuBLAS with the N×M matrix; not measured where that takes more than 2 GiB, or would take a ms and twice the best.
- **in L2**: whether weights fit.
- All results are compared with f64, at the end of a graph too; ours gives the same bits in a graph as with the host waiting after each launch.
"""


def show_us(us: float) -> str:
    return "–" if us != us else f"{us:.3g}" if us < 100 else f"{us:.0f}"


def summarize(rows: list[Row]) -> list[str]:
    head = ["type", "layout", "batch", "weights", "patterns", "floor, µs", "ours, µs"]
    head += ["ours − floor, µs", *(f"{way}, µs" for way in PEERS), "ours / best"]
    head += ["worst ours / best", "best is faster", "dense is faster"]
    lines = []
    for kind, layout, batch, some in group(rows):
        for title, wanted in (("in L2", "yes"), ("larger", "no")):
            part = [row for row in some if row["weights_in_l2"] == wanted]
            ours = good(part, "ks_us")
            if not part:
                continue
            ratios = values(ours, "ks_over_best")
            peers = {way: [r for r in part if not is_wrong(r, way)] for way in PEERS}
            dense = [row for row in ours if row.get("dense_us") and not is_wrong(row, "dense")]
            behind = sum(number(row, "dense_us") < number(row, "ks_us") for row in dense)
            lines.append(
                [
                    *(kind, layout, str(batch), title, f"{len(ours)} of {len(part)}"),
                    *(show_us(median(ours, f"{key}_us")) for key in ("floor", "ks")),
                    show_us(median(ours, "ks_minus_floor_us")),
                    *(show_us(median(peers[way], f"{way}_us")) for way in PEERS),
                    f"**{show(median(ours, 'ks_over_best'))}**",
                    get_worst(ours, "ks_over_best"),
                    f"{sum(ratio > 1 for ratio in ratios)} of {len(ratios)}",
                    f"{behind} of {len(dense)}",
                ]
            )
    return make_table(head, lines, left=(0, 1, 3))


def list_slower(rows: list[Row]) -> list[str]:
    """Slower than a peer that knows of the pattern."""
    slower = [row for row in good(rows, "ks_us") if number(row, "ks_over_best") > 1]
    slower.sort(key=lambda row: -number(row, "ks_over_best"))
    lines = [
        f"- {row['type']} {row['layout']} {label(row)}, batch {row['batch']}: "
        f"{show(number(row, 'ks_over_best'))}"
        for row in slower
    ]
    if not lines:
        return ["No case is slower than the best of bmm and einsum.", ""]
    return [
        f"Slower than the best of {' and '.join(FACTORED)} ({len(lines)}), ours / best:",
        "",
        *lines,
        "",
    ]


def list_cases(rows: list[Row]) -> list[str]:
    head = ["pattern", "weights, MB", "in L2", "floor", "ours", "ours − floor", "spread"]
    head += [*PEERS, "ours / best"]
    lines = []
    for row in sorted(rows, key=lambda row: number(row, "weight_bytes")):
        times = {}
        for way in WAYS:
            times[way] = show_us(number(row, f"{way}_us"))
            if is_wrong(row, way):
                times[way] = f"**wrong** ({times[way]})"
        if row["status"] not in ("ok", "wrong"):
            times["ks"] = row["status"]
        cells = [label(row), f"{number(row, 'weight_bytes') / 1e6:.3g}", row["weights_in_l2"]]
        cells += [show_us(number(row, "floor_us")), times["ks"]]
        cells += [show_us(number(row, "ks_minus_floor_us")), show(number(row, "ks_spread"))]
        cells += [*(times[way] for way in PEERS), show(number(row, "ks_over_best"))]
        lines.append(cells)
    return make_table(head, lines, left=(0, 2))


def write_table(rows: list[Row], path: Path) -> None:
    if not rows:
        raise SystemExit("the CSV holds no case; run gpu_graphs.py first")
    lines = [INTRODUCTION, *describe(rows), ""]
    lines += ["## Summary", "", "Medians over the patterns.", "", *summarize(rows), ""]
    lines += list_slower(rows)
    troubles = list_troubles(rows)
    if troubles:
        lines += ["Wrong, failed or left out:", "", *troubles, ""]
    for kind, layout, batch, some in group(rows):
        lines += [f"## {kind}, batch-{layout}, batch {batch}", "", *list_cases(some), ""]
    write_page(lines, path)
