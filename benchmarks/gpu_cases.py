# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The cases of gpu_factors.py, and the CSV that holds their results."""

import csv
import math
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

Pattern = tuple[int, int, int, int]
Row = dict[str, str]

BATCH = 25088
SMALL_BATCHES = [0, 1, 7, 64, 512, 4096, 100003]
LAYOUTS = ["first", "last"]
# fmt: off
PATTERNS: list[Pattern] = [
    (3, 48, 48, 16), (1, 48, 48, 1), (1, 48, 192, 6), (3, 48, 192, 64), (16, 64, 64, 16),
    (4, 64, 64, 4), (1, 64, 256, 32), (1, 64, 256, 2), (128, 96, 96, 4), (3, 96, 96, 16),
    (3, 96, 384, 64), (6, 96, 384, 4), (1, 128, 128, 3), (8, 128, 128, 64), (3, 192, 48, 16),
    (8, 192, 48, 16), (4, 192, 192, 16), (8, 192, 192, 16), (1, 192, 768, 2),
    (2, 192, 768, 16), (1, 256, 64, 3), (1, 256, 64, 6), (1, 256, 256, 24), (1, 256, 256, 3),
    (3, 384, 96, 64), (1, 384, 96, 128), (6, 384, 384, 4), (3, 384, 384, 16),
    (1, 512, 512, 64), (6, 512, 512, 16), (6, 768, 192, 4), (24, 768, 192, 4),
    (1, 768, 768, 3), (1, 768, 768, 8), (6, 1024, 1024, 4), (4, 1024, 1024, 16),
]
SMALL_PATTERNS: list[Pattern] = [
    (4, 64, 64, 4), (3, 48, 48, 16), (1, 64, 256, 2), (6, 96, 384, 4), (1, 256, 256, 3),
    (1, 768, 768, 3),
]
# Compiling Triton kernels is slow.
TRITON_PATTERNS: list[Pattern] = [
    (3, 48, 48, 16), (16, 64, 64, 16), (4, 64, 64, 4), (1, 64, 256, 2), (6, 96, 384, 4),
    (8, 128, 128, 64), (4, 192, 192, 16), (1, 192, 768, 2), (1, 256, 256, 3),
    (3, 384, 384, 16), (6, 512, 512, 16), (6, 768, 192, 4),
]
# fmt: on

PEERS = ["dense", "bmm", "einsum", "triton", "cublas_ptr"]
WAYS = ["ks", *PEERS]
FIELDS = [
    *("pattern", "batch", "type", "layout", "status", "floor_ms", "ks_ms", "ks_over_floor"),
    *("best_peer", "best_peer_ms", "best_peer_over_floor", "speedup"),
    *(f"{peer}_ms" for peer in PEERS),
    *(f"{way}_spread" for way in WAYS),
    *(f"{way}_error" for way in WAYS),
    *("dense_bound_ms", "wrong", "notes", "sets", "flops", "bytes"),
    *("copy_gbps", "peak_tflops", "fma_tflops", "target", "device", "driver"),
    *("date", "torch", "triton", "ks"),
]


@dataclass(frozen=True)
class Kind:
    """An element type with its precision."""

    name: str
    dtype: str  # in torch
    size: int  # bytes of an element
    unit: float  # unit roundoff of the element type
    tf32: bool = False

    def allowed_error(self, columns: int) -> float:
        """What sums of so many products may be wrong by, as a multiple of |K||x|."""
        return (columns + 2) * 2.0**-24 + (2 * 2.0**-11 if self.tf32 else 0)


KINDS = {
    kind.name: kind
    for kind in (
        Kind("f16", "float16", 2, 2.0**-11),
        Kind("bf16", "bfloat16", 2, 2.0**-8),
        Kind("f32", "float32", 4, 2.0**-24),
        Kind("tf32", "float32", 4, 2.0**-24, tf32=True),
    )
}


