"""Mistakes are found before the first step, and errors have the history."""

from __future__ import annotations

import copy
import math
import pickle
import random
import statistics
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from scalargrad import Parameter, errors, losses, nn, optim
from scalargrad.train import History, fit

from .helpers import INPUTS, TARGETS, Descent, linear, mean_squares, run, weights

CLASSES = [0, 1, 1, 0, 2, 2]


def assert_refused(
    word: str, model: Any = None, given: Any = (INPUTS, TARGETS), **options: Any
) -> str:
    """Assert that training raises an error of one line with a word, before any change."""
    model = linear() if model is None else model
    numpys: Any = np.random
    before = copy.deepcopy((weights(model), random.getstate(), numpys.get_state()[2]))
    options = {"loss": mean_squares, "optimizer": optim.SGD(model.parameters(), lr=0.1), **options}
    with pytest.raises(
        (errors.OperandError, errors.DomainError, errors.StateError), match=word
    ) as caught:
        fit(model, *given, epochs=options.pop("epochs", 2), quiet=options.pop("quiet", True),
            batch_size=options.pop("batch_size", 2), **options)  # fmt: skip
    assert "\n" not in str(caught.value)
    assert before == (weights(model), random.getstate(), numpys.get_state()[2])
    assert all(module.training for module in model.modules())
    assert caught.value.history is None
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("loss", lambda p, y: None),
        ("regularizer", lambda parameters: None),
        ("metrics", [lambda p, y: p.mean()]),
        ("metrics", [lambda p, y: [1.0]]),
    ],
)
def test_fit_checks_the_results_of_loss_regularizer_and_metrics(name: str, part: Any) -> None:
    """A loss that is not a Value or has no parameters, and a metric that is not a number."""
    model = linear()
    with pytest.raises(errors.OperandError) as caught:
        run(model, **{name: part})
    assert "\n" not in str(caught.value)
    assert weights(model) == [0.0] * 3


class UnsavableDescent(Descent):
    """An optimizer whose state cannot be stored in a checkpoint."""

    def state_dict(self) -> dict[str, Any]:
        """Return an object."""
        return {"velocity": object()}


def test_fit_checks_that_states_can_be_saved_before_training(tmp_path: Path) -> None:
    """The message has the position in the state, and no file is written."""
    model = linear()
    strange = UnsavableDescent(model.parameters())
    assert_refused("velocity", model, optimizer=strange, checkpoint=tmp_path / "run")
    assert_refused("quiet", model, quiet=None, checkpoint=tmp_path / "run")
    assert not list(tmp_path.iterdir())


# Examples ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", ["D", "ns"])
def test_fit_refuses_dates(unit: str) -> None:
    """NumPy would make integers of those in nanoseconds, and all others fail in the model."""
    dates: Any = np.array(["2020-01-01", "2020-01-03"], dtype=f"datetime64[{unit}]")
    for given in (dates, dates - dates[0]):
        assert_refused("dates", nn.Linear(1, 1, rng=0), (given, [1.0, 2.0]))


@pytest.mark.parametrize("held_out", [True, False])
def test_fit_refuses_labels_that_are_not_classes(held_out: bool) -> None:
    """A class without a score, in held-out examples or the last training example."""
    odd = (INPUTS, [*CLASSES[:-1], 7])
    given, data = ((INPUTS, CLASSES), odd) if held_out else (odd, None)
    model = nn.Linear(2, 3, rng=0)
    message = assert_refused(
        "cross_entropy", model, given, loss=losses.cross_entropy, validation_data=data
    )
    assert ("validation" in message) == held_out


@pytest.mark.parametrize("make", [list, np.array], ids=["lists", "arrays"])
def test_fit_refuses_a_model_that_changes_its_input(make: Any) -> None:
    """Such an input would differ in each epoch."""

    class Raising(nn.Linear):
        def forward(self, x: Any) -> Any:
            x[0] = x[0] + 1
            return super().forward(x)

    assert_refused("input", Raising(2, 1, rng=0), ([make(x) for x in INPUTS], TARGETS))


