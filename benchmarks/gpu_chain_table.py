# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The pages of chains and of groupings, from the rows that gpu_chains.py measured."""

import math
import statistics
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from gpu_cases import KINDS, LAYOUTS, Row, number
from gpu_chain_cases import (
    BATCHES,
    CHAINS,
    CHOSEN,
    COLD_WAYS,
    ENERGY_WAYS,
    MAIN_CHAINS,
    OURS,
    PEERS,
)
from gpu_graph_table import show_us
from gpu_graphs import LAUNCHES
from gpu_table import describe, is_wrong, list_troubles, make_table, show, values, write_page

OVER_DENSE = 1.05  # times the dense product: what ours may take
TITLES = {"ks": "exact", "ks_free": "free"}
SHOWN_PEERS = ["dense", "bmm", "einsum", "compile"]
OTHER_PEERS = [way for way in PEERS if way not in SHOWN_PEERS]

INTRODUCTION = f"""\
# Chains of Kronecker-sparse factors on a GPU

<!-- Made by `python benchmarks/gpu_chains.py --table docs/gpu_chains.md`; do not edit. -->

- Times are of one product by the whole chain, in µs. Batches up to 512: a hundredth of a CUDA graph of {LAUNCHES} products, each of
  which waits for the one before; weights, inputs and outputs are in L2 if they fit, except **cold**, where weights come from memory. Chains
  whose factors all have b = c go to and fro between two buffers. Larger batches: products one by one, by events, with launches queued
  ahead; inputs and outputs rotate through more than L2 holds, weights do not.
- **floor**: max(bytes / copy bandwidth, flops / matrix peak), where the bytes are input, output and stored weights, once each, and
  flops are those of the chain as written. For f32 (`ieee`) the peak is the rate of FMAs. L2 is faster than memory, so that less than 1 is possible in graphs.
- **exact**: our layer with every rounding of the chain as written. **free**: weights are frozen and may be multiplied with each other
  (`--frozen --reassoc`), also out to the dense matrix. **ours** is free where it was measured, otherwise exact.
- **kernels of ours**: how many, and what became of the factors: how many were left after merging, and which share a kernel.
- **best peer**: the fastest correct way of
  `dense` (cuBLAS with the N×M matrix, from products in f64),
  `bmm` (permute, `torch.bmm`, permute back, for each factor; with d = 1 nothing is permuted; tied axes become rows),
  `einsum` (`torch.einsum` on 4-D views),
  `compile` (`torch.compile` of that; some chains only),
  `cublas_ptr` (batch-last: `cublasGemmBatchedEx` with arrays of pointers, which needs no permutation),
  `matmul` (Kronecker products: `torch.matmul` by each block) and
  `special` (fast_hadamard_transform or pyfastkron, where they are for the case and installed).
- All results are compared with f64, element by element, on up to 128 entries of the batch, in outputs filled with NaN before, within the
  bound that carries the rounding of each factor's result; dense and free, which round elsewhere, within twice that.
- **Bold** chains are the main ones.
"""

GROUPINGS = """\
# Groupings of chains

<!-- Made by `python benchmarks/gpu_chains.py --groupings --table docs/gpu_groupings.md`; do not edit. -->

What the compiler chose (the variant `free`) against the fastest of all variants that were compiled and are correct. Measured
as in [gpu_chains.md](gpu_chains.md); times in µs.
"""


def geometric_mean(numbers: Iterable[float]) -> float:
    found = [value for value in numbers if value > 0]
    return statistics.geometric_mean(found) if found else math.nan


def choose_ours(row: Row) -> str:
    """The way that counts as ours; '' if there is none with a correct time."""
    return next((w for w in reversed(OURS) if row.get(f"{w}_us") and not is_wrong(row, w)), "")


def ours(row: Row, field: str) -> float:
    way = choose_ours(row)
    return number(row, f"{way}_{field}") if way else math.nan


def name(row: Row) -> str:
    return f"**{row['chain']}**" if row["chain"] in MAIN_CHAINS else row["chain"]


def show_time(row: Row, way: str) -> str:
    time = show_us(number(row, f"{way}_us"))
    return f"**wrong** ({time})" if is_wrong(row, way) else time


Group = tuple[str, str, int, list[Row]]


