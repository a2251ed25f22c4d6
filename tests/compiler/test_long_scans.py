"""A scan of many steps is its steps one by one, to the bit, with entries of any kind."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from tests.compiler.loops import calls_made, draws

from scalargrad import DomainError, exp, jit, log, relu, scan, sin, value_and_grad, where

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


def test_scan_of_steps_without_numbers_returns_their_constants() -> None:
    """Such steps have nothing to run."""
    assert scan(jit(lambda c, x: (None, "text")), None, length=50) == (None, ["text"] * 50)


def test_many_short_steps_have_the_digits_of_single_steps() -> None:
    """So many that they are worth code of their own: a sum, and a window that moves by one."""
    xs = np.random.default_rng(1).normal(size=(22_000, 1))
    compiled = jit(restarting)
    assert scan(compiled, 0.25, xs) == one_by_one(compiled, 0.25, xs)
    moved = partial(scan, jit(lambda c, x: ([*c[1:], x], c[0])), [1.0, 2.0, 3.0], DATA * 11)
    assert moved() == (DATA[-3:], [1.0, 2.0, 3.0, *(DATA * 11)[:-3]])
    assert calls_made(moved) < STEPS  # of Python


def nested(c: Any, x: Any) -> Any:
    """Return a result of tuples, lists and dicts, with constants and the same number twice."""
    return 0.5 * c + x, {"now": c, "parts": [x, (c, None, "text", 2, True)], "pair": (c, c)}


def with_array(c: Any, x: Any) -> Any:
    """Return an array and an empty list; the numbers of the carry are given in another order."""
    return (c[0] + x, [c[2], *c[1][:1]], 0.5 * c[0]), [np.array([c[0], x]).sum(), []]


@pytest.mark.parametrize(("step", "start"), [(nested, 0.25), (with_array, (0.5, [1.0, 2.0], 3.0))])
def test_results_of_a_scan_are_those_of_single_steps(step: Callable[..., Any], start: Any) -> None:
    """Numbers, constants and containers, which no two results share."""
    compiled = jit(step)
    carry, results = scan(compiled, start, DATA)
    assert (carry, results) == one_by_one(compiled, start, DATA)
    parts = [y["parts"] if step is nested else y for y in results]
    assert len({*map(id, parts)}) == STEPS


def test_a_long_scan_inside_a_function_calls_its_step_a_few_times() -> None:
    """What further steps write is known from two that wrote the same."""
    compiled = jit(lambda c, xs: scan(growth, c, xs)[0])
    for xs in ([[x] for x in DATA], (np.array(DATA), np.ones((STEPS, 2)))):
        assert calls_made(partial(compiled, [0.25], xs), "growth") < 10
    halves = jit(lambda c, xs: scan(lambda c, x: (c / 2.0 + x, None), c, [1.0] * 4 + xs)[0])
    assert halves(1.0, [2.0] * 10 * STEPS) == 4.0  # the first are known


class Total:
    """What no program returns."""

    def __init__(self, of: Any) -> None:
        self.of = of


def in_place(xs: Any) -> Any:
    """Change the list that is carried, which is read afterwards."""
    sums = [0.0 * xs[0]]

    def step(carry: Any, x: Any) -> Any:
        carry[0] = 0.9 * carry[0] + x
        return carry, None

    scan(step, sums, xs)
    return sums[0]


#: Functions of many steps of which something is not like the others.
APART: list[Callable[[Any], Any]] = [
    in_place,
    lambda xs: scan(lambda c, x: (2.0 * c if x is xs[-1] else 0.9 * c + x, None), 0.0, xs)[0],
    lambda xs: scan(lambda c, x: (0.9 * c + x, Total(c)), 0.0, xs)[1][-1].of,
    lambda xs: scan(lambda c, x: ((c[1] + x, 0.9 * c[0]), c), (xs[0], xs[0]), xs)[0][1],
    lambda xs: scan(lambda c, x: ((x, 0.9 * c[1] + c[0]), None), (xs[0], xs[1]), xs)[0][1],
    lambda xs: scan(lambda c, x: (0.9 * c + x[0] * x[1], xs[:2]), xs[0], (xs, xs))[1][7][0],
    lambda xs: scan(lambda c, x: (0.9 * c + x, None), xs[0], [*xs, *[2.0 * x for x in xs]])[0],
]


@pytest.mark.parametrize("f", APART)
def test_steps_that_are_not_alike_are_as_eagerly(f: Callable[[Any], Any]) -> None:
    """With their gradients."""
    (y, slopes), (expected, its_slopes) = jit(value_and_grad(f))(DATA), value_and_grad(f)(DATA)
    assert [y, *slopes] == pytest.approx([expected, *its_slopes], rel=1e-12)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (np.arange(STEPS), STEPS * (STEPS - 1) / 2),
        ([0, 1.0] * (STEPS // 2), STEPS / 2),
        ([True, False] * (STEPS // 2), STEPS / 2),
        ([[1.0], [0.0, 0.0]] * (STEPS // 2), STEPS / 2),
    ],
    ids=["integers", "mixed", "flags", "ragged"],
)
def test_entries_of_other_types_are_the_same_numbers(given: Any, expected: float) -> None:
    """Whole numbers, flags and rows of different lengths."""

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
