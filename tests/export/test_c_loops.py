"""Recurrences as C and object code: a few loops, however many steps there are."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.compiler.looped.test_random_loops import program
from tests.export.compiling import compiled

import scalargrad as sg
from scalargrad import Value, gradients, jit, value_and_grad
from scalargrad.compiler.loops import looped
from scalargrad.export import exported

both_kinds = pytest.mark.parametrize("kind", [".c", ".o"])


def swing(steps: int) -> Callable[..., Any]:
    """Return how far a pendulum is from an angle, by Runge-Kutta."""

    def misfit(k: Any, c: Any) -> Any:
        def slope(x: Any, v: Any) -> tuple[Any, Any]:
            return v, -k * sg.sin(x) - c * v

        x, v, total, h = 1.0, 0.0, 0.0, 0.05
        for _ in range(steps):
            a, b = slope(x, v)
            d, e = slope(x + 0.5 * h * a, v + 0.5 * h * b)
            x, v = x + 0.5 * h * (a + d), v + 0.5 * h * (b + e)
            total = total + (x - 0.3) ** 2
        return total

    return misfit


@both_kinds
def test_a_differential_equation_of_any_length_is_a_few_loops(tmp_path: Path, kind: str) -> None:
    """Ten times the steps are no longer file; value and gradient agree with eager ones."""
    sizes = []
    for steps in (200, 2000):
        name = f"swing_{steps}"
        source, header = jit(swing(steps)).export(
            tmp_path / f"{name}{kind}", Value(1.3), Value(0.1)
        )
        sizes.append(source.stat().st_size)
        k, c = Value(1.1), Value(0.2)
        y = swing(steps)(k, c)
        found = compiled([source])[name]
        for _ in range(2):  # memory is used again
            assert found([1.1, 0.2]) == pytest.approx([y.data, *gradients(y, [k, c])], rel=1e-9)
    assert sizes[1] < 1.2 * sizes[0]
    assert "bytes of static memory" in header.read_text()


@both_kinds
def test_random_loops_agree(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Carried values, tables, loops in loops, ends that differ: values and gradients."""
    monkeypatch.setattr(exported, "SHORT", 0)
    for name, least in (("MIN_RATIO", 1), ("MIN_SAVED", 10), ("MANY_NODES", 0)):
        monkeypatch.setattr(looped, name, least)
    cases = {f"loops_{seed}": program(seed) for seed in range(40 if kind == ".c" else 12)}
    sources = []
    for name, (f, p) in cases.items():
        source, _ = jit(value_and_grad(f)).export(tmp_path / f"{name}{kind}", p)
        sources.append(source)
    functions = compiled(sources)
    for name, (f, p) in cases.items():
        value, gradient = value_and_grad(f)(p)
        wanted = [float(value), *map(float, gradient)]
        found = functions[name](p)
        assert found[: len(wanted)] == pytest.approx(wanted, rel=1e-9, abs=1e-11), name
        assert found[len(wanted) :] in ([], [1.0])
    if kind == ".c":
        texts = [x.read_text() for x in sources]
        assert sum("[i]" in text or "c0 = r" in text for text in texts) > 20


@both_kinds
def test_a_loop_tells_whether_its_way_was_taken(tmp_path: Path, kind: str) -> None:
    """Logarithms in a recurrence leave their domain: no number is left to be taken for one."""

    def likelihood(a: Any, b: Any) -> Any:
        h, total = 0.5, 0.0
        draw = random.Random(1)
        for _ in range(400):
            r = draw.gauss(0.0, 1.0)
            h = 0.1 + a * r * r + b * h
            total = total + 1.0 / (1.0 + sg.tanh(sg.log(h)) ** 2) + r * r / h
        return total

    source, _ = jit(likelihood).export(tmp_path / f"garch{kind}", Value(0.1), Value(0.8))
    run = compiled([source])["garch"]
    a, b = Value(0.2), Value(0.7)
    y = likelihood(a, b)
    assert run([0.2, 0.7]) == pytest.approx([y.data, *gradients(y, [a, b]), 1.0], rel=1e-10)
    *others, taken = run([0.2, -1.7])
    assert taken == 0.0
    assert all(map(math.isnan, others))


@both_kinds
def test_a_step_of_descent_is_a_loop_and_what_follows_its_gradient(
    tmp_path: Path, kind: str
) -> None:
    """Where the gradient is infinite, a comparison of it is not written as a number."""

    def loss(k: Any, x: Any) -> Any:
        for _ in range(500):
            x = x + 0.001 * sg.sin(k * x)
        return sg.sqrt(x) * k

    def step(k: Any, x: Any) -> Any:
        (dk, dx) = sg.grad(loss, argnums=(0, 1))(k, x)
        return sg.where(sg.gt(dx, 5.0), k, k - 0.1 * dk)

    source, _ = jit(step).export(tmp_path / f"descent{kind}", 0.7, 0.3)
    run = compiled([source])["descent"]
    assert run([0.9, 0.4])[0] == pytest.approx(step(0.9, 0.4), rel=1e-11)
    assert not math.isfinite(run([0.9, 0.0])[0])
