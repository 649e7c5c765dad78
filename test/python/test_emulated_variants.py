# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Layers for any batch: variants for ranges of batches, in one artefact."""

import dataclasses
import itertools
import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test" / "gpu"))
import emulate_cases
from device_cases import embed_weights, mlir
from test_emulated_constants import KS_RUN, make_case
from test_emulated_gpu import pytestmark  # noqa: F401

import ks

CHAINS = [
    ks.Chain([(2, 24, 40, 3)]),
    ks.Chain([(1, 72, 64, 16)]),
    ks.Chain([(4, 40, 24, 1), (1, 16, 32, 5)]),
]


@pytest.mark.parametrize("chain", CHAINS, ids=str)
@pytest.mark.parametrize("layout", ["batch_first", "batch_last"])
@pytest.mark.parametrize("has_weights", [False, True], ids=["arguments", "constants"])
def test_ranges(emulator, tmp_path, chain, layout, has_weights):
    case = make_case(chain, "f16", layout)
    text, weights = mlir(case), None
    if has_weights:
        weights = emulate_cases.ks_cases.Maker(case).make().weights
        text = embed_weights(text, weights)
    source, path = tmp_path / "layer.mlir", tmp_path / "layer.ks"
    source.write_text(text)
    command = [KS_RUN, source, "--target", "sm_90", "--no-cubin"]
    done = subprocess.run([*command, "--json"], check=True, capture_output=True, text=True)
    variants = json.loads(done.stdout)["variants"]
    ranges = [(v["min_batch"], v.get("max_batch")) for v in variants]
    assert ranges[0][0] == 0
    assert ranges[-1][1] is None
    assert all(last + 1 == first for (_, last), (first, _) in itertools.pairwise(ranges))
    command += ["--emit", "artifact", "-o", path]
    subprocess.run(command, check=True, capture_output=True, text=True)
    for batch in (0, 1, 8, 9, 64, 65, 513):
        assert emulator.check(dataclasses.replace(case, batch=batch), path, weights) is None
