"""Steps made by a program run again and again are those made one by one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from scalargrad import exp, jit, relu, scan, sin, tanh, value_and_grad, where
from scalargrad.compiler.array_types import Floats
from scalargrad.compiler.backend.llvm import step_loop
from scalargrad.compiler.scan import native_steps

WIDE = 24
XS = np.random.default_rng(4).normal(size=(50, 3))


def network(carry: Any, x: Any) -> tuple[Any, Any]:
    """Make a step of descent of a small network, wider than a loop would take."""

    def loss(w: Any) -> Any:
        hidden = [tanh(sum(w[3 * k + j] * x[j] for j in range(3))) for k in range(WIDE // 3)]
        return (sum(hidden) - 0.5) ** 2

    value, slopes = value_and_grad(loss)(carry)
    return [w - 0.05 * s for w, s in zip(carry, slopes, strict=True)], (value, slopes[0])


def growth(carry: Any, x: Any) -> tuple[Any, Any]:
    """Make a step whose sums round otherwise where products are not fused with them."""
    return [0.9 * c * (1.1 - c * c) + 0.01 * x[0] for c in carry], carry[0]


def branching(carry: Any, x: Any) -> tuple[Any, Any]:
    """Take another way where a number is negative."""
    if x[0] > 1.5:
        return [c * 0.5 for c in carry], x[1]
    return [where(c > x[1], c - x[0], relu(c) + sin(x[2])) for c in carry], carry[0]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note how many steps each stretch made."""
    noted: list[int] = []
    usual = step_loop.PackedSteps.run

    def run(self: step_loop.PackedSteps, *arrays: Floats) -> int:
        noted.append(usual(self, *arrays))
        return noted[-1]

    monkeypatch.setattr(step_loop.PackedSteps, "run", run)
    return noted


@pytest.fixture
def straight(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Print straight-line code at once for short steps; note the name of each function."""
    noted: list[str] = []
    usual = step_loop.straight

    def printed(*given: Any) -> Any:
        noted.append("steps")
        return usual(*given)

    monkeypatch.setattr(step_loop, "OFTEN", 1)
    monkeypatch.setattr(step_loop, "straight", printed)
    return noted


@pytest.mark.parametrize("step", [network, growth, branching])
def test_a_stretch_of_steps_has_the_digits_of_single_steps(
    step: Callable[..., Any], made: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Carry and results, also where comparisons come out otherwise on the way."""
    start = np.linspace(-0.5, 0.5, WIDE).tolist()
    together = scan(jit(step), start, XS)
    assert sum(made) > 3
    monkeypatch.setattr(native_steps, "FEW", 10**9)
    assert together == scan(jit(step), start, XS)


@pytest.mark.parametrize("step", [growth, branching])
@pytest.mark.parametrize("wide", [1, 2])
def test_straight_line_code_of_a_short_step_has_the_digits_of_single_steps(
    step: Callable[..., Any],
    wide: int,
    made: list[int],
    straight: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It stops where the general code does, and the carry is the same behind it."""
    start = np.linspace(-0.5, 0.6, wide + 1)[1:].tolist()
    together = scan(jit(step), start, XS)
    assert straight
    assert sum(made) > 3
    monkeypatch.setattr(native_steps, "FEW", 10**9)
    assert together == scan(jit(step), start, XS)


def test_long_stretches_pause_for_interrupts(
    made: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between parts of a stretch Python looks for signals; the numbers are the same."""
    start = [0.1] * WIDE
    together = scan(jit(network), start, XS)
    monkeypatch.setattr(step_loop, "AT_A_TIME", 1)
    assert scan(jit(network), start, XS) == together
    assert sum(made) == 2 * len(XS)


@pytest.mark.parametrize("often", [1, 20_000])
def test_a_number_that_is_not_finite_is_met_as_in_single_steps(
    made: list[int], monkeypatch: pytest.MonkeyPatch, often: int
) -> None:
    """The stretch ends before that step, which is made eagerly."""
    monkeypatch.setattr(step_loop, "OFTEN", often)

    def growing(x: Any, k: Any) -> tuple[Any, Any]:
        return exp(x) * 1.0, x

    carry, ys = scan(jit(growing), 0.5, [0.0] * 20)
    assert carry == np.inf
    assert ys[-1] == np.inf
    assert made[0] < 6


@pytest.mark.parametrize("often", [1, 20_000])
def test_a_step_without_results_leaves_none(
    made: list[int], monkeypatch: pytest.MonkeyPatch, often: int
) -> None:
    """What is carried is all there is."""
    monkeypatch.setattr(step_loop, "OFTEN", often)
    carry, ys = scan(jit(lambda c, _: ([c[1], c[0] + c[1]], None)), [0.0, 1.0], length=30)
    assert carry == [832040.0, 1346269.0]
    assert ys == [None] * 30
    assert sum(made) == 29


@pytest.mark.parametrize("often", [1, 20_000])
def test_what_is_carried_may_be_cells_of_what_is_given(
    made: list[int], monkeypatch: pytest.MonkeyPatch, often: int
) -> None:
    """A window that moves by one is its own numbers one place on, and the new one."""
    monkeypatch.setattr(step_loop, "OFTEN", often)
    start = [float(k) for k in range(40)]
    carry, ys = scan(jit(lambda c, x: ([*c[1:], x], c[0])), start, [-1.0, -2.0] * 10)
    assert carry == [*start[20:], *[-1.0, -2.0] * 10]
    assert ys == start[:20]
    assert sum(made) == 19
