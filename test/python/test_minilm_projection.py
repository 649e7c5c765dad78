# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The MiniLM example without its model: the projection, the data, the report."""

import hashlib
import re
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "minilm"
sys.path.insert(0, str(EXAMPLE))

import layer
import projection as ks
import report

# [first, last] in the order of application, with the rank r of their blocks.
CHAINABLE = {
    "monarch": ([(4, 5, 6, 1), (1, 7, 4, 5)], 1),
    "minilm, r = 32": ([(6, 64, 64, 1), (1, 768, 192, 2)], 32),
    "block tensor train, r = 3": ([(4, 9, 4, 1), (1, 5, 12, 3)], 3),
    "d2 > 1": ([(4, 2, 3, 2), (2, 5, 2, 4)], 1),
    "d2 > 1 and r = 2": ([(4, 6, 5, 2), (2, 5, 4, 6)], 2),
    "a1 > 1, d2 = d1 and r = 4": ([(6, 4, 7, 3), (2, 9, 12, 3)], 4),
    "r above min(b1, c2)": ([(2, 6, 3, 1), (1, 2, 6, 2)], 3),
    "last butterfly pair": ([(2, 2, 2, 4), (1, 2, 2, 8)], 1),
}


def random_chain(patterns, rng, dtype=np.float64):
    weights = [rng.standard_normal(p) for p in patterns]
    if np.issubdtype(dtype, np.complexfloating):
        weights = [w + 1j * rng.standard_normal(w.shape) for w in weights]
    return weights


def kronecker_support(p):
    a, b, c, d = p
    return np.kron(np.kron(np.eye(a), np.ones((b, c))), np.eye(d))


# --- Definitions -------------------------------------------------------------


@pytest.mark.parametrize("pattern", [(1, 3, 2, 1), (2, 3, 4, 5), (3, 1, 2, 2)])
def test_a_factor_follows_the_definition(pattern):
    a, b, c, d = pattern
    weight = np.random.default_rng(0).standard_normal(pattern)
    matrix = np.zeros((a * b * d, a * c * d))
    for i, n, k, j in np.ndindex(*pattern):
        matrix[(i * b + n) * d + j, (i * c + k) * d + j] = weight[i, n, k, j]
    assert np.array_equal(matrix != 0, kronecker_support(pattern) != 0)
    assert np.array_equal(ks.to_dense([pattern], [weight]), matrix)


