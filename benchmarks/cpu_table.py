# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The page docs/cpu_benchmark.md, from the rows that cpu_chains.py measured."""

import math
import statistics

from machine import NOISY

PEERS = ["bmm", "einsum", "matmul", "addcmul", "linear", "onednn", "compile"]

INTRODUCTION = """\
# Kronecker-sparse chains on the CPU, against PyTorch

<!-- Made by `python benchmarks/cpu_chains.py --table docs/cpu_benchmark.md`; do not edit. -->

f32, batch-first, all cores. Times are milliseconds.

- **floor**: the least time that this machine needs, max(bytes / copy bandwidth, flops / FMA peak), where the bytes are
  input, output and stored weights, once each. **× floor** is our time over it, **% peak** our flops over the FMA peak.
- **best peer**: the fastest way in PyTorch, of
  `bmm` (permute, `torch.bmm`, permute back, per factor),
  `einsum` (`torch.einsum` per factor),
  `matmul` (tied chains only: `torch.matmul` along each axis, no permutation),
  `addcmul` (blocks of at most 12 columns only: a broadcast multiply-add per column),
  `linear` (`F.linear` with the multiplied-out matrix),
  `onednn` (the same through oneDNN with a prepacked weight) and
  `compile` (`torch.compile` of the einsum chain; some cases only).
- **speedup**: time of the best peer / ours, then of `bmm` / ours and of the best dense product (`linear` or `onednn`) / ours. Above 1, ours is
  faster. `>` marks a dense product that was not run, as it would be slower than another peer even at the FMA peak;
  `–` one whose matrix takes more than 1 GiB.
- Each case is measured in rounds in which ours and every peer take turns; a time is the median over the rounds' medians. Inputs and outputs
  rotate through more memory than the caches hold. PyTorch keeps freed memory, so that its times hold no page faults.
- Every result of ours was compared with f64 (64 rows of each case, element by element, against the error bound that f32
  allows) and with PyTorch's f32 (all rows).
"""


def number(row, field):
    try:
        return float(row.get(field) or "nan")
    except ValueError:
        return math.nan


class Case:
    """A row with what follows from it; bandwidth and peak are those of the whole file."""

    def __init__(self, row, bandwidth, peak):
        self.kind, self.name, self.batch = row["kind"], row["name"], int(row["batch"])
        self.ks = number(row, "ks_ms")
        flops, size = number(row, "flops"), number(row, "bytes")
        self.floor = max(size / bandwidth, flops / peak) * 1e-6
        self.of_peak = flops / peak * 1e-6 / self.ks
        self.is_noisy = number(row, "others_cpu") > NOISY
        self.error = number(row, "error_ratio")
        times = {peer: number(row, f"{peer}_ms") for peer in PEERS}
        self.peers = {peer: ms for peer, ms in times.items() if not math.isnan(ms)}
        self.best = min(self.peers, key=self.peers.get, default="")
        self.dense_bound = number(row, "dense_bound_ms")

    def gain(self, *peers):
        """How many times the time of the fastest of the peers ours is."""
        times = [self.peers[peer] for peer in peers if peer in self.peers]
        return min(times) / self.ks if times else math.nan

    @property
    def label(self):
        return f"{self.name}, batch {self.batch}"

    def cells(self):
        dense = self.gain("linear", "onednn")
        if not math.isnan(dense):
            dense_cell = f"{dense:.2f}"
        elif not math.isnan(self.dense_bound):
            dense_cell = f"> {self.dense_bound / self.ks:.0f}"
        else:
            dense_cell = "–"
        best = self.gain(*PEERS)
        return [
            self.name + (" \\*" if self.is_noisy else ""),
            str(self.batch),
            f"{self.ks:.3g}",
            f"{self.floor:.3g}",
            f"{self.ks / self.floor:.2f}",
            f"{100 * self.of_peak:.0f}",
            f"{self.peers[self.best]:.3g}" if self.best else "–",
            self.best or "–",
            f"**{best:.2f}**" if best >= 1 else f"{best:.2f}",
            f"{self.gain('bmm'):.2f}",
            dense_cell,
        ]


HEAD = ["case", "batch", "ours", "floor", "× floor", "% peak"]
HEAD += ["best peer", "which", "speedup", "vs bmm", "vs dense"]


def make_table(head, rows, left=(0,)):
    lines = ["| " + " | ".join(head) + " |"]
    lines.append("|" + "|".join("---" if at in left else "--:" for at in range(len(head))) + "|")
    return lines + ["| " + " | ".join(row) + " |" for row in rows]


def geomean(values):
    values = [value for value in values if not math.isnan(value)]
    return math.exp(statistics.fmean(map(math.log, values))) if values else math.nan


