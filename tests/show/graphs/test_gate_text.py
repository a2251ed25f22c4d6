"""What stands in a gate."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from scalargrad import Value, custom_op, ops
from scalargrad.show.graphs.gates import gate_text

Function = Callable[[Value], Value]


def gate_of(function: Function) -> str:
    """Return what stands in the last gate of function(x)."""
    return gate_text(function(Value(0.5, "x")))


@pytest.mark.parametrize(
    ("function", "shown"),
    [
        (lambda x: x * -1, "×−1"),
        (lambda x: x + 1, "+1"),
        (lambda x: 1 + x, "+1"),
        (lambda x: 1 / x, "1/x"),
        (lambda x: 2 * x, "×2"),
    ],
)
def test_lecture_constants_fold(function: Function, shown: str) -> None:
    """The gates c + x, a·x and 1/x of the lecture's neuron carry their constant."""
    assert gate_of(function) == shown


@pytest.mark.parametrize(
    ("function", "shown"),
    [
        (lambda x: x - 1, "−1"),
        (lambda x: 2 - x, "2−x"),
        (lambda x: -2 - x, "−2−x"),
        (lambda x: x / 2, "÷2"),
        (lambda x: x / -3, "÷−3"),
        (lambda x: 2**x, "2ˣ"),
        (lambda x: ops.lt(x, 0.0), "<0"),
        (lambda x: ops.lt(0.0, x), "0<x"),
        (lambda x: ops.atan2(1.0, x), "atan2(1, x)"),
        (lambda x: ops.clip(x, 0, 1), "clip(x, 0, 1)"),
        (lambda x: x * 1e-5, "×1e−5"),
        (lambda x: x + 0.123456, "+0.1235"),
    ],
)
def test_gate_of_one_wire_reads_as_a_function_of_x(function: Function, shown: str) -> None:
    """A gate with one varying operand says which side its constants stand on."""
    assert gate_of(function) == shown


@pytest.mark.parametrize(
    ("exponent", "shown"),
    [(2, "x²"), (-1, "x⁻¹"), (10, "x¹⁰"), (0.5, "√x"), (1.5, "x^1.5"), (-0.5, "x^(−0.5)")],
)
def test_powers_are_superscripts_or_roots(exponent: float, shown: str) -> None:
    """A whole exponent is set as a superscript, ½ as a root, another fraction after ^."""
    assert gate_of(lambda x: x**exponent) == shown


@pytest.mark.parametrize(
    ("function", "shown"),
    [
        (lambda x: x + x, "+"),
        (lambda x: x - x, "−"),
        (lambda x: x * x, "×"),
        (lambda x: x / x, "÷"),
        (lambda x: x**x, "xʸ"),
        (lambda x: -x, "−x"),
        (ops.sigmoid, "σ"),
        (ops.relu, "ReLU"),
        (ops.reciprocal, "1/x"),
        (lambda x: ops.maximum(x, 0.0), "max"),
        (lambda x: ops.dot([x], [2.0]), "w·x"),
    ],
)
def test_other_gates_show_their_symbol(function: Function, shown: str) -> None:
    """Other gates show the table's symbol, ASCII signs as in print."""
    assert gate_of(function) == shown


def test_custom_operation_shows_the_symbol_it_was_declared_with() -> None:
    """A user's symbol is not rewritten, even if it holds a hyphen."""

    @custom_op(partials=lambda y, a, b: (1.0, 1.0), symbol="a-b")
    def merge(a: float, b: float) -> float:
        return a + b

    assert gate_of(lambda x: merge(x, x)) == "a-b"
