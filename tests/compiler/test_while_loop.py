"""while_loop, against Python's loop and closed forms."""

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
    """Return the square root of a number."""
    return while_loop(lambda x: abs(x * x - a) > 1e-14 * a, lambda x: (x + a / x) / 2, a + 1)


def test_a_square_root_and_its_derivatives_are_those_of_the_closed_form() -> None:
    """By Newton's method, eagerly and compiled; the derivatives are of the steps taken."""
    for f in (newton, jit(newton)):
        for a in POINTS:
            assert f(a) == pytest.approx(math.sqrt(a), rel=1e-13)
            assert grad(f)(a) == pytest.approx(0.5 / math.sqrt(a), rel=1e-9)
    for a in POINTS:
        assert jit(grad(newton))(a) == pytest.approx(0.5 / math.sqrt(a), rel=1e-9)
        assert jit(grad(grad(newton)))(a) == pytest.approx(-0.25 / a**1.5, rel=1e-6)


def test_fewer_steps_need_no_recording_and_more_are_as_they_are_eagerly() -> None:
    """A program serves all calls up to a power of two of steps; no call is warned of."""

    def halvings(x: Any) -> Any:
        return while_loop(lambda c: c[0] > 1.0, lambda c: (c[0] / 2, c[1] + 1), (x, 0.0))

    compiled = jit(halvings)
    with warnings.catch_warnings():
        warnings.simplefilter("error", JitWarning)
        for steps in (9, 3, 16, 0, 17, 100, 500, 1000, 2):
            assert compiled(2.0**steps) == halvings(2.0**steps) == (1.0, steps)


def test_examples_and_steps_of_a_scan_stop_by_themselves() -> None:
    """Each has as many steps as alone, with its own gradient."""
    assert jit(vmap(newton))(POINTS) == pytest.approx([math.sqrt(a) for a in POINTS], rel=1e-13)
    slopes = jit(vmap(grad(newton)))(POINTS)
    assert slopes == pytest.approx([0.5 / math.sqrt(a) for a in POINTS], rel=1e-9)

    def total(a: Any) -> Any:
        return sg.scan(lambda c, x: (c + newton(a * x), None), 0.0, POINTS)[0]

    found, slope = jit(value_and_grad(total))(2.0)
    expected = sum(math.sqrt(2.0 * x) for x in POINTS)
    assert (found, slope) == pytest.approx((expected, expected / 4.0), rel=1e-9)


def test_a_step_that_is_undefined_after_the_last_hurts_no_gradient() -> None:
    """The last step goes exactly to the end, from where 1/distance and a root's slope are inf."""

    def arrival(speed: Any) -> Any:
        def step(c: Any) -> Any:
            left, time = c
            return left - left, time + sqrt(left) * (left / sqrt(left)) / speed / left * left

        return while_loop(lambda c: c[0] > 0, step, (0 * speed + 3.0, 0.0))[1]

    assert jit(value_and_grad(arrival))(2.0) == pytest.approx((1.5, -0.75))
    assert value_and_grad(arrival)(2.0) == pytest.approx((1.5, -0.75))


def test_a_loop_within_a_loop() -> None:
    """Kepler's equation, solved in each step of a search for the time of an anomaly."""

    def anomaly(m: Any) -> Any:
        return while_loop(
            lambda e: abs(e - 0.3 * sin(e) - m) > 1e-13, lambda e: m + 0.3 * sin(e), m
        )

    def time_of(e: Any) -> Any:
        return while_loop(
            lambda m: abs(anomaly(m) - e) > 1e-11, lambda m: m + 0.8 * (e - anomaly(m)), e
        )

    for e in (1.0, 0.5):
        assert jit(time_of)(e) == pytest.approx(e - 0.3 * math.sin(e), abs=1e-10)


def test_derivatives_in_each_step() -> None:
    """Newton's method finds where c·x - log x is lowest, 1/c; a step too far is halved."""

    def lowest(c: Any) -> Any:
        def slope(x: Any) -> Any:
            return grad(lambda x: c * x - where(x > 0.0, log(where(x > 0.0, x, 1.0)), x))(x)

        def step(x: Any) -> Any:
            near = x - slope(x) / grad(slope)(x)
            return sg.cond(near > 0, lambda: near + 0 * log(near), lambda: x / 2)

        return while_loop(lambda x: abs(slope(x)) > 1e-12, step, 1.0 + 0 * c)

    for c in (0.7, 5.0):
        assert jit(lowest)(c) == pytest.approx(1 / c, rel=1e-12)
        assert jit(value_and_grad(lowest))(c) == pytest.approx((1 / c, -1 / c**2), rel=1e-9)


def test_a_derivative_of_a_lookup_in_each_step() -> None:
    """A ball rolls down a stair of slopes, of which one depends on what is differentiated."""

    def rolled(c: Any) -> Any:
        def height(x: Any) -> Any:
            return take([-0.3, 0.1 * c, 0.2], where(x < 0, 0, where(x < 1, 1, 2))) * x

        return while_loop(lambda x: x > -1.0, lambda x: x - abs(grad(height)(x)), 2.05)

    for c in (1.0, 2.0):
        assert jit(value_and_grad(rolled))(c) == pytest.approx(value_and_grad(rolled)(c), rel=1e-12)


def test_what_cannot_be_repeated_or_has_another_form_is_refused() -> None:
    """With the remedy, not with a number that is wrong."""
    rng = random.Random(1)
    with pytest.raises(OperandError, match="body_fun"):
        jit(lambda x: while_loop(lambda c: c[0] > 1, lambda c: [c[0] / 2, *c], [x]))(4.0)
    with pytest.raises(OperandError, match="condition"):
        while_loop(lambda c: "yes", lambda c: c, 1.0)
    with pytest.raises(TraceError, match="draw"):
        jit(lambda x: while_loop(lambda c: c > 1, lambda c: c * sg.drawn(rng.random), x))(4.0)


def test_values_are_carried_in_any_nesting() -> None:
    """Dicts and lists of Values and floats; the condition may be a Value that is not 0."""

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
