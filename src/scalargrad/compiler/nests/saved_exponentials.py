"""Save the exponential of a tanh or sigmoid, from which its derivative is computed as well.

The derivative of tanh, 1 - y², cancels for y near ±1; computed from the exponential it is accurate:

    tanh[i] = tanh(x[i])                     tanh.exp[i] = exp(-2·|x[i]|)
    t[i] = _tanh_slope(tanh[i], x[i])   →    tanh[i] = _tanh_of(x[i], tanh.exp[i])
                                             t[i] = _tanh_slope_of(tanh[i], tanh.exp[i])

A sigmoid is computed in the same way, from exp(-|x|).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scalargrad.compiler.nests.equations import (
    SET,
    Access,
    Array,
    Program,
    Step,
    replaced,
    statements,
)
from scalargrad.compiler.passes.kinds import Op
from scalargrad.opdef.operation import Binary, Unary, composite
from scalargrad.opdef.symbol import Symbol
from scalargrad.ops import abs, exp, sigmoid, tanh, where
from scalargrad.ops.activations import _one_minus
from scalargrad.ops.special import polynomial
from scalargrad.ops.trigonometric import _tanh_slope

#: (tanh x / x - 1) / x² for |x| < 0.625, as a quotient of polynomials in x².
_ABOVE = (-0.9643991794250523, -99.28772310019185, -1614.6876844170845)
_BELOW = (1.0, 112.8116784916329, 2235.4883906010045, 4844.063053251255)


def _none(_: Any, *operands: Any) -> tuple[float, ...]:
    """Return partials that are never read: the program is differentiated already."""
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
def _one_minus_of(y: Symbol, t: Symbol) -> Symbol:
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


#: The exponential of each unit, and the unit as a function of it and of x.
UNITS: dict[Op, tuple[Unary, Binary]] = {
    sigmoid: (_decay, _sigmoid_of),
    tanh: (_decay_twice, _tanh_of),
}
#: Functions of a unit's result and operand, each with the same of the result and the exponential.
FUNCTIONS: dict[Op, Binary] = {_one_minus: _one_minus_of, _tanh_slope: _tanh_slope_of}


def with_saved_exponentials(program: Program) -> Program:
    """Return a program whose units save their exponentials if their slopes are computed, too."""
    steps = [step for step, _ in statements(program.body)]
    written = {step.out.array for step in steps}
    written -= {step.out.array for step in steps if step.op not in UNITS or step.how != SET}
    units = {y.array: None for step in steps if (y := _unit_of(step)) and y.array in written}
    saved = {a: Array(f"{a}.exp", a.shape) for a in units}
    if not saved:
        return program

    def rewritten(step: Step) -> Step | Sequence[Step]:
        y = _unit_of(step)
        if y is not None and y.array in saved:
            return Step(
                step.out, FUNCTIONS[step.op], (y, Access(saved[y.array], y.indices)), step.how
            )
        if step.out.array not in saved:
            return step
        exponential, of = UNITS[step.op]
        t = Access(saved[step.out.array], step.out.indices)
        return Step(t, exponential, step.args), Step(step.out, of, (*step.args, t))

    body = replaced(program.body, rewritten)
    return Program([*program.arrays, *saved.values()], body)


def _unit_of(step: Step) -> Access | None:
    """Return the result of a unit, if a step is a function of one."""
    y = step.args[0] if step.op in FUNCTIONS else None
    return y if isinstance(y, Access) else None
