"""PyTorch, eagerly, vectorised by hand."""

from __future__ import annotations

from typing import Any

from benchmarks.moons.problem import PENALTY, Problem, Step, layers


def vectorised(problem: Problem) -> Step:
    """Return the step on matrices, in one thread."""
    import torch

    torch.set_num_threads(1)
    xs = torch.tensor(problem.points, dtype=torch.float64)
    ys = torch.tensor(problem.labels, dtype=torch.float64)
    activate = getattr(torch, problem.activation)
    pairs = [
        [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in pair]
        for pair in layers(problem.parameters)
    ]
    parameters: list[Any] = [x for pair in pairs for x in pair]

    def run() -> float:
        h = xs
        for w, b in pairs:
            h = torch.nn.functional.linear(h, w, b)
            h = h if w.shape[0] == 1 else activate(h)
        margin = (1 - ys * h[:, 0]).relu().mean()
        value = margin + PENALTY * sum((x * x).sum() for x in parameters)
        gradients = torch.autograd.grad(value, parameters)
        with torch.no_grad():
            for x, g in zip(parameters, gradients, strict=True):
                x.sub_(g, alpha=problem.rate)
        return float(value.detach())

    return run
