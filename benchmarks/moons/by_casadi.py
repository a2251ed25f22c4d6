"""CasADi: the scalar code on SX symbols, as a function that its virtual machine runs."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from benchmarks.moons.problem import Problem, Step, loss


def scalar_step(problem: Problem) -> Step:
    """Return the step; its function reads and writes arrays directly."""
    casadi: Any = importlib.import_module("casadi")  # its type hints say otherwise

    units: dict[str, Any] = {
        "relu": lambda s: casadi.fmax(s, 0.0),
        "tanh": casadi.tanh,
        "sigmoid": lambda s: 1.0 / (1.0 + casadi.exp(-s)),
    }
    p = casadi.SX.sym("p", len(problem.parameters))
    relu, activate = units["relu"], units[problem.activation]
    value = loss(casadi.vertsplit(p), problem.points, problem.labels, activate, relu)
    updated = p - problem.rate * casadi.gradient(value, p)
    step = casadi.Function("step", [p], [value, updated])
    buffer, trigger = step.buffer()
    state, found, after = np.array(problem.parameters), np.zeros(1), np.zeros(p.numel())
    views = [memoryview(x.data) for x in (state, found, after)]  # the buffer does not keep them
    buffer.set_arg(0, views[0])
    for place, view in enumerate(views[1:]):
        buffer.set_res(place, view)

    def run(_references: object = (step, buffer, views)) -> float:
        trigger()
        state[:] = after
        return float(found[0])

    return run
