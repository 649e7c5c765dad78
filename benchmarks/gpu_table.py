# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The page of single factors, from the rows that gpu_factors.py measured."""

import math
import statistics
from collections.abc import Callable, Iterable
from pathlib import Path

from gpu_cases import BATCH, KINDS, LAYOUTS, PEERS, WAYS, Row, number
from gpu_unseen import MAX_BYTES, MAX_FEATURES, is_aligned

TITLE = """\
# Single Kronecker-sparse factors on a GPU

<!-- Made by `python benchmarks/gpu_factors.py --table docs/gpu_factors.md`; do not edit. -->
"""

UNSEEN_TITLE = f"""\
# Kronecker-sparse factors that nobody chose, on a GPU

<!-- Made by `python benchmarks/gpu_factors.py --unseen --table docs/gpu_unseen.md`; do not edit. -->

Patterns (a, b, c, d) from a draw with a fixed seed ([gpu_unseen.py](../benchmarks/gpu_unseen.py)): a and d from 1 to 128, b and c
from 8 to 1024, uniform in their logarithms, with at most {MAX_FEATURES} features on either side. Nothing in the planner was fitted to them.

- **aligned**: c d and b d are multiples of 8, so that all that belongs to a group is a multiple of 16 bytes, in f16 too.
- **odd**: the features of input or output are not a multiple of 8.
- The batch is {BATCH}, or less where input and output would take more than {MAX_BYTES / 1e9:g} GB; the pattern then says so. Layers are
  compiled for their batch.
"""

METHOD = """\
- **floor**: the least time that this GPU needs, max(bytes / copy bandwidth, flops / matrix peak), where the bytes are input,
  output and weights, once each; bandwidth is that of a 2 GiB copy and the peak that of a large cuBLAS product of the type, both
  in the same process. For f32 (`ieee`) it is the rate of FMAs, so that less than 1 is possible.
- **best peer**: the fastest correct way of
  `dense` (cuBLAS with the N×M matrix),
  `bmm` (permute, `torch.bmm`, permute back; with d = 1 nothing is permuted),
  `einsum` (`torch.einsum` on 4-D views),
  `triton` (a plain kernel in Triton, the best of a few tilings; 12 of the 36 patterns only) and
  `cublas_ptr` (batch-last: `cublasGemmBatchedEx` with arrays of pointers, which needs no permutation).
- **speedup**: time of the best peer / ours. Above 1, ours is faster.
- Each case is measured in rounds in which ours and the peers take turns; a time is the median over the rounds. Times are those of the GPU,
  by events, with launches queued ahead. Inputs and outputs rotate through more than L2 holds; weights do not. Weights of all ways are
  arranged ahead of all timing. A peer three times slower than the best has one round.
- All results are compared with f64, element by element, on up to 128 entries of the batch, in outputs filled with NaN before. A result beyond
  the error bound is marked **wrong** and is no peer.
- Not measured: dense where the matrix takes more than 2 GiB, or would take more than 50 ms and twice the best at the peak;
  `cublas_ptr` where rows are not aligned to 16 bytes.
"""


def make_table(
    head: list[str], rows: Iterable[list[str]], left: tuple[int, ...] = (0,)
) -> list[str]:
    lines = ["| " + " | ".join(head) + " |"]
    lines.append("|" + "|".join("---" if at in left else "--:" for at in range(len(head))) + "|")
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def show(value: float, digits: int = 2) -> str:
    return "–" if math.isnan(value) else f"{value:.{digits}f}"


def show_us(ms: float) -> str:
    return "–" if math.isnan(ms) else f"{ms * 1e3:.3g}" if ms < 0.1 else f"{ms * 1e3:.0f}"


def label(row: Row) -> str:
    return f"({row['pattern']})" if "pattern" in row else row["chain"]


def label_batch(row: Row) -> str:
    return label(row) + ("" if int(row["batch"]) == BATCH else f", batch {row['batch']}")


def is_wrong(row: Row, way: str) -> bool:
    return way in row.get("wrong", "").split()


def values(rows: Iterable[Row], field: str) -> list[float]:
    return [value for row in rows if not math.isnan(value := number(row, field))]


def median(rows: Iterable[Row], field: str) -> float:
    found = values(rows, field)
    return statistics.median(found) if found else math.nan


def good(rows: Iterable[Row], field: str = "ks_ms") -> list[Row]:
    """With a correct time of ours."""
    return [row for row in rows if row.get(field) and not is_wrong(row, "ks")]


def get_worst(rows: list[Row], field: str, best: Callable = max) -> str:
    rows = [row for row in rows if row.get(field)]
    if not rows:
        return "–"
    row = best(rows, key=lambda row: number(row, field))
    return f"{show(number(row, field))} {label(row)}"


