# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random chains with elementwise linalg ops behind them: what ks-fuse-elementwise fuses.

The reference rounds after each op, as the program does.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass
from string import Template

import ks_cases
import numpy as np
from ks_bounded import Bounded
from ks_cases import Case, EpilogueCase
from ks_reference import PRECISIONS

import ks

#: Rounds to the element type.
Round = Callable[[Bounded], Bounded]


@dataclass(frozen=True)
class Step:
    """One or more ops that make $out of $in, both of type $t.

    $e is the element type, $f the type of one element per feature, $init a
    destination, $x an extra argument of kind `extra`, $p a prefix for names.
    """

    text: str
    reference: Callable[..., Bounded]  # of the value, the extra if any, and Round
    extra: str | None = None
    types: tuple[str, ...] = ("f16", "bf16", "f32", "f64")


def _named(op: str, inputs: str = "$in, $x", out: str = "$out", init: str = "$init") -> str:
    kinds = ", ".join(["$t"] * len(inputs.split(",")))
    return f"  {out} = linalg.{op} ins({inputs} : {kinds}) outs({init} : $t) -> $t\n"


def _generic(maps: str, inputs: str, kinds: str, arguments: str, body: str) -> str:
    return f"""  $out = linalg.generic {{indexing_maps = [{maps}],
      iterator_types = ["parallel", "parallel"]}}
      ins({inputs} : {kinds}) outs($init : $t) {{
    ^bb0({arguments}, $$o: $e):
{body}
    }} -> $t
"""


_BROADCAST = "  $p.b = linalg.broadcast ins($x : $f) outs($init : $t) dimensions = [$axis]\n"
_FILL = (
    "  $p.c = arith.constant $value : $e\n"
    "  $p.f = linalg.fill ins($p.c : $e) outs($init : $t) -> $t\n"
)


def _silu(v: Bounded, r: Round) -> Bounded:
    n = -v
    e = r(n.map(np.exp, lipschitz=np.exp(n.value + n.error), units=8))
    return r(v / r(e + 1.0))


STEPS = {
    "bias": Step(_BROADCAST + _named("add", "$in, $p.b"), lambda v, b, r: r(v + b), "feature"),
    "generic bias": Step(
        _generic(
            "#identity, #feature, #identity",
            "$in, $x",
            "$t, $f",
            "$$v: $e, $$b: $e",
            "      $$s = arith.addf $$v, $$b : $e\n      linalg.yield $$s : $e",
        ).replace("$$", "%"),
        lambda v, b, r: r(v + b),
        "feature",
    ),
    "residual": Step(_named("sub"), lambda v, y, r: r(v - y), "result"),
    "gate": Step(_named("mul", "$x, $in"), lambda v, y, r: r(v * y), "result"),
    "in place": Step(
        _named("negf", "$in", "$p.n", "$in") + _named("sub", "$p.n, $x", init="$p.n"),
        lambda v, y, r: r(-v - y),
        "result",
    ),
    "captured constant": Step(
        "  $p.c = arith.constant 0.375 : $e\n"
        + _generic(
            "#swapped, #swapped",
            "$in",
            "$t",
            "$$v: $e",
            "      $$s = arith.mulf $$v, $p.c : $e\n      linalg.yield $$s : $e",
        ).replace("$$", "%"),
        lambda v, r: r(v * 0.375),
    ),
    "relu": Step(
        _FILL.replace("$value", "0.0") + _named("max", "$in, $p.f"), lambda v, r: v.maximum(0.0)
    ),
    "square": Step(_named("square", "$in"), lambda v, r: r(v * v)),
    "tanh": Step(_named("tanh", "$in"), lambda v, r: r(v.map(np.tanh, units=8))),
    "silu": Step(
        _FILL.replace("$value", "1.0")
        + _named("negf", "$in", "$p.n")
        + _named("exp", "$p.n", "$p.e")
        + "  $p.s = linalg.map { arith.addf } ins($p.e, $p.f : $t, $t) outs($init : $t)\n"
        + _named("div", "$in, $p.s"),
        _silu,
    ),
    "tanh in f32": Step(
        _generic(
            "#identity, #identity",
            "$in",
            "$t",
            "$$v: $e",
            "      $$w = arith.extf $$v : $e to f32\n      $$s = math.tanh $$w : f32\n"
            "      $$n = arith.truncf $$s : f32 to $e\n      linalg.yield $$n : $e",
        ).replace("$$", "%"),
        lambda v, r: r(v.map(np.tanh, units=8)),
        types=("f16", "bf16"),
    ),
}
_COMPLEX_STEPS = {
    name: Step(
        _generic(
            maps,
            "$in, $x",
            kinds,
            "$$v: $e, $$b: $e",
            f"      $$s = {op} : $e\n      linalg.yield $$s : $e",
        ).replace("$$", "%"),
        reference,
        extra,
        ("complex64", "complex128"),
    )
    for name, maps, kinds, op, reference, extra in (
        (
            "complex bias",
            "#identity, #feature, #identity",
            "$t, $f",
            "complex.add $$v, $$b",
            lambda v, b, r: v + b,
            "feature",
        ),
        (
            "complex gate",
            "#swapped, #swapped, #swapped",
            "$t, $t",
            "complex.mul $$v, $$b",
            lambda v, y, r: v * y,
            "result",
        ),
    )
}
STEPS |= _COMPLEX_STEPS


