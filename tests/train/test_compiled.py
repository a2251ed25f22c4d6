"""Compiled steps equal eager ones for all options, and if user code reads or changes the model.

Steps that cannot be compiled are eager; a note or, with ``jit=True``, an error gives the reason.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import scalargrad as sg
from scalargrad import losses, nn, optim
from scalargrad.losses import mse_loss
from scalargrad.optim import SGD, lr_scheduler
from scalargrad.train import History, fit

from .helpers import (
    CLASSES,
    HEIGHTS,
    POINTS,
    Descent,
    Outcome,
    assert_same_compiled,
    assert_same_outcome,
    network,
    train_points,
    weights,
)

three_classes = partial(network, 3)


def groups(parameters: list[Any], kind: Any, **options: Any) -> Any:
    """Return an optimizer of two groups that differ in all options."""
    first = {"params": parameters[:7], "lr": 0.02, "weight_decay": 0.1}
    return kind([first, {"params": parameters[7:]}], **options)


OPTIMIZERS: dict[str, Callable[[list[Any]], Any]] = {
    "momentum": partial(SGD, lr=0.1, momentum=0.9, dampening=0.3, weight_decay=0.01),
    "nesterov": partial(SGD, lr=0.01, momentum=0.8, nesterov=True, maximize=True),
    "adam": partial(optim.Adam, lr=0.05),
    "amsgrad": partial(optim.Adam, lr=0.05, amsgrad=True, weight_decay=0.1, maximize=True),
    "adamw": partial(optim.AdamW, lr=0.05, weight_decay=0.2),
    "rmsprop": partial(optim.RMSprop, lr=0.02, centered=True, momentum=0.5, weight_decay=0.1),
    "adagrad": partial(optim.Adagrad, lr=0.1, lr_decay=0.05, initial_accumulator_value=0.1),
    "groups of sgd": partial(groups, kind=SGD, lr=0.1, momentum=0.5),
    "groups of adam": partial(groups, kind=optim.Adam, lr=0.05),
    "some": lambda parameters: SGD(parameters[:-6], lr=0.1),
}


@pytest.mark.differential
@pytest.mark.parametrize("optimizer", OPTIMIZERS.values(), ids=OPTIMIZERS.keys())
def test_fit_compiled_equals_eager_for_every_optimizer(
    optimizer: Callable[[list[Any]], Any],
) -> None:
    """Weights, gradients, state and history of 24 steps, of two batch sizes, are equal."""
    assert_same_compiled(optimizer=optimizer, gradient_tolerance=0.0)


@pytest.mark.differential
@pytest.mark.parametrize("count", [500, pytest.param(2000, marks=pytest.mark.wide)])
def test_fit_compiled_equals_eager_for_many_examples(count: int) -> None:
    """Equal also with so many examples that a program may divide them."""
    chance = random.Random(2)
    xs = [[chance.uniform(-1, 1), chance.uniform(-1, 1)] for _ in range(count)]
    ys = [[math.sin(a) * b] for a, b in xs]
    found = []
    for jit in (None, False):
        model = network()
        history = fit(model, xs, ys, loss=mse_loss, optimizer=SGD(model.parameters(), lr=0.1),
                      epochs=2, batch_size=None, validation_data=(xs, ys), quiet=True,
                      jit=jit)  # fmt: skip
        found.append([*weights(model), *history["val_loss"]])
    assert found[0] == pytest.approx(found[1], rel=1e-12)


# Options and models ------------------------------------------------------------------------------


class DropoutForOneExample(nn.Module):
    """A layer that draws random numbers for some examples only, first in a later batch."""

    def __init__(self) -> None:
        self.linear, self.dropout = nn.Linear(2, 1, rng=1), nn.Dropout(0.4)

    def forward(self, x: Any) -> Any:
        """Compute."""
        y = self.linear(x)
        return self.dropout(y) if x == POINTS[-1] else y


class Branching(nn.Module):
    """A model with two branches."""

    def __init__(self) -> None:
        self.weight = sg.Parameter(0.3)

    def forward(self, x: Any) -> Any:
        """Compute."""
        return [self.weight * x[0] if x[0] > -0.5 else self.weight.exp()]


class WithUnusedLayer(nn.Module):
    """A model with an unused layer."""

    def __init__(self) -> None:
        self.used, self.unused = network(), nn.Linear(2, 2, rng=5)

    def forward(self, x: Any) -> Any:
        """Compute."""
        return self.used(x)


SITUATIONS: dict[str, dict[str, Any]] = {
    "the whole set": {"batch_size": None},
    "single samples": {"batch_size": 1, "epochs": 2, "shuffle": False},
    "a penalty": {"regularizer": lambda parameters: 0.01 * losses.l2_penalty(parameters)},
    "limits": {"clip_grad_norm": 0.3,
               "optimizer": lambda parameters: optim.Adam(parameters[5:], lr=0.1)},
    "early stopping": {"validation_split": 0.4, "patience": 2, "epochs": 60, "min_delta": 1e-3,
                       "metrics": {"error": mse_loss}},
    "weighted classes": {"make": three_classes, "targets": CLASSES, "batch_size": 7,
                         "loss": partial(losses.cross_entropy, weight=[1.0, 2.0, 0.5],
                                         ignore_index=1, label_smoothing=0.1)},
    # class -100 is in no mean, and the last batch is smaller: equal weights would be wrong
    "left out": {"loss": losses.nll_loss, "batch_size": 6, "epochs": 3, "shuffle": False,
                 "make": lambda: nn.Sequential(three_classes(), nn.LogSoftmax()),
                 "targets": [-100 if i in {0, 3, 12} else c for i, c in enumerate(CLASSES)]},
    # each number is drawn once, in the same order; nothing for examples that do not count
    "dropout": {"make": lambda: nn.Sequential(nn.Linear(2, 8, rng=1), nn.Dropout(0.3, rng=4),
                                              nn.Linear(8, 1, rng=2), nn.Dropout(0.1)),
                "validation_split": 0.3, "batch_size": 6, "epochs": 3},
    "draws for a later batch": {"make": DropoutForOneExample, "batch_size": 1, "shuffle": False},
    "branches": {"make": Branching, "batch_size": 1, "validation_split": 0.3},
    "an idle layer that decays": {"make": WithUnusedLayer, "optimizer": OPTIMIZERS["adamw"]},
}  # fmt: skip


@pytest.mark.differential
@pytest.mark.parametrize("situation", SITUATIONS.values(), ids=SITUATIONS.keys())
def test_fit_compiled_equals_eager_for_every_option(situation: dict[str, Any]) -> None:
    """All options of fit and several models."""
    assert_same_compiled(**situation)


# Words of several lengths ------------------------------------------------------------------------

_chance = random.Random(2)
WORDS = [[_chance.randrange(4) for _ in range(n)] for n in (1, 3, 2, 3, 3, 2, 3)]
SCORES = [math.sin(len(word) + sum(word)) for word in WORDS]


class Bag(nn.Module):
    """A linear layer over the sum of the vectors of a word, weighted by position."""

    def __init__(self, p: float = 0.0) -> None:
        self.table, self.position = nn.Embedding(4, 2, rng=3), nn.Embedding(3, 1, rng=5)
        self.drop, self.out = nn.Dropout(p, rng=6), nn.Linear(2, 1, rng=4)

    def forward(self, word: list[int]) -> Any:
        """Score a word."""
        vectors = [
            [x * self.position(i)[0] for x in self.table(token)] for i, token in enumerate(word)
        ]
        (score,) = self.out(self.drop([sum(column) for column in zip(*vectors, strict=True)]))
        return score


def square(predictions: list[Any], targets: list[float]) -> Any:
    """Return the squared error of a batch."""
    return sum((p - y) ** 2 for p, y in zip(predictions, targets, strict=True))


def train_words(
    jit: bool | None, optimizer: Any = OPTIMIZERS["adam"], p: float = 0.0, **options: Any
) -> Outcome:
    """Train on words of three lengths, one by one in a random order."""
    model = Bag(p)
    moving = optimizer(model.parameters())
    history = fit(
        model, WORDS, SCORES, optimizer=moving, jit=jit,
        **{"loss": square, "batch_size": 1, "epochs": 9, "quiet": True, **options},
    )  # fmt: skip
    grads = [x.grad or 0.0 for group in moving.param_groups for x in group["params"]]
    return Outcome(history, weights(model), moving.state_dict(), grads, 0.0)


def clear(model: nn.Module, history: History) -> None:
    """Set every gradient to None, as PyTorch's zero_grad does."""
    for parameter in model.parameters():
        parameter.grad = None


