"""Few and wide steps are packed, many are a loop."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from scalargrad import Value, hessian, jit, tanh, value_and_grad
from scalargrad.compiler.loops.loop import Looped
from scalargrad.compiler.loops.looped import looped
from scalargrad.compiler.trace.record import record

CELLS = [((7 * k) % 16) / 16.0 - 0.4 for k in range(16)]


def flat(tree: Any) -> list[float]:
    """Return the numbers of nested lists and tuples in order."""
    if isinstance(tree, list | tuple):
        return [x for part in tree for x in flat(part)]
    return [float(tree)]


def ring(steps: int, p: Any) -> Any:
    """Return the sum of sixteen cells, given after two weights, each moved by the next one."""
    cells = p[2:18]
    for _ in range(steps):
        beside = zip(cells, [*cells[1:], cells[0]], strict=True)
        cells = [tanh(p[0] * x + p[1] * y) for x, y in beside]
    return sum(cells) + sum(x * x for x in p[18:])


def is_looped(derived: Any, p: list[float]) -> bool:
    """Return whether the program of a derivative is loops."""
    leaves = [Value(x) for x in p]
    return isinstance(looped(record(partial(derived, leaves), leaves)[0].program), Looped)


@pytest.mark.parametrize("derived", [value_and_grad, hessian])
@pytest.mark.parametrize(("steps", "is_loop"), [(20, False), (60, True)])
def test_few_steps_of_many_cells_stay_packed(derived: Any, steps: int, is_loop: bool) -> None:
    """Cells of a step that are alike are lanes; a long loop has less to print than these."""
    p, f = [0.9, 0.3], derived(lambda p: ring(steps, [*p, *CELLS]))
    assert is_looped(f, p) == is_loop
    assert flat(jit(f)(p)) == pytest.approx(flat(f(p)), rel=1e-10)


@pytest.mark.parametrize(("rows", "is_loop"), [(2, True), (66, False)])
def test_rows_of_a_hessian_that_are_alike_stay_packed(rows: int, is_loop: bool) -> None:
    """The steps of every row would be printed anew."""
    p = [0.9, 0.3, *CELLS * 4]
    assert is_looped(hessian(lambda q: ring(40, [*q, *p[rows:]])), p[:rows]) == is_loop
