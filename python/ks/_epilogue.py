# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""What happens to the result of a chain before it is rounded and stored."""

from __future__ import annotations

from dataclasses import dataclass
from string import Template

from ks._dtypes import ElementType


@dataclass(frozen=True)
class Epilogue:
    """An element-wise function of the accumulator and of further arguments.

    Attributes:
        body: MLIR ops (arith, math or complex, on scalars) that use `%acc`, of
            type `$acc` (f32 for f16 and bf16, the element type otherwise), and
            `%e0`, `%e1`, ..., of the element type `$elem`; ends in
            `ks.yield %value : $acc`.
        extras: For each of `%e0`, `%e1`, ..., "feature" if the argument has one
            element per output feature, "result" if it has the result's shape.
    """

    body: str
    extras: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for extra in self.extras:
            if extra not in ("feature", "result"):
                raise ValueError(
                    f"epilogue has an extra argument {extra!r}; expected 'feature' or 'result'"
                )

    def region(self, element: ElementType) -> str:
        """The region, as MLIR text."""
        arguments = [f"%acc: {element.accumulator}"]
        arguments += [f"%e{index}: {element.mlir}" for index in range(len(self.extras))]
        body = Template(self.body).safe_substitute(acc=element.accumulator, elem=element.mlir)
        return f"{{\n  ^bb0({', '.join(arguments)}):\n{body}\n  }}"


_ADDED = {"bias": "feature", "residual": "result"}

# Of %{x}; results are %{y}.
_FUNCTIONS = {
    "relu": """
    %{y}z = arith.constant 0.0 : $acc
    %{y} = arith.maximumf %{x}, %{y}z : $acc""",
    "gelu": """
    %{y}h = arith.constant 0.5 : $acc
    %{y}o = arith.constant 1.0 : $acc
    %{y}r = arith.constant 0.70710678118654752 : $acc
    %{y}s = arith.mulf %{x}, %{y}r : $acc
    %{y}e = math.erf %{y}s : $acc
    %{y}p = arith.addf %{y}e, %{y}o : $acc
    %{y}g = arith.mulf %{x}, %{y}h : $acc
    %{y} = arith.mulf %{y}g, %{y}p : $acc""",
    "silu": """
    %{y}o = arith.constant 1.0 : $acc
    %{y}n = arith.negf %{x} : $acc
    %{y}e = math.exp %{y}n : $acc
    %{y}p = arith.addf %{y}e, %{y}o : $acc
    %{y} = arith.divf %{x}, %{y}p : $acc""",
    "tanh": """
    %{y} = math.tanh %{x} : $acc""",
}


def named_epilogue(steps: str, element: ElementType) -> Epilogue:
    """The epilogue called `steps`, such as "bias" or "bias+gelu+residual".

    Steps are applied from left to right. "bias" adds an argument with one
    element per output feature, "residual" one of the result's shape; "relu",
    "gelu" (with erf), "silu" and "tanh" are for real types.

    Raises:
        ValueError: there is no such step, or not for this element type.
    """
    names = [step.strip() for step in steps.split("+")]
    body, extras, value = "", [], "acc"
    for number, name in enumerate(names):
        result = f"v{number}"
        if name in _ADDED:
            extra = f"e{len(extras)}"
            extras.append(_ADDED[name])
            body += _add(value, extra, result, element)
        elif name in _FUNCTIONS:
            if element.is_complex:
                raise ValueError(
                    f"epilogue {name!r} is for real types; got {element.name} (expected "
                    f"{' or '.join(_ADDED)})"
                )
            body += _FUNCTIONS[name].replace("{x}", value).replace("{y}", result)
        else:
            known = ", ".join([*_ADDED, *_FUNCTIONS])
            raise ValueError(
                f"epilogue has a step {name!r}; expected steps of {known}, joined by '+', or a "
                "ks.Epilogue"
            )
        value = result
    return Epilogue(f"{body}\n    ks.yield %{value} : $acc", tuple(extras))


def _add(value: str, extra: str, result: str, element: ElementType) -> str:
    text = ""
    if element.accumulator != element.mlir:
        text = f"\n    %{extra}w = arith.extf %{extra} : $elem to $acc"
        extra += "w"
    op = "complex.add" if element.is_complex else "arith.addf"
    return f"{text}\n    %{result} = {op} %{value}, %{extra} : $acc"