WORD_OPTIONS: dict[str, dict[str, Any]] = {
    "adam": {"p": 0.2},
    "none for a gradient": {"callbacks": [clear]},
}


@pytest.mark.parametrize("options", WORD_OPTIONS.values(), ids=WORD_OPTIONS.keys())
def test_fit_compiled_equals_eager_for_words_of_several_lengths(options: dict[str, Any]) -> None:
    """Position 2 has no gradient after a word of two letters, but Adam's moments still move it."""
    usual: dict[str, Any] = {"gradient_tolerance": 0.0}
    assert_same_outcome(
        train_words(True, **usual, **options), train_words(False, **usual, **options)
    )


@pytest.mark.parametrize("jit", [True, None])
def test_fit_compiled_equals_eager_for_sparse_examples(jit: bool | None) -> None:
    """Examples are dicts of a few of 2,000 weights; the other weights do not change."""
    found = []
    for chosen in (jit, False):
        model = nn.Linear(2_000, 1, rng=0)
        before = weights(model)
        history = fit(model, [{3: 1.0, 1_999: 2}, {5: 1.0}, {7: -1.0}], [[1.0], [2.0], [3.0]],
                      loss=mse_loss, optimizer=SGD(model.parameters(), lr=0.1), epochs=3,
                      batch_size=1, quiet=True, jit=chosen)  # fmt: skip
        after = weights(model)
        moved = [i for i, (a, b) in enumerate(zip(before, after, strict=True)) if a != b]
        assert moved == [3, 5, 7, 1_999, 2_000]
        found.append([*history["loss"], *(after[i] for i in moved)])
    assert found[0] == pytest.approx(found[1], rel=1e-12)


