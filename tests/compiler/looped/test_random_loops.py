"""Random programs of loops: carried values, tables, loops in loops, ends that differ."""

from __future__ import annotations

import math
import os
import random
from collections.abc import Callable
from typing import Any

import pytest
from tests.compiler.looped.reference import outputs

import scalargrad as sg
from scalargrad import Value, jit, value_and_grad
from scalargrad.compiler.loops.loop import Looped
from scalargrad.compiler.loops.looped import looped
from scalargrad.compiler.passes.program import Program
from scalargrad.compiler.trace.record import record

pytestmark = pytest.mark.usefixtures("small_loops")

Function = Callable[[Any], Any]

#: Further programs are tried with SCALARGRAD_SEED set, so many from there on.
FIRST = int(os.environ.get("SCALARGRAD_SEED", "0"))

UNARY: list[Callable[[Any], Any]] = [
    sg.tanh,
    sg.sin,
    sg.sigmoid,
    sg.relu,
    sg.softplus,
    sg.silu,
    lambda x: sg.exp(-x * x),
    abs,
]


STATEMENTS: list[Callable[..., Any]] = [
    lambda x, y, c, _: x * y * c,
    lambda x, y, c, _: x + c * y,
    lambda x, y, _, __: x - y,
    lambda x, y, _, __: x / (2.0 + y * y),
    lambda x, y, _, unary: unary(x * y),
    lambda x, y, c, _: x * c + (x - y) ** 2 * 0.1,
    lambda x, y, c, _: sg.maximum(x, c * y),
]


class Body:
    """A body of random statements, the same at each call, over numbers that it chooses from."""

    def __init__(self, draws: random.Random, names: int, length: int, extra: int) -> None:
        self.statements: list[tuple[int, int, int, float]] = []
        for k in range(length):
            among = names + extra + k
            kind, a, b = draws.randrange(7), draws.randrange(among), draws.randrange(among)
            self.statements.append((kind, a, b, draws.uniform(-0.9, 0.9)))
        self.unary = [draws.choice(UNARY) for _ in range(length)]

    def __call__(self, given: list[Any]) -> list[Any]:
        """Return the number of each statement."""
        known = [*given]
        for (kind, a, b, c), unary in zip(self.statements, self.unary, strict=True):
            x, y = known[a], known[b]
            known.append(STATEMENTS[kind](x, y, c, unary))
        return known[len(given) :]


def _uniform(draws: random.Random, count: int) -> list[float]:
    return [draws.uniform(-1.0, 1.0) for _ in range(count)]


