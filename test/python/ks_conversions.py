# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random chains between elementwise linalg ops of other types than theirs.

x is converted, multiplied, converted again, goes through bias, activation and
residual, and is converted a third time. The reference rounds where the program does.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import ks_cases
import ks_reference
import numpy as np
from ks_bounded import Bounded
from ks_reference import PRECISIONS

import ks

#: Of the input, the weights, bias and residual, and the result.
TYPES = (
    ("f32", "f16", "f32", "f16"),
    ("f32", "f16", "f16", "f32"),
    ("f32", "bf16", "f32", "f32"),
    ("f32", "f16", "f16", "f16"),
    ("f16", "f32", "f32", "f16"),
    ("bf16", "f32", "f32", "bf16"),
    ("f64", "f32", "f64", "f32"),
    ("f32", "f64", "f64", "f32"),
    ("f16", "f16", "f32", "f32"),
    ("bf16", "bf16", "f32", "bf16"),
    ("f32", "f32", "f16", "f16"),
    ("f16", "f32", "f32", "f32"),
    ("f32", "f64", "f64", "f64"),
    ("f16", "f16", "f32", "f16"),
    ("f32", "f32", "f16", "f32"),
    ("f32", "f32", "f64", "f64"),
    ("f16", "f16", "f32", "bf16"),
)
#: The same for GPUs, and from f64 to bf16, for which CPUs lack an instruction.
GPU_TYPES = (
    *TYPES,
    ("f64", "bf16", "f32", "bf16"),
    ("f64", "f64", "f64", "bf16"),
)
WIDTHS = {"f16": 16, "bf16": 16, "f32": 32, "f64": 64}

_ACTIVATIONS = {
    "relu": (
        "      %z = arith.constant 0.0 : $e\n      %r = arith.maximumf %s, %z : $e\n",
        lambda v: v.maximum(0.0),
    ),
    "silu": (
        "      %o = arith.constant 1.0 : $e\n      %m = arith.negf %s : $e\n"
        "      %p = math.exp %m : $e\n      %q = arith.addf %p, %o : $e\n"
        "      %r = arith.divf %s, %q : $e\n",
        lambda v: v / ((-v).map(np.exp, np.exp(-v.value + v.error), units=8) + 1.0),
    ),
    "gelu": (
        "      %h = arith.constant 0.5 : $e\n      %o = arith.constant 1.0 : $e\n"
        "      %a = arith.mulf %s, %h : $e\n      %p = math.erf %a : $e\n"
        "      %q = arith.addf %p, %o : $e\n      %r = arith.mulf %s, %q : $e\n",
        lambda v: v * ((v * 0.5).map(_erf, 2 / math.sqrt(math.pi), units=8) + 1.0),
    ),
}


def _erf(values: np.ndarray) -> np.ndarray:
    return np.frompyfunc(math.erf, 1, 1)(values).astype(np.float64)


def _convert(out: str, value: str, types: tuple[str, str], kinds: tuple[str, str], form: int):
    if types[0] == types[1]:
        return "", value
    op = "truncf" if WIDTHS[types[0]] > WIDTHS[types[1]] else "extf"
    size = "%batch" if "?" in kinds[1] else ""
    text = f"  {out}_i = tensor.empty({size}) : {kinds[1]}\n"
    if form == 0:
        return text + (
            f"  {out} = linalg.map {{ arith.{op} }} ins({value} : {kinds[0]})"
            f" outs({out}_i : {kinds[1]})\n"
        ), out
    maps = "affine_map<(m, f) -> (m, f)>, affine_map<(m, f) -> (m, f)>"
    return text + (
        f"  {out} = linalg.generic {{indexing_maps = [{maps}],\n"
        f'      iterator_types = ["parallel", "parallel"]}} ins({value} : {kinds[0]})\n'
        f"      outs({out}_i : {kinds[1]}) {{\n    ^bb0(%v: {types[0]}, %o: {types[1]}):\n"
        f"      %n = arith.{op} %v : {types[0]} to {types[1]}\n"
        f"      linalg.yield %n : {types[1]}\n    }} -> {kinds[1]}\n"
    ), out


