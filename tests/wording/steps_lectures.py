"""Steps of graphs of the lectures, in several notations."""

from __future__ import annotations

import math
from collections.abc import Callable

import scalargrad as sg
from scalargrad import Parameter, Value, dot, log, softmax, square, tanh


def sigmoid_neuron_with_bars() -> tuple[Value, str]:
    """Walk through the sigmoid neuron in the bar notation of Toronto."""
    w, x, b = Value(0.5, "w"), Value(2.0, "x"), Value(-0.25, "b")
    return (w * x + b).sigmoid(), "bar"


def two_layers_with_deltas() -> tuple[Value, str]:
    """Walk through a hidden unit and a linear one."""
    w, v, x = Parameter(0.5, "w"), Parameter(-1.0, "v"), Value(2.0, "x")
    hidden = _named("h", tanh(_named("s", w * x)))
    return _named("L", square(_named("y", v * hidden) - 1.0)), "delta"


def cross_entropy_of_three_scores() -> Value:
    """Softmax subtracts the largest score, which is held constant."""
    scores = [Value(x, f"z{i}") for i, x in enumerate([2.0, 1.0, 0.1], 1)]
    return _named("L", -log(softmax(scores)[0]))


def attention_of_one_query_over_two_keys() -> Value:
    """Walk through scaled scores, their softmax and the weighted sum of values."""
    q = Value(1.5, "q")
    scores = [q * Value(k, f"k{i}") / math.sqrt(2) for i, k in enumerate((0.25, -1.0), 1)]
    values = [Value(1.0, "u1"), Value(-1.0, "u2")]
    return _named("out", dot(softmax(scores), values))


def one_step_of_newton_s_method() -> Value:
    """Find the cube root of 5 from 2."""
    x = Value(2.0, "x")
    return _named("next", x - (x**3 - 5) / (3 * x**2))


def two_steps_of_a_recurrence() -> Value:
    """Walk through two steps with the same weight."""
    w, h = Parameter(0.8, "w"), Value(0.5, "h0")
    for t in (1, 2):
        h = _named(f"h{t}", tanh(w * h))
    return h


def _regularised() -> Value:
    w, b = Parameter(0.5, "w"), Parameter(-0.25, "b")
    a = _named("a", w * Value(2.0, "x"))
    loss = _named("L", 0.5 * square(sg.sigmoid(_named("z", a + b)) - 1.0))
    return _named("L_reg", 0.1 * _named("R", 0.5 * _named("u", square(w))) + loss)


def _named(label: str, node: Value) -> Value:
    node.label = label
    return node


CASES: dict[str, Callable[[], object]] = {
    "regularised_logistic_least_squares": _regularised,
    "regularised_logistic_least_squares_with_bars": lambda: (_regularised(), "bar"),
}
