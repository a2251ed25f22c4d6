"""Piecewise constant operations: their gradient is zero, at the jumps too."""

from __future__ import annotations

import math

from scalargrad.ops.domain import Domain
from scalargrad.ops.notation import Notation, call
from scalargrad.ops.operation import Unary, composite, primitive
from scalargrad.ops.selection import where
from scalargrad.ops.symbol import Symbol

__all__ = ["ceil", "floor", "sign", "step"]

_BETWEEN_INTEGERS = Domain(smooth=lambda x: 0.1 < x - math.floor(x) < 0.9)
_AWAY_FROM_ZERO = Domain(smooth=lambda x: not -0.1 < x < 0.1)


@primitive(
    Unary,
    partials=lambda y, x: (0.0,),
    domain=_BETWEEN_INTEGERS,
    text=Notation("⌊{0}⌋"),
    mathml=Notation("<mrow><mo>⌊</mo>{0}<mo>⌋</mo></mrow>"),
    pattern="stops here",
    javascript=call("Math.floor", 1),
    lane="np.floor({0})",
)
def floor(x: float) -> float:
    """Round down to an integer; the gradient is 0.

    Examples
    --------
    >>> floor(-1.5)
    -2.0
    """
    return math.copysign(float(math.floor(x)), x) if -1e16 < x < 1e16 else x


@primitive(
    Unary,
    partials=lambda y, x: (0.0,),
    domain=_BETWEEN_INTEGERS,
    text=Notation("⌈{0}⌉"),
    mathml=Notation("<mrow><mo>⌈</mo>{0}<mo>⌉</mo></mrow>"),
    pattern="stops here",
    javascript=call("Math.ceil", 1),
    lane="np.ceil({0})",
)
def ceil(x: float) -> float:
    """Round up to an integer; the gradient is 0.

    Examples
    --------
    >>> ceil(-1.5)
    -1.0
    """
    return math.copysign(float(math.ceil(x)), x) if -1e16 < x < 1e16 else x


@composite(
    Unary,
    partials=lambda y, x: (0.0,),
    domain=_AWAY_FROM_ZERO,
    pattern="stops here",
)
def sign(x: Symbol) -> Symbol:
    """Take the sign: -1, 0 or 1; the gradient is 0.

    Examples
    --------
    >>> sign(-2.5)
    -1.0
    """
    return where(x > 0, 1.0, where(x < 0, -1.0, x))


@composite(
    Unary,
    symbol="step",
    partials=lambda y, x: (0.0,),
    domain=_AWAY_FROM_ZERO,
    pattern="stops here",
)
def step(x: Symbol) -> Symbol:
    """Apply the hard threshold: 1 where x > 0, else 0; the gradient is 0.

    The unit of the perceptron (threshold logic). Its derivative is 0 wherever it exists, so
    gradient descent cannot train through it.

    References
    ----------
    McCulloch and Pitts, 1943; Rosenblatt, 1958.

    Examples
    --------
    >>> step(0.3), step(0.0)
    (1.0, 0.0)
    """
    return where(x > 0, 1.0, where(x <= 0, 0.0, x))
