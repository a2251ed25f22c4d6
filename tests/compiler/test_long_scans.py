"""scan of many steps: the bits of single calls, for elements of any type."""

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


def logistic_step(carry: Any, x: Any) -> tuple[Any, Any]:
    """Return a step whose digits depend on which products and sums are contracted."""
    return [0.9 * c * (1.1 - c * c) + 0.01 * x[0] for c in carry], carry[0]


def branching_step(carry: Any, x: Any) -> tuple[Any, Any]:
    """Return a step with another branch for large numbers."""
    if x[0] > 1.5:
        return [c * 0.5 for c in carry], x[1]
    return [where(c > x[1], c - x[0], relu(c) + sin(x[2])) for c in carry], carry[0]


def wrapped_sum_step(s: Any, x: Any) -> tuple[Any, Any]:
    """Add a square, or subtract 1 if the sum has passed 1."""
    return (s + x[0] * x[0] if s < 1.0 else s - 1.0), s


def call_steps(step: Callable[..., Any], carry: Any, xs: Any) -> tuple[Any, list[Any]]:
    """Apply a step by single calls."""
    results = []
    for x in xs:
        carry, result = step(carry, x)
        results.append(result)
    return carry, results


@pytest.mark.parametrize("wide", [1, 2, WIDE])
@pytest.mark.parametrize("step", [logistic_step, branching_step])
def test_scan_has_the_bits_of_single_calls(step: Callable[..., Any], wide: int) -> None:
    """Carry and results, also if comparisons differ between steps."""
    start, compiled = np.linspace(-0.5, 0.6, wide + 1)[1:].tolist(), jit(step)
    assert scan(compiled, start, XS) == call_steps(compiled, start, XS)


def test_scan_of_steps_without_numbers_returns_their_constants() -> None:
    """No machine code is needed for them."""
    assert scan(jit(lambda c, x: (None, "text")), None, length=50) == (None, ["text"] * 50)


def test_scan_of_many_short_steps_has_the_bits_of_single_calls() -> None:
    """A native loop of a sum, and of a moving window."""
    xs = np.random.default_rng(1).normal(size=(22_000, 1))
    compiled = jit(wrapped_sum_step)
    assert scan(compiled, 0.25, xs) == call_steps(compiled, 0.25, xs)
    moved = partial(scan, jit(lambda c, x: ([*c[1:], x], c[0])), [1.0, 2.0, 3.0], DATA * 11)
    assert moved() == (DATA[-3:], [1.0, 2.0, 3.0, *(DATA * 11)[:-3]])
    assert calls_made(moved) < STEPS  # of Python


def nested_step(c: Any, x: Any) -> Any:
    """Return a result of tuples, lists and dicts, with constants and the same number twice."""
    return 0.5 * c + x, {"now": c, "parts": [x, (c, None, "text", 2, True)], "pair": (c, c)}


def array_step(c: Any, x: Any) -> Any:
    """Return an array and an empty list; and a carry with its numbers in another order."""
    return (c[0] + x, [c[2], *c[1][:1]], 0.5 * c[0]), [np.array([c[0], x]).sum(), []]


@pytest.mark.parametrize(
    ("step", "start"), [(nested_step, 0.25), (array_step, (0.5, [1.0, 2.0], 3.0))]
)
def test_scan_returns_the_containers_of_single_calls(step: Callable[..., Any], start: Any) -> None:
    """Numbers, constants and containers; each result has its own containers."""
    compiled = jit(step)
    carry, results = scan(compiled, start, DATA)
    assert (carry, results) == call_steps(compiled, start, DATA)
    parts = [y["parts"] if step is nested_step else y for y in results]
    assert len({*map(id, parts)}) == STEPS


def test_long_scan_in_jit_calls_its_step_fewer_than_ten_times() -> None:
    """Once two steps have recorded equal operations, further steps are copies."""
    compiled = jit(lambda c, xs: scan(logistic_step, c, xs)[0])
    for xs in ([[x] for x in DATA], (np.array(DATA), np.ones((STEPS, 2)))):
        assert calls_made(partial(compiled, [0.25], xs), "logistic_step") < 10
    halves = jit(lambda c, xs: scan(lambda c, x: (c / 2.0 + x, None), c, [1.0] * 4 + xs)[0])
    assert halves(1.0, [2.0] * 10 * STEPS) == 4.0  # the first elements are constants


class Box:
    """An object that a program cannot return."""

    def __init__(self, content: Any) -> None:
        self.content = content


def mutate_carry(xs: Any) -> Any:
    """Mutate the carried list in each step and read it afterwards."""
    sums = [0.0 * xs[0]]

    def step(carry: Any, x: Any) -> Any:
        carry[0] = 0.9 * carry[0] + x
        return carry, None

    scan(step, sums, xs)
    return sums[0]


#: Functions with scans whose steps are not all equal, or not pure.
IRREGULAR_SCANS: list[Callable[[Any], Any]] = [
    mutate_carry,
    lambda xs: scan(lambda c, x: (2.0 * c if x is xs[-1] else 0.9 * c + x, None), 0.0, xs)[0],
    lambda xs: scan(lambda c, x: (0.9 * c + x, Box(c)), 0.0, xs)[1][-1].content,
    lambda xs: scan(lambda c, x: ((c[1] + x, 0.9 * c[0]), c), (xs[0], xs[0]), xs)[0][1],
    lambda xs: scan(lambda c, x: ((x, 0.9 * c[1] + c[0]), None), (xs[0], xs[1]), xs)[0][1],
    lambda xs: scan(lambda c, x: (0.9 * c + x[0] * x[1], xs[:2]), xs[0], (xs, xs))[1][7][0],
    lambda xs: scan(lambda c, x: (0.9 * c + x, None), xs[0], [*xs, *[2.0 * x for x in xs]])[0],
]


@pytest.mark.parametrize("f", IRREGULAR_SCANS)
def test_jit_of_an_irregular_scan_matches_eager_code(f: Callable[[Any], Any]) -> None:
    """Results and gradients."""
    (y, slopes), (expected, its_slopes) = jit(value_and_grad(f))(DATA), value_and_grad(f)(DATA)
    assert [y, *slopes] == pytest.approx([expected, *its_slopes], rel=1e-12)


@pytest.mark.parametrize(
    ("xs", "expected"),
    [
        (np.arange(STEPS), STEPS * (STEPS - 1) / 2),
        ([0, 1.0] * (STEPS // 2), STEPS / 2),
        ([True, False] * (STEPS // 2), STEPS / 2),
        ([[1.0], [0.0, 0.0]] * (STEPS // 2), STEPS / 2),
    ],
    ids=["integers", "mixed", "flags", "ragged"],
)
def test_scan_over_integers_bools_and_ragged_rows(xs: Any, expected: float) -> None:
    """They count as numbers."""

    def step(s: Any, x: Any) -> Any:
        while isinstance(x, list | tuple | np.ndarray):
            x = x[0]
        return s + (float(x) if isinstance(x, bool) else x), None

    assert scan(jit(step), 0.0, xs)[0] == expected


def test_scan_raises_domain_errors_and_returns_infinities() -> None:
    """The logarithm of 0 raises an error in a late step; growth overflows to inf."""
    with pytest.raises(DomainError, match="log"):
        scan(jit(lambda x, _: (x - 1.0, log(x))), float(STEPS), length=STEPS + 2)
    assert scan(jit(lambda x, _: (x * x, None)), 2.0, length=STEPS)[0] == math.inf
    carry, ys = scan(jit(lambda x, _: (exp(x) * 1.0, x)), 0.5, length=20)
    assert (carry, ys[-1]) == (math.inf, math.inf)
