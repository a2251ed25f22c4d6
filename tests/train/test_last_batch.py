"""A last batch that is smaller: filled up to run the program of the others, where that is right."""

from __future__ import annotations

import random
from contextlib import ExitStack
from functools import partial
from typing import Any

import pytest

from scalargrad import Value, disable_jit, sigmoid
from scalargrad.compiler.jitted import Jitted
from scalargrad.losses import (
    accuracy,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    cross_entropy,
    hinge_loss,
    huber_loss,
    l1_loss,
    l2_penalty,
    mse_loss,
    multi_margin_loss,
    nll_loss,
    smooth_l1_loss,
)
from scalargrad.nn import Dropout, Linear, LogSoftmax, Module, Sequential

from .alike import CLASSES, POINTS, SIGNS, assert_alike, network, trained


@pytest.fixture
def sizes(monkeypatch: pytest.MonkeyPatch) -> set[int]:
    """Note with how many examples the compiled gradient is called: there is a program for each."""
    met: set[int] = set()

    class Noting(Jitted[..., Any]):
        def __call__(self, *args: Any) -> Any:
            met.add(len(args[1]))
            return super().__call__(*args)

    monkeypatch.setattr("scalargrad.train.programs.Jitted", Noting)
    return met


CHANCES = [[float(c > 0)] for c in CLASSES]
NETWORK = partial(network, 3)
OF_CLASSES = {"make": NETWORK, "targets": CLASSES}

LOSSES: dict[str, dict[str, Any]] = {
    "squares": {"loss": mse_loss},
    "amounts": {"loss": l1_loss},
    "huber": {"loss": huber_loss},
    "smooth": {"loss": smooth_l1_loss},
    "hinge": {"loss": hinge_loss, "targets": [[s] for s in SIGNS]},
    "chances": {"loss": binary_cross_entropy_with_logits, "targets": CHANCES},
    "classes": {"loss": cross_entropy, **OF_CLASSES, "metrics": [accuracy]},
    "margins": {"loss": multi_margin_loss, **OF_CLASSES},
    "log-probabilities": {
        "loss": nll_loss,
        "targets": CLASSES,
        "make": lambda: Sequential(NETWORK(), LogSoftmax()),
    },
    "probabilities": {
        "loss": binary_cross_entropy,
        "targets": CHANCES,
        "make": lambda: Sequential(network(), _Sigmoid()),
    },
    "penalty": {"loss": mse_loss, "regularizer": l2_penalty},
    "several outputs": {"loss": mse_loss, "make": NETWORK, "targets": [[s, 1, 2] for s in SIGNS]},
}


class _Sigmoid(Module):
    def forward(self, x: Any) -> Any:
        """Compute."""
        return [sigmoid(v) for v in x]


@pytest.mark.parametrize("size", [3, 5, 6, 13])
@pytest.mark.parametrize("situation", LOSSES.values(), ids=LOSSES.keys())
def test_a_smaller_batch_runs_the_same_program(
    situation: dict[str, Any], size: int, steps: list[int], sizes: set[int]
) -> None:
    """Of 14 examples, some are left over: one program takes all batches, as eager steps do."""
    compiled = trained(True, **situation, batch_size=size, epochs=3)
    assert sorted({*steps}) == sorted({14 % size, size})
    assert sizes == {size}
    assert_alike(compiled, trained(False, **situation, batch_size=size, epochs=3))


def _worst(predictions: list[Any], targets: list[Any]) -> Any:
    return max((p[0] - t[0]) ** 2 for p, t in zip(predictions, targets, strict=True))


@pytest.mark.parametrize(
    "loss", [partial(mse_loss, reduction="sum"), _worst, partial(mse_loss, reduction="mean")]
)
def test_a_loss_not_known_to_be_a_mean_has_a_program_for_each_size(
    loss: Any, sizes: set[int]
) -> None:
    """The sum and the worst of a batch are those of its own examples only."""
    options: dict[str, Any] = {"loss": loss, "batch_size": 6, "epochs": 3}
    assert_alike(trained(True, **options), trained(False, **options))
    assert sizes == {2, 6}


def test_nothing_is_drawn_for_examples_that_do_not_count(sizes: set[int]) -> None:
    """A batch with dropout is not filled up: the masks are those of eager steps."""

    def make() -> Module:
        return Sequential(Linear(2, 8, rng=1), Dropout(0.4, rng=4), Linear(8, 1, rng=2))

    options: dict[str, Any] = {"batch_size": 6, "epochs": 4}
    assert_alike(trained(True, make, **options), trained(False, make, **options))
    assert sizes == {2, 6}


