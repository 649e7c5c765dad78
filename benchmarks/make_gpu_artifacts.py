#!/usr/bin/env python3
# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles the layers that gpu_factors.py, gpu_graphs.py and gpu_chains.py run. Needs
ks-run, no GPU.

    python benchmarks/make_gpu_artifacts.py --out DIR                # of gpu_factors.py
    python benchmarks/make_gpu_artifacts.py --small --unseen --out DIR
    python benchmarks/make_gpu_artifacts.py --graphs --out DIR       # of gpu_graphs.py
    python benchmarks/make_gpu_artifacts.py --chains all --types f16 bf16 --layouts first --out DIR

Layers of chains are made in two variants, exact and free (gpu_chains.py says what that
means); beside each a .json says what became of the factors. --variant NAME="FLAGS" makes
others, for gpu_chains.py --groupings: flags of ks-run that force a grouping, say.

A layer that is there already is not made again: after a change of the compiler, use another
folder. (gpu_plans.py makes its own.)
"""

import argparse
import itertools
import json
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from gpu_cases import BATCH, KINDS, LAYOUTS, PATTERNS, SMALL_BATCHES, SMALL_PATTERNS, Case
from gpu_chain_cases import (
    BATCHES,
    VARIANTS,
    ChainCase,
    choose_chains,
    make_chain_cases,
    summarize_ir,
)
from gpu_graphs import make_graph_cases
from gpu_unseen import UNSEEN_PATTERNS, make_unseen_case

ROOT = Path(__file__).resolve().parents[1]
BUILD = Path(os.environ.get("KS_BUILD_DIR", ROOT / "build" / "release"))


def list_cases(args: argparse.Namespace, kind: str, layout: str) -> list[Case]:
    """Of all lists that were asked for, or else the 36 patterns."""
    cases = []
    if not (args.small or args.unseen or args.graphs or args.chains):
        cases += [Case(pattern, BATCH, KINDS[kind], layout) for pattern in PATTERNS]
    if args.small:
        for pattern, batch in itertools.product(SMALL_PATTERNS, SMALL_BATCHES):
            cases.append(Case(pattern, batch, KINDS[kind], layout))
    if args.unseen:
        cases += [make_unseen_case(pattern, kind, layout) for pattern in UNSEEN_PATTERNS]
    if args.graphs:
        cases += make_graph_cases(kind, layout)
    if args.chains:
        titles = choose_chains(args.chains, args.only)
        cases += make_chain_cases(kind, layout, titles, args.batch, args.variants)
    return cases


@dataclass(frozen=True)
class Layer:
    name: str
    options: list[str]
    case: Case | ChainCase


def make(args: argparse.Namespace, layer: Layer) -> str:
    """What went wrong, or ''."""
    part, path = args.out / (layer.name + ".part"), args.out / layer.name
    command = [args.ks_run, *layer.options, "--target", args.target, "--emit"]

    def run(*words: str | Path) -> subprocess.CompletedProcess:
        return subprocess.run([*command, *words], capture_output=True, text=True)

    done = run("artifact", "--no-cubin", "-o", part)
    if not done.returncode and isinstance(layer.case, ChainCase):
        plans = done = run("plans")
        summary = summarize_ir(layer.case.chain, plans.stdout)
        path.with_suffix(".json").write_text(json.dumps(summary) + "\n")
    if done.returncode:
        return f"{layer.name}: {done.stderr.strip()}"
    part.replace(path)  # whole, or not there
    return ""


def parse_variant(text: str) -> tuple[str, list[str]]:
    name, equals, flags = text.partition("=")
    if not name.isalnum() or not equals:
        raise argparse.ArgumentTypeError(f"'{text}' is not a variant; write it as NAME=FLAGS")
    return name, shlex.split(flags)


def choose_variants(args: argparse.Namespace) -> dict[str, list[str]]:
    """Those that this ks-run can make."""
    variants = dict(VARIANTS)
    if args.chains:
        known = subprocess.run([args.ks_run, "--help"], capture_output=True, text=True).stdout
        for name, flags in VARIANTS.items():
            if not all(flag in known for flag in flags):
                print(f"variant {name} is left out: ks-run has no {' '.join(flags)}")
                del variants[name]
    return variants | dict(args.variant)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--small", action="store_true", help="of gpu_factors.py --small")
    add("--unseen", action="store_true", help="of gpu_factors.py --unseen")
    add("--graphs", action="store_true", help="of gpu_graphs.py")
    add("--chains", choices=["main", "all"], help="of gpu_chains.py")
    add("--only", nargs="+", metavar="WORD", help="chains with one of these in their name")
    add("--batch", type=int, nargs="+", default=BATCHES, help="of chains")
    add("--variant", type=parse_variant, action="append", default=[], metavar="NAME=FLAGS",
        help="of chains, besides exact and free")  # fmt: skip
    add("--types", nargs="+", choices=list(KINDS), default=list(KINDS))
    add("--layouts", nargs="+", choices=LAYOUTS, default=LAYOUTS)
    add("--target", default="sm_90")
    add("--ks-run", type=Path, default=BUILD / "bin" / "ks-run")
    add("--jobs", type=int, default=os.cpu_count())
    add("--out", type=Path, metavar="DIR", required=True)
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    args.variants = choose_variants(args)
    layers = {
        name: Layer(name, options, case)
        for kind, layout in itertools.product(args.types, args.layouts)
        for case in list_cases(args, kind, layout)
        for name, options in case.layers.items()
    }
    missing = [layer for name, layer in layers.items() if not (args.out / name).exists()]
    with ThreadPoolExecutor(args.jobs) as pool:
        failures = list(filter(None, pool.map(lambda layer: make(args, layer), missing)))
    print("".join(f"{failure}\n" for failure in failures), end="")
    print(f"{len(missing) - len(failures)} made, {len(failures)} failed", end=", ")
    print(f"{len(layers) - len(missing)} were there")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
