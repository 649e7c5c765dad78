# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Random chains with data for differential tests.

Case `number` of seed `seed` is always the same one: each has a random generator
of its own. There are two kinds, `draw` and `draw_long`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from ks_bounded import Bounded, Precision
from ks_reference import BF16, F16, PRECISIONS

import ks

MAX_FEATURES = 4096
MAX_WEIGHTS = 2**18
BATCHES = (0, 1, 3, 17, 64, 1000)
SMALL_BATCHES = (1, 2, 5, 16, 33)
MOST_FACTORS = 10
DTYPES = ("f16", "bf16", "f32", "f64", "complex64", "complex128")
NUMPY = {
    "f16": np.float16,
    "bf16": np.uint16,  # bits
    "f32": np.float32,
    "f64": np.float64,
    "complex64": np.complex64,
    "complex128": np.complex128,
}


# --- Epilogues ---------------------------------------------------------------


@dataclass(frozen=True)
class EpilogueCase:
    """An epilogue as MLIR and as NumPy: two independent versions."""

    mlir: ks.Epilogue
    reference: Callable[..., Bounded]
    is_slow: bool = False  # in NumPy


def _relu(v: Bounded) -> Bounded:
    return v.maximum(0.0)


def _erf(values: np.ndarray) -> np.ndarray:
    return np.frompyfunc(math.erf, 1, 1)(values).astype(np.float64)


def _leaky(v: Bounded, slope: float) -> Bounded:
    scaled = v * slope
    value = np.where(v.value > 0, v.value, scaled.value)
    return Bounded(value, np.maximum(v.error, scaled.error), v.precision)


