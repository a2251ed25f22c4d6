"""Scans of many steps: made by a loop, or recorded as a whole where gradients flow."""

from __future__ import annotations

import math
import pickle
import random
from typing import Any

import numpy as np
import pytest
from tests.compiler.looped.test_looped import garch

from scalargrad import DomainError, TraceError, Value, jit, log, scan, sin, sqrt, value_and_grad
from scalargrad.compiler.runner import LoopRunner
from scalargrad.compiler.scan import native_steps as repeating

pytest.importorskip("llvmlite")

_DRAWS = random.Random(2)
STEPS = 2000
DATA = [_DRAWS.gauss(0.0, 1.0) for _ in range(STEPS + 3)]


@pytest.fixture
def native_steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note how many steps each loop makes."""
    noted: list[int] = []
    usual = repeating.NativeStep.run

    def stretch(*given: Any) -> list[Any]:
        made: list[Any] = usual(*given)
        noted.append(len(made))
        return made

    monkeypatch.setattr(repeating.NativeStep, "run", stretch)
    return noted


def test_a_long_scan_is_a_loop(native_steps: list[int]) -> None:
    """The logistic map and roots of what it carries come out as by Python, by one loop."""

    def step(x: Any, shift: Any) -> Any:
        return 3.7 * x * (1.0 - x) + 1e-3 * shift * shift, sqrt(x)

    last, roots = scan(jit(step), 0.3, DATA[:50] * (STEPS // 50))
    x, expected = 0.3, []
    for shift in DATA[:50] * (STEPS // 50):
        expected.append(math.sqrt(x))
        x = min(3.7 * x * (1.0 - x) + 1e-3 * shift * shift, 1.0)
        if len(expected) == 40:  # chaos doubles what rounding does to each step
            break
    assert roots[:40] == pytest.approx(expected, rel=1e-6)
    assert 0.0 < last < 1.1
    assert native_steps == [len(roots)]


@pytest.mark.parametrize("kind", ["list", "array", "rows", "tuple", "dict", "nothing"])
def test_entries_of_any_kind_are_given_to_loops(kind: str, native_steps: list[int]) -> None:
    """A running sum of what entries hold, and a result of any nesting."""
    pairs = [(x, 2.0 * x) for x in DATA]
    given: Any = {
        "list": DATA,
        "array": np.array(DATA),
        "rows": np.array(pairs),
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

    start = {"sum": 0.25, "age": 0.0}
    carry, results = scan(jit(step), start, given, length=len(DATA))
    each = [0.5 if kind == "nothing" else 3.0 * x if kind in "rowstupledict" else x for x in DATA]
    if kind in {"list", "array"}:
        each = DATA
    assert carry["age"] == len(DATA)
    assert carry["sum"] == pytest.approx(0.25 + math.fsum(each), rel=1e-9)
    assert results[-1][0] == pytest.approx(each[-1], rel=1e-12)
    assert results[1][1]["before"] == pytest.approx(0.25 + each[0], rel=1e-12)
    assert native_steps == [len(DATA)]


def test_a_step_that_goes_another_way_is_made_by_a_call(native_steps: list[int]) -> None:
    """A sum that starts again at 1 agrees with the loop, to the bit."""

    def step(s: Any, x: Any) -> Any:
        return (s + x if s < 1.0 else s - 1.0), s

    small = [abs(x) * 0.01 for x in DATA]
    last, sums = scan(jit(step), 0.0, small)
    s, expected = 0.0, []
    for x in small:
        expected.append(s)
        s = s + x if s < 1.0 else s - 1.0
    assert (last, sums) == (s, expected)
    assert len(native_steps) > 1


def test_a_step_that_always_changes_its_way_is_not_tried_for_ever(native_steps: list[int]) -> None:
    """After some stretches of few steps all are made one by one."""

    def step(s: Any, x: Any) -> Any:
        return (s + x if s < 1.0 else s - 1.0), None

    last, results = scan(jit(step), 0.0, [0.6] * STEPS)
    s = 0.0
    for x in [0.6] * STEPS:
        s = s + x if s < 1.0 else s - 1.0
    assert last == s
    assert results == [None] * STEPS
    assert len(native_steps) <= 16


def test_results_of_a_loop_may_be_arrays() -> None:
    """Each step has an array of its own, computed from the square of what is carried."""

    def step(x: Any, _: Any) -> Any:
        return 0.5 * (x + 2.0 / x), np.array([x**2, x.detach() if isinstance(x, Value) else x])

    root, results = scan(jit(step), 1.0, length=STEPS)
    assert root == pytest.approx(math.sqrt(2.0), rel=1e-15)
    assert results[1].tolist() == [2.25, 1.5]
    assert results[0] is not results[1]


@pytest.mark.parametrize("kind", ["integers", "range", "mixed", "deep", "long"])
def test_whole_numbers_and_arrays_of_arrays_are_given_to_loops(
    kind: str, native_steps: list[int]
) -> None:
    """They are the same numbers as floats; an integer that no float equals is refused."""
    given: Any = {
        "integers": np.arange(STEPS),
        "range": range(STEPS),
        "mixed": [0, 1.0] * (STEPS // 2),
        "deep": np.ones((STEPS, 1, 2)),
        "long": [2**53 + 1] * STEPS,
    }[kind]
    step = jit(lambda s, x: (s + (x[0][1] if kind == "deep" else x), None))
    if kind == "long":
        with pytest.raises(TraceError, match="no float equals"):
            scan(step, 0.0, given)
        return
    each = STEPS * (STEPS - 1) / 2
    expected = {"integers": each, "range": each, "mixed": STEPS / 2, "deep": STEPS}[kind]
    assert scan(step, 0.0, given)[0] == expected
    assert sum(native_steps) >= STEPS - 1


@pytest.mark.parametrize("kind", ["flags", "ragged"])
def test_other_entries_are_given_one_by_one(kind: str, native_steps: list[int]) -> None:
    """A flag is part of the program, and entries of other lengths have programs of their own."""
    given: Any = {
        "flags": [True, False] * (STEPS // 2),
        "ragged": [[1.0], [0.0, 0.0]] * (STEPS // 2),
    }[kind]
    step = jit(lambda s, x: (s + (float(x) if isinstance(x, bool) else x[0]), None))
    assert scan(step, 0.0, given)[0] == STEPS / 2
    assert native_steps == []


def test_a_step_out_of_its_domain_raises_what_it_does_eagerly() -> None:
    """The logarithm of what has become 0 is reported by the step that takes it."""
    with pytest.raises(DomainError, match="log"):
        scan(jit(lambda x, _: (x - 1.0, log(x))), float(STEPS), length=STEPS + 2)


def test_an_infinity_is_left_to_ordinary_steps() -> None:
    """Growth beyond all numbers gives inf from the step on at which Python does."""
    last, _ = scan(jit(lambda x, _: (x * x, None)), 2.0, length=STEPS)
    assert last == math.inf


def pendulum(carry: Any, x: Any) -> Any:
    """Return the next angle and speed, the error so far, and no result."""
    angle, speed, total, (pull, drag) = carry
    speed = speed - 0.05 * (pull * sin(angle) + drag * speed)
    angle = angle + 0.05 * speed
    return (angle, speed, total + (angle - x) * (angle - x), (pull, drag)), None


@pytest.mark.parametrize("inside", [False, True])
def test_gradients_flow_through_a_scan(inside: bool) -> None:
    """Of the errors of a pendulum, as finite differences have them."""
    step = jit(pendulum)

    def loss(p: Any) -> Any:
        return scan(step, (1.0, 0.0, 0.0, (p[0], p[1])), DATA[:200])[0][2]

    run = value_and_grad(loss)
    for _ in range(2):
        value, gradient = (jit(run) if inside else run)([1.3, 0.1])
    plain = [float(loss(p)) for p in ([1.3 + 1e-6, 0.1], [1.3 - 1e-6, 0.1])]
    assert value == pytest.approx(float(loss([1.3, 0.1])), rel=1e-11)
    assert gradient[0] == pytest.approx((plain[0] - plain[1]) / 2e-6, rel=1e-6)


def test_a_scan_with_gradients_sees_what_has_changed_around_its_step() -> None:
    """A Value that the step closes over is read anew."""
    rate = Value(0.5)
    step = jit(lambda x, _: (x * rate + 1.0, None))

    def last(x: Any) -> Any:
        return scan(step, x, length=60)[0]

    for _ in range(2):
        assert value_and_grad(last)(2.0)[1] == pytest.approx(0.5**60)
    rate.data = 0.75
    assert value_and_grad(last)(2.0)[1] == pytest.approx(0.75**60)


def test_a_known_scan_out_of_its_domain_raises_what_it_does_eagerly() -> None:
    """The program of all steps is known, but has nan where the logarithm is undefined."""
    step = jit(lambda x, y: (log(x) + y, None))

    def last(x: Any) -> Any:
        return scan(step, x, [2.0] * 60)[0]

    for _ in range(2):
        assert value_and_grad(last)(2.0)[0] == pytest.approx(3.1461932206205825)  # log x + 2 = x
    with pytest.raises(DomainError, match="log"):
        value_and_grad(last)(-1.0)


def test_steps_that_branch_are_called_with_gradients_too() -> None:
    """The derivative of a sum that starts again is 1, whichever way its steps go."""
    step = jit(lambda s, x: ((s + x if s < 1.0 else s - 1.0), None))
    value, slope = value_and_grad(lambda s: scan(step, s, [0.3] * 60)[0])(0.05)
    s = 0.05
    for _ in range(60):
        s = s + 0.3 if s < 1.0 else s - 1.0
    assert (value, slope) == (pytest.approx(s), 1.0)


def test_a_program_of_loops_is_pickled_and_copied() -> None:
    """What is compiled again from a pickle computes the same, to the bit."""
    compiled = jit(garch)
    p = [Value(x) for x in (0.1, 0.1, 0.8)]
    result = compiled(p)
    (path,) = compiled.paths(p)
    again = pickle.loads(pickle.dumps(path.function))
    inputs = [x.data for x in p]
    assert isinstance(again.values_and_row, LoopRunner)
    assert again.values_and_row(inputs)[0] == result.data
    assert again.values_and_row(inputs) == path.function.values_and_row(inputs)
    assert again.values_and_row.on_blocks([slice(3)], [inputs])[0].tolist() == again.values_and_row(
        inputs
    )


def test_what_is_not_finite_is_computed_without_loops() -> None:
    """A root at 0, which a comparison reads, sends no nan to a gradient that it has no part in."""

    def f(p: Any) -> Any:
        x, total = p[0], 0.0
        for _ in range(100):
            total = total + x * p[1]
            x = x * 0.5
            if sqrt(x * p[2]) < 0.0:
                total = total + 1.0
        return total

    for p in ([1.0, 2.0, 1.0], [1.0, 2.0, 0.0]):
        value, slopes = jit(value_and_grad(f))(p)
        expected, slopes_too = value_and_grad(f)(p)
        assert [value, *slopes] == pytest.approx([expected, *slopes_too], rel=1e-12)
        leaves = [Value(x) for x in p]
        jit(f)(leaves).backward()
        assert [x.grad for x in leaves] == pytest.approx(slopes_too, rel=1e-12)