def show(ratio):
    return "–" if math.isnan(ratio) else f"{ratio:.2f}"


def summarize(cases):
    head = [
        "",
        "cases",
        "speedup",
        "vs bmm",
        "vs dense",
        "× floor",
        "% peak",
        "slower than best peer",
    ]
    rows = []
    for kind, title in (("chain", "chains"), ("factor", "single factors")):
        batches = sorted({case.batch for case in cases if case.kind == kind})
        for batch in [*batches, None]:
            some = [c for c in cases if c.kind == kind and batch in (None, c.batch)]
            if not some:
                continue
            rows.append(
                [
                    f"{title}, batch {batch}" if batch else f"**{title}**",
                    str(len(some)),
                    show(geomean([c.gain(*PEERS) for c in some])),
                    show(geomean([c.gain("bmm") for c in some])),
                    show(geomean([c.gain("linear", "onednn") for c in some])),
                    show(geomean([c.ks / c.floor for c in some])),
                    f"{100 * geomean([c.of_peak for c in some]):.0f}",
                    str(sum(c.gain(*PEERS) < 1 for c in some)),
                ]
            )
    return make_table(head, rows)


def list_slower(cases, what, peers):
    slower = sorted((c for c in cases if c.gain(*peers) < 1), key=lambda c: c.gain(*peers))
    if not slower:
        return [f"No case is slower than {what}.", ""]
    lines = [f"Slower than {what}:", ""]
    for case in slower:
        which = min((p for p in peers if p in case.peers), key=case.peers.get)
        note = f" ({which})" if len(peers) > 1 else ""
        lines.append(f"- {case.label}: {case.gain(*peers):.2f}{note}")
    return [*lines, ""]


def describe(rows, bandwidth, peak):
    def values(field):
        return list(dict.fromkeys(row[field] for row in rows if row.get(field)))

    def span(field):
        found = sorted(number(row, field) for row in rows if row.get(field))
        return f"{statistics.median(found):.0f}" if found else "?"

    dates = sorted(values("date"))
    return [
        f"- Machine: {', '.join(values('cpu'))}; {', '.join(values('cores'))} cores; "
        f"FMA peak {peak:.0f} GFLOP/s, copy {bandwidth:.1f} GB/s. Dense product of PyTorch, 2048³: "
        f"{span('linear_gflops')} GFLOP/s by `F.linear`, {span('onednn_gflops')} by oneDNN.",
        f"- Versions: ks {', '.join(values('ks'))}; torch {', '.join(values('torch'))}.",
        f"- Date: {' to '.join(dict.fromkeys([dates[0], dates[-1]]))}. Command: "
        + ", ".join(f"`{command}`" for command in values("command"))
        + ".",
        f"- Load: at most {max(number(row, 'load') for row in rows):.1f} on average while measuring; others took "
        f"{100 * statistics.median(number(row, 'others_cpu') for row in rows):.1f} % of the CPU time in the median case.",
    ]


def write_table(rows, path):
    good = [row for row in rows.values() if row["status"] == "ok"]
    failed = [row for row in rows.values() if row["status"] != "ok"]
    if not good:
        raise SystemExit("the CSV holds no measured case; run cpu_chains.py first")
    # Others on the machine can only lower a measured peak; the median of all
    # cases' peaks is steady.
    bandwidth = statistics.median(number(row, "copy_gbps") for row in good)
    peak = statistics.median(number(row, "fma_gflops") for row in good)
    cases = [Case(row, bandwidth, peak) for row in good]

    lines = [INTRODUCTION, *describe(good, bandwidth, peak), ""]
    lines += [
        "## Summary",
        "",
        "Geometric means; against dense over the cases where a dense product was run.",
        "",
        *summarize(cases),
        "",
    ]
    lines += list_slower(cases, "bmm", ["bmm"])
    lines += list_slower(cases, "the best peer", PEERS)
    worst = max(cases, key=lambda case: case.error)
    lines += [f"Largest error against f64: {worst.error:.2f} of the bound ({worst.label}).", ""]
    for kind, title in (("chain", "Chains"), ("factor", "Single factors (a,b,c,d)")):
        some = [case for case in cases if case.kind == kind]
        if some:
            lines += [f"## {title}", ""]
            lines += [*make_table(HEAD, [case.cells() for case in some], left=(0, 7)), ""]
    if any(case.is_noisy for case in cases):
        lines += [f"\\* Others took more than {100 * NOISY:.0f} % of the CPU time.", ""]
    if failed:
        lines += ["## Failed", ""]
        for row in failed:
            lines.append(f"- {row['status']}: {row['name']}, batch {row['batch']}: {row['notes']}")
        lines.append("")
    path.write_text("\n".join(lines).rstrip() + "\n")
