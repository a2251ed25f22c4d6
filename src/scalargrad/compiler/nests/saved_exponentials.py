"""Units and their slopes read one exponential, which is saved with the result of each unit.

``tanh[i] = tanh(x[i])`` becomes ``t[i] = exp(-2 |x[i]|)`` and a function of ``x[i]`` and ``t[i]``; the
slope, in the loops of the gradient, one of ``tanh[i]`` and ``t[i]``.
"""

from __future__ import annotations

from scalargrad.compiler.nests.equations import (
    SET,
    Access,
    Array,
    Body,
    Loop,
    Program,
    Step,
    statements,
)
from scalargrad.compiler.passes.saved_exponentials import FUNCTIONS, UNITS


def with_saved_exponentials(program: Program) -> Program:
    """Return a program in which units whose slopes are computed save their exponentials."""
    units = {
        step.out.array: step
        for step, _ in statements(program.body)
        if step.op in UNITS and step.how == SET
    }
    saved: dict[Array, Array] = {}
    for step, _ in statements(program.body):
        unit = _unit_of(step)
        if unit in units and unit not in saved:
            saved[unit] = Array(f"{unit.name}.exp", unit.shape, "temp")
    if not saved:
        return program
    body = _rewritten(program.body, saved)
    return Program([*program.arrays, *saved.values()], body, checks=False)


def _unit_of(step: Step) -> Array | None:
    """Return the array of a unit's results of which a step is a function."""
    y = step.args[0]
    return y.array if step.op in FUNCTIONS and isinstance(y, Access) else None


def _rewritten(body: Body, saved: dict[Array, Array]) -> Body:
    """Return a body in which units write their exponentials, and functions of them read these."""
    found: Body = []
    for item in body:
        if isinstance(item, Loop):
            found.append(Loop(item.var, _rewritten(item.body, saved), item.down))
        elif item.op in UNITS and item.out.array in saved:
            exponential, of = UNITS[item.op]
            t = Access(saved[item.out.array], item.out.indices)
            found += [Step(t, exponential, item.args), Step(item.out, of, (*item.args, t))]
        elif (unit := _unit_of(item)) in saved:
            y = item.args[0]
            t = Access(saved[unit], y.indices)
            found.append(Step(item.out, FUNCTIONS[item.op], (y, t), item.how))
        else:
            found.append(item)
    return found
