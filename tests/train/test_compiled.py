"""Steps taken as programs: the same numbers as eager ones, to rounding."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from scalargrad import Parameter, exp, log, mean, where
from scalargrad.errors import DomainError, NumericalError, TraceError
from scalargrad.losses import (
    accuracy,
    cross_entropy,
    hinge_loss,
    l2_penalty,
    mse_loss,
    multi_margin_loss,
    nll_loss,
)
from scalargrad.nn import MLP, Dropout, Linear, LogSoftmax, Module, ReLU, Sequential, Tanh
from scalargrad.optim import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop, SparseAdam
from scalargrad.optim.lr_scheduler import CosineAnnealingLR, LinearLR
from scalargrad.train import History, fit
from scalargrad.train.compiled import Compiled
from scalargrad.train.step import Step

from .helpers import Descent

_chance = random.Random(5)
POINTS = [[_chance.uniform(-1, 1), _chance.uniform(-1, 1)] for _ in range(14)]
HEIGHTS = [[math.sin(3 * x) * y] for x, y in POINTS]
CLASSES = [int(x > 0) + int(y > 0.3) for x, y in POINTS]
SIGNS = [1.0 if x * y > 0 else -1.0 for x, y in POINTS]


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Note the size of the batch of each step taken by a program."""
    taken: list[int] = []
    usual = Step.run

    def noting(step: Step, rows: Any, options: Any) -> bool:
        done = usual(step, rows, options)
        taken.extend([len(rows)] if done else [])
        return done

    monkeypatch.setattr(Step, "run", noting)
    return taken


def network(outputs: int = 1) -> Module:
    """Return a small network."""
    return Sequential(Linear(2, 5, rng=1), Tanh(), Linear(5, outputs, rng=2))


Made = tuple[History, list[Any], dict[str, Any], list[float]]


def trained(
    jit: bool | None,
    make: Callable[[], Module] = network,
    optimizer: Callable[[list[Any]], Any] = partial(SGD, lr=0.1),
    *,
    schedule: Callable[[Any], Any] | None = None,
    targets: list[Any] = HEIGHTS,
    **options: Any,
) -> Made:
    """Train, and return all that can be seen afterwards, as numbers."""
    random.seed(3)
    model = make()
    moving = optimizer(model.parameters())
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


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())
def test_every_optimiser_goes_the_same_way_compiled(
    optimizer: Callable[[list[Any]], Any], steps: list[int]
) -> None:
    """Weights, gradients, state and history of 24 steps, of two sizes, equal eager ones."""
    found = trained(True, optimizer=optimizer)
    assert sorted(steps) == [2] * 6 + [4] * 18
    assert_alike(found, trained(False, optimizer=optimizer))


SITUATIONS: dict[str, dict[str, Any]] = {
    "a falling rate": {"schedule": partial(CosineAnnealingLR, T_max=5)},
    "a rate from 0": {"schedule": partial(LinearLR, start_factor=1e-9, total_iters=3)},
    "the whole set": {"batch_size": None},
    "single samples": {"batch_size": 1, "epochs": 2},
    "one order": {"shuffle": False},
    "metrics": {"make": partial(MLP, 2, [3, 1], rng=1), "targets": SIGNS, "loss": hinge_loss,
                "metrics": [accuracy]},
    "a penalty": {"regularizer": lambda parameters: 0.01 * l2_penalty(parameters)},
    "gradient norms": {"gradient_tolerance": 0.0},
    "held-out data": {"validation_split": 0.4, "metrics": {"error": mse_loss}},
    "early stopping": {"validation_split": 0.4, "patience": 2, "epochs": 60, "min_delta": 1e-3},
    "classes": {"make": partial(network, 3), "targets": CLASSES, "loss": cross_entropy,
                "metrics": [accuracy], "validation_split": 0.3},
    "weighted classes": {"make": partial(network, 3), "targets": CLASSES,
                         "loss": partial(cross_entropy, weight=[1.0, 2.0, 0.5])},
    "smoothed classes": {"make": partial(network, 3), "targets": CLASSES,
                         "loss": partial(cross_entropy, label_smoothing=0.1, ignore_index=1), "batch_size": 7},
    "margins": {"make": partial(network, 3), "targets": CLASSES,
                "loss": partial(multi_margin_loss, p=2, weight=[1.0, 2.0, 0.5])},
    "log-probabilities": {"make": lambda: Sequential(network(3), LogSoftmax()),
                          "targets": CLASSES, "loss": partial(nll_loss, ignore_index=2), "batch_size": 7},
}  # fmt: skip


@pytest.mark.usefixtures("machine", "steps")
@pytest.mark.parametrize("situation", SITUATIONS.values(), ids=SITUATIONS.keys())
def test_every_option_means_the_same_compiled(situation: dict[str, Any]) -> None:
    """Whatever else fit is asked to do, numbers equal those of eager steps."""
    compiled = trained(True, **situation)
    assert_alike(compiled, trained(False, **situation))
