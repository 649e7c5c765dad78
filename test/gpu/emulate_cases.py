#!/usr/bin/env python3
# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Compiles random cases for a GPU and runs them on the emulated one.

python test/gpu/emulate_cases.py --first 0 --count 50 --target sm_80
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import traceback
from pathlib import Path

import numpy as np
from device_cases import ROOT, import_cases, is_tf32, mlir
from emulated_device import Device, Tensor

ks_cases = import_cases()
sys.path.insert(0, str(ROOT / "benchmarks"))
import ks_differential
import ks_runtime

NAMES = {"f16": "float16", "bf16": "bfloat16", "f32": "float32", "f64": "float64"}
BUILD = ROOT / "build" / "release"


def is_emulated(case) -> bool:
    """The sine's reduction of its argument uses local memory, which is not emulated."""
    return case.epilogue != "sine"


def compile_text(text: str, path: Path, target: str, ks_run: Path, plan: str | None = None) -> None:
    source = path.with_suffix(".mlir")
    source.write_text(text)
    command = [ks_run, source, "--target", target, "--emit", "artifact", "-o", path, "--no-cubin"]
    command += ["--plan", plan] if plan else []
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)


def reference(case, data):
    return ks_differential.reference(case, data, tf32=is_tf32(case))


class Emulator:
    def __init__(self, build: Path = BUILD):
        self.device = Device(str(build / "test" / "unit" / "libKSFakeDriver.so"))
        self.runtime = ks_runtime.Runtime(build / "lib" / "libKSRuntimeC.so")

    def run(self, path: Path, values: list[tuple[np.ndarray, str]], batch: int) -> None:
        """Packs and runs; `values` are all arguments, in the arena, and their types."""
        tensors = [Tensor(array, NAMES.get(dtype, dtype)) for array, dtype in values]
        with self.runtime.load(path) as layer:
            assert len(tensors) == len(layer.arguments)
            packed = Tensor(self.device.allocate(max(layer.packed_bytes, 1)), "uint8")
            size = max(layer.workspace_bytes(batch), 1)
            workspace = Tensor(self.device.allocate(size), "uint8")
            chosen = list(zip(layer.arguments, tensors))
            layer.pack([t for a, t in chosen if a.is_weight], packed, 0)
            layer.bind(packed, [t for a, t in chosen if not a.is_weight], workspace)(0)

    def check(
        self, case, path: Path, weights: list | None = None, reference=reference
    ) -> str | None:
        """What is wrong with the case, if anything. `weights` are those that the layer has
        itself; `reference` makes the result, and its bound, of a case and its data."""
        device = self.device
        device.reset()
        device.failure = None
        data = ks_cases.Maker(case).make()
        if weights is not None:
            data.weights = weights
        frames = [device.put(frame) for frame in data.frames]

        def find(array: np.ndarray) -> np.ndarray:
            for frame, copy in zip(data.frames, frames):
                if np.shares_memory(frame, array):
                    start = array.ctypes.data - frame.ctypes.data
                    flat = copy.reshape(-1)[start // frame.itemsize :]
                    return np.lib.stride_tricks.as_strided(flat, array.shape, array.strides)
            return device.put(np.ascontiguousarray(array))

        arguments = data.weights if weights is None else []
        arrays = [data.x, *arguments, *data.extras, data.out]
        placed = [find(array) for array in arrays]
        try:
            types = [*[case.dtype] * (len(placed) - 1), case.result_dtype]
            self.run(path, list(zip(placed, types)), case.batch)
        except ks_runtime.KsError as error:
            return str(device.failure or error)
        got = placed[-1].copy()
        placed[-1][...] = data.out
        for number, (frame, copy) in enumerate(zip(data.frames, frames)):
            if frame.tobytes() != copy.tobytes():
                return f"memory around the arrays changed (frame {number})"
        with np.errstate(all="ignore"):
            expected = reference(case, data)
        return ks_differential.compare(case, got, expected)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--target", default="sm_80")
    parser.add_argument("--build", type=Path, default=BUILD)
    options = parser.parse_args()
    emulator = Emulator(options.build)
    failures = 0
    with tempfile.TemporaryDirectory() as directory:
        for number in range(options.first, options.first + options.count):
            case = ks_cases.draw(options.seed, number)
            if not is_emulated(case):
                continue
            path = Path(directory) / f"{number}.ks"
            try:
                ks_run = options.build / "bin" / "ks-run"
                compile_text(mlir(case), path, options.target, ks_run)
                wrong = emulator.check(case, path)
            except Exception:
                wrong = traceback.format_exc()
            if wrong:
                failures += 1
                print(f"case {number}: {wrong}\n  {case}", flush=True)
    print(f"{options.count - failures} passed, {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
