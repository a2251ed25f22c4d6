"""Rounding operations, whose gradients are 0, and remainders."""

from __future__ import annotations

import math
from typing import Any

from scalargrad.opdef.declaration import ATOM, PRODUCT, Domain, Notation, infix
from scalargrad.opdef.operation import Binary, Unary, composite, elementary, primitive
from scalargrad.opdef.symbol import Symbol
from scalargrad.ops.selection import le, logical_and, ne, where

__all__ = ["ceil", "floor", "floor_divide", "remainder", "rint", "sign", "step"]

#: Largest dividend: up to it, all whole numbers are floats; beyond it, digits have been lost.
_MAX_DIVIDEND = 2.0**53
_FLAT: dict[str, Any] = {"partials": lambda y, x: (0.0,), "pattern": "dead end"}


def _from_integer(x: Any) -> Any:
    """Return the difference from the nearest integer."""
    return x - rint(x)


def _from_half(x: Any) -> Any:
    """Return the difference from the half between two integers."""
    return x - floor(x) - 0.5


_BETWEEN_INTEGERS = Domain(gap=_from_integer)
_BETWEEN_HALVES = Domain(gap=_from_half)
_AWAY_FROM_ZERO = Domain(gap=lambda x: x)
_BETWEEN_MULTIPLES = Domain(
    (-3.0, 3.0),
    (0.5, 3.0),
    valid=lambda x, y: logical_and(ne(y, 0.0), le(abs(x), _MAX_DIVIDEND)),
    gap=lambda x, y: _from_integer(x / y),
    guard=1,
    remedy=lambda x, y: ne(y, 0.0),
    needs="y != 0 and |x| <= 2**53, beyond which floats are no longer all whole numbers",
    divides=True,
)


@elementary(
    domain=_BETWEEN_INTEGERS,
    text=Notation("⌊{0}⌋"),
    mathml=Notation("<mrow><mo>⌊</mo>{0}<mo>⌋</mo></mrow>"),
    **_FLAT,
)
def floor(x: float) -> float:
    """Round down to an integer; the gradient is 0.

    Examples
    --------
    >>> floor(-1.5)
    -2.0
    """
    return math.copysign(float(math.floor(x)), x) if -1e16 < x < 1e16 else x


@elementary(
    domain=_BETWEEN_INTEGERS,
    text=Notation("⌈{0}⌉"),
    mathml=Notation("<mrow><mo>⌈</mo>{0}<mo>⌉</mo></mrow>"),
    **_FLAT,
)
def ceil(x: float) -> float:
    """Round up to an integer; the gradient is 0.

    Examples
    --------
    >>> ceil(-1.5)
    -1.0
    """
    return math.copysign(float(math.ceil(x)), x) if -1e16 < x < 1e16 else x


@primitive(
    Unary,
    domain=_BETWEEN_HALVES,
    **_FLAT,
    javascript="""\
(x) => {
  if (!(Math.abs(x) < 4503599627370496)) return x; // from 2^52 on, every number is whole
  const size = Math.abs(x) + 4503599627370496 - 4503599627370496;
  return x < 0 || Object.is(x, -0) ? -size : size;
}""",
)
def rint(x: float) -> float:
    """Round to the nearest integer, halves to the nearest even integer; the gradient is 0.

    Examples
    --------
    >>> rint(2.5), rint(-1.7)
    (2.0, -2.0)
    """
    return math.copysign(float(round(x)), x) if -1e16 < x < 1e16 else x


@primitive(
    Binary,
    symbol="//",
    partials=lambda q, x, y: (0.0, 0.0),
    domain=_BETWEEN_MULTIPLES,
    pattern="dead end",
    text=Notation("⌊{0}/{1}⌋", ATOM, (PRODUCT, PRODUCT + 1)),
    mathml=Notation("<mrow><mo>⌊</mo><mfrac>{0}{1}</mfrac><mo>⌋</mo></mrow>"),
    javascript="""\
(x, y) => {
  if (y === 0) return x / y;
  const rest = x % y;
  const opposite = rest !== 0 && rest < 0 !== y < 0;
  const quotient = (x - rest) / y - (opposite ? 1 : 0);
  if (quotient === 0) return 0 * (x / y);
  const whole = Math.floor(quotient);
  return quotient - whole > 0.5 ? whole + 1 : whole;
}""",
)
def floor_divide(x: float, y: float) -> float:
    """Divide and round down, ⌊x/y⌋, like Python's ``//``; the gradient is 0.

    Raises
    ------
    DomainError
        If y is 0 (a DivisionByZeroError), or if abs(x) > 2**53, where floats have lost digits.

    Examples
    --------
    >>> floor_divide(-7.0, 2.0)
    -4.0
    """
    try:
        return x // y
    except ZeroDivisionError:
        return x * math.copysign(math.inf, y)


@primitive(
    Binary,
    symbol="%",
    partials=lambda r, x, y: (1.0, -floor_divide(x, y)),
    domain=_BETWEEN_MULTIPLES,
    text=infix("mod", PRODUCT),
    mathml=Notation("<mrow>{0}<mo>mod</mo>{1}</mrow>", PRODUCT, (PRODUCT, PRODUCT + 1)),
    javascript="""\
(x, y) => {
  const rest = x % y;
  if (rest === 0) return y < 0 ? -0 : 0;
  return rest < 0 !== y < 0 ? rest + y : rest;
}""",
)
def remainder(x: float, y: float) -> float:
    """Return the remainder of a division, x - y·⌊x/y⌋, with the sign of y, like Python's ``%``.

    Raises
    ------
    DomainError
        If y is 0 (a DivisionByZeroError), or if abs(x) > 2**53, where floats have lost digits.

    Notes
    -----
    At a jump, where y divides x, the partials are the right-hand ones: 1 and -⌊x/y⌋ (PyTorch's
    choice).

    Examples
    --------
    >>> remainder(-7.0, 3.0)
    2.0
    """
    return x % y if y != 0.0 else math.nan


@composite(Unary, domain=_AWAY_FROM_ZERO, **_FLAT)
def sign(x: Symbol) -> Symbol:
    """Take the sign: -1, 0 or 1; the gradient is 0.

    Examples
    --------
    >>> sign(-2.5)
    -1.0
    """
    return where(x > 0, 1.0, where(x < 0, -1.0, x))


@composite(Unary, domain=_AWAY_FROM_ZERO, **_FLAT)
def step(x: Symbol) -> Symbol:
    """Apply the hard threshold: 1 where x > 0, else 0; the gradient is 0.

    The activation of the perceptron (threshold logic). Its derivative is 0 wherever it exists, so
    gradient descent cannot train through it. Following Toronto's I[x > 0], step(0) is 0; UCSB's
    perceptron fires at equality, which is ``ge(x, 0.0)``.

    References
    ----------
    McCulloch and Pitts, 1943; Rosenblatt, 1958.

    Examples
    --------
    >>> step(0.3), step(0.0)
    (1.0, 0.0)
    """
    return where(x > 0, 1.0, where(x <= 0, 0.0, x))