@pytest.mark.usefixtures("early")
def test_a_batch_that_no_program_ran_tells_nothing_of_what_is_drawn(steps: list[int]) -> None:
    """Programs take over while compiling is off for two epochs, and go on when it is on again."""

    def make() -> Module:
        return Sequential(Linear(2, 8, rng=1), Dropout(0.4), Linear(8, 1, rng=2))

    def run(jit: bool | None) -> Any:
        with ExitStack() as off:

            def switch(model: Module, history: Any) -> None:
                if len(history) == 1:
                    off.enter_context(disable_jit())
                if len(history) == 3:
                    off.close()

            return trained(jit, make, batch_size=4, epochs=8, callbacks=[switch])

    assert_alike(run(None), run(False))
    assert steps


class _Sometimes(Module):
    """Draws for some examples only, first for one of a later batch."""

    def __init__(self, rng: int | None) -> None:
        self.linear, self.dropout = Linear(2, 1, rng=1), Dropout(0.4, rng=rng)

    def forward(self, x: Any) -> Any:
        """Compute."""
        y = self.linear(x)
        return self.dropout(y) if x == POINTS[-1] else y


def _require_alike_draws(seed: int | None, **options: Any) -> None:
    """Require that compiled steps train as eager ones, and leave the generator where these do."""
    left: list[Any] = []

    def run(jit: bool) -> Any:
        models: list[_Sometimes] = []

        def make() -> Module:
            models.append(_Sometimes(seed))
            return models[0]

        made = trained(jit, make, epochs=3, shuffle=False, **options)
        rng: Any = models[0].dropout.rng or random
        left.append(rng.getstate())
        return made

    assert_alike(run(True), run(False))
    assert left[0] == left[1]


@pytest.mark.parametrize("seed", [4, None])
def test_nothing_is_drawn_where_a_later_batch_is_the_first_to_draw(
    seed: int | None, sizes: set[int]
) -> None:
    """The generator stands where eager steps leave it, though the first batch drew nothing."""
    _require_alike_draws(seed, batch_size=6)
    assert sizes == {2, 6}


@pytest.mark.parametrize("seed", [4, None])
def test_a_step_taken_eagerly_after_its_program_has_drawn_draws_the_same(seed: int | None) -> None:
    """The batch that is the first to draw is left out of the loss, which no parameter is under."""

    def observed(predictions: list[Any], targets: list[Any]) -> Any:
        known = [(p[0], t[0]) for p, t in zip(predictions, targets, strict=True) if t[0] >= 0.0]
        return sum([(p - t) ** 2 for p, t in known], Value(0.0))

    targets = [[1.0]] * (len(POINTS) - 1) + [[-1.0]]
    _require_alike_draws(seed, batch_size=1, loss=observed, targets=targets)


@pytest.mark.parametrize("ignored", [[13], [3], [0, 5, 7]])
@pytest.mark.parametrize("loss", [cross_entropy, nll_loss])
def test_examples_left_out_of_the_mean_do_not_count(
    loss: Any, ignored: list[int], sizes: set[int]
) -> None:
    """Class -100 is in no mean, so that weights of 1 for all examples of a batch would be wrong."""
    targets = [-100 if i in ignored else c for i, c in enumerate(CLASSES)]
    options: dict[str, Any] = {"loss": loss, "targets": targets, "batch_size": 6, "epochs": 2,
                               "make": lambda: Sequential(NETWORK(), LogSoftmax()),
                               "shuffle": False}  # fmt: skip
    assert_alike(trained(True, **options), trained(False, **options))
    assert sizes == {2, 6}


class _Named(Module):
    """Predicts numbers by name."""

    def __init__(self) -> None:
        self.linear = Linear(2, 2, rng=1)

    def forward(self, x: Any) -> Any:
        """Compute."""
        return dict(zip(("up", "down"), self.linear(x), strict=True))


def test_predictions_by_name_are_trained_on_as_they_are(sizes: set[int]) -> None:
    """Their loss is a mean over numbers that need not be as many for each example."""
    targets = [{"down": -s, "up": s} for s in SIGNS]
    options: dict[str, Any] = {"make": _Named, "targets": targets, "batch_size": 6, "epochs": 3}
    assert_alike(trained(True, **options), trained(False, **options))
    assert sizes == {2, 6}
