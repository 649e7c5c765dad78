# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Chains of Kronecker-sparse factors."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from ks._dtypes import element_type
from ks._epilogue import Epilogue, named_epilogue
from ks._pattern import Pattern

LAYOUTS = ("batch_first", "batch_last")


class Chain:
    """Factors in the order in which they are applied.

    The first factor is the rightmost one of the matrix product.

    Args:
        patterns: Patterns or tuples (a, b, c, d); a·b·d of each equals a·c·d of
            the next.
        tied: For each factor the axes along which its weight is shared: "", "a",
            "d" or "ad". None: no weight is.

    Raises:
        TypeError: a pattern is not a Pattern or four integers.
        ValueError: there is no factor, sizes do not fit, or `tied` is malformed.
    """

    def __init__(
        self,
        patterns: Iterable[Pattern | Sequence[int]],
        tied: Sequence[str] | None = None,
    ) -> None:
        self._patterns = tuple(_to_pattern(pattern) for pattern in patterns)
        if not self._patterns:
            raise ValueError("chain has no factors; expected at least one pattern (a, b, c, d)")
        for number, (first, second) in enumerate(zip(self._patterns, self._patterns[1:])):
            if not first.fits(second):
                raise ValueError(
                    f"factor {number} {first} gives a·b·d = {first.out_features} features, but "
                    f"factor {number + 1} {second} takes a·c·d = {second.in_features}; expected "
                    "equal sizes (list factors in the order of application)"
                )
        if isinstance(tied, str):
            tied = [tied]
        axes = [""] * len(self._patterns) if tied is None else list(tied)
        if len(axes) != len(self._patterns):
            raise ValueError(
                f"tied has {len(axes)} entries; expected {len(self._patterns)}, one per factor"
            )
        for entry in axes:
            if entry not in ("", "a", "d", "ad", "da"):
                raise ValueError(f"tied has an entry {entry!r}; expected '', 'a', 'd' or 'ad'")
        self._tied = tuple("".join(sorted(entry)) for entry in axes)

    @property
    def patterns(self) -> tuple[Pattern, ...]:
        return self._patterns

    @property
    def tied(self) -> tuple[str, ...]:
        """For each factor the axes along which its weight is shared."""
        return self._tied

    @property
    def in_features(self) -> int:
        return self._patterns[0].in_features

    @property
    def out_features(self) -> int:
        return self._patterns[-1].out_features

    @property
    def weight_shapes(self) -> tuple[tuple[int, int, int, int], ...]:
        """The shapes (a, b, c, d) of the weights, with 1 where they are tied."""
        return tuple(
            (1 if "a" in axes else p.a, p.b, p.c, 1 if "d" in axes else p.d)
            for p, axes in zip(self._patterns, self._tied)
        )

    @property
    def num_weights(self) -> int:
        """Weights that are stored: tied ones count once."""
        return sum(a * b * c * d for a, b, c, d in self.weight_shapes)

    @property
    def is_chainable(self) -> bool:
        """Whether all neighbours are (see Pattern.rank)."""
        return all(p.is_chainable(q) for p, q in zip(self._patterns, self._patterns[1:]))

    def product(self) -> Pattern:
        """The pattern of the whole product. Raises ValueError if not chainable."""
        result = self._patterns[0]
        for pattern in self._patterns[1:]:
            result = result.product(pattern)
        return result

    def __len__(self) -> int:
        return len(self._patterns)

    def __iter__(self) -> Iterator[Pattern]:
        return iter(self._patterns)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Chain):
            return NotImplemented
        return (self._patterns, self._tied) == (other._patterns, other._tied)

    def __hash__(self) -> int:
        return hash((self._patterns, self._tied))

    def __repr__(self) -> str:
        patterns = ", ".join(str(tuple(pattern)) for pattern in self._patterns)
        tied = f", tied={list(self._tied)}" if any(self._tied) else ""
        return f"Chain([{patterns}]{tied})"

    def to_dense(self, weights: Sequence[np.ndarray]) -> np.ndarray:
        """The matrix of the chain, of shape (out_features, in_features).

        Computed in float64 or complex128, without the compiler.

        Raises:
            ValueError: the number or a shape of the weights is wrong.
            TypeError: a weight is uint16, whose meaning is not known.
        """
        if len(weights) != len(self):
            raise ValueError(f"got {len(weights)} weights; expected {len(self)}, one per factor")
        matrix = np.eye(self.in_features)
        for number, (p, shape, weight) in enumerate(
            zip(self._patterns, self.weight_shapes, weights)
        ):
            weight = np.asarray(weight)
            if weight.shape != shape:
                raise ValueError(f"weight {number} has shape {weight.shape}; expected {shape}")
            if weight.dtype == np.uint16:
                raise TypeError(
                    f"weight {number} is uint16; expected numbers (view bf16 bits as "
                    "ml_dtypes.bfloat16)"
                )
            wide = np.complex128 if np.iscomplexobj(weight) else np.float64
            full = np.broadcast_to(weight.astype(wide), p.weight_shape)
            rows = matrix.reshape(p.a, p.c, p.d, self.in_features)
            matrix = np.einsum("inkj,ikjm->injm", full, rows, optimize=True)
            matrix = matrix.reshape(p.out_features, self.in_features)
        return matrix

    def mlir(
        self,
        dtype: object = "f32",
        layout: str = "batch_first",
        batch: int | None = None,
        epilogue: str | Epilogue | None = None,
        *,
        precision: str = "ieee",
        frozen: bool | Sequence[int] = False,
        reassoc: bool = False,
        name: str = "chain",
    ) -> str:
        """The chain as an MLIR function of x, the weights and epilogue arguments.

        Args:
            dtype: Element type: "f16", "bf16", "f32", "f64", "complex64" or
                "complex128", or a NumPy dtype.
            layout: "batch_first": x is (batch, in_features); "batch_last": x is
                (in_features, batch). The result likewise.
            batch: Size of the batch; None leaves it open until the call.
            epilogue: Applied to the result before it is rounded: an Epilogue, or
                steps such as "bias" or "bias+gelu+residual".
            precision: Of f32 products: "ieee" or "tf32".
            frozen: Weights that do not change once they are packed (`ks.frozen`): all
                (True), none (False), or the numbers of their factors, as in [0, 2].
            reassoc: Whether factors whose weights are frozen may be multiplied with each
                other (`fastmath<reassoc>`), which rounds elsewhere than the chain as
                written. The compiler does so where it predicts that to be faster.
            name: Of the function.

        Raises:
            TypeError, ValueError: an argument is not one of the above.
        """
        element = element_type(dtype)
        is_frozen = self._find_frozen(frozen)
        if not isinstance(reassoc, bool):
            raise TypeError(f"reassoc is {reassoc!r}; expected True or False")
        if layout not in LAYOUTS:
            raise ValueError(f"layout is {layout!r}; expected one of {', '.join(LAYOUTS)}")
        if batch is not None and batch < 0:
            raise ValueError(f"batch is {batch}; expected None (any) or at least 0")
        if isinstance(epilogue, str):
            epilogue = named_epilogue(epilogue, element)
        elif epilogue is not None and not isinstance(epilogue, Epilogue):
            raise ValueError(f"epilogue is {epilogue!r}; expected None, a string or a ks.Epilogue")

        def tensor(*sizes: int | None) -> str:
            return f"tensor<{''.join('?x' if s is None else f'{s}x' for s in sizes)}{element.mlir}>"

        def activations(features: int) -> str:
            return tensor(batch, features) if batch_first else tensor(features, batch)

        batch_first = layout == "batch_first"
        source, result = activations(self.in_features), activations(self.out_features)
        weights = [tensor(*shape) for shape in self.weight_shapes]
        extras = [
            result if kind == "result" else tensor(self.out_features)
            for kind in (epilogue.extras if epilogue else ())
        ]
        names = ["%x", *(f"%w{t}" for t in range(len(weights)))]
        extra_names = [f"%extra{number}" for number in range(len(extras))]
        types = [source, *weights]
        marks = ["", *(" {ks.frozen}" if is_so else "" for is_so in is_frozen), *[""] * len(extras)]
        parameters = ", ".join(
            f"{n}: {t}{mark}" for n, t, mark in zip(names + extra_names, types + extras, marks)
        )
        lines = [f"func.func @{name}({parameters}) -> {result} {{"]
        size = ""
        if batch is None:
            lines += [
                f"  %axis = arith.constant {0 if batch_first else 1} : index",
                f"  %batch = tensor.dim %x, %axis : {source}",
            ]
            size = "%batch"
        lines += [
            f"  %init = tensor.empty({size}) : {result}",
            f"  %y = ks.chain [{', '.join(map(str, self._patterns))}] "
            f"layout({layout}) precision({precision})" + " fastmath<reassoc>" * reassoc,
            f"    ins({', '.join(names)} : {', '.join(types)})",
            f"    outs(%init : {result})",
        ]
        if epilogue:
            operands = f"({', '.join(extra_names)} : {', '.join(extras)}) " if extras else ""
            lines.append(f"    epilogue{operands or ' '}{epilogue.region(element)}")
        lines += [f"    -> {result}", f"  return %y : {result}", "}", ""]
        return "\n".join(lines)

    def _find_frozen(self, frozen: object) -> list[bool]:
        """For each factor whether its weight is frozen."""
        if isinstance(frozen, bool):
            return [frozen] * len(self)
        numbers = None if isinstance(frozen, str) else _to_list(frozen)
        if numbers is None or not all(
            isinstance(number, (int, np.integer)) and not isinstance(number, bool)
            for number in numbers
        ):
            raise TypeError(
                f"frozen is {frozen!r}; expected True (all weights), False (none) or numbers of "
                "factors, such as [0, 1]"
            )
        for number in numbers:
            if not 0 <= number < len(self):
                raise ValueError(
                    f"frozen names factor {number}; expected 0 to {len(self) - 1}, as the chain "
                    f"has {len(self)} factors"
                )
        return [number in numbers for number in range(len(self))]


def _to_list(values: object) -> list | None:
    try:
        return list(values)  # type: ignore[call-overload]
    except TypeError:
        return None


def _to_pattern(pattern: object) -> Pattern:
    if isinstance(pattern, Pattern):
        return pattern
    try:
        sizes = tuple(pattern)  # type: ignore[call-overload]
    except TypeError:
        sizes = ()
    if isinstance(pattern, str) or len(sizes) != 4:
        raise TypeError(f"got the factor {pattern!r}; expected a ks.Pattern or (a, b, c, d)")
    return Pattern(*sizes)
