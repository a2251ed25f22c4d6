"""Jitted.explain: the loops of a compiled function, and the time of a call."""

from __future__ import annotations

import math
import random
import re
import time
from functools import reduce
from itertools import count, pairwise
from typing import Any

import pytest
from tests.compiler.nests import fail_once

from benchmarks.replay import PROGRAMS
from benchmarks.replay.corpus import loops as _loops  # noqa: F401 - adds its programs
from examples.experiments import GPT
from scalargrad import TraceError, Value, drawn, grad, jit, scan, sin, take, tanh, vmap
from scalargrad.losses import cross_entropy
from scalargrad.nn import MLP


def test_explain_has_sections_for_values_and_gradients_and_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each section has the number of steps; the last line has the time of a call."""
    model = MLP(2, [8, 1], activation="tanh")
    points = [[0.1 * k, 1.0 - 0.1 * k] for k in range(5)]
    found = jit(lambda: sum((model(p) - 1.0) ** 2 for p in points)).explain()
    lines = found.splitlines()
    for title in ("forward", "forward and backward"):
        (head,) = (line for line in lines if line.startswith(f"{title}:"))
        assert "statements" in head
    assert "tanh" in found
    assert lines[-1].startswith("time of a call: ")
    assert " µs" in lines[-1]
    assert repr(found) == str(found)
    ticks = count(step=7.0)
    monkeypatch.setattr(time, "perf_counter", lambda: next(ticks))
    assert "time of a call: 7,000,000.0 µs" in jit(lambda x: x * x).explain(2.0)


def test_explain_of_take_drawn_branches_and_vmap() -> None:
    """A generator keeps its state."""
    rng = random.Random(1)
    state = rng.getstate()
    with_draw = jit(lambda vs, k: take(vs, k) + drawn(rng.random))
    text = str(with_draw.explain([Value(1.0), Value(2.0)], 1))
    assert "take" in text
    assert "time of a call" not in text  # a call would move the generator
    assert rng.getstate() == state
    leaky = jit(lambda x: x if x > 0 else 0.1 * x)
    assert all("forward" in leaky.explain(x) for x in (1.0, -1.0))  # each branch at its first call
    mapped = jit(lambda xs, w: sum(vmap(lambda x: tanh(w * x))(xs)))
    assert "for e in 5000:" in mapped.explain([0.001 * k for k in range(5000)], Value(1.0))


def test_explain_shows_loops_with_their_trip_counts() -> None:
    """Of a recurrence, of examples, and of a sum."""
    data = [0.01 * k for k in range(150)]

    def smoothed(a: Any) -> Any:
        state, total = 0.0, 0.0
        for x in data:
            state = a * state + x
            total = total + state * state
        return total

    found = jit(smoothed).explain(Value(0.5))
    assert "for i in 150:" in found
    assert "define" in found.code

    def swing(x: Any) -> Any:
        v = 0.0
        for _ in range(1500):
            x, v = x + 0.1 * v, v - 0.1 * sin(x)
        return x

    assert "for e in 13:" in jit(vmap(swing)).explain([0.1 * k for k in range(13)])

    work = jit(lambda xs: reduce(lambda w, x: w + x[0] ** 2 + x[1] - sin(x[0]), pairwise(xs), 0.0))
    assert "+=" in work.explain(data)  # one reduction of all iterations


def test_explain_shows_one_loop_for_examples_with_a_mean_or_take() -> None:
    """A variance over a batch and its gradient, and gathered rows, are not unrolled."""

    def variance(w: Any) -> Any:
        found = vmap(lambda x: tanh(w * x))([0.01 * k for k in range(60)])
        mean = sum(found) / 60
        return sum(vmap(lambda y: (y - mean) ** 2)(found)) / 60

    gathered = jit(lambda rows, at: vmap(lambda k: take(rows, k) ** 2)(at))
    for text in (jit(grad(variance)).explain(0.3), gathered.explain([1.0, 2.0], [0.0] * 60)):
        assert ("for e in 60:" in text, "for i in 60:" in text) == (True, False)


def test_explain_shows_loops_for_training_in_a_scan() -> None:
    """Although the gradients are traced node by node, and leaves have terms of several layers."""
    points = [(0.1 * k - 1.0, math.sin(0.3 * k)) for k in range(20)]

    def loss(layers: Any) -> Any:
        first, begun, last, end = layers
        hidden = [[tanh(a * x + b) for a, b in zip(first, begun, strict=True)] for x, _ in points]
        out = [sum((a * h for a, h in zip(last, row, strict=True)), end) for row in hidden]
        return sum((o - y) ** 2 for o, (_, y) in zip(out, points, strict=True))

    def step(layers: Any, _: None) -> Any:
        *rows, end = grad(loss)(layers)
        moved = [[a - 0.01 * b for a, b in zip(*pair, strict=True)]
                 for pair in zip(layers[:3], rows, strict=True)]  # fmt: skip
        return [*moved, layers[3] - 0.01 * end], None

    rows = [[math.cos(k + j) for k in range(8)] for j in range(3)]
    trained = jit(lambda layers: scan(step, layers, length=10)[0])
    text = trained.explain([*rows, 0.0]).replace(",", "")
    ((nodes, steps),) = re.findall(r"(\d+) nodes traced compiled to (\d+) statements", text)
    assert int(steps) < int(nodes) / 10


def test_explain_shows_loops_for_attention_forward_and_backward() -> None:
    """Of 945 nodes with derivatives, although the maximum at each position has one more operand."""
    model = GPT(5, context=4, width=4, heads=2, layers=1, rng=3)
    text = jit(lambda: cross_entropy(model([0, 4, 1, 3]), [4, 1, 3, 0])).explain()
    (steps,) = re.findall(r"backward: (\d+) statements", text)
    assert int(steps) < 945


def test_explain_names_the_candidate_taken_and_why_others_were_rejected() -> None:
    """A triangular solve at each time step cannot store its boundary values in arrays."""
    function: Any
    function, arguments = PROGRAMS["loops.implicit_heat"]()
    text = function.explain(*arguments)
    assert "  compiled as loops of search 1, boundary values by selection" in text.splitlines()
    (rejected,) = (line for line in text.splitlines() if line.startswith("  not as "))
    assert "boundary values in arrays: no order of loops computes" in rejected
    plain = jit(lambda x: x * x).explain(2.0).splitlines()
    assert "  compiled as straight-line code" in plain
    assert not any(line.startswith("  not as ") for line in plain)


@pytest.mark.parametrize("error", [KeyError, AssertionError, TraceError])
def test_jit_does_not_hide_a_mistake_in_the_compiler(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unexpected exception propagates: no other candidate, with slower code, is tried."""
    fail_once(monkeypatch, error)
    work = jit(lambda xs: reduce(lambda s, x: sin(s) * 1.25 + x, xs, 0.5))
    with pytest.raises(error, match="mistake"):
        work([0.01 * k for k in range(90)])