def test_fit_refuses_a_model_that_returns_none() -> None:
    """Its `forward` has no return statement, and the message says so."""

    class Silent(nn.Linear):
        def forward(self, x: Any) -> Any:
            super().forward(x)

    assert_refused("forward", Silent(2, 1, rng=0))


def correlation(predictions: list[Any], targets: list[float]) -> float:
    """Return a metric that is undefined while all predictions are the same."""
    return statistics.correlation([p for (p,) in predictions], targets)


def precision(predictions: list[Any], targets: list[float]) -> float:
    """Return a metric that divides by zero while nothing is predicted to be positive."""
    found = [y > 0.0 for (p,), y in zip(predictions, targets, strict=True) if p > 0.0]
    return sum(found) / len(found)


@pytest.mark.parametrize("metric", [correlation, precision])
def test_fit_accepts_a_metric_that_is_undefined_at_the_start(metric: Callable[..., float]) -> None:
    """A metric may be undefined for the initial parameters."""
    held_out = ([[0.0, 1.0], [1.0, 0.0], [2.0, 3.0]], [2.0, -2.0, 3.0])
    history = run(epochs=1, batch_size=2, metrics=[metric], validation_data=held_out, shuffle=False)
    assert math.isfinite(history[metric.__name__][0])


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
def test_fit_refuses_nan_and_inf_in_examples(odd: float) -> None:
    """Missing numbers in inputs or targets, at any depth, are errors that name the position."""
    assert_refused(
        "X of the training data .* 3", given=([*INPUTS[:3], [1.0, odd], *INPUTS[4:]], TARGETS)
    )
    assert_refused("y of the training data .* 5", given=(INPUTS, [*TARGETS[:5], odd]))
    assert_refused("X of the validation data .* 0", validation_data=([[odd, 1.0]], [0.0]))


# Warnings ----------------------------------------------------------------------------------------


def classifier() -> nn.Module:
    """Return a network with one probability."""
    return nn.Sequential(nn.Linear(2, 1, rng=0), nn.Sigmoid())


@pytest.mark.parametrize(
    ("loss", "labels"),
    [
        (losses.binary_cross_entropy_with_logits, [1, 2, 1, 2, 1, 2]),
        (losses.binary_cross_entropy_with_logits, [1, -1, 1, -1, 1, 1]),
        (losses.BCEWithLogitsLoss(), [[1], [2], [1], [2], [1], [2]]),
        (partial(losses.hinge_loss, margin=2.0), [0, 1, 0, 1, 0, 1]),
        (losses.HingeLoss(), [1, -1, 1, 2, 1, 1]),
    ],
)
def test_fit_warns_of_labels_that_do_not_suit_the_loss(loss: Any, labels: list[Any]) -> None:
    """Labels outside the classes of the loss give a warning."""
    model = linear()
    with pytest.warns(errors.TrainingWarning, match="target"):
        fit(model, INPUTS, labels, loss=loss, optimizer=optim.SGD(model.parameters()), epochs=1,
            quiet=True)  # fmt: skip


@pytest.mark.parametrize("metric", [losses.accuracy, losses.error_rate])
def test_fit_warns_of_accuracy_of_probabilities(metric: Any) -> None:
    """Probabilities are above 0; with a threshold and suitable labels there is no warning."""

    def train(labels: list[Any], make: Callable[[], nn.Module], **options: Any) -> None:
        model = make()
        fit(model, INPUTS, labels, optimizer=optim.SGD(model.parameters()), epochs=1, quiet=True,
            **options)  # fmt: skip

    labels = [0, 1, 0, 1, 0, 1]
    with pytest.warns(errors.TrainingWarning, match="threshold"):
        train(labels, classifier, loss=losses.binary_cross_entropy, metrics=[metric])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train(labels, classifier, loss=losses.BCELoss(), metrics=[partial(metric, threshold=0.5)])
        train(labels, linear, loss=losses.BCEWithLogitsLoss(), metrics=[metric])
        train([1, -1, 1, -1, 1, 1], linear, loss=losses.hinge_loss)
        train([0.0, 0.5, 1.0, 0.25, 1, 0], linear, loss=losses.binary_cross_entropy_with_logits)