def test_fit_with_sparse_adam_is_eager() -> None:
    """SparseAdam updates only rows with a gradient, even 0; dropout draws its mask once."""
    sparse = partial(optim.SparseAdam, lr=0.05)
    assert train_words(None, sparse, p=0.5) == train_words(False, sparse, p=0.5)
    with pytest.raises(sg.TraceError, match="SparseAdam"):
        train_words(True, sparse)


def test_fit_of_batches_of_different_lengths_is_eager() -> None:
    """Each mixture of lengths would need its own program; jit=True raises an error."""
    assert train_words(None, batch_size=2) == train_words(False, batch_size=2)
    with pytest.raises(sg.TraceError, match="batch_size"):
        train_words(True, batch_size=2)


@pytest.mark.parametrize("jit", [True, False])
def test_fit_raises_if_an_update_overflows_and_changes_nothing(jit: bool) -> None:
    """The gradients are finite, but the rate is 1e308."""
    model = Bag()
    before = weights(model)
    with pytest.raises(sg.NumericalError):
        fit(model, WORDS, [1e4 * y for y in SCORES], optimizer=SGD(model.parameters(), lr=1e308),
            jit=jit, loss=square, batch_size=1, epochs=1, quiet=True)  # fmt: skip
    assert weights(model) == before


# User code between steps -------------------------------------------------------------------------


def assert_same_with_model(options: Callable[[nn.Module], dict[str, Any]]) -> None:
    """Compare compiled with eager steps if options refer to the model."""

    def run(jit: bool) -> Outcome:
        model = network()
        return train_points(jit, lambda: model, validation_split=0.2, **options(model))

    assert_same_outcome(run(True), run(False))


def _rate_by_weight(model: nn.Module, epoch: int) -> float:
    first, *_, last = model.parameters()
    last.data += 0.1 * epoch
    return float(1.0 / (1.0 + abs(first.data)))


PARAMETER_READERS: dict[str, Callable[[nn.Module], dict[str, Any]]] = {
    "a penalty in the loss": lambda model: {
        "loss": lambda p, y: mse_loss(p, y) + 0.01 * sum(w * w for w in model.parameters())
    },
    "a metric": lambda model: {"metrics": {"size": lambda p, y: abs(model.parameters()[0].data)}},
    "a schedule": lambda model: {
        "schedule": lambda x: lr_scheduler.LambdaLR(x, partial(_rate_by_weight, model))
    },
}


@pytest.mark.parametrize("options", PARAMETER_READERS.values(), ids=PARAMETER_READERS.keys())
def test_fit_shows_current_parameters_to_user_code(
    options: Callable[[nn.Module], dict[str, Any]],
) -> None:
    """A held-out loss, a metric and a scheduler see current parameters, and can change them."""
    assert_same_with_model(options)


class Scaled(nn.Module):
    """A network with a factor that is a plain number."""

    def __init__(self) -> None:
        self.scale = 1.0
        self.layer = network()

    def forward(self, x: Any) -> Any:
        """Compute."""
        return [self.scale * y for y in self.layer(x)]


FACTOR = {"of the loss": 1.0}


def loss_with_global_factor(predictions: list[Any], targets: list[Any]) -> Any:
    """Read a global."""
    return FACTOR["of the loss"] * mse_loss(predictions, targets)


def _scale(model: Any) -> None:
    model.scale *= 0.5


def _change_global(model: Any) -> None:
    FACTOR["of the loss"] *= 0.5


