#!/usr/bin/env python3
# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs the layers of this folder by ks-run, and compares with the mathematics.

    python examples/families/families.py                  # all layers, on the CPU
    python examples/families/families.py --time           # and how long they take
    python examples/families/families.py --batch 64 --only hadamard

The references are what the families are by definition: np.kron, the recursion of the
Walsh-Hadamard matrices, the sums of Block-Tensor-Trains. They know nothing of patterns.
Needs NumPy and ks-run (KS_BUILD_DIR: where it was built).
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
BUILD = Path(os.environ.get("KS_BUILD_DIR", HERE.parents[1] / "build" / "release"))
KS_RUN = BUILD / "bin" / "ks-run"

NUMPY = {"f16": np.float16, "f32": np.float32}
UNIT = {"f16": 2.0**-11, "f32": 2.0**-24}  # half the distance from 1 to the next number
TINY = {"f16": 2.0**-24, "f32": 2.0**-149}  # the smallest one above 0


# --- What the families are -----------------------------------------------------------


def kronecker(b: np.ndarray, a: np.ndarray) -> np.ndarray:
    """A (x) B, from weights in the order in which the factors are applied."""
    return np.kron(a[0, :, :, 0], b[0, :, :, 0])


def hadamard(size: int) -> np.ndarray:
    """By its recursion, and orthogonal."""
    matrix = np.ones((1, 1))
    while len(matrix) < size:
        matrix = np.block([[matrix, matrix], [matrix, -matrix]])
    return matrix / np.sqrt(size)


def block_tensor_train(
    right: np.ndarray, left: np.ndarray, m: tuple[int, int], n: tuple[int, int]
) -> np.ndarray:
    """W[(j1, j0), (i1, i0)] = sum over p of L[j1, i1, p, j0] R[i1, p, j0, i0]."""
    (m1, m0), (n1, n0) = m, n
    right = right.reshape(m1, -1, n0, m0)
    left = left.reshape(n1, m1, -1, n0)
    return np.einsum("JIpj,Ipji->JjIi", left, right, optimize=True).reshape(n1 * n0, m1 * m0)


def three_cores(right: np.ndarray, middle: np.ndarray, left: np.ndarray, s: int) -> np.ndarray:
    """Input and output are s x s x s; see block-tensor-train.mlir."""
    right = right.reshape(s, s, -1, s, s)  # i2 i1 p j0 i0
    middle = middle.reshape(s, -1, s, s, right.shape[2], s)  # i2 q j1 i1 p j0
    left = left.reshape(s, s, -1, s, s)  # j2 i2 q j1 j0
    # a b c: i2 i1 i0; x y z: j2 j1 j0
    matrix = np.einsum("xaqyz,aqybpz,abpzc->xyzabc", left, middle, right, optimize=True)
    return matrix.reshape(s**3, s**3)


# --- The layers of this folder ---------------------------------------------------------


@dataclass(frozen=True)
class Layer:
    """A function of a file, and the matrix that it multiplies by."""

    file: str
    entry: str
    features: tuple[int, int]  # of input and output
    weights: tuple[tuple[int, ...], ...]  # shapes
    matrix: Callable[..., np.ndarray]  # of the weights
    depths: tuple[int, ...]  # products of which each factor's results are sums
    is_small: bool = False  # enough for an emulated GPU

    @property
    def path(self) -> Path:
        return HERE / self.file


def _kronecker(entry: str, a: tuple[int, int], b: tuple[int, int], **options) -> Layer:
    features, shapes = (a[1] * b[1], a[0] * b[0]), ((1, *b, 1), (1, *a, 1))
    return Layer("kronecker.mlir", entry, features, shapes, kronecker, (b[1], a[1]), **options)


def _hadamard(entry: str, size: int, depths: tuple[int, ...], **options) -> Layer:
    features = (size, size)
    return Layer("hadamard.mlir", entry, features, (), lambda: hadamard(size), depths, **options)


def _btt(entry: str, m: tuple[int, int], n: tuple[int, int], rank: int, **options) -> Layer:
    features = (m[0] * m[1], n[0] * n[1])
    shapes = ((m[0], rank * n[1], m[1], 1), (1, n[0], rank * m[0], n[1]))
    matrix = lambda right, left: block_tensor_train(right, left, m, n)  # noqa: E731
    depths = (m[1], rank * m[0])
    return Layer("block-tensor-train.mlir", entry, features, shapes, matrix, depths, **options)


