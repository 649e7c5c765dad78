# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Arrays of more than 2^31 elements. Needs 6 GB of free memory and KS_BIG_TESTS=1."""

import os

import numpy as np
import pytest

import ks

NEEDED = 6 * 10**9  # bytes: one array of 4.3 GB, its counterpart, and some room
WIDTH = 1024
BATCH = 2**21 + 3  # 2^31 + 3072 elements


def available_memory() -> int:
    try:
        with open("/proc/meminfo") as lines:
            for line in lines:
                if line.startswith("MemAvailable:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


pytestmark = [
    pytest.mark.skipif(os.environ.get("KS_BIG_TESTS") != "1", reason="KS_BIG_TESTS is not 1"),
    pytest.mark.skipif(
        available_memory() < NEEDED, reason=f"needs {NEEDED / 1e9:.0f} GB of free memory"
    ),
]

# The rows that are checked: both ends, and around 2^31 elements.
ROWS = np.r_[0:8, 2**21 - 8 : BATCH]


def on_rows(layout, array):
    return array[ROWS] if layout == "batch_first" else array[:, ROWS].T


@pytest.mark.parametrize("layout", ks.LAYOUTS)
def test_large_input(layout):
    chain = ks.Chain([(1, 2, WIDTH, 1)])
    shape = (BATCH, WIDTH) if layout == "batch_first" else (WIDTH, BATCH)
    x = np.empty(shape, np.float16)
    assert x.size > 2**31
    # Rows differ, and so do columns.
    pattern = (np.arange(4099) % 61 / 32 - 1).astype(np.float16)
    flat = x.reshape(-1)
    for start in range(0, flat.size, 4099 * 4096):
        part = flat[start : start + 4099 * 4096]
        part[:] = np.resize(pattern, part.size)
    weight = (np.arange(2 * WIDTH) % 7 / 64 - 3 / 64).astype(np.float16)
    weight = weight.reshape(chain.weight_shapes[0])
    y = ks.compile(chain, "f16", layout)(x, weight)
    expected = on_rows(layout, x).astype(np.float64) @ weight[0, :, :, 0].astype(np.float64).T
    np.testing.assert_allclose(on_rows(layout, y), expected, rtol=2**-10, atol=1e-4)
    assert np.isfinite(y).all()


@pytest.mark.parametrize("layout", ks.LAYOUTS)
def test_large_result(layout):
    chain = ks.Chain([(1, WIDTH, 2, 1)])
    x = (np.arange(2 * BATCH) % 4093 / 2048 - 1).astype(np.float16)
    x = x.reshape((BATCH, 2) if layout == "batch_first" else (2, BATCH))
    weight = (np.arange(2 * WIDTH) % 61 / 64 + 1).astype(np.float16)
    weight = weight.reshape(chain.weight_shapes[0])
    out = np.full((BATCH, WIDTH) if layout == "batch_first" else (WIDTH, BATCH), np.nan, np.float16)
    assert out.size > 2**31
    ks.compile(chain, "f16", layout)(x, weight, out=out)
    expected = on_rows(layout, x).astype(np.float64) @ weight[0, :, :, 0].astype(np.float64).T
    np.testing.assert_allclose(on_rows(layout, out), expected, rtol=2**-10, atol=1e-4)
    for start in range(0, len(out), max(len(out) // 64, 1)):  # all was written
        assert np.isfinite(out[start : start + len(out) // 64]).all()
