"""Training pages: what is recorded, when, how much of it is kept, and what is refused."""

from __future__ import annotations

import itertools
import math
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scalargrad import Value, custom_op, exp, watch
from scalargrad.errors import (
    GraphTooLargeError,
    LayoutError,
    NumericalError,
    OperandError,
    TraceError,
)
from scalargrad.losses import binary_cross_entropy_with_logits, cross_entropy, mse_loss
from scalargrad.nn import MLP, Dropout, Linear, Module, Sequential, Tanh
from scalargrad.optim import SGD
from scalargrad.optim.lr_scheduler import LinearLR
from scalargrad.show.training import TrainingPage
from scalargrad.train import History, fit

X = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]
Y = [0, 1, 1, 0]


def network() -> MLP:
    """Return two tanh units and an output, always with the same weights."""
    return MLP(2, [2, 1], activation="tanh", rng=0)


def watched(model: Any, **options: Any) -> TrainingPage:
    """Watch a model at exclusive or."""
    return watch(model, X, Y, loss=binary_cross_entropy_with_logits, **options)


def descend(model: Module, optimizer: SGD) -> float:
    """Take one step of descent on all four points, and return the loss before it."""
    loss = binary_cross_entropy_with_logits([model(x) for x in X], [float(y) for y in Y])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return float(loss.data)


def test_a_loop_of_ones_own_records_every_step() -> None:
    """Each snapshot has the loss of that moment, which the next step computes before it moves."""
    model = network()
    optimizer = SGD(model.parameters(), lr=0.5)
    training = watched(model, optimizer=optimizer)
    before = []
    for _ in range(5):
        before.append(descend(model, optimizer))
        training.record()
    assert [snapshot.step for snapshot in training.snapshots] == [0, 1, 2, 3, 4, 5]
    assert [snapshot.loss for snapshot in training.snapshots[:5]] == pytest.approx(
        before, rel=1e-12
    )
    assert {snapshot.learning_rate for snapshot in training.snapshots} == {0.5}


def test_a_snapshot_keeps_every_digit_of_every_parameter() -> None:
    """As many as the model has, each equal to the last bit."""
    model = network()
    training = watched(model)
    assert sorted(training.snapshots[0].parameters) == sorted(p.data for p in model.parameters())


def test_an_earlier_snapshot_is_not_changed_by_later_training() -> None:
    """It is a copy of the numbers."""
    model = network()
    training = watched(model)
    first = list(training.snapshots[0].parameters)
    descend(model, SGD(model.parameters(), lr=1.0))
    assert list(training.snapshots[0].parameters) == first


def test_as_a_callback_of_fit_a_page_has_a_snapshot_for_each_epoch() -> None:
    """And it notes the rate the epoch was trained with, not the next one's."""
    model = network()
    optimizer = SGD(model.parameters(), lr=1.0)
    training = watched(model)
    history = fit(
        model,
        X,
        [float(y) for y in Y],
        loss=binary_cross_entropy_with_logits,
        optimizer=optimizer,
        scheduler=LinearLR(optimizer, 1.0, 0.5, total_iters=2),
        epochs=3,
        callbacks=[training],
        quiet=True,
    )
    assert [snapshot.step for snapshot in training.snapshots] == [0, 1, 2, 3]
    assert [snapshot.learning_rate for snapshot in training.snapshots[1:]] == [1.0, 0.75, 0.5]
    assert training.history is history
    assert "epoch 0 to 3" in repr(training)


def test_watch_with_epochs_trains_as_fit_does() -> None:
    """The same model, options and seed give the same weights, bit for bit."""
    alone, watched = network(), network()
    options: dict[str, Any] = {
        "loss": binary_cross_entropy_with_logits,
        "epochs": 4,
        "batch_size": 2,
        "seed": 3,
    }
    fit(alone, X, Y, optimizer=SGD(alone.parameters(), lr=0.3), quiet=True, **options)
    training = watch(
        watched, X, Y, optimizer=SGD(watched.parameters(), lr=0.3), quiet=True, **options
    )
    assert [p.data for p in watched.parameters()] == [p.data for p in alone.parameters()]
    assert len(training.snapshots) == 5
    assert len(training.history) == 4
    assert training.stopped == ""


