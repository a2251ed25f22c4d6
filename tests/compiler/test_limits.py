"""Compiled functions under load: size, memory, processes, and being called from anywhere."""

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


def test_a_long_chain_is_compiled() -> None:
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
def test_a_million_nodes_are_compiled() -> None:
    """A loop that leaves a million nodes behind gives Σ (w²x - w/2) and its slope Σ (2wx - 1/2)."""
    xs = [0.001 * i for i in range(250_000)]
    w = Value(2.0)
    y = jit(lambda w: sum((w * x - 0.5) * w for x in xs))(w)
    total = 0.001 * len(xs) * (len(xs) - 1) / 2
    assert y.data == pytest.approx(4.0 * total - 1.0 * len(xs), rel=1e-12)
    assert gradients(y, w) == pytest.approx(4.0 * total - 0.5 * len(xs), rel=1e-12)


def test_a_program_takes_little_memory_beyond_its_recording() -> None:
    """The two-moons loss of 100 points and its gradient run in less than 2 MB."""
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


def test_a_compiled_function_may_call_itself_and_others() -> None:
    """Recursion unrolls while recording; the inner calls are part of the program."""
    w = Parameter(2.0)

    @jit
    def power(x: Any, n: str) -> Any:
        return 1.0 if not n else w * x * power(x, n[1:])

    y = power(3.0, "iii")
    y.backward()
    assert (y.data, w.grad) == (216.0, 324.0)
    outer = jit(lambda x: power(x, "ii") + power(x, "i"))
    assert outer(3.0).data == 42.0