@dataclass(frozen=True)
class Conversions:
    number: int
    chain: ks.Chain
    types: tuple[str, str, str, str]
    activation: str
    layout: str
    batch: int
    is_dynamic: bool

    @property
    def name(self) -> str:
        return f"case{self.number}"

    def mlir(self) -> str:
        source, dtype, wide, result = self.types
        batch = None if self.is_dynamic else self.batch
        text = self.chain.mlir(dtype, self.layout, batch, name=self.name)
        weights = "".join(re.findall(r", %w\d+: tensor<[^>]*>", text))

        def kind(features: int, element: str) -> str:
            sizes = ["?" if self.is_dynamic else str(self.batch), str(features)]
            return f"tensor<{'x'.join(sizes if self.is_first else sizes[::-1])}x{element}>"

        inputs, outputs = self.chain.in_features, self.chain.out_features
        product = re.search(r"  %y = .*-> tensor<[^>]*>\n", text, re.DOTALL).group()
        made, x = _convert(
            "%c",
            "%x",
            (source, dtype),
            (kind(inputs, source), kind(inputs, dtype)),
            self.number % 2,
        )
        widened, y = _convert(
            "%u",
            "%y",
            (dtype, wide),
            (kind(outputs, dtype), kind(outputs, wide)),
            self.number // 2 % 2,
        )
        narrowed, r = _convert(
            "%t",
            "%r",
            (wide, result),
            (kind(outputs, wide), kind(outputs, result)),
            self.number // 4 % 2,
        )
        size = "%batch" if self.is_dynamic else ""
        whole = kind(outputs, wide)
        feature = f"affine_map<(m, f) -> ({'f' if self.is_first else 'm'})>"
        same = "affine_map<(m, f) -> (m, f)>"
        body = _ACTIVATIONS[self.activation][0].replace("$e", wide)
        return (
            f"func.func @{self.name}(%x: {kind(inputs, source)}{weights}, "
            f"%bias: tensor<{outputs}x{wide}>, %res: {whole}) -> {kind(outputs, result)} {{\n"
            f"  %axis = arith.constant {0 if self.is_first else 1} : index\n"
            f"  %batch = tensor.dim %x, %axis : {kind(inputs, source)}\n"
            f"  %init = tensor.empty({size}) : {kind(outputs, dtype)}\n{made}"
            f"{product.replace('ins(%x', f'ins({x}')}{widened}"
            f"  %e = tensor.empty({size}) : {whole}\n"
            f"  %a = linalg.generic {{indexing_maps = [{same}, {feature}, {same}],\n"
            f'      iterator_types = ["parallel", "parallel"]}}\n'
            f"      ins({y}, %bias : {whole}, tensor<{outputs}x{wide}>) outs(%e : {whole}) {{\n"
            f"    ^bb0(%v: {wide}, %b: {wide}, %old: {wide}):\n"
            f"      %s = arith.addf %v, %b : {wide}\n{body}"
            f"      linalg.yield %r : {wide}\n    }} -> {whole}\n"
            f"  %r = linalg.add ins(%a, %res : {whole}, {whole}) outs(%e : {whole}) -> {whole}\n"
            f"{narrowed}  return {r} : {kind(outputs, result)}\n}}\n"
        )

    @property
    def is_first(self) -> bool:
        return self.layout == "batch_first"

    def shape(self, features: int) -> tuple[int, int]:
        return (self.batch, features) if self.is_first else (features, self.batch)

    @property
    def argument_types(self) -> list[str]:
        source, dtype, wide, _ = self.types
        return [source, *[dtype] * len(self.chain), wide, wide]

    def make(self) -> tuple[list[np.ndarray], np.ndarray]:
        """The arguments, and memory for the result that holds NaN."""
        rng = np.random.default_rng([self.number, 3])
        source, dtype, wide, result = self.types

        def normal(shape, element, scale=1.0):
            return ks_cases.narrow(scale * rng.standard_normal(shape), element)

        weights = [
            normal(shape, dtype, 1 / math.sqrt(shape[2])) for shape in self.chain.weight_shapes
        ]
        outputs = self.chain.out_features
        arguments = [
            normal(self.shape(self.chain.in_features), source),
            *weights,
            normal((outputs,), wide),
            normal(self.shape(outputs), wide),
        ]
        return arguments, ks_cases.narrow(np.full(self.shape(outputs), np.nan), result)

    def reference(self, arguments: list[np.ndarray]) -> Bounded:
        """Of shape (features, batch)."""
        source, dtype, wide, result = self.types
        x, *weights, bias, residual = arguments

        def columns(array, element):
            values = ks_cases.widen(array, element)
            return values.T if self.is_first else values

        # Rounded as NumPy does it.
        x = ks_cases.widen(ks_cases.narrow(ks_cases.widen(x, source), dtype), dtype)
        value = ks_reference.chain(
            [tuple(p) for p in self.chain],
            [ks_cases.widen(weight, dtype) for weight in weights],
            x.T if self.is_first else x,
            dtype,
        )
        storage, _ = PRECISIONS[wide]
        value = value.stored_as(storage) if WIDTHS[wide] < WIDTHS[dtype] else value
        value = Bounded(value.value, value.error, storage)
        value = value + ks_cases.widen(bias, wide)[:, None]
        value = _ACTIVATIONS[self.activation][1](value) + columns(residual, wide)
        if WIDTHS[result] < WIDTHS[wide]:
            value = value.stored_as(PRECISIONS[result][0])
        return value

    def compare(self, got: np.ndarray, expected: Bounded) -> str | None:
        values = ks_cases.widen(got, self.types[-1])
        error = np.abs((values.T if self.is_first else values) - expected.value)
        wrong = ~(error <= expected.error)  # true for NaN
        return f"{wrong.sum()} of {wrong.size} elements are wrong" if wrong.any() else None


def draw(seed: int, number: int, types=TYPES) -> Conversions:
    case = ks_cases.draw(seed, number)
    rng = np.random.default_rng([seed, number, 4])
    return Conversions(
        number,
        case.chain,
        types[number % len(types)],
        str(rng.choice(list(_ACTIVATIONS))),
        case.layout,
        min(case.batch, 64),
        case.is_dynamic or case.batch == 0,  # else it folds away
    )
