"""Gradients with respect to nodes inside a graph, of gradients that depend on them in two ways.

As in PyTorch, what a local gradient reads of the result of its operation is a function of that
result: the slope of tanh is 1 - y², and moves when y does.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import scalargrad as sg
from scalargrad import Value, gradients, jit, vmap

pytestmark = pytest.mark.usefixtures("backend")

#: For each operation, the derivative by y of ∂(y²)/∂x = 2y·y', written by hand.
SLOPES: dict[str, Callable[[float], float]] = {
    "tanh": lambda y: 2.0 - 6.0 * y * y,
    "sigmoid": lambda y: 4.0 * y - 6.0 * y * y,
    "exp": lambda y: 4.0 * y,
    "sqrt": lambda y: 0.0,
    "tan": lambda y: 2.0 + 6.0 * y * y,
    "log": lambda y: 2.0 / math.exp(y),
}


def slope_by_result(op: Callable[[Any], Any], x: Any) -> Any:
    """Return the derivative of a gradient by the node it flows through."""
    y = op(x)
    slope = gradients(y * y, x, create_graph=True)
    return gradients(slope, y)


@pytest.mark.parametrize("name", SLOPES)
def test_local_gradients_are_functions_of_results(name: str) -> None:
    """Eagerly, compiled, and for each example of vmap."""
    op, xs = getattr(sg, name), [0.3, 0.6, 1.1]
    expected = [SLOPES[name](getattr(math, name, lambda x: 1 / (1 + math.exp(-x)))(x)) for x in xs]
    compiled = jit(lambda x: slope_by_result(op, x))
    for x, slope in zip(xs, expected, strict=True):
        assert slope_by_result(op, Value(x)) == pytest.approx(slope, rel=1e-12, abs=1e-12)
        assert compiled(Value(x)) == pytest.approx(slope, rel=1e-12, abs=1e-12)
    examples = jit(vmap(lambda x: slope_by_result(op, x)))([Value(x) for x in xs])
    assert examples == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_equal_nodes_are_apart() -> None:
    """Of two nodes with one value, each has the gradient that flows through it alone."""

    def f(x: Any) -> Any:
        y, twin = sg.tanh(x), sg.tanh(x)
        slope = gradients(y * y * twin, x, create_graph=True)
        return gradients(slope, [y, twin])

    # slope = (2 y t)(1 - y²) + y² (1 - t²)
    y = math.tanh(0.6)
    by_y = 2.0 * y * (1.0 - 3.0 * y * y) + 2.0 * y * (1.0 - y * y)
    by_twin = 2.0 * y * (1.0 - y * y) - 2.0 * y**3
    for found in (f(Value(0.6)), jit(f)(Value(0.6))):
        assert found == pytest.approx([by_y, by_twin], rel=1e-12)


def test_states_of_a_recurrence() -> None:
    """So it is in loops, of which each state is such a node."""

    def f(p: Any, steps: int) -> Any:
        states: list[Any] = [p[1]]
        for _ in range(steps):
            states.append(sg.tanh(p[0] * states[-1] + 0.1))
        slope = gradients(states[-1] ** 2, p[0], create_graph=True)
        return gradients(slope, [states[-1], states[-2]])

    def by_hand(w: float, x: float, steps: int) -> list[float]:
        slope, states = 0.0, [x]
        for _ in range(steps - 1):
            y = math.tanh(w * states[-1] + 0.1)
            slope = (1.0 - y * y) * (states[-1] + w * slope)
            states.append(y)
        before, inner = states[-1], slope  # d before / dw, of which one factor is 1 - before²
        last = math.tanh(w * before + 0.1)
        from_before = inner / (1.0 - before * before) * -2.0 * before  # by that factor
        # s = 2 y (1 - y²)(b + w b'), with y a function of b in what follows on b
        by_last = (2.0 - 6.0 * last * last) * (before + w * inner)
        by_before = by_last * (1.0 - last * last) * w
        by_before += 2.0 * last * (1.0 - last * last) * (1.0 + w * from_before)
        return [by_last, by_before]

    compiled = jit(f, static_argnums=1)
    for steps in (2, 3, 400):
        p = [Value(0.7), Value(0.4)]
        expected = by_hand(0.7, 0.4, steps)
        assert f(p, steps) == pytest.approx(expected, rel=1e-10)
        assert np.array(compiled(p, steps)) == pytest.approx(expected, rel=1e-10)
