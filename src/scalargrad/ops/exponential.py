"""Exponentials, logarithms and roots."""

from __future__ import annotations

import math

from scalargrad.ops.notation import ATOM, POWER, Notation
from scalargrad.ops.operation import Domain, Unary, primitive

__all__ = ["exp", "expm1", "log", "log10", "log1p", "log2", "sqrt"]

_POSITIVE = Domain((0.2, 3.0), valid=lambda x: x > 0)


@primitive(
    Unary,
    partials=lambda y, x: (y,),
    mathml=Notation("<msup><mi>e</mi>{0}</msup>", POWER, (1,)),
    lane="np.exp({0})",
)
def exp(x: float) -> float:
    """Raise e to a power, e^x; beyond 709.78 the result overflows to inf.

    Examples
    --------
    >>> exp(0.0)
    1.0
    """
    try:
        return math.exp(x)
    except OverflowError:
        return math.inf


@primitive(Unary, partials=lambda y, x: (exp(x),), lane="np.expm1({0})")
def expm1(x: float) -> float:
    """Compute e^x - 1, exact near 0 too.

    Examples
    --------
    >>> expm1(1e-20)
    1e-20
    """
    try:
        return math.expm1(x)
    except OverflowError:
        return math.inf


def _logarithm(x: float) -> float:
    """Return what IEEE 754 gives for a logarithm at or below its pole."""
    return -math.inf if x == 0.0 else math.nan


@primitive(Unary, partials=lambda y, x: (1 / x,), domain=_POSITIVE, lane="np.log({0})")
def log(x: float) -> float:
    """Take the natural logarithm, ln x.

    Raises
    ------
    DomainError
        If x <= 0.

    Examples
    --------
    >>> log(1.0)
    0.0
    """
    try:
        return math.log(x)
    except ValueError:
        return _logarithm(x)


@primitive(
    Unary,
    partials=lambda y, x: (1 / (1 + x),),
    domain=Domain((-0.8, 3.0), valid=lambda x: x > -1, safe=0.0),
    lane="np.log1p({0})",
)
def log1p(x: float) -> float:
    """Compute ln(1 + x), exact near 0 too.

    Raises
    ------
    DomainError
        If x <= -1.

    Examples
    --------
    >>> log1p(1e-20)
    1e-20
    """
    try:
        return math.log1p(x)
    except ValueError:
        return _logarithm(1.0 + x)


@primitive(
    Unary, partials=lambda y, x: (1 / (x * math.log(2.0)),), domain=_POSITIVE, lane="np.log2({0})"
)
def log2(x: float) -> float:
    """Take the logarithm to base 2.

    Raises
    ------
    DomainError
        If x <= 0.

    Examples
    --------
    >>> log2(8.0)
    3.0
    """
    try:
        return math.log2(x)
    except ValueError:
        return _logarithm(x)


@primitive(
    Unary, partials=lambda y, x: (1 / (x * math.log(10.0)),), domain=_POSITIVE, lane="np.log10({0})"
)
def log10(x: float) -> float:
    """Take the logarithm to base 10.

    Raises
    ------
    DomainError
        If x <= 0.

    Examples
    --------
    >>> log10(1000.0)
    3.0
    """
    try:
        return math.log10(x)
    except ValueError:
        return _logarithm(x)


@primitive(
    Unary,
    symbol="√",
    partials=lambda y, x: (1 / (2 * y),),
    domain=Domain((0.2, 3.0), valid=lambda x: x >= 0),
    text=Notation("√{0}", POWER, (ATOM,)),
    mathml=Notation("<msqrt>{0}</msqrt>"),
    lane="np.sqrt({0})",
)
def sqrt(x: float) -> float:
    """Take the square root, √x.

    Raises
    ------
    DomainError
        If x < 0.

    Notes
    -----
    At 0 the slope is inf, as in PyTorch.

    Examples
    --------
    >>> sqrt(9.0)
    3.0
    """
    return math.sqrt(x) if not x < 0.0 else math.nan
