"""What cannot be used for training is found before the first step, and nothing is changed."""

from __future__ import annotations

import math
import random
import statistics
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scalargrad.errors import DomainError, OperandError, StateError, TrainingWarning
from scalargrad.losses import accuracy, cross_entropy, mse_loss
from scalargrad.nn import Dropout, Embedding, Linear, Module, Sequential
from scalargrad.optim import SGD
from scalargrad.optim.lr_scheduler import StepLR
from scalargrad.train import History, fit

from .helpers import INPUTS, TARGETS, Descent, Halving, linear, squares, within

CLASSES = [0, 1, 1, 0, 2, 2]
LOOP: list[Any] = []
LOOP.append(LOOP)


def refused(message: str, model: Module, given: tuple[Any, Any], **options: Any) -> None:
    """Hold that training is refused in one line, before anything was changed."""
    before = ([p.data for p in model.parameters()], random.getstate(), drawn_by_numpy())
    optimizer = options.pop("optimizer", None) or SGD(model.parameters(), lr=0.1)
    with pytest.raises((OperandError, DomainError, StateError), match=message) as caught:
        fit(model, *given, optimizer=optimizer, epochs=2, batch_size=2, quiet=True, **options)
    assert "\n" not in str(caught.value)
    assert before[0] == [p.data for p in model.parameters()]
    assert before[1] == random.getstate()
    assert before[2] == drawn_by_numpy()
    assert all(module.training for module in model.modules())


def drawn_by_numpy() -> Any:
    """Return where NumPy's global generator is."""
    state: Any = np.random.get_state()
    return state[2]


@pytest.mark.parametrize("loss", [squares, mse_loss])
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (([[1.0]], [0.0]), r"cannot take X of the validation data at 0, \[1.0\]: .* 2 inputs"),
        (([[1.0, 1.0], [1.0]], [0.0, 0.0]), r"X of the validation data at 1, \[1.0\]"),
        (([[1.0, "a"]], [0.0]), "X of the validation data at 0, .* is 'a'"),
        (([None], [0.0]), "X of the validation data at 0, None"),
        (([[1.0, 1.0]], ["a"]), "cannot take the validation data: "),
        (([[1.0, 1.0]] * 9, [0.0] * 8 + [None]), "cannot take the validation data: "),
        (([[1.0, 1.0], [math.nan, 1.0]], [0.0, 0.0]), "X of the validation data has nan at 1"),
        (([[1.0, -math.inf]], [0.0]), "X of the validation data has -inf at 0"),
        (([[1.0, 1.0]] * 3, [0.0, 0.0, math.nan]), "y of the validation data has nan at 2"),
        (([[1.0, 1.0], [1.0, 10**400]], [0.0, 0.0]), "the validation data (has|at 1)"),
        (([LOOP], [0.0]), "X of the validation data is nested too deep, or holds itself"),
    ],
)
def test_validation_data_are_tried_first(
    data: tuple[list[Any], list[Any]], message: str, loss: Any
) -> None:
    """Wrong lengths, types and numbers of held-out examples, wherever they stand."""
    given = (INPUTS, [[y] for y in TARGETS] if loss is mse_loss else TARGETS)
    if loss is mse_loss:
        data = (data[0], [[y] for y in data[1]])
    refused(message, linear(), given, loss=loss, validation_data=data)


@pytest.mark.parametrize("held_out", [True, False])
def test_labels_that_are_no_classes_are_found_first(held_out: bool) -> None:
    """A class that the model has no score for, held out or the last to train on."""
    odd = (INPUTS, [*CLASSES[:-1], 7])
    given = (INPUTS, CLASSES) if held_out else odd
    message = f"cross_entropy cannot take the {'validation' if held_out else 'training'} data: .*7"
    data = odd if held_out else None
    refused(message, Linear(2, 3, rng=0), given, loss=cross_entropy, validation_data=data)


