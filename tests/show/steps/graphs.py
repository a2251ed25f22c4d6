"""The graphs that the tests of steps and their page walk through."""

from __future__ import annotations

from scalargrad import Parameter, Value, maximum, reciprocal, sigmoid, square, tanh
from scalargrad import exp as grow
from scalargrad.show.steps import Walk, walk


def labelled(node: Value, label: str) -> Value:
    """Name a node."""
    node.label = label
    return node


def lecture() -> Walk:
    """Walk through (x + y)z at (-2, 5, -4)."""
    x, y, z = Value(-2.0, "x"), Value(5.0, "y"), Value(-4.0, "z")
    return walk(labelled(labelled(x + y, "q") * z, "f"))


def neuron() -> Walk:
    """Walk through the sigmoid neuron, drawn from elementary gates."""
    w0, w1, w2 = Parameter(2.0, "w0"), Parameter(-3.0, "w1"), Parameter(-3.0, "w2")
    s = labelled(w0 * Value(-1.0, "x0") + w1 * Value(-2.0, "x1") + w2, "s")
    return walk(labelled(reciprocal(grow(s * -1.0) + 1.0), "f"))


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


def recurrence() -> Walk:
    """Walk through four steps of h = tanh(w·h + u·x): long lines from w and u to later rows."""
    w, u, h = Parameter(0.8, "w"), Parameter(0.5, "u"), Value(0.0, "h0")
    for t, x in enumerate((1.0, -0.5, 0.25, 2.0), 1):
        h = labelled(tanh(w * h + u * Value(x, f"x{t}")), f"h{t}")
    return walk(h)


def likelihood() -> Value:
    """Return the negative log-likelihood of three numbers under a normal distribution."""
    mu, log_sigma = Parameter(0.2, "mu"), Parameter(-0.3, "log_sigma")
    numbers = [Value(x, f"x{i}") for i, x in enumerate((0.1, 0.9, -0.4))]
    terms = [((x - mu) / grow(log_sigma)) ** 2 / 2 + log_sigma for x in numbers]
    return labelled((terms[0] + terms[1] + terms[2]) / 3, "NLL")
