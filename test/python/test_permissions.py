# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""ks.compile(frozen=, reassoc=): what may be merged, when it is, and whose weights count."""

import re

import ks_gpu
import numpy as np
import pytest

import ks

DYADIC = ks.Chain([(8, 2, 2, 1), (4, 2, 2, 2), (2, 2, 2, 4), (1, 2, 2, 8)])
BOTH = {"frozen": True, "reassoc": True}


def make_arrays(seed=0, batch=5, dtype=np.float32):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((batch, DYADIC.in_features))
    weights = [rng.standard_normal(shape) for shape in DYADIC.weight_shapes]
    return x.astype(dtype), [weight.astype(dtype) for weight in weights]


def expect(x, weights):
    return x.astype(np.float64) @ DYADIC.to_dense(weights).T


def check(result, x, weights, tolerance=1e-5):
    expected = expect(x, weights)
    assert np.abs(result - expected).max() <= tolerance * np.abs(expected).max()


# --- What is permitted ---------------------------------------------------------------


@pytest.mark.parametrize("target", ["host", "sm_90"])
@pytest.mark.parametrize(
    ("options", "merged"),
    [
        ({}, 0),
        ({"frozen": True}, 0),
        ({"reassoc": True}, 0),
        ({"frozen": [0, 2], "reassoc": True}, 0),  # no neighbours
        ({"frozen": (), "reassoc": True}, 0),
        ({"frozen": [2, 1], "reassoc": True}, 1),
        ({"frozen": range(4), "reassoc": True}, 3),
        ({"frozen": np.arange(4), "reassoc": True}, 3),
        (BOTH, 3),
    ],
    ids=str,
)
def test_what_is_merged(target, options, merged):
    text = ks.emit(DYADIC, "kernels", target=target, batch=64, **options)
    count = text.count("ks.merge_weights")
    # All that may be is merged here, but how far differs between machines.
    assert count == merged if merged < 3 else count > 0


def test_the_text_says_it():
    text = DYADIC.mlir(frozen=[1, 3], reassoc=True, epilogue="bias")
    marks = re.findall(r"%(\w+): tensor<[^>]*>( \{ks\.frozen\})?", text.split(" -> ")[0])
    assert [name for name, mark in marks if mark] == ["w1", "w3"]
    assert text.count("fastmath<reassoc>") == 1
    assert "fastmath" not in DYADIC.mlir(frozen=True)
    assert "ks.frozen" not in DYADIC.mlir(reassoc=True)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"frozen": "all"}, TypeError, "frozen is 'all'; expected True (all weights), False"),
        ({"frozen": 1}, TypeError, "frozen is 1; expected True (all weights), False (none) or"),
        ({"frozen": None}, TypeError, "frozen is None; expected True"),
        ({"frozen": [True, False]}, TypeError, "frozen is [True, False]; expected"),
        ({"frozen": [0.0]}, TypeError, "frozen is [0.0]; expected"),
        ({"frozen": [0, 4]}, ValueError, "frozen names factor 4; expected 0 to 3, as the chain"),
        ({"frozen": [-1]}, ValueError, "frozen names factor -1; expected 0 to 3"),
        ({"reassoc": 1}, TypeError, "reassoc is 1; expected True or False"),
        ({"reassoc": "yes"}, TypeError, "reassoc is 'yes'; expected True or False"),
    ],
)
def test_bad_values(options, error, message):
    for function in (ks.compile, ks.emit):
        with pytest.raises(error, match=re.escape(message)):
            function(DYADIC, **options)


@pytest.mark.parametrize("options", [{"frozen": True}, {"frozen": [0]}, {"reassoc": True}])
def test_text_says_it_itself(options):
    with pytest.raises(ValueError, match="was given with MLIR text; expected it in the text"):
        ks.compile(DYADIC.mlir(), **options)


# --- Running ---------------------------------------------------------------------------


@pytest.mark.parametrize("frozen", [True, [0, 1], [3, 2, 1]], ids=str)
@pytest.mark.parametrize("path", ks._compiler.PATHS)
def test_all_calls_agree_with_numpy(path, frozen):
    f = ks.compile(DYADIC, path=path, frozen=frozen, reassoc=True)
    dtype = np.float64 if path == "reference" else np.float32
    x, weights = make_arrays(dtype=dtype)
    check(f(x, *weights), x, weights)
    check(f.bind(*weights)(x), x, weights)


def test_calls_with_weights_are_never_those_of_old_ones():
    f = ks.compile(DYADIC, **BOTH)
    for seed in range(3):
        x, weights = make_arrays(seed)
        check(f(x, *weights), x, weights)
    weights[0][...] *= -2
    check(f(x, *weights), x, weights)


def test_bound_functions_keep_what_was_bound():
    f = ks.compile(DYADIC, **BOTH)
    x, weights = make_arrays()
    g = f.bind(*weights)
    before = g(x)
    for weight in weights:
        weight[...] = np.nan
    np.testing.assert_array_equal(g(x), before)
    x, others = make_arrays(7)
    check(f.bind(*others)(x), x, others)
    with pytest.raises(ValueError, match="argument 4 of @chain is a weight, and is not bound"):
        f.bind(*others[:3])


def test_without_permission_every_rounding_is_kept():
    """In f16 merged weights are rounded elsewhere."""
    x, weights = make_arrays(batch=64, dtype=np.float16)
    apart = ks.compile(DYADIC, "f16")(x, *weights)
    for options in ({"frozen": True}, {"reassoc": True}):
        np.testing.assert_array_equal(ks.compile(DYADIC, "f16", **options)(x, *weights), apart)
    merged = ks.compile(DYADIC, "f16", **BOTH)(x, *weights)
    assert (merged != apart).any()
    check(merged, x, weights, 2e-2)


# --- On the emulated GPU ---------------------------------------------------------------


def test_packed_once_on_a_gpu(gpu):
    f = ks.compile(DYADIC, target="sm_80", **BOTH)
    plain = ks.compile(DYADIC, target="sm_80")
    x, weights = make_arrays()
    placed, *constant = ks_gpu.place(gpu, [x, *weights])

    def count_launches(function, *arguments):
        gpu.clear()
        result = function(*arguments)
        return result, len(gpu.launches())

    def read(result):
        return ks_gpu.read_tensor(gpu, result._tensor)

    g, packing = count_launches(f.bind, *constant)
    result, running = count_launches(g, placed)
    check(read(result), x, weights)
    # Merging takes launches of its own, all of them in bind.
    assert packing > running
    assert count_launches(g, placed)[1] == running
    # A call that is given weights does all of that again, and sees them as they are.
    for array in constant:
        array.array[...] *= -0.5
    halved = [array.array for array in constant]
    result, both = count_launches(f, placed, *constant)
    check(read(result), x, halved)
    assert both == packing + running
    check(read(g(placed)), x, weights)
    assert count_launches(plain.bind(*constant), placed)[1] >= running


def test_artifacts_hold_what_was_merged():
    """What is saved as a file, too: one kernel for all factors, packed from all weights."""

    def find_kernels(**options):
        artifact = ks.compile(DYADIC, target="sm_80", **options).artifact
        return set(re.findall(rb"\.visible \.entry (\w+)", artifact))

    merged = find_kernels(**BOTH)
    assert b"chain_packed_0" in merged
    assert not any(re.match(rb"chain_packed_[1-9]", name) for name in merged)
    assert {b"chain_pack_%d" % number for number in range(4)} <= merged
    assert any(re.match(rb"chain_packed_[1-9]", name) for name in find_kernels(frozen=True))
