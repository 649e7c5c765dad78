# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""A chain that is neither square nor chainable, and random arrays for it."""

import numpy as np

import ks

CHAIN = ks.Chain([(6, 8, 4, 1), (1, 12, 16, 3)])  # 24 -> 48 -> 36 features


def random_arrays(chain=CHAIN, batch=5, dtype=np.float32, seed=0):
    rng = np.random.default_rng(seed)

    def normal(shape):
        values = rng.standard_normal(shape)
        if np.issubdtype(dtype, np.complexfloating):
            values = values + 1j * rng.standard_normal(shape)
        return values.astype(dtype)

    return normal((batch, chain.in_features)), [normal(shape) for shape in chain.weight_shapes]


def dense(x, weights, chain=CHAIN):
    return x @ chain.to_dense(weights).T
