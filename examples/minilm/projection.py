# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Dense matrix -> chain of two Kronecker-sparse (KS) factors, in closed form.

Source: Q.-T. Le, L. Zheng, E. Riccietti, R. Gribonval, "Butterfly
factorization with error guarantees", arXiv 2411.04506.

A *pattern* (a, b, c, d) is the support I_a (x) 1_{b x c} (x) I_d of an
(a*b*d) x (a*c*d) matrix K. Its non-zeros are stored as a weight tensor of shape
(a, b, c, d): weight[i, n, k, j] is the entry of K at

    row (i*b + n)*d + j,   column (i*c + k)*d + j.

A *chain* is a list of patterns in the order in which they are applied. This
module takes a chain of two, [first, last], whose matrix is the product
K_last @ K_first. Below, (a1, b1, c1, d1) is `last`, the left factor, and
(a2, b2, c2, d2) is `first`, the right factor, as in the paper.

Why the best approximation has a closed form: when the two are chainable, the
product splits into a2*d1 blocks A[R, C] that share no entry. Each block is the
product of r columns of K_last and r rows of K_first that no other block uses.
So a matrix is in the class exactly when every block has rank at most r (and the
entries outside the blocks vanish), and the truncated SVD of every block
(Eckart-Young) is the best approximation in the Frobenius norm.

NumPy only. Real input is computed in float64, complex input in complex128.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class Pattern(NamedTuple):
    """The support I_a (x) 1_{b x c} (x) I_d."""

    a: int
    b: int
    c: int
    d: int

    @property
    def rows(self) -> int:
        """Output features, a*b*d."""
        return self.a * self.b * self.d

    @property
    def cols(self) -> int:
        """Input features, a*c*d."""
        return self.a * self.c * self.d


def as_pattern(p: Sequence[int]) -> Pattern:
    """Checks that `p` is four integers >= 1 and returns it as a Pattern.

    Raises ValueError otherwise.
    """
    try:
        items = tuple(p)
    except TypeError:
        items = ()
    if len(items) != 4 or not all(
        isinstance(v, (int, np.integer)) and not isinstance(v, bool) and v >= 1 for v in items
    ):
        raise ValueError(
            f"got pattern {p!r}, expected four integers (a, b, c, d), each at least 1; "
            "write for instance (6, 64, 64, 1)"
        )
    return Pattern(*(int(v) for v in items))


def why_not_chainable(p: Sequence[int], q: Sequence[int]) -> str | None:
    """The first condition that keeps `p` (applied first) and `q` (applied last) from
    being chainable, as a sentence; None when they are chainable.

    With q = (a1, b1, c1, d1) and p = (a2, b2, c2, d2) the conditions are

        sizes agree    a1*c1*d1 = a2*b2*d2
        divisibility   a1 | a2  and  d2 | d1
        rank           r = a1*c1/a2 = b2*d2/d1 is an integer.

    Raises ValueError for something that is no pattern.
    """
    p, q = as_pattern(p), as_pattern(q)
    if q.cols != p.rows:
        return f"the last takes a*c*d = {q.cols} features but the first gives a*b*d = {p.rows}"
    if p.a % q.a:
        return f"a of the last ({q.a}) does not divide a of the first ({p.a})"
    if q.d % p.d:
        return f"d of the first ({p.d}) does not divide d of the last ({q.d})"
    if (q.a * q.c) % p.a:
        return f"r = a*c of the last / a of the first = {q.a * q.c}/{p.a} is not an integer"
    return None


def chainable(p: Sequence[int], q: Sequence[int]) -> bool:
    """Whether the chain [p, q] (p applied first) is chainable; see why_not_chainable."""
    return why_not_chainable(p, q) is None


def block_rank(first: Sequence[int], last: Sequence[int]) -> int:
    """The rank r = a1*c1/a2 of the blocks of the chain [first, last].

    Raises ValueError when the two are not chainable, with the condition that fails.
    """
    first, last = as_pattern(first), as_pattern(last)
    reason = why_not_chainable(first, last)
    if reason is not None:
        raise ValueError(
            f"got the chain [{tuple(first)}, {tuple(last)}], expected two chainable patterns in "
            f"the order they are applied, but {reason}; change the patterns, or swap them if "
            "they were listed in product order"
        )
    return last.a * last.c // first.a


