# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Patterns of Kronecker-sparse factors, and their calculus."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from operator import index


@dataclass(frozen=True, order=True)
class Pattern:
    """The support I_a ⊗ 1_{b×c} ⊗ I_d of a Kronecker-sparse matrix.

    The matrix has a·b·d rows (output features), a·c·d columns (input features)
    and a·b·c·d non-zeros. Its weight K, of shape (a, b, c, d), has K[i, n, k, j]
    at row (i·b + n)·d + j and column (i·c + k)·d + j.

    Raises:
        TypeError: a size is not an integer.
        ValueError: a size is less than 1, or there are 2^59 weights or more.
    """

    a: int
    b: int
    c: int
    d: int

    def __post_init__(self) -> None:
        for name in "abcd":
            value = getattr(self, name)
            try:
                size = index(value)
            except TypeError:
                raise TypeError(
                    f"pattern has {name} = {value!r}; expected an integer of at least 1"
                ) from None
            if size < 1:
                raise ValueError(f"pattern has {name} = {size}; expected at least 1")
            object.__setattr__(self, name, size)
        if self.num_weights >= 2**59:
            raise ValueError(
                f"pattern {self} has {self.num_weights} weights; expected fewer than 2^59"
            )

    def __str__(self) -> str:
        return f"<{self.a}, {self.b}, {self.c}, {self.d}>"

    def __iter__(self):
        return iter(astuple(self))

    @property
    def in_features(self) -> int:
        """a·c·d."""
        return self.a * self.c * self.d

    @property
    def out_features(self) -> int:
        """a·b·d."""
        return self.a * self.b * self.d

    @property
    def num_weights(self) -> int:
        """a·b·c·d."""
        return self.a * self.b * self.c * self.d

    @property
    def weight_shape(self) -> tuple[int, int, int, int]:
        """(a, b, c, d), the shape of an untied weight."""
        return (self.a, self.b, self.c, self.d)

    def transposed(self) -> Pattern:
        """The pattern (a, c, b, d) of the transposed matrix."""
        return Pattern(self.a, self.c, self.b, self.d)

    def fits(self, following: Pattern) -> bool:
        """Whether `following` can be applied to the result of this factor."""
        return self.out_features == following.in_features

    def rank(self, following: Pattern) -> int | None:
        """The rank r of the blocks of (following · this); None if not chainable.

        Chainable: the sizes fit, following.a divides a, d divides following.d,
        and r = following.a · following.c / a = b · d / following.d is an integer.
        """
        first, second = self, following
        if not first.fits(second) or first.a % second.a or second.d % first.d:
            return None
        if (second.a * second.c) % first.a or (first.b * first.d) % second.d:
            return None
        return second.a * second.c // first.a

    def is_chainable(self, following: Pattern) -> bool:
        """Whether the product (following · this) is Kronecker-sparse again."""
        return self.rank(following) is not None

    def product(self, following: Pattern) -> Pattern:
        """The pattern of the product (following · this).

        Raises:
            ValueError: the two are not chainable.
        """
        first, second = self, following
        if not first.is_chainable(second):
            raise ValueError(
                f"patterns {first} and then {second} are not chainable; expected equal sizes "
                "a·b·d and a·c·d, a of the second dividing a of the first, d of the first "
                "dividing d of the second, and an integer rank (see Pattern.rank)"
            )
        return Pattern(
            second.a, second.b * second.d // first.d, first.a * first.c // second.a, first.d
        )
