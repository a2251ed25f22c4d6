"""Random programs compute compiled what they compute eagerly, with their derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scalargrad import (
    Value,
    grad,
    gradients,
    jit,
    maximum,
    mean,
    sigmoid,
    sin,
    take,
    tanh,
    value_and_grad,
    vmap,
    where,
)

pytestmark = pytest.mark.usefixtures("backend")

UNARY: list[Callable[[Any], Any]] = [
    sin, tanh, sigmoid, abs, lambda x: -x, lambda x: x * x, lambda x: 1.0 - x,
    lambda x: 0.5 * x, lambda x: x - 0.0, lambda x: x * 1.0,
]  # fmt: skip
BINARY: list[Callable[[Any, Any], Any]] = [
    lambda x, y: x + y, lambda x, y: x - y, lambda x, y: x * y, lambda x, y: x + y * x,
    maximum, lambda x, y: where(x > y, x, y * 0.5), lambda x, y: mean([x, y, x]),
    lambda x, y: x / (1.0 + y * y), lambda x, y: take([y, x * y, 0.5], x > y),
]  # fmt: skip

steps = st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99)), max_size=25)
numbers = st.floats(-2.0, 2.0, allow_subnormal=False)


def program(plan: list[tuple[int, int, int]]) -> Callable[[list[Any]], Any]:
    """Return a function that applies the plan to its inputs and sums what comes out last."""

    def run(xs: list[Any]) -> Any:
        known = list(xs)
        for op, i, j in plan:
            x, y = known[i % len(known)], known[j % len(known)]
            if op < len(UNARY) * 4:
                known.append(UNARY[op % len(UNARY)](x))
            else:
                known.append(BINARY[op % len(BINARY)](x, y))
        return sum(known[-3:]) + xs[-1]

    return run


def close(a: float, b: float) -> bool:
    """Return whether two numbers agree to rounding."""
    return math.isclose(a, b, rel_tol=1e-10, abs_tol=1e-10) or (a != a and b != b)


relaxed = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)


@relaxed
@given(plan=steps, xs=st.lists(numbers, min_size=1, max_size=4))
def test_a_random_graph_agrees(plan: list[tuple[int, int, int]], xs: list[float]) -> None:
    """Value and gradient of a random graph are the eager ones."""
    run = program(plan)
    leaves = [Value(x) for x in xs]
    eager, mine = run(leaves), jit(run)(leaves)
    assert close(mine.data, eager.data)
    expected = gradients(eager, leaves, allow_nonfinite=True)
    found = gradients(mine, leaves, allow_nonfinite=True)
    assert all(map(close, found, expected))


@pytest.mark.uncounted
@relaxed
@given(plan=steps, rows=st.lists(st.lists(numbers, min_size=3, max_size=3), min_size=2, max_size=6))
def test_a_batch_of_random_graphs_agrees(
    plan: list[tuple[int, int, int]], rows: list[list[float]]
) -> None:
    """A loop over samples that share a weight packs into lanes and stays the same."""
    run = program(plan)

    def loss(weights: list[Any], rows: list[list[Any]]) -> Any:
        return sum(run([*row, *weights]) for row in rows)

    weights = [Value(0.3), Value(-0.7)]
    eager, mine = loss(weights, rows), jit(loss)(weights, rows)
    assert close(mine.data, eager.data)
    expected = gradients(eager, weights, allow_nonfinite=True)
    found = gradients(mine, weights, allow_nonfinite=True)
    assert all(map(close, found, expected))


@pytest.mark.uncounted
@relaxed
@given(plan=steps, rows=st.lists(st.lists(numbers, min_size=3, max_size=3), min_size=2, max_size=6))
def test_a_random_graph_under_vmap_agrees(
    plan: list[tuple[int, int, int]], rows: list[list[float]]
) -> None:
    """One example recorded for all gives the loop's value, gradient and second derivatives."""
    run = program(plan)

    def loss(weights: list[Any], rows: list[list[Any]]) -> Any:
        return sum(vmap(lambda row: run([*row, *weights]))(rows)) * weights[0]

    eager, mine = (f([0.3, -0.7], rows) for f in (value_and_grad(loss), jit(value_and_grad(loss))))
    assert all(map(close, [mine[0], *mine[1]], [eager[0], *eager[1]]))
    second = grad(lambda w: sum(grad(loss)(w, rows)))
    assert all(map(close, jit(second)([0.3, -0.7]), second([0.3, -0.7])))


@pytest.mark.uncounted
@relaxed
@given(plan=steps, xs=st.lists(numbers, min_size=1, max_size=3))
def test_a_gradient_recorded_inside_agrees(
    plan: list[tuple[int, int, int]], xs: list[float]
) -> None:
    """Compiling a gradient gives the gradient."""
    both = value_and_grad(program(plan))
    value, gradient = jit(both)(xs)
    expected_value, expected = both(xs)
    assert close(value, expected_value)
    assert all(map(close, gradient, expected))
