"""Steps taken as programs: the same numbers as eager ones, to rounding."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from scalargrad import DomainError, Parameter, drawn, tanh, where
from scalargrad.losses import (
    accuracy,
    cross_entropy,
    hinge_loss,
    l2_penalty,
    mse_loss,
    multi_margin_loss,
    nll_loss,
)
from scalargrad.nn import MLP, Dropout, Linear, LogSoftmax, Module, Sequential, Tanh
from scalargrad.optim import SGD, Optimizer
from scalargrad.optim.lr_scheduler import CosineAnnealingLR, LinearLR
from scalargrad.train import fit

from .alike import CLASSES, HEIGHTS, OPTIMIZERS, POINTS, SIGNS, assert_alike, network, trained


@pytest.mark.usefixtures("backend")
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
                         "loss": partial(cross_entropy, label_smoothing=0.1, ignore_index=1),
                         "batch_size": 7},
    "margins": {"make": partial(network, 3), "targets": CLASSES,
                "loss": partial(multi_margin_loss, p=2, weight=[1.0, 2.0, 0.5])},
    "log-probabilities": {"make": lambda: Sequential(network(3), LogSoftmax()),
                          "targets": CLASSES, "loss": partial(nll_loss, ignore_index=2),
                          "batch_size": 7},
}  # fmt: skip


@pytest.mark.usefixtures("backend", "steps")
@pytest.mark.parametrize("situation", SITUATIONS.values(), ids=SITUATIONS.keys())
def test_every_option_means_the_same_compiled(situation: dict[str, Any]) -> None:
    """Whatever else fit is asked to do, numbers equal those of eager steps."""
    compiled = trained(True, **situation)
    assert_alike(compiled, trained(False, **situation))


def test_gradients_of_what_is_not_trained_add_up(steps: list[int]) -> None:
    """No optimiser clears them: after the run they are the sums that eager steps leave."""

    def optimizer(parameters: list[Any]) -> Optimizer:
        return SGD(parameters[:-6], lr=0.1)

    compiled = trained(True, optimizer=optimizer, gradient_tolerance=0.0)
    assert_alike(compiled, trained(False, optimizer=optimizer, gradient_tolerance=0.0))
    assert len(steps) == 24


def test_dropout_draws_what_eager_steps_draw(steps: list[int]) -> None:
    """Masks come from the same generators in the same order, its own and the shared one."""

    def make() -> Module:
        first = Sequential(Linear(2, 8, rng=1), Dropout(0.3, rng=4), Tanh())
        return Sequential(first, Linear(8, 1, rng=2), Dropout(0.1))

    options: dict[str, Any] = {"validation_split": 0.3, "epochs": 8}
    compiled = trained(True, make, **options)
    after = random.random()
    assert_alike(compiled, trained(False, make, **options))
    assert random.random() == after
    assert len(steps) == 24


class Noisy(Linear):
    """A layer that adds noise while it is trained, and drops outputs of its own accord."""

    def __init__(self, n_in: int, n_out: int, rng: int) -> None:
        super().__init__(n_in, n_out, rng=rng)
        self.noise = random.Random(rng)

    def forward(self, x: Any) -> Any:
        """Compute."""
        found = super().forward(x)
        if not self.training:
            return found
        kept = [y * (drawn(random.random) < 0.8) for y in found]
        return [y + drawn(self.noise.gauss, 0.0, 0.1) for y in kept]


def _jittered(predictions: list[Any], targets: list[Any]) -> Any:
    return mse_loss(predictions, [[t[0] + drawn(random.uniform, -0.1, 0.1)] for t in targets])


def test_draws_are_those_of_eager_steps(steps: list[int]) -> None:
    """A model and a loss that draw train on the same numbers."""

    def make() -> Module:
        return Sequential(Noisy(2, 8, rng=1), Tanh(), Linear(8, 1, rng=2))

    options: dict[str, Any] = {"validation_split": 0.3, "epochs": 8, "loss": _jittered}
    compiled = trained(True, make, **options)
    after = random.random()
    assert_alike(compiled, trained(False, make, **options))
    assert random.random() == after
    assert len(steps) == 24


class Hesitating(Linear):
    """A layer that halves its output by a condition on a number drawn."""

    def __init__(self, chance: float) -> None:
        super().__init__(2, 1, rng=1)
        self.chance, self.rng = chance, random.Random(2)

    def forward(self, x: Any) -> Any:
        """Compute."""
        found = super().forward(x)
        if self.training and drawn(self.rng.random) < self.chance:
            return [y * 0.5 for y in found]
        return found


@pytest.mark.parametrize("chance", [0.02, 0.5, 1.0])
def test_a_draw_that_decides_a_way_is_drawn_once(chance: float, steps: list[int]) -> None:
    """Each way is a program, until there are eight; further steps are taken eagerly."""
    make = partial(Hesitating, chance)
    compiled = trained(True, make)
    assert_alike(compiled, trained(False, make))
    assert steps


class Choosing(Module):
    """A model that goes one way or the other."""

    def __init__(self) -> None:
        self.weight = Parameter(0.3)

    def forward(self, x: Any) -> Any:
        """Compute."""
        return [self.weight * x[0] if x[0] > -0.9 else self.weight.exp()]


def test_a_step_that_goes_another_way_is_a_program_of_its_own(steps: list[int]) -> None:
    """Where an input takes the other branch, its way is recorded too."""
    compiled = trained(True, Choosing, batch_size=2)
    assert len(steps) == 42
    assert_alike(compiled, trained(False, Choosing, batch_size=2))


class Flickering(Linear):
    """A layer that draws in evaluation, too."""

    def forward(self, x: Any) -> Any:
        """Compute."""
        return [y * (1.0 + drawn(random.random)) for y in super().forward(x)]


class Steep(Linear):
    """A layer with an output beside, unused, that is inf for some inputs."""

    def forward(self, x: Any) -> Any:
        """Compute."""
        (y,) = super().forward(x)
        return [y, where(x[0] > 0.5, math.inf, y)] if not self.training else [y, y]


def _first(predictions: list[Any], targets: list[Any]) -> Any:
    return mse_loss([p[0] for p in predictions], [t[0] for t in targets])


@pytest.mark.parametrize(
    "make",
    [Choosing, partial(Flickering, 2, 1, rng=1), partial(Steep, 2, 1, rng=1)],
    ids=["choosing", "drawing", "infinite"],
)
def test_evaluation_is_eager_where_a_program_does_not_serve(make: Any, steps: list[int]) -> None:
    """Held-out losses are those of eager evaluation, and the steps go on compiled."""
    options: dict[str, Any] = {"validation_data": (POINTS, HEIGHTS), "loss": _first}
    compiled = trained(True, make, batch_size=2, **options)
    assert steps
    assert_alike(compiled, trained(False, make, batch_size=2, **options))


class Idle(Module):
    """A model of which one layer takes no part."""

    def __init__(self) -> None:
        self.used, self.unused = network(), Linear(2, 2, rng=5)

    def forward(self, x: Any) -> Any:
        """Compute."""
        return self.used(x)


@pytest.mark.parametrize("name", ["sgd", "momentum", "sparse adam", "adamw", "adagrad"])
def test_parameters_no_gradient_reaches_are_left_or_visited_alike(
    name: str, steps: list[int]
) -> None:
    """Sparse rules leave them without state; the others move them, as they do eagerly."""
    compiled = trained(True, Idle, OPTIMIZERS[name])
    assert_alike(compiled, trained(False, Idle, OPTIMIZERS[name]))
    assert len(steps) == 24


@pytest.mark.uncounted
def test_many_examples_run_block_by_block(steps: list[int]) -> None:
    """So many examples that the program is divided: weights still equal eager ones."""
    chance = random.Random(2)
    xs = [[chance.uniform(-1, 1), chance.uniform(-1, 1)] for _ in range(5000)]
    ys = [[math.sin(a) * b] for a, b in xs]
    found: dict[bool, list[float]] = {}
    for jit in (True, False):
        model = network()
        fit(model, xs, ys, loss=mse_loss, optimizer=SGD(model.parameters(), lr=0.1), epochs=2,
            batch_size=None, validation_data=(xs, ys), quiet=True, jit=jit)  # fmt: skip
        found[jit] = [p.data for p in model.parameters()]
    assert len(steps) == 2
    assert found[True] == pytest.approx(found[False], rel=1e-10)


class Inverse(Module):
    """A bounded function of 1/x."""

    def __init__(self) -> None:
        self.w = Parameter(0.5)

    def forward(self, x: list[Any]) -> Any:
        """Compute tanh(w/x), which is finite at 0 by IEEE 754."""
        return tanh(self.w / x[0])


def test_a_domain_left_in_a_later_batch_is_the_error_of_eager_steps() -> None:
    """Also where the loss is finite; the parameters are those before the step, in both ways."""
    found = []
    for jit in (True, False):
        model = Inverse()
        with pytest.raises(DomainError) as error:
            fit(model, [[1.0], [2.0], [-4.0], [0.0]], [0.1, 0.2, 0.3, 0.4], loss=mse_loss,
                optimizer=SGD(model.parameters(), lr=0.1), epochs=1, batch_size=2, shuffle=False,
                quiet=True, jit=jit)  # fmt: skip
        found.append((str(error.value), model.w.data))
    assert found[0][0] == found[1][0]
    assert found[0][1] == pytest.approx(found[1][1], rel=1e-12)
    assert found[0][1] != 0.5