# $w0, $w1: the extra arguments in the accumulator type. Libm's functions are given
# eight roundings (four units in the last place).
_REAL = {
    "bias": (("feature",), "%r = arith.addf %acc, $w0 : $acc", lambda v, b: v + b),
    "residual": (("result",), "%r = arith.addf %acc, $w0 : $acc", lambda v, y: v + y),
    "only extra": (("feature",), "%r = arith.negf $w0 : $acc", lambda v, b: -v._lift(b)),
    "gate": (("result",), "%r = arith.mulf %acc, $w0 : $acc", lambda v, y: v * y),
    "scale": (
        (),
        "%s = arith.constant -0.75 : $acc\n %r = arith.mulf %acc, %s : $acc",
        lambda v: v * -0.75,
    ),
    "bias, relu": (
        ("feature",),
        "%z = arith.constant 0.0 : $acc\n %s = arith.addf %acc, $w0 : $acc\n"
        "%r = arith.maximumf %s, %z : $acc",
        lambda v, b: _relu(v + b),
    ),
    "bias, residual, relu": (
        ("feature", "result"),
        "%z = arith.constant 0.0 : $acc\n %s = arith.addf %acc, $w0 : $acc\n"
        "%t = arith.addf %s, $w1 : $acc\n %r = arith.maximumf %t, %z : $acc",
        lambda v, b, y: _relu((v + b) + y),
    ),
    "clamp": (
        (),
        "%l = arith.constant -0.5 : $acc\n %h = arith.constant 0.625 : $acc\n"
        "%s = arith.maximumf %acc, %l : $acc\n %r = arith.minimumf %s, %h : $acc",
        lambda v: v.maximum(-0.5).minimum(0.625),
    ),
    "leaky": (
        (),
        "%z = arith.constant 0.0 : $acc\n %s = arith.constant 0.25 : $acc\n"
        "%p = arith.cmpf ogt, %acc, %z : $acc\n %t = arith.mulf %acc, %s : $acc\n"
        "%r = arith.select %p, %acc, %t : $acc",
        lambda v: _leaky(v, 0.25),
    ),
    "divide": (
        ("result",),
        "%o = arith.constant 1.0 : $acc\n %a = math.absf $w0 : $acc\n"
        "%s = arith.addf %a, %o : $acc\n %r = arith.divf %acc, %s : $acc",
        lambda v, y: v / (v._lift(np.abs(y)) + 1.0),
    ),
    "tanh of sum": (
        ("feature",),
        "%s = arith.addf %acc, $w0 : $acc\n %r = math.tanh %s : $acc",
        lambda v, b: (v + b).map(np.tanh, units=8),
    ),
    "sine": ((), "%r = math.sin %acc : $acc", lambda v: v.map(np.sin, units=8)),
    "exp(-|v|)": (
        (),
        "%a = math.absf %acc : $acc\n %n = arith.negf %a : $acc\n %r = math.exp %n : $acc",
        lambda v: v.map(lambda x: np.exp(-np.abs(x)), units=8),
    ),
    "sqrt(1+|v|)": (
        (),
        "%o = arith.constant 1.0 : $acc\n %a = math.absf %acc : $acc\n"
        "%s = arith.addf %a, %o : $acc\n %r = math.sqrt %s : $acc",
        lambda v: (v.map(np.abs) + 1.0).map(np.sqrt, lipschitz=0.5, units=1),
    ),
    "gelu": (
        (),
        "%h = arith.constant 0.5 : $acc\n %o = arith.constant 1.0 : $acc\n"
        "%s = arith.mulf %acc, %h : $acc\n %e = math.erf %s : $acc\n"
        "%p = arith.addf %e, %o : $acc\n %r = arith.mulf %acc, %p : $acc",
        lambda v: v * ((v * 0.5).map(_erf, lipschitz=2 / math.sqrt(math.pi), units=8) + 1.0),
    ),
}
_COMPLEX = {
    "bias": (("feature",), "%r = complex.add %acc, $w0 : $acc", lambda v, b: v + b),
    "residual": (("result",), "%r = complex.sub %acc, $w0 : $acc", lambda v, y: v - y),
    "gate": (("result",), "%r = complex.mul %acc, $w0 : $acc", lambda v, y: v * y),
    "scale": (
        (),
        "%s = complex.constant [0.5 : $real, -0.25 : $real] : $acc\n"
        "%r = complex.mul %acc, %s : $acc",
        lambda v: v * np.complex128(0.5 - 0.25j),
    ),
    "conjugate plus bias": (
        ("feature",),
        "%s = complex.conj %acc : $acc\n %r = complex.add %s, $w0 : $acc",
        lambda v, b: v.map(np.conj) + b,
    ),
    "swap": (
        (),
        "%a = complex.re %acc : $acc\n %b = complex.im %acc : $acc\n"
        "%r = complex.create %b, %a : $acc",
        lambda v: v.map(lambda z: z.imag + 1j * z.real),
    ),
    "modulus": (
        (),
        "%m = complex.abs %acc : $acc\n %z = arith.constant 0.0 : $real\n"
        "%r = complex.create %m, %z : $acc",
        lambda v: v.map(lambda z: np.abs(z) + 0j, units=8),
    ),
}


def _make_epilogue(dtype: str, name: str) -> EpilogueCase:
    """Writes %e0 as $w0 where the accumulator is wider than the element."""
    extras, body, reference = (_COMPLEX if dtype.startswith("complex") else _REAL)[name]
    text = ""
    for number in range(len(extras)):
        wide = f"%e{number}"
        if dtype in ("f16", "bf16"):
            wide = f"%wide{number}"
            text += f"{wide} = arith.extf %e{number} : $elem to $acc\n"
        body = body.replace(f"$w{number}", wide)
    real = "f32" if dtype == "complex64" else "f64"
    text += body.replace("$real", real) + "\n ks.yield %r : $acc"
    return EpilogueCase(ks.Epilogue(text, extras), reference, is_slow=name == "gelu")


def _make_rounding_epilogue(dtype: str) -> EpilogueCase:
    """Rounds to the element type, then adds: as absorbed code would."""
    storage = F16 if dtype == "f16" else BF16
    text = (
        "%n = arith.truncf %acc : $acc to $elem\n %v = arith.extf %n : $elem to $acc\n"
        "%w = arith.extf %e0 : $elem to $acc\n %r = arith.addf %v, %w : $acc\n"
        "ks.yield %r : $acc"
    )
    return EpilogueCase(ks.Epilogue(text, ("feature",)), lambda v, b: v.stored_as(storage) + b)


