"""Graphs as expressions of SymPy, and SymPy's expressions as functions of Values."""

from __future__ import annotations

import random
from typing import Any

import pytest

import scalargrad as sg
from scalargrad import GraphError, Value, value_and_grad
from scalargrad.export import to_sympy
from scalargrad.ops import TABLE
from scalargrad.table.operation import Elementwise

sympy = pytest.importorskip("sympy", reason="sympy is not installed")

X, Y = sympy.symbols("x y", positive=True)

#: Expressions of SymPy, all defined at the positive numbers where they are tried.
EXPRESSIONS = [
    X + Y, X - Y, X * Y, X / Y, X**Y, X**2, X**-3, 1 / X, sympy.sqrt(X), X ** sympy.Rational(1, 3),
    sympy.exp(-X), sympy.log(X), sympy.log(X, 2), sympy.sin(X), sympy.cos(X * Y), sympy.tan(X / 3),
    sympy.asin(X / 3), sympy.acos(X / 3), sympy.atan(X), sympy.atan2(Y, X), sympy.sinh(X),
    sympy.cosh(X), sympy.tanh(X), sympy.asinh(X), sympy.acosh(X + 1), sympy.atanh(X / 3),
    sympy.erf(X), sympy.erfc(X), sympy.Abs(X - Y), sympy.Max(X, Y), sympy.Min(X, Y, 1),
    sympy.Piecewise((X**2, X > Y), (Y, True)), sympy.floor(X) * X, sympy.ceiling(Y) * X,
    sympy.sqrt(X**2 + Y**2),
    sympy.pi * X + sympy.E * Y, sympy.Mod(X, Y) + Y,
]  # fmt: skip


@pytest.mark.parametrize("expression", EXPRESSIONS, ids=str)
def test_what_lambdify_makes_is_differentiated(expression: Any) -> None:
    """Value and gradient are SymPy's own, to fifteen digits."""
    f = sympy.lambdify((X, Y), expression, modules=[sg, "math"])
    value, slopes = value_and_grad(lambda x, y: f(x, y) + 0.0 * x, argnums=(0, 1))(1.25, 0.7)
    at = {X: sympy.Rational(5, 4), Y: sympy.Rational(7, 10)}
    assert value == pytest.approx(float(number(expression, at)), rel=1e-13)
    step = sympy.Rational(1, 10**20)
    for slope, symbol in zip(slopes, (X, Y), strict=True):
        above = number(expression, {**at, symbol: at[symbol] + step})
        below = number(expression, {**at, symbol: at[symbol] - step})
        assert slope == pytest.approx(float((above - below) / (2 * step)), rel=1e-12, abs=1e-13)


def number(expression: Any, at: dict[Any, Any]) -> Any:
    """Return the number of an expression at a point, to sixty digits."""
    return sympy.N(expression.subs(at), 60)


def test_a_sign_that_would_lose_the_gradient_is_refused() -> None:
    """SymPy writes it with math.copysign, which takes no Values."""
    f = sympy.lambdify((X, Y), sympy.sign(X - Y), modules=[sg, "math"])
    with pytest.raises(sg.OperandError, match="would drop the gradient"):
        f(Value(1.0), 2.0)


WITHOUT = {"rint"}


@pytest.mark.parametrize("name", [name for name in TABLE if name not in WITHOUT])
def test_every_operation_has_an_expression(name: str) -> None:
    """Its number, at points of the operation's domain, is the operation's."""
    op, generator = TABLE[name], random.Random(name)
    arity = op.arity if isinstance(op, Elementwise) else 4
    for _ in range(3):
        at = [generator.uniform(*op.domain.interval(i)) for i in range(arity)]
        leaves = [Value(x, f"x{i}") for i, x in enumerate(at)]
        root = op.of(*leaves)
        expression = to_sympy(root)
        bound = {sympy.Symbol(x.label, real=True): sympy.Float(x.data, 30) for x in leaves}
        assert float(sympy.N(expression.subs(bound), 30)) == pytest.approx(root.data, rel=1e-12)


def test_a_graph_is_simplified_and_differentiated_in_symbols() -> None:
    """The derivative of a sigmoid neuron is what backward finds."""
    w, x = Value(2.0, "w"), Value(-1.0, "x")
    root = sg.sigmoid(w * x - 3)
    root.backward()
    expression = to_sympy(root)
    symbols = sympy.symbols("w x", real=True)
    assert sympy.simplify(expression - 1 / (1 + sympy.exp(3 - symbols[0] * symbols[1]))) == 0
    slope = sympy.diff(expression, symbols[0]).subs(dict(zip(symbols, (2, -1), strict=True)))
    assert w.grad == pytest.approx(float(slope), rel=1e-14)


def test_leaves_without_labels_have_the_names_of_pictures() -> None:
    """Two of one label are told apart; constants are written as they are."""
    a, b, c = Value(1.0), Value(2.0, "b"), Value(3.0, "b")
    assert str(to_sympy(a * b + c / 2.5 + 3.0)) == "b*v1 + 0.4*b_2 + 3"
    assert to_sympy(Value(1.0, "alone")) == sympy.Symbol("alone", real=True)


def test_long_graphs_need_no_deep_stack() -> None:
    """Five thousand additions."""
    x = Value(1.0, "x")
    total = x
    for _ in range(5000):
        total = total + x
    assert to_sympy(total) == 5001 * sympy.Symbol("x", real=True)


def test_what_sympy_does_not_know_is_refused() -> None:
    """Rounding to even, custom operations and compiled functions."""

    @sg.custom_op(partials=lambda y, x: (1.0,))
    def mine(x: float) -> float:
        return x

    for root in (sg.rint(Value(1.5)), mine(Value(1.0)), sg.jit(lambda x: x * x)(Value(2.0))):
        with pytest.raises(GraphError, match="has no counterpart in SymPy"):
            to_sympy(root)
