"""Limits of jit: long programs, memory and recursion."""

from __future__ import annotations

import gc
import random
import tracemalloc
from typing import Any

import numpy as np
import pytest

import scalargrad as sg
from scalargrad import Parameter, Value, gradients, jit, sin
from scalargrad.nn import MLP

LONG = 20_000


def test_jit_of_a_chain_of_20_000_operations() -> None:
    """Without recursion; the gradient is Π 0.9999·cos xₖ."""

    def chain(x: Any) -> Any:
        for _ in range(LONG):
            x = sin(x) * 0.9999
        return x

    x = Value(0.5)
    y = jit(chain)(x)
    number, slope = 0.5, 1.0
    for _ in range(LONG):
        slope *= 0.9999 * float(np.cos(number))
        number = 0.9999 * float(np.sin(number))
    assert y.data == pytest.approx(number, rel=1e-9)
    assert gradients(y, x) == pytest.approx(slope, rel=1e-9)


@pytest.mark.wide
def test_jit_of_a_million_nodes() -> None:
    """A loop with the closed form Σ (w²x - w/2), whose derivative is Σ (2wx - 1/2)."""
    xs = [0.001 * i for i in range(250_000)]
    w = Value(2.0)
    y = jit(lambda w: sum((w * x - 0.5) * w for x in xs))(w)
    total = 0.001 * len(xs) * (len(xs) - 1) / 2
    assert y.data == pytest.approx(4.0 * total - 1.0 * len(xs), rel=1e-12)
    assert gradients(y, w) == pytest.approx(4.0 * total - 0.5 * len(xs), rel=1e-12)


def test_call_of_a_jitted_loss_takes_less_than_2_mb() -> None:
    """The loss of the moons example at 100 points, and its gradient."""
    random.seed(0)
    model = MLP(2, [16, 16, 1])
    points = [[random.gauss(0, 1), random.gauss(0, 1)] for _ in range(100)]

    def loss() -> Any:
        margins = [sg.relu(1.0 - model(p)) for p in points]
        return sum(margins) / 100 + 1e-4 * sum(p * p for p in model.parameters())

    compiled = jit(loss)
    compiled()
    gc.collect()
    tracemalloc.start()
    compiled().backward()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2_000_000


def test_a_jitted_function_calls_itself_and_other_jitted_functions() -> None:
    """Recursion is unrolled while tracing; inner calls become part of the program."""
    w = Parameter(2.0)

    @jit
    def power(x: Any, n: str) -> Any:
        return 1.0 if not n else w * x * power(x, n[1:])

    y = power(3.0, "iii")
    y.backward()
    assert (y.data, w.grad) == (216.0, 324.0)
    outer = jit(lambda x: power(x, "ii") + power(x, "i"))
    assert outer(3.0).data == 42.0
