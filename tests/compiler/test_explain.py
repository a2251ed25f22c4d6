"""What explain says: what a function became, and how long a call takes."""

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


def test_the_text_has_a_section_for_values_and_one_for_gradients(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each says how much there is to do; in the end, how long a call takes."""
    model = MLP(2, [8, 1], activation="tanh")
    points = [[0.1 * k, 1.0 - 0.1 * k] for k in range(5)]
    found = jit(lambda: sum((model(p) - 1.0) ** 2 for p in points)).explain()
    lines = found.splitlines()
    for title in ("forward", "forward and backward"):
        (head,) = (line for line in lines if line.startswith(f"{title}:"))
        assert "steps" in head
    assert "tanh" in found
    assert lines[-1].startswith("time of a call: ")
    assert " µs" in lines[-1]
    assert repr(found) == str(found)
    ticks = count(step=7.0)
    monkeypatch.setattr(time, "perf_counter", lambda: next(ticks))
    assert "time of a call: 7,000,000.0 µs" in jit(lambda x: x * x).explain(2.0)


def test_programs_of_every_kind_are_explained() -> None:
    """With look-ups, with draws, of nothing, of examples; a generator is left as it was."""
    rng = random.Random(1)
    state = rng.getstate()
    looked_up = jit(lambda vs, k: take(vs, k) + drawn(rng.random))
    text = str(looked_up.explain([Value(1.0), Value(2.0)], 1))
    assert "take" in text
    assert "time of a call" not in text  # a call would move the generator
    assert rng.getstate() == state
    leaky = jit(lambda x: x if x > 0 else 0.1 * x)
    assert all("forward" in leaky.explain(x) for x in (1.0, -1.0))  # each way at its first call
    mapped = jit(lambda xs, w: sum(vmap(lambda x: tanh(w * x))(xs)))
    assert "for e in 5000:" in mapped.explain([0.001 * k for k in range(5000)], Value(1.0))


@pytest.mark.native
def test_loops_are_explained_as_loops() -> None:
    """A recurrence is an equation in a loop; of examples it is said how many there are."""
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
    assert "+=" in work.explain(data)  # one sum of what each turn adds


def test_examples_that_are_joined_or_look_up_stay_one_loop() -> None:
    """A variance over a batch and its gradient, and rows of a table: no example is written out."""

    def variance(w: Any) -> Any:
        found = vmap(lambda x: tanh(w * x))([0.01 * k for k in range(60)])
        mean = sum(found) / 60
        return sum(vmap(lambda y: (y - mean) ** 2)(found)) / 60

    looked_up = jit(lambda rows, at: vmap(lambda k: take(rows, k) ** 2)(at))
    for text in (jit(grad(variance)).explain(0.3), looked_up.explain([1.0, 2.0], [0.0] * 60)):
        assert ("for e in 60:" in text, "for i in 60:" in text) == (True, False)


def test_training_within_one_program_is_loops() -> None:
    """Gradients in a scan are written node by node, and leaves have terms of several layers."""
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
    text = trained.explain([*rows, 0.0])
    ((nodes, steps),) = re.findall(r"(\d+) nodes recorded, found as (\d+) steps", text)
    assert int(steps) < int(nodes) / 10


def test_attention_over_a_few_words_is_loops_forward_and_backward() -> None:
    """Of 945 nodes with their derivatives, though each word has a maximum of one number more."""
    model = GPT(5, context=4, width=4, heads=2, layers=1, rng=3)
    text = jit(lambda: cross_entropy(model([0, 4, 1, 3]), [4, 1, 3, 0])).explain()
    (steps,) = re.findall(r"backward: (\d+) steps", text)
    assert int(steps) < 945


@pytest.mark.native
def test_explain_names_the_candidate_taken_and_why_others_were_rejected() -> None:
    """A triangular solve at each time step cannot store its boundary values in arrays."""
    function: Any
    function, given = PROGRAMS["loops.implicit_heat"]()
    text = function.explain(*given)
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
