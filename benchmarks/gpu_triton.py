# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Kronecker-sparse factors as one writes them in Triton: tiles, masks, tl.dot.

Weights are stored as [a, d, c, b] (batch-first) or [a, d, b, c] (batch-last). Batch-first
has two forms: a program takes one j and strided columns, or a slab of neighbouring j and
a batched tl.dot. What is fastest for a pattern is found by timing a few of TILES.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import triton
import triton.language as tl
from gpu_cases import Case


@triton.jit(do_not_specialize=["a", "tiles_n", "slabs"])
def first_kernel(
    x,
    w,
    y,
    batch,
    a,
    b,
    c,
    d,
    tiles_n,
    slabs,
    M: tl.constexpr,
    N: tl.constexpr,
    K: tl.constexpr,
    J: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Y[m, (i b + n) d + j] = sum over k of X[m, (i c + k) d + j] W[i, j, k, n]."""
    pid = tl.program_id(0)
    n = pid % tiles_n * N + tl.arange(0, N)
    pid = pid // tiles_n
    j = pid % slabs
    pid = pid // slabs
    i = pid % a
    m = pid // a * M + tl.arange(0, M)
    k = tl.arange(0, K)
    x += m[:, None].to(tl.int64) * (a * c * d) + (i * c + k)[None, :] * d + j
    w += (i * d + j).to(tl.int64) * (c * b) + k[:, None] * b + n[None, :]
    acc = tl.zeros((M, N), tl.float32)
    for start in range(0, c, K):
        inside = start + k < c
        left = tl.load(x, mask=(m < batch)[:, None] & inside[None, :], other=0.0)
        right = tl.load(w, mask=inside[:, None] & (n < b)[None, :], other=0.0)
        acc = tl.dot(left, right, acc, input_precision=PRECISION)
        x += K * d
        w += K * b
    y += m[:, None].to(tl.int64) * (a * b * d) + (i * b + n)[None, :] * d + j
    mask = (m < batch)[:, None] & (n < b)[None, :]
    tl.store(y, acc.to(y.dtype.element_ty), mask=mask)


@triton.jit(do_not_specialize=["a", "tiles_n", "slabs"])
def slab_kernel(
    x,
    w,
    y,
    batch,
    a,
    b,
    c,
    d,
    tiles_n,
    slabs,
    M: tl.constexpr,
    N: tl.constexpr,
    K: tl.constexpr,
    J: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """The same for J neighbouring j at once, so that rows of memory are longer."""
    pid = tl.program_id(0)
    n = pid % tiles_n * N + tl.arange(0, N)
    pid = pid // tiles_n
    j = pid % slabs * J + tl.arange(0, J)
    pid = pid // slabs
    i = pid % a
    m = pid // a * M + tl.arange(0, M)
    k = tl.arange(0, K)
    column = (i * c + k)[None, :, None] * d + j[None, None, :]
    x += m[:, None, None].to(tl.int64) * (a * c * d) + column
    w += (i * d + j)[:, None, None].to(tl.int64) * (c * b)
    w += k[None, :, None] * b + n[None, None, :]
    acc = tl.zeros((J, M, N), tl.float32)
    for start in range(0, c, K):
        inside = start + k < c
        mask = (m < batch)[:, None, None] & inside[None, :, None] & (j < d)[None, None, :]
        left = tl.permute(tl.load(x, mask=mask, other=0.0), (2, 0, 1))
        mask = (j < d)[:, None, None] & inside[None, :, None] & (n < b)[None, None, :]
        right = tl.load(w, mask=mask, other=0.0)
        acc = tl.dot(left, right, acc, input_precision=PRECISION)
        x += K * d
        w += K * b
    column = (i * b + n)[None, :, None] * d + j[None, None, :]
    y += m[:, None, None].to(tl.int64) * (a * b * d) + column
    mask = (m < batch)[:, None, None] & (n < b)[None, :, None] & (j < d)[None, None, :]
    tl.store(y, tl.permute(acc, (1, 2, 0)).to(y.dtype.element_ty), mask=mask)


@triton.jit(do_not_specialize=["a", "tiles_n", "slabs"])
def last_kernel(
    x,
    w,
    y,
    batch,
    a,
    b,
    c,
    d,
    tiles_n,
    slabs,
    M: tl.constexpr,
    N: tl.constexpr,
    K: tl.constexpr,
    J: tl.constexpr,
    PRECISION: tl.constexpr,
):
    """Y[(i b + n) d + j, m] = sum over k of W[i, j, n, k] X[(i c + k) d + j, m]."""
    pid = tl.program_id(0)
    n = pid % tiles_n * N + tl.arange(0, N)
    pid = pid // tiles_n
    j = pid % slabs
    pid = pid // slabs
    i = pid % a
    m = pid // a * M + tl.arange(0, M)
    k = tl.arange(0, K)
    x += m[None, :]
    w += (i * d + j).to(tl.int64) * (c * b) + n[:, None] * c + k[None, :]
    acc = tl.zeros((N, M), tl.float32)
    for start in range(0, c, K):
        inside = start + k < c
        row = ((i * c + start + k) * d + j)[:, None].to(tl.int64)
        left = tl.load(w, mask=(n < b)[:, None] & inside[None, :], other=0.0)
        right = tl.load(x + row * batch, mask=inside[:, None] & (m < batch)[None, :], other=0.0)
        acc = tl.dot(left, right, acc, input_precision=PRECISION)
        w += K
    y += ((i * b + n) * d + j)[:, None].to(tl.int64) * batch + m[None, :]
    tl.store(y, acc.to(y.dtype.element_ty), mask=(n < b)[:, None] & (m < batch)[None, :])


@dataclass(frozen=True)
class Tile:
    """Sizes of a program's tile; slab: of neighbouring j, 0 for the form without."""

    m: int
    n: int
    k: int
    warps: int
    slab: int = 0
    stages: int = 3


def get_tiles(case: Case) -> list[Tile]:
    """What is worth trying for a case."""
    _, b, c, d = case.pattern
    wide = case.kind.size == 4
    k = next(size for size in (32 if wide else 64, 32, 16) if c % size == 0 or size == 16)
    tiles = [Tile(128, 64, k, 4), Tile(64, 64, k, 4)]
    if b >= 128:
        tiles = [Tile(128, 128, k, 8), Tile(128, 64, k, 4)]
    if case.layout == "first" and d >= 4:
        if case.kind.name == "f32":
            tiles += [Tile(16, 16, 16, 8, slab=16 if d >= 16 else 4)]
        elif d >= 16:
            tiles += [Tile(32, 32, 16, 8, slab=16), Tile(32, 16, 16, 4, slab=16)]
        else:
            tiles += [Tile(64, 64, 16, 8, slab=4), Tile(32, 64, 32, 4, slab=4)]
    return tiles


def launch(case: Case, tile: Tile, x: Any, w: Any, y: Any) -> None:
    a, b, c, d = case.pattern
    kernel = last_kernel
    if case.layout == "first":
        kernel = slab_kernel if tile.slab else first_kernel
    tiles_n = triton.cdiv(b, tile.n)
    slabs = triton.cdiv(d, tile.slab) if tile.slab else d
    grid = (triton.cdiv(case.batch, tile.m) * a * slabs * tiles_n,)
    kernel[grid](
        *(x, w, y, case.batch, a, b, c, d, tiles_n, slabs),
        M=tile.m,
        N=tile.n,
        K=tile.k,
        J=tile.slab,
        PRECISION="tf32" if case.kind.tf32 else "ieee",
        num_warps=tile.warps,
        num_stages=tile.stages,
    )


def arrange(case: Case, weight: Any) -> Any:
    """The weight a×b×c×d as the kernels read it."""
    order = (0, 3, 2, 1) if case.layout == "first" else (0, 3, 1, 2)
    return weight.permute(order).contiguous()


def choose(
    case: Case, weight: Any, x: Any, y: Any, measure: Callable[[Callable[[], None]], float]
) -> tuple[Tile, Any]:
    """The fastest tile by `measure`, and the weight in its order."""
    stored = arrange(case, weight)
    best, least, failure = None, float("inf"), None
    for tile in get_tiles(case):
        try:
            ms = measure(lambda tile=tile: launch(case, tile, x, stored, y))
        except triton.runtime.errors.OutOfResources as error:
            failure = error
            continue
        if ms < least:
            best, least = tile, ms
    if best is None:
        raise RuntimeError(f"no tile fits: {failure}")
    return best, stored
