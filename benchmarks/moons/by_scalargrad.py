"""scalargrad: the scalar code, compiled by `jit` in several ways of using it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import scalargrad as sg
from benchmarks.moons.problem import Problem, Step, loss
from scalargrad.compiler.machines.blocks import Blocked
from scalargrad.compiler.machines.machine import Machine
from scalargrad.compiler.passes.instructions import Packed
from scalargrad.compiler.passes.memory import Floats

Numbers = Sequence[Any]


def _loss(problem: Problem, parameters: Numbers, points: Any = None, labels: Any = None) -> Any:
    """Return the loss; without other data, with the problem's own, as plain floats."""
    points = problem.points if points is None else points
    labels = problem.labels if labels is None else labels
    return loss(parameters, points, labels, getattr(sg, problem.activation), sg.relu)


def step_of(problem: Problem) -> Any:
    """Return the whole step as a function of floats: parameters in, loss and parameters out."""

    def step(parameters: Numbers, rate: float) -> Any:
        value, gradient = sg.value_and_grad(lambda p: _loss(problem, p))(parameters)
        return value, [p - rate * g for p, g in zip(parameters, gradient, strict=True)]

    return step


def step_with_data_of(problem: Problem) -> Any:
    """Return the same step with points and labels as arguments."""

    def step(parameters: Numbers, rate: float, points: Any, labels: Any) -> Any:
        found = sg.value_and_grad(lambda p: _loss(problem, p, points, labels))(parameters)
        value, gradient = found
        return value, [p - rate * g for p, g in zip(parameters, gradient, strict=True)]

    return step


class InMemory(NamedTuple):
    """A compiled function with memory of its own, in which its arguments stay."""

    packed: Packed | Blocked
    machine: Machine

    @property
    def results(self) -> Floats:
        """The cells of the results, in their order."""
        return self.machine.memory[self.packed.outputs]


def in_memory(function: Any, *arguments: Any) -> InMemory:
    """Compile a function of floats for these arguments, and put them into its memory."""
    compiled = sg.jit(function)
    compiled(*arguments)
    ((path,),) = compiled._paths.values()
    runner = path.function.values
    _, leaves, held = compiled.signature(arguments, {})
    machine = runner.machine()
    machine.memory[: runner.packed.inputs] = path.inputs(leaves, held)
    return InMemory(runner.packed, machine)


def stepping(step: Any, *arguments: Any) -> Step:
    """Compile a step; its parameters stay in the program's memory, as C's stay in an array."""
    program = in_memory(step, *arguments)
    parameters = program.machine.memory[: len(arguments[0])]
    value, updated = program.results[:1], program.results[1:]
    run_program = program.machine.run

    def run() -> float:
        run_program()
        parameters[:] = updated
        return float(value[0])

    return run


def resident(problem: Problem) -> Step:
    """Return the whole step, with the data written into the function."""
    return stepping(step_of(problem), problem.parameters, problem.rate)


def passed_in(problem: Problem) -> Step:
    """Return the whole step, with the data as arguments."""
    step = step_with_data_of(problem)
    return stepping(step, problem.parameters, problem.rate, problem.points, problem.labels)


def called(problem: Problem) -> Step:
    """Return the whole step, called as a function: a list of floats in, a list out."""
    compiled = sg.jit(step_of(problem))
    state = problem.parameters

    def run() -> float:
        nonlocal state
        value, state = compiled(state, problem.rate)
        return float(value)

    return run


def loss_of(problem: Problem, parameters: list[sg.Parameter]) -> Callable[[], Any]:
    """Return the loss as a function that closes over Parameters."""
    return lambda: _loss(problem, parameters)


def decorated(problem: Problem) -> Step:
    """Return micrograd's own loop with one decorator on the loss, parameters as Values."""
    parameters = [sg.Parameter(x) for x in problem.parameters]
    compiled = sg.jit(loss_of(problem, parameters))

    def run() -> float:
        value = compiled()
        for p in parameters:
            p.grad = 0.0
        value.backward()
        for p in parameters:
            p.data -= problem.rate * p.grad
        return float(value.data)

    return run
