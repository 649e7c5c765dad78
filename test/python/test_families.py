# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The layers of examples/families: by ks-run on the CPU, to PTX, and small ones on the
emulated GPU, against what the families are by definition."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "examples" / "families"), str(ROOT / "test" / "gpu")]
from test_emulated_gpu import BUILD, pytestmark  # noqa: F401

import families

KS_RUN = BUILD / "bin" / "ks-run"
families.KS_RUN = KS_RUN
BATCH = 3  # of the emulated GPU

every_layer = pytest.mark.parametrize("layer", families.LAYERS, ids=lambda layer: layer.entry)


def convert(layer, kind, folder):
    """The file with tensors of `kind`; epilogues stay in f32, the accumulator's type."""
    path = folder / f"{layer.entry}.mlir"
    path.write_text(layer.path.read_text().replace("xf32>", f"x{kind}>"))
    return path


# --- References ----------------------------------------------------------------------


def test_all_functions_of_the_files_are_run():
    text = "".join(path.read_text() for path in families.HERE.glob("*.mlir"))
    assert text.count("func.func @") == len(families.LAYERS)
    assert all(f"func.func @{layer.entry}(" in text for layer in families.LAYERS)


def test_hadamard_is_orthogonal_and_of_signs():
    matrix = families.hadamard(64)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(64), atol=1e-14)
    assert set(np.unique(matrix * 8)) == {-1.0, 1.0}


def test_a_block_tensor_train_has_blocks_of_its_rank():
    layer = next(layer for layer in families.LAYERS if layer.entry == "btt_small")
    _, right, left = families.make_arrays(layer, 1)
    matrix = layer.matrix(right, left).reshape(7, 4, 3, 5)  # j1 j0 i1 i0
    for j0, i1 in np.ndindex(4, 3):
        assert np.linalg.matrix_rank(matrix[:, j0, i1], tol=1e-5) == 2


def test_the_bound_refuses_a_wrong_weight():
    for layer in families.LAYERS:
        arrays = families.make_arrays(layer, 3)
        if len(arrays) > 1:
            wrong = [*arrays[:-1], arrays[-1].copy()]
            wrong[-1].flat[0] += 0.1
            result = wrong[0] @ layer.matrix(*wrong[1:]).T
            assert families.excess(layer, arrays, result) > 1


# --- Running ---------------------------------------------------------------------------


@every_layer
def test_layers_on_the_cpu(layer, tmp_path):
    error, figures = families.run(layer, 33, tmp_path)
    assert error <= 1
    assert all(result["good"] for result in figures["verify"])
    # Figures are those of this function, whatever else the file holds.
    assert len(figures["patterns"].split(";")) == text_of_chain(layer).count("<")


def text_of_chain(layer):
    text = layer.path.read_text()
    text = text[text.index(f"func.func @{layer.entry}(") :]
    text = text[text.index("ks.chain [") :]
    return text[: text.index("]")]


def test_times_count_the_weights_that_are_constants(tmp_path):
    layer = next(layer for layer in families.LAYERS if layer.entry == "hadamard_small")
    _, figures = families.run(layer, 2, tmp_path, "--time")
    assert figures["floor"]["bytes"] == 4 * (2 * 2 * 16 + 4)
    assert figures["floor"]["flops"] == 2 * 2 * 4 * 32


@pytest.mark.parametrize("kind", ["f32", "f16"])
@pytest.mark.parametrize("path", sorted(families.HERE.glob("*.mlir")), ids=lambda p: p.stem)
def test_layers_become_ptx(path, kind, tmp_path):
    source = tmp_path / path.name
    source.write_text(path.read_text().replace("xf32>", f"x{kind}>"))
    command = [KS_RUN, source, "--target", "sm_90", "--emit", "binary"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    layers = sum(layer.path == path for layer in families.LAYERS)
    assert done.stdout.count(".entry") >= layers
    assert ".target sm_90" in done.stdout


@pytest.mark.parametrize("kind", ["f32", "f16"])
@pytest.mark.parametrize(
    "layer", [layer for layer in families.LAYERS if layer.is_small], ids=lambda layer: layer.entry
)
def test_small_layers_on_the_emulated_gpu(emulator, layer, kind, tmp_path):
    path = tmp_path / "layer.ks"
    command = [KS_RUN, convert(layer, kind, tmp_path), "--entry", layer.entry, "--no-cubin"]
    command += ["--target", "sm_90", "--emit", "artifact", "-o", path]
    subprocess.run(command, check=True, capture_output=True, text=True)
    arrays = families.make_arrays(layer, BATCH, kind)
    device = emulator.device
    device.reset()
    device.failure = None
    out = device.put(np.full((BATCH, layer.features[1]), np.nan, families.NUMPY[kind]))
    values = [*map(device.put, arrays), out]
    emulator.run(path, [(array, kind) for array in values], BATCH)
    assert families.excess(layer, arrays, out, kind) <= 1


def test_merging_takes_fewer_kernels(tmp_path):
    """Constants need no ks.frozen."""
    texts = {}
    for name in ("hadamard", "hadamard_merged"):
        layer = next(layer for layer in families.LAYERS if layer.entry == name)
        texts[name] = emit_alone(layer, tmp_path)
    assert "ks.merge_weights" not in texts["hadamard"]
    assert "ks.merge_weights" in texts["hadamard_merged"]


def emit_alone(layer, folder):
    """Its kernels for sm_90, without the other functions of the file."""
    command = [KS_RUN, convert(layer, "f16", folder), "--target", "sm_90", "--emit", "kernels"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    text = done.stdout[done.stdout.index(f"func.func @{layer.entry}(") :]
    return text[: text.index("\n  }\n")]