def test_a_compiled_training_has_the_snapshots_of_an_eager_one() -> None:
    """Its steps move numbers of their own, and a training page must see those of every epoch."""
    pytest.importorskip("numpy", reason="compiled steps compute in its arrays")
    trainings = []
    for jit in (False, True):
        model = network()
        optimizer = SGD(model.parameters(), lr=0.3)
        trainings.append(watched(model, optimizer=optimizer, epochs=12, jit=jit, quiet=True))
    eager, compiled = ([snapshot.loss for snapshot in training.snapshots] for training in trainings)
    assert compiled == pytest.approx(eager, rel=1e-9)
    assert len(set(compiled)) == 13


def test_callbacks_of_the_user_are_called_too() -> None:
    """One that stops training stops it, and the training page says so."""

    def enough(model: Module, history: History) -> bool:
        return len(history) == 2

    model = network()
    optimizer = SGD(model.parameters(), lr=0.1)
    training = watched(model, optimizer=optimizer, epochs=9, callbacks=[enough], quiet=True)
    assert len(training.snapshots) == 3
    assert training.stopped == "a callback asked"
    assert "stopped: a callback asked" in repr(training)


@pytest.mark.usefixtures("pythons_handler")
def test_ctrl_c_leaves_the_snapshots_so_far(tmp_path: Path) -> None:
    """An interrupt during the third epoch ends training; the training page can be saved."""

    def interrupting(model: Module, history: History) -> None:
        if len(history) == 2:
            signal.raise_signal(signal.SIGINT)

    model = network()
    optimizer = SGD(model.parameters(), lr=0.1)
    training = watched(model, optimizer=optimizer, epochs=50, callbacks=[interrupting], quiet=True)
    assert training.stopped == "interrupted"
    assert [snapshot.step for snapshot in training.snapshots] == [0, 1, 2]
    assert "stopped: interrupted" in training.save(tmp_path / "training.html").read_text(
        encoding="utf-8"
    )


def test_training_that_runs_away_ends_with_the_snapshots_it_had() -> None:
    """A rate far too large overflows the loss; the training page says which node did."""
    model = MLP(1, [1], rng=0)
    optimizer = SGD(model.parameters(), lr=1e200)
    training = watch(
        model,
        [[1.0], [2.0]],
        [1.0, 3.0],
        loss=mse_loss,
        optimizer=optimizer,
        epochs=20,
        batch_size=None,
        quiet=True,
    )
    assert 2 <= len(training.snapshots) < 20
    assert math.isinf(training.snapshots[-1].loss)
    assert "inf" in training.stopped
    with pytest.raises(NumericalError, match="inf"):
        fit(model, [[1.0]], [1.0], loss=mse_loss, optimizer=optimizer, epochs=1, quiet=True)


@pytest.mark.parametrize("count", [1, 2, 7, 8, 9, 20, 100])
def test_a_long_training_gives_up_every_second_snapshot(count: int) -> None:
    """It never has more than asked for, keeps first and newest, and the others evenly spread."""
    training = watched(network(), max_snapshots=8)
    for _ in range(count):
        training.record()
    steps = [snapshot.step for snapshot in training.snapshots]
    assert len(steps) <= 8
    assert steps[0] == 0
    assert steps[-1] == count
    apart = {after - before for before, after in itertools.pairwise(steps[:-1])}
    assert len(apart) <= 1
    assert count < 8 or len(steps) >= 5


def test_steps_may_be_counted_by_the_user_and_go_forward() -> None:
    """Recording each tenth step, say; a step that was is refused."""
    training = watched(network())
    training.record(step=10)
    training.record()
    assert [snapshot.step for snapshot in training.snapshots] == [0, 10, 11]
    with pytest.raises(OperandError, match="step is 5, but the last snapshot is of step 11"):
        training.record(step=5)


def test_two_fits_make_one_training() -> None:
    """Epochs of the second go on counting where the first ended."""
    model = network()
    training = watched(model)
    for _ in range(2):
        optimizer = SGD(model.parameters(), lr=0.1)
        fit(
            model,
            X,
            Y,
            loss=binary_cross_entropy_with_logits,
            optimizer=optimizer,
            epochs=2,
            callbacks=[training],
            quiet=True,
        )
    assert [snapshot.step for snapshot in training.snapshots] == [0, 1, 2, 3, 4]


def test_history_of_a_loop_of_ones_own_has_the_loss_of_each_snapshot() -> None:
    """So that it can be plotted like any other."""
    training = watched(network())
    training.record()
    assert training.history["epoch"] == [0.0, 1.0]
    assert training.history["loss"] == [snapshot.loss for snapshot in training.snapshots]


