# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What one does today with a Kronecker-sparse factor on a GPU, each way at its best.

A way is a function of a case, its weight a×b×c×d, and lists of inputs and outputs; it
arranges the weight, ahead of all timing, and returns a function of an index: enqueue the
product of input [index] into output [index], and return the output. A way that has to
allocate its results returns those instead.

Activations are 2-D: X is [batch, a c d] and Y [batch, a b d] (batch-first), or their
transposes (batch-last).
"""

import ctypes
import glob
import sys
from collections.abc import Callable
from ctypes import c_float, c_int, c_size_t, c_void_p
from pathlib import Path

import torch
from gpu_cases import Case

Tensor = torch.Tensor
Call = Callable[[int], Tensor]
Measure = Callable[[Callable[[], object]], float]

MAX_DENSE_BYTES = 2 << 30


# ----------------------------------------------------------------------------------------
# Through PyTorch
# ----------------------------------------------------------------------------------------


def bmm_step(case: Case, weight: Tensor) -> Callable[[Tensor, Tensor], Tensor]:
    """Permute, multiply in batches, permute back, from an input into an output. With d = 1
    cuBLAS takes blocks where they are, and nothing is moved."""
    a, b, c, d = case.pattern
    batch = case.batch
    if case.layout == "first":
        stored = weight.permute(0, 3, 2, 1).reshape(a * d, c, b).contiguous()

        def run(x: Tensor, result: Tensor) -> Tensor:
            x = x.view(batch, a, c, d).permute(1, 3, 0, 2).reshape(a * d, batch, c)
            y = result.view(batch, a, b, d).permute(1, 3, 0, 2)
            if d == 1:
                torch.bmm(x, stored, out=y.squeeze(1))
            else:
                y.copy_(torch.bmm(x, stored).view(a, d, batch, b))
            return result

    else:
        stored = weight.permute(0, 3, 1, 2).reshape(a * d, b, c).contiguous()

        def run(x: Tensor, result: Tensor) -> Tensor:
            x = x.view(a, c, d, batch).permute(0, 2, 1, 3).reshape(a * d, c, batch)
            y = result.view(a, b, d, batch).permute(0, 2, 1, 3)
            if d == 1:
                torch.bmm(stored, x, out=y.squeeze(1))
            else:
                y.copy_(torch.bmm(stored, x).view(a, d, b, batch))
            return result

    return run


def bmm(case: Case, weight: Tensor, xs: list[Tensor], ys: list[Tensor]) -> Call:
    step = bmm_step(case, weight)
    return lambda at: step(xs[at], ys[at])


def einsum_step(case: Case, weight: Tensor) -> Callable[[Tensor], Tensor]:
    """torch.einsum on 4-D views; it allocates its results. The weight is stored in the
    order in which einsum multiplies, so that it copies activations only; it has no axis
    along which it is tied."""
    a, b, c, d = case.pattern
    batch = case.batch
    i, j = (letter if weight.shape[at] > 1 else "" for letter, at in (("i", 0), ("j", 3)))
    axes = [(0, i), (3, j), (2, "k"), (1, "n")]
    if case.layout == "last":
        axes[2:] = [(1, "n"), (2, "k")]
    letters = "".join(letter for _, letter in axes)
    order = [at for at, _ in axes]
    stored = weight.permute(order).contiguous()
    stored = stored.view([size for size, (_, letter) in zip(stored.shape, axes) if letter])
    if case.layout == "first":

        def run(x: Tensor) -> Tensor:
            y = torch.einsum(f"zikj,{letters}->zinj", x.view(batch, a, c, d), stored)
            return y.reshape(batch, a * b * d)

    else:

        def run(x: Tensor) -> Tensor:
            y = torch.einsum(f"{letters},ikjz->injz", stored, x.view(a, c, d, batch))
            return y.reshape(a * b * d, batch)

    return run


def einsum(case: Case, weight: Tensor, xs: list[Tensor], ys: list[Tensor]) -> Call:
    step = einsum_step(case, weight)
    return lambda at: step(xs[at])


def dense_bytes(case: Case) -> int:
    return case.kind.size * case.rows * case.columns


def dense_flops(case: Case) -> int:
    return 2 * case.batch * case.rows * case.columns


def make_dense(case: Case, weight: Tensor) -> Tensor:
    """The factor as a matrix with its zeros."""
    a, b, c, d = case.pattern
    matrix = torch.zeros(case.rows, case.columns, dtype=weight.dtype, device=weight.device)
    # Of (a, b, d, a, c, d): where both a agree and both d agree.
    support = matrix.view(a, b, d, a, c, d).diagonal(0, 0, 3).diagonal(0, 1, 3)
    support.copy_(weight.permute(1, 2, 0, 3))
    return matrix


def dense(case: Case, weight: Tensor, xs: list[Tensor], ys: list[Tensor]) -> Call:
    """cuBLAS with the matrix."""
    matrix = make_dense(case, weight)
    if case.layout == "first":
        return lambda at: torch.mm(xs[at], matrix.t(), out=ys[at])
    return lambda at: torch.mm(matrix, xs[at], out=ys[at])


def triton(
    case: Case, weight: Tensor, xs: list[Tensor], ys: list[Tensor], measure: Measure
) -> Call:
    """A kernel in Triton, with the fastest of a few tilings."""
    import gpu_triton

    tile, stored = gpu_triton.choose(case, weight, xs[0], ys[0], measure)

    def run(at: int) -> Tensor:
        gpu_triton.launch(case, tile, xs[at], stored, ys[at])
        return ys[at]

    return run


# ----------------------------------------------------------------------------------------
# cuBLAS by pointers
# ----------------------------------------------------------------------------------------

CUDA_TYPES = {torch.float32: 0, torch.float16: 2, torch.bfloat16: 14}
COMPUTE_32F, COMPUTE_32F_FAST_TF32 = 68, 77
GEMM_DEFAULT = -1
ALIGNMENT = 16  # of every matrix that cublasGemmBatchedEx is given


def find_cublas() -> str:
    """The one that PyTorch has loaded, or comes with."""
    try:
        for line in Path("/proc/self/maps").read_text().splitlines():
            words = line.split(maxsplit=5)
            if len(words) == 6 and Path(words[5]).name.startswith("libcublas.so"):
                return words[5]
    except OSError:
        pass
    for folder in [Path(torch.__file__).parent.parent, *map(Path, sys.path)]:
        found = sorted(glob.glob(str(folder / "nvidia/*/lib/libcublas.so*")))
        if found:
            return found[-1]
    return f"libcublas.so.{(torch.version.cuda or '13').split('.')[0]}"


class Cublas:
    """cublasGemmBatchedEx, with a handle and a workspace of its own."""

    def __init__(self) -> None:
        self.library = ctypes.CDLL(find_cublas())
        self.library.cublasCreate_v2.argtypes = [c_void_p]
        self.library.cublasSetStream_v2.argtypes = [c_void_p, c_void_p]
        self.library.cublasSetWorkspace_v2.argtypes = [c_void_p, c_void_p, c_size_t]
        self.gemm = self.library.cublasGemmBatchedEx
        self.gemm.restype = c_int
        matrices = [c_void_p, c_int, c_int]  # device array of pointers, type, pitch
        scalar = c_void_p
        self.gemm.argtypes = [
            *(c_void_p, c_int, c_int, c_int, c_int, c_int, scalar),
            *(*matrices, *matrices, scalar, *matrices, c_int, c_int, c_int),
        ]
        self.handle = c_void_p()
        self.check(self.library.cublasCreate_v2(ctypes.byref(self.handle)))
        stream = torch.cuda.current_stream().cuda_stream
        self.check(self.library.cublasSetStream_v2(self.handle, stream or None))
        self.space = torch.empty(32 << 20, dtype=torch.uint8, device="cuda")
        self.check(
            self.library.cublasSetWorkspace_v2(
                self.handle, self.space.data_ptr(), self.space.numel()
            )
        )
        self.one, self.zero = c_float(1), c_float(0)

    @staticmethod
    def check(code: int) -> None:
        if code:
            raise RuntimeError(f"cuBLAS returned status {code}")


def block_addresses(case: Case, base: int, block: int) -> list[int]:
    """Of the blocks (i, j) of an array [a block d, batch] at `base`: row (i block) d + j."""
    a, _, _, d = case.pattern
    pitch = case.batch * case.kind.size
    return [base + (i * block * d + j) * pitch for i in range(a) for j in range(d)]


def why_no_pointers(case: Case) -> str:
    """Why cublas_ptr cannot do a case, or ''. cuBLAS cannot see the pointers, and faults
    where they are not aligned."""
    _, b, c, _ = case.pattern
    if case.layout != "last":
        return "batch-last only"
    if case.batch * case.kind.size % ALIGNMENT or b * c * case.kind.size % ALIGNMENT:
        return f"rows are not aligned to {ALIGNMENT} bytes"
    return ""


def cublas_ptr(
    case: Case, weight: Tensor, xs: list[Tensor], ys: list[Tensor], cublas: Cublas
) -> Call:
    """Batched products through arrays of pointers. Rows of a block are d rows of the
    array apart, which is a leading dimension of d batch: nothing is permuted."""
    a, b, c, d = case.pattern
    stored = weight.permute(0, 3, 1, 2).contiguous()  # [a, d, b, c]
    size, pitch = case.kind.size, d * case.batch

    def to_device(addresses: list[int]) -> Tensor:
        return torch.tensor(addresses, dtype=torch.int64, device="cuda")

    base = stored.data_ptr()
    weights = to_device([base + at * b * c * size for at in range(a * d)])
    inputs = [to_device(block_addresses(case, x.data_ptr(), c)) for x in xs]
    outputs = [to_device(block_addresses(case, y.data_ptr(), b)) for y in ys]
    kind = CUDA_TYPES[weight.dtype]
    compute = COMPUTE_32F_FAST_TF32 if case.kind.tf32 else COMPUTE_32F
    held = (stored, weights, inputs, outputs)

    def prepare(at: int) -> tuple:
        # Column-major: Y_ij^T (batch × b) = X_ij^T (batch × c) times W_ij^T (c × b).
        return (
            *(cublas.handle, 0, 0, case.batch, b, c, ctypes.addressof(cublas.one)),
            *(inputs[at].data_ptr(), kind, pitch),
            *(weights.data_ptr(), kind, c),
            ctypes.addressof(cublas.zero),
            *(outputs[at].data_ptr(), kind, pitch),
            *(a * d, compute, GEMM_DEFAULT),
        )

    calls = [prepare(at) for at in range(len(xs))]

    def run(at: int) -> Tensor:
        code = cublas.gemm(*calls[at])
        if code:
            cublas.check(code)
        return ys[at]

    run.held = held  # type: ignore[attr-defined]
    return run


# ----------------------------------------------------------------------------------------
# What is right
# ----------------------------------------------------------------------------------------


class Reference:
    """Some entries of the batch in f64, and what each element may be wrong by:
    (c + 2) u |K||x| + u' |y|, with u of f32 and u' of the element type; tf32 adds
    2 · 2⁻¹¹ |K||x|."""

    def __init__(self, case: Case, weight: Tensor, entries: Tensor):
        self.case, self.entries = case, entries
        a, b, c, d = case.pattern
        self.weight = weight.double().permute(0, 3, 2, 1).reshape(a * d, c, b)

    def take(self, array: Tensor) -> Tensor:
        """The entries of an array, [entries, features] in f64."""
        if self.case.layout == "first":
            return array[self.entries].double()
        return array[:, self.entries].double().t()

    def multiply(self, x: Tensor, weight: Tensor) -> Tensor:
        a, b, c, d = self.case.pattern
        count = len(self.entries)
        x = x.reshape(count, a, c, d).permute(1, 3, 0, 2).reshape(a * d, count, c)
        y = torch.bmm(x, weight).view(a, d, count, b)
        return y.permute(2, 0, 3, 1).reshape(count, a * b * d)

    def solve(self, x: Tensor) -> None:
        """Computes results for the input; the weight is no longer needed then."""
        kind = self.case.kind
        x = self.take(x)
        self.y = self.multiply(x, self.weight)
        scale = self.multiply(x.abs(), self.weight.abs_())
        self.bound = kind.allowed_error(self.case.pattern[2]) * scale + kind.unit * self.y.abs()
        del self.weight

    def error_ratio(self, y: Tensor) -> float:
        """The greatest error as a fraction of what is allowed: at most 1 is good. Infinite
        if anything in the whole of y is NaN, so poisoned and never written."""
        if y.shape != torch.Size(self.case.y_shape):
            return float("inf")
        if y.numel() and bool(torch.isnan(torch.sum(y, dtype=torch.float32))):
            return float("inf")
        error = (self.take(y) - self.y).abs()
        ratio = torch.where(error == 0, torch.zeros_like(error), error / self.bound)
        greatest = float(ratio.max()) if ratio.numel() else 0.0
        return greatest if greatest < float("inf") else float("inf")


def choose_entries(batch: int, count: int = 128, seed: int = 3) -> Tensor:
    """Of the batch, to check: both ends, and others at random."""
    if batch <= count:
        return torch.arange(batch)
    ends = torch.cat([torch.arange(8), torch.arange(batch - 8, batch)])
    some = torch.randint(batch, (count - 16,), generator=torch.Generator().manual_seed(seed))
    return torch.cat([ends, some]).unique()
