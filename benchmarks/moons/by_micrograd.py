"""micrograd, as published."""

from __future__ import annotations

from functools import partial

from benchmarks.moons.problem import Problem, Step, loss, on_values


def micrograd_step(problem: Problem) -> Step:
    """Return the step on micrograd's Values; of our hidden units, it has ReLU only."""
    from micrograd.engine import Value

    if problem.activation != "relu":
        raise ValueError(f"micrograd has no {problem.activation}")
    parameters = [Value(x) for x in problem.parameters]

    value = partial(loss, parameters, problem.points, problem.labels, Value.relu, Value.relu)
    return on_values(value, parameters, problem.rate)
