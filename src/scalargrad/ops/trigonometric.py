"""Trigonometric and hyperbolic functions, their inverses, and conversions of angles."""

from __future__ import annotations

import math
from typing import Any

from scalargrad.opdef.declaration import PRODUCT, SUM, Domain, Notation, call
from scalargrad.opdef.operation import (
    Binary,
    FixedArityOperation,
    Unary,
    composite,
    elementary,
    primitive,
)
from scalargrad.opdef.symbol import Symbol
from scalargrad.ops.arithmetic import abs
from scalargrad.ops.exponential import exp, sqrt
from scalargrad.ops.selection import eq, where

__all__ = [
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cos", "cosh", "deg2rad", "hypot",
    "rad2deg", "sin", "sinh", "tan", "tanh",
]  # fmt: skip

#: One degree, in radians.
_DEGREE = math.pi / 180.0
_UNIT = Domain((-0.9, 0.9), valid=lambda x: abs(x) <= 1, safe=0.0)


def one_minus_square(x: Any) -> Any:
    """Return 1 - x² for x in [-1, 1] without cancellation, in its slope -2x either."""
    square = x * x
    return where(square < 0.25, 1 - square, (1 - x) * (1 + x))


def _cos(x: Symbol) -> Symbol:
    return cos(x)


@elementary(partials=lambda y, x: (_cos(x),))
def sin(x: float) -> float:
    """Take the sine of an angle in radians.

    Examples
    --------
    >>> sin(0.0)
    0.0
    """
    return math.sin(x) if math.isfinite(x) else math.nan


@elementary(partials=lambda y, x: (-sin(x),))
def cos(x: float) -> float:
    """Take the cosine of an angle in radians.

    Examples
    --------
    >>> cos(0.0)
    1.0
    """
    return math.cos(x) if math.isfinite(x) else math.nan


@elementary(partials=lambda y, x: (1 + y * y,), domain=Domain((-1.2, 1.2)))
def tan(x: float) -> float:
    """Take the tangent of an angle in radians.

    Examples
    --------
    >>> tan(0.0)
    0.0
    """
    return math.tan(x) if math.isfinite(x) else math.nan


@elementary(partials=lambda y, x: (1 / sqrt(one_minus_square(x)),), domain=_UNIT)
def asin(x: float) -> float:
    """Take the inverse sine, in radians; at -1 and 1 the slope is inf.

    Raises
    ------
    DomainError
        If abs(x) > 1.

    Examples
    --------
    >>> asin(0.0)
    0.0
    """
    return math.asin(x) if -1.0 <= x <= 1.0 else math.nan


@elementary(partials=lambda y, x: (-1 / sqrt(one_minus_square(x)),), domain=_UNIT)
def acos(x: float) -> float:
    """Take the inverse cosine, in radians; at -1 and 1 the slope is -inf.

    Raises
    ------
    DomainError
        If abs(x) > 1.

    Examples
    --------
    >>> acos(1.0)
    0.0
    """
    return math.acos(x) if -1.0 <= x <= 1.0 else math.nan


def _reciprocal_length(x: Symbol) -> Symbol:
    return 1 / hypot(x, 1.0)


@elementary(partials=lambda y, x: (_reciprocal_length(x) * _reciprocal_length(x),))
def atan(x: float) -> float:
    """Take the inverse tangent, in radians.

    Examples
    --------
    >>> atan(0.0)
    0.0
    """
    return math.atan(x)


def _slopes_of_cosine(c: Any, x: Any, y: Any, r: Any) -> tuple[Any, ...]:
    return _cosine.of(y, x, r) * (y / r / r), -c * (y / r / r), 0.0


@composite(FixedArityOperation, symbol="x/r", partials=_slopes_of_cosine)
def _cosine(x: Any, y: Any, r: Any) -> Any:  # noqa: ARG001 - its slopes read y
    """Return x / r, where r = hypot(x, y); its slope by x is y²/r³, without cancellation."""
    return x / r


def _distance(x: Any, y: Any) -> Any:
    """Return the distance from the origin, where the slope depends on the direction."""
    return hypot(x, y)


@primitive(
    Binary,
    partials=lambda r, x, y: (_cosine.of(x, y, r), _cosine.of(y, x, r)),
    domain=Domain((0.3, 3.0), gap=_distance),
    mathml=Notation(
        "<msqrt><msup>{0}<mn>2</mn></msup><mo>+</mo><msup>{1}<mn>2</mn></msup></msqrt>", 9, (9, 9)
    ),
    javascript=call("Math.hypot", 2),
)
def hypot(x: float, y: float) -> float:
    """Return the length of the vector (x, y), √(x² + y²), without intermediate overflow.

    Notes
    -----
    At the origin both partials are nan, as in PyTorch.

    Examples
    --------
    >>> hypot(3.0, 4.0)
    5.0
    """
    return math.hypot(x, y)


def _over_square(a: Symbol, y: Symbol, x: Symbol) -> Symbol:
    """Return a / (x² + y²) without intermediate overflow, and 0 at the origin."""
    length = hypot(y, x)
    return where(eq(length, 0.0), 0.0, a / length / length)


@primitive(
    Binary,
    partials=lambda r, y, x: (_over_square(x, y, x), _over_square(-y, y, x)),
    domain=Domain((-3.0, 3.0), (0.5, 3.0), gap=lambda y, x: where(x > 0, 1.0, y)),
    javascript=call("Math.atan2", 2),
)
def atan2(y: float, x: float) -> float:
    """Return the angle of the point (x, y), in radians, in [-π, π].

    Notes
    -----
    At the origin both partials are taken as 0 (PyTorch's choice).

    Examples
    --------
    >>> atan2(0.0, 1.0)
    0.0
    """
    return math.atan2(y, x)


@composite(Unary, partials=lambda y, x: (_DEGREE,))
def deg2rad(x: Symbol) -> Symbol:
    """Convert an angle from degrees to radians, x · π/180.

    Examples
    --------
    >>> deg2rad(180.0)
    3.141592653589793
    """
    return x * _DEGREE


@composite(Unary, partials=lambda y, x: (1.0 / _DEGREE,))
def rad2deg(x: Symbol) -> Symbol:
    """Convert an angle from radians to degrees, x · 180/π.

    Examples
    --------
    >>> rad2deg(math.pi / 2)
    90.0
    """
    return x * (1.0 / _DEGREE)


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
    """Return 1 - y² for y = tanh x, a function of y; near |y| = 1 as e^-2|x| · (1 + |y|)²."""
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


@elementary(partials=lambda y, x: (1 / hypot(x, 1.0),))
def asinh(x: float) -> float:
    """Take the inverse hyperbolic sine.

    Examples
    --------
    >>> asinh(0.0)
    0.0
    """
    return math.asinh(x)


@elementary(
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
    partials=lambda y, x: (1 / one_minus_square(x),),
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
