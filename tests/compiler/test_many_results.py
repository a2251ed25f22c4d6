"""Gradients of functions with many results, which depend on many inputs each."""

from __future__ import annotations

import random
from typing import Any

import pytest

from scalargrad import Value, dot, jit, sin, vjp
from scalargrad.compiler import function
from scalargrad.compiler.passes import dependence
from scalargrad.compiler.trace import trace

pytestmark = pytest.mark.usefixtures("backend")

RATE = 0.9
_RNG = random.Random(0)


def smoothed(xs: list[Any]) -> list[Any]:
    """Return an exponential average after each number: yₖ = Σ rateᵏ⁻ʲ·xⱼ for j ≤ k."""
    found = [xs[0]]
    for x in xs[1:]:
        found.append(found[-1] * RATE + x)
    return found


def slopes(weights: list[float]) -> list[float]:
    """Return ∂(Σ wₖ·yₖ)/∂xⱼ = Σ wₖ·rateᵏ⁻ʲ for k ≥ j."""
    found = [0.0]
    for w in reversed(weights):
        found.append(w + RATE * found[-1])
    return found[:0:-1]


@pytest.mark.parametrize("count", [40, 700])
def test_a_running_average_leads_back_to_all_numbers(count: int) -> None:
    """Of 700 results, a program named 980,000 roots, and a graph had 245,000 edges."""
    weights = [_RNG.gauss(0.0, 1.0) for _ in range(count)]
    xs = [Value(_RNG.gauss(0.0, 1.0)) for _ in range(count)]
    ys: Any = jit(smoothed)(xs)
    dot(ys, weights).backward()
    expected = slopes(weights)
    assert [x.grad for x in xs] == pytest.approx(expected, rel=1e-12)
    inside = jit(lambda xs, ws: vjp(smoothed, xs)[1](ws)[0])
    assert inside([x.data for x in xs], weights) == pytest.approx(expected, rel=1e-12)


def test_results_name_the_inputs_they_depend_on_while_these_are_few() -> None:
    """Many results share one tuple of all; one that depends on nothing has none."""

    def some(xs: list[Any]) -> list[Any]:
        return [*smoothed(xs), xs[0].detach() * 2.0]

    for count, first in ((40, 1), (700, 700)):
        xs = [Value(0.5) for _ in range(count)]
        ys: Any = jit(some)(xs)
        assert len(ys[1].parents) == max(2, first)
        assert ys[-2].parents == tuple(xs)
        assert ys[-1].parents == ()


def test_one_root_for_many_gives_the_same_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each result's seed arrives as it is."""

    def chain(xs: list[Any]) -> list[Any]:
        found = [xs[0]]
        for x in xs[1:]:
            found.append(sin(found[-1]) * RATE + x * found[len(found) // 2])
        return found

    numbers = [_RNG.gauss(0.0, 1.0) for _ in range(50)]
    weights = [_RNG.gauss(0.0, 1.0) for _ in range(50)]

    def gradients() -> Any:
        xs = [Value(x) for x in numbers]
        dot(jit(chain)(xs), weights).backward()
        inside = jit(lambda xs, ws: vjp(chain, xs)[1](ws)[0])
        return [x.grad for x in xs], inside(numbers, weights)

    named = gradients()
    monkeypatch.setattr(function, "MOST_PAIRS", 0)
    monkeypatch.setattr(trace, "MOST_PAIRS", 0)
    monkeypatch.setattr(dependence, "_PAIRS", 0)
    assert gradients() == named
