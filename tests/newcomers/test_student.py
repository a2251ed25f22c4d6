"""What a student with micrograd code does in the first hour, by the site alone."""

from __future__ import annotations

import math
import random
from pathlib import Path

import pytest

from scalargrad import TraceError, Value, draw, jit, losses, optim, watch
from scalargrad.nn import MLP

XS = [[2.0, 3.0, -1.0], [3.0, -1.0, 0.5], [0.5, 1.0, 1.0], [1.0, 1.0, -1.0]]
YS = [1.0, -1.0, -1.0, 1.0]


def test_the_expression_of_micrograds_readme_gives_the_published_gradients() -> None:
    """138.8338 and 645.5773, as micrograd's README prints them."""
    a, b = Value(-4.0), Value(2.0)
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + (b + a).relu()
    d += 3 * d + (b - a).relu()
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    g.backward()
    assert f"{g.data:.4f} {a.grad:.4f} {b.grad:.4f}" == "24.7041 138.8338 645.5773"


def test_draw_stands_for_draw_dot(tmp_path: Path) -> None:
    """The graph of an expression becomes a picture in one line."""
    x = Value(3.0, "x")
    picture = draw(x * x + 1).save(tmp_path / "graph.svg")
    assert "<svg" in picture.read_text(encoding="utf-8")


def test_a_compiled_loss_trains_on_minibatches_and_accuracy_is_read_from_results() -> None:
    """The loop stays micrograd's; after sixty rounds every example is on the right side."""
    random.seed(1)
    model = MLP(3, [4, 4, 1])

    @jit
    def total(xs: list[list[float]], ys: list[float]) -> Value:
        squares = [(model(x) - y) ** 2 for x, y in zip(xs, ys, strict=True)]
        return sum(squares, Value(0.0))

    for k in range(120):
        chosen = [0, 1] if k % 2 else [2, 3]
        loss = total([XS[i] for i in chosen], [YS[i] for i in chosen])
        model.zero_grad()
        loss.backward()
        for p in model.parameters():
            p.data -= 0.02 * p.grad
    scores = [model(x) for x in XS]
    assert [(s.data > 0) == (y > 0) for s, y in zip(scores, YS, strict=True)] == [True] * 4


def test_the_error_on_data_inside_a_compiled_function_says_what_to_write() -> None:
    """`.data > 0` is refused with the remedy, and the remedy works."""

    @jit
    def step(x: Value) -> float:
        return 1.0 if x.data > 0 else 0.0

    @jit
    def mended(x: Value) -> float:
        return 1.0 if x > 0 else 0.0

    with pytest.raises(TraceError, match="compare it with < or >"):
        step(Value(2.0))
    assert (mended(Value(2.0)), mended(Value(-2.0))) == (1.0, 0.0)


def test_a_loop_of_ones_own_is_watched(tmp_path: Path) -> None:
    """`page.record()` after each step, then `page.save`."""
    model = MLP(2, [3, 1], activation="tanh", rng=0)
    points, targets = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0]
    loss = losses.binary_cross_entropy_with_logits
    watched = watch(model, points, targets, loss=loss)
    sgd = optim.SGD(model.parameters(), lr=0.5)
    for _ in range(3):
        sgd.zero_grad()
        loss([model(x) for x in points], targets).backward()
        sgd.step()
        watched.record()
    page = watched.save(tmp_path / "training.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")


def test_the_demo_notebook_runs_with_its_import_changed() -> None:
    """Inputs made into Values, a hinge loss, a penalty and accuracy, as in micrograd's demo."""
    random.seed(1337)
    model = MLP(2, [16, 16, 1])
    assert len(model.parameters()) == 337
    points = [[math.cos(k), math.sin(k)] for k in range(20)]
    labels = [1 if x > 0 else -1 for x, _ in points]

    def loss() -> tuple[Value, float]:
        inputs = [list(map(Value, point)) for point in points]
        scores = list(map(model, inputs))
        losses = [(1 + -label * score).relu() for label, score in zip(labels, scores, strict=True)]
        data_loss = sum(losses) * (1.0 / len(losses))
        total = data_loss + 1e-4 * sum(p * p for p in model.parameters())
        right = [(y > 0) == (score.data > 0) for y, score in zip(labels, scores, strict=True)]
        return total, sum(right) / len(right)

    for _ in range(20):
        total, accuracy = loss()
        model.zero_grad()
        total.backward()
        for p in model.parameters():
            p.data -= 0.1 * p.grad
    assert accuracy >= 0.9


def test_an_operation_with_a_closure_is_led_to_custom_op() -> None:
    """The error for micrograd's way to make a node names the function to use instead."""
    with pytest.raises(TypeError, match="custom_op"):
        Value(math.tanh(0.5), (Value(0.5),), "tanh")  # type: ignore[arg-type]
