"""First tasks of newcomers: a student with micrograd code, a teacher, an engineer, a scientist.

The programs of the guides are run by `tests/test_documents.py`; these are further tasks.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
from scipy import integrate, optimize

from scalargrad import DomainError, OperandError, TraceError, Value, jit, log, value_and_grad
from scalargrad.nn import MLP

XS = [[2.0, 3.0, -1.0], [3.0, -1.0, 0.5], [0.5, 1.0, 1.0], [1.0, 1.0, -1.0]]
YS = [1.0, -1.0, -1.0, 1.0]


def test_jit_of_a_loss_in_a_micrograd_training_loop() -> None:
    """The loop is micrograd's; after sixty rounds every example is classified correctly."""
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


def test_jit_of_a_function_that_reads_data_suggests_a_comparison() -> None:
    """`.data > 0` is refused with a remedy, and the remedy works."""

    @jit
    def step(x: Value) -> float:
        return 1.0 if x.data > 0 else 0.0

    @jit
    def step_with_remedy(x: Value) -> float:
        return 1.0 if x > 0 else 0.0

    with pytest.raises(TraceError, match="compare"):
        step(Value(2.0))
    assert (step_with_remedy(Value(2.0)), step_with_remedy(Value(-2.0))) == (1.0, 0.0)


def test_domain_error_as_infinity_in_scipys_minimize() -> None:
    """Infinity for a DomainError lets `minimize` step back to the minimum at 1."""
    gradient = value_and_grad(lambda p: p[0] - log(p[0]))

    def with_infinity(p: Any) -> Any:
        try:
            return gradient(p)
        except DomainError:
            return np.inf, np.zeros_like(p)

    with pytest.raises(DomainError, match="log"):
        gradient([-1.0])
    assert optimize.minimize(with_infinity, np.array([30.0]), jac=True).x == pytest.approx([1.0])


def test_grad_of_scipys_solve_ivp_is_an_error() -> None:
    """`solve_ivp` computes with floats; the error says that a gradient would be lost."""

    def end(rate: Any) -> Any:
        return integrate.solve_ivp(lambda t, u: -rate * u, (0, 1), [1.0]).y[0, -1]

    with pytest.raises(OperandError, match="gradient"):
        value_and_grad(end)(0.5)
