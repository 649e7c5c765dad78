# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What one does today with a chain on a GPU, each way at its best, and what is right.

As in gpu_peers.py, a way takes a case, its weights, and lists of inputs and outputs, and
returns a function of an index. Weights have size 1 along the axes where they are tied.
"""

import itertools
import math

import gpu_peers as peers
import torch
import torch_peers
from gpu_cases import Case
from gpu_chain_cases import ChainCase
from gpu_graph_measure import make_orthogonal_weight
from gpu_peers import Call, Cublas, Tensor

# Half of the smallest number that is not 0: what gradual underflow adds to each rounding.
TINY = {"float16": 2.0**-25, "bfloat16": 2.0**-134, "float32": 2.0**-150}
DENSE_ROWS = 1024  # of the identity that are multiplied at once


# ----------------------------------------------------------------------------------------
# Weights
# ----------------------------------------------------------------------------------------


def can_feed_back(case: ChainCase) -> bool:
    """Whether results can be inputs, again and again, and keep their size."""
    return not case.is_hadamard and all(b == c for _, b, c, _ in case.chain)


def make_hadamard_block(size: int, device: str) -> Tensor:
    """By Sylvester for 2; by Paley for a prime plus 1, if that is a multiple of 4."""
    if size == 2:
        return torch.tensor([[1.0, 1.0], [1.0, -1.0]], device=device)
    prime = size - 1
    squares = {at * at % prime for at in range(1, prime)}
    block = torch.ones(size, size)
    for i, j in itertools.product(range(prime), repeat=2):
        is_positive = i != j and (j - i) % prime in squares
        block[i + 1, j + 1] = 1.0 if is_positive else -1.0
    return block.to(device)


def make_weights(case: ChainCase, is_orthogonal: bool, device: str = "cuda") -> list[Tensor]:
    """±1 for Hadamard chains, which take them as any other weights; orthogonal blocks where
    results are fed back; otherwise uniform, so that results stay of the order of 1."""
    dtype = getattr(torch, case.kind.dtype)
    weights = []
    for seed, (pattern, shape) in enumerate(zip(case.chain, case.weight_shapes), 1):
        if case.is_hadamard:
            block = make_hadamard_block(pattern[1], device)
            weight = block.view(1, *block.shape, 1).expand(shape).to(dtype).contiguous()
        elif is_orthogonal:
            weight = make_orthogonal_weight(shape, dtype, seed, device)
        else:
            generator = torch.Generator(device=device).manual_seed(seed)
            weight = torch.rand(shape, generator=generator, device=device)
            weight = weight.mul_(2).sub_(1).mul_(math.sqrt(3 / pattern[2])).to(dtype)
        weights.append(weight)
    return weights


# ----------------------------------------------------------------------------------------
# Ways
# ----------------------------------------------------------------------------------------


def split(case: ChainCase) -> list[Case]:
    """A case for each factor."""
    return [Case(pattern, case.batch, case.kind, case.layout) for pattern in case.chain]


def make_middles(factors: list[Case], like: Tensor) -> list[Tensor]:
    """What is between factors; all runs share it."""
    return [torch.empty(f.y_shape, dtype=like.dtype, device=like.device) for f in factors[:-1]]


def tied_bmm_step(case: Case, weight: Tensor):
    """bmm where tied axes join the rows (batch-first) or the columns (batch-last)."""
    if case.layout == "first":
        step = torch_peers.bmm_factor(case.pattern, weight)
        return lambda x, _: step(x)
    a, b, c, d = case.pattern
    own = [at for at, size in ((0, weight.shape[0]), (2, weight.shape[3])) if size > 1]
    shared = [at for at in (0, 2) if at not in own]
    # Of (a, c, d, batch).
    order = [*own, 1, *shared, 3]
    back = [order.index(at) for at in range(4)]
    stored = weight.permute(0, 3, 1, 2).reshape(-1, b, c).contiguous()
    sizes = (a, c, d, case.batch)

    def run(x: Tensor, _: Tensor) -> Tensor:
        x = x.view(sizes).permute(order).reshape(stored.shape[0], c, -1)
        y = torch.bmm(stored, x)
        y = y.view([b if at == 1 else sizes[at] for at in order])
        return y.permute(back).reshape(case.y_shape)

    return run


def bmm(case: ChainCase, weights: list[Tensor], xs: list[Tensor], ys: list[Tensor]) -> Call:
    factors = split(case)
    steps = [
        (peers.bmm_step if weight.shape == f.pattern else tied_bmm_step)(f, weight)
        for f, weight in zip(factors, weights)
    ]
    middles = make_middles(factors, ys[0])

    def run(at: int) -> Tensor:
        value = xs[at]
        for step, target in zip(steps, [*middles, ys[at]]):
            value = step(value, target)
        return value

    return run


def make_einsum(case: ChainCase, weights: list[Tensor]):
    return torch_peers.compose([peers.einsum_step(*pair) for pair in zip(split(case), weights)])


def einsum(case: ChainCase, weights: list[Tensor], xs: list[Tensor], ys: list[Tensor]) -> Call:
    function = make_einsum(case, weights)
    return lambda at: function(xs[at])


def compiled(case: ChainCase, weights: list[Tensor], xs: list[Tensor], ys: list[Tensor]) -> Call:
    """torch.compile of einsum. The first call compiles."""
    torch._dynamo.reset()
    function = torch.compile(make_einsum(case, weights), dynamic=False)
    return lambda at: function(xs[at])


def multiply(case: ChainCase, weights: list[Tensor], x: Tensor) -> Tensor:
    """The chain in f64 on rows of inputs."""
    for pattern, weight in zip(case.chain, weights):
        x = torch_peers.bmm_factor(pattern, weight.double())(x)
    return x


def multiply_out(case: ChainCase, weights: list[Tensor]) -> Tensor:
    """The chain as a matrix: of products in f64, rounded once."""
    like = weights[0]
    matrix = torch.empty(case.rows, case.columns, dtype=like.dtype, device=like.device)
    for start in range(0, case.columns, DENSE_ROWS):
        count = min(DENSE_ROWS, case.columns - start)
        eye = torch.zeros(count, case.columns, dtype=torch.float64, device=like.device)
        eye.diagonal(start).fill_(1)
        matrix[:, start : start + count] = multiply(case, weights, eye).t()
    return matrix


def dense(case: ChainCase, weights: list[Tensor], xs: list[Tensor], ys: list[Tensor]) -> Call:
    """cuBLAS with the matrix."""
    matrix = multiply_out(case, weights)

    def take_turns(matrices: list[Tensor]) -> Call:
        turns = itertools.cycle(matrices)
        if case.layout == "first":
            return lambda at: torch.mm(xs[at], next(turns).t(), out=ys[at])
        return lambda at: torch.mm(next(turns), xs[at], out=ys[at])

    run = take_turns([matrix])
    run.weight_bytes = matrix.numel() * matrix.element_size()  # type: ignore[attr-defined]
    run.copy_weights = lambda count: take_turns(  # type: ignore[attr-defined]
        [matrix.clone() for _ in range(count)]
    )
    return run


def why_no_pointers(case: ChainCase) -> str:
    return next(filter(None, map(peers.why_no_pointers, split(case))), "")


def cublas_ptr(
    case: ChainCase, weights: list[Tensor], xs: list[Tensor], ys: list[Tensor], cublas: Cublas
) -> Call:
    """Batched products through arrays of pointers, one after the other."""
    factors = split(case)
    middles = [[middle] * len(xs) for middle in make_middles(factors, ys[0])]
    arrays = [xs, *middles, ys]
    calls = [
        peers.cublas_ptr(factor, weight.expand(factor.pattern), *pair, cublas)
        for factor, weight, *pair in zip(factors, weights, arrays, arrays[1:])
    ]

    def run(at: int) -> Tensor:
        for call in calls:
            call(at)
        return ys[at]

    return run


def is_kronecker(case: ChainCase) -> bool:
    """Whether all weights are single blocks."""
    return all(math.prod(s) == s[1] * s[2] for s in case.weight_shapes)


def matmul(case: ChainCase, weights: list[Tensor], xs: list[Tensor], ys: list[Tensor]) -> Call:
    """A Kronecker product, factor by factor, needs no permutation."""
    if case.layout == "first":
        function = torch_peers.matmul(case.chain, weights)
        return lambda at: function(xs[at])
    blocks = [weight[0, :, :, 0].contiguous() for weight in weights]

    def run(at: int) -> Tensor:
        value = xs[at]
        for (a, _, c, d), block in zip(case.chain, blocks):
            value = torch.matmul(block, value.view(a, c, d * case.batch))
        return value.view(case.y_shape)

    return run


# ----------------------------------------------------------------------------------------
# Special-purpose packages
# ----------------------------------------------------------------------------------------


def why_not_special(case: ChainCase) -> str:
    """Why there is no package for the case, or ''. A case for which nobody would look for
    one gets no reason that is worth a note."""
    if case.layout != "first" or not (case.is_hadamard or is_kronecker(case)):
        return "none"
    name = "fast_hadamard_transform" if case.is_hadamard else "pyfastkron"
    try:
        __import__(name)
    except ImportError:
        return f"no {name}"
    return ""


def special(case: ChainCase, weights: list[Tensor], xs: list[Tensor], ys: list[Tensor]) -> Call:
    """Of fast_hadamard_transform or pyfastkron."""
    if case.is_hadamard:
        import fast_hadamard_transform as library

        is_power = case.columns & (case.columns - 1) == 0
        function = library.hadamard_transform if is_power else library.hadamard_transform_12N
        return lambda at: function(xs[at])
    import pyfastkron.fastkrontorch as library

    # K is the product of blocks with the last factor leftmost; x gets its transpose.
    blocks = [weight[0, :, :, 0].t().contiguous() for weight in reversed(weights)]
    return lambda at: library.gemkm(xs[at], blocks)


def has_own_matrix(case: ChainCase) -> bool:
    """Whether the package has a block of 12 of its own choice, and so another result."""
    return case.is_hadamard and case.columns & (case.columns - 1) != 0


def is_hadamard(result: Tensor) -> bool:
    """Whether rows are of ±1 and orthogonal, so those of some Hadamard matrix."""
    wide = result.float()
    gram = wide @ wide.t()
    expected = torch.eye(len(wide), device=wide.device) * wide.shape[1]
    return bool((wide.abs() == 1).all()) and torch.equal(gram, expected)


# ----------------------------------------------------------------------------------------
# What is right
# ----------------------------------------------------------------------------------------


class ChainReference(peers.Reference):
    """Some entries of the batch in f64, and what each element may be wrong by when every
    factor's result is rounded: e' = |K| e + (c + 2) u (|K| |x| + ...) + u' |y|, where |x|
    and |y| are at most as much larger as they may be wrong."""

    def __init__(self, case: ChainCase, weights: list[Tensor], entries: Tensor):
        self.case, self.entries, self.weights = case, entries, weights

    def solve(self, x: Tensor) -> None:
        kind = self.case.kind
        tiny = TINY[kind.dtype]
        x = self.take(x).contiguous()
        bound = torch.zeros_like(x)
        for pattern, weight in zip(self.case.chain, self.weights):
            wide = weight.double()
            growth = kind.allowed_error(pattern[2])
            magnitude = torch_peers.bmm_factor(pattern, wide.abs())
            bound = magnitude(bound + growth * (x.abs() + bound))
            x = torch_peers.bmm_factor(pattern, wide)(x)
            bound = bound + kind.unit * (x.abs() + bound) + tiny
        self.y, self.bound = x, bound
