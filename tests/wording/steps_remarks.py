"""Remarks on fan-outs, zeros, kinks, infinities, rounded numbers and unusual names."""

from __future__ import annotations

from collections.abc import Callable

from scalargrad import Parameter, Value, exp, log, maximum, tanh
from scalargrad import sum as add_up


def square_by_multiplication() -> Value:
    """Two wires lead from one node into one gate."""
    x = Value(3.0, "x")
    return _f(x * x)


def two_gates_read_one_input() -> Value:
    """Each contribution names its gate."""
    x = Value(3.0, "x")
    a, b = x * 2.0, x * 5.0
    a.label, b.label = "a", "b"
    return _f(a + b)


def many_parameters() -> Value:
    """Abbreviate long lists of inputs and terms, with inputs before parameters."""
    weights = [Parameter(1.0, f"w{i}") for i in range(9)]
    return _f(add_up(weights) * Value(2.0, "x"))


def kink_beside_a_curve() -> Value:
    """At a kink there is no prediction."""
    x = Value(0.0, "x")
    return _f(maximum(x * x, x))


def sums_of_rounded_numbers() -> Value:
    """Numbers after tanh(400) are approximate, but a product with 0 is exactly 0."""
    h = tanh(Value(400.0, "x"))
    return _f(h + h * 0.0)


def _f(node: Value) -> Value:
    node.label = "f"
    return node


CASES: dict[str, Callable[[], object]] = {
    "five_inputs_fan_out": lambda: _f(
        add_up([x * x for x in [Value(1.0, f"x{i}") for i in range(5)]])
    ),
    "product_with_zero": lambda: _f(Value(1.5, "x") * Value(0.0, "y")),
    "multiplier_below_a_square": lambda: _f((Parameter(0.5, "w") * -2.0 - 1.0) ** 2),
    "nudge_of_a_tiny_number": lambda: _f(1.0 / Value(1e-6, "x")),
    "sum_that_swallows_its_input": lambda: _f(Value(1.0, "x") + 1e16),
    "overflow": lambda: _f(exp(Value(800.0, "x")) * 2.0),
    "zero_times_infinity": lambda: _f(log(Value(1e-320, "x")) * Value(0.0, "zero")),
    "input_that_is_not_a_number": lambda: _f(Value(float("nan"), "x") * 2.0),
    "thirds": lambda: _f(Value(1 / 3, "x") * 1.0 * (2 / 3)),
    "product_that_underflows": lambda: _f(Value(1e-300, "x") * Value(1e-300, "y")),
    "names_that_are_formulas": lambda: _f(
        Value(3.0, "a + b") * Value(2.0, "w[0,1]") * Value(2.0, "L_reg") - Value(1.0, "-c")
    ),
    "names_with_an_index_or_of_several_letters_with_bars": lambda: (
        _f(add_up([Value(1.0, name) for name in ("w1", "w_x", "loss")])),
        "bar",
    ),
    "names_with_control_characters": lambda: _f(Value(1.0, "a\nb\x1b[31m\u202e") * 2.0),
}
