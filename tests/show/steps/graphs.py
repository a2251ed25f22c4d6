"""Graphs for the tests of steps, and numbers formatted like steps."""

from __future__ import annotations

from scalargrad import Parameter, Value, exp, maximum, reciprocal, sigmoid, square, tanh
from scalargrad.nn import MLP
from scalargrad.show.steps import Step, Walk, walk


def labelled(node: Value, label: str) -> Value:
    """Name a node."""
    node.label = label
    return node


def shown(x: float | None) -> str:
    """Format a number with four significant digits and a minus sign."""
    assert x is not None
    text = f"{x + 0.0:.4g}"
    if "e" in text:
        mantissa, _, power = text.partition("e")
        text = f"{float(text):.0f}" if 1 <= abs(x) < 1e6 else f"{mantissa}e{int(power)}"
    return text.replace("-", "−")


def so_far(step: Step) -> str:
    """Return the text below the wire of the parent, after a step."""
    complete = step.arrived == step.expected
    return shown(step.total) if complete else f"{shown(step.total)} + ?"


def lecture() -> Walk:
    """Walk through (x + y)z at (-2, 5, -4)."""
    x, y, z = Value(-2.0, "x"), Value(5.0, "y"), Value(-4.0, "z")
    return walk(labelled(labelled(x + y, "q") * z, "f"))


def neuron() -> Walk:
    """Walk through the sigmoid neuron, drawn from elementary gates."""
    w0, w1, w2 = Parameter(2.0, "w0"), Parameter(-3.0, "w1"), Parameter(-3.0, "w2")
    s = labelled(w0 * Value(-1.0, "x0") + w1 * Value(-2.0, "x1") + w2, "s")
    return walk(labelled(reciprocal(exp(s * -1.0) + 1.0), "f"))


def regularised() -> Walk:
    """Walk through the regularised logistic least squares, in which w fans out."""
    w, b = Parameter(0.5, "w"), Parameter(-0.25, "b")
    a = labelled(w * Value(2.0, "x"), "a")
    loss = labelled(0.5 * square(sigmoid(labelled(a + b, "z")) - 1.0), "L")
    penalty = labelled(0.5 * labelled(square(w), "u"), "R")
    return walk(labelled(0.1 * penalty + loss, "L_reg"))


def routing() -> Walk:
    """Walk through 2·max(x, y, z)."""
    x, y, z = Value(3.0, "x"), Value(9.0, "y"), Value(1.0, "z")
    return walk(labelled(labelled(maximum(x, y, z), "m") * 2.0, "f"))


def recurrence(links: int = 4) -> Walk:
    """Walk through repetitions of h = tanh(w·h + u·x), with long lines to later rows."""
    w, u, h = Parameter(0.8, "w"), Parameter(0.5, "u"), Value(0.0, "h0")
    for t in range(1, links + 1):
        h = labelled(tanh(w * h + u * Value((-0.5) ** t, f"x{t}")), f"h{t}")
    return walk(h)


def network(sizes: tuple[int, ...] = (3, 1), inputs: int = 2, folded: bool = True) -> Walk:
    """Walk through the squared error of a network, whose modules may be subgraphs."""
    model = MLP(inputs, list(sizes), activation="tanh", rng=1)
    x = [Value(0.75 * i - 0.5, f"x{i}") for i in range(inputs)]
    return walk(labelled(square(model(x) - 1.0), "L"), model=model if folded else None)


def chain(gates: int = 40) -> Walk:
    """Walk through a chain of gates of one operand."""
    y: Value = Parameter(0.5, "x")
    for i in range(gates // 2):
        y = tanh(y * 1.1) if i % 2 else y.sin() + 0.1
    return walk(y)
