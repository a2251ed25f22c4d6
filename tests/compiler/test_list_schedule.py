"""Programs that fall into many small groups: fewer instructions, and no digit changes."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from tests.seeds import seeds

import scalargrad as sg
from scalargrad import Value, jit, value_and_grad
from scalargrad.compiler.explain.programs_of import programs_of
from scalargrad.compiler.packing import list_schedule
from scalargrad.compiler.packing.instructions import Packed

pytestmark = pytest.mark.usefixtures("backend")

Numbers = Sequence[Any]
STEPS, STRIKE = 24, 100.0


def american_put(p: Numbers) -> Any:
    """Return the price of an American put by Cox, Ross and Rubinstein's lattice, 1979."""
    spot, rate, volatility = p
    up = sg.exp(volatility * math.sqrt(1.0 / STEPS))
    down, growth = 1.0 / up, sg.exp(rate / STEPS)
    q = (growth - down) / (up - down)

    def payoff(step: int, ups: int) -> Any:
        return sg.maximum(STRIKE - spot * up ** (2 * ups - step), 0.0)

    values = [payoff(STEPS, j) for j in range(STEPS + 1)]
    for step in range(STEPS - 1, -1, -1):
        held = [(q * values[j + 1] + (1.0 - q) * values[j]) / growth for j in range(step + 1)]
        values = [sg.maximum(x, payoff(step, j)) for j, x in enumerate(held)]
    return values[0]


def by_floats(spot: float, rate: float, volatility: float) -> float:
    """Return the same price by a textbook's loop over floats."""
    up = math.exp(volatility * math.sqrt(1.0 / STEPS))
    down, growth = 1.0 / up, math.exp(rate / STEPS)
    q = (growth - down) / (up - down)
    values = [max(STRIKE - spot * up ** (2 * j - STEPS), 0.0) for j in range(STEPS + 1)]
    for step in range(STEPS - 1, -1, -1):
        values = [
            max(
                (q * values[j + 1] + (1.0 - q) * values[j]) / growth,
                STRIKE - spot * up ** (2 * j - step),
                0.0,
            )
            for j in range(step + 1)
        ]
    return values[0]


def instructions(compiled: Any) -> int:
    """Return the number of instructions of the only path of a compiled function."""
    (path,) = programs_of(compiled)
    parts = path.function.values.parts
    return sum(len(x.instructions) for _, x in parts if isinstance(x, Packed))


def test_an_american_option_takes_few_instructions() -> None:
    """Its lattice has 325 numbers, each of them computed by about twenty operations."""
    compiled = jit(value_and_grad(american_put))
    given = 95.0, 0.05, 0.3
    value, slopes = compiled([*given])
    assert value == pytest.approx(by_floats(*given), rel=1e-12)
    for k, slope in enumerate(slopes):
        above, below = ([*given] for _ in range(2))
        above[k] += 1e-5
        below[k] -= 1e-5
        assert slope == pytest.approx((by_floats(*above) - by_floats(*below)) / 2e-5, rel=1e-5)
    assert instructions(compiled) < 1000


def test_the_wave_on_a_square_takes_as_many_instructions_as_steps_need() -> None:
    """Cells at the edge have fewer neighbours; what is alike in a step is an instruction."""

    def energy(p: Numbers, n: int = 9, steps: int = 10) -> Any:
        u: list[list[Any]] = [[p[0] * (i * j % 5) for j in range(n)] for i in range(n)]
        v: list[list[Any]] = [[0.0] * n for _ in range(n)]
        for _ in range(steps):
            for i in range(n):
                for j in range(n):
                    around = [u[a][j] for a in (i - 1, i + 1) if 0 <= a < n]
                    around += [u[i][b] for b in (j - 1, j + 1) if 0 <= b < n]
                    v[i][j] = v[i][j] + p[1] * (sum(around) - len(around) * u[i][j])
            u = [
                [x + 0.1 * y for x, y in zip(*rows, strict=True)] for rows in zip(u, v, strict=True)
            ]
        return sum(x * x for row in u for x in row)

    compiled = jit(value_and_grad(energy))
    value, slopes = compiled([1.0, 0.2])
    eager, expected = value_and_grad(energy)([1.0, 0.2])
    assert value == pytest.approx(eager, rel=1e-12)
    assert slopes == pytest.approx(expected, rel=1e-10)
    assert instructions(compiled) < 40 * 10


OPERATIONS: list[Callable[..., Any]] = [
    lambda a, b: a * b + 0.5,
    lambda a, b: a - 2.0 * b,
    lambda a, b: sg.tanh(a) * b,
    sg.maximum,
    lambda a, b: sg.maximum(a, 0.25),
    lambda a, b: sg.sin(a + b) * 0.5 + a * 0.25,
    lambda a, b: sg.where(a < b, a, 1.0),
    lambda a, b: a * 3.0,
    lambda a, b: sg.sqrt(a * a + 1.0),
    lambda a, b: sum(a * k + b for k in range(1, 12)) * 0.01,
]


def graph(seed: int) -> Callable[[Numbers], list[Any]]:
    """Return a function of irregular operations on numbers computed before."""

    def f(xs: Numbers) -> list[Any]:
        generator = random.Random(seed)
        known: list[Any] = [*xs]
        for _ in range(generator.randint(60, 160)):
            recent = known[-generator.randint(4, 40) :]
            op = generator.choice(OPERATIONS)
            known.append(op(generator.choice(recent), generator.choice(recent)))
        return known[-12:]

    return f


def digits(f: Callable[[Numbers], list[Any]], xs: Numbers) -> list[str]:
    """Return values and a gradient, compiled anew."""
    values = jit(f)(xs)
    _, slopes = jit(value_and_grad(lambda xs: sum(f(xs))))(xs)
    return [x.hex() for x in (*values, *slopes)]


@pytest.mark.alike
@pytest.mark.parametrize("seed", seeds(40, light=8))
def test_no_digit_depends_on_what_is_joined(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every group is joined with all that is alike, however few there are."""
    generator = random.Random(seed)
    f, xs = graph(seed), [generator.uniform(-1.0, 1.0) for _ in range(5)]
    apart = digits(f, xs)
    monkeypatch.setattr(list_schedule, "FEWEST", 0)
    monkeypatch.setattr(list_schedule, "GAIN", 0)
    assert digits(f, xs) == apart


def test_lists_of_single_numbers_are_left_alone() -> None:
    """A chain has nothing to join, however long it is."""

    def chain(x: Any) -> Any:
        for k in range(700):
            x = (sg.sin, sg.tanh, sg.exp)[k * k % 3](x) - 0.5
        return x

    value = jit(chain)(Value(0.3))
    assert value.data == pytest.approx(chain(Value(0.3)).data, rel=1e-12)
