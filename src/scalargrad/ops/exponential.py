"""Exponentials, logarithms, roots, the error function and the log loss."""

from __future__ import annotations

import math
from typing import Any

from scalargrad.opdef.declaration import ATOM, POWER, Domain, Notation
from scalargrad.opdef.operation import Binary, Unary, composite, elementary, primitive
from scalargrad.opdef.symbol import Symbol
from scalargrad.ops.rounding import rint
from scalargrad.ops.selection import clip, ne, where

__all__ = [
    "cbrt",
    "erf",
    "erfc",
    "exp",
    "exp2",
    "expm1",
    "log",
    "log1p",
    "log2",
    "log10",
    "log_loss",
    "sqrt",
]

_POSITIVE = Domain((0.2, 3.0), valid=lambda x: x > 0)
_LN_2 = math.log(2.0)
_TWO_OVER_ROOT_PI = 2.0 / math.sqrt(math.pi)


@elementary(partials=lambda y, x: (y,), mathml=Notation("<msup><mi>e</mi>{0}</msup>", POWER, (1,)))
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


@primitive(
    Unary,
    partials=lambda y, x: (y * _LN_2,),
    text=Notation("2^{0}", POWER, (POWER,)),
    mathml=Notation("<msup><mn>2</mn>{0}</msup>", POWER, (1,)),
    javascript=Notation("2 ** {0}", POWER, (ATOM,)),
)
def exp2(x: float) -> float:
    """Raise 2 to a power, 2^x; from 1024 on the result overflows to inf.

    Examples
    --------
    >>> exp2(3.0)
    8.0
    """
    try:
        return math.exp2(x)
    except OverflowError:
        return math.inf


@elementary(partials=lambda y, x: (exp(x),))
def expm1(x: float) -> float:
    """Compute e^x - 1, accurate near 0.

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
    """Return the logarithm at or below its pole, as in IEEE 754."""
    return -math.inf if x == 0.0 else math.nan


@elementary(partials=lambda y, x: (1 / x,), domain=_POSITIVE)
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
    return math.log(x) if x > 0.0 else _logarithm(x)


@elementary(
    partials=lambda y, x: (1 / (1 + x),),
    domain=Domain((-0.8, 3.0), valid=lambda x: x > -1, safe=0.0),
)
def log1p(x: float) -> float:
    """Compute ln(1 + x), accurate near 0.

    Raises
    ------
    DomainError
        If x <= -1.

    Examples
    --------
    >>> log1p(1e-20)
    1e-20
    """
    return math.log1p(x) if x > -1.0 else _logarithm(1.0 + x)


@elementary(partials=lambda y, x: (1 / x / _LN_2,), domain=_POSITIVE)
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
    return math.log2(x) if x > 0.0 else _logarithm(x)


@elementary(partials=lambda y, x: (1 / x / math.log(10.0),), domain=_POSITIVE)
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
    return math.log10(x) if x > 0.0 else _logarithm(x)


@elementary(
    symbol="√",
    partials=lambda y, x: (1 / (2 * y),),
    domain=Domain((0.2, 3.0), valid=lambda x: x >= 0),
    text=Notation("√{0}", POWER, (ATOM,)),
    mathml=Notation("<msqrt>{0}</msqrt>"),
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


@elementary(
    symbol="∛",
    partials=lambda y, x: (where(ne(x, 0.0), y / x / 3, 1 / (y * y)),),
    domain=Domain(gap=lambda x: x),
    mathml=Notation("<mroot>{0}<mn>3</mn></mroot>"),
)
def cbrt(x: float) -> float:
    """Take the cube root, ∛x, also of negative numbers; at 0 the slope is inf.

    Examples
    --------
    >>> cbrt(-8.0)
    -2.0
    """
    return math.cbrt(x)


def bell(x: Symbol, factor: float) -> Symbol:
    """Return e^(-factor · x²), accurately for large x.

    The exponent is split into short · short, which is exact, and a small rest.

    References
    ----------
    Sun Microsystems, fdlibm, 1993, s_erf.c.
    """
    near = where(abs(x) > 64.0, 64.0, x)
    short = rint(16.0 * near) * 0.0625  # exact, as / 16 is
    return exp(-factor * (short * short)) * exp(-factor * ((near - short) * (near + short)))


@primitive(
    Unary,
    partials=lambda y, x: (_TWO_OVER_ROOT_PI * bell(x, 1.0),),
    javascript="""\