def program(seed: int) -> tuple[Function, list[float]]:
    """Return a random function of some numbers, and a point."""
    draws = random.Random(seed)
    p = _uniform(draws, draws.randint(1, 4))
    carried, length, count = draws.randint(0, 3), draws.randint(1, 8), draws.randint(3, 45)
    body = Body(draws, len(p) + carried, length, 3)
    data = _uniform(draws, 2 * count)
    inner = draws.random() < 0.25
    back, first, last = draws.randint(1, 4), draws.random() < 0.3, draws.random() < 0.3
    branches, second = draws.random() < 0.2, draws.random() < 0.5
    order = [draws.randrange(count) for _ in range(count)]
    if draws.random() < 0.5:
        order = [count - 1 - k for k in range(count)]
    few, fixed, ordered = len(p), draws.randrange(count), draws.random() < 0.5
    p += _uniform(draws, count if draws.random() < 0.4 else 0)
    some = slice(draws.choice([None, 0, 1, 3]), draws.choice([None, count, -1, -3, count // 2]))

    def f(p: Any) -> Any:
        own = p[few:]
        known, past = [0.1 * (k + 1.0) for k in range(carried)], [0.3] * back
        total: Any = 0.0
        made: list[Any] = []
        for k in range(count):
            x = (own or data)[k] if not (first and k == 0) else 1.0
            z = math.cos(k) if not own else own[order[k]] if ordered else own[fixed]
            found = body([*p[:few], *known, x, past[-back], z])
            if inner:
                for j in range(4):
                    found[-1] = sg.tanh(found[-1] * p[0] + data[k + j])
            known = [sg.tanh(y) for y in (found * 3)[:carried]]
            past.append(found[-1])
            made.append(found[0])
            if branches and found[-1] > 0.0:
                total = total + found[-1] * 0.5
            elif last and k == count - 1:
                total = total * found[-1]
            else:
                total = total + found[-1] * (found[0] if k % 2 else 1.0)
        if second:
            for k in range(count)[some]:
                total = total - (made[order[k]] if ordered else 1.0) * sg.sin(made[k]) * 0.1
            total = total + (made[fixed] if fixed % 2 else 0.0)
        return total + sum(known) + 0.1 * sum(p)

    return f, p


def recorded(f: Function, p: list[float]) -> Program:
    """Return what is recorded of a function and its gradient."""
    leaves = [Value(x) for x in p]
    return record(lambda: value_and_grad(f)(leaves), leaves)[0].program


def _expected(f: Function, p: list[float]) -> list[float]:
    value, gradient = value_and_grad(f)(p)
    return [float(value), *map(float, gradient)]


@pytest.mark.alike
@pytest.mark.parametrize("seed", range(FIRST, FIRST + 150))
def test_loops_of_random_programs_compute_what_is_recorded(seed: int) -> None:
    """Value and gradient agree with eager evaluation, step by step."""
    f, p = program(seed)
    found = looped(recorded(f, p))
    if not isinstance(found, Looped):
        return
    numbers = outputs(found, p)[: 1 + len(p)]
    assert numbers == pytest.approx(_expected(f, p), rel=1e-9, abs=1e-11)


@pytest.mark.alike
@pytest.mark.parametrize("seed", range(FIRST, FIRST + 150, 5))
def test_random_programs_of_loops_run_as_machine_code(seed: int) -> None:
    """Compiled, with its gradient within and around it, a function agrees with eager evaluation."""
    f, p = program(seed)
    value, gradient = jit(value_and_grad(f))(p)
    expected = pytest.approx(_expected(f, p), rel=1e-9, abs=1e-11)
    assert [value, *gradient] == expected
    leaves = [Value(x) for x in p]
    result = jit(f)(leaves)
    result.backward()
    assert [result.data, *(x.grad for x in leaves)] == expected


@pytest.mark.alike
@pytest.mark.parametrize("seed", range(FIRST, FIRST + 150, 6))
def test_second_derivatives_of_random_programs_are_the_eager_ones(seed: int) -> None:
    """The Hessian times a vector agrees with eager evaluation, also at 0, where kinks are."""
    f, p = program(seed)

    def curved(p: Any) -> Any:
        value, product = sg.hvp(f, p, [1.0] + [0.5] * (len(p) - 1))
        return [value, *product]

    compiled = jit(curved)
    for point in (p, [0.0] * len(p)):
        assert compiled(point) == pytest.approx(curved(point), rel=1e-8, abs=1e-10)


@pytest.mark.alike
@pytest.mark.parametrize("seed", range(FIRST, FIRST + 150, 6))
def test_copies_of_a_program_are_each_differentiated_by_themselves(seed: int) -> None:
    """Three columns of a Hessian, each by a copy of the program, are the eager ones."""
    f, p = program(seed)
    units = [[float(i == k) for i in range(len(p))] for k in range(min(3, len(p)))]

    def columns_of(p: Any) -> Any:
        return [x for unit in units for x in sg.hvp(f, p, unit)[1]]

    assert jit(columns_of)(p) == pytest.approx(columns_of(p), rel=1e-8, abs=1e-10)


def test_many_random_programs_have_loops() -> None:
    """Of these 40, whose ends and tables hide some, no fewer than 30 are found to be loops."""
    found = [looped(recorded(*program(seed))) for seed in range(FIRST, FIRST + 40)]
    assert sum(isinstance(x, Looped) for x in found) >= 30
