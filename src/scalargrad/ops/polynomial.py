"""Building blocks of operations and of their derivatives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scalargrad.ops.selection import where


def polynomial(coefficients: Sequence[float], x: Any) -> Any:
    """Return a polynomial of x whose coefficients begin with that of the highest power."""
    total: Any = coefficients[0]
    for coefficient in coefficients[1:]:
        total = total * x + coefficient
    return total


def at_least(x: Any, low: float) -> Any:
    """Return the larger of two numbers; nan if x is nan."""
    return where(x < low, low, x)


def one_less_square(x: Any) -> Any:
    """Return 1 - x² and its slope -2x, neither of which cancels for x in [-1, 1]."""
    square = x * x
    return where(square < 0.25, 1 - square, (1 - x) * (1 + x))
