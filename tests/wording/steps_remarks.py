"""What is said of fan-outs, zeros, kinks, infinities, rounded numbers and unusual names."""

from __future__ import annotations

from scalargrad import Parameter, Value, exp, log, maximum, tanh
from scalargrad import sum as add_up


def square_by_multiplication() -> Value:
    """Two wires lead from one node into one gate."""
    x = Value(3.0, "x")
    return _f(x * x)


def two_gates_read_one_input() -> Value:
    """Each contribution names the gate it comes by."""
    x = Value(3.0, "x")
    a, b = x * 2.0, x * 5.0
    a.label, b.label = "a", "b"
    return _f(a + b)


def five_inputs_fan_out() -> Value:
    """Four are announced, the others counted."""
    return _f(add_up([x * x for x in [Value(1.0, f"x{i}") for i in range(5)]]))


def many_parameters() -> Value:
    """Name inputs first, and leave out some of many inputs and terms."""
    weights = [Parameter(1.0, f"w{i}") for i in range(9)]
    return _f(add_up(weights) * Value(2.0, "x"))


def product_with_zero() -> Value:
    """One way back ends there."""
    return _f(Value(1.5, "x") * Value(0.0, "y"))


def multiplier_below_a_square() -> Value:
    """Multiply what arrives by the other operand."""
    return _f((Parameter(0.5, "w") * -2.0 - 1.0) ** 2)


def kink_beside_a_curve() -> Value:
    """Say what the output does, and what the gradient foretells."""
    x = Value(0.0, "x")
    return _f(maximum(x * x, x))


def nudge_of_a_tiny_number() -> Value:
    """Speak of a nudge that is small beside the number."""
    return _f(1.0 / Value(1e-6, "x"))


def sum_that_swallows_its_input() -> Value:
    """Say that it does not change."""
    return _f(Value(1.0, "x") + 1e16)


def overflow() -> Value:
    """Name the first value that is not finite, with the remedy."""
    return _f(exp(Value(800.0, "x")) * 2.0)


def zero_times_infinity() -> Value:
    """Let the product be nan, which does not stop."""
    return _f(log(Value(1e-320, "x")) * Value(0.0, "zero"))


def input_that_is_not_a_number() -> Value:
    """Say where the trouble begins."""
    return _f(Value(float("nan"), "x") * 2.0)


def thirds() -> Value:
    """Join what is rounded by ≈, and one times it by =."""
    return _f(Value(1 / 3, "x") * 1.0 * (2 / 3))


def sums_of_rounded_numbers() -> Value:
    """Call what follows from tanh(400) about that, and a product with 0 just 0."""
    h = tanh(Value(400.0, "x"))
    return _f(h + h * 0.0)


def product_that_underflows() -> Value:
    """1e−600 is not 0."""
    return _f(Value(1e-300, "x") * Value(1e-300, "y"))


def names_that_are_formulas() -> Value:
    """They stand in parentheses, indices and those in brackets do not."""
    return _f(Value(3.0, "a + b") * Value(2.0, "w[0,1]") * Value(2.0, "L_reg") - Value(1.0, "-c"))


def names_with_an_index_or_of_several_letters_with_bars() -> tuple[Value, str]:
    """Set the bar over the letter, or over each."""
    return _f(add_up([Value(1.0, name) for name in ("w1", "w_x", "loss")])), "bar"


def names_with_control_characters() -> Value:
    """They are shown as signs."""
    return _f(Value(1.0, "a\nb\x1b[31m\u202e") * 2.0)


def _f(node: Value) -> Value:
    node.label = "f"
    return node
