# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The cases of cpu_chains.py, and the CSV that holds their results."""

import csv
import json

BATCHES = [512, 4096]
# Cases for torch.compile, by the beginning of the name: compiling is slow.
COMPILED = (
    "vit_s16_up",
    "vit_b/gpt2 up",
    "monarch sqrt N=1024",
    "monarch sqrt N=4096",
    "llama2_7b up 4096->11008 r4",
    "btt gpt2",
    "dyadic",
    "hadamard",
    "radix16 4096",
    "kron",
)
# Single factors beyond those of the chains.
PATTERNS = [
    (3, 48, 48, 16),
    (1, 48, 192, 6),
    (4, 64, 64, 4),
    (1, 64, 256, 2),
    (1, 128, 128, 3),
    (1, 192, 768, 2),
    (1, 256, 64, 6),
    (1, 256, 256, 3),
    (1, 768, 768, 3),
]
SMALL_BLOCK = 12  # columns of a block, for the way that goes column by column
QUICK = ("vit_s16_up", "monarch sqrt N=1024", "dyadic 1024", "kron 32x32", "1,64,256,2")

PEERS = ["bmm", "einsum", "matmul", "addcmul", "linear", "onednn", "compile"]
FIELDS = [
    *("kind", "name", "batch", "chain", "tied", "status", "ks_ms"),
    *(f"{peer}_ms" for peer in PEERS),
    *("dense_bound_ms", "flops", "bytes", "copy_gbps", "fma_gflops"),
    *("error_ratio", "ks_spread", "others_cpu", "load", "notes", "plan"),
    *("linear_gflops", "onednn_gflops"),
    *("date", "cpu", "cores", "torch", "ks", "command"),
]


def tied_axes(name, chain):
    """Per factor: '', 'a', 'd' or 'ad'."""
    is_tied = "tied" in name or name.startswith("kron")
    return [
        ("a" if is_tied and a > 1 else "") + ("d" if is_tied and d > 1 else "")
        for a, _, _, d in chain
    ]


def make_cases(args):
    chains = json.loads(args.chains.read_text())
    chains = {name: [tuple(p) for p in chain] for name, chain in chains.items()}
    singles = set(PATTERNS)
    for name, chain in chains.items():
        if not any(tied_axes(name, chain)):
            singles.update(p for p in chain if p[1] >= 64 and p[2] >= 64)
    singles -= {chain[0] for chain in chains.values() if len(chain) == 1}
    sources = [("chain", name, chain) for name, chain in chains.items()]
    sources += [("factor", ",".join(map(str, p)), [p]) for p in sorted(singles)]
    cases = []
    for kind, name, chain in sources:
        if args.quick and not name.startswith(QUICK):
            continue
        if args.only and not any(word in name for word in args.only):
            continue
        if args.kind and kind != args.kind:
            continue
        for batch in args.batch or BATCHES:
            cases.append((kind, name, chain, tied_axes(name, chain), batch))
    return cases


def get_key(row):
    return row["kind"], row["name"], int(row["batch"])


def read_rows(path):
    """The last row of each case."""
    if not path.exists():
        return {}
    with path.open(newline="") as file:
        reader = csv.DictReader(file)
        if reader.fieldnames != FIELDS:
            raise SystemExit(f"'{path}' has other columns than this program; remove it")
        return {get_key(row): row for row in reader}


def append_row(path, row):
    is_new = not path.exists()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, FIELDS)
        if is_new:
            writer.writeheader()
        writer.writerow(row)
