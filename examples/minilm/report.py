# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Judges the output of the compiled layer.mlir. NumPy only: no model, no torch.

    python report.py --out y.npy

y.npy is float32, (512, 1536): the compiled program's result on data/x.npy. Prints the
error against the same chain in float64, the error against the dense layer that the
chain replaces, and what both cost. Exit code 0 when every element is within the
float32 bound, 1 when one is not, 2 when a file is missing or is not what it should be.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

from layer import (
    CHAIN,
    DATA_DIR,
    FEATURES_IN,
    FEATURES_OUT,
    TOKENS,
    chain_layer,
    dense_layer,
    load_array,
    load_data,
)
from projection import relative_error


def errors(label: str, got: np.ndarray, expected: np.ndarray) -> str:
    """One line: largest absolute error and relative Frobenius error."""
    largest = float(np.abs(got - expected).max())
    relative = relative_error(got, expected)
    return f"  {label:<28} max abs {largest:9.3e}   relative Frobenius {relative:9.3e}"


def worst_element(out: np.ndarray, expected: np.ndarray, bound: np.ndarray):
    """Where |out - expected| / bound is largest, and that ratio.

    An element that is not finite counts as infinitely far away.
    """
    error = np.abs(out.astype(np.float64) - expected)
    ratio = np.where(np.isfinite(out), error, np.inf) / bound
    where = np.unravel_index(np.argmax(ratio), ratio.shape)
    return where, float(ratio[where])


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Judges the output of the compiled layer.mlir.")
    parser.add_argument("--out", type=Path, required=True, help="the program's result, .npy")
    parser.add_argument("--data", type=Path, default=DATA_DIR, help="folder of the example's data")
    args = parser.parse_args(argv)

    try:
        data = load_data(args.data)
        next_step = "write the result of @layer on data/x.npy there"
        out = load_array(args.out, (TOKENS, FEATURES_OUT), next_step)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2

    chain, bound = chain_layer(data["x"], [data["w0"], data["w1"]], data["bias"])
    dense = dense_layer(data["x"], data["dense"], data["bias"])
    where, ratio = worst_element(out, chain, bound)
    chain_size, dense_size = data["w0"].size + data["w1"].size, data["dense"].size

    factors = ", ".join(str(tuple(p)) for p in CHAIN)
    print(f"all-MiniLM-L6-v2, first feed-forward layer, {FEATURES_IN} -> {FEATURES_OUT}")
    print(f"  chain [{factors}] on {TOKENS} real token vectors, float32")
    print("compiled program")
    print(errors("against the chain, float64", out, chain))
    print(f"  {'worst element / bound':<28} {ratio:.3g} at {tuple(int(v) for v in where)}")
    print(errors("against the dense layer", out, dense))
    print("price of the projection alone (chain against dense layer, both float64)")
    print(errors("layer output", chain, dense))
    print("weights (the 1536 of the bias are the same)")
    print(
        f"  chain {chain_size:,}   dense {dense_size:,}   "
        f"ratio {chain_size / dense_size:.3f} (multiply-adds too)"
    )

    if not ratio <= 1:
        print(
            f"error: element {tuple(int(v) for v in where)} got {float(out[where])!r}, expected "
            f"{float(chain[where])!r} within {float(bound[where]):.3e} (the float32 bound, exceeded "
            f"{ratio:.3g} times); check the kernel's accumulation and its precision "
            "(tf32 does not meet this bound)",
            file=sys.stderr,
        )
        return 1
    print("ok: every element is within the float32 bound")
    return 0


if __name__ == "__main__":
    sys.exit(main())
