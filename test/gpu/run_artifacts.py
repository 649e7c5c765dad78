#!/usr/bin/env python3
# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs compiled random cases on a GPU and compares them with float64.

    python test/gpu/run_artifacts.py DIR --runtime libKSRuntimeC.so

Each case runs twice, on outputs that were poisoned with NaN: the results must be
within the bound of ks_reference, the same bit by bit, and memory around them
unchanged. Needs PyTorch (for device memory) and NumPy.
"""

import argparse
import sys
import traceback
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from device_cases import ROOT, draw_case, import_cases, is_tf32

ks_cases = import_cases()
from library_cases import draw_blocks

sys.path.insert(0, str(ROOT / "benchmarks"))
import ks_differential

_runtime = None


def to_device(torch, array: np.ndarray, dtype: str):
    if dtype == "bf16":
        return torch.from_numpy(array.view(np.int16)).cuda().view(torch.bfloat16)
    return torch.from_numpy(array).cuda()


def to_host(tensor, dtype: str) -> np.ndarray:
    import torch

    if dtype == "bf16":
        return tensor.view(torch.int16).cpu().numpy().view(np.uint16)
    return tensor.cpu().numpy()


def run_case(case: ks_cases.Case, path: Path, library: str) -> str | None:
    """What is wrong with the case, if anything."""
    global _runtime
    import ks_runtime
    import torch

    _runtime = _runtime or ks_runtime.Runtime(library)
    torch.cuda.init()
    torch.zeros(1, device="cuda")
    data = ks_cases.Maker(case).make()
    frames = [to_device(torch, frame, case.dtype) for frame in data.frames]

    def find(array: np.ndarray):
        for frame, tensor in zip(data.frames, frames):
            if np.shares_memory(frame, array):
                start = array.ctypes.data - frame.ctypes.data
                strides = [stride // frame.itemsize for stride in array.strides]
                return tensor.as_strided(array.shape, strides, start // frame.itemsize)
        return to_device(torch, np.ascontiguousarray(array), case.dtype)

    x, out = find(data.x), find(data.out)
    weights = [to_device(torch, weight, case.dtype) for weight in data.weights]
    extras = [find(extra) for extra in data.extras]
    poison = [frame.clone() for frame in frames]
    stream = torch.cuda.current_stream().cuda_stream
    results = []
    with _runtime.load(path) as layer:
        values = [x, *weights, *extras, out]
        if len(values) != len(layer.arguments):
            return f"got {len(layer.arguments)} arguments, expected {len(values)}"
        packed = torch.empty(max(layer.packed_bytes, 1), dtype=torch.uint8, device="cuda")
        workspace = torch.full(
            (max(layer.workspace_bytes(case.batch), 1),), 0xFF, dtype=torch.uint8, device="cuda"
        )
        packed.fill_(0xFF)
        chosen = list(zip(layer.arguments, values))
        layer.pack([v for a, v in chosen if a.is_weight], packed, stream)
        run = layer.bind(packed, [v for a, v in chosen if not a.is_weight], workspace)
        for _ in range(2):
            for frame, clean in zip(frames, poison):
                frame.copy_(clean)
            run(stream)
            torch.cuda.synchronize()
            results.append([to_host(frame, case.dtype).copy() for frame in frames])
    if any(a.tobytes() != b.tobytes() for a, b in zip(*results)):
        return "two runs gave different bits"
    before = [frame.copy() for frame in data.frames]
    for frame, result in zip(data.frames, results[0]):
        frame[...] = result
    got = data.out.copy()
    data.out[...] = ks_cases.narrow(np.full(data.out.shape, np.nan), case.dtype)
    changed = [n for n, (a, b) in enumerate(zip(before, data.frames)) if a.tobytes() != b.tobytes()]
    if changed:
        return f"memory around the arrays changed (frames {changed})"
    with np.errstate(all="ignore"):
        expected = ks_differential.reference(case, data, tf32=is_tf32(case))
    return ks_differential.compare(case, got, expected)


def check(task) -> tuple[ks_cases.Case, str | None]:
    case, path, library = task
    try:
        wrong = run_case(case, path, library)
    except Exception:
        wrong = traceback.format_exc()
    return case, wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("artifacts", type=Path)
    parser.add_argument("--runtime", required=True, help="libKSRuntimeC.so")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--long", action="store_true", help="if make_artifacts.py was told so")
    parser.add_argument("--library", action="store_true", help="the same; needs cublasLt")
    parser.add_argument("--ordered", action="store_true", help="if it was told --kernels ordered")
    parser.add_argument("--jobs", type=int, default=8)
    options = parser.parse_args()
    paths = sorted(options.artifacts.glob("*.ks"), key=lambda path: int(path.stem))
    tasks = []
    for path in paths:
        number = int(path.stem)
        if options.library:
            case = draw_blocks(options.seed, number, is_large=True)
        else:
            case = draw_case(options.seed, number, options.long, options.ordered)
        tasks.append((case, path, options.runtime))
    failures = 0
    if options.jobs > 1:
        with get_context("spawn").Pool(options.jobs) as pool:
            results = list(pool.imap_unordered(check, tasks, chunksize=4))
    else:
        results = [check(task) for task in tasks]
    for case, wrong in sorted(results, key=lambda result: result[0].number):
        if wrong:
            failures += 1
            print(f"case {case.number}: {wrong}\n  {case} tf32={is_tf32(case)}")
    print(f"{len(results) - failures} passed, {failures} failed")
    return 1 if failures or not results else 0


if __name__ == "__main__":
    sys.exit(main())
