# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What one does today with a Kronecker-sparse chain in PyTorch, each way at its best.

Activations are [batch, features]. The weight of the factor (a, b, c, d) has shape
a×b×c×d, and 1 in place of a or d where it is tied. Every function here returns a
function of x; what depends on the weights alone is done once, ahead.
"""

import math

import torch
import torch.nn.functional as F

MAX_DENSE_BYTES = 1 << 30


def make_weights(chain, tied, seed):
    """Uniform random weights, scaled so that results stay of the order of 1."""
    generator = torch.Generator().manual_seed(seed)
    weights = []
    for (a, b, c, d), axes in zip(chain, tied):
        shape = (1 if "a" in axes else a, b, c, 1 if "d" in axes else d)
        weight = torch.rand(shape, generator=generator) * 2 - 1
        weights.append(weight * math.sqrt(3 / c))
    return weights


def compose(steps):
    def run(x):
        for step in steps:
            x = step(x)
        return x

    return run


def bmm_factor(pattern, weight):
    """Permute, multiply in batches, permute back; tied axes join the rows."""
    a, b, c, d = pattern
    tied_a, tied_d = weight.shape[0] < a, weight.shape[3] < d
    stored = weight.permute(0, 3, 2, 1).reshape(-1, c, b).contiguous()
    # Of (batch, a, c, d): first the axes that have weights of their own, then rows.
    lead = [axis for axis, is_tied in ((1, tied_a), (3, tied_d)) if not is_tied]
    rows = [0] + [axis for axis, is_tied in ((1, tied_a), (3, tied_d)) if is_tied]
    order = [*lead, *rows, 2]
    back = [order.index(axis) for axis in range(4)]

    def run(x):
        sizes = (x.shape[0], a, c, d)
        x = x.view(sizes).permute(order).reshape(stored.shape[0], -1, c)
        y = torch.bmm(x, stored)
        y = y.view([sizes[axis] for axis in order[:-1]] + [b])
        return y.permute(back).reshape(sizes[0], a * b * d)

    return run


def bmm(chain, weights):
    return compose([bmm_factor(p, w) for p, w in zip(chain, weights)])


def einsum_factor(pattern, weight):
    a, _, c, d = pattern
    tied_a, tied_d = weight.shape[0] < a, weight.shape[3] < d
    stored = weight
    if tied_d:
        stored = stored[:, :, :, 0]
    if tied_a:
        stored = stored[0]
    stored = stored.contiguous()
    letters = ("" if tied_a else "i") + "nk" + ("" if tied_d else "j")
    equation = f"zikj,{letters}->zinj"

    def run(x):
        y = torch.einsum(equation, x.view(-1, a, c, d), stored)
        return y.reshape(x.shape[0], -1)

    return run


def einsum(chain, weights):
    return compose([einsum_factor(p, w) for p, w in zip(chain, weights)])


def compiled_einsum(chain, weights):
    torch._dynamo.reset()
    return torch.compile(einsum(chain, weights), dynamic=False)


def matmul(chain, weights):
    """For fully tied factors: a Kronecker product needs no permutation at all."""

    def factor(pattern, weight):
        _, _, c, d = pattern
        stored = weight[0, :, :, 0].contiguous()
        if d == 1:
            return lambda x: F.linear(x.view(-1, c), stored).view(x.shape[0], -1)
        return lambda x: torch.matmul(stored, x.view(-1, c, d)).view(x.shape[0], -1)

    return compose([factor(p, w) for p, w in zip(chain, weights)])


def addcmul(chain, weights):
    """For small blocks: one broadcast multiply-add per column of a block."""

    def factor(pattern, weight):
        a, _, c, d = pattern
        columns = [weight[:, :, k].contiguous() for k in range(c)]

        def run(x):
            x = x.view(-1, a, 1, c, d)
            y = x[:, :, :, 0] * columns[0]
            for k in range(1, c):
                y.addcmul_(x[:, :, :, k], columns[k])
            return y.view(x.shape[0], -1)

        return run

    return compose([factor(p, w) for p, w in zip(chain, weights)])


def features(chain):
    """Of the input and of the output."""
    a, _, c, d = chain[0]
    a1, b1, _, d1 = chain[-1]
    return a * c * d, a1 * b1 * d1


def dense_fits(chain):
    columns, rows = features(chain)
    return 4 * rows * columns <= MAX_DENSE_BYTES


def multiply_out(chain, weights):
    """The chain as one matrix, stored as nn.Linear stores it: [out, in]."""
    return bmm(chain, weights)(torch.eye(features(chain)[0])).t().contiguous()


def linear(matrix):
    return lambda x: F.linear(x, matrix)


def onednn_linear(matrix, batch):
    """oneDNN on a prepacked weight, which is what torch.compile's freezing calls."""
    ops = torch.ops.mkldnn
    packed = ops._reorder_linear_weight(matrix, batch)
    return lambda x: ops._linear_pointwise(x, packed, None, "none", [], "")


def error_ratio(chain, weights, x, y):
    """The greatest error of the rows y, as a fraction of what is allowed (≤ 1 is good).

    Against f64, element by element, and carried through the chain:
    e_out = |K| e_in + (c + 2) u |K| |x| + u |y|, with u the unit roundoff of f32.
    """
    unit = 2.0**-24
    x = x.double()
    bound = torch.zeros_like(x)
    for pattern, weight in zip(chain, weights):
        wide = weight.double()
        factor, absolute = bmm_factor(pattern, wide), bmm_factor(pattern, wide.abs())
        scale = absolute(x.abs())
        x, bound = factor(x), absolute(bound)
        bound += (pattern[2] + 2) * unit * scale + unit * x.abs()
    error = (y.double() - x).abs()
    ratio = torch.where(error == 0, torch.zeros_like(error), error / bound).max().item()
    return ratio if math.isfinite(ratio) else math.inf


def relative_error(y, reference):
    """In the Frobenius norm; NaN counts as infinite."""
    error = ((y - reference).norm() / reference.norm()).item()
    return error if math.isfinite(error) else math.inf
