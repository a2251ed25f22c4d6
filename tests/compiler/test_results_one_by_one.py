"""Results of vmap that are used one by one outside it: in pairs, carried on, looked up."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from scalargrad import gradients, jit, maximum, take, tanh, value_and_grad, vmap
from scalargrad.value import Value

COUNT = 260
RNG = random.Random(7)
NUMBERS = [RNG.gauss(0.0, 1.0) for _ in range(COUNT)]


def unit(w: Any, x: Any) -> Any:
    """Return what is computed for one example."""
    return tanh(w[0] * x + w[1]) * maximum(w[1], 0.5 * x)


def pairs(w: Any, found: Any) -> Any:
    """Compare results with several others, and add all of them up, as the examples' own sum."""
    total = sum(found)
    for i in range(COUNT):
        for j in range(max(i - 12, 0), i):
            total = total + (found[i] - w[1] * found[j]) ** 2
    return total


def carried(w: Any, found: Any) -> Any:
    """Carry a state from one result to the next, many times around."""
    state = total = w[0]
    for _ in range(8):
        for x in found:
            state = 0.9 * state + x
            total = total + state * state
    return total


def looked_up(w: Any, found: Any) -> Any:
    """Let an index choose among the results."""
    return carried(w, [take(found, k) + w[0] for k in range(COUNT)])


@pytest.mark.alike
@pytest.mark.parametrize("outside", [pairs, carried, looked_up])
@pytest.mark.parametrize("kind", [list, np.array])
def test_results_used_one_by_one_are_as_in_a_loop(
    outside: Callable[[Any, Any], Any], kind: Callable[[Any], Any]
) -> None:
    """Values and gradients are those without vmap, for lists, whole arrays and data closed over."""
    w = [0.7, -0.3]

    def given(w: Any, xs: Any) -> Any:
        return outside(w, list(vmap(unit, in_axes=(None, 0))(w, xs)))

    def closed_over(w: Any) -> Any:
        return given(w, kind(NUMBERS))

    def plain(w: Any) -> Any:
        return outside(w, [unit(w, x) for x in NUMBERS])

    value, slopes = value_and_grad(plain)(w)
    for found in (
        jit(value_and_grad(given))(w, kind(NUMBERS)), jit(value_and_grad(closed_over))(w)
    ):  # fmt: skip
        assert found[0] == pytest.approx(value, rel=1e-12)
        assert found[1] == pytest.approx(slopes, rel=1e-11)


def test_gradients_by_results_pass_through_those_alone() -> None:
    """A result read twice is one number to a gradient by it, and another to the sum of all."""

    def slopes(w: Any, xs: Any) -> Any:
        found = vmap(unit, in_axes=(None, 0))(w, xs)
        return gradients(pairs(w, found), [found[0], found[-1]])

    w, xs = [Value(0.7), Value(-0.3)], [Value(x) for x in NUMBERS]
    assert jit(slopes)(w, xs) == pytest.approx(slopes(w, xs), rel=1e-11)