@dataclass(frozen=True)
class Case:
    """One row of the CSV."""

    pattern: Pattern
    batch: int
    kind: Kind
    layout: str
    is_fixed: bool = False  # whether the layer is compiled for this batch, if not BATCH
    name_field: ClassVar[str] = "pattern"  # the column that holds the name

    @property
    def name(self) -> str:
        return ",".join(map(str, self.pattern))

    @property
    def key(self) -> tuple[str, int, str, str]:
        return self.name, self.batch, self.kind.name, self.layout

    @property
    def artifact(self) -> str:
        suffix = "" if self.batch == BATCH else f"-{self.compiled_batch}"
        return f"{self.name}-{self.kind.name}-{self.layout}{suffix}.ks"

    @property
    def layers(self) -> dict[str, list[str]]:
        """The artefacts of the case, and the options of ks-run that make them."""
        return {self.artifact: self.options}

    def list_missing(self, row: Row) -> list[str]:
        """Artefacts that were not there when the row was measured."""
        return [self.artifact] if row["status"] == "no artefact" else []

    @property
    def compiled_batch(self) -> str:
        return str(self.batch) if self.is_fixed or self.batch == BATCH else "any"

    @property
    def options(self) -> list[str]:
        """Of ks-run, to compile the layer."""
        precision = "tf32" if self.kind.tf32 else "ieee"
        element = "f32" if self.kind.tf32 else self.kind.name
        options = ["--chain", self.name, "--type", element, "--precision", precision]
        return [*options, "--layout", self.layout, "--batch", self.compiled_batch]

    @property
    def columns(self) -> int:
        a, _, c, d = self.pattern
        return a * c * d

    @property
    def rows(self) -> int:
        a, b, _, d = self.pattern
        return a * b * d

    @property
    def x_shape(self) -> tuple[int, int]:
        """Of the input."""
        shape = (self.batch, self.columns)
        return shape if self.layout == "first" else shape[::-1]

    @property
    def y_shape(self) -> tuple[int, int]:
        """Of the output."""
        shape = (self.batch, self.rows)
        return shape if self.layout == "first" else shape[::-1]

    @property
    def array_bytes(self) -> int:
        """Of input and output."""
        return self.kind.size * self.batch * (self.columns + self.rows)

    @property
    def bytes(self) -> int:
        """That must move: input, output and weights, once each."""
        return self.array_bytes + self.kind.size * math.prod(self.pattern)

    @property
    def flops(self) -> int:
        return 2 * self.batch * math.prod(self.pattern)


def get_key(row: Row) -> tuple[str, int, str, str]:
    """What a row is about: a pattern, a chain, or one variant of the layer of a chain."""
    name = row["pattern"] if "pattern" in row else row["chain"]
    if row.get("variant"):
        name = f"{name} {row['variant']}"
    return name, int(row["batch"]), row["type"], row["layout"]


def number(row: Row, field: str) -> float:
    """NaN where the row has none."""
    try:
        return float(row.get(field) or "nan")
    except ValueError:
        return math.nan


def read_rows(path: Path, fields: list[str] = FIELDS) -> dict[tuple[str, int, str, str], Row]:
    """The last row of each case."""
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames != fields:
            raise SystemExit(f"'{path}' has other columns than this program; remove it")
        # A process that was killed may have left a part of a row.
        return {get_key(row): row for row in reader if None not in row.values()}


def append_row(path: Path, row: Row, fields: list[str] = FIELDS) -> None:
    is_new = not path.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, fields)
        if is_new:
            writer.writeheader()
        writer.writerow(row)


def drop_rows(path: Path, keys: set[tuple[str, int, str, str]], fields: list[str] = FIELDS) -> None:
    """Takes the cases out of the CSV, so that they are measured again."""
    rows = read_rows(path, fields)
    if keys.isdisjoint(rows):
        return
    part = path.with_name(path.name + ".part")
    part.unlink(missing_ok=True)
    for key, row in rows.items():
        if key not in keys:
            append_row(part, row, fields)
    if part.exists():
        part.replace(path)
    else:
        path.unlink()


def finish_row(row: Row) -> None:
    """Fills in what follows from the times: ratios, and the best correct peer."""
    floor, ks = number(row, "floor_ms"), number(row, "ks_ms")
    wrong = row.get("wrong", "").split()
    times = {peer: number(row, f"{peer}_ms") for peer in PEERS if peer not in wrong}
    times = {peer: ms for peer, ms in times.items() if not math.isnan(ms)}
    if floor > 0 and not math.isnan(ks):
        row["ks_over_floor"] = f"{ks / floor:.3f}"
    if not times:
        return
    best = min(times, key=lambda peer: times[peer])
    row["best_peer"], row["best_peer_ms"] = best, f"{times[best]:.5g}"
    if floor > 0:
        row["best_peer_over_floor"] = f"{times[best] / floor:.3f}"
    if ks > 0:
        row["speedup"] = f"{times[best] / ks:.3f}"