def group(rows: list[Row]) -> list[Group]:
    """By type, layout and batch, all in the order of the benchmark."""
    groups: dict[tuple, list[Row]] = defaultdict(list)
    order = {title: at for at, title in enumerate(CHAINS)}
    for row in sorted(rows, key=lambda row: order.get(row["chain"], len(order))):
        groups[row["type"], row["layout"], int(row["batch"])].append(row)

    def place(key: tuple) -> tuple:
        kind, layout, batch = key
        rank = BATCHES.index(batch) if batch in BATCHES else len(BATCHES)
        return list(KINDS).index(kind), LAYOUTS.index(layout), rank, batch

    return [(*key, groups[key]) for key in sorted(groups, key=place)]


# ----------------------------------------------------------------------------------------
# Chains
# ----------------------------------------------------------------------------------------


def summarize(groups: list[Group]) -> list[str]:
    head = ["type", "layout", "batch", "chains", "variant", "measured", "ours / floor"]
    head += ["ours / dense", "worst ours / dense", "best peer / ours"]
    head += [f"slower than {OVER_DENSE} × dense"]
    lines = []
    for kind, layout, batch, rows in groups:
        main = [row for row in rows if row["chain"] in MAIN_CHAINS]
        for title, some in (("main", main), ("all", rows)):
            for way in OURS:
                good = [r for r in some if r.get(f"{way}_us") and not is_wrong(r, way)]
                if not good:
                    continue
                dense = values(good, f"{way}_over_dense")
                floor = geometric_mean(values(good, f"{way}_over_floor"))
                speedup = geometric_mean(values(good, f"{way}_speedup"))
                slower = sum(ratio > OVER_DENSE for ratio in dense)
                lines.append(
                    [
                        *(kind, layout, str(batch), title, TITLES[way]),
                        *(f"{len(good)} of {len(some)}", show(floor)),
                        *(show(geometric_mean(dense)), show(max(dense, default=math.nan))),
                        *(f"**{show(speedup)}**", f"{slower} of {len(dense)}"),
                    ]
                )
    return make_table(head, lines, left=(0, 1, 3, 4))


def list_slower(groups: list[Group]) -> list[str]:
    """Slower than dense by more than what is allowed."""
    found = [
        (ours(row, "over_dense"), row)
        for *_, rows in groups
        for row in rows
        if ours(row, "over_dense") > OVER_DENSE
    ]
    if not found:
        return [f"No chain is slower than {OVER_DENSE} × dense.", ""]
    found.sort(key=lambda pair: -pair[0])
    lines = [
        f"- {row['type']} {row['layout']} {name(row)}, batch {row['batch']}: {show(ratio)}"
        for ratio, row in found
    ]
    title = f"Slower than {OVER_DENSE} × dense ({len(lines)}), ours / dense:"
    return [title, "", *lines, ""]


def describe_kernels(row: Row) -> str:
    """What ours did; both variants, where they differ."""
    words = {}
    for way in OURS:
        if row.get(f"{way}_kernels"):
            words[way] = f"{row[f'{way}_kernels']} ({row[f'{way}_grouping']})"
    if len(set(words.values())) > 1:
        return "; ".join(f"{TITLES[way]} {text}" for way, text in words.items())
    return next(iter(words.values()), "–")


def list_cases(rows: list[Row]) -> list[str]:
    others = [way for way in OTHER_PEERS if any(row.get(f"{way}_us") for row in rows)]
    shown = [*SHOWN_PEERS, *others]
    head = ["chain", "floor", "ours exact", "ours free", *shown, "best peer"]
    head += ["ours / floor", "ours / dense", "best peer / ours", "kernels of ours"]
    lines = []
    for row in rows:
        times = [show_time(row, way) for way in (*OURS, *shown)]
        if row["status"] not in ("ok", "wrong") and not choose_ours(row):
            times[0] = row["status"]
        speedup = ours(row, "speedup")
        lines.append(
            [
                *(name(row), show_us(number(row, "floor_us")), *times),
                row.get("best_peer") or "–",
                *(show(ours(row, "over_floor")), show(ours(row, "over_dense"))),
                f"**{show(speedup)}**" if speedup >= 1 else show(speedup),
                describe_kernels(row),
            ]
        )
    return make_table(head, lines, left=(0, 4 + len(shown), len(head) - 1))


def list_cold(rows: list[Row]) -> list[str]:
    """Weights in L2 and in memory."""
    some = [row for row in rows if any(row.get(f"{way}_cold_us") for way in COLD_WAYS)]
    if not some:
        return []
    head = ["chain", "weights, MB"]
    lines = []
    for way in COLD_WAYS:
        head += [f"{TITLES.get(way, way)}, warm", "cold"]
    for row in some:
        cells = [name(row), f"{number(row, 'weight_bytes') / 1e6:.3g}"]
        for way in COLD_WAYS:
            cells += [show_time(row, way), show_us(number(row, f"{way}_cold_us"))]
        lines.append(cells)
    return ["Weights in L2 (warm) and in memory (cold), µs:", "", *make_table(head, lines), ""]