@dataclass(frozen=True)
class ElementwiseCase(Case):
    """A case without an epilogue of its own, and what its result goes through."""

    steps: tuple[str, ...] = ()

    @property
    def epilogue_case(self) -> EpilogueCase:
        steps = [STEPS[name] for name in self.steps]
        storage, _ = PRECISIONS[self.dtype]

        def rounded(v: Bounded) -> Bounded:
            return v.stored_as(storage)

        def reference(v: Bounded, *extras: np.ndarray) -> Bounded:
            left = list(extras)
            v = rounded(v)
            for step in steps:
                v = step.reference(v, *([left.pop(0)] if step.extra else []), rounded)
            return v

        kinds = tuple(step.extra for step in steps if step.extra)
        return EpilogueCase(ks.Epilogue("", kinds), reference)

    def mlir(self) -> str:
        batch = None if self.is_dynamic else self.batch
        text = self.chain.mlir(self.dtype, self.layout, batch, name=self.name)
        head, result = re.match(r"(.*)\) -> (.*) \{", text).groups()
        element = re.search(r"x([^x]*(complex<f..>)?)>$", result).group(1)
        feature = f"tensor<{self.chain.out_features}x{element}>"
        body, value, number = "", "%y", 0
        for at, name in enumerate(self.steps):
            step, names = STEPS[name], {"in": value, "out": f"%v{at}", "p": f"%p{at}"}
            if step.extra:
                names["x"] = f"%extra{number}"
                head += f", %extra{number}: {feature if step.extra == 'feature' else result}"
                number += 1
            value = names["out"]
            axis = 0 if self.layout == "batch_first" else 1
            template = Template(step.text.replace("$p.", "${p}_"))
            body += template.substitute(
                names, t=result, f=feature, e=element, init="%init", axis=axis
            )
        lines = text.split("{\n", 1)[1].replace("return %y", f"{body}  return {value}")
        maps = {
            "#identity": "affine_map<(m, f) -> (m, f)>",
            "#swapped": "affine_map<(m, f) -> (f, m)>",
            "#feature": f"affine_map<(m, f) -> ({'f' if axis_of(self) == 1 else 'm'})>",
        }
        for name, value in maps.items():
            lines = lines.replace(name, value)
        return f"{head}) -> {result} {{\n{lines}"


def axis_of(case: Case) -> int:
    """The axis of features in the result."""
    return 1 if case.layout == "batch_first" else 0


def draw(seed: int, number: int) -> ElementwiseCase:
    case = ks_cases.draw(seed, number)
    rng = np.random.default_rng([seed, number, 2])
    names = [name for name, step in STEPS.items() if case.dtype in step.types]
    steps = tuple(str(name) for name in rng.choice(names, int(rng.integers(1, 4))))
    fields = {field.name: getattr(case, field.name) for field in dataclasses.fields(case)}
    fields["epilogue"] = "elementwise ops"
    return ElementwiseCase(**fields, steps=steps)
