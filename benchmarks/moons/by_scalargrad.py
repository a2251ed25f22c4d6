"""scalargrad: the scalar code, compiled by `jit` in several ways of using it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import scalargrad as sg
from benchmarks.moons.problem import Problem, Step, loss, on_values


def descent(loss_of: Callable[..., Any], rate: float) -> Callable[..., Any]:
    """Return a step of gradient descent: parameters, nested or not, in, loss and parameters out.

    What else it is given, it hands on to the loss.
    """
    slopes = sg.value_and_grad(loss_of)

    def moved(parameters: Any, gradient: Any) -> Any:
        if isinstance(parameters, list | tuple):
            return type(parameters)(map(moved, parameters, gradient))
        return parameters - rate * gradient

    def step(parameters: Any, *data: Any) -> tuple[Any, Any]:
        value, gradient = slopes(parameters, *data)
        return value, moved(parameters, gradient)

    return step


def step_with_data_of(problem: Problem) -> Callable[..., Any]:
    """Return the whole step as a function of parameters, points and labels."""
    unit = getattr(sg, problem.activation)
    return descent(partial(loss, activate=unit, relu=sg.relu), problem.rate)


def step_of(problem: Problem) -> Callable[..., Any]:
    """Return the same step of the parameters alone.

    The data are in tuples, which cannot change, so that no call compares them with what they were.
    """
    points, labels = tuple(map(tuple, problem.points)), tuple(problem.labels)
    step = step_with_data_of(problem)
    return lambda parameters: step(parameters, points, labels)


class Scanned:
    """A step that is made many times in one call of `scan`, which keeps its state in memory.

    Parameters
    ----------
    step : callable
        Takes what is carried; returns the loss and the next to carry.
    carry
        What the first step takes.
    steps : int
        How many are made in a call.
    """

    def __init__(
        self, step: Callable[[Any], tuple[Any, Any]], carry: Any, steps: int = 200
    ) -> None:
        self.steps = steps
        self._step = sg.jit(lambda carry, _: step(carry)[::-1])
        self._carry = carry

    def __call__(self) -> float:
        """Make so many steps, and return the last one's loss."""
        self._carry, losses = sg.scan(self._step, self._carry, length=self.steps)
        return float(losses[-1])


def scanned(problem: Problem) -> Step:
    """Return the whole step, with the data written into the function."""
    return Scanned(step_of(problem), problem.parameters)


def passed_in(problem: Problem) -> Step:
    """Return the whole step, with the data as arguments, which it hands on unchanged."""
    step = step_with_data_of(problem)

    def carried(carry: Any) -> tuple[Any, Any]:
        parameters, points, labels = carry
        value, updated = step(parameters, points, labels)
        return value, (updated, points, labels)

    return Scanned(carried, (problem.parameters, problem.points, problem.labels))


def called(problem: Problem, kind: Callable[[Any], Any] = list) -> Step:
    """Return the whole step, called as a function: floats of this kind in, and out."""
    return called_with(step_of(problem), kind(problem.parameters))


def called_with(step: Callable[..., Any], state: Any, *given: Any) -> Step:
    """Return a step, compiled, which takes the state that it returned before beside its loss."""
    compiled = sg.jit(step)

    def run() -> float:
        nonlocal state
        value, state = compiled(state, *given)
        return float(value)

    return run


def loss_of(problem: Problem, parameters: list[sg.Parameter]) -> Callable[[], Any]:
    """Return the loss as a function that closes over Parameters."""
    unit = getattr(sg, problem.activation)
    return lambda: loss(parameters, problem.points, problem.labels, unit, sg.relu)


def decorated(problem: Problem) -> Step:
    """Return micrograd's own loop with one decorator on the loss, parameters as Values."""
    parameters = [sg.Parameter(x) for x in problem.parameters]
    return on_values(sg.jit(loss_of(problem, parameters)), parameters, problem.rate)
