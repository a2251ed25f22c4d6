"""A scan of many steps is its steps one by one, to the bit, with entries of any kind."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.compiler.loops import draws

from scalargrad import (
    DomainError,
    exp,
    jit,
    log,
    relu,
    scan,
    sin,
    value_and_grad,
    where,
)

STEPS = 2000
DATA = draws(STEPS, 2)
WIDE = 24
XS = np.random.default_rng(4).normal(size=(50, 3))


def growth(carry: Any, x: Any) -> tuple[Any, Any]:
    """Make a step whose sums round otherwise where products are not fused with them."""
    return [0.9 * c * (1.1 - c * c) + 0.01 * x[0] for c in carry], carry[0]


def branching(carry: Any, x: Any) -> tuple[Any, Any]:
    """Take another way where a number is large."""
    if x[0] > 1.5:
        return [c * 0.5 for c in carry], x[1]
    return [where(c > x[1], c - x[0], relu(c) + sin(x[2])) for c in carry], carry[0]


def restarting(s: Any, x: Any) -> tuple[Any, Any]:
    """Start a sum again whenever it has passed 1."""
    return (s + x[0] * x[0] if s < 1.0 else s - 1.0), s


def one_by_one(step: Callable[..., Any], carry: Any, xs: Any) -> tuple[Any, list[Any]]:
    """Make the steps of a scan by calls."""
    results = []
    for x in xs:
        carry, result = step(carry, x)
        results.append(result)
    return carry, results


@pytest.mark.parametrize("wide", [1, 2, WIDE])
@pytest.mark.parametrize("step", [growth, branching])
def test_a_scan_has_the_digits_of_single_steps(step: Callable[..., Any], wide: int) -> None:
    """Carry and results, also where comparisons come out otherwise on the way."""
    start, compiled = np.linspace(-0.5, 0.6, wide + 1)[1:].tolist(), jit(step)
    assert scan(compiled, start, XS) == one_by_one(compiled, start, XS)


def test_many_short_steps_have_the_digits_of_single_steps() -> None:
    """So many that they are worth code of their own: a sum, and a window that moves by one."""
    xs = np.random.default_rng(1).normal(size=(22_000, 1))
    compiled = jit(restarting)
    assert scan(compiled, 0.25, xs) == one_by_one(compiled, 0.25, xs)
    carry, ys = scan(jit(lambda c, x: ([*c[1:], x], c[0])), [1.0, 2.0, 3.0], DATA * 11)
    assert (carry, ys) == (DATA[-3:], [1.0, 2.0, 3.0, *(DATA * 11)[:-3]])


@pytest.mark.parametrize("kind", ["list", "array", "rows", "tuple", "dict", "nothing"])
def test_entries_and_results_may_be_of_any_kind(kind: str) -> None:
    """A running sum of what entries hold, and a result of any nesting."""
    given: Any = {
        "list": DATA,
        "array": np.array(DATA),
        "rows": np.array([(x, 2.0 * x) for x in DATA]),
        "tuple": (DATA, np.array(DATA) * 2.0),
        "dict": {"a": DATA, "b": [2.0 * x for x in DATA]},
        "nothing": None,
    }[kind]

    def step(carry: Any, x: Any) -> Any:
        if kind == "nothing":
            x = 0.5
        elif kind in {"rows", "tuple"}:
            x = x[0] + x[1]
        elif kind == "dict":
            x = x["a"] + x["b"]
        return {"sum": carry["sum"] + x, "age": carry["age"] + 1.0}, [x, {"before": carry["sum"]}]

    carry, results = scan(jit(step), {"sum": 0.25, "age": 0.0}, given, length=len(DATA))
    factor = 1.0 if kind in {"list", "array"} else 3.0
    each = [0.5] * len(DATA) if kind == "nothing" else [factor * x for x in DATA]
    assert carry["age"] == len(DATA)
    assert carry["sum"] == pytest.approx(0.25 + math.fsum(each), rel=1e-9)
    assert results[-1][0] == pytest.approx(each[-1], rel=1e-12)
    assert results[1][1]["before"] == pytest.approx(0.25 + each[0], rel=1e-12)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (np.arange(STEPS), STEPS * (STEPS - 1) / 2),
        (range(STEPS), STEPS * (STEPS - 1) / 2),
        ([0, 1.0] * (STEPS // 2), STEPS / 2),
        (np.ones((STEPS, 1, 2)), STEPS),
        ([True, False] * (STEPS // 2), STEPS / 2),
        ([[1.0], [0.0, 0.0]] * (STEPS // 2), STEPS / 2),
    ],
    ids=["integers", "range", "mixed", "deep", "flags", "ragged"],
)
def test_entries_of_other_types_are_the_same_numbers(given: Any, expected: float) -> None:
    """Whole numbers, arrays of arrays, flags and rows of different lengths."""

    def step(s: Any, x: Any) -> Any:
        while isinstance(x, list | tuple | np.ndarray):
            x = x[0]
        return s + (float(x) if isinstance(x, bool) else x), None

    assert scan(jit(step), 0.0, given)[0] == expected


def test_a_step_out_of_its_domain_or_beyond_all_numbers_is_as_eagerly() -> None:
    """The logarithm of what has become 0 raises; growth is inf from the step on as in Python."""
    with pytest.raises(DomainError, match="log"):
        scan(jit(lambda x, _: (x - 1.0, log(x))), float(STEPS), length=STEPS + 2)
    assert scan(jit(lambda x, _: (x * x, None)), 2.0, length=STEPS)[0] == math.inf
    carry, ys = scan(jit(lambda x, _: (exp(x) * 1.0, x)), 0.5, length=20)
    assert (carry, ys[-1]) == (math.inf, math.inf)


def swing(carry: Any, x: Any) -> Any:
    """Return the next angle and speed, the error so far, and no result."""
    angle, speed, total, (pull, drag) = carry
    speed = speed - 0.05 * (pull * sin(angle) + drag * speed)
    angle = angle + 0.05 * speed
    return (angle, speed, total + (angle - x) * (angle - x), (pull, drag)), None


@pytest.mark.parametrize("inside", [False, True])
def test_gradients_flow_through_a_scan(inside: bool) -> None:
    """Of the errors of a pendulum, as finite differences have them."""

    def loss(p: Any) -> Any:
        return scan(jit(swing), (1.0, 0.0, 0.0, (p[0], p[1])), DATA[:200])[0][2]

    run = value_and_grad(loss)
    for _ in range(2):
        value, gradient = (jit(run) if inside else run)([1.3, 0.1])
    above, below = (float(loss([1.3 + h, 0.1])) for h in (1e-6, -1e-6))
    assert value == pytest.approx(float(loss([1.3, 0.1])), rel=1e-11)
    assert gradient[0] == pytest.approx((above - below) / 2e-6, rel=1e-6)