Group = tuple[str, str, int | str, list[Row]]


def group(rows: list[Row]) -> list[Group]:
    """By type, layout and batch; the batch of the benchmark comes first."""
    keys = {(row["type"], row["layout"], int(row["batch"])) for row in rows}
    kinds = list(KINDS)
    ordered = sorted(
        keys, key=lambda k: (k[2] != BATCH, kinds.index(k[0]), LAYOUTS.index(k[1]), k[2])
    )
    return [
        (*key, [r for r in rows if (r["type"], r["layout"], int(r["batch"])) == key])
        for key in ordered
    ]


def group_unseen(rows: list[Row]) -> list[Group]:
    """By type, layout, and whether rows are aligned."""
    groups = []
    for kind in KINDS:
        for layout in LAYOUTS:
            for name, wanted in (("aligned", True), ("odd", False)):
                some = [
                    row
                    for row in rows
                    if (row["type"], row["layout"]) == (kind, layout)
                    and is_aligned(tuple(map(int, row["pattern"].split(",")))) == wanted
                ]
                if some:
                    groups.append((kind, layout, name, some))
    return groups


def summarize(groups: list[Group], third: str = "batch") -> list[str]:
    head = ["type", "layout", third, "patterns", "ours / floor", "best peer / floor"]
    head += ["best peer / ours", "worst ours / floor", "worst best peer / ours", "peer is faster"]
    lines = []
    for kind, layout, what, some in groups:
        ours = good(some)
        slower = sum(speedup < 1 for speedup in values(ours, "speedup"))
        lines.append(
            [
                *(kind, layout, str(what), f"{len(ours)} of {len(some)}"),
                show(median(ours, "ks_over_floor")),
                show(median(some, "best_peer_over_floor")),
                f"**{show(median(ours, 'speedup'))}**",
                get_worst(ours, "ks_over_floor"),
                get_worst(ours, "speedup", min),
                f"{slower} of {len(values(ours, 'speedup'))}",
            ]
        )
    return make_table(head, lines, left=(0, 1))


def list_peers(groups: list[Group], third: str = "batch") -> list[str]:
    """The median over the floor of every way, with the number of patterns."""
    lines = []
    for kind, layout, what, some in groups:
        cells = []
        for way in WAYS:
            ratios = [
                number(row, f"{way}_ms") / number(row, "floor_ms")
                for row in some
                if row.get(f"{way}_ms") and row.get("floor_ms") and not is_wrong(row, way)
            ]
            cells.append(f"{statistics.median(ratios):.2f} ({len(ratios)})" if ratios else "–")
        lines.append([kind, layout, str(what), *cells])
    return make_table(["type", "layout", third, "ours", *PEERS], lines, left=(0, 1))


def list_slower(rows: list[Row]) -> list[str]:
    slower = [row for row in good(rows) if number(row, "speedup") < 1]
    if not slower:
        return ["No case is slower than a peer.", ""]
    slower.sort(key=lambda row: number(row, "speedup"))
    lines = [
        f"- {row['type']} {row['layout']} {label(row)}, batch {row['batch']}: "
        f"{show(number(row, 'speedup'))} ({row['best_peer']})"
        for row in slower
    ]
    return [f"Slower than the best peer ({len(slower)}), best peer / ours:", "", *lines, ""]


def list_troubles(rows: list[Row]) -> list[str]:
    """Nothing that went wrong is left out."""
    lines = []
    for row in rows:
        where = f"{row['type']} {row['layout']} {label(row)}, batch {row['batch']}"
        notes = [note for note in row.get("notes", "").split("; ") if note]
        if row["status"] != "ok":
            lines.append(f"- {where}: {row['status']}" + (f": {'; '.join(notes)}" if notes else ""))
        else:
            odd = [n for n in notes if "WRONG" in n or "Error" in n or "error" in n]
            lines += [f"- {where}: {note}" for note in odd]
    return lines


def list_cases(rows: list[Row]) -> list[str]:
    head = ["pattern", "floor, µs", "ours, µs", "ours / floor", "spread", "best peer"]
    head += ["best peer / ours", *(f"{peer} / floor" for peer in PEERS)]
    lines = []
    for row in sorted(rows, key=lambda row: number(row, "floor_ms")):
        floor, speedup = number(row, "floor_ms"), number(row, "speedup")
        ours = show_us(number(row, "ks_ms"))
        if is_wrong(row, "ks"):
            ours = f"**wrong** ({ours})"
        elif row["status"] not in ("ok", "wrong"):
            ours = row["status"]
        cells = [label_batch(row), show_us(floor), ours, show(number(row, "ks_over_floor"))]
        cells += [show(number(row, "ks_spread")), row.get("best_peer") or "–"]
        cells.append(f"**{show(speedup)}**" if speedup >= 1 else show(speedup))
        for peer in PEERS:
            ratio = show(number(row, f"{peer}_ms") / floor)
            cells.append(f"wrong ({ratio})" if is_wrong(row, peer) else ratio)
        lines.append(cells)
    return make_table(head, lines, left=(0, 5))


