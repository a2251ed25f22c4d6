"""while_loop: against Python loops and closed forms."""

from __future__ import annotations

import math
import random
import warnings
from typing import Any

import pytest

import scalargrad as sg
from scalargrad import (
    JitWarning,
    Value,
    grad,
    jit,
    log,
    sin,
    sqrt,
    take,
    value_and_grad,
    vmap,
    where,
    while_loop,
)
from scalargrad.errors import OperandError, TraceError

pytestmark = pytest.mark.behaviour

POINTS = [4.0, 2.0, 9.0, 1e6, 0.01]


def newton(a: Any) -> Any:
    """Return the square root of a number by Newton's method."""
    return while_loop(lambda x: abs(x * x - a) > 1e-14 * a, lambda x: (x + a / x) / 2, a + 1)


@pytest.mark.parametrize("a", POINTS)
def test_while_loop_and_its_derivatives_match_a_closed_form(a: float) -> None:
    """A square root by Newton's method, eagerly and compiled; derivatives are of the iteration."""
    for f in (newton, jit(newton)):
        assert f(a) == pytest.approx(math.sqrt(a), rel=1e-13)
        assert grad(f)(a) == pytest.approx(0.5 / math.sqrt(a), rel=1e-9)
    assert jit(grad(newton))(a) == pytest.approx(0.5 / math.sqrt(a), rel=1e-9)
    assert jit(grad(grad(newton)))(a) == pytest.approx(-0.25 / a**1.5, rel=1e-6)


def test_jitted_while_loop_takes_any_number_of_steps_without_a_warning() -> None:
    """A program serves all calls up to a power of two of steps."""

    def halve(x: Any) -> Any:
        return while_loop(lambda c: c[0] > 1.0, lambda c: (c[0] / 2, c[1] + 1), (x, 0.0))

    compiled = jit(halve)
    with warnings.catch_warnings():
        warnings.simplefilter("error", JitWarning)
        for steps in (9, 3, 16, 0, 17, 100, 500, 1000, 2):
            assert compiled(2.0**steps) == halve(2.0**steps) == (1.0, steps)


def test_while_loop_in_vmap_and_scan_stops_separately() -> None:
    """Each example and step has its own number of iterations, and its own gradient."""
    assert jit(vmap(newton))(POINTS) == pytest.approx([math.sqrt(a) for a in POINTS], rel=1e-13)
    slopes = jit(vmap(grad(newton)))(POINTS)
    assert slopes == pytest.approx([0.5 / math.sqrt(a) for a in POINTS], rel=1e-9)

    def total(a: Any) -> Any:
        return sg.scan(lambda c, x: (c + newton(a * x), None), 0.0, POINTS)[0]

    found, slope = jit(value_and_grad(total))(2.0)
    expected = sum(math.sqrt(2.0 * x) for x in POINTS)
    assert (found, slope) == pytest.approx((expected, expected / 4.0), rel=1e-9)


def test_gradient_of_while_loop_ignores_iterations_after_the_last() -> None:
    """At the end state, 1/distance and the derivative of a root are infinite."""

    def arrival(speed: Any) -> Any:
        def step(c: Any) -> Any:
            left, time = c
            return left - left, time + sqrt(left) * (left / sqrt(left)) / speed / left * left

        return while_loop(lambda c: c[0] > 0, step, (0 * speed + 3.0, 0.0))[1]

    assert jit(value_and_grad(arrival))(2.0) == pytest.approx((1.5, -0.75))
    assert value_and_grad(arrival)(2.0) == pytest.approx((1.5, -0.75))


@pytest.mark.parametrize("e", [1.0, 0.5])
def test_while_loop_in_while_loop(e: float) -> None:
    """Kepler's equation, solved in each step of a search for the time of an anomaly."""

    def anomaly(m: Any) -> Any:
        return while_loop(
            lambda e: abs(e - 0.3 * sin(e) - m) > 1e-13, lambda e: m + 0.3 * sin(e), m
        )

    def time_of(e: Any) -> Any:
        return while_loop(
            lambda m: abs(anomaly(m) - e) > 1e-11, lambda m: m + 0.8 * (e - anomaly(m)), e
        )

    assert jit(time_of)(e) == pytest.approx(e - 0.3 * math.sin(e), abs=1e-10)


@pytest.mark.parametrize("c", [0.7, 5.0])
def test_grad_in_while_loop(c: float) -> None:
    """Newton's method for the minimum of c·x - log x at 1/c; a step beyond 0 is halved."""

    def lowest(c: Any) -> Any:
        def slope(x: Any) -> Any:
            return grad(lambda x: c * x - where(x > 0.0, log(where(x > 0.0, x, 1.0)), x))(x)

        def step(x: Any) -> Any:
            near = x - slope(x) / grad(slope)(x)
            return sg.cond(near > 0, lambda: near + 0 * log(near), lambda: x / 2)

        return while_loop(lambda x: abs(slope(x)) > 1e-12, step, 1.0 + 0 * c)

    assert jit(lowest)(c) == pytest.approx(1 / c, rel=1e-12)
    assert jit(value_and_grad(lowest))(c) == pytest.approx((1 / c, -1 / c**2), rel=1e-9)


@pytest.mark.parametrize("c", [1.0, 2.0])
def test_grad_of_take_in_while_loop(c: float) -> None:
    """A ball rolls down a piecewise linear slope; one piece depends on the parameter."""

    def roll(c: Any) -> Any:
        def height(x: Any) -> Any:
            return take([-0.3, 0.1 * c, 0.2], where(x < 0, 0, where(x < 1, 1, 2))) * x

        return while_loop(lambda x: x > -1.0, lambda x: x - abs(grad(height)(x)), 2.05)

    assert jit(value_and_grad(roll))(c) == pytest.approx(value_and_grad(roll)(c), rel=1e-12)


def test_while_loop_refuses_a_carry_that_changes_its_structure() -> None:
    """The error names body_fun."""
    with pytest.raises(OperandError, match="body_fun"):
        jit(lambda x: while_loop(lambda c: c[0] > 1, lambda c: [c[0] / 2, *c], [x]))(4.0)


def test_while_loop_refuses_text_as_condition() -> None:
    """A nonempty string would always be true."""
    with pytest.raises(OperandError, match="condition"):
        while_loop(lambda c: "yes", lambda c: c, 1.0)


def test_jitted_while_loop_refuses_drawn() -> None:
    """The number of draws is not known when the program starts."""
    rng = random.Random(1)
    with pytest.raises(TraceError, match="draw"):
        jit(lambda x: while_loop(lambda c: c > 1, lambda c: c * sg.drawn(rng.random), x))(4.0)


def test_while_loop_carries_nested_containers() -> None:
    """Dicts and lists of Values and floats; the condition may be a Value other than 0."""

    def f(r: Any, x: Any) -> Any:
        def step(c: Any) -> Any:
            return {"x": [c["x"][0] * r, c["x"][1] + 1], "left": c["left"] - 1}

        return while_loop(lambda c: c["left"], step, {"x": [x, 0], "left": 5.0})["x"][0]

    r, x = Value(0.5), Value(9.0)
    for g in (f, jit(f)):
        y = g(r, x)
        r.grad = x.grad = 0.0
        y.backward()
        assert (y.data, r.grad, x.grad) == pytest.approx((9 / 32, 45 * 0.5**4, 1 / 32))