def test_fit_warns_of_an_optimizer_of_another_model() -> None:
    """It would update parameters outside the model; the loss may have parameters, too."""
    with pytest.warns(errors.TrainingWarning, match="parameters"):
        run(linear(), optimizer=optim.SGD(linear().parameters(), lr=0.1), epochs=1)

    class Scaled(nn.Module):
        def __init__(self) -> None:
            self.scale = Parameter(1.0)

        def forward(self, predictions: list[Any], targets: list[float]) -> Any:
            return mean_squares(predictions, targets) * self.scale

    model, loss = linear(), Scaled()
    optimizer = optim.SGD([*model.parameters(), *loss.parameters()], lr=0.1)
    run(model, optimizer=optimizer, loss=loss, epochs=1)
    assert loss.scale.data != 1.0


# Errors in training ------------------------------------------------------------------------------


def line(epochs: int, **options: Any) -> History:
    """Train a line on three points."""
    model = nn.Linear(1, 1, rng=0)
    optimizer = optim.SGD(model.parameters(), lr=options.pop("lr", 0.1))
    return fit(model, [[0.0], [1.0], [2.0]], [[1.0], [3.0], [5.0]], optimizer=optimizer,
               epochs=epochs, quiet=True, **{"loss": losses.mse_loss, **options})  # fmt: skip


class Failing:
    """Raises an error of a foreign class at one of its calls."""

    def __init__(self, call: int) -> None:
        self.calls, self.call = 0, call

    def __call__(self, *_: Any) -> float:
        """Count."""
        self.calls += 1
        if self.calls == self.call:
            raise KeyError("the seventh seal")
        return 0.0


FAILING_SCHEDULE = SimpleNamespace(
    step=Failing(3), get_last_lr=lambda: [0.1], state_dict=dict, load_state_dict=dict
)


@pytest.mark.parametrize(
    ("options", "completed"),
    [
        ({"callbacks": [Failing(3)]}, 3),
        ({"callbacks": [Failing(1)]}, 1),
        ({"metrics": {"mine": Failing(4)}}, 2),  # called once before the first step
        ({"metrics": {"mine": Failing(2)}}, 0),
        ({"scheduler": FAILING_SCHEDULE}, 2),
    ],
)
def test_fit_error_of_user_code_has_the_history(options: dict[str, Any], completed: int) -> None:
    """The error keeps its type, and has the number of completed epochs and their rows."""
    with pytest.raises(KeyError, match="seal") as caught:
        line(9, **options)
    history = vars(caught.value)["history"]
    assert history["loss"] == (line(completed)["loss"] if completed else [])
    assert history.stopped == "KeyError"
    notes = getattr(caught.value, "__notes__", [])
    assert len(notes) == bool(completed)
    assert all(str(completed) in note for note in notes)


@pytest.mark.parametrize("jit", [False, True])
def test_fit_error_of_an_overflowing_loss_has_the_history(jit: bool) -> None:
    """Too large steps diverge; the error can be pickled with its history."""
    with pytest.raises(errors.NumericalError) as caught:
        line(999, lr=50.0, jit=jit)
    again: errors.ScalargradError = pickle.loads(pickle.dumps(caught.value))
    history: Any = again.history
    assert len(history) > 9
    assert history == caught.value.history
    assert "learning rate" in caught.value.__notes__[-1]
    assert history["loss"] == pytest.approx(line(len(history), lr=50.0, jit=False)["loss"])
