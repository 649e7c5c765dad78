# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The layer of layer.mlir in NumPy: its chain, its data files, its float64 meaning.

Both extract.py (which writes the data) and report.py (which judges an output) build
on this file.
"""

from pathlib import Path

import numpy as np

from projection import Pattern, ks_matmul

# In the order the factors are applied, as in layer.mlir.
CHAIN = [Pattern(6, 64, 64, 1), Pattern(1, 768, 192, 2)]
TOKENS = 512
FEATURES_IN = CHAIN[0].cols  # 384
FEATURES_OUT = CHAIN[-1].rows  # 1536

DATA_DIR = Path(__file__).resolve().parent / "data"
PROVENANCE = "PROVENANCE.md"

# Every array of data/, float32, as `<name>.npy`.
SHAPES = {
    "x": (TOKENS, FEATURES_IN),
    "w0": tuple(CHAIN[0]),
    "w1": tuple(CHAIN[1]),
    "bias": (FEATURES_OUT,),
    "dense": (FEATURES_OUT, FEATURES_IN),
}

# Half the distance from 1 to the next float32: the largest relative rounding error.
UNIT_ROUNDOFF = 2.0**-24


def load_array(path: Path, shape: tuple[int, ...], next_step: str) -> np.ndarray:
    """Loads a float32 .npy file of the given shape.

    Raises ValueError, closing with `next_step`, when the file is missing or unreadable
    or holds something else.
    """
    expected = f"expected float32 {shape}; {next_step}"
    try:
        array = np.load(path, allow_pickle=False)
    except FileNotFoundError:
        raise ValueError(f"{path}: got no such file, {expected}") from None
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(
            f"{path}: got a file that is no .npy array ({error}), {expected}"
        ) from None
    if not isinstance(array, np.ndarray):
        raise ValueError(f"{path}: got an .npz archive, {expected}")
    if array.dtype != np.float32 or array.shape != shape:
        raise ValueError(f"{path}: got {array.dtype} {array.shape}, {expected}")
    return array


def load_data(data_dir: Path = DATA_DIR) -> dict[str, np.ndarray]:
    """The arrays of SHAPES by name. Raises ValueError as load_array does."""
    return {
        name: load_array(data_dir / f"{name}.npy", shape, "restore data/ or run extract.py")
        for name, shape in SHAPES.items()
    }


def dense_layer(x: np.ndarray, dense: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """X W^T + bias in float64: (batch, 384) -> (batch, 1536)."""
    return x.astype(np.float64) @ dense.astype(np.float64).T + bias


def chain_layer(
    x: np.ndarray, weights: list[np.ndarray], bias: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The layer in float64, and how far a float32 kernel may be from it.

    Returns (y, bound), both (batch, 1536). The bound is carried from factor to factor,
    element by element: with y = K x in exact arithmetic and e the error of its input,

        e <- |K| e + (c + 2) u |K| |x| + u |y|

    where c + 2 covers the c products summed in any order and u |y| the rounding of the
    factor's result. The bias adds one more rounding, u |y + bias|.
    """
    y, e = x.astype(np.float64), np.zeros(x.shape)
    for pattern, weight in zip(CHAIN, weights):
        size = np.abs(weight)
        propagated = ks_matmul(e, pattern, size)
        summed = (pattern.c + 2) * UNIT_ROUNDOFF * ks_matmul(np.abs(y), pattern, size)
        y = ks_matmul(y, pattern, weight)
        e = propagated + summed + UNIT_ROUNDOFF * np.abs(y)
    y = y + bias
    return y, e + UNIT_ROUNDOFF * np.abs(y)
