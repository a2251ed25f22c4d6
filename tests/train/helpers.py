"""Small problems, a plain optimizer, and the comparison of two runs."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import numpy as np
import pytest

from scalargrad import Parameter, mean
from scalargrad.losses import mse_loss
from scalargrad.nn import Dropout, Linear, Module, Sequential, Tanh
from scalargrad.optim import SGD
from scalargrad.train import History, fit

#: Six examples of a line's heights over a plane.
INPUTS = [[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [-1.0, 2.0], [0.5, -0.5], [2.0, 0.25]]
TARGETS = [1.0, -1.0, 0.0, 3.0, -1.0, -1.75]

_chance = random.Random(5)
#: Fourteen points of a plane, their heights on a curved surface, their classes and their signs.
POINTS = [[_chance.uniform(-1, 1), _chance.uniform(-1, 1)] for _ in range(14)]
HEIGHTS = [[math.sin(3 * x) * y] for x, y in POINTS]
CLASSES = [int(x > 0) + int(y > 0.3) for x, y in POINTS]


class Descent:
    """Gradient descent with momentum, as an optimizer outside scalargrad."""

    def __init__(self, parameters: list[Parameter], lr: float = 0.1, momentum: float = 0.0) -> None:
        self.parameters, self.lr, self.momentum = parameters, lr, momentum
        self.velocity = [0.0] * len(parameters)

    def zero_grad(self) -> None:
        """Clear the gradients."""
        for parameter in self.parameters:
            parameter.zero_grad()

    def step(self) -> None:
        """Update the parameters."""
        for i, parameter in enumerate(self.parameters):
            self.velocity[i] = self.momentum * self.velocity[i] + parameter.grad
            parameter.data -= self.lr * self.velocity[i]

    def state_dict(self) -> dict[str, Any]:
        """Return all state."""
        return {"velocity": list(self.velocity), "lr": self.lr}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Load a state."""
        self.velocity, self.lr = list(state["velocity"]), state["lr"]


def halving_scheduler(optimizer: Descent) -> Any:
    """Return a scheduler that halves the learning rate after each epoch."""

    def step() -> None:
        optimizer.lr /= 2

    return SimpleNamespace(
        step=step, get_last_lr=lambda: [optimizer.lr], state_dict=dict, load_state_dict=dict
    )


def mean_squares(predictions: list[Any], targets: list[float]) -> Any:
    """Return the mean squared error; a prediction is a Value or a list of one."""
    flat = [p[0] if isinstance(p, list) else p for p in predictions]
    return mean([(p - y) ** 2 for p, y in zip(flat, targets, strict=True)])


def fraction_within(predictions: list[Any], targets: list[float]) -> float:
    """Return the fraction of predictions within 0.5 of their target."""
    flat = [p[0] if isinstance(p, list) else p for p in predictions]
    near = [abs(p - y) < 0.5 for p, y in zip(flat, targets, strict=True)]
    return float(sum(near) / len(near))


def linear() -> Linear:
    """Return a layer of two inputs and one output that starts at zero."""
    layer = Linear(2, 1, rng=0)
    for parameter in layer.parameters():
        parameter.data = 0.0
    return layer


def network(outputs: int = 1) -> Module:
    """Return a small network."""
    return Sequential(Linear(2, 5, rng=1), Tanh(), Linear(5, outputs, rng=2))


def noisy_network() -> Module:
    """Return a network with two random number generators: its own and the module random."""
    return Sequential(
        Linear(2, 4, rng=1), Tanh(), Dropout(0.25, rng=7), Linear(4, 1, rng=2), Dropout(0.1)
    )


def weights(model: Module) -> list[float]:
    """Return all parameters of a model as numbers."""
    return [parameter.data for parameter in model.parameters()]


def run(model: Module | None = None, **options: Any) -> History:
    """Fit a linear layer quietly to the six examples, by default for ten epochs."""
    model = model or linear()
    options = {"loss": mean_squares, "epochs": 10, "quiet": True, **options}
    if "optimizer" not in options:
        options["optimizer"] = SGD(model.parameters(), lr=0.1)
    return fit(model, INPUTS, TARGETS, **options)


def gradient_descent(epochs: int, lr: float = 0.1) -> tuple[list[float], list[float], list[float]]:
    """Compute weights, losses and gradient norms of gradient descent by matrix algebra."""
    x = np.column_stack([np.array(INPUTS), np.ones(len(INPUTS))])
    y, w = np.array(TARGETS), np.zeros(3)
    losses, norms = [], []
    for _ in range(epochs):
        gradient = 2 * x.T @ (x @ w - y) / len(y)
        losses.append(float(np.mean((x @ w - y) ** 2)))
        norms.append(float(np.linalg.norm(gradient)))
        w = w - lr * gradient
    return w.tolist(), losses, norms


class Outcome(NamedTuple):
    """Everything that is visible after a run, as numbers."""

    history: History
    data: list[float]
    state: dict[str, Any]
    grads: list[Any]
    drawn: float


def train_points(
    jit: bool | None,
    make: Callable[[], Module] = network,
    optimizer: Callable[[list[Any]], Any] | None = None,
    *,
    schedule: Callable[[Any], Any] | None = None,
    targets: list[Any] = HEIGHTS,
    copies: int = 1,
    **options: Any,
) -> Outcome:
    """Train on the fourteen points in batches of four, and return the outcome."""
    random.seed(3)
    model = make()
    moving = (optimizer or (lambda p: SGD(p, lr=0.1)))(model.parameters())
    history = fit(
        model,
        POINTS * copies,
        targets * copies,
        optimizer=moving,
        scheduler=schedule(moving) if schedule else None,
        jit=jit,
        **{"loss": mse_loss, "epochs": 6, "batch_size": 4, "quiet": True, **options},
    )
    groups = getattr(moving, "param_groups", [{"params": model.parameters()}])
    grads = [p.grad for group in groups for p in group["params"]]
    return Outcome(history, weights(model), moving.state_dict(), grads, random.random())


def assert_same_outcome(found: Outcome, expected: Outcome) -> None:
    """Compare two runs: numbers to 1e-12, everything else exactly."""
    near: Any = {"rel": 1e-12, "abs": 1e-12}
    assert found.history.columns == expected.history.columns
    assert found.history.stopped == expected.history.stopped
    assert found.history.best_epoch == expected.history.best_epoch
    for a, b in zip(found.history.rows, expected.history.rows, strict=True):
        assert a == pytest.approx(b, **near)
    assert found.data == pytest.approx(expected.data, **near)
    assert found.grads == pytest.approx(expected.grads, **near)
    assert found.drawn == expected.drawn
    assert found.state["param_groups"] == expected.state["param_groups"]
    assert found.state["state"].keys() == expected.state["state"].keys()
    for number, state in expected.state["state"].items():
        assert found.state["state"][number] == pytest.approx(state, **near)


def assert_same_compiled(make: Callable[[], Module] = network, *args: Any, **options: Any) -> None:
    """Compare a run of compiled steps with the same run of eager steps."""
    assert_same_outcome(
        train_points(True, make, *args, **options), train_points(False, make, *args, **options)
    )
