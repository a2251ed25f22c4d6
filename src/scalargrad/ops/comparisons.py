"""Comparisons as operations: 1 where true and 0 where not, with zero gradient.

On Values the operators ``<``, ``<=``, ``>`` and ``>=``, and ``==`` and ``!=`` with a number,
compare data and give a bool; these functions record a node instead, so that a comparison can
stand in a graph.

Each is printed by its sign, so the bodies below only state its meaning; they never run.
"""

from __future__ import annotations

from collections.abc import Callable

from scalargrad.table.declaration import COMPARISON, Domain, infix
from scalargrad.table.operation import Binary, primitive

__all__ = ["eq", "ge", "gt", "le", "lt", "ne"]


class Comparison(Binary):
    """An operation of two operands that says true or false."""

    truth = True


_APART = Domain(smooth=lambda a, b: not -0.1 < a - b < 0.1)


def _comparison(sign: str, written: str = "") -> Callable[[Callable[..., float]], Comparison]:
    """Declare a comparison with a sign of Python's, which people may write in another way."""
    return primitive(
        Comparison,
        symbol=written or sign,
        partials=lambda y, a, b: (0.0, 0.0),
        domain=_APART,
        comparison=infix(sign, COMPARISON),
        text=infix(written or sign, COMPARISON),
    )


@_comparison("<")
def lt(a: float, b: float) -> float:
    """Compare: 1 where a < b, else 0; the gradient is 0.

    Examples
    --------
    >>> lt(2.0, 3.0)
    1.0
    """
    return 1.0 if a < b else 0.0


@_comparison("<=", "≤")
def le(a: float, b: float) -> float:
    """Compare: 1 where a <= b, else 0; the gradient is 0.

    Examples
    --------
    >>> le(2.0, 3.0)
    1.0
    """
    return 1.0 if a <= b else 0.0


@_comparison(">")
def gt(a: float, b: float) -> float:
    """Compare: 1 where a > b, else 0; the gradient is 0.

    Examples
    --------
    >>> gt(2.0, 3.0)
    0.0
    """
    return 1.0 if a > b else 0.0


@_comparison(">=", "≥")
def ge(a: float, b: float) -> float:
    """Compare: 1 where a >= b, else 0; the gradient is 0.

    Examples
    --------
    >>> ge(2.0, 3.0)
    0.0
    """
    return 1.0 if a >= b else 0.0


@_comparison("==", "=")
def eq(a: float, b: float) -> float:
    """Compare: 1 where a == b, else 0; the gradient is 0.

    Examples
    --------
    >>> eq(2.0, 3.0)
    0.0
    """
    return 1.0 if a == b else 0.0


@_comparison("!=", "≠")
def ne(a: float, b: float) -> float:
    """Compare: 1 where a != b, else 0; the gradient is 0.

    Examples
    --------
    >>> ne(2.0, 3.0)
    1.0
    """
    return 1.0 if a != b else 0.0
