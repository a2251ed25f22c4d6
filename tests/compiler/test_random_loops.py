"""Random loops, bodies, lattices and graphs give compiled what they give eagerly, twice derived."""

from __future__ import annotations

import math
import os
import random
from collections.abc import Callable
from typing import Any

import pytest
from tests.compiler.loops import close, draws
from tests.seeds import seeds

import scalargrad as sg
from scalargrad import Value, hvp, jit, value_and_grad

pytestmark = pytest.mark.differential

Function = Callable[[Any], Any]

#: Further programs are tried with SCALARGRAD_SEED set, so many from there on.
FIRST = int(os.environ.get("SCALARGRAD_SEED", "0"))

UNARY: list[Callable[[Any], Any]] = [
    sg.tanh, sg.sin, sg.sigmoid, sg.relu, sg.softplus, sg.silu, lambda x: sg.exp(-x * x), abs
]  # fmt: skip

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

    def __init__(self, generator: random.Random, known: int, length: int) -> None:
        self.statements = [
            (
                generator.choice(STATEMENTS),
                generator.randrange(known + k),
                generator.randrange(known + k),
                generator.uniform(-0.9, 0.9),
                generator.choice(UNARY),
            )
            for k in range(length)
        ]

    def __call__(self, given: list[Any]) -> list[Any]:
        """Return the number of each statement."""
        known = [*given]
        for statement, a, b, c, unary in self.statements:
            known.append(statement(known[a], known[b], c, unary))
        return known[len(given) :]


def program(seed: int, least: int = 3) -> tuple[Function, list[float]]:
    """Return a random function of some numbers, with loops of carried values, and a point."""
    generator = random.Random(seed)
    few, carried = generator.randint(1, 4), generator.randint(0, 3)
    count = generator.randint(least, least + 42)
    body = Body(generator, few + carried + 3, generator.randint(1, 8))
    data = [generator.uniform(-1.0, 1.0) for _ in range(2 * count)]
    inner, branches, second = (generator.random() < x for x in (0.25, 0.2, 0.5))
    back, first, last = generator.randint(1, 4), generator.random() < 0.3, generator.random() < 0.3
    order = [generator.randrange(count) for _ in range(count)]
    if generator.random() < 0.5:
        order = [count - 1 - k for k in range(count)]
    fixed, ordered = generator.randrange(count), generator.random() < 0.5
    p = [generator.uniform(-1.0, 1.0) for _ in range(few + generator.choice([0, 0, count]))]
    ends = [None, count, -1, -3, count // 2]
    some = slice(generator.choice([None, 0, 1, 3]), generator.choice(ends))

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


@pytest.mark.parametrize("seed", seeds(8, light=1))
def test_random_loops_have_eager_values_gradients_and_curvature(seed: int) -> None:
    """With the gradient inside and around, and a Hessian times a vector, also at 0, at kinks."""
    f, p = program(FIRST + seed, least=3 if seed % 2 else 70)
    expected = value_and_grad(f)(p)
    assert close(jit(value_and_grad(f))(p), expected, rel=1e-9)
    leaves = [Value(x) for x in p]
    result = jit(f)(leaves)
    result.backward()
    assert close([result, [x.grad for x in leaves]], expected, rel=1e-9)

    def curved(p: Any) -> Any:
        return hvp(f, p, [1.0] + [0.5] * (len(p) - 1))

    compiled = jit(curved)
    for point in (p, [0.0] * len(p)):
        assert close(compiled(point), curved(point), rel=1e-8)


GRAPH: list[Callable[..., Any]] = [
    lambda a, b: a * b + 0.5,
    lambda a, b: a - 2.0 * b,
    lambda a, b: sg.tanh(a) * b,
    sg.maximum,
    lambda a, b: sg.maximum(a, 0.25),
    lambda a, b: sg.sin(a + b) * 0.5 + a * 0.25,
    lambda a, b: sg.where(a < b, a, 1.0),
    lambda a, b: sg.sqrt(a * a + 1.0),
    lambda a, b: sum(a * k + b for k in range(1, 12)) * 0.01,
]


@pytest.mark.parametrize("seed", seeds(4, light=1))
def test_graphs_in_no_order_are_eager_ones(seed: int) -> None:
    """Some hundred operations on numbers computed before; a thousand, which many results share."""

    def f(xs: Any) -> list[Any]:
        generator = random.Random(seed)
        known: list[Any] = [*xs]
        for _ in range(1_200 if seed % 5 == 0 else generator.randint(60, 300)):
            recent = known[-generator.randint(4, 40) :]
            operands = generator.choice(recent), generator.choice(recent)
            known.append(sg.tanh(generator.choice(GRAPH)(*operands)))
        return known[-12:]

    xs = draws(5, seed)
    derived = value_and_grad(lambda xs: sum(f(xs)))
    assert close(jit(f)(xs), f(xs), rel=1e-10)
    assert close(jit(derived)(xs), derived(xs), rel=1e-9)
