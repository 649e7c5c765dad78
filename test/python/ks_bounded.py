# Part of the KS project, under the Apache License v2.0 with LLVM Exceptions.
# See LICENSE for license information.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Arithmetic on (value, bound of the error of who computes it in a given type).

`value` is what exact arithmetic gives (here float64 or complex128), and the
program's own value lies within `error` of it, element by element. Each operation
carries the errors of its operands and adds the one of its own rounding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Precision:
    """Of the type in which the program computes.

    unit is half the distance of 1 to the next number; tiny the smallest
    denormal, which bounds what gradual underflow loses.
    """

    unit: float
    tiny: float


@dataclass
class Bounded:
    value: np.ndarray
    error: np.ndarray | float
    precision: Precision

    def _rounded(self, value, error, units: float = 1) -> Bounded:
        """Adds `units` roundings of the computed value."""
        p = self.precision
        error = error + units * (p.unit * (np.abs(value) + error) + p.tiny)
        return Bounded(value, error, p)

    def _exact(self, value, error) -> Bounded:
        return Bounded(value, error, self.precision)

    def _lift(self, other) -> Bounded:
        return other if isinstance(other, Bounded) else self._exact(np.asarray(other), 0.0)

    def __add__(self, other) -> Bounded:
        other = self._lift(other)
        return self._rounded(self.value + other.value, self.error + other.error)

    def __sub__(self, other) -> Bounded:
        return self + -self._lift(other)

    def __neg__(self) -> Bounded:
        return self._exact(-self.value, self.error)

    def __mul__(self, other) -> Bounded:
        other = self._lift(other)
        x, y, e, f = np.abs(self.value), np.abs(other.value), self.error, other.error
        units = 4 if np.iscomplexobj(self.value) else 1
        return self._rounded(self.value * other.value, x * f + y * e + e * f, units)

    def __truediv__(self, other) -> Bounded:
        """Divisors must keep away from 0."""
        other = self._lift(other)
        quotient = self.value / other.value
        room = np.abs(other.value) - other.error
        return self._rounded(quotient, (self.error + np.abs(quotient) * other.error) / room)

    def map(self, function, lipschitz: float = 1.0, units: float = 0) -> Bounded:
        """A function with that Lipschitz constant, computed with `units` roundings."""
        return self._rounded(function(self.value), lipschitz * self.error, units)

    def maximum(self, other) -> Bounded:
        other = self._lift(other)
        return self._exact(np.maximum(self.value, other.value), np.maximum(self.error, other.error))

    def minimum(self, other) -> Bounded:
        return -((-self).maximum(-self._lift(other)))

    def stored_as(self, precision: Precision) -> Bounded:
        """Rounded once to a type."""
        narrow = Bounded(self.value, self.error, precision)
        rounded = narrow._rounded(self.value, self.error)
        return Bounded(rounded.value, rounded.error, self.precision)
