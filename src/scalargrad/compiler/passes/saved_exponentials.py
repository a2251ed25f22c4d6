"""Save the exponential of a unit for its slope, which is then computed without another.

In a program with both, tanh x becomes a function of x and t = e^-2|x|, and its slope one of the
result and t, accurate where 1 - y² would cancel; σ likewise, with t = e^-|x|.
"""

from __future__ import annotations

from typing import Any

from scalargrad.compiler.passes.kinds import Op
from scalargrad.ops import abs, exp, sigmoid, tanh, where
from scalargrad.ops.activations import _one_less
from scalargrad.ops.special import polynomial
from scalargrad.ops.trigonometric import _tanh_slope
from scalargrad.table.operation import Binary, Unary, composite
from scalargrad.table.symbol import Symbol

#: (tanh x / x - 1) / x² for |x| < 0.625, as a quotient of polynomials in x².
_ABOVE = (-0.9643991794250523, -99.28772310019185, -1614.6876844170845)
_BELOW = (1.0, 112.8116784916329, 2235.4883906010045, 4844.063053251255)


def _none(_: Any, *operands: Any) -> tuple[float, ...]:
    """Return partials that nobody asks for: the program is differentiated already."""
    return (0.0,) * len(operands)


@composite(Unary, partials=_none)
def _decay(x: Symbol) -> Symbol:
    return exp(-abs(x))


@composite(Unary, partials=_none)
def _decay_twice(x: Symbol) -> Symbol:
    return exp(-2 * abs(x))


@composite(Binary, partials=_none)
def _sigmoid_of(x: Symbol, t: Symbol) -> Symbol:
    return where(x < 0, t, 1.0) / (1 + t)


@composite(Binary, partials=_none)
def _one_less_of(y: Symbol, t: Symbol) -> Symbol:
    return where(y < 0.5, 1 - y, t * y)


@composite(Binary, partials=_none)
def _tanh_of(x: Symbol, t: Symbol) -> Any:
    """Return (1 - t) / (1 + t) with the sign of x; near 0, where that cancels, x plus a fit.

    References
    ----------
    Moshier, Cephes Mathematical Library, 1989, tanh.c.
    """
    near, square = abs(x) < 0.625, x * x
    above = where(near, square * polynomial(_ABOVE, square), 1 - t)
    quotient = above / where(near, polynomial(_BELOW, square), 1 + t)
    return where(near, x * (1 + quotient), where(x < 0, -quotient, quotient))


@composite(Binary, partials=_none)
def _tanh_slope_of(y: Symbol, t: Symbol) -> Symbol:
    return t * ((1 + abs(y)) * (1 + abs(y)))


#: For each unit, the exponential, and the function of it and of x.
UNITS: dict[Op, tuple[Unary, Binary]] = {
    sigmoid: (_decay, _sigmoid_of),
    tanh: (_decay_twice, _tanh_of),
}
#: For functions of a unit's result and operand, the same of the result and the exponential.
FUNCTIONS: dict[Op, Binary] = {_one_less: _one_less_of, _tanh_slope: _tanh_slope_of}
