"""Units and their slopes read one exponential, which is saved with the result of each unit.

``tanh[i] = tanh(x[i])`` becomes ``t[i] = exp(-2 |x[i]|)`` and a function of ``x[i]`` and ``t[i]``;
its slope, in the loops of the gradient, becomes a function of ``tanh[i]`` and ``t[i]``.
"""

from __future__ import annotations

from collections.abc import Sequence

from scalargrad.compiler.nests.equations import (
    SET,
    Access,
    Array,
    Program,
    Step,
    replaced,
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
    """Return the unit's result of which a step is a function."""
    y = step.args[0] if step.op in FUNCTIONS else None
    return y if isinstance(y, Access) else None
