"""The problems of `benchmarks.gradbench`, and other rows of docs/benchmarks.md."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import scalargrad as sg
from benchmarks import gradbench
from benchmarks.gradbench import Make
from benchmarks.moons.by_scalargrad import step_with_data_of
from benchmarks.moons.problem import moons
from benchmarks.replay import Call, program


def derivative(make: Make) -> Call:
    """Return the derivative of a problem, and its inputs, which are the same at each replay."""
    gradbench.GENERATOR = np.random.default_rng(31337)
    problem = make()
    return sg.jit(problem.ours) if problem.is_whole else problem.ours(), problem.inputs


for make in gradbench.PROBLEMS:
    made = partial(derivative, make)
    made.__module__, made.__name__ = __name__, make.__name__  # type: ignore[attr-defined]
    program(made)


@program
def data_handed_on() -> Call:
    """Train on data that is part of the carry of a scan, unchanged."""
    problem = moons("relu", rate=0.05)
    step = step_with_data_of(problem)

    def carried(carry: Any, _: None) -> tuple[Any, Any]:
        parameters, points, labels = carry
        value, updated = step(parameters, points, labels)
        return (updated, points, labels), value

    compiled = sg.jit(carried)
    train: Callable[..., Any] = lambda carry: sg.scan(compiled, carry, length=20)  # noqa: E731
    return train, ((problem.parameters, problem.points, problem.labels),)
