# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random chains whose result is stored in another type than theirs: by a cast of linalg
behind them, which rounds once more, or as `outs` of the product itself, which does not."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass

import ks_cases
import numpy as np
from ks_bounded import Bounded
from ks_cases import Case
from ks_reference import PRECISIONS

WIDTHS = {"f16": 16, "bf16": 16, "f32": 32, "f64": 64}
#: In which products are summed.
_SUMS = {"f16": "f32", "bf16": "f32", "f32": "f32", "f64": "f64"}


def _find_types(text: str, stored: str) -> tuple[str, str]:
    """That of the result of a program, and the same of elements `stored`."""
    kind = re.search(r"\) -> (tensor<\S*>) \{", text).group(1)
    return kind, f"{kind[: kind.rindex('x') + 1]}{stored}>"


def store_as(text: str, stored: str) -> str:
    """The program of a chain whose `outs` are of elements `stored`."""
    kind, result = _find_types(text, stored)
    for before in ("-> ", "outs(%init : ", "return %y : "):
        text = text.replace(before + kind, before + result)
    return re.sub(r"(%init = .*) : .*", rf"\1 : {result}", text)


@dataclass(frozen=True)
class StoredCase(Case):
    stored: str = "f32"
    is_cast: bool = True  # an op of linalg

    @property
    def result_dtype(self) -> str:
        return self.stored

    @property
    def precision(self):
        """That the product rounds its result to."""
        return PRECISIONS[self.dtype if self.is_cast else self.stored][0]

    def finish(self, value: Bounded) -> Bounded:
        """What the program does with what the product rounded."""
        return value.stored_as(PRECISIONS[self.stored][0]) if self.is_cast else value

    def mlir(self) -> str:
        text = super().mlir()
        if not self.is_cast:
            return store_as(text, self.stored)
        kind, stored = _find_types(text, self.stored)
        text = text.replace(f") -> {kind} {{", f") -> {stored} {{")
        size = re.search(r"%init = tensor.empty\((.*)\)", text).group(1)
        return text.replace(
            f"  return %y : {kind}\n",
            f"  %stored = tensor.empty({size}) : {stored}\n"
            f"  %cast = linalg.map ins(%y : {kind}) outs(%stored : {stored}) "
            f"(%v: {self.dtype}, %old: {self.stored}) {{\n{self._body()}"
            f"    linalg.yield %r : {self.stored}\n  }}\n"
            f"  return %cast : {stored}\n",
        )

    def _body(self) -> str:
        source, stored = self.dtype, self.stored
        if WIDTHS[source] == WIDTHS[stored]:
            return (
                f"    %w = arith.extf %v : {source} to f32\n"
                f"    %r = arith.truncf %w : f32 to {stored}\n"
            )
        op = "extf" if WIDTHS[source] < WIDTHS[stored] else "truncf"
        return f"    %r = arith.{op} %v : {source} to {stored}\n"


def convert(case: Case, stored: str, is_cast: bool) -> StoredCase:
    """An epilogue ends in the type of sums, which `outs` of the product agree with."""
    fields = {field.name: getattr(case, field.name) for field in dataclasses.fields(Case)}
    is_cast |= case.epilogue is not None and _SUMS[case.dtype] != _SUMS[stored]
    return StoredCase(**fields, stored=stored, is_cast=is_cast)


def draw(seed: int, number: int, make=ks_cases.draw) -> StoredCase:
    rng = np.random.default_rng([seed, number, 5])
    case = make(seed, number)
    dtype = case.dtype if case.dtype in WIDTHS else str(rng.choice(["f16", "f32"]))
    epilogue = case.epilogue if case.epilogue in ks_cases.EPILOGUES[dtype] else None
    case = dataclasses.replace(case, dtype=dtype, epilogue=epilogue)
    stored = str(rng.choice([name for name in WIDTHS if name != dtype]))
    return convert(case, stored, bool(rng.random() < 0.7))
