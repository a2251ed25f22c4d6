"""Circular and hyperbolic functions and their inverses; angles are in radians."""

from __future__ import annotations

import math

from scalargrad.ops.comparisons import eq
from scalargrad.ops.domain import Domain
from scalargrad.ops.exponential import sqrt
from scalargrad.ops.notation import Notation, call
from scalargrad.ops.operation import Binary, Unary, primitive
from scalargrad.ops.selection import where
from scalargrad.ops.symbol import Symbol

__all__ = [
    "acos",
    "acosh",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "cos",
    "cosh",
    "hypot",
    "sin",
    "sinh",
    "tan",
    "tanh",
]

_UNIT = Domain((-0.9, 0.9), valid=lambda x: abs(x) <= 1, safe=0.0)


def _cos(x: Symbol) -> Symbol:
    return cos(x)


@primitive(
    Unary, partials=lambda y, x: (_cos(x),), javascript=call("Math.sin", 1), lane="np.sin({0})"
)
def sin(x: float) -> float:
    """Take the sine of an angle in radians.

    Examples
    --------
    >>> sin(0.0)
    0.0
    """
    return math.sin(x) if math.isfinite(x) else math.nan


@primitive(
    Unary, partials=lambda y, x: (-sin(x),), javascript=call("Math.cos", 1), lane="np.cos({0})"
)
def cos(x: float) -> float:
    """Take the cosine of an angle in radians.

    Examples
    --------
    >>> cos(0.0)
    1.0
    """
    return math.cos(x) if math.isfinite(x) else math.nan


@primitive(
    Unary,
    partials=lambda y, x: (1 + y * y,),
    domain=Domain((-1.2, 1.2)),
    javascript=call("Math.tan", 1),
    lane="np.tan({0})",
)
def tan(x: float) -> float:
    """Take the tangent of an angle in radians.

    Examples
    --------
    >>> tan(0.0)
    0.0
    """
    return math.tan(x) if math.isfinite(x) else math.nan


@primitive(
    Unary,
    partials=lambda y, x: (1 / sqrt((1 - x) * (1 + x)),),
    domain=_UNIT,
    javascript=call("Math.asin", 1),
    lane="np.arcsin({0})",
)
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


@primitive(
    Unary,
    partials=lambda y, x: (-1 / sqrt((1 - x) * (1 + x)),),
    domain=_UNIT,
    javascript=call("Math.acos", 1),
    lane="np.arccos({0})",
)
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


@primitive(
    Unary,
    partials=lambda y, x: (1 / (1 + x * x),),
    javascript=call("Math.atan", 1),
    lane="np.arctan({0})",
)
def atan(x: float) -> float:
    """Take the inverse tangent, in radians.

    Examples
    --------
    >>> atan(0.0)
    0.0
    """
    return math.atan(x)


@primitive(
    Binary,
    partials=lambda r, x, y: (x / r, y / r),
    domain=Domain((0.3, 3.0)),
    mathml=Notation(
        "<msqrt><msup>{0}<mn>2</mn></msup><mo>+</mo><msup>{1}<mn>2</mn></msup></msqrt>", 9, (9, 9)
    ),
    javascript=call("Math.hypot", 2),
    lane="np.hypot({0}, {1})",
)
def hypot(x: float, y: float) -> float:
    """Return the length of the vector (x, y), √(x² + y²), without overflow on the way.

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
    """Return a / (x² + y²) without overflow on the way, and 0 at the origin."""
    length = hypot(y, x)
    return where(eq(length, 0.0), 0.0, a / length / length)


@primitive(
    Binary,
    partials=lambda r, y, x: (_over_square(x, y, x), _over_square(-y, y, x)),
    domain=Domain((-3.0, 3.0), (0.5, 3.0)),
    javascript=call("Math.atan2", 2),
    lane="np.arctan2({0}, {1})",
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


def _cosh(x: Symbol) -> Symbol:
    return cosh(x)


@primitive(
    Unary, partials=lambda y, x: (_cosh(x),), javascript=call("Math.sinh", 1), lane="np.sinh({0})"
)
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


@primitive(
    Unary, partials=lambda y, x: (sinh(x),), javascript=call("Math.cosh", 1), lane="np.cosh({0})"
)
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


@primitive(
    Unary, partials=lambda y, x: (1 - y * y,), javascript=call("Math.tanh", 1), lane="np.tanh({0})"
)
def tanh(x: float) -> float:
    """Take the hyperbolic tangent; its slope is 1 - tanh².

    Examples
    --------
    >>> tanh(0.0)
    0.0
    """
    return math.tanh(x)


@primitive(
    Unary,
    partials=lambda y, x: (1 / hypot(x, 1.0),),
    javascript=call("Math.asinh", 1),
    lane="np.arcsinh({0})",
)
def asinh(x: float) -> float:
    """Take the inverse hyperbolic sine.

    Examples
    --------
    >>> asinh(0.0)
    0.0
    """
    return math.asinh(x)


@primitive(
    Unary,
    partials=lambda y, x: (1 / (sqrt(x - 1) * sqrt(x + 1)),),
    domain=Domain((1.2, 3.0), valid=lambda x: x >= 1, safe=2.0),
    javascript=call("Math.acosh", 1),
    lane="np.arccosh({0})",
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


@primitive(
    Unary,
    partials=lambda y, x: (1 / ((1 - x) * (1 + x)),),
    domain=Domain((-0.9, 0.9), valid=lambda x: abs(x) < 1, safe=0.0),
    javascript=call("Math.atanh", 1),
    lane="np.arctanh({0})",
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
