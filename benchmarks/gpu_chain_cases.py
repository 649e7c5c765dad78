# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The cases of gpu_chains.py, the columns of its CSV, and what IR says of a compiled chain."""

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from cpu_cases import tied_axes
from gpu_cases import KINDS, Kind, Pattern, Row, number

HERE = Path(__file__).resolve().parent
BATCHES = [4096, 25088, 1, 64, 512]
GRAPH_BATCH = 512  # up to this one: in CUDA graphs
GROUPING_BATCHES = [64, 4096, 25088]

CHAINS: dict[str, list[Pattern]] = {
    name: [tuple(pattern) for pattern in chain]
    for name, chain in json.loads((HERE / "chains.json").read_text()).items()
}
# A power of two, where special-purpose libraries are at home.
CHAINS["hadamard 4096"] = CHAINS["dyadic 4096"]
# The chains that the summary is about.
MAIN_CHAINS = [
    "vit_s16_qkvo 384->384 (paper script)",
    "vit_s16_up 384->1536 (paper script)",
    "vit_l/gpt2m/bert_l up 1024->4096 monarch4",
    "vit_l/gpt2m/bert_l down 4096->1024 monarch4",
    "monarch sqrt N=1024",
    "monarch sqrt N=4096",
    "monarch sqrt N=16384",
    "llama2_7b up 4096->11008 r4",
    "dyadic 1024",
    "radix16 4096",
]
# torch.compile is slow, and slowest with many factors.
COMPILED_CHAINS = [name for name in MAIN_CHAINS if not name.startswith("dyadic")]

# How a layer is compiled, with options of ks-run. The first takes weights as they come and
# keeps every rounding; the second may multiply factors with each other.
VARIANTS: dict[str, list[str]] = {"exact": [], "free": ["--frozen", "--reassoc"]}
CHOSEN = "free"  # where the compiler has the choice
WAY_OF_VARIANT = {"exact": "ks", "free": "ks_free"}
OURS = list(WAY_OF_VARIANT.values())

PEERS = ["dense", "bmm", "einsum", "compile", "cublas_ptr", "matmul", "special"]
WAYS = [*OURS, *PEERS]
COLD_WAYS = [*OURS, "dense"]
ENERGY_WAYS = [*OURS, "dense", "bmm"]
CONSTANTS = [
    *("copy_gbps", "peak_tflops", "fma_tflops"),
    *("target", "device", "driver", "date", "torch", "ks"),
]
FIELDS = [
    *("chain", "batch", "type", "layout", "mode", "status", "variants", "floor_us"),
    *(f"{way}_us" for way in WAYS),
    *(f"{way}_{what}" for way in OURS for what in ("kernels", "grouping")),
    *(f"{way}_{what}" for way in OURS for what in ("over_floor", "over_dense", "speedup")),
    *("best_peer", "best_peer_us"),
    *(f"{way}_cold_us" for way in COLD_WAYS),
    *(f"{way}_joules" for way in ENERGY_WAYS),
    *(f"{way}_spread" for way in WAYS),
    *(f"{way}_error" for way in WAYS),
    *("wrong", "notes", "sets", "flops", "bytes", "weight_bytes", "patterns", "tied"),
    *CONSTANTS,
]
GROUPING_FIELDS = [
    *("chain", "variant", "batch", "type", "layout", "mode", "status", "floor_us", "ks_us"),
    *("ks_kernels", "ks_grouping", "ks_spread", "ks_error", "wrong", "notes", *CONSTANTS),
]


