#!/usr/bin/env python3
# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Errors of f32 products on tensor cores, on data that make it hard to keep them small.

    python test/gpu/split_numbers.py --make DIR                            # no GPU; needs ks-run
    python test/gpu/split_numbers.py --run DIR --runtime libKSRuntimeC.so  # needs PyTorch

For each kind of data in split_cases.py it says how far errors are below the bounds.
"""

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
import split_cases

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

PATTERNS = [(1, 32, 32, 4), (1, 32, 64, 4), (2, 40, 100, 3), (1, 32, 256, 8), (1, 32, 1024, 4)]
LAYOUTS = ["first", "last"]
BATCH = 64


def get_path(folder: Path, pattern, layout: str) -> Path:
    return folder / f"{'-'.join(map(str, pattern))}-{layout}.ks"


def make(args: argparse.Namespace) -> int:
    args.make.mkdir(parents=True, exist_ok=True)
    for pattern in PATTERNS:
        for layout in LAYOUTS:
            options = split_cases.get_options(pattern, layout, "sm_90", BATCH)
            plan = split_cases.find_split_plans(args.ks_run, options, 1)[0]
            command = [args.ks_run, *options, "--plan", plan, "--emit", "artifact", "--no-cubin"]
            subprocess.run([*command, "-o", get_path(args.make, pattern, layout)], check=True)
    return 0


def compute(runtime, path: Path, layout: str, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
    import torch

    batch, (a, b, _, d) = len(x), weight.shape
    columns = x.reshape(batch, -1)
    y = torch.full((batch, a * b * d), float("nan"), device="cuda")
    if layout == "last":
        columns, y = columns.T, y.T.contiguous()
    values = [np.ascontiguousarray(columns), weight]
    arrays = [*(torch.from_numpy(value).cuda() for value in values), y]
    stream = torch.cuda.current_stream().cuda_stream
    with runtime.load(path) as layer:
        packed = torch.empty(max(layer.packed_bytes, 1), dtype=torch.uint8, device="cuda")
        workspace = torch.empty(max(layer.workspace_bytes(batch), 1), dtype=torch.uint8).cuda()
        chosen = list(zip(layer.arguments, arrays))
        layer.pack([v for a, v in chosen if a.is_weight], packed, stream)
        layer.bind(packed, [v for a, v in chosen if not a.is_weight], workspace)(stream)
        torch.cuda.synchronize()
    y = (y if layout == "first" else y.T).cpu().numpy()
    return y.reshape(batch, a, b, d)


def run(args: argparse.Namespace) -> int:
    from ks_runtime import Runtime

    runtime, failures = Runtime(args.runtime), 0
    for pattern in PATTERNS:
        for layout in LAYOUTS:
            for kind in split_cases.KINDS:
                x, weight = split_cases.make(kind, pattern, BATCH, seed=5)
                y = compute(runtime, get_path(args.run, pattern, layout), layout, x, weight)
                errors = split_cases.get_errors(x, weight, y)
                wrong = split_cases.check(kind, y, errors)
                failures += wrong is not None
                print(f"{pattern} {layout} {kind}: {wrong or 'good'}; {errors}")
    print(f"{failures} failed")
    return 1 if failures else 0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--make", type=Path, metavar="DIR")
    what.add_argument("--run", type=Path, metavar="DIR")
    parser.add_argument("--ks-run", type=Path, default=ROOT / "build/release/bin/ks-run")
    parser.add_argument("--runtime", type=Path, metavar="PATH", help="libKSRuntimeC.so")
    args = parser.parse_args()
    return make(args) if args.make else run(args)


if __name__ == "__main__":
    sys.exit(main())