def epilogues(dtype: str) -> dict[str, EpilogueCase]:
    names = _COMPLEX if dtype.startswith("complex") else _REAL
    result = {name: _make_epilogue(dtype, name) for name in names}
    if dtype in ("f16", "bf16"):
        result["round, bias"] = _make_rounding_epilogue(dtype)
    return result


EPILOGUES = {dtype: epilogues(dtype) for dtype in DTYPES}


# --- Chains ------------------------------------------------------------------


def _log_uniform(rng: np.random.Generator, high: int) -> int:
    return int(math.exp(rng.uniform(0, math.log(high + 1))))


def _divisors(number: int) -> list[int]:
    return [k for k in range(1, number + 1) if number % k == 0]


def _split(rng: np.random.Generator, number: int) -> tuple[int, int, int]:
    """Three factors of `number`: each of its primes goes to one of them."""
    parts = [1, 1, 1]
    prime = 2
    while number > 1:
        while number % prime == 0:
            parts[rng.integers(3)] *= prime
            number //= prime
        prime += 1
    return parts[0], parts[1], parts[2]


@dataclass(frozen=True)
class Limits:
    """Of the chains that are drawn."""

    extent: int = 256  # of a, b, c and d
    features: int = MAX_FEATURES
    weights: int = MAX_WEIGHTS  # of all factors


SMALL = Limits(extent=24, features=400, weights=2**14)


def _first_pattern(rng: np.random.Generator, limits: Limits) -> tuple[int, int, int, int]:
    while True:
        a, b, c, d = (_log_uniform(rng, limits.extent) for _ in range(4))
        if max(a * b * d, a * c * d) <= limits.features and a * b * c * d <= limits.weights:
            return a, b, c, d


def _next_pattern(rng: np.random.Generator, previous, chainable: bool, limits: Limits):
    """A factor that takes what `previous` gives; None if the draw is too large."""
    a, b, _, d = previous
    if chainable:
        # a' divides a, d divides d', and the rank b·d/d' is an integer.
        new_a = int(rng.choice(_divisors(a)))
        new_d = d * int(rng.choice(_divisors(b)))
        new_c = a * b * d // (new_a * new_d)
    else:
        new_a, new_c, new_d = _split(rng, a * b * d)
    new_b = _log_uniform(rng, limits.extent)
    if new_a * new_b * new_d > limits.features:
        return None
    return new_a, new_b, new_c, new_d


def draw_patterns(rng: np.random.Generator, count: int, chainable: bool, limits: Limits = Limits()):
    while True:
        patterns = [_first_pattern(rng, limits)]
        for _ in range(100):
            if len(patterns) == count:
                return patterns
            drawn = _next_pattern(rng, patterns[-1], chainable, limits)
            if drawn and sum(math.prod(p) for p in [*patterns, drawn]) <= limits.weights:
                patterns.append(drawn)


# --- Cases -------------------------------------------------------------------


@dataclass(frozen=True)
class Case:
    seed: int
    number: int
    chain: ks.Chain
    dtype: str
    layout: str
    batch: int
    is_dynamic: bool
    epilogue: str | None
    is_pitched: bool  # rows of activations lie further apart than their width
    is_bound: bool  # runs on weights that were packed before
    is_small: bool  # values are near the smallest numbers of f16

    @property
    def name(self) -> str:
        return f"case{self.number}"

    @property
    def result_dtype(self) -> str:
        return self.dtype

    @property
    def precision(self) -> Precision:
        """That the product rounds its result to."""
        return PRECISIONS[self.dtype][0]

    def finish(self, value: Bounded) -> Bounded:
        """What the program does with what the product rounded."""
        return value

    @property
    def epilogue_case(self) -> EpilogueCase | None:
        return EPILOGUES[self.dtype][self.epilogue] if self.epilogue else None

    def mlir(self) -> str:
        case = self.epilogue_case
        return self.chain.mlir(
            self.dtype,
            self.layout,
            None if self.is_dynamic else self.batch,
            case.mlir if case else None,
            name=self.name,
        )