def test_recording_disturbs_neither_mode_nor_gradients() -> None:
    """Dropout trains before and after, and rests while a snapshot is measured."""
    model = Sequential(Linear(2, 4, rng=0), Tanh(), Dropout(0.5, rng=0), Linear(4, 1, rng=1))
    model.train()
    training = watch(model, X, [[float(y)] for y in Y], loss=mse_loss)
    training.record()
    assert all(module.training for module in model.modules())
    assert training.snapshots[0].loss == training.snapshots[1].loss
    assert {p.grad for p in model.parameters()} == {0.0}


def test_arrays_are_taken_by_rows() -> None:
    """A NumPy matrix and vector are lists of inputs and targets."""
    np = pytest.importorskip("numpy", reason="arrays are NumPy's")
    training = watch(network(), np.array(X), np.array(Y), loss=binary_cross_entropy_with_logits)
    assert training.snapshots[0].loss == watched(network()).snapshots[0].loss


class Branching(Module):
    """A unit and an `if` on what it computed."""

    def __init__(self) -> None:
        self.linear = Linear(2, 1, rng=0)

    def forward(self, x: list[Any]) -> Any:
        """Return the unit's output, or nothing of it."""
        (y,) = self.linear(x)
        return y if y > 0 else y * 0.0


class Peeking(Branching):
    """One that looks at a number."""

    def forward(self, x: list[Any]) -> Any:
        """Multiply the unit's output by its own number."""
        (y,) = self.linear(x)
        return y * y.data


class Differentiating(Branching):
    """One that takes a derivative on the way."""

    def forward(self, x: list[Any]) -> Any:
        """Return the derivative of the unit's square by its input."""
        from scalargrad import grad

        return grad(lambda a: self.linear([a, x[1]])[0] ** 2)(x[0])


def with_own_operation() -> MLP:
    """Return a network whose activation is a Python function."""

    @custom_op(partials=lambda y, x: (2.0 * x,))
    def my_square(x: float) -> float:
        return x * x

    return MLP(2, [2, 1], activation=my_square, rng=0)


UNREPEATABLE = [
    (Branching, "if"),
    (Peeking, r"\.data was read"),
    (Differentiating, "derivative"),
    (with_own_operation, "my_square"),
]


@pytest.mark.parametrize(("make", "why"), UNREPEATABLE)
def test_what_a_page_cannot_repeat_is_refused(make: Callable[[], Any], why: str) -> None:
    """The page would otherwise show other numbers than Python's."""
    with pytest.raises(TraceError, match=why):
        watched(make())


def test_a_loss_with_a_branch_is_refused_too() -> None:
    """Here the target decides, which is allowed, and then the prediction, which is not."""

    def branching(predictions: list[Any], targets: list[Any]) -> Any:
        return sum(p if p > 0 else -p for p in predictions) * (1.0 / len(targets))

    with pytest.raises(TraceError, match="the loss asks whether"):
        watch(network(), X, Y, loss=branching)


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"X": [[0.0, 1.0], [0.0]], "y": [0, 1]}, "input 1 has 1 number, but input 0 has 2"),
    ({"X": [[0.0, 1.0], "ab"], "y": [0, 1]}, "input 1 is 'ab': give a list of numbers"),
    ({"X": [[0.0, 1.0], [0.0, "b"]], "y": [0, 1]}, "input 1 is"),
    ({"X": [0.0, 1.0], "y": [0, 1]}, "input 0 is 0.0: give a list"),
    ({"X": [[]], "y": [0]}, r"input 0 is \[\]"),
    ({"X": [], "y": []}, "0 inputs and 0 targets"),
    ({"X": X, "y": [0, 1]}, "4 inputs and 2 targets"),
    ({"y": ["a", "b", "c", "d"]}, "target 0 is 'a'"),
    ({"y": [[0, 1], [0, 1], [0, 1], [0, 1]]}, r"target 0 is \[0, 1\]"),
    ({"feature_names": ["a"]}, "has 1 name for 2 inputs"),
    ({"target_names": ["a"]}, "has 1 name for 2 classes"),
    ({"plane": (0, 0)}, "two different inputs of 0 … 1"),
    ({"plane": (0, 2)}, "two different inputs"),
    ({"max_snapshots": 1}, "max_snapshots is 1"),
    ({"epochs": 3}, "no optimizer"),
    ({"batch_size": 3}, "batch_size is an option of training: give epochs too"),
]


