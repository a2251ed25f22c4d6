"""The page says and computes at every step what Python does, also after an input changed."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from scalargrad import (
    Parameter,
    Value,
    clip,
    cos,
    dot,
    exp,
    floor,
    gelu,
    hypot,
    leaky_relu,
    log,
    log2,
    logsumexp,
    maximum,
    mean,
    minimum,
    reciprocal,
    relu,
    sigmoid,
    silu,
    softmax,
    sqrt,
    square,
    tanh,
    where,
)
from scalargrad import abs as magnitude
from scalargrad import sum as add_up
from scalargrad.nn import MLP
from scalargrad.ops import gt
from scalargrad.show.steps import Walk, walk

from .graphs import labelled

Inputs = Mapping[str, float]
Build = Callable[..., Any]

NOTATIONS = ("partial", "bar", "delta")


def lecture(x: Value, y: Value, z: Value) -> Value:
    """Build (x + y)z."""
    return labelled(labelled(x + y, "q") * z, "f")


def neuron(w0: Value, x0: Value, w1: Value, x1: Value, w2: Value) -> Value:
    """Build 1/(1 + e^-(w0x0 + w1x1 + w2)) from elementary gates."""
    root: Value = reciprocal(exp((w0 * x0 + w1 * x1 + w2) * -1.0) + 1.0)
    return root


def regularised(w: Value, x: Value, b: Value) -> Value:
    """Build ½(σ(wx + b) - 1)² + λ½w², in which w feeds two gates."""
    loss = labelled(0.5 * square(sigmoid(labelled(w * x, "a") + b) - 1.0), "L")
    return labelled(loss + 0.1 * labelled(0.5 * labelled(square(w), "u"), "R"), "L_reg")


def perceptron(x: Value, y: Value) -> Value:
    """Build a small network, squared."""
    random.seed(3)
    output: Value = MLP(2, [3, 1], activation="tanh")([x, y])
    loss: Value = square(output - 1.0)
    return loss


GRAPHS: dict[str, tuple[Build, list[Inputs]]] = {
    "lecture": (lecture, [{"x": -2.0, "y": 5.0, "z": -4.0}, {"x": 1.25, "y": 1 / 3, "z": 0.0}]),
    "neuron": (
        neuron,
        [
            {"w0": 2.0, "x0": -1.0, "w1": -3.0, "x1": -2.0, "w2": -3.0},
            {"w0": 0.1, "x0": 7.0, "w1": -2.5, "x1": 1e-5, "w2": 12345.0},
        ],
    ),
    "regularised": (
        regularised,
        [{"w": 0.5, "x": 2.0, "b": -0.25}, {"w": -1.0, "x": 3.0, "b": 0.0}],
    ),
    "routing": (
        lambda x, y, z: maximum(x, y, z) * 2.0 - minimum(x, z),
        [{"x": 3.0, "y": 9.0, "z": 1.0}, {"x": 4.0, "y": 4.0, "z": 4.0}],
    ),
    "network": (perceptron, [{"x": 1.0, "y": -2.0}, {"x": -0.3, "y": 0.0}]),
    "kinks": (
        lambda x, y: relu(x) * leaky_relu(y) + magnitude(x - y) + clip(x, -1.0, y),
        [{"x": 2.0, "y": -1.5}, {"x": -2.0, "y": 1.5}, {"x": 0.0, "y": 0.0}],
    ),
    "a kink beside a curve": (
        lambda x, y: maximum(x * x, x) * y,
        [{"x": 2.0, "y": 2.0}, {"x": 0.0, "y": 2.0}, {"x": 1.0, "y": -1.0}],
    ),
    "rounded to few digits": (
        lambda x, y: tanh(x) + cos(y) + silu(x) + (1.0 + exp(-x)) * sqrt(magnitude(y)),
        [{"x": 40.0, "y": 1e-9}, {"x": 0.0, "y": 0.0}, {"x": 1e18, "y": 2.0}],
    ),
    "not finite": (
        lambda x, y: y * sqrt(x) + magnitude(y) * (2.0 - y) * -1.0,
        [{"x": 4.0, "y": 1.0}, {"x": 0.0, "y": 0.0}, {"x": 0.0, "y": 1e308}],
    ),
    "jumps": (
        lambda x, y: floor(x) + gt(y, 1.0) * x + relu(x) - relu(-x) + minimum(x, y),
        [{"x": 2.5, "y": -1.5}, {"x": 0.0, "y": 1.0}, {"x": 1.0, "y": 1.0}],
    ),
    "bends": (
        lambda x, y: relu(x - 1.0) + exp(30.0 * y) + x * x * 1e6,
        [{"x": 0.999, "y": 0.0}, {"x": 0.0, "y": 0.1}, {"x": 1e9, "y": 1e-9}],
    ),
    "powers": (
        lambda x, y: x**3 + x**y - 2.0**y + 1 / x - x / y + sqrt(x) * log2(y),
        [{"x": 2.0, "y": 3.0}, {"x": 0.25, "y": 0.7}],
    ),
    "roots": (
        lambda x, y: (x + y) ** 0.5 * x**0.5 - exp(y) ** 0.5 + y**1.5,
        [{"x": 2.0, "y": 3.0}, {"x": 0.25, "y": 1e-5}],
    ),
    "choice": (
        lambda x, y: where(gt(x, y), x * x, y**2) * 0.5,
        [{"x": 1.0, "y": 2.0}, {"x": 3.0, "y": 2.0}],
    ),
    "reductions": (
        lambda x, y, z: (
            dot([x, y, 2.0], [z, x, y], z)
            + logsumexp([x, y, 1.0])
            + mean([x, y, z, x])
            + add_up([x, y, z, x, y, z, x, y])
        ),
        [{"x": 0.5, "y": -1.25, "z": 3.0}, {"x": -7.0, "y": 0.0, "z": 1e7}],
    ),
    "units": (
        lambda x, y: silu(x) * gelu(y) + tanh(x * y) - cos(hypot(x, y)),
        [{"x": 0.5, "y": -1.25}, {"x": -0.1, "y": 2.2}],
    ),
    "softmax": (
        lambda x, y, z: -log(softmax([x, y, z])[0]),
        [{"x": 2.0, "y": 1.0, "z": 0.1}, {"x": 1.0, "y": 700.0, "z": 0.1}],
    ),
    "softmax of nan": (
        lambda x, y, z: softmax([x, y, z])[0],
        [{"x": 1.0, "y": math.nan, "z": 3.0}, {"x": math.nan, "y": 1.0, "z": 3.0}],
    ),
    "softmax of what is computed": (
        lambda x, y, z: softmax([x * y, y - z, -math.inf, tanh(x)])[1] + square(z),
        [{"x": 2.0, "y": 1.0, "z": 0.1}, {"x": 30.0, "y": -30.0, "z": -900.0}],
    ),
    "softmax of softmax": (
        lambda x, y: softmax([p * x for p in softmax([x, y, x * y])])[0],
        [{"x": 2.0, "y": 1.0}, {"x": -5.0, "y": 800.0}],
    ),
    "negative names": (
        lambda x, y: labelled(labelled(x - y, "a + b") * y, "-c") + x,
        [{"x": 2.0, "y": -1.0}, {"x": -2.0, "y": 1e-7}],
    ),
    "twice": (lambda x: x * x + x, [{"x": 3.0}, {"x": -1e5}]),
}


def build(graph: str, inputs: Inputs) -> Walk:
    """Return the walk through a graph at the given inputs; w and b are parameters."""
    leaves = {
        name: (Parameter if name.startswith(("w", "b")) else Value)(number, name)
        for name, number in inputs.items()
    }
    return walk(GRAPHS[graph][0](**leaves))


def words(steps: Walk, notation: Any) -> list[dict[str, Any]]:
    """Return all that Python says of each step."""
    return [
        {
            "whole": [step.text(notation), step.mathml(notation)],
            "symbols": [step.symbols(notation), step.symbols(notation, "mathml")],
            "numbers": [step.numbers(notation), step.numbers(notation, "mathml")],
            "local": [step.local_text(), step.local_text("mathml")],
            "sentence": step.sentence(notation),
            "notes": step.notes(notation),
        }
        for step in steps
    ]


def gradients(steps: Walk) -> list[float]:
    """Return the gradient of every node, in order."""
    return [
        1.0 if node is steps.root else sum(steps.scene.terms[node]) for node in steps.scene.order
    ]


@pytest.mark.parametrize("graph", list(GRAPHS))
def test_page_says_what_python_says(graph: str, open_page: Any) -> None:
    """In three notations, as text and as MathML, at the recorded inputs and at others."""
    _, points = GRAPHS[graph]
    page = open_page(build(graph, points[0]))
    for inputs in points:
        page.evaluate("values => scalargrad.setInputs(values)", inputs)
        steps = build(graph, inputs)
        for notation in NOTATIONS:
            # As one text: Playwright takes long to hand over many.
            said = page.evaluate("own => JSON.stringify(scalargrad.texts(own))", notation)
            assert json.loads(said) == words(steps, notation)


@pytest.mark.parametrize("graph", list(GRAPHS))
def test_page_computes_what_python_computes(graph: str, open_page: Any) -> None:
    """Every value and every gradient, to twelve digits."""
    _, points = GRAPHS[graph]
    page = open_page(build(graph, points[-1]))
    for inputs in points:
        page.evaluate("values => scalargrad.setInputs(values)", inputs)
        numbers = page.evaluate("scalargrad.numbers()")
        steps = build(graph, inputs)
        assert numbers["data"] == pytest.approx(
            list(steps.scene.data.values()), rel=1e-12, nan_ok=True
        )
        assert numbers["gradients"] == pytest.approx(
            gradients(steps), rel=1e-12, abs=1e-15, nan_ok=True
        )
