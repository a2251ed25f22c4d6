"""scan: results, gradients and errors are those of a Python loop over the step."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.compiler.loops import calls_made

import scalargrad as sg
from scalargrad import (
    NumericalError,
    OperandError,
    TraceError,
    Value,
    drawn,
    grad,
    jit,
    scan,
)

Step = Callable[[Any, Any], tuple[Any, Any]]


def loop(f: Step, carry: Any, xs: Any) -> tuple[Any, list[Any]]:
    """Apply a step to each element in a Python loop."""
    ys = []
    for x in xs:
        carry, y = f(carry, x)
        ys.append(y)
    return carry, ys


@pytest.mark.parametrize(
    "xs",
    [
        [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]],
        np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]),
        ([1.0, 3.0, 5.0], np.array([2, 4, 6])),
        {0: (1.0, 3.0, 5.0), 1: [2, 4, 6]},
    ],
    ids=["list", "array", "tuple", "dict"],
)
@pytest.mark.parametrize("compiled", [False, True])
def test_scan_iterates_over_each_kind_of_xs(xs: Any, compiled: bool) -> None:
    """Along the axis of a list or array, or of each part of a tuple or dict."""

    def horner(s: Any, x: Any) -> tuple[Any, Any]:
        return s * 10.0 + x[0] - x[1], s

    assert scan(jit(horner) if compiled else horner, 2, xs) == (1889.0, [2.0, 19.0, 189.0])


def test_scan_with_length_instead_of_xs() -> None:
    """Interest of 5 %, paid n times, and no steps at all."""
    save = jit(lambda money, _: (money * 1.05, None))
    assert scan(save, 100.0, length=10) == (pytest.approx(100.0 * 1.05**10, rel=1e-12), [None] * 10)
    assert scan(save, 100.0, length=0) == scan(save, 100.0, []) == (100.0, [])
    assert scan(save, np.full(3, 1.0), length=20)[0].tolist() == [scan(save, 1.0, length=20)[0]] * 3


def test_scan_of_a_step_with_conditions_takes_both_branches() -> None:
    """Collatz from 27 has 111 steps and reaches 9,232; the second path is compiled once it pays."""

    @jit
    def collatz(n: Any, _: Any) -> tuple[Any, Any]:
        half = n * 0.5
        is_odd = sg.sin(math.pi * half) ** 2 > 0.5
        return (3.0 * n + 1.0 if is_odd else half), n

    last, passed = scan(collatz, 27, length=111)
    assert (last, max(passed)) == (1.0, 9232.0)
    again = (calls_made(lambda: scan(collatz, 97, length=118), "collatz") for _ in range(100))
    assert 0 in again


def test_gradients_of_scan_reach_the_carry_and_captured_values() -> None:
    """x₄ = a⁴x₀ has the derivatives a⁴ and 4a³x₀, with a carried or captured."""
    grow = jit(lambda c, _: ((c[0] * c[1], c[1]), None))
    x, a = Value(2.0), Value(3.0)
    scan(grow, (x, a), length=4)[0][0].backward()
    assert (x.grad, a.grad) == (81.0, 216.0)
    rate = Value(3.0)
    last, _ = scan(jit(lambda x, _: (x * rate, None)), 2.0, length=4)
    last.backward()
    assert (last.data, rate.grad) == (162.0, 216.0)
    assert grad(grad(lambda x: scan(jit(lambda y, _: (y * y, y)), x, length=3)[0]))(1.0) == 56.0


def test_drawn_in_scan_draws_the_numbers_of_a_loop() -> None:
    """A random walk on a ring: a step that is repeated for its other branch draws once."""

    def make_walk(rng: random.Random) -> Step:
        def step(x: Any, _: Any) -> tuple[Any, Any]:
            moved = x + drawn(rng.uniform, 0.0, 0.7)
            return (moved - 1.0 if moved > 1.0 else moved), moved

        return step

    ours, theirs = random.Random(7), random.Random(7)
    found = scan(jit(make_walk(ours)), 0.5, length=40)
    expected = loop(make_walk(theirs), 0.5, [None] * 40)
    assert found[0] == pytest.approx(expected[0], rel=1e-12)
    assert found[1] == pytest.approx(expected[1], rel=1e-12)
    assert ours.random() == theirs.random()


INVALID_LENGTHS: dict[str, tuple[Any, Any]] = {
    "neither": (None, None),
    "two lengths": ([1.0], 2),
    "unequal parts": (([1.0], [1.0, 2.0]), None),
    "number": (3.0, None),
    "number in a tuple": ((1.0, [2.0]), None),
    "iterator": (iter([1.0]), None),
    "array without axis": (np.array(1.0), None),
    "negative": (None, -1),
}


@pytest.mark.parametrize(("xs", "length"), INVALID_LENGTHS.values(), ids=INVALID_LENGTHS)
def test_scan_refuses_arguments_without_a_definite_number_of_steps(xs: Any, length: Any) -> None:
    """Before the first step."""
    with pytest.raises(OperandError, match=r"steps|entries|length"):
        scan(lambda c, x: (c, x), 1.0, xs, length)


def test_scan_in_jit_refuses_more_operations_than_fit_in_memory() -> None:
    """It would trace all steps; the error recommends a jitted step outside."""
    with pytest.raises(TraceError, match=r"outside"):
        jit(lambda x: scan(lambda c, _: (c * 1.5 + 1.0, None), x, length=10**7)[0])(1.0)


@pytest.mark.parametrize("result", [1.0, [1.0, 2.0, 3.0]])
@pytest.mark.parametrize("compiled", [False, True])
def test_scan_refuses_a_step_that_does_not_return_a_pair(result: Any, compiled: bool) -> None:
    """The message has the result."""

    def step(c: Any, _: Any) -> Any:
        return result

    with pytest.raises(OperandError, match="pair"):
        scan(jit(step) if compiled else step, 1.0, length=2)


# Steps with loops ---------------------------------------------------------------------------------


def test_scan_of_a_jitted_step_with_loops_has_the_bits_of_single_calls() -> None:
    """And raises the error of a single call if a number is not finite."""
    points = [[0.1 * i, math.sin(i)] for i in range(60)]

    def error(w: Any) -> Any:
        return sum((sg.tanh(w[0] * x + w[1]) - y) ** 2 for x, y in points)

    @jit
    def step(w: Any, rate: Any) -> Any:
        slope = grad(error)(w)
        moved = [a - rate * b for a, b in zip(w, slope, strict=True)]
        return moved, error(w)

    rates = [0.0001 * (1 + i % 3) for i in range(400)]
    w, errors = [0.3, 0.1], []
    for rate in rates:
        w, e = step(w, rate)
        errors.append(e)
    assert scan(step, [0.3, 0.1], rates) == (w, errors)
    with pytest.raises(NumericalError):  # which a step by itself raises, too
        scan(step, [0.3, 0.1], [*rates[:50], math.inf, *rates[50:60]])