def list_batches(rows: list[Row]) -> list[str]:
    """Ours and the best peer over batches, in microseconds."""
    lines = []
    for row in sorted(rows, key=lambda row: (row["pattern"], int(row["batch"]))):
        cells = [label(row), row["batch"], show_us(number(row, "floor_ms"))]
        ours = show_us(number(row, "ks_ms"))
        cells.append(f"**wrong** ({ours})" if is_wrong(row, "ks") else ours)
        for peer in PEERS:
            time = show_us(number(row, f"{peer}_ms"))
            cells.append(f"wrong ({time})" if is_wrong(row, peer) else time)
        cells.append(show(number(row, "speedup")))
        lines.append(cells)
    return make_table(["pattern", "batch", "floor, µs", "ours", *PEERS, "best peer / ours"], lines)


def describe(rows: list[Row]) -> list[str]:
    def words(field: str) -> str:
        return ", ".join(dict.fromkeys(row[field] for row in rows if row.get(field))) or "?"

    peaks = []
    for kind in KINDS:
        some = [row for row in rows if row["type"] == kind]
        if values(some, "peak_tflops"):
            peaks.append(f"{kind} {median(some, 'peak_tflops'):.0f}")
    dates = sorted(row["date"] for row in rows if row.get("date")) or ["?"]
    versions = [f"ks {words('ks')}, code for {words('target')}"]
    versions += [f"{name} {words(name)}" for name in ("torch", "triton") if name in rows[0]]
    return [
        f"- GPU: {words('device')}; driver {words('driver')}; copy {median(rows, 'copy_gbps'):.0f} GB/s; products, TFLOP/s: "
        f"{', '.join(peaks)} (f32 FMA by the specification: {median(rows, 'fma_tflops'):.0f}).",
        f"- Versions: {'; '.join(versions)}.",
        f"- Date: {' to '.join(dict.fromkeys([dates[0], dates[-1]]))}.",
    ]


def introduce(title: str, rows: list[Row], groups: list[Group], third: str) -> list[str]:
    """What comes before the cases."""
    if not rows:
        raise SystemExit("the CSV holds no case; run gpu_factors.py first")
    lines = [title, METHOD, *describe(rows), ""]
    lines += ["## Summary", "", "Medians over the patterns.", "", *summarize(groups, third), ""]
    lines += ["Each way / floor (number of patterns):", "", *list_peers(groups, third), ""]
    lines += list_slower(rows)
    errors = [(number(row, "ks_error"), row) for row in good(rows) if row.get("ks_error")]
    if errors:
        error, row = max(errors, key=lambda pair: pair[0])
        lines.append(
            f"Largest error of ours against f64: {show(error)} of the bound "
            f"({row['type']} {row['layout']} {label(row)}, batch {row['batch']})."
        )
        lines.append("")
    troubles = list_troubles(rows)
    if troubles:
        lines += ["Wrong, failed or left out:", "", *troubles, ""]
    return lines


def write_page(lines: list[str], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines).rstrip() + "\n")


def write_table(rows: list[Row], path: Path) -> None:
    main = [row for row in rows if int(row["batch"]) == BATCH]
    others = [row for row in rows if int(row["batch"]) != BATCH]
    timed = [row for row in rows if int(row["batch"]) != 0]
    lines = introduce(TITLE, rows, group(timed), "batch")
    for kind, layout, batch, some in group(main):
        lines += [f"## {kind}, batch-{layout}, batch {batch}", "", *list_cases(some), ""]
    for kind in KINDS:
        for layout in LAYOUTS:
            some = [row for row in others if (row["type"], row["layout"]) == (kind, layout)]
            if some:
                lines += [f"## {kind}, batch-{layout}, other batches", ""]
                lines += ["Times in µs.", "", *list_batches(some), ""]
    write_page(lines, path)


def write_unseen(rows: list[Row], path: Path) -> None:
    groups = group_unseen(rows)
    lines = introduce(UNSEEN_TITLE, rows, groups, "rows")
    for kind, layout, rows_are, some in groups:
        lines += [f"## {kind}, batch-{layout}, {rows_are}", "", *list_cases(some), ""]
    write_page(lines, path)
