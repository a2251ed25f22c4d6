"""micrograd, as published."""

from __future__ import annotations

from benchmarks.moons.problem import Problem, Step, loss


def published(problem: Problem) -> Step:
    """Return the step on micrograd's Values; it has ReLU and no other unit of ours."""
    from micrograd.engine import Value

    if problem.activation != "relu":
        raise ValueError(f"micrograd as published has no {problem.activation}")
    parameters = [Value(x) for x in problem.parameters]

    def run() -> float:
        value = loss(parameters, problem.points, problem.labels, Value.relu, Value.relu)
        for p in parameters:
            p.grad = 0
        value.backward()
        for p in parameters:
            p.data -= problem.rate * p.grad
        return float(value.data)

    return run
