"""Hosseini 2024: manual, numerical, symbolic and automatic differentiation of one function.

The function is the fourth iterate of the logistic map, as in Baydin et al., Automatic
differentiation in machine learning: a survey, 2018, section 2.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, overload

import pytest
from tests.inner import topological_order

import scalargrad as sg
from scalargrad import Value

POINTS = [0.05, 0.2, 0.37, 0.5, 0.81, 0.96]


@overload
def iterate(x: float, times: int = 4) -> float: ...
@overload
def iterate(x: Value, times: int = 4) -> Value: ...
def iterate(x: Any, times: int = 4) -> Any:
    """Apply the logistic map, l ↦ 4l(1 - l), repeatedly."""
    for _ in range(times - 1):
        x = 4.0 * x * (1.0 - x)
    return x


def manual(x: float) -> float:
    """Return the derivative of 64x(1 - x)(1 - 2x)²(1 - 8x + 8x²)², as calculated on paper."""
    a, b, c = x * (1.0 - x), 1.0 - 2.0 * x, 1.0 - 8.0 * x + 8.0 * x * x
    return 64.0 * b * c * (b * b * c - 4.0 * a * c - 16.0 * a * b * b)


def numerical(x: float, step: float) -> float:
    """Return the central difference."""
    return (iterate(x + step) - iterate(x - step)) / (2.0 * step)


def automatic(x: float) -> float:
    """Return the derivative by one backward pass over the loop."""
    leaf = Value(x)
    iterate(leaf).backward()
    return leaf.grad


@pytest.mark.parametrize("x", POINTS)
def test_grad_and_jvp_equal_the_manual_derivative(x: float) -> None:
    """Reverse mode and forward mode agree with the formula, up to rounding."""
    expected = pytest.approx(manual(x), rel=1e-12, abs=1e-12)
    assert automatic(x) == expected
    assert sg.grad(iterate)(x) == expected
    assert sg.jvp(iterate, (x,), (1.0,))[1] == expected


@pytest.mark.wide
@pytest.mark.parametrize("x", POINTS)
def test_backward_equals_the_symbolic_derivative(x: float) -> None:
    """SymPy's derivative of the same loop, run on a symbol, has the same value."""
    sympy = pytest.importorskip("sympy", reason="SymPy, which PyTorch brings, is not installed")
    symbol = sympy.Symbol("x")
    derivative = sympy.diff(iterate(symbol), symbol)
    expected = float(derivative.evalf(30, subs={symbol: sympy.Float(x, 30)}))
    assert automatic(x) == pytest.approx(expected, rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("x", POINTS)
def test_backward_equals_the_numerical_derivative(x: float) -> None:
    """The central difference with a good step agrees to 1e-7."""
    assert automatic(x) == pytest.approx(numerical(x, 1e-6), abs=1e-7)


def test_numerical_derivative_error_falls_and_rises_with_the_step() -> None:
    """A tenth of the step has a hundredth of the error, until rounding dominates."""
    exact = manual(0.2)
    errors = {step: abs(numerical(0.2, step) - exact) for step in (1e-2, 1e-3, 1e-5, 1e-13)}
    assert errors[1e-3] == pytest.approx(errors[1e-2] / 100.0, rel=0.05)
    assert errors[1e-5] < errors[1e-3] / 1000.0
    assert errors[1e-13] > 1000.0 * errors[1e-5]
    assert abs(automatic(0.2) - exact) < 1e-12


def count_formula_operations(root: Value) -> int:
    """Return the number of operations of the formula of a graph, with shared parts repeated."""
    size: dict[Value, int] = {}
    for node in topological_order(root):
        operands = sum(size[x] for x in node.parents if isinstance(x, Value))
        size[node] = operands + bool(node.parents)
    return size[root]


def test_create_graph_grows_linearly_while_formulas_double() -> None:
    """Each iteration doubles the formula of f, and adds a constant number of nodes to f'."""
    formulas, graphs = [], []
    for times in (4, 5, 6, 7):
        x = Value(0.2)
        y = iterate(x, times)
        formulas.append(count_formula_operations(y))
        graphs.append(len(topological_order(sg.gradients(y, x, create_graph=True))))
    assert all(b > 2 * a for a, b in itertools.pairwise(formulas))
    growth = {b - a for a, b in itertools.pairwise(graphs)}
    assert len(growth) == 1
    assert growth.pop() < 12


def test_grad_runs_the_function_once() -> None:
    """For 20 inputs central differences run f 40 times, automatic differentiation once."""
    runs = 0

    def f(x: Sequence[Any]) -> Any:
        nonlocal runs
        runs += 1
        return sg.logsumexp(x) if isinstance(x[0], Value) else math.log(sum(map(math.exp, x)))

    x = [0.1 * i for i in range(20)]
    gradient = sg.grad(f)(x)
    assert runs == 1
    runs, step = 0, 1e-6
    for i, partial in enumerate(gradient):
        above, below = ([*x[:i], x[i] + s, *x[i + 1 :]] for s in (step, -step))
        assert partial == pytest.approx((f(above) - f(below)) / (2.0 * step), abs=1e-8)
    assert runs == 40
