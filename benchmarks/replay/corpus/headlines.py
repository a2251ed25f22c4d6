"""The first programs of docs/benchmarks.md: two moons, and the expression of micrograd's README."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import scalargrad as sg
from benchmarks.moons.by_scalargrad import step_of
from benchmarks.moons.problem import moons
from benchmarks.replay import Call, program

RATE = 0.05


def steps_by_scan(activation: str) -> Call:
    """Return ten steps of gradient descent on all 100 points."""
    problem = moons(activation, rate=RATE)
    step = sg.jit(lambda carry, _: step_of(problem)(carry)[::-1])
    return (lambda parameters: sg.scan(step, parameters, length=10)), (problem.parameters,)


@program
def moons_by_scan() -> Call:
    """Train a network of ReLU."""
    return steps_by_scan("relu")


@program
def moons_of_tanh_by_scan() -> Call:
    """Train a network of tanh."""
    return steps_by_scan("tanh")


@program
def moons_called_with_lists() -> Call:
    """Call the step on 337 floats in a list, which returns as many."""
    problem = moons(rate=RATE)
    return sg.jit(step_of(problem)), (problem.parameters,)


@program
def moons_called_with_arrays() -> Call:
    """Call the same step on an array."""
    problem = moons(rate=RATE)
    return sg.jit(step_of(problem)), (np.array(problem.parameters),)


def readme_expression(a: Any, b: Any, relu: Callable[[Any], Any]) -> Any:
    """Compute the expression of micrograd's README."""
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + relu(b + a)
    d += 3 * d + relu(b - a)
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    return g


expression = partial(readme_expression, relu=sg.relu)


@program
def readme_on_values() -> Call:
    """Compute the expression of the README on two Values."""
    return sg.jit(expression), (sg.Value(-4.0), sg.Value(2.0))


@program
def readme_on_floats() -> Call:
    """Its value and both slopes at two floats."""
    return sg.jit(sg.value_and_grad(expression, argnums=(0, 1))), (-4.0, 2.0)
