"""A long body that carries nothing on gets a lane for each iteration, as under vmap."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from tests.seeds import seeds

import scalargrad as sg
from scalargrad import Value, jit, value_and_grad
from scalargrad.compiler.loops.looped import looped
from scalargrad.compiler.passes.kinds import has_lanes
from scalargrad.compiler.passes.program import Program
from scalargrad.compiler.trace.record import record

Function = Callable[[Any], Any]
Body = Callable[[Any, list[float]], Any]

_DRAWS = random.Random(3)
#: Examples of three numbers.
ROWS = [[_DRAWS.uniform(-1.0, 1.0) for _ in range(3)] for _ in range(40)]
P = [_DRAWS.uniform(-0.7, 0.7) for _ in range(41)]
#: Differs for each example, and is negative for some.
WEIGHTS = [_DRAWS.uniform(-1.0, 1.0) for _ in ROWS]


def network(p: Any, row: list[float]) -> Any:
    """Return the output of eight hidden units."""
    weights = iter(p)
    hidden = [sg.tanh(sum((next(weights) * x for x in row), next(weights))) for _ in range(8)]
    return sum((next(weights) * h for h in hidden), next(weights))


def chain(p: Any, row: list[float]) -> Any:
    """Return a number from operations of many kinds, jumps among them."""
    y = row[0] * p[0]
    for k in range(1, 9):
        y = abs(y * p[k] - p[k + 1]) + sg.softplus(y) / (2.0 + y * y)
        y = sg.relu(y - p[k + 2]) + sg.floor(y) * sg.exp(-y * y) + row[1]
    return y**3 * row[2]


def ties(p: Any, row: list[float]) -> Any:
    """Return a number from operations of several operands, equal ones among them."""
    y = sg.maximum(row[0] * p[0], p[1], row[1])
    for k in range(1, 9):
        y = sg.maximum(y * p[k], p[k + 1], y * p[k]) + sg.minimum(y, y) * row[2]
    return y


def added_in_a_list(body: Body, p: Any) -> Any:
    """Return the mean of squares, computed one after the other."""
    errors = [(body(p, row) - w) ** 2 for row, w in zip(ROWS, WEIGHTS, strict=True)]
    return sum(errors) / len(errors) + 0.1 * sum(x * x for x in p)


def added_at_once(body: Body, p: Any) -> Any:
    """Return a sum that grows in the loop."""
    total = 0.0
    for row, w in zip(ROWS, WEIGHTS, strict=True):
        total = total + w * body(p, row)
    return total


def added_from_a_parameter(body: Body, p: Any) -> Any:
    """Return a sum that starts from a parameter, and subtracts."""
    total = p[0] * 2.0
    for row in ROWS:
        total = total - body(p, row)
    return total


def multiplied(body: Body, p: Any) -> Any:
    """Return a product of what the examples give: a recurrence beside the lanes."""
    product = 1.0
    for row in ROWS:
        product = product * (1.0 + 0.1 * sg.tanh(body(p, row)))
    return product


def of_some(body: Body, p: Any) -> Any:
    """Return what some of the examples give, one of them twice."""
    found = [body(p, row) for row in ROWS]
    return found[3] * found[17] + sum(found[5:30]) + found[17]


def of_two_kinds(body: Body, p: Any) -> Any:
    """Return the sum over two loops, the second of which reads the first in another order."""
    found = [body(p, row) for row in ROWS]
    second = [body(p, [y, row[1], found[0]]) for y, row in zip(reversed(found), ROWS, strict=True)]
    return sum(x * y for x, y in zip(found, second, strict=True))


LOSSES = [added_in_a_list, added_at_once, added_from_a_parameter, multiplied, of_some, of_two_kinds]


def laned(derived: Callable[[Any], Any]) -> Program:
    """Return the program with lanes of a function of the parameters."""
    leaves = [Value(x) for x in P]
    found = looped(record(lambda: derived(leaves), leaves)[0].program)
    assert isinstance(found, Program)
    assert has_lanes(found.ops)
    return found


def both(loss: Any, body: Body) -> Function:
    """Return the loss as a function of the parameters."""
    return lambda p: loss(body, p)


def expected(f: Function, p: list[float]) -> Any:
    """Return value and gradient of eager evaluation, to be compared with."""
    value, gradient = value_and_grad(f)(p)
    return pytest.approx([float(value), *map(float, gradient)], rel=1e-11, abs=1e-12)


@pytest.mark.alike
@pytest.mark.parametrize("body", [network, chain, ties])
@pytest.mark.parametrize("loss", LOSSES)
def test_lanes_compute_value_and_gradient(loss: Any, body: Body) -> None:
    """Compiled, with the gradient inside or around, a loop over examples agrees with eager code."""
    f = both(loss, body)
    compiled, around = jit(value_and_grad(f)), jit(f)
    for shift in (0.0, 0.03):
        p = [x + shift for x in P]
        value, gradient = compiled(p)
        assert [value, *gradient] == expected(f, p)
        leaves = [Value(x) for x in p]
        result = around(leaves)
        result.backward()
        assert [result.data, *(x.grad for x in leaves)] == expected(f, p)


@pytest.mark.parametrize("loss", LOSSES[:3])
def test_later_passes_see_one_example(loss: Any) -> None:
    """Of forty examples nearly all nodes are left that one has, and what adds them up."""
    f = both(loss, network)
    flat = record(lambda: f([Value(x) for x in P]), [])[0].program
    found = laned(value_and_grad(f))
    assert len(found) < len(flat) / 4


@pytest.mark.parametrize("body", [network, chain, ties])
def test_each_example_has_the_digits_it_has_under_vmap(body: Body) -> None:
    """A loop over examples and the same under vmap give the same bits for each of them."""

    def each(p: Any) -> Any:
        return [body(p, row) for row in ROWS]

    laned(each)
    together = jit(lambda p: sg.vmap(lambda row: body(p, row))(ROWS))
    compiled = jit(each)
    for shift in range(20):
        p = [math.sin(x + shift) for x in P]
        assert compiled(p) == together(p)


def test_an_unused_example_at_a_pole_of_its_slope_leaves_no_trace() -> None:
    """√0 has an infinite slope: where its example adds nothing, the others' gradient remains."""

    def body(p: Any, row: list[float]) -> Any:
        y = network(p, row)
        return y * sg.sqrt(p[0] * p[0] * (row[0] - ROWS[7][0]) ** 2)

    def loss(p: Any) -> Any:
        found = [body(p, row) for row in ROWS]
        return sum(found[:7]) + sum(found[8:])

    value, gradient = jit(value_and_grad(loss))(P)
    assert [value, *gradient] == expected(loss, P)
    assert all(map(math.isfinite, gradient))


