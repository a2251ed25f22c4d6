"""Transforms of parameters: differentiable bijections between the real line and where they live.

An optimiser moves free numbers, which may have any value; the model is given what `forward` makes
of them. The names are those of Stan, TensorFlow Probability and PyMC.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from scalargrad.errors import DomainError
from scalargrad.ops import exp, log, sigmoid, softmax
from scalargrad.table.validation import number


class Transform:
    """A differentiable bijection; a subclass defines the methods, which take lists of numbers.

    Attributes
    ----------
    name : str
        What it is called in messages.
    needs : str
        Which numbers have a preimage, for messages.
    elementwise : bool
        Whether each number depends on one free number alone.
    """

    name = "transform"
    needs = "other numbers"
    elementwise = False

    def forward(self, free: Sequence[Any]) -> list[Any]:
        """Return the parameters that belong to free numbers."""
        raise NotImplementedError

    def inverse(self, numbers: Sequence[float]) -> list[Any]:
        """Return the free numbers that belong to parameters."""
        raise NotImplementedError

    def contains(self, numbers: Sequence[float]) -> bool:
        """Return whether parameters have free numbers that belong to them."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return self.name


class _Interval(Transform):
    """Numbers between two bounds, each by itself."""

    elementwise = True

    def __init__(self, low: float, high: float, name: str) -> None:
        self.low, self.high, self.name = low, high, name
        above, below = math.isfinite(low), math.isfinite(high)
        parts = [f"above {low:g}"] * above + [f"below {high:g}"] * below
        self.needs = f"numbers {' and '.join(parts)}"
        self.__doc__ = f"Transform of {self.needs}, each by itself."
        self._has_low, self._has_high = above, below

    def forward(self, free: Sequence[Any]) -> list[Any]:
        if not self._has_high:
            return [self.low + exp(q) for q in free]
        if not self._has_low:
            return [self.high - exp(q) for q in free]
        return [self.low + (self.high - self.low) * sigmoid(q) for q in free]

    def inverse(self, numbers: Sequence[float]) -> list[Any]:
        below = [log(x - self.low) if self._has_low else 0.0 for x in numbers]
        above = [log(self.high - x) if self._has_high else 0.0 for x in numbers]
        if not self._has_low:
            return above
        return [x - y for x, y in zip(below, above, strict=True)]

    def contains(self, numbers: Sequence[float]) -> bool:
        return all(self.low < x < self.high for x in numbers)


def interval(low: float, high: float = math.inf) -> Transform:
    """Return the transform of numbers between two bounds, one of which may be infinite.

    Between finite bounds it is the logistic function, beyond one bound the exponential.

    Parameters
    ----------
    low, high : float
        The bounds, which are not reached.

    Raises
    ------
    OperandError
        If one is not a number.
    DomainError
        If `low` is not below `high`, or both are infinite.

    Examples
    --------
    >>> interval(-1.0, 1.0).forward([0.0])
    [0.0]
    """
    low = number(low, "low", finite=False)
    high = number(high, "high", finite=False)
    if not low < high or (math.isinf(low) and math.isinf(high)):
        raise DomainError(f"low is {low:g} and high {high:g}; low must be below high, one finite")
    return _Interval(low, high, f"interval({low:g}, {high:g})")


class _Simplex(Transform):
    """Transform of numbers above 0 whose sum is 1, by softmax with the last number at 0."""

    name, needs = "simplex", "numbers above 0 whose sum is 1"

    def forward(self, free: Sequence[Any]) -> list[Any]:
        return list(softmax([*free, 0.0]))

    def inverse(self, numbers: Sequence[float]) -> list[Any]:
        return [log(x / numbers[-1]) for x in numbers[:-1]]

    def contains(self, numbers: Sequence[float]) -> bool:
        return bool(numbers) and min(numbers) > 0.0 and abs(math.fsum(numbers) - 1.0) < 1e-9


class _Ordered(Transform):
    """Transform of increasing numbers, by a first one and the logarithms of steps."""

    name, needs = "ordered", "numbers in increasing order"

    def forward(self, free: Sequence[Any]) -> list[Any]:
        found = [*free[:1]]
        for q in free[1:]:
            found.append(found[-1] + exp(q))
        return found

    def inverse(self, numbers: Sequence[float]) -> list[Any]:
        pairs = pairwise(numbers)
        return [*numbers[:1], *(log(y - x) for x, y in pairs)]

    def contains(self, numbers: Sequence[float]) -> bool:
        return all(x < y for x, y in pairwise(numbers))


positive: Transform = _Interval(0.0, math.inf, "positive")
simplex: Transform = _Simplex()
ordered: Transform = _Ordered()
