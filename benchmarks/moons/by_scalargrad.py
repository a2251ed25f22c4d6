"""The scalar code in scalargrad, compiled by `jit`, with several kinds of call."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import scalargrad as sg
from benchmarks.moons.problem import Problem, Step, loss, on_values


def descent(loss_of: Callable[..., Any], rate: float) -> Callable[..., Any]:
    """Return a step of gradient descent from (nested) parameters to the loss and new parameters.

    Further arguments are passed on to the loss.
    """
    slopes = sg.value_and_grad(loss_of)

    def update(parameters: Any, gradient: Any) -> Any:
        if isinstance(parameters, list | tuple):
            return type(parameters)(map(update, parameters, gradient))
        return parameters - rate * gradient

    def step(parameters: Any, *data: Any) -> tuple[Any, Any]:
        value, gradient = slopes(parameters, *data)
        return value, update(parameters, gradient)

    return step


def step_with_data_of(problem: Problem) -> Callable[..., Any]:
    """Return the whole step as a function of parameters, points and labels."""
    unit = getattr(sg, problem.activation)
    return descent(partial(loss, activate=unit, relu=sg.relu), problem.rate)


def step_of(problem: Problem) -> Callable[..., Any]:
    """Return the same step as a function of the parameters alone.

    The data are tuples, which are immutable, so calls need not check them for changes.
    """
    points, labels = tuple(map(tuple, problem.points)), tuple(problem.labels)
    step = step_with_data_of(problem)
    return lambda parameters: step(parameters, points, labels)


class ScanSteps:
    """A step that is repeated in one call of `scan`, which keeps its state in memory.

    Parameters
    ----------
    step : callable
        A function of the carry that returns the loss and the next carry.
    carry
        The carry of the first step.
    steps : int
        The number of steps per call.
    """

    def __init__(
        self, step: Callable[[Any], tuple[Any, Any]], carry: Any, steps: int = 200
    ) -> None:
        self.steps = steps
        self._step = sg.jit(lambda carry, _: step(carry)[::-1])
        self._carry = carry

    def __call__(self) -> float:
        """Make the steps, and return the loss of the last one."""
        self._carry, losses = sg.scan(self._step, self._carry, length=self.steps)
        return float(losses[-1])


def step_by_scan(problem: Problem) -> Step:
    """Return the whole step by `scan`, with the data as constants of the function."""
    return ScanSteps(step_of(problem), problem.parameters)


def step_by_scan_with_data(problem: Problem) -> Step:
    """Return the whole step by `scan`, with the data in the carry, which does not change them."""
    step = step_with_data_of(problem)

    def carry_step(carry: Any) -> tuple[Any, Any]:
        parameters, points, labels = carry
        value, updated = step(parameters, points, labels)
        return value, (updated, points, labels)

    return ScanSteps(carry_step, (problem.parameters, problem.points, problem.labels))


def step_by_calls(problem: Problem, kind: Callable[[Any], Any] = list) -> Step:
    """Return the whole step, called as a function, with parameters of this kind."""
    return step_with_arguments(step_of(problem), kind(problem.parameters))


def step_with_arguments(step: Callable[..., Any], state: Any, *data: Any) -> Step:
    """Compile a step, and return a run that makes one step from the state of the last."""
    compiled = sg.jit(step)

    def run() -> float:
        nonlocal state
        value, state = compiled(state, *data)
        return float(value)

    return run


def loss_of(problem: Problem, parameters: list[sg.Parameter]) -> Callable[[], Any]:
    """Return the loss as a function that closes over Parameters."""
    unit = getattr(sg, problem.activation)
    return lambda: loss(parameters, problem.points, problem.labels, unit, sg.relu)


def step_with_compiled_loss(problem: Problem) -> Step:
    """Return micrograd's own loop with one decorator on the loss, parameters as Values."""
    parameters = [sg.Parameter(x) for x in problem.parameters]
    return on_values(sg.jit(loss_of(problem, parameters)), parameters, problem.rate)
