"""Loops within loops: the longer ones are found where the shorter ones leave too much."""

from __future__ import annotations

from typing import Any

import pytest

from scalargrad import jit, value_and_grad


def heat(k: Any, cells: int, steps: int) -> Any:
    """Return the energy of a rod after explicit steps in time, with a conductivity in each cell."""
    u = [float(i % 7) for i in range(cells)]
    for _ in range(steps):
        new = u[:]
        for i in range(1, cells - 1):
            new[i] = u[i] + 0.2 * 0.5 * (k[i] + k[i + 1]) * (u[i + 1] - 2 * u[i] + u[i - 1])
        u = new
    return sum(x * x for x in u)


def even_heat(k: Any, cells: int, steps: int) -> Any:
    """Return the energy of a rod with one conductivity after explicit steps in time."""
    u = [float(i % 7) for i in range(cells)]
    for _ in range(steps):
        inside = [u[i] + k * (u[i - 1] - 2 * u[i] + u[i + 1]) for i in range(1, cells - 1)]
        u = [u[0], *inside, u[-1]]
    return sum(x * x for x in u)


def implicit_heat(k: Any, steps: int) -> Any:
    """Return the energy of a rod after implicit steps in time, each an elimination."""
    u = [float(i % 7) for i in range(len(k))]
    for _ in range(steps):
        c, d = [-k[0] / (1 + 2 * k[0])], [u[0] / (1 + 2 * k[0])]
        for x, y in zip(k[1:], u[1:], strict=True):
            pivot = 1 + 2 * x + x * c[-1]
            c.append(-x / pivot)
            d.append((y + x * d[-1]) / pivot)
        u = [d[-1]]
        for a, b in zip(c[-2::-1], d[-2::-1], strict=True):
            u.insert(0, b - a * u[0])
    return sum(x * x for x in u)


@pytest.mark.parametrize(
    ("cells", "steps"),
    [
        pytest.param(40, 80, id="cells of one step alone leave more than may be printed"),
        pytest.param(130, 110, id="a step is longer than may be printed of short programs"),
    ],
)
def test_steps_in_time_over_cells_are_a_loop(cells: int, steps: int) -> None:
    """Where loops over cells leave too many statements, the loop over time is found around them."""
    conductivities = [1.0 + 0.01 * i for i in range(cells)]
    f = value_and_grad(lambda k: heat(k, cells, steps))
    compiled = jit(f)
    assert "loops" in str(compiled.explain(conductivities)).splitlines()[0]
    value, slopes = compiled(conductivities)
    expected, rows = f(conductivities)
    assert value == pytest.approx(expected, rel=1e-11)
    assert slopes == pytest.approx(rows, rel=1e-9, abs=1e-11)


def test_a_few_long_steps_leave_the_loops_within_them() -> None:
    """Eliminations of 200 rows, ten times, are loops over rows: a step is no shorter than those."""
    k = [1.0 + 0.01 * i for i in range(200)]
    first = str(jit(value_and_grad(lambda k: implicit_heat(k, 10))).explain(k)).splitlines()[0]
    assert "loops" in first


def test_few_steps_over_many_cells_are_loops_over_cells() -> None:
    """Fewer steps than a step has operations: loops over the cells of each, not packed groups."""
    f = value_and_grad(lambda k: even_heat(k, 220, 30))
    compiled = jit(f)
    assert "loops" in str(compiled.explain(0.2)).splitlines()[0]
    value, slope = compiled(0.2)
    expected, eager = f(0.2)
    assert value == pytest.approx(expected, rel=1e-12)
    assert slope == pytest.approx(eager, rel=1e-10)