@pytest.mark.parametrize(("chain", "r"), CHAINABLE.values(), ids=CHAINABLE)
def test_product_of_supports_is_r_times_a_pattern(chain, r):
    (a2, _, c2, d2), (a1, b1, _, d1) = chain
    assert ks.chainable(*chain)
    assert ks.block_rank(*chain) == r
    product = (a1, b1 * d1 // d2, a2 * c2 // a1, d2)
    supports = [np.ones(p) for p in chain]
    assert np.array_equal(ks.to_dense(chain, supports), r * kronecker_support(product))


@pytest.mark.parametrize(("chain", "r"), CHAINABLE.values(), ids=CHAINABLE)
def test_blocks_partition_the_support(chain, r):
    first, last = chain
    count = np.zeros((ks.Pattern(*last).rows, ks.Pattern(*first).cols))
    for i in range(first[0]):
        for ell in range(last[3]):
            count[np.ix_(*ks.block_indices(first, last, i, ell))] += 1
    support = ks.to_dense(chain, [np.ones(p) for p in chain]) / r
    assert np.array_equal(count, support)


# --- Projection --------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float64, np.complex128])
@pytest.mark.parametrize("chain", [c for c, _ in CHAINABLE.values()], ids=CHAINABLE)
def test_projection_is_exact_in_the_class(chain, dtype):
    dense = ks.to_dense(chain, random_chain(chain, np.random.default_rng(1), dtype))
    weights = ks.project(dense, chain)
    assert [w.shape for w in weights] == [tuple(p) for p in chain]
    assert [w.dtype for w in weights] == [dtype, dtype]
    assert ks.relative_error(ks.to_dense(chain, weights), dense) < 1e-10
    np.testing.assert_allclose(ks.to_dense(chain, weights), dense, rtol=0, atol=1e-10)


@pytest.mark.parametrize("chain", [c for c, _ in CHAINABLE.values()], ids=CHAINABLE)
def test_projection_of_any_matrix_is_the_best_one(chain):
    """Its squared error is what Eckart-Young leaves of each block, plus what lies outside."""
    first, last = chain
    rng = np.random.default_rng(2)
    dense = rng.standard_normal((ks.Pattern(*last).rows, ks.Pattern(*first).cols))
    r = ks.block_rank(first, last)
    inside = 0.0
    rest = dense.copy()
    for i in range(first[0]):
        for ell in range(last[3]):
            block = np.ix_(*ks.block_indices(first, last, i, ell))
            inside += (np.linalg.svd(dense[block], compute_uv=False)[r:] ** 2).sum()
            rest[block] = 0
    outside = (rest**2).sum()
    projected = ks.to_dense(chain, ks.project(dense, chain))
    assert np.linalg.norm(dense - projected) ** 2 == pytest.approx(inside + outside, abs=1e-10)
    again = ks.to_dense(chain, ks.project(projected, chain))
    np.testing.assert_allclose(again, projected, rtol=0, atol=1e-10)


def test_projection_leaves_its_input_alone():
    dense = np.random.default_rng(3).standard_normal((35, 24)).astype(np.float32)
    before = dense.copy()
    ks.project(dense, [(4, 5, 6, 1), (1, 7, 4, 5)])
    assert np.array_equal(dense, before)


# --- Error messages: got, expected, next step ---------------------------------

MONARCH = [(4, 5, 6, 1), (1, 7, 4, 5)]


@pytest.mark.parametrize(
    ("first", "last", "reason"),
    [
        # Sizes that do not meet.
        (
            (6, 63, 64, 1),
            (1, 768, 192, 2),
            "takes a*c*d = 384 features but the first gives a*b*d = 378",
        ),
        # The ViT chain of arXiv 2405.15013: sizes meet, it is still not chainable.
        ((6, 64, 256, 1), (1, 128, 128, 3), "r = a*c of the last / a of the first = 128/6"),
        ((3, 4, 2, 1), (2, 5, 6, 1), "a of the last (2) does not divide a of the first (3)"),
        ((2, 2, 2, 3), (1, 5, 6, 2), "d of the first (3) does not divide d of the last (2)"),
        ((4, 3, 2, 1), (1, 5, 6, 2), "r = a*c of the last / a of the first = 6/4"),
    ],
)
def test_not_chainable(first, last, reason):
    assert not ks.chainable(first, last)
    with pytest.raises(ValueError, match=re.escape(reason)):
        ks.project(np.zeros((1, 1)), [first, last])


@pytest.mark.parametrize(
    "pattern", [(1, 2, 3), (1, 2, 0, 4), (1, 2.0, 3, 4), (True, 2, 3, 4), 7, "abcd"]
)
def test_bad_pattern(pattern):
    with pytest.raises(ValueError, match=r"expected four integers .* write for instance"):
        ks.chainable(pattern, (1, 2, 2, 1))


def test_swapped_patterns():
    with pytest.raises(ValueError, match="swap them if they were listed in product order"):
        ks.project(np.zeros((35, 24)), MONARCH[::-1])


def test_wrong_number_of_patterns():
    with pytest.raises(ValueError, match=r"got 1 pattern\(s\), expected two"):
        ks.project(np.zeros((20, 24)), MONARCH[:1])


def test_wrong_dense_shape():
    with pytest.raises(
        ValueError, match=r"got .* shape \(24, 35\), expected \(35, 24\) .* pass the W"
    ):
        ks.project(np.zeros((24, 35)), MONARCH)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_dense_not_finite(bad):
    dense = np.zeros((35, 24))
    dense[3, 4] = bad
    with pytest.raises(ValueError, match="infinite or NaN entries, expected finite ones; check"):
        ks.project(dense, MONARCH)


def test_wrong_weights():
    with pytest.raises(
        ValueError, match=r"got a weight of shape \(1, 7, 4, 5\), expected \(4, 5, 6, 1\)"
    ):
        ks.to_dense(MONARCH, [np.zeros(p) for p in MONARCH[::-1]])
    with pytest.raises(ValueError, match=r"got 2 pattern\(s\) and 1 weight\(s\)"):
        ks.to_dense(MONARCH, [np.zeros(MONARCH[0])])
    with pytest.raises(
        ValueError, match=r"got an input of shape \(2, 23\), expected \(batch, 24\)"
    ):
        ks.ks_matmul(np.zeros((2, 23)), MONARCH[0], np.zeros(MONARCH[0]))


# --- The committed data ------------------------------------------------------


@pytest.fixture(scope="module")
def data():
    return layer.load_data()


@pytest.fixture(scope="module")
def provenance():
    return (layer.DATA_DIR / layer.PROVENANCE).read_text(encoding="utf-8")


def test_data_matches_its_provenance(provenance):
    recorded = dict(
        re.findall(r"^\| `(\w+)\.npy` \|.*`([0-9a-f]{64})` \|$", provenance, re.MULTILINE)
    )
    assert set(recorded) == set(layer.SHAPES)
    assert {p.name for p in layer.DATA_DIR.glob("*.npy")} == {f"{n}.npy" for n in layer.SHAPES}
    for name, digest in recorded.items():
        path = layer.DATA_DIR / f"{name}.npy"
        assert hashlib.sha256(path.read_bytes()).hexdigest() == digest, path


def test_factors_are_the_projection_of_dense(data, provenance):
    nearest = ks.to_dense(layer.CHAIN, ks.project(data["dense"], layer.CHAIN))
    committed = ks.to_dense(layer.CHAIN, [data["w0"], data["w1"]])
    assert ks.relative_error(committed, nearest) < 1e-6
    recorded = float(
        re.search(r"^\| weight: .*\| ([0-9.]+) \|$", provenance, re.MULTILINE).group(1)
    )
    assert ks.relative_error(committed, data["dense"]) == pytest.approx(recorded, abs=1e-6)


def test_layer_output_error_is_as_recorded(data, provenance):
    chain, _ = layer.chain_layer(data["x"], [data["w0"], data["w1"]], data["bias"])
    dense = layer.dense_layer(data["x"], data["dense"], data["bias"])
    recorded = re.search(
        r"^\| layer output X W\^T \+ bias \| ([0-9.]+) \|$", provenance, re.MULTILINE
    )
    assert ks.relative_error(chain, dense) == pytest.approx(float(recorded.group(1)), abs=1e-6)


def test_tokens_are_real_and_distinct(data):
    assert np.isfinite(data["x"]).all()
    assert len(np.unique(data["x"], axis=0)) == layer.TOKENS


def test_program_and_numpy_agree_on_the_chain():
    text = (EXAMPLE / "layer.mlir").read_text(encoding="utf-8")
    chain = re.search(r"ks\.chain \[(.*)\]", text).group(1)
    assert re.findall(r"<(.*?)>", chain) == [", ".join(map(str, p)) for p in layer.CHAIN]


# --- The report --------------------------------------------------------------


def float32_layer(data, cast=lambda v: v):
    """What a float32 kernel computes, with `cast` applied to what it multiplies."""
    h = data["x"]
    for p, name in zip(layer.CHAIN, ("w0", "w1")):
        rows = cast(h).reshape(-1, p.a, p.c, p.d).transpose(1, 3, 0, 2)
        h = (rows @ cast(data[name]).transpose(0, 3, 2, 1)).transpose(2, 0, 3, 1)
        h = h.reshape(-1, p.rows)
    assert h.dtype == np.float32
    return h + data["bias"]


def tf32(v):
    """Rounds float32 to the 10 fraction bits of tf32."""
    bits = np.ascontiguousarray(v).view(np.uint32)
    return ((bits + np.uint32(0x1000)) & np.uint32(0xFFFFE000)).view(np.float32)


def run_report(tmp_path, array, *arguments):
    path = tmp_path / "y.npy"
    np.save(path, array)
    return report.main(["--out", str(path), *arguments])


def test_report_accepts_a_float32_kernel(data, tmp_path, capsys):
    assert run_report(tmp_path, float32_layer(data)) == 0
    out = capsys.readouterr().out
    assert "chain 319,488   dense 589,824   ratio 0.542" in out
    assert "ok: every element is within the float32 bound" in out


def test_report_refuses_a_tf32_kernel(data, tmp_path, capsys):
    assert run_report(tmp_path, float32_layer(data, tf32)) == 1
    assert "the float32 bound, exceeded" in capsys.readouterr().err


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1.0])
def test_report_refuses_one_wrong_element(data, tmp_path, capsys, bad):
    y = float32_layer(data)
    y[17, 42] += np.float32(bad)
    assert run_report(tmp_path, y) == 1
    assert "element (17, 42) got" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((512, 384), np.float32), "got float32 (512, 384), expected float32 (512, 1536)"),
        (np.zeros((512, 1536)), "got float64 (512, 1536), expected float32 (512, 1536)"),
    ],
    ids=["shape", "type"],
)
def test_report_refuses_a_wrong_file(tmp_path, capsys, array, message):
    assert run_report(tmp_path, array) == 2
    assert message in capsys.readouterr().err


def test_report_refuses_missing_or_broken_files(tmp_path, capsys):
    assert report.main(["--out", str(tmp_path / "none.npy")]) == 2
    assert "got no such file, expected float32 (512, 1536); write" in capsys.readouterr().err
    for content in (b"", b"not an array"):
        (tmp_path / "broken.npy").write_bytes(content)
        assert report.main(["--out", str(tmp_path / "broken.npy")]) == 2
        assert "no .npy array" in capsys.readouterr().err
    missing = run_report(tmp_path, np.zeros((512, 1536), np.float32), "--data", str(tmp_path))
    assert missing == 2
    assert "restore data/ or run extract.py" in capsys.readouterr().err
