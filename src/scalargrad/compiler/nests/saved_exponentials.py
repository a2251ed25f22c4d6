"""Units and their slopes read one exponential, which is saved with the result of each unit.

``tanh[i] = tanh(x[i])`` becomes ``t[i] = exp(-2 |x[i]|)`` and a function of ``x[i]`` and ``t[i]``;
its slope, in the loops of the gradient, becomes a function of ``tanh[i]`` and ``t[i]``.
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
    are_units: dict[Array, bool] = {}  # whether nothing else is written there
    for step, _ in statements(program.body):
        is_unit = step.op in UNITS and step.how == SET
        are_units[step.out.array] = is_unit and are_units.get(step.out.array, True)
    saved: dict[Array, Array] = {}
    for step, _ in statements(program.body):
        y = _unit_of(step)
        if y is not None and are_units.get(y.array) and y.array not in saved:
            saved[y.array] = Array(f"{y.array.name}.exp", y.array.shape, "temp")
    if not saved:
        return program
    body = _rewritten(program.body, saved)
    return Program([*program.arrays, *saved.values()], body, checks=False)


def _unit_of(step: Step) -> Access | None:
    """Return the unit's result of which a step is a function."""
    y = step.args[0]
    return y if step.op in FUNCTIONS and isinstance(y, Access) else None


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
        elif (y := _unit_of(item)) is not None and y.array in saved:
            t = Access(saved[y.array], y.indices)
            found.append(Step(item.out, FUNCTIONS[item.op], (y, t), item.how))
        else:
            found.append(item)
    return found
