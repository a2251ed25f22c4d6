"""Logical operations on the results of comparisons, and what kind of number an operand is.

Any number but 0 is true, NaN included.
"""

from __future__ import annotations

import math

from scalargrad.ops.comparisons import Comparison, eq, lt, ne
from scalargrad.ops.selection import where
from scalargrad.table.declaration import Domain
from scalargrad.table.operation import Unary, composite
from scalargrad.table.symbol import Symbol

__all__ = ["isfinite", "isinf", "isnan", "logical_and", "logical_not", "logical_or"]

_AWAY_FROM_ZERO = Domain(smooth=lambda *x: not any(-0.1 < each < 0.1 for each in x))


@composite(Comparison, symbol="and", partials=lambda y, a, b: (0.0, 0.0), domain=_AWAY_FROM_ZERO)
def logical_and(a: Symbol, b: Symbol) -> Symbol:
    """Return 1 if both are true, else 0; the gradient is 0.

    Examples
    --------
    >>> logical_and(2.0 > 1.0, 2.0 > 3.0)
    0.0
    """
    return where(a, ne(b, 0.0), 0.0)


@composite(Comparison, symbol="or", partials=lambda y, a, b: (0.0, 0.0), domain=_AWAY_FROM_ZERO)
def logical_or(a: Symbol, b: Symbol) -> Symbol:
    """Return 1 if at least one is true, else 0; the gradient is 0.

    Examples
    --------
    >>> logical_or(2.0 > 1.0, 2.0 > 3.0)
    1.0
    """
    return where(a, 1.0, ne(b, 0.0))


class Predicate(Unary):
    """An operation of one operand that says true or false."""

    truth = True


@composite(Predicate, symbol="not", partials=lambda y, x: (0.0,), domain=_AWAY_FROM_ZERO)
def logical_not(x: Symbol) -> Symbol:
    """Return 1 if x is false, that is 0, else 0; the gradient is 0.

    Examples
    --------
    >>> logical_not(2.0 > 1.0)
    0.0
    """
    return eq(x, 0.0)


@composite(Predicate, partials=lambda y, x: (0.0,))
def isnan(x: Symbol) -> Symbol:
    """Return 1 if x is NaN, else 0; the gradient is 0.

    Examples
    --------
    >>> isnan(float("nan")), isnan(2.0)
    (1.0, 0.0)
    """
    return ne(x, x)


@composite(Predicate, partials=lambda y, x: (0.0,))
def isinf(x: Symbol) -> Symbol:
    """Return 1 if x is infinite, else 0; the gradient is 0.

    Examples
    --------
    >>> isinf(float("-inf")), isinf(2.0)
    (1.0, 0.0)
    """
    return eq(abs(x), math.inf)


@composite(Predicate, partials=lambda y, x: (0.0,))
def isfinite(x: Symbol) -> Symbol:
    """Return 1 if x is neither infinite nor NaN, else 0; the gradient is 0.

    Examples
    --------
    >>> isfinite(2.0), isfinite(float("nan"))
    (1.0, 0.0)
    """
    return lt(abs(x), math.inf)