def _add_a_layer(model: Any) -> None:
    model.layer = nn.Sequential(*model.layer.children(), nn.Tanh())


def _drop_a_bias(model: Any) -> None:
    next(x for x in model.modules() if isinstance(x, nn.Linear)).bias = None


@pytest.mark.parametrize("change", [_scale, _change_global, _add_a_layer, _drop_a_bias])
def test_fit_trains_with_changes_made_by_a_callback(change: Callable[[Any], None]) -> None:
    """Changes of an attribute, a global or a layer take effect in the next step."""

    def run(jit: bool) -> Outcome:
        FACTOR["of the loss"] = 1.0

        def visit(model: nn.Module, history: History) -> None:
            if len(history) == 2:
                change(model)

        return train_points(
            jit, Scaled, loss=loss_with_global_factor, callbacks=[visit], validation_split=0.2
        )

    assert_same_outcome(run(True), run(False))


@pytest.mark.parametrize("make", [list, np.array], ids=["lists", "arrays"])
@pytest.mark.parametrize("jit", [False, True])
def test_fit_ignores_changes_of_examples_during_training(jit: bool, make: Any) -> None:
    """Changing the caller's examples in place has no effect."""

    def run(*, changes: bool) -> list[float]:
        inputs, targets = [make(x) for x in POINTS], [[{"y": y}] for (y,) in HEIGHTS]
        tried = [make(x) for x in POINTS[:3]], targets[:3]

        def change(model: nn.Module, history: History) -> None:
            if changes:
                inputs[2][0] = -inputs[2][0]
                targets[0][0]["y"] += 1.0
                tried[0][1][0] += 0.5

        def loss(predictions: list[Any], targets: list[Any]) -> Any:
            return mse_loss(predictions, [[t["y"]] for (t,) in targets])

        model = network()
        history = fit(model, inputs, targets, loss=loss, validation_data=tried, epochs=4,
                      optimizer=SGD(model.parameters(), lr=0.1), callbacks=[change], batch_size=4,
                      jit=jit, quiet=True)  # fmt: skip
        return [*weights(model), *history["loss"], *history["val_loss"]]

    assert run(changes=True) == run(changes=False)


# Errors ------------------------------------------------------------------------------------------


def _overflowing_loss(predictions: list[Any], targets: list[Any]) -> Any:
    """Overflow if predictions are large."""
    return sg.mean([sg.exp(p[0] ** 2) for p in predictions])


def _log_loss(predictions: list[Any], targets: list[Any]) -> Any:
    """Leave the domain if a prediction is negative."""
    return sg.mean([sg.log(p[0] + 1.0) for p in predictions])


@pytest.mark.parametrize(
    ("error", "options"),
    [
        (sg.NumericalError, {"lr": 10.0}),
        (sg.NumericalError, {"loss": _overflowing_loss, "lr": 2.0}),
        (sg.DomainError, {"loss": _log_loss}),
    ],
    ids=["new value", "loss", "domain"],
)
def test_fit_compiled_raises_the_error_of_eager_steps(
    error: type[Exception], options: dict[str, Any]
) -> None:
    """Message, parameters and number of steps are equal."""
    found = []
    for jit in (True, False):
        model = nn.Sequential(nn.Linear(2, 1, rng=1))
        lr = options.get("lr", 0.1)
        optimizer = SGD(model.parameters(), lr=lr, momentum=0.5)
        with pytest.raises(error) as raised:
            fit(model, POINTS, HEIGHTS, optimizer=optimizer, jit=jit, quiet=True, shuffle=False,
                loss=options.get("loss", mse_loss), epochs=400, batch_size=7)  # fmt: skip
        [group] = optimizer.state_dict()["param_groups"]
        found.append((str(raised.value).split(" = ")[0], group["step"], weights(model)))
    assert found[0][:2] == found[1][:2]
    assert found[0][1] > 0
    assert found[0][2] == pytest.approx(found[1][2], rel=1e-6)  # it grows from step to step


# Steps that cannot be compiled -------------------------------------------------------------------


class Recurrent(nn.Module):
    """A model with a state that is passed from example to example, without its gradient."""

    def __init__(self) -> None:
        self.weight, self.state = sg.Parameter(0.5), sg.Value(0.1)

    def forward(self, x: Any) -> Any:
        """Compute."""
        found = sg.tanh(self.weight * x[0] + self.state)
        self.state = found.detach()
        return [found * (2.0 if found.data > 0 else 1.0)]


_generator = np.random.RandomState(4)
_outside = sg.Parameter(0.5, "scale")


