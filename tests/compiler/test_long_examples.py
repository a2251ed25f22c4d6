"""Long recurrences under vmap: each example has the digits it has alone, and eager gradients."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from tests.compiler.loops import draws

import scalargrad as sg
from scalargrad import jit, scan, vmap

Function = Callable[..., Any]

#: So many are a loop, with a gradient; so many are one without.
STEPS, MANY = 500, 2000


def swing(x: Any, k: Any, c: Any = 0.1, steps: int = STEPS) -> Any:
    """Return where a pendulum ends."""
    v = 0.0
    for _ in range(steps):
        x, v = x + 0.1 * v, v + 0.1 * (-k * sg.sin(x) - c * v)
    return x * x + v


def gathered(x: Any, k: Any, steps: int = STEPS) -> Any:
    """Return a sum over all steps of a recurrence."""
    state, total = x, 0.0
    for t in range(steps):
        state = 0.9 * state + 0.1 * sg.tanh(k * state)
        total = total + state * math.sin(0.2 * t)
    return total


def by_scan(x: Any, k: Any, steps: int = STEPS) -> Any:
    """Return the largest of the states and the last one."""
    step = lambda s, u: ((0.8 * s[0] + u * k, sg.maximum(s[0], s[1])), None)  # noqa: E731
    (last, largest), _ = scan(step, (x, x), [math.cos(0.3 * t) for t in range(steps)])
    return last * largest


BODIES: list[Function] = [swing, gathered, by_scan]


@pytest.mark.parametrize("body", BODIES)
def test_each_example_has_the_digits_it_has_alone(body: Function) -> None:
    """An example of vmap and the function by itself agree to the bit, however many there are."""
    alone = jit(lambda x, k: body(x, k, steps=MANY))
    expected = [alone(x, 0.7) for x in draws(300)]
    for count in (2, 8, 29, 300):
        together = jit(lambda xs, k: vmap(lambda x: body(x, k, steps=MANY))(xs))
        assert together(draws(count), 0.7) == expected[:count], count


def test_an_overflow_in_one_example_leaves_the_others_their_digits() -> None:
    """A fixed point, what vanishes, and what grows beyond all numbers."""

    def body(x: Any) -> Any:
        for _ in range(2500):
            x = x * x * 1.5
        return x

    compiled = jit(vmap(body))
    assert compiled([1.0 / 1.5, 0.25]) == [1.0 / 1.5, 0.0]
    assert compiled([1.0 / 1.5, 3.0]) == [1.0 / 1.5, math.inf]
