"""PyTorch, eagerly, vectorised by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.moons.problem import PENALTY, Problem, Step, layers


def in_doubles() -> Any:
    """Return PyTorch, which computes in float64 and in one thread from now on."""
    import torch

    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(1)
    return torch


def descent(
    loss_of: Callable[[Any, Any], Any], inputs: Any, layers: Any, activation: str, rate: float
) -> Step:
    """Return a step of gradient descent on matrices.

    Parameters
    ----------
    loss_of : callable
        Takes the outputs of a network of these layers, and their parameters.
    """
    torch = in_doubles()
    xs, activate = torch.tensor(inputs), getattr(torch, activation)
    pairs = [[torch.tensor(x, requires_grad=True) for x in pair] for pair in layers]
    parameters: list[Any] = [x for pair in pairs for x in pair]

    def run() -> float:
        h = xs
        for w, b in pairs[:-1]:
            h = activate(torch.nn.functional.linear(h, w, b))
        value = loss_of(torch.nn.functional.linear(h, *pairs[-1]), parameters)
        gradients = torch.autograd.grad(value, parameters)
        with torch.no_grad():
            for x, g in zip(parameters, gradients, strict=True):
                x.sub_(g, alpha=rate)
        return float(value.detach())

    return run


def vectorised_step(problem: Problem) -> Step:
    """Return the step on matrices."""
    ys = in_doubles().tensor(problem.labels)

    def loss_of(h: Any, parameters: Any) -> Any:
        margin = (1 - ys * h[:, 0]).relu().mean()
        return margin + PENALTY * sum((x * x).sum() for x in parameters)

    numbers, unit = layers(problem.parameters), problem.activation
    return descent(loss_of, problem.points, numbers, unit, problem.rate)