def block_indices(
    first: Sequence[int], last: Sequence[int], i: int, ell: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows R and columns C of block (i, ell) of the product, for i < a2 and ell < d1:

    R = { floor(i*a1/a2)*b1*d1 + j*d1 + ell : j < b1 }          (b1 rows)
    C = { i*c2*d2 + k*d2 + (ell mod d2)     : k < c2 }            (c2 columns)
    """
    (a2, _, c2, d2), (a1, b1, _, d1) = first, last
    rows = (i * a1 // a2) * b1 * d1 + np.arange(b1) * d1 + ell
    cols = i * c2 * d2 + np.arange(c2) * d2 + ell % d2
    return rows, cols


def weight_indices(
    first: Sequence[int], last: Sequence[int], i: int, ell: int
) -> tuple[int, np.ndarray, np.ndarray, int]:
    """Where the rank-one terms t < r of block (i, ell) lie in the two weight tensors.

    The block meets the features between the two factors at m = i*b2*d2 + t*d1 + ell.
    Written as a column of K_last, and as a row of K_first, that is

        column t of the left part   last[i1, :, ks[t], ell],  i1 = floor(i*a1/a2),
                                    ks[t] = (i mod a2/a1)*r + t
        row t of the right part     first[i, ns[t], :, ell mod d2],
                                    ns[t] = t*d1/d2 + floor(ell/d2)

    Returns (i1, ks, ns, ell mod d2).
    """
    (a2, _, _, d2), (a1, _, _, d1) = first, last
    t = np.arange(block_rank(first, last))
    ks = (i % (a2 // a1)) * len(t) + t
    ns = t * (d1 // d2) + ell // d2
    return i * a1 // a2, ks, ns, ell % d2


def low_rank(block: np.ndarray, r: int) -> tuple[np.ndarray, np.ndarray]:
    """Best rank-r approximation of `block` (b1, c2), as left (b1, r) @ right (r, c2).

    The singular values are shared evenly (a square root on each side), so that both
    factors have entries of like size. Zeros fill up where r > min(b1, c2).
    """
    u, s, vh = np.linalg.svd(block, full_matrices=False)
    k = min(r, len(s))
    root = np.sqrt(s[:k])
    left = np.zeros((block.shape[0], r), dtype=block.dtype)
    right = np.zeros((r, block.shape[1]), dtype=block.dtype)
    left[:, :k] = u[:, :k] * root
    right[:k, :] = root[:, None] * vh[:k, :]
    return left, right


def _wide(x: np.ndarray) -> np.ndarray:
    """`x` in float64, or complex128 when it is complex."""
    x = np.asarray(x)
    return x.astype(np.complex128 if np.iscomplexobj(x) else np.float64)


def project(dense: np.ndarray, patterns: Sequence[Sequence[int]]) -> list[np.ndarray]:
    """The chain [first, last] nearest to `dense` in the Frobenius norm.

    dense     (rows of last, columns of first), the W of y = W x
    patterns  [first, last], chainable, in the order they are applied
    returns   [K0, K1], weights of shapes (a2, b2, c2, d2) and (a1, b1, c1, d1), with
              to_dense(patterns, [K0, K1]) the best approximation of `dense`; equal to
              it (up to rounding) when `dense` is such a product.

    Raises ValueError when the patterns are not two chainable patterns, or when
    `dense` has another shape or entries that are not finite.
    """
    if len(patterns) != 2:
        raise ValueError(
            f"got {len(patterns)} pattern(s), expected two, [first, last] in the order they are "
            "applied; project a longer chain by projecting one of the two factors again"
        )
    first, last = (as_pattern(p) for p in patterns)
    r = block_rank(first, last)
    dense = _wide(dense)
    if dense.shape != (last.rows, first.cols):
        raise ValueError(
            f"got a dense matrix of shape {dense.shape}, expected {(last.rows, first.cols)} (a*b*d "
            f"of the last pattern, a*c*d of the first); pass the W of y = W x, or change the patterns"
        )
    if not np.isfinite(dense).all():
        raise ValueError(
            "got a dense matrix with infinite or NaN entries, expected finite ones; "
            "check where it was loaded from"
        )
    k0 = np.zeros(first, dtype=dense.dtype)
    k1 = np.zeros(last, dtype=dense.dtype)
    for i in range(first.a):
        for ell in range(last.d):
            left, right = low_rank(dense[np.ix_(*block_indices(first, last, i, ell))], r)
            i1, ks, ns, l2 = weight_indices(first, last, i, ell)
            k1[i1, :, ks, ell] = left.T  # the list index comes first: (r, b1)
            k0[i, ns, :, l2] = right  # (r, c2)
    return [k0, k1]


def ks_matmul(x: np.ndarray, pattern: Sequence[int], weight: np.ndarray) -> np.ndarray:
    """Y = X K^T for one factor, batch-first, in float64 (complex128 when complex):

        Y[m, (i*b+n)*d+j] = sum_k weight[i, n, k, j] * X[m, (i*c+k)*d+j]

    x (batch, a*c*d), weight (a, b, c, d), returns (batch, a*b*d).
    Raises ValueError when a shape does not fit the pattern.
    """
    p = as_pattern(pattern)
    x, weight = _wide(x), _wide(weight)
    if weight.shape != tuple(p):
        raise ValueError(
            f"got a weight of shape {weight.shape}, expected {tuple(p)}; "
            "pass the weights in the order of the patterns"
        )
    if x.ndim != 2 or x.shape[1] != p.cols:
        raise ValueError(
            f"got an input of shape {x.shape}, expected (batch, {p.cols}) for pattern {tuple(p)}; "
            "pass batch-first rows of a*c*d features"
        )
    rows = x.reshape(-1, p.a, p.c, p.d).transpose(1, 3, 0, 2)  # (a, d, batch, c)
    y = rows @ weight.transpose(0, 3, 2, 1)  # (a, d, batch, b)
    return y.transpose(2, 0, 3, 1).reshape(x.shape[0], p.rows)


def to_dense(patterns: Sequence[Sequence[int]], weights: Sequence[np.ndarray]) -> np.ndarray:
    """The matrix of a chain of any length >= 1, (rows of the last, columns of the first).

    Raises ValueError when counts, shapes or neighbouring sizes do not fit.
    """
    if len(patterns) != len(weights) or not patterns:
        raise ValueError(
            f"got {len(patterns)} pattern(s) and {len(weights)} weight(s), expected as many of "
            "both, at least one; pass one weight per pattern"
        )
    y = np.eye(as_pattern(patterns[0]).cols)
    for pattern, weight in zip(patterns, weights):
        y = ks_matmul(y, pattern, weight)
    return y.T


def relative_error(got: np.ndarray, expected: np.ndarray) -> float:
    """||got - expected|| / ||expected|| in the Frobenius norm, computed in float64."""
    got, expected = _wide(got), _wide(expected)
    return float(np.linalg.norm(got - expected) / np.linalg.norm(expected))
