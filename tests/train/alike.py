"""Two runs on one problem, step by step as programs and eagerly, to be compared."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from scalargrad.losses import (
    mse_loss,
)
from scalargrad.nn import Linear, Module, Sequential, Tanh
from scalargrad.optim import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop, SparseAdam
from scalargrad.train import History, fit

_chance = random.Random(5)
POINTS = [[_chance.uniform(-1, 1), _chance.uniform(-1, 1)] for _ in range(14)]
HEIGHTS = [[math.sin(3 * x) * y] for x, y in POINTS]
CLASSES = [int(x > 0) + int(y > 0.3) for x, y in POINTS]
SIGNS = [1.0 if x * y > 0 else -1.0 for x, y in POINTS]


def network(outputs: int = 1) -> Module:
    """Return a small network."""
    return Sequential(Linear(2, 5, rng=1), Tanh(), Linear(5, outputs, rng=2))


Made = tuple[History, list[Any], dict[str, Any], list[float]]


def trained(
    jit: bool | None,
    make: Callable[[], Module] = network,
    optimizer: Callable[[list[Any]], Any] | None = None,
    *,
    schedule: Callable[[Any], Any] | None = None,
    targets: list[Any] = HEIGHTS,
    **options: Any,
) -> Made:
    """Train, and return all that can be seen afterwards, as numbers."""
    random.seed(3)
    model = make()
    moving = (optimizer or OPTIMIZERS["sgd"])(model.parameters())
    history = fit(
        model,
        POINTS,
        targets,
        optimizer=moving,
        scheduler=schedule(moving) if schedule else None,
        jit=jit,
        **{"loss": mse_loss, "epochs": 6, "batch_size": 4, "quiet": True, **options},
    )
    parameters = model.parameters()
    data = [p.data for p in parameters]
    return history, data, moving.state_dict(), [p.grad for p in parameters]


def assert_alike(found: Made, expected: Made) -> None:
    """Compare two runs: all numbers to 1e-10, all else exactly."""
    assert found[0].columns == expected[0].columns
    assert (found[0].stopped, found[0].best_epoch) == (expected[0].stopped, expected[0].best_epoch)
    for a, b in zip(found[0].rows, expected[0].rows, strict=True):
        assert a == pytest.approx(b, rel=1e-10, abs=1e-12)
    assert found[1] == pytest.approx(expected[1], rel=1e-10, abs=1e-12)
    assert found[3] == pytest.approx(expected[3], rel=1e-10, abs=1e-12)
    assert found[2].keys() == expected[2].keys()
    if "state" in found[2]:
        assert found[2]["param_groups"] == expected[2]["param_groups"]
        assert found[2]["state"].keys() == expected[2]["state"].keys()
        for number, state in expected[2]["state"].items():
            assert found[2]["state"][number] == pytest.approx(state, rel=1e-10, abs=1e-12)


def groups(parameters: list[Any], kind: Any, **options: Any) -> Optimizer:
    """Return an optimiser of two groups that differ in all they can."""
    first = {"params": parameters[:7], "lr": 0.02, "weight_decay": 0.1}
    made: Optimizer = kind([first, {"params": parameters[7:]}], **options)
    return made


OPTIMIZERS: dict[str, Callable[[list[Any]], Any]] = {
    "sgd": partial(SGD, lr=0.1),
    "momentum": partial(SGD, lr=0.1, momentum=0.9, dampening=0.3, weight_decay=0.01),
    "nesterov": partial(SGD, lr=0.1, momentum=0.8, nesterov=True),
    "ascent": partial(SGD, lr=0.001, maximize=True),
    "adam": partial(Adam, lr=0.05),
    "amsgrad": partial(Adam, lr=0.05, amsgrad=True, weight_decay=0.1, maximize=True),
    "adamw": partial(AdamW, lr=0.05, weight_decay=0.2),
    "sparse adam": partial(SparseAdam, lr=0.05),
    "rmsprop": partial(RMSprop, lr=0.02),
    "centered": partial(RMSprop, lr=0.02, centered=True, momentum=0.5, weight_decay=0.1),
    "adagrad": partial(Adagrad, lr=0.1, lr_decay=0.05, initial_accumulator_value=0.1),
    "groups of sgd": partial(groups, kind=SGD, lr=0.1, momentum=0.5),
    "groups of adam": partial(groups, kind=Adam, lr=0.05),
}
