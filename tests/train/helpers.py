"""A small problem, and the plainest optimiser there is, with momentum so that it has state."""

from __future__ import annotations

from typing import Any

from scalargrad import mean
from scalargrad.nn import Dropout, Linear, Module, Sequential, Tanh
from scalargrad.value import Parameter

INPUTS = [[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [-1.0, 2.0], [0.5, -0.5], [2.0, 0.25]]
TARGETS = [1.0, -1.0, 0.0, 3.0, -1.0, -1.75]


class Descent:
    """Gradient descent with momentum."""

    def __init__(self, parameters: list[Parameter], lr: float = 0.1, momentum: float = 0.0) -> None:
        self.parameters, self.lr, self.momentum = parameters, lr, momentum
        self.velocity = [0.0] * len(parameters)

    def zero_grad(self) -> None:
        """Clear the gradients."""
        for parameter in self.parameters:
            parameter.zero_grad()

    def step(self) -> None:
        """Move on."""
        for i, parameter in enumerate(self.parameters):
            self.velocity[i] = self.momentum * self.velocity[i] + parameter.grad
            parameter.data -= self.lr * self.velocity[i]

    def state_dict(self) -> dict[str, Any]:
        """Return all state."""
        return {"velocity": list(self.velocity), "lr": self.lr}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take on such a state."""
        self.velocity, self.lr = list(state["velocity"]), state["lr"]


class Halving:
    """A schedule that halves the learning rate after each epoch."""

    def __init__(self, optimizer: Descent) -> None:
        self.optimizer = optimizer

    def step(self) -> None:
        """Move on."""
        self.optimizer.lr /= 2

    def get_last_lr(self) -> list[float]:
        """Return the rate in use."""
        return [self.optimizer.lr]

    def state_dict(self) -> dict[str, Any]:
        """Return all state."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take on such a state."""
        assert state == {}


def squares(predictions: list[Any], targets: list[float]) -> Any:
    """Return the mean squared error; a prediction is a Value or a list of one."""
    flat = [p[0] if isinstance(p, list) else p for p in predictions]
    return mean([(p - y) ** 2 for p, y in zip(flat, targets, strict=True)])


def within(predictions: list[Any], targets: list[float]) -> float:
    """Return the share of predictions nearer to the target than 0.5."""
    flat = [p[0] if isinstance(p, list) else p for p in predictions]
    near = [abs(p - y) < 0.5 for p, y in zip(flat, targets, strict=True)]
    return float(sum(near) / len(near))


def linear() -> Linear:
    """Return a layer of two inputs and one output that starts at zero."""
    layer = Linear(2, 1, rng=0)
    for parameter in layer.parameters():
        parameter.data = 0.0
    return layer


def noisy() -> Module:
    """Return a network with two sources of chance of its own."""
    return Sequential(
        Linear(2, 4, rng=1), Tanh(), Dropout(0.25, rng=7), Linear(4, 1, rng=2), Dropout(0.1)
    )
