#!/usr/bin/env python3
# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles random cases for a GPU: the first half of the test on a device.

    python test/gpu/make_artifacts.py --count 1000 --target sm_90 --out DIR

Needs ks-run, no GPU. run_artifacts.py is the second half.
"""

import argparse
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from device_cases import ROOT, ask_for_kernels, draw_case, import_cases, mlir

import_cases()
from library_cases import draw_blocks, make_library_plan


def compile_case(options, number: int) -> str | None:
    """What went wrong, if anything."""
    if options.library:
        case = draw_blocks(options.seed, number, is_large=True)
    else:
        case = draw_case(options.seed, number, options.long, options.kernels == "ordered")
    source = options.out / f"{number}.mlir"
    text = mlir(case)
    source.write_text(ask_for_kernels(text, options.kernels) if options.kernels else text)
    command = [options.ks_run, source, "--target", options.target]
    command += ["--emit", "artifact", "-o", options.out / f"{number}.ks", "--no-cubin"]
    if options.library:
        command += ["--plan", make_library_plan(options.ks_run, source, options.target)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return f"case {number}: {done.stderr}\n{case}"
    source.unlink()
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ks-run", type=Path, default=ROOT / "build/release/bin/ks-run")
    parser.add_argument("--target", default="sm_90")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--kernels", choices=["apart", "ordered", "fused"],
                        help="how chains shall run; ordered: of chains for which that is")  # fmt: skip
    parser.add_argument("--long", action="store_true", help="chains of two to ten factors")
    parser.add_argument("--library", action="store_true", help="factors by cublasLt")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    numbers = range(options.first, options.first + options.count)
    with ThreadPoolExecutor(options.jobs) as pool:
        failures = [f for f in pool.map(lambda n: compile_case(options, n), numbers) if f]
    print("\n".join(failures))
    print(f"{options.count - len(failures)} compiled, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
