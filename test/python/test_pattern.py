# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Patterns and chains: their sizes, their algebra, their MLIR."""

import re

import numpy as np
import pytest
from ks_arrays import CHAIN, random_arrays

import ks

# --- Patterns ----------------------------------------------------------------


def test_sizes_of_a_pattern():
    pattern = ks.Pattern(2, 3, 4, 5)
    assert (pattern.in_features, pattern.out_features, pattern.num_weights) == (40, 30, 120)
    assert pattern.transposed() == ks.Pattern(2, 4, 3, 5)
    assert pattern.weight_shape == (2, 3, 4, 5) == tuple(pattern)
    assert str(pattern) == "<2, 3, 4, 5>"


@pytest.mark.parametrize(
    ("sizes", "error", "message"),
    [
        ((1, 2, 0, 4), ValueError, "pattern has c = 0; expected at least 1"),
        ((1, 2, 3, -4), ValueError, "pattern has d = -4; expected at least 1"),
        ((1, 2.5, 3, 4), TypeError, "pattern has b = 2.5; expected an integer"),
        ((2**30, 2**30, 1, 1), ValueError, "expected fewer than 2^59"),
    ],
)
def test_bad_patterns(sizes, error, message):
    with pytest.raises(error, match=re.escape(message)):
        ks.Pattern(*sizes)


CHAINABLE = [
    ((6, 64, 64, 1), (1, 768, 192, 2), 32),
    ((4, 5, 6, 1), (1, 7, 4, 5), 1),
    ((4, 6, 5, 2), (2, 5, 4, 6), 2),
    ((2, 2, 2, 4), (1, 2, 2, 8), 1),
]


@pytest.mark.parametrize(("first", "second", "rank"), CHAINABLE)
def test_product_of_chainable_patterns(first, second, rank):
    p, q = ks.Pattern(*first), ks.Pattern(*second)
    assert p.rank(q) == rank

    def support(a, b, c, d):
        return np.kron(np.kron(np.eye(a), np.ones((b, c))), np.eye(d))

    assert np.array_equal(support(*q) @ support(*p), rank * support(*p.product(q)))
    assert ks.Chain([p, q]).product() == p.product(q)


def test_a_chain_that_is_not_chainable():
    p, q = ks.Pattern(6, 64, 256, 1), ks.Pattern(1, 128, 128, 3)
    assert p.fits(q)
    assert not p.is_chainable(q)
    assert p.rank(q) is None
    with pytest.raises(ValueError, match="are not chainable; expected"):
        p.product(q)
    assert not ks.Chain([p, q]).is_chainable


# --- Chains ------------------------------------------------------------------


def test_sizes_of_a_chain():
    chain = ks.Chain([(6, 8, 4, 1), ks.Pattern(1, 12, 16, 3)], tied=["a", "ad"])
    assert (chain.in_features, chain.out_features) == (24, 36)
    assert chain.weight_shapes == ((1, 8, 4, 1), (1, 12, 16, 1))
    assert chain.num_weights == 32 + 192
    assert repr(chain) == "Chain([(6, 8, 4, 1), (1, 12, 16, 3)], tied=['a', 'ad'])"
    assert len(chain) == 2
    assert chain == ks.Chain(chain.patterns, chain.tied)
    assert chain != CHAIN
    assert len({chain, CHAIN, ks.Chain(CHAIN)}) == 2


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([],), ValueError, "chain has no factors; expected at least one pattern"),
        (([(1, 2, 3)],), TypeError, "got the factor (1, 2, 3); expected a ks.Pattern"),
        (([7],), TypeError, "got the factor 7; expected a ks.Pattern"),
        (
            ([(1, 2, 3, 1), (1, 5, 4, 1)],),
            ValueError,
            "factor 0 <1, 2, 3, 1> gives a·b·d = 2 features, but factor 1 <1, 5, 4, 1> takes "
            "a·c·d = 4",
        ),
        (([(1, 2, 3, 1)], ["a", "d"]), ValueError, "tied has 2 entries; expected 1"),
        (([(1, 2, 3, 1)], ["b"]), ValueError, "tied has an entry 'b'; expected '', 'a', 'd'"),
    ],
)
def test_bad_chains(arguments, error, message):
    with pytest.raises(error, match=re.escape(message)):
        ks.Chain(*arguments)


def test_to_dense_follows_the_definition():
    chain = ks.Chain([(2, 3, 2, 2), (3, 1, 2, 2)], tied=["a", "d"])
    weights = random_arrays(chain)[1]
    expected = np.eye(chain.in_features)
    for (a, b, c, d), tied, weight in zip(chain, chain.tied, weights):
        matrix = np.zeros((a * b * d, a * c * d))
        for i, n, k, j in np.ndindex(a, b, c, d):
            value = weight[0 if "a" in tied else i, n, k, 0 if "d" in tied else j]
            matrix[(i * b + n) * d + j, (i * c + k) * d + j] = value
        expected = matrix @ expected
    np.testing.assert_allclose(chain.to_dense(weights), expected)


def test_bad_weights_for_to_dense():
    weights = random_arrays()[1]
    with pytest.raises(ValueError, match="got 1 weights; expected 2"):
        CHAIN.to_dense(weights[:1])
    with pytest.raises(ValueError, match=r"weight 0 has shape \(1, 12, 16, 3\); expected \(6"):
        CHAIN.to_dense(weights[::-1])
    with pytest.raises(TypeError, match="weight 1 is uint16"):
        CHAIN.to_dense([weights[0], weights[1].astype(np.uint16)])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dtype": "f8"}, "dtype is 'f8'; expected one of f16, bf16, f32"),
        ({"dtype": np.int32}, "expected one of f16, bf16, f32"),
        ({"layout": "rows"}, "layout is 'rows'; expected one of batch_first, batch_last"),
        ({"batch": -1}, "batch is -1; expected None (any) or at least 0"),
        ({"epilogue": "swish"}, "epilogue has a step 'swish'; expected steps of bias"),
        ({"epilogue": 3}, "epilogue is 3; expected None, a string or a ks.Epilogue"),
        ({"epilogue": "relu", "dtype": "complex64"}, "epilogue 'relu' is for real types"),
    ],
)
def test_bad_options_of_mlir(options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        CHAIN.mlir(**options)


def test_a_bad_epilogue():
    with pytest.raises(ValueError, match="extra argument 'row'; expected 'feature' or 'result'"):
        ks.Epilogue("ks.yield %acc : f32", ("row",))
