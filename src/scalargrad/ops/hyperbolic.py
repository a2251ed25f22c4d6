"""Hyperbolic functions and their inverses."""

from __future__ import annotations

import math

from scalargrad.ops.arithmetic import abs
from scalargrad.ops.exponential import exp, sqrt
from scalargrad.ops.selection import where
from scalargrad.ops.trigonometric import hypot, one_less_square
from scalargrad.table.declaration import PRODUCT, SUM, Notation
from scalargrad.table.domain import Domain
from scalargrad.table.operation import Binary, composite, elementary
from scalargrad.table.symbol import Symbol

__all__ = ["acosh", "asinh", "atanh", "cosh", "sinh", "tanh"]


def _cosh(x: Symbol) -> Symbol:
    return cosh(x)


@elementary(partials=lambda y, x: (_cosh(x),))
def sinh(x: float) -> float:
    """Take the hyperbolic sine.

    Examples
    --------
    >>> sinh(0.0)
    0.0
    """
    try:
        return math.sinh(x)
    except OverflowError:
        return math.copysign(math.inf, x)


@elementary(partials=lambda y, x: (sinh(x),))
def cosh(x: float) -> float:
    """Take the hyperbolic cosine.

    Examples
    --------
    >>> cosh(0.0)
    1.0
    """
    try:
        return math.cosh(x)
    except OverflowError:
        return math.inf


@composite(
    Binary,
    partials=lambda _, y, x: (-2 * y, 0.0),
    text=Notation("1 - {0}·{0}", SUM, (PRODUCT, SUM)),
)
def _tanh_slope(y: Symbol, x: Symbol) -> Symbol:
    """Return 1 - y² for y = tanh x, a function of y; where it cancels, as e^-2|x| · (1 + |y|)²."""
    square = y * y
    return where(square < 0.75, 1 - square, exp(-2 * abs(x)) * (1 + 2 * abs(y) + square))


@elementary(partials=lambda y, x: (_tanh_slope(y, x),))
def tanh(x: float) -> float:
    """Take the hyperbolic tangent; its slope is 1 - tanh².

    Examples
    --------
    >>> tanh(0.0)
    0.0
    """
    return math.tanh(x)


@elementary("arcsinh", partials=lambda y, x: (1 / hypot(x, 1.0),))
def asinh(x: float) -> float:
    """Take the inverse hyperbolic sine.

    Examples
    --------
    >>> asinh(0.0)
    0.0
    """
    return math.asinh(x)


@elementary(
    "arccosh",
    partials=lambda y, x: (1 / (sqrt(x - 1) * sqrt(x + 1)),),
    domain=Domain((1.2, 3.0), valid=lambda x: x >= 1, safe=2.0),
)
def acosh(x: float) -> float:
    """Take the inverse hyperbolic cosine; at 1 the slope is inf.

    Raises
    ------
    DomainError
        If x < 1.

    Examples
    --------
    >>> acosh(1.0)
    0.0
    """
    return math.acosh(x) if not x < 1.0 else math.nan


@elementary(
    "arctanh",
    partials=lambda y, x: (1 / one_less_square(x),),
    domain=Domain((-0.9, 0.9), valid=lambda x: abs(x) < 1, safe=0.0),
)
def atanh(x: float) -> float:
    """Take the inverse hyperbolic tangent.

    Raises
    ------
    DomainError
        If abs(x) >= 1.

    Examples
    --------
    >>> atanh(0.0)
    0.0
    """
    if -1.0 < x < 1.0:
        return math.atanh(x)
    return math.copysign(math.inf, x) if abs(x) == 1.0 else math.nan