LAYERS = [
    _kronecker("square", (32, 32), (32, 32)),
    _kronecker("rectangular", (48, 16), (32, 24)),
    _kronecker("small", (6, 3), (4, 5), is_small=True),
    _hadamard("hadamard", 1024, (2,) * 10),
    _hadamard("hadamard_merged", 1024, (1024,)),  # at worst
    _hadamard("hadamard_small", 16, (2,) * 4, is_small=True),
    _hadamard("hadamard_small_merged", 16, (16,), is_small=True),
    _btt("btt", (24, 32), (48, 64), 2),
    Layer(
        "block-tensor-train.mlir",
        "three_cores",
        (512, 512),
        ((64, 32, 8, 1), (8, 16, 32, 8), (1, 8, 16, 64)),
        lambda right, middle, left: three_cores(right, middle, left, 8),
        (8, 32, 16),
    ),
    _btt("btt_small", (3, 5), (7, 4), 2, is_small=True),
]


def make_arrays(layer: Layer, batch: int, kind: str = "f32", seed: int = 0) -> list[np.ndarray]:
    """x and the weights; results are of the order of 1."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((batch, layer.features[0]))
    weights = [rng.standard_normal(shape) / np.sqrt(shape[2]) for shape in layer.weights]
    return [array.astype(NUMPY[kind]) for array in (x, *weights)]


def excess(layer: Layer, arrays: list[np.ndarray], result: np.ndarray, kind: str = "f32") -> float:
    """The largest error of an element of `result`, over what it may be: 1 is the most.

    For each factor, (c + 2) roundings of sums, which are in f32, and one of the result, all
    of the order of |W| |x|, with |W| the same matrix of absolute values.
    """
    x, *weights = (array.astype(np.float64) for array in arrays)
    expected = x @ layer.matrix(*weights).T
    most = np.abs(x) @ np.abs(layer.matrix(*map(np.abs, weights))).T
    growth = sum((c + 2) * UNIT["f32"] + UNIT[kind] for c in layer.depths) + UNIT[kind]
    bound = 1.01 * growth * most + len(layer.depths) * TINY[kind]
    with np.errstate(invalid="ignore"):
        ratio = np.max(np.abs(result.astype(np.float64) - expected) / bound, initial=0)
    return float(ratio) if np.isfinite(ratio) else float("inf")


# --- ks-run ------------------------------------------------------------------------------


def run(layer: Layer, batch: int, folder: Path, *options: str) -> tuple[float, dict]:
    """The error over its bound, and the figures of `ks-run --json`."""
    arrays = make_arrays(layer, batch)
    command = [str(KS_RUN), str(layer.path), "--entry", layer.entry, "--json", "--verify"]
    for number, array in enumerate(arrays):
        path = folder / f"{number}.npy"
        np.save(path, array)
        command += ["--arg", str(path)]
    out = folder / "y.npy"
    done = subprocess.run([*command, "--out", str(out), *options], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr or done.stdout)
    return excess(layer, arrays, np.load(out)), json.loads(done.stdout)


def show(layer: Layer, error: float, figures: dict) -> str:
    cells = [f"{layer.file}: @{layer.entry}", f"{layer.features[0]} → {layer.features[1]}"]
    cells += [str(figures["batch"]), f"{error:.3f}"]
    if "time" in figures:
        cells += [
            f"{figures['time']['median_ms']:.3f}",
            f"{figures['floor']['ms']:.3f}",
            f"{figures['time']['times_floor']:.2f}",
        ]
    return "| " + " | ".join(cells) + " |"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--batch", type=int, nargs="+", default=[512, 4096])
    parser.add_argument("--only", default="", help="layers with this in their file or name")
    parser.add_argument("--time", action="store_true", help="time them, against the floor")
    options = parser.parse_args()
    if not KS_RUN.exists():
        print(f"cannot find {KS_RUN}; build KS, or set KS_BUILD_DIR", file=sys.stderr)
        return 2
    head = ["layer", "features", "batch", "error / bound"]
    if options.time:
        head += ["ms", "floor, ms", "× floor"]
    print("| " + " | ".join(head) + " |\n|---|---|" + "--:|" * (len(head) - 2))
    is_good = True
    with tempfile.TemporaryDirectory() as folder:
        for layer in LAYERS:
            if options.only not in f"{layer.file} {layer.entry}":
                continue
            for batch in options.batch:
                flags = ["--time"] if options.time else []
                error, figures = run(layer, batch, Path(folder), *flags)
                is_good &= error <= 1
                print(show(layer, error, figures), flush=True)
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