(x) => {
  if (!(Math.abs(x) < 1)) return Math.sign(x) * (1 - _erfc(Math.abs(x)));
  let term = x;
  let total = x;
  for (let n = 1; n < 20; n += 1) {
    term *= (2 * x * x) / (2 * n + 1);
    total += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * total;
}""",
)
def erf(x: float) -> float:
    """Return the error function, 2/√π · ∫₀ˣ e^(-t²) dt.

    Notes
    -----
    JavaScript has no erf; on pages, it is computed near 0 by a series without cancellation.

    References
    ----------
    NIST Digital Library of Mathematical Functions, 7.6.2.

    Examples
    --------
    >>> erf(0.0)
    0.0
    """
    return math.erf(x)


@primitive(
    Unary,
    partials=lambda y, x: (-_TWO_OVER_ROOT_PI * bell(x, 1.0),),
    javascript="""\
(x) => {
  if (x < 1) return 1 - _erf(x);
  if (x > 28) return 0;
  let tail = x;
  for (let n = 200; n > 0; n -= 1) tail = x + n / 2 / tail;
  const short = Math.fround(x); // its square is exact, so e^(-x²) keeps its digits
  const half = Math.exp((-short * short) / 2);
  return half * ((half * Math.exp((short - x) * (short + x))) / (tail * Math.sqrt(Math.PI)));
}""",
)
def erfc(x: float) -> float:
    """Return the complementary error function, 1 - erf(x), accurate also for large x.

    Notes
    -----
    JavaScript has no erfc; on pages, it is computed from x = 1 on by a truncated continued
    fraction.

    References
    ----------
    NIST Digital Library of Mathematical Functions, 7.9.1.

    Examples
    --------
    >>> erfc(0.0)
    1.0
    """
    return math.erfc(x)


# The logarithm of a probability, clamped as PyTorch clamps it -----------------------------------

#: Minimum of p(1 - p) in the slope, as in PyTorch: 1e-12, rounded to a 32-bit float.
_MIN_VARIANCE = 9.999999960041972e-13
_SLOPE = "(({0} − {1}) / clip({0}·(1 − {0}), 1e−12, inf))"


def _partials_of_slope(_: Symbol, p: Symbol, t: Symbol) -> tuple[Any, ...]:
    variance = clip(p * (1 - p), _MIN_VARIANCE)
    curvature = t * ((1 - p) / variance) ** 2 + (1 - t) * (p / variance) ** 2  # finite at 0 and 1
    return where(variance > _MIN_VARIANCE, curvature, 1 / variance), -1 / variance


@composite(Binary, partials=_partials_of_slope, text=Notation(_SLOPE, ATOM, (4, 4)))
def _slope(p: Symbol, t: Symbol) -> Symbol:
    """Return the slope of `log_loss` by p, (p - t) / (p(1 - p)).

    Its own slope by p is t / p² + (1 - t) / (1 - p)², in which no terms cancel.
    """
    return (p - t) / clip(p * (1 - p), _MIN_VARIANCE)


@composite(
    Binary,
    symbol="log loss",
    partials=lambda _, p, t: (_slope(p, t), clip(log1p(-p), -100.0) - clip(log(p), -100.0)),
    domain=Domain(
        (0.05, 0.95),
        (0.0, 1.0),
        valid=lambda p, t: where(p >= 0, p <= 1, 0.0),
        safe=0.5,
        needs="0 <= p <= 1 (it is a probability)",
    ),
)
def log_loss(p: Symbol, t: Symbol) -> Symbol:
    """Compute the log loss of predicting p for target t, -(t ln p + (1 - t) ln(1 - p)), in nats.

    Raises
    ------
    DomainError
        If p is not in [0, 1].

    Notes
    -----
    As in PyTorch, each logarithm is clamped to at least -100 and the denominator p(1 - p) of the
    slope to at least 1e-12, so that p = 0 and p = 1 give finite numbers.

    Examples
    --------
    >>> log_loss(0.0, 1.0)
    100.0
    >>> round(log_loss(0.5, 1.0), 12)
    0.69314718056
    """
    return -(t * clip(log(p), -100.0) + (1 - t) * clip(log1p(-p), -100.0))