def draw(seed: int, number: int) -> Case:
    """One to four factors, some of them large."""
    rng = np.random.default_rng([seed, number])
    chainable = rng.random() < 0.5
    patterns = draw_patterns(rng, int(rng.integers(1, 5)), chainable)
    tied = ["".join(axis for axis in "ad" if rng.random() < 0.15) for _ in patterns]
    dtype = str(rng.choice(DTYPES))
    batch = int(rng.choice(BATCHES))
    return _make_case(rng, seed, number, ks.Chain(patterns, tied), dtype, None, batch)


def draw_long(seed: int, number: int) -> Case:
    """Two to ten factors, all of them small. Nearly all time goes into compiling them, so
    there are fewer of those that take longer: of many factors, or for any batch. Of
    neighbouring numbers all types and both layouts have an equal share."""
    rng = np.random.default_rng([seed, number, 3])
    dtype = DTYPES[number % len(DTYPES)]
    layout = ks.LAYOUTS[number // len(DTYPES) % len(ks.LAYOUTS)]
    counts = np.arange(2, MOST_FACTORS + 1)
    count = int(rng.choice(counts, p=counts**-2.0 / (counts**-2.0).sum()))
    patterns = draw_patterns(rng, count, bool(rng.random() < 0.5), SMALL)
    tied = ["".join(axis for axis in "ad" if rng.random() < 0.2) for _ in patterns]
    batch = 0 if rng.random() < 0.04 else int(rng.choice(SMALL_BATCHES))
    chain = ks.Chain(patterns, tied)
    return _make_case(rng, seed, number, chain, dtype, layout, batch, dynamic=0.2)


def draw_ordered(seed: int, number: int) -> Case:
    """Two or three factors, the last two of which may have the features between them in
    an order (#ks.feature_order) where tensor cores read rows of 16 bytes; for any batch, as
    there is none for small ones that are known."""
    rng = np.random.default_rng([seed, number, 4])
    a, r = int(rng.integers(1, 4)), int(rng.choice([1, 1, 2, 3]))
    p, q = (int(rng.integers(2, 25)) for _ in range(2))
    p += -p % (8 // math.gcd(8, r))  # p·r is a multiple of 8
    depth, rows = 8 * int(rng.integers(1, 11)), int(rng.integers(1, 80))
    patterns = [(a * p, r * q, depth, 1), (a, rows, p * r, q)]
    if rng.random() < 0.3:
        patterns.insert(0, (1, a * p * depth, 16, 1))
    tied = ["".join(axis for axis in "ad" if rng.random() < 0.15) for _ in patterns]
    dtype = str(rng.choice(["f16", "bf16"]))
    batch = int(rng.choice([1, 5, 64, 150]))
    chain = ks.Chain(patterns, tied)
    return _make_case(rng, seed, number, chain, dtype, "batch_first", batch, dynamic=1.0)


def draw_planes(seed: int, number: int) -> Case:
    """Two factors whose k, and those of the intermediate, are what tensor cores read from
    shared memory: 16, 32 or a multiple of 64."""
    rng = np.random.default_rng([seed, number, 5])
    a, r = int(rng.integers(1, 3)), int(rng.choice([1, 1, 2, 4]))
    c, depth = int(rng.choice([16, 16, 32, 64])), int(rng.choice([16, 32, 64, 128]))
    d, rows = int(rng.choice([8, 16, 32])), int(rng.integers(1, 70))
    patterns = [(a * c // r, r * d, depth, 1), (a, rows, c, d)]
    tied = ["".join(axis for axis in "ad" if rng.random() < 0.2) for _ in patterns]
    tied[0] = tied[0].replace("d", "")
    dtype = str(rng.choice(["f16", "bf16"]))
    batch = int(rng.choice([1, 5, 70, 130]))
    return _make_case(rng, seed, number, ks.Chain(patterns, tied), dtype, "batch_first", batch)


def _make_case(
    rng: np.random.Generator,
    seed: int,
    number: int,
    chain: ks.Chain,
    dtype: str,
    layout: str | None,
    batch: int,
    dynamic: float = 0.6,
) -> Case:
    """The chain with all else drawn, `dynamic` of the cases for any batch; so is the layout,
    if it is not given."""
    epilogue = None
    if rng.random() < 0.6:
        names = [
            name
            for name, case in EPILOGUES[dtype].items()
            if not (case.is_slow and batch * MAX_FEATURES > 2**19)
        ]
        epilogue = str(rng.choice(names))
    return Case(
        seed=seed,
        number=number,
        chain=chain,
        dtype=dtype,
        layout=layout or str(rng.choice(ks.LAYOUTS)),
        batch=batch,
        is_dynamic=bool(rng.random() < dynamic),
        epilogue=epilogue,
        is_pitched=bool(rng.random() < 0.4),
        is_bound=bool(rng.random() < 0.5),
        is_small=bool(rng.random() < 0.1),
    )


# --- Data --------------------------------------------------------------------


def narrow(values: np.ndarray, dtype: str) -> np.ndarray:
    """Rounds to the element type; bf16 as its bits."""
    if dtype != "bf16":
        return values.astype(NUMPY[dtype])
    bits = values.astype(np.float32).view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    is_nan = np.isnan(values)
    return np.where(is_nan, np.uint32(0x7FC0), rounded).astype(np.uint16)


def widen(values: np.ndarray, dtype: str) -> np.ndarray:
    if dtype == "bf16":
        return (values.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    return values.astype(np.complex128 if dtype.startswith("complex") else np.float64)


@dataclass
class Data:
    """Arguments in the element type, and the array for the result."""

    x: np.ndarray
    weights: list[np.ndarray]
    extras: list[np.ndarray]
    out: np.ndarray
    frames: list[np.ndarray]  # what the activations and the result are cut out of


class Maker:
    """Makes the arrays of a case."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.rng = np.random.default_rng([case.seed, case.number, 1])
        self.frames: list[np.ndarray] = []

    def normal(self, shape: tuple[int, ...], scale: float = 1.0) -> np.ndarray:
        values = self.rng.standard_normal(shape)
        if self.case.dtype.startswith("complex"):
            values = values + 1j * self.rng.standard_normal(shape)
        # Some zeros.
        values = np.where(self.rng.random(shape) < 0.02, 0.0, values)
        return narrow(values * scale, self.case.dtype)

    def activations(self, features: int, dtype: str | None = None) -> np.ndarray:
        """NaN, in a frame of NaN if rows have a pitch; rows are of the layout."""
        case = self.case
        rows, columns = case.batch, features
        if case.layout == "batch_last":
            rows, columns = columns, rows
        before, after = (0, 0)
        if case.is_pitched:
            before, after = (int(k) for k in self.rng.integers(1, 20, 2))
        frame = np.full((rows + 2, before + columns + after), np.nan)
        frame = narrow(frame, dtype or case.dtype)
        self.frames.append(frame)
        return frame[1:-1, before : before + columns]

    def make(self) -> Data:
        case = self.case
        chain = case.chain
        x = self.activations(chain.in_features)
        x[...] = self.normal(x.shape, 2.0**-14 if case.is_small else 1.0)
        weights = [self.normal(shape, 1 / math.sqrt(shape[2])) for shape in chain.weight_shapes]
        extras = []
        for kind in case.epilogue_case.mlir.extras if case.epilogue else ():
            if kind == "feature":
                extras.append(self.normal((chain.out_features,)))
            else:
                extra = self.activations(chain.out_features)
                extra[...] = self.normal(extra.shape)
                extras.append(extra)
        out = self.activations(chain.out_features, case.result_dtype)
        return Data(x, weights, extras, out, self.frames)