def show_energy(joules: float) -> str:
    return "–" if math.isnan(joules) else f"{joules * 1e3:.3g}"


def list_energy(rows: list[Row]) -> list[str]:
    """In mJ."""
    some = [row for row in rows if any(row.get(f"{way}_joules") for way in ENERGY_WAYS)]
    if not some:
        return []
    head = ["chain", *(TITLES.get(way, way) for way in ENERGY_WAYS), "dense / ours", "bmm / ours"]
    lines = []
    ratios: dict[str, list[float]] = {"dense": [], "bmm": []}
    for row in some:
        joules = {way: number(row, f"{way}_joules") for way in ENERGY_WAYS}
        mine = joules.get(choose_ours(row), math.nan)
        for way in ratios:
            ratios[way].append(joules[way] / mine)
        cells = [show_energy(joules[way]) for way in ENERGY_WAYS]
        lines.append([name(row), *cells, *(show(ratios[way][-1]) for way in ratios)])
    means = ", ".join(f"{way} / ours {show(geometric_mean(r))}" for way, r in ratios.items())
    title = f"Energy of a product, mJ, of the whole board (geometric means: {means}):"
    return [title, "", *make_table(head, lines), ""]


def write_table(rows: list[Row], path: Path) -> None:
    if not rows:
        raise SystemExit("the CSV holds no case; run gpu_chains.py first")
    groups = group(rows)
    lines = [INTRODUCTION, *describe(rows), ""]
    lines += ["## Summary", "", "Geometric means over the chains.", "", *summarize(groups), ""]
    lines += list_slower(groups)
    troubles = list_troubles(rows)
    if troubles:
        lines += ["Wrong, failed or left out:", "", *troubles, ""]
    for kind, layout, batch, some in groups:
        lines += [f"## {kind}, batch-{layout}, batch {batch}", "", *list_cases(some), ""]
        lines += [*list_cold(some), *list_energy(some)]
    write_page(lines, path)


# ----------------------------------------------------------------------------------------
# Groupings
# ----------------------------------------------------------------------------------------


def compare(rows: list[Row]) -> list[tuple[str, Row, Row, float]]:
    """For each chain what was chosen, what is best, and the ratio of their times."""
    chains: dict[str, dict[str, Row]] = defaultdict(dict)
    for row in rows:
        if row["status"] == "ok" and row.get("ks_us"):
            chains[row["chain"]][row["variant"]] = row
    found = []
    for chain, variants in chains.items():
        if CHOSEN in variants:
            best = min(variants.values(), key=lambda row: number(row, "ks_us"))
            chosen = variants[CHOSEN]
            found.append((chain, chosen, best, number(chosen, "ks_us") / number(best, "ks_us")))
    return found


def write_groupings(rows: list[Row], path: Path) -> None:
    if not rows:
        raise SystemExit("the CSV holds no case; run gpu_chains.py --groupings first")
    summary, details = [], []
    for kind, layout, batch, some in group(rows):
        found = compare(some)
        ratios = [ratio for *_, ratio in found]
        if not ratios:
            continue
        within = f"{sum(ratio <= 1.1 for ratio in ratios)} of {len(ratios)}"
        cells = [show(statistics.median(ratios), 3), show(max(ratios), 2), within]
        summary.append([kind, layout, str(batch), str(len(ratios)), *cells])
        names = list(dict.fromkeys(row["variant"] for row in some))
        times = {(row["chain"], row["variant"]): show_time(row, "ks") for row in some}
        lines = [
            [
                *(name(chosen), *(times.get((chain, n), "–") for n in names)),
                *(chosen["ks_grouping"], f"{best['variant']}: {best['ks_grouping']}", show(ratio)),
            ]
            for chain, chosen, best, ratio in found
        ]
        head = ["chain", *names, "chosen", "best", "chosen / best"]
        details += [f"## {kind}, batch-{layout}, batch {batch}", ""]
        details += [*make_table(head, lines, left=(0, len(head) - 3, len(head) - 2)), ""]
    head = ["type", "layout", "batch", "chains", "chosen / best, median", "worst", "within 10 %"]
    lines = [GROUPINGS, *describe(rows), "", "## Summary", ""]
    lines += [*make_table(head, summary, left=(0, 1)), ""]
    troubles = list_troubles(rows)
    if troubles:
        lines += ["Wrong, failed or left out:", "", *troubles, ""]
    write_page([*lines, *details], path)