def test_a_metric_may_refuse_labels_that_the_loss_takes() -> None:
    """Probabilities are targets of the loss, but no classes that could be counted."""
    soft = [[0.5, 0.25, 0.25]] * 6
    message = r"accuracy cannot take the training data: .*target is \[0.5"
    refused(message, Linear(2, 3, rng=0), (INPUTS, soft), loss=cross_entropy, metrics=[accuracy])


@pytest.mark.parametrize("inputs", [[*INPUTS[:-1], [1.0]], [*INPUTS[:-1], [1.0, None]]])
def test_an_odd_example_to_train_on_is_found_first(inputs: list[Any]) -> None:
    """It would be met after other steps had been taken."""
    message = r"the model cannot take X of the training data at 5, \[1.0"
    refused(message, linear(), (inputs, TARGETS), loss=squares, shuffle=False)


def test_numbers_that_look_nothing_up_are_found_first() -> None:
    """The greatest and the least are tried: of tokens, those the table may lack."""
    model = Sequential(Embedding(4, 2, rng=0), Linear(2, 3, rng=0))
    for odd in (4, -5):
        tokens = [0, 3, 1, odd, 2, 1]
        refused(rf"at 3, {odd}: .*index {odd}", model, (tokens, CLASSES), loss=cross_entropy)


