"""Long recurrences in vmap: each example has the digits of a single call."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from tests.compiler.loops import draws

import scalargrad as sg
from scalargrad import jit, scan, vmap

Function = Callable[..., Any]

#: Number of iterations that are compiled as a loop.
STEPS = 2000


def pendulum(x: Any, k: Any, c: Any = 0.1, steps: int = STEPS) -> Any:
    """Return a number computed from the last state of a pendulum."""
    v = 0.0
    for _ in range(steps):
        x, v = x + 0.1 * v, v + 0.1 * (-k * sg.sin(x) - c * v)
    return x * x + v


def weighted_sum(x: Any, k: Any, steps: int = STEPS) -> Any:
    """Return a weighted sum over all states of a recurrence."""
    state, total = x, 0.0
    for t in range(steps):
        state = 0.9 * state + 0.1 * sg.tanh(k * state)
        total = total + state * math.sin(0.2 * t)
    return total


def largest_by_scan(x: Any, k: Any, steps: int = STEPS) -> Any:
    """Return the product of the largest and the last state."""
    step = lambda s, u: ((0.8 * s[0] + u * k, sg.maximum(s[0], s[1])), None)  # noqa: E731
    (last, largest), _ = scan(step, (x, x), [math.cos(0.3 * t) for t in range(steps)])
    return last * largest


BODIES: list[Function] = [pendulum, weighted_sum, largest_by_scan]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("count", [2, 8, 29, 300])
def test_each_example_of_jitted_vmap_has_the_bits_of_a_single_call(
    body: Function, count: int
) -> None:
    """Also if the examples do not fill the vectors."""
    single = jit(body)
    expected = [single(x, 0.7) for x in draws(300)[:count]]
    mapped = jit(lambda xs, k: vmap(lambda x: body(x, k))(xs))
    assert mapped(draws(300)[:count], 0.7) == expected


def test_overflow_in_one_example_of_vmap_does_not_affect_other_examples() -> None:
    """A fixed point, underflow to 0, and overflow to inf."""

    def body(x: Any) -> Any:
        for _ in range(2500):
            x = x * x * 1.5
        return x

    compiled = jit(vmap(body))
    assert compiled([1.0 / 1.5, 0.25]) == [1.0 / 1.5, 0.0]
    assert compiled([1.0 / 1.5, 3.0]) == [1.0 / 1.5, math.inf]
