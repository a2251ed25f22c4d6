"""Long recurrences under vmap: each example has the digits it has alone, and eager gradients."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
from tests.compiler.loops import draws
from tests.compiler.nests import run_as_nests

import scalargrad as sg
from scalargrad import grad, jit, scan, value_and_grad, vmap

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


@pytest.mark.native
@pytest.mark.parametrize("body", BODIES)
def test_each_example_has_the_digits_it_has_alone(body: Function) -> None:
    """An example of vmap and the function by itself agree to the bit, however many there are."""
    alone = jit(lambda x, k: body(x, k, steps=MANY))
    expected = [alone(x, 0.7) for x in draws(300)]
    for count in (2, 8, 29, 300):
        together = jit(lambda xs, k: vmap(lambda x: body(x, k, steps=MANY))(xs))
        assert together(draws(count), 0.7) == expected[:count], count


def normalized(p: Any) -> Any:
    """Return examples of two numbers, of which some read sums over the others."""
    zs = vmap(lambda x: sg.tanh(p[0] * x + p[1]))([0.3, -0.2, 1.1, 0.9, p[2]])
    mean = sum(zs) / len(zs)
    spread = sum(vmap(lambda z: (z - mean) ** 2)(zs))
    ys = vmap(lambda z: (z - mean) / sg.sqrt(spread + 0.1))(zs)
    return sum(vmap(lambda a, b: a * b + p[0])(ys[:3], [p[1], 2.0, p[2]])) + ys[4] ** 3


def slopes(p: Any) -> Any:
    """Return a sum over gradients within examples, by what each has and by what all have."""
    at = vmap(grad(lambda x: sg.sin(p[0] * x) * p[1]))([0.1, p[2], 0.4])
    by = vmap(lambda x: grad(lambda w: sg.exp(w * x) + w)(p[1]))([0.5, -0.3, 0.2, p[0]])
    return sum(a * a for a in at) + sum(vmap(sg.tanh)(by))


@pytest.mark.native
@pytest.mark.parametrize("f", [normalized, slopes])
def test_short_examples_run_as_nests_have_the_gradient_of_values(f: Function) -> None:
    """Examples of several numbers, sums between them, gradients within them, inputs as lanes."""
    p = [0.7, -0.4, 0.6]
    found = run_as_nests(f, p)
    assert found is not None
    value, expected = value_and_grad(f)(p)
    assert found[:1] + found[-3:] == pytest.approx([value, *expected], rel=1e-12)


def test_an_overflow_in_one_example_leaves_the_others_their_digits() -> None:
    """A fixed point, what vanishes, and what grows beyond all numbers."""

    def body(x: Any) -> Any:
        for _ in range(2500):
            x = x * x * 1.5
        return x

    compiled = jit(vmap(body))
    assert compiled([1.0 / 1.5, 0.25]) == [1.0 / 1.5, 0.0]
    assert compiled([1.0 / 1.5, 3.0]) == [1.0 / 1.5, math.inf]