EAGER: dict[str, dict[str, Any]] = {
    "another optimizer": {"optimizer": Descent},
    "a state": {"make": Recurrent},
    "branches in a batch": {"make": Branching},
    "the type of a later example": {
        "loss": lambda p, y: mse_loss(p, [[t * (1 + isinstance(t, int))] for (t,) in y]),
        "targets": [*HEIGHTS[:-1], [1]],
        "shuffle": False,
    },
    "noise": {"loss": lambda p, y: mse_loss(p, y) * _generator.uniform(0.9, 1.1)},
    "a parameter outside the model": {"loss": lambda p, y: mse_loss(p, y) * _outside},
    "lengths": {
        "targets": [[1.0, 2.0], *HEIGHTS[1:]],
        "loss": lambda p, y: sg.mean([x[0] for x in p]),
    },
    "Values": {"targets": [[sg.Parameter(y)] for (y,) in HEIGHTS]},
}


@pytest.mark.parametrize("options", EAGER.values(), ids=EAGER.keys())
def test_fit_is_eager_if_steps_cannot_be_compiled(options: dict[str, Any]) -> None:
    """By default the numbers are those of eager steps; with jit=True it is an error.

    A batch with so many parameters is compiled from the first step.
    """

    def make() -> Any:
        model: Any = options.get("make", network)()
        return model

    def run(jit: bool | None) -> Outcome:
        _generator.seed(7)
        usual = {
            "optimizer": partial(SGD, lr=0.1),
            "epochs": 2,
            "batch_size": None,
            "copies": 15,
        }
        return train_points(jit, **{**usual, **options, "make": make})

    assert run(None) == run(False)
    with pytest.raises(sg.TraceError):
        run(True)


class Wide(nn.Module):
    """A line with so many parameters that its steps are compiled from the first one."""

    def __init__(self) -> None:
        self.line, self.slopes = nn.Linear(1, 1, rng=0), [sg.Parameter(0.0) for _ in range(2000)]

    def forward(self, x: Any) -> Any:
        """Return the height of the line."""
        return [y + sg.sum(self.slopes) for y in self.line(x)]


class ByType(nn.Module):
    """A model that gives other results for plain floats in evaluation mode."""

    def __init__(self) -> None:
        self.inner = nn.Linear(2, 1, rng=0)

    def forward(self, x: Any) -> Any:
        """Compute."""
        (found,) = self.inner(x)
        return [2.0 * found if not self.training and type(x[0]) is float else found]


def test_fit_held_out_predictions_that_differ_when_compiled_are_eager() -> None:
    """The first prediction is compared with the eager one, since `type` cannot be traced."""
    rows = [[0.1 * k, 0.2] for k in range(40)]
    heights = [[0.3 * k] for k in range(40)]
    found = []
    for jit in (True, False):
        model = ByType()
        optimizer, held_out = SGD(model.parameters(), lr=1e-3), (rows[:9], heights[:9])
        history = fit(model, rows, heights, loss=mse_loss, optimizer=optimizer, epochs=3,
                      validation_data=held_out, jit=jit, quiet=True)  # fmt: skip
        found.append(history["val_loss"])
    assert found[0] == pytest.approx(found[1], rel=1e-12)


def loss_that_reads_data(predictions: Any, targets: Any) -> Any:
    """Read the data of a Value, which cannot be compiled."""
    error = predictions[0][0] - targets[0][0]
    return error * error if error.data < 1e9 else error


@pytest.mark.parametrize("loss", [mse_loss, loss_that_reads_data])
def test_fit_prints_why_steps_could_not_be_compiled(
    loss: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    """The reason is printed at the end, unless quiet; the numbers are those of eager steps."""
    found = []
    for jit, quiet in ((None, False), (None, True), (False, False)):
        model = Wide()
        fit(model, [[0.1]] * 100, [[1.0]] * 100, loss=loss, batch_size=None, epochs=10,
            optimizer=SGD(model.parameters(), lr=1e-4), quiet=quiet, jit=jit)  # fmt: skip
        output = " ".join(capsys.readouterr().out.split())
        assert ("could not be compiled" in output) == (
            loss is loss_that_reads_data and not quiet and jit is None
        )
        assert ("data" in output) == ("could not" in output)
        found.append(weights(model))
    assert found[0] == found[1] == pytest.approx(found[2], rel=1e-12)


def test_fit_under_detect_anomaly_is_eager() -> None:
    """Every gradient of the graph is checked, and a compiled program has no graph."""
    with sg.detect_anomaly():
        found = train_points(True, validation_split=0.3)
    assert found == train_points(False, validation_split=0.3)