def test_what_is_split_off_is_tried_with_the_rest() -> None:
    """The index in the message is that of the example as it was given."""
    given = (INPUTS, [*TARGETS[:2], None, *TARGETS[3:]])
    message = "squares cannot take the training data: "
    refused(message, linear(), given, loss=squares, validation_split=0.5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": lambda p: p}, r"loss is .*, and is called as loss\(predictions, targets\): "),
        ({"loss": lambda p, y, w: p}, "loss is .*missing a required argument: 'w'"),
        ({"regularizer": lambda: 0.0}, r"called as regularizer\(parameters\): too many"),
        ({"metrics": [lambda p: 0.0]}, r"metrics\[0\] is .*called as"),
        ({"metrics": {"a": partial(within, [1.0])}}, r"metrics\['a'\] is "),
        ({"callbacks": [lambda model: None]}, r"as callbacks\[0\]\(model, history\): too many"),
        ({"callbacks": [print, lambda m, h, *, at: None]}, r"callbacks\[1\].*'at'"),
        ({"metrics": [lambda p, y: p.mean()]}, "has no attribute 'mean'"),
        ({"metrics": [lambda p, y: p[0][3]]}, "IndexError"),
        ({"metrics": [lambda p, y: [1.0]]}, r"returned \[1.0\]; it must return one number"),
        ({"min_delta": "little"}, "min_delta is 'little'"),
        ({"quiet": None, "checkpoint": "unwritten"}, "quiet is None"),
    ],
)
def test_functions_are_tried_first(
    options: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their parameters, and what metrics return; a callback would be called after an epoch."""
    monkeypatch.chdir(tmp_path)
    model = linear()
    options = {"loss": squares, "quiet": True, **options}
    with pytest.raises(OperandError, match=message):
        fit(model, INPUTS, TARGETS, optimizer=Descent(model.parameters()), **options)
    assert [p.data for p in model.parameters()] == [0.0] * 3
    assert not list(tmp_path.iterdir())


class Plateau(Halving):
    """A schedule that wants a number, as PyTorch's ReduceLROnPlateau."""

    def step(self, metrics: float) -> None:  # type: ignore[override]
        """Move on."""


class Silent(Halving):
    """A schedule that does not know its rate."""

    def get_last_lr(self) -> list[float]:
        """Return nothing."""
        return []


class Closing(Descent):
    """An optimiser that wants a closure, as PyTorch's LBFGS."""

    def step(self, closure: Callable[[], Any]) -> None:  # type: ignore[override]
        """Move on."""


class Strange(Descent):
    """An optimiser whose state no checkpoint can hold."""

    def state_dict(self) -> dict[str, Any]:
        """Return an object."""
        return {"velocity": object()}


def test_parts_of_others_are_tried_first(tmp_path: Path) -> None:
    """A schedule that cannot be stepped, an optimiser that cannot, a state that cannot be saved."""
    model = linear()
    plain = Descent(model.parameters())
    cases: list[tuple[str, dict[str, Any]]] = [
        (r"called as scheduler.step\(\): missing", {"scheduler": Plateau(plain)}),
        (r"get_last_lr\(\) returned \[\]", {"scheduler": Silent(plain)}),
        (r"called as optimizer.step\(\): missing", {"optimizer": Closing(model.parameters())}),
        (
            r"state\['optimizer'\]\['velocity'\] is of type object",
            {"optimizer": Strange(model.parameters()), "checkpoint": tmp_path / "run"},
        ),
    ]
    for message, options in cases:
        refused(
            message, model, (INPUTS, TARGETS), **{"optimizer": plain, "loss": squares} | options
        )


def test_a_schedule_of_another_optimiser_is_warned_of() -> None:
    """The rate would change of what is not used; that of its own optimiser says nothing."""
    model = linear()
    optimizer, other = (SGD(model.parameters(), lr=0.1) for _ in range(2))
    with pytest.warns(TrainingWarning, match="learning rate of another optimizer"):
        once(model, optimizer=optimizer, scheduler=StepLR(other, 1))
    once(model, optimizer=optimizer, scheduler=StepLR(optimizer, 1))


def once(model: Module, **options: Any) -> History:
    """Train for an epoch."""
    options = {"batch_size": 2, "epochs": 1, "quiet": True, **options}
    return fit(model, INPUTS, TARGETS, loss=squares, **options)


def correlation(predictions: list[Any], targets: list[float]) -> float:
    """Return a metric that is undefined while all predictions are the same."""
    return statistics.correlation([p for (p,) in predictions], targets)


def precision(predictions: list[Any], targets: list[float]) -> float:
    """Return a metric that divides by zero while nothing is predicted to be positive."""
    found = [y > 0.0 for (p,), y in zip(predictions, targets, strict=True) if p > 0.0]
    return sum(found) / len(found)


@pytest.mark.parametrize("metric", [correlation, precision])
def test_what_training_may_cure_is_not_refused(metric: Callable[..., float]) -> None:
    """A metric that is undefined at the first parameters, and defined after the first epoch."""
    model = linear()
    held_out = ([[0.0, 1.0], [1.0, 0.0], [2.0, 3.0]], [2.0, -2.0, 3.0])
    optimizer = SGD(model.parameters(), lr=0.1)
    once(model, optimizer=optimizer, metrics=[metric], validation_data=held_out, shuffle=False)


def test_missing_numbers_that_a_model_fills_in_are_no_fault() -> None:
    """What decides is whether the loss is finite."""

    class Filling(Linear):
        def forward(self, x: Any) -> Any:
            return super().forward([0.0 if math.isnan(value) else value for value in x])

    model = Filling(2, 1, rng=0)
    optimizer = SGD(model.parameters(), lr=0.1)
    once(model, optimizer=optimizer, validation_data=([[math.nan, 1.0]], [0.0]))


def test_a_trial_changes_no_run() -> None:
    """Draws of the model and of the module random are as without held-out examples."""

    class Shaken(Linear):
        def forward(self, x: Any) -> Any:
            return super().forward([value + random.random() + np.random.random() for value in x])

    losses = []
    for held_out in (None, (INPUTS, TARGETS)):
        random.seed(1)
        np.random.seed(1)
        model = Sequential(Shaken(2, 3, rng=0), Dropout(0.5, rng=3), Linear(3, 1, rng=1))
        optimizer = SGD(model.parameters(), lr=0.1)
        losses.append(once(model, optimizer=optimizer, validation_data=held_out, jit=False)["loss"])
    assert losses[0] == losses[1]


@dataclass
class Tally:
    """Two counts."""

    calls: int
    counts: tuple[list[int]]


class Stateful(Linear):
    """Counts its calls in nine ways, and in a part that it makes at the first."""

    def __init__(self) -> None:
        super().__init__(2, 1, rng=0)
        self.count, self.counts = 0, [0]
        self.named, self.array = {"count": 0}, np.zeros(1)
        self.last: deque[int] = deque(maxlen=2)
        self.numbers: set[int] = set()
        self.ordered = OrderedDict({"first": 0, "last": 0})
        self.tally = Tally(0, ([0],))

    def forward(self, x: Any) -> Any:
        """Compute."""
        if not hasattr(self, "later"):
            self.later = []
        self.count += 1
        self.counts[0] += 1
        self.named[f"call {self.count}"] = self.named["count"] = self.count
        self.array += 1.0
        self.later.append(self.count)
        self.last.append(self.count)
        self.numbers.add(len(self.numbers))
        self.ordered["first"] = self.ordered.pop("last") + 1
        self.ordered["last"] = self.ordered.pop("first")
        self.tally.calls += 1
        self.tally.counts[0][0] += 1
        return super().forward(x)


def test_a_trial_leaves_the_state_of_a_model() -> None:
    """It has been called once for each example afterwards; a recurrent one began elsewhere."""
    model, n = Stateful(), len(INPUTS)
    once(model, optimizer=SGD(model.parameters(), lr=0.1), jit=False)
    assert (model.count, model.counts, model.array.tolist()) == (n, [n], [float(n)])
    assert model.later == [*range(1, n + 1)]
    assert len(model.named) == 1 + n
    assert [*model.last] == [n - 1, n]
    assert len(model.numbers) == n
    assert [*model.ordered.items()] == [("last", n)]
    assert model.tally == Tally(n, ([n],))


@pytest.mark.parametrize(
    "held",
    [np.broadcast_to(1.0, 3), np.frombuffer(b"abc", np.uint8), np.array(2.0), memoryview(b"abc")],
    ids=["a row", "bytes", "one number", "a view"],
)
def test_a_model_may_hold_what_cannot_be_written(held: Any) -> None:
    """Nothing has changed there, so that nothing is to be put back after the trial."""
    model, plain = linear(), linear()
    vars(model)["held"] = held
    losses = [once(m, optimizer=SGD(m.parameters(), lr=0.1))["loss"] for m in (model, plain)]
    assert losses[0] == losses[1]


@pytest.mark.parametrize("make", [list, np.array], ids=["lists", "arrays"])
def test_a_model_that_changes_its_input_is_refused(make: Any) -> None:
    """Raised by 1 at each call, an example would be another one in each epoch."""

    class Raising(Linear):
        def forward(self, x: Any) -> Any:
            x[0] = x[0] + 1
            return super().forward(x)

    model = Raising(2, 1, rng=0)
    with pytest.raises(OperandError, match="it changes its input"):
        fit(model, [make(x) for x in INPUTS], TARGETS, loss=squares, epochs=1, quiet=True,
            optimizer=SGD(model.parameters(), lr=0.1))  # fmt: skip


def test_what_a_metric_sorts_is_its_own() -> None:
    """Metrics and loss that sort their lists leave those of the others, and of later epochs."""

    def middle(predictions: list[Any], targets: list[Any]) -> float:
        predictions.sort()
        targets.sort()
        return float(targets[len(targets) // 2])

    def run(metrics: dict[str, Any]) -> list[dict[str, float]]:
        model = Linear(2, 1, rng=0)
        options: dict[str, Any] = {"loss": squares, "epochs": 3, "validation_split": 0.4}
        optimizer = SGD(model.parameters(), lr=0.01)
        targets = [3.0, -1.0, 2.0, -5.0, 4.0, 0.5, -2.0, 1.0, 6.0, -3.0][: len(INPUTS)]
        return fit(model, INPUTS, targets, optimizer=optimizer, metrics=metrics, quiet=True,
                   **options).rows  # fmt: skip

    def error(predictions: list[Any], targets: list[Any]) -> float:
        return float(squares(predictions, targets))

    found = run({"middle": middle, "error": error})
    kept = [{name: x for name, x in row.items() if "middle" not in name} for row in found]
    assert kept == run({"error": error})