@pytest.mark.parametrize(("options", "why"), REFUSED)
def test_what_does_not_fit_together_is_refused_with_a_remedy(
    options: dict[str, Any], why: str
) -> None:
    """Before anything is trained."""
    given = {"X": X, "y": Y, "loss": lambda p, t: mse_loss(p, p), **options}
    model = network()
    before = [p.data for p in model.parameters()]
    with pytest.raises(OperandError, match=why):
        watch(model, **given)
    assert [p.data for p in model.parameters()] == before


def test_a_loss_that_is_not_the_mean_over_examples_is_refused() -> None:
    """The page adds up the losses of examples, each on its own."""

    def total(predictions: list[Any], targets: list[Any]) -> Any:
        return mse_loss(predictions, targets, reduction="sum")

    with pytest.raises(OperandError, match="the mean over examples, as fit does"):
        watch(network(), X, Y, loss=total)


def test_an_example_whose_loss_is_not_finite_is_named() -> None:
    """It was said that the loss is no mean; where losses add up to inf, math.fsum raised."""
    inputs: list[list[float]] = [*X[:2], [math.nan, 0.0], X[3]]
    with pytest.raises(OperandError, match="the loss of example 2 is nan: leave out or fill in"):
        watch(network(), inputs, Y, loss=binary_cross_entropy_with_logits)
    with pytest.raises(OperandError, match=r"^the loss of all 4 examples is inf, .* each 1e\+308:"):
        watch(network(), X, [1e154] * 4, loss=mse_loss)


def test_a_penalty_inside_the_loss_is_refused_with_the_place_where_it_belongs() -> None:
    """Fit takes a regularizer."""
    model = network()

    def penalised(predictions: list[Any], targets: list[Any]) -> Any:
        return mse_loss(predictions, targets) + 0.1 * model.parameters()[0] ** 2

    with pytest.raises(OperandError, match="regularizer="):
        watch(model, X, Y, loss=penalised)


def test_a_loss_must_be_one_value() -> None:
    """A list of losses is none."""
    with pytest.raises(OperandError, match="gave 2 Values"):
        watch(network(), X, Y, loss=lambda p, t: [p[0] * 1.0, p[0] * 2.0])


def test_a_model_must_return_values() -> None:
    """Numbers cannot be trained."""
    with pytest.raises(OperandError, match=r"the model returns 1\.0"):
        watch(lambda x: 1.0, X, Y, loss=mse_loss)


def test_large_models_and_many_examples_are_refused_with_their_count() -> None:
    """The limit on parameters may be raised; of the examples some may be shown."""
    large = MLP(2, [40, 40, 1], rng=0)
    with pytest.raises(GraphTooLargeError, match=r"1,801 parameters.*at most 500.*limit=1801"):
        watched(large, limit=500)
    with pytest.raises(GraphTooLargeError, match=r"1,001 examples.*X\[:500\]"):
        watch(network(), [[0.0, 1.0]] * 1001, [0] * 1001, loss=mse_loss)
    assert watched(large, limit=1801).snapshots


def test_one_call_may_be_of_any_callable() -> None:
    """A function of Values with units in it, not a Module."""
    layer = Linear(2, 1, rng=0)
    training = watched(lambda x: exp(layer(x)[0]))
    assert len(training.snapshots[0].parameters) == 3


def test_several_outputs_and_classes() -> None:
    """Cross entropy picks the class of each example, which is another program for each."""
    training = watch(MLP(2, [3], rng=0), X, [0, 1, 2, 1], loss=cross_entropy)
    logits = [[y.data for y in MLP(2, [3], rng=0)(x)] for x in X]
    wanted = [
        math.log(sum(map(math.exp, row))) - row[c]
        for row, c in zip(logits, [0, 1, 2, 1], strict=True)
    ]
    assert training.snapshots[0].loss == pytest.approx(sum(wanted) / 4, rel=1e-12)


def test_a_page_is_saved_under_a_name_of_a_page_only(tmp_path: Path) -> None:
    """A wrong ending or a missing folder is refused, and what was there stays."""
    training = watched(network())
    with pytest.raises(LayoutError, match=r"'training.pdf'.*end it in .html"):
        training.save(tmp_path / "training.pdf")
    with pytest.raises(FileNotFoundError, match="create the folder"):
        training.save(tmp_path / "missing" / "training.html")
    path = training.save(tmp_path / "training.html", title="first")
    assert list(tmp_path.iterdir()) == [path]


def test_inputs_are_numbers_and_not_values() -> None:
    """A page could not tell which of them change."""
    labelled: Any = [[Value(x, "x") for x in row] for row in X]
    with pytest.raises(OperandError, match="input 0 is"):
        watch(network(), labelled, Y, loss=mse_loss)
