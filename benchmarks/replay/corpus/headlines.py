"""What docs/benchmarks.md has first: two moons, the GPT on scalars, the README's expression."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

import scalargrad as sg
from benchmarks import gpt
from benchmarks.against_micrograd import readme_expression
from benchmarks.moons.by_scalargrad import step_of
from benchmarks.moons.problem import moons
from benchmarks.replay import Call, program
from scalargrad.experiments import GPT

RATE = 0.05
#: The tokens of “lea” behind the mark that begins and ends a name, and what follows each.
TOKENS, NEXT = [26, 11, 4, 0], [11, 4, 0, 26]


def steps_by_scan(activation: str) -> Call:
    """Return ten steps of gradient descent on all 100 points."""
    problem = moons(activation, rate=RATE)
    step = sg.jit(lambda carry, _: step_of(problem)(carry)[::-1])
    return (lambda parameters: sg.scan(step, parameters, length=10)), (problem.parameters,)


@program
def moons_by_scan() -> Call:
    """Of a network of ReLU."""
    return steps_by_scan("relu")


@program
def moons_of_tanh_by_scan() -> Call:
    """Of a network of tanh."""
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


def gpt_loss(parameters: Any) -> Any:
    """Return the loss of the GPT for one name."""
    return gpt.loss(parameters, TOKENS, NEXT, sg)


@program
def gpt_of_floats() -> Call:
    """Loss and gradient with respect to a list of 4,192 floats."""
    given = [p.data for p in GPT(gpt.CHARACTERS, rng=0).parameters()]
    return sg.jit(sg.value_and_grad(gpt_loss)), (given,)


@program
def gpt_of_parameters() -> Call:
    """Loss and gradient with respect to Parameters that the function reads."""
    own = [sg.Parameter(p.data) for p in GPT(gpt.CHARACTERS, rng=0).parameters()]
    loss = sg.jit(lambda: gpt_loss(own))

    def slopes() -> list[Any]:
        value = loss()
        return [value.data, *sg.gradients(value, own)]

    return slopes, ()


expression = partial(readme_expression, relu=sg.relu)


@program
def readme_on_values() -> Call:
    """Compute the expression of the README on two Values."""
    return sg.jit(expression), (sg.Value(-4.0), sg.Value(2.0))


@program
def readme_on_floats() -> Call:
    """Its value and both slopes at two floats."""
    return sg.jit(sg.value_and_grad(expression, argnums=(0, 1))), (-4.0, 2.0)