def make_slug(name: str) -> str:
    """The name of a chain, in names of files."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


@dataclass(frozen=True)
class ChainCase:
    """One row of the CSV: a chain, in all variants of its layer."""

    title: str
    batch: int
    kind: Kind
    layout: str
    variants: tuple[str, ...] = tuple(VARIANTS)
    flags: tuple[tuple[str, ...], ...] = ()  # of ks-run for each variant, if not as above
    name_field: ClassVar[str] = "chain"

    @property
    def name(self) -> str:
        return self.title

    @property
    def chain(self) -> list[Pattern]:
        return CHAINS[self.title]

    @property
    def patterns(self) -> str:
        return ";".join(",".join(map(str, pattern)) for pattern in self.chain)

    @property
    def key(self) -> tuple[str, int, str, str]:
        return self.name, self.batch, self.kind.name, self.layout

    @property
    def is_graph(self) -> bool:
        """Whether launches are measured in CUDA graphs."""
        return self.batch <= GRAPH_BATCH

    @property
    def is_hadamard(self) -> bool:
        """Whether weights are ±1."""
        return self.title.startswith("hadamard")

    @property
    def tied(self) -> list[str]:
        """For each factor the axes along which its weight is shared: '', 'a', 'd', 'ad'."""
        return tied_axes(self.title, self.chain)

    @property
    def weight_shapes(self) -> list[Pattern]:
        return [
            (1 if "a" in axes else a, b, c, 1 if "d" in axes else d)
            for (a, b, c, d), axes in zip(self.chain, self.tied)
        ]

    @property
    def stem(self) -> str:
        return f"{make_slug(self.title)}-{self.kind.name}-{self.layout}-{self.batch}"

    def name_artifact(self, variant: str) -> str:
        return f"{self.stem}-{variant}.ks"

    @property
    def artifact(self) -> str:
        return self.name_artifact(self.variants[0])

    @property
    def options(self) -> list[str]:
        """Of ks-run, to compile the layer; those of a variant come behind."""
        precision = "tf32" if self.kind.tf32 else "ieee"
        element = "f32" if self.kind.tf32 else self.kind.name
        options = ["--chain", self.patterns, "--type", element, "--precision", precision]
        if any(self.tied):
            options += ["--tied", ";".join(axes or "-" for axes in self.tied)]
        return [*options, "--layout", self.layout, "--batch", str(self.batch)]

    @property
    def layers(self) -> dict[str, list[str]]:
        flags = dict(zip(self.variants, self.flags))
        return {
            self.name_artifact(variant): [
                *self.options,
                *(flags[variant] if variant in flags else VARIANTS.get(variant, [])),
            ]
            for variant in self.variants
        }

    def list_missing(self, row: Row) -> list[str]:
        measured = row["variants"].split()
        return [self.name_artifact(v) for v in self.variants if v not in measured]

    @property
    def columns(self) -> int:
        a, _, c, d = self.chain[0]
        return a * c * d

    @property
    def rows(self) -> int:
        a, b, _, d = self.chain[-1]
        return a * b * d

    @property
    def x_shape(self) -> tuple[int, int]:
        shape = (self.batch, self.columns)
        return shape if self.layout == "first" else shape[::-1]

    @property
    def y_shape(self) -> tuple[int, int]:
        shape = (self.batch, self.rows)
        return shape if self.layout == "first" else shape[::-1]

    @property
    def array_bytes(self) -> int:
        """Of input and output."""
        return self.kind.size * self.batch * (self.columns + self.rows)

    @property
    def weight_bytes(self) -> int:
        """As stored: tied weights once."""
        return self.kind.size * sum(map(math.prod, self.weight_shapes))

    @property
    def bytes(self) -> int:
        """That must move: input, output and weights, once each. What is between factors
        need not."""
        return self.array_bytes + self.weight_bytes

    @property
    def flops(self) -> int:
        """Of the chain as written."""
        return 2 * self.batch * sum(map(math.prod, self.chain))


@dataclass(frozen=True)
class GroupingCase(ChainCase):
    """A chain with one variant of its layer, and no peers."""

    @property
    def name(self) -> str:
        return f"{self.title} {self.variants[0]}"

    def list_missing(self, row: Row) -> list[str]:
        return [self.artifact] if row["status"] == "no artefact" else []


def make_chain_cases(
    kind: str,
    layout: str,
    titles: list[str] | None = None,
    batches: list[int] = BATCHES,
    variants: dict[str, list[str]] = VARIANTS,
) -> list[ChainCase]:
    flags = tuple(map(tuple, variants.values()))
    return [
        ChainCase(title, batch, KINDS[kind], layout, tuple(variants), flags)
        for title in titles or CHAINS
        for batch in batches
    ]


def choose_chains(which: str, words: list[str] | None) -> list[str]:
    """All or the main ones, of those that have one of the words in their name."""
    titles = MAIN_CHAINS if which == "main" else list(CHAINS)
    return [t for t in titles if not words or any(word in t for word in words)]


def finish_row(row: Row) -> None:
    """Fills in what follows from the times: ratios, and the best correct peer."""
    wrong = row.get("wrong", "").split()
    times = {way: number(row, f"{way}_us") for way in WAYS if way not in wrong}
    times = {way: us for way, us in times.items() if us > 0}
    peers = {way: us for way, us in times.items() if way in PEERS}
    best = min(peers, key=lambda way: peers[way]) if peers else ""
    if best:
        row["best_peer"], row["best_peer_us"] = best, f"{peers[best]:.5g}"
    for way in OURS:
        ours, floor = times.get(way), number(row, "floor_us")
        if ours and floor > 0:
            row[f"{way}_over_floor"] = f"{ours / floor:.3f}"
        if ours and "dense" in times:
            row[f"{way}_over_dense"] = f"{ours / times['dense']:.3f}"
        if ours and best:
            row[f"{way}_speedup"] = f"{peers[best] / ours:.3f}"


# ----------------------------------------------------------------------------------------
# What the compiler did
# ----------------------------------------------------------------------------------------


def read_kernels(ir: str) -> list[list[Pattern]]:
    """The patterns of each kernel, from IR with plans: of the hot function if there is one,
    as weights are packed in another."""
    functions = re.split(r"(?m)^\s*func\.func (?:\w+ )?@", ir)[1:]
    hot = [text for text in functions if re.match(r"\w+_packed\b", text)] or functions[:1]
    kernels = []
    for text in hot:
        for found in re.finditer(r"ks\.(?:matmul|chain)\b\s*\[?((?:\s*<[\d, ]+>,?)+)", text):
            patterns = re.findall(r"<([\d, ]+)>", found[1])
            kernels.append([tuple(map(int, p.split(","))) for p in patterns])
    return kernels


def describe_grouping(chain: list[Pattern], kernels: list[list[Pattern]]) -> str:
    """What became of the factors, in a few words."""
    if not kernels:
        return "?"
    left = sum(map(len, kernels))
    a, _, _, d = kernels[0][0]
    if left == 1 and (a, d) == (1, 1) and len(chain) > 1:
        return "dense"
    words = [f"merged {len(chain)}->{left}"] if left != len(chain) else []
    sizes = [len(patterns) for patterns in kernels]
    if len(kernels) == 1:
        words += [f"fused {left}"] if left > 1 else []
    elif max(sizes) == 1:
        words.append(f"apart {left}")
    else:
        words.append(f"fused {'+'.join(map(str, sizes))}")
    return ", ".join(words) or "one factor"


def summarize_ir(chain: list[Pattern], ir: str) -> dict:
    """What is stored beside an artefact."""
    kernels = read_kernels(ir)
    return {
        "kernels": len(kernels),
        "grouping": describe_grouping(chain, kernels),
        "patterns": [[list(pattern) for pattern in kernel] for kernel in kernels],
    }


def read_summary(artifact: Path) -> tuple[str, str]:
    """Number of kernels, and grouping; empty where nothing is stored."""
    path = artifact.with_suffix(".json")
    if not path.exists():
        return "", ""
    stored = json.loads(path.read_text())
    return str(stored["kernels"]), stored["grouping"]
