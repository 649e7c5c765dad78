# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What compiled functions say of themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ks._dtypes import of_code


@dataclass(frozen=True)
class ArgumentInfo:
    """What a function expects of an argument, or says of a result.

    Attributes:
        dtype: Name of the element type, such as "f32".
        shape: Sizes; None where any size will do.
        is_packed: Whether it is a weight that is packed before a run.
    """

    dtype: str
    shape: tuple[int | None, ...]
    is_packed: bool


@dataclass(frozen=True)
class CompileTimes:
    """Where compile time went, in seconds; `ptxas` is for GPUs only."""

    passes: float
    llvm: float
    ptxas: float = 0.0

    @property
    def total(self) -> float:
        return self.passes + self.llvm + self.ptxas


def to_info(info: tuple[int, Sequence[int], bool, bool]) -> ArgumentInfo:
    """From what the extension says: element type, shape, whether it is packed, and more."""
    code, shape, is_packed, _ = info
    sizes = tuple(None if size < 0 else size for size in shape)
    return ArgumentInfo(of_code(code).name, sizes, is_packed)


def show_signature(
    name: str, inputs: Sequence[ArgumentInfo], outputs: Sequence[ArgumentInfo]
) -> str:
    """ "@f(f32[?, 384], f32[6, 64, 64, 1]) -> f32[?, 1536]"."""

    def show(infos: Sequence[ArgumentInfo]) -> str:
        return ", ".join(
            f"{info.dtype}[{', '.join('?' if s is None else str(s) for s in info.shape)}]"
            for info in infos
        )

    return f"@{name}({show(inputs)}) -> {show(outputs)}"