def test_a_gradient_by_a_number_of_one_example_is_its_own() -> None:
    """What is differentiated by one iteration's number, made in the loop, is not lost in lanes."""

    def slope(p: Any) -> Any:
        found: list[Any] = []

        def loss(q: Any) -> Any:
            found.extend(network(q, row) for row in ROWS)
            return sum(x * x for x in found)

        value, gradient = value_and_grad(loss)(p)
        return value + sum(g * g for g in gradient)

    assert jit(slope)(P) == pytest.approx(float(slope(P)), rel=1e-11)
    assert [*jit(value_and_grad(slope))(P)[1]] == pytest.approx(
        [*map(float, value_and_grad(slope)(P)[1])], rel=1e-10, abs=1e-11
    )


def test_steps_of_descent_have_lanes_too() -> None:
    """Loss, gradient and update as one function compute what they do eagerly."""
    f = both(added_at_once, network)

    def step(p: Any) -> Any:
        value, gradient = value_and_grad(f)(p)
        return [value, *(x - 0.1 * g for x, g in zip(p, gradient, strict=True))]

    laned(step)
    assert jit(step)(P) == pytest.approx([*map(float, step(P))], rel=1e-11)


STATEMENTS: list[Callable[[Any, Any], Any]] = [
    lambda x, y: sg.tanh(x + y),
    lambda x, y: x * y,
    lambda x, y: x - 0.5 * y,
    sg.maximum,
    lambda x, y: x / (1.5 + y * y),
    lambda x, y: abs(x) + sg.sin(y),
]


def _random_function(seed: int) -> Function:
    """Return a function that makes random statements for each example."""
    draws = random.Random(seed)
    length, ending, count = draws.randrange(14, 60), draws.randrange(3), draws.randrange(50, 90)
    plan = [
        (draws.choice(STATEMENTS), draws.randrange(7 + k), draws.randrange(7 + k))
        for k in range(length)
    ]
    rows = [[draws.uniform(-1.0, 1.0) for _ in range(2)] for _ in range(count)]

    def example(p: Any, row: list[float]) -> Any:
        known = [*p[:5], *row]
        for statement, a, b in plan:
            known.append(statement(known[a], known[b]))
        return sg.tanh(sum(known))

    def function(p: Any) -> Any:
        if ending == 0:
            return sum(example(p, row) for row in rows)
        found = [example(p, row) for row in rows]
        if ending == 1:
            return sum(x * y for x, y in pairwise(found)) / count
        total = p[5]
        for x in found:
            total = total * 0.9 + x
        return total

    return function


@pytest.mark.alike
@pytest.mark.parametrize("seed", seeds(30, light=10))
def test_random_bodies_compute_what_is_recorded(seed: int) -> None:
    """Value and gradient agree with eager evaluation, whether or not lanes are found."""
    f = _random_function(seed)
    value, gradient = jit(value_and_grad(f))(P)
    assert [value, *gradient] == expected(f, P)
