"""Training a model on examples."""

from __future__ import annotations

import gc
import math
import re
from typing import Any

import numpy as np
import pytest

from scalargrad.errors import (
    DomainError,
    GraphError,
    NumericalError,
    OperandError,
    TrainingWarning,
)
from scalargrad.grad_mode import enable_grad, no_grad
from scalargrad.nn import Linear, Module, Neuron
from scalargrad.optim import SGD
from scalargrad.optim.lr_scheduler import ReduceLROnPlateau, StepLR
from scalargrad.train import History, fit
from scalargrad.value import Parameter, Value

from .helpers import INPUTS, TARGETS, Descent, Halving, linear, squares, within


def run(model: Module | None = None, **options: Any) -> History:
    """Fit a linear layer quietly, ten epochs unless told otherwise."""
    model = model or linear()
    options = {
        "loss": squares,
        "optimizer": Descent(model.parameters()),
        "epochs": 10,
        "quiet": True,
        **options,
    }
    return fit(model, INPUTS, TARGETS, **options)


def descended(epochs: int, lr: float = 0.1) -> tuple[list[float], list[float], list[float]]:
    """Return weights, losses and gradient norms of gradient descent, by matrix algebra."""
    x = np.column_stack([np.array(INPUTS), np.ones(len(INPUTS))])
    y, w = np.array(TARGETS), np.zeros(3)
    losses, norms = [], []
    for _ in range(epochs):
        gradient = 2 * x.T @ (x @ w - y) / len(y)
        losses.append(float(np.mean((x @ w - y) ** 2)))
        norms.append(float(np.linalg.norm(gradient)))
        w = w - lr * gradient
    return w.tolist(), losses, norms


def weights(model: Linear) -> list[float]:
    """Return the weights and the bias of a linear layer."""
    return [parameter.data for parameter in model.parameters()]


def test_the_whole_batch_is_gradient_descent_by_the_book() -> None:
    """Weights, losses and gradient norms equal NumPy's of the closed-form gradient."""
    model = linear()
    history = run(model, batch_size=None, gradient_tolerance=0.0)
    expected, losses, norms = descended(10)
    assert weights(model) == pytest.approx(expected, rel=1e-12)
    assert history["loss"] == pytest.approx(losses, rel=1e-12)
    assert history["gradient_norm"] == pytest.approx(norms, rel=1e-12)
    assert history["epoch"] == list(range(1, 11))


def test_arrays_are_taken_by_rows() -> None:
    """NumPy arrays train like the lists they hold."""
    model = linear()
    fit(
        model,
        np.array(INPUTS),  # type: ignore[arg-type]
        np.array(TARGETS),  # type: ignore[arg-type]
        loss=squares,
        optimizer=Descent(model.parameters()),
        epochs=3,
        batch_size=None,
        quiet=True,
    )
    assert weights(model) == pytest.approx(descended(3)[0], rel=1e-12)


def test_training_goes_towards_the_least_squares_fit() -> None:
    """Given time, the weights are those NumPy's least squares finds."""
    model = linear()
    run(model, epochs=1000, batch_size=None)
    x = np.column_stack([np.array(INPUTS), np.ones(len(INPUTS))])
    best = np.linalg.lstsq(x, np.array(TARGETS), rcond=None)[0]
    assert weights(model) == pytest.approx(best, abs=1e-9)


@pytest.mark.parametrize(("size", "sizes"), [(1, [1] * 6), (4, [4, 2]), (None, [6]), (100, [6])])
def test_a_step_is_taken_for_each_batch(size: int | None, sizes: list[int]) -> None:
    """Batches have the size asked for, the last one what is left."""
    seen: list[int] = []

    def spying(predictions: list[Any], targets: list[float]) -> Any:
        seen.append(len(predictions))
        return squares(predictions, targets)

    run(loss=spying, batch_size=size, epochs=1)
    assert seen == sizes


def orders(**options: Any) -> list[list[float]]:
    """Return the targets in the order in which each of three epochs met them."""
    seen = [y for targets in batched(batch_size=2, **options) for y in targets]
    return [seen[i : i + 6] for i in (0, 6, 12)]


def batched(**options: Any) -> list[list[float]]:
    """Return the targets of each call of the loss in three epochs."""
    seen: list[list[float]] = []

    def spying(predictions: list[Any], targets: list[float]) -> Any:
        seen.append(targets)
        return squares(predictions, targets)

    run(loss=spying, epochs=3, **options)
    return seen


def test_every_epoch_has_its_own_order_fixed_by_the_seed() -> None:
    """Shuffled epochs differ from each other, not between runs of one seed."""
    first = orders(seed=3)
    assert first == orders(seed=3) != orders(seed=4)
    assert first[0] != first[1] != first[2]
    assert all(sorted(order) == sorted(TARGETS) for order in first)


def test_without_shuffling_examples_come_in_order() -> None:
    """shuffle=False keeps the order given."""
    assert orders(shuffle=False) == [TARGETS] * 3


def test_the_epochs_loss_is_weighted_by_batch_size() -> None:
    """With frozen weights, uneven batches give the mean over all examples."""
    model = linear()
    history = run(model, optimizer=Descent(model.parameters(), lr=0.0), batch_size=4, epochs=1)
    assert history["loss"] == pytest.approx([np.mean(np.square(TARGETS))])


def test_metrics_see_plain_numbers_of_the_whole_epoch() -> None:
    """A metric is called once before training, and per epoch with every prediction as floats."""
    calls: list[tuple[list[Any], list[float]]] = []

    def spying(predictions: list[Any], targets: list[float]) -> float:
        calls.append((predictions, targets))
        return within(predictions, targets)

    history = run(metrics={"close": spying}, batch_size=4, epochs=2)
    assert len(calls) == 3
    del calls[0]
    assert all(type(p[0]) is float for p in calls[0][0])
    assert sorted(calls[0][1]) == sorted(TARGETS)
    assert history["close"][0] == pytest.approx(1 / 6)


def test_metrics_are_named_after_their_functions() -> None:
    """A list of functions gives columns with their names, of held-out data too."""
    data = ([[1.0, 1.0]], [0.0])
    history = run(metrics=[within], validation_data=data, epochs=1)
    assert history.columns == ["epoch", "loss", "within", "val_loss", "val_within"]
    assert history["val_within"] == [1.0]


def test_held_out_loss_is_measured_after_the_epoch_without_touching_weights() -> None:
    """val_loss is the loss of the trained weights on the data given, computed by NumPy."""
    model = linear()
    history = run(model, epochs=4, batch_size=None, validation_data=([[3.0, 1.0]], [2.0]))
    w = descended(4)[0]
    assert history["val_loss"][-1] == pytest.approx((3 * w[0] + w[1] + w[2] - 2.0) ** 2)
    assert weights(model) == pytest.approx(w, rel=1e-12)


def test_a_split_holds_out_a_share_drawn_by_seed() -> None:
    """A third of six examples is two; the other four are trained on, and the seed chooses."""

    def drawn(seed: int) -> list[float]:
        tried, trained, held_out, *_ = batched(seed=seed, validation_split=1 / 3, batch_size=4)
        assert tried == TARGETS
        assert sorted(trained + held_out) == sorted(TARGETS)
        return sorted(trained)

    trained = {seed: drawn(seed) for seed in range(6)}
    assert trained[0] == drawn(0)
    assert len(set(map(tuple, trained.values()))) > 1


def test_the_model_trains_in_training_mode_and_ends_in_evaluation_mode() -> None:
    """Held-out loss is measured, and the model is handed back, with training off."""
    modes: list[bool] = []

    class Watching(Linear):
        def forward(self, x: Any) -> list[Value]:
            modes.append(self.training)
            found: list[Value] = super().forward(x)
            return found

    model = Watching(2, 1, rng=0)
    run(model, epochs=1, validation_data=([[1.0, 1.0]], [0.0]))
    tried = modes.index(True)  # before the first step
    assert not any(modes[:tried])
    assert modes[tried:] == [True] * 6 + [False]
    assert not model.training


@pytest.mark.parametrize("before", [True, False])
def test_the_collector_rests_during_a_step_and_is_left_as_it_was(before: bool) -> None:
    """A graph has no cycles to be found; whoever switched the collector off finds it off."""
    during: list[bool] = []

    def spying(predictions: list[Any], targets: list[float]) -> Any:
        during.append(gc.isenabled())
        return squares(predictions, targets)

    found = gc.isenabled()
    try:
        (gc.enable if before else gc.disable)()
        run(loss=spying, epochs=1)
        assert gc.isenabled() is before
    finally:
        (gc.enable if found else gc.disable)()
    assert not any(during)


def test_a_regulariser_is_part_of_the_objective() -> None:
    """With a penalty of ½Σw², descent is that of ridge regression, and the loss includes it."""

    def ridge(parameters: list[Any]) -> Any:
        return 0.5 * sum(p * p for p in parameters)

    model = linear()
    history = run(model, epochs=400, batch_size=None, regularizer=ridge)
    x = np.column_stack([np.array(INPUTS), np.ones(6)])
    y = np.array(TARGETS)
    expected = np.linalg.solve(2 * x.T @ x / 6 + np.eye(3), 2 * x.T @ y / 6)
    assert weights(model) == pytest.approx(expected, abs=1e-9)
    objective = np.mean((x @ expected - y) ** 2) + 0.5 * expected @ expected
    assert history["loss"][-1] == pytest.approx(objective)


def test_a_schedule_is_stepped_after_each_epoch_and_its_rate_recorded() -> None:
    """The column learning_rate holds the rate each epoch was trained with."""
    model = linear()
    optimizer = Descent(model.parameters(), lr=0.4)
    history = run(model, optimizer=optimizer, scheduler=Halving(optimizer), epochs=3)
    assert history["learning_rate"] == [0.4, 0.2, 0.1]


@pytest.mark.parametrize("held_out", [True, False])
def test_a_plateau_is_one_of_the_held_out_loss(held_out: bool) -> None:
    """Halved after each epoch that is no better: of the loss held out, else of the loss."""
    model = linear()
    optimizer = SGD(model.parameters(), lr=0.4)
    losses = iter([3.0] * held_out + [3.0, 2.0, 2.0, 1.0, 1.0])

    def loss(predictions: list[Any], targets: list[float]) -> Any:
        one = len(targets) == 1
        return squares(predictions, targets) * 0.0 + (next(losses) if one is held_out else 5.0)

    history = run(
        model,
        loss=loss,
        optimizer=optimizer,
        scheduler=ReduceLROnPlateau(optimizer, factor=0.5, patience=0),
        epochs=5,
        batch_size=None,
        validation_data=([[1.0, 1.0]], [0.0]) if held_out else None,
        jit=False,
    )
    assert history["learning_rate"] == [0.4, 0.4, 0.4, 0.2, 0.2]


def test_the_rate_recorded_is_the_one_trained_with() -> None:
    """Also where a callback has set it by hand."""
    model = linear()
    optimizer = SGD(model.parameters(), lr=0.4)

    def halve(model: Module, history: History) -> None:
        optimizer.param_groups[0]["lr"] *= 0.5

    schedule = StepLR(optimizer, 100)
    history = run(model, optimizer=optimizer, scheduler=schedule, epochs=3, callbacks=[halve])
    assert history["learning_rate"] == [0.4, 0.2, 0.1]


def test_training_stops_when_the_gradient_is_small() -> None:
    """The last row is the first whose norm is at or under the tolerance, as NumPy predicts."""
    history = run(batch_size=None, gradient_tolerance=0.01, epochs=1000)
    norms = descended(1000)[2]
    assert len(history) == next(i for i, norm in enumerate(norms, 1) if norm <= 0.01)
    assert history.stopped == "the gradient's norm fell to 0.01 or under"


@pytest.mark.parametrize("jit", [True, False])
def test_the_norm_is_of_the_parameters_that_are_trained(jit: bool) -> None:
    """Gradients of the others are not cleared, so they grow from step to step: a bias alone."""
    model = linear()
    optimizer = SGD(model.parameters()[-1:], lr=0.1)
    history = run(model, optimizer=optimizer, batch_size=None, gradient_tolerance=0.0, jit=jit)
    norms = [2 * np.mean(TARGETS) * (1 - 2 * 0.1) ** step for step in range(10)]
    assert history["gradient_norm"] == pytest.approx(norms, rel=1e-9)


def test_gradients_are_clipped_by_those_that_an_optimiser_says_it_trains() -> None:
    """Ten steps of 0.1 · 0.01; the gradients of the weights, which add up, shortened them."""
    model = linear()
    optimizer: Any = Descent(model.parameters()[-1:])
    optimizer.param_groups = [{"params": optimizer.parameters, "lr": 0.1}]
    run(model, optimizer=optimizer, batch_size=None, clip_grad_norm=0.01)
    assert weights(model) == pytest.approx([0.0, 0.0, 10 * 0.1 * 0.01], rel=1e-3)


@pytest.mark.parametrize("jit", [True, False, None])
def test_without_gradients_nothing_is_trained(jit: bool | None) -> None:
    """Compiled steps took them all the same, and eager ones left every parameter as it was."""
    model = linear()
    with no_grad(), pytest.raises(GraphError, match="which no_grad switches off"):
        run(model, optimizer=SGD(model.parameters()), jit=jit)
    with no_grad(), enable_grad():
        run(model, optimizer=SGD(model.parameters(), lr=0.1), batch_size=None, jit=jit)
    assert weights(model) == pytest.approx(descended(10)[0], rel=1e-9)


class Proportional(Module):
    """A factor that is a plain Value, which its own `parameters` returns."""

    def __init__(self) -> None:
        self.factor = Value(0.5)

    def parameters(self) -> list[Any]:
        """Return it."""
        return [self.factor]

    def __call__(self, x: Any) -> Any:
        """Return the prediction."""
        return self.factor * x


@pytest.mark.parametrize("jit", [True, False, None])
def test_plain_values_are_trained_as_parameters_are(jit: bool | None) -> None:
    """The loss is 2.5 (w - 2)², so that each step of 0.1 halves the distance to 2."""
    model = Proportional()
    history = fit(model, [1.0, 2.0], [2.0, 4.0], loss=squares, quiet=True, jit=jit, epochs=3,
                  optimizer=SGD(model.parameters(), lr=0.1))  # fmt: skip
    assert history["loss"] == pytest.approx([2.5 * 1.5**2, 2.5 * 0.75**2, 2.5 * 0.375**2])
    assert model.factor.data == pytest.approx(2.0 - 1.5 / 8)


class Switched(Module):
    """A linear layer without bias that can be told to compute without a graph."""

    def __init__(self) -> None:
        self.line = Linear(1, 1, bias=False, rng=0)
        self.records = True

    def __call__(self, x: Any) -> Any:
        """Return the prediction, with a graph or without."""
        if self.records:
            return self.line(x)
        with no_grad():
            return self.line(x)


@pytest.mark.parametrize("jit", [True, False, None])
@pytest.mark.parametrize(
    "loss",
    [
        no_grad()(squares),
        lambda p, y: squares([[x.detach() for x in row] for row in p], y),
        lambda p, y: Value(1.0),
    ],
)
def test_a_loss_without_a_way_to_a_parameter_is_refused(loss: Any, jit: bool | None) -> None:
    """As in PyTorch. It moved nothing, and the losses of the epochs looked like any others."""
    model = linear()
    with pytest.raises(GraphError, match="no parameter to train"):
        run(model, loss=loss, optimizer=SGD(model.parameters(), lr=0.1), jit=jit)
    run(model, optimizer=SGD(model.parameters(), lr=0.1), batch_size=None, jit=jit)
    assert weights(model) == pytest.approx(descended(10)[0], rel=1e-9)


@pytest.mark.parametrize("jit", [True, False, None])
def test_a_model_that_stops_recording_ends_training_where_it_was(jit: bool | None) -> None:
    """Two steps by hand, w - 0.1 · 2x(wx - y); then an error with the history of both."""
    model = Switched()
    w, losses = model.line.weight[0][0].data, []
    for _ in range(2):
        losses.append((2.0 * w - 1.0) ** 2)
        w -= 0.1 * 4.0 * (2.0 * w - 1.0)

    def stopping(model: Any, history: History) -> None:
        model.records = len(history) < 2

    moving = SGD(model.parameters(), lr=0.1)
    options: dict[str, Any] = {"loss": squares, "callbacks": [stopping], "quiet": True}
    with pytest.raises(GraphError, match="squares returned") as caught:
        fit(model, [[2.0]], [1.0], optimizer=moving, jit=jit, **options)
    history: Any = caught.value.history
    assert history["loss"] == pytest.approx(losses, rel=1e-12)
    assert model.line.weight[0][0].data == pytest.approx(w, rel=1e-12)


def observed(predictions: list[Any], targets: list[Any]) -> Any:
    """Return the sum of squares over targets that are known: not below 0."""
    known = [(p[0] - y) ** 2 for p, y in zip(predictions, targets, strict=True) if y >= 0.0]
    return sum(known, Value(0.0))


@pytest.mark.parametrize("jit", [True, False, None])
def test_a_loss_may_leave_out_a_whole_batch(jit: bool | None) -> None:
    """Of two batches one is trained on, the last: w - 0.1 · 2x(wx - y), once an epoch."""
    model = Switched()
    w = model.line.weight[0][0].data
    for _ in range(4):
        w -= 0.1 * 4.0 * (2.0 * w - 1.0)
    fit(model, [[1.0], [2.0]], [-1.0, 1.0], loss=observed, epochs=4, batch_size=1, shuffle=False,
        optimizer=SGD(model.parameters(), lr=0.1), jit=jit, quiet=True)  # fmt: skip
    assert model.line.weight[0][0].data == pytest.approx(w, rel=1e-12)


def perceptron(predictions: list[Any], targets: list[Any]) -> Any:
    """Return the sum of -yz over the examples that are on the wrong side."""
    wrong = [-y * p[0] for p, y in zip(predictions, targets, strict=True) if y * p[0] <= 0.0]
    return sum(wrong, Value(0.0))


@pytest.mark.parametrize("jit", [True, False, None])
def test_a_perceptron_may_have_learned_all(jit: bool | None) -> None:
    """Rosenblatt's rule: w + 0.5 yx for each that is wrong, until none is; then nothing moves."""
    model = Linear(2, 1, bias=False, rng=0)
    inputs, targets = [[1.0, 2.0], [-1.0, 0.5], [2.0, -1.0]], [-1.0, 1.0, -1.0]
    w, moved = [x.data for x in model.weight[0]], 0
    for _ in range(10):
        for x, y in zip(inputs, targets, strict=True):
            if y * sum(a * b for a, b in zip(w, x, strict=True)) <= 0.0:
                w, moved = [a + 0.5 * y * b for a, b in zip(w, x, strict=True)], moved + 1
    history = fit(model, inputs, targets, loss=perceptron, epochs=10, batch_size=1, shuffle=False,
                  optimizer=SGD(model.parameters(), lr=0.5), jit=jit, quiet=True)  # fmt: skip
    assert moved > 0
    assert history["loss"][-1] == 0.0
    assert [x.data for x in model.weight[0]] == pytest.approx(w, rel=1e-12)


class Experts(Module):
    """A weight for inputs above 0, another for the rest."""

    def __init__(self) -> None:
        self.upper, self.lower = Parameter(0.5), Parameter(0.25)

    def __call__(self, x: Any) -> Any:
        """Return the prediction of one of them."""
        return (self.upper if x > 0 else self.lower) * x


@pytest.mark.parametrize("jit", [True, False, None])
def test_batches_may_leave_alone_what_is_trained(jit: bool | None) -> None:
    """One weight is trained, for half of the examples: w - 0.1 · 2x(wx - y), once an epoch."""
    model, expected = Experts(), 0.5
    for _ in range(4):
        expected -= 0.1 * 2.0 * (expected - 3.0)
    moving = SGD([model.upper], lr=0.1)
    fit(model, [1.0, -1.0], [3.0, 3.0], loss=squares, optimizer=moving, epochs=4, batch_size=1,
        jit=jit, quiet=True)  # fmt: skip
    assert model.upper.data == pytest.approx(expected, rel=1e-12)
    assert model.lower.data == 0.25


def test_over_batches_the_norm_is_of_the_mean_gradient() -> None:
    """With frozen weights, batches of 4 and 2 give the norm of the whole batch."""
    model = linear()
    frozen = Descent(model.parameters(), lr=0.0)
    history = run(model, optimizer=frozen, batch_size=4, epochs=1, gradient_tolerance=0.0)
    assert history["gradient_norm"] == pytest.approx(descended(1)[2])


def test_early_stopping_gives_back_the_best_weights() -> None:
    """When held-out loss has risen for three epochs, the weights of the lowest come back."""
    model = linear()
    kept: list[list[float]] = []
    history = run(
        model,
        epochs=100,
        batch_size=None,
        patience=3,
        validation_data=([[1.0, 1.0]], [0.35]),
        callbacks=[lambda model, history: kept.append(weights(model))],
    )
    best = int(np.argmin(history["val_loss"]))
    assert history.best_epoch == best + 1
    assert len(history) == best + 1 + 3
    assert history.stopped == "held-out loss has not improved for 3 epochs"
    assert weights(model) == kept[best] != kept[-1]


def test_an_improvement_smaller_than_min_delta_does_not_count() -> None:
    """With a huge min_delta the first epoch stays the best."""
    data = (INPUTS, TARGETS)
    history = run(epochs=50, patience=2, min_delta=1e9, validation_data=data)
    assert (len(history), history.best_epoch) == (3, 1)


def test_patience_prefers_any_loss_to_nan() -> None:
    """A held-out loss that was NaN before training, and at first, is improved by a number."""
    losses = iter([math.nan, math.nan, 5.0, 4.0])

    def loss(predictions: list[Any], targets: list[float]) -> Any:
        return squares(predictions, targets) if len(targets) == 6 else Value(next(losses))

    history = run(loss=loss, epochs=3, patience=5, validation_data=([[1.0, 1.0]], [0.0]))
    assert history.best_epoch == 3


def test_a_callback_sees_every_epoch_and_may_stop() -> None:
    """A callback gets the model and the growing history, and a true result ends training."""
    model = linear()
    seen: list[tuple[Module, int]] = []

    def callback(given: Module, history: History) -> bool:
        seen.append((given, len(history)))
        return len(history) == 4

    history = run(model, callbacks=[callback])
    assert seen == [(model, n) for n in (1, 2, 3, 4)]
    assert history.stopped == "a callback asked"


def test_all_epochs_done_is_a_reason_too() -> None:
    """A history says why training ended."""
    assert run(epochs=2).stopped == "all epochs done"


def test_a_loss_that_is_not_finite_is_an_error_that_names_the_node() -> None:
    """Too large a step makes the loss overflow; the error comes from the backward sweep."""
    model = Neuron(2, nonlin=False)
    with pytest.raises(NumericalError, match="not finite"):
        run(model, optimizer=Descent(model.parameters(), lr=1e100), epochs=5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"epochs": 0}, "epochs is 0"),
        ({"batch_size": 0}, "batch_size is 0"),
        ({"patience": 0}, "patience is 0"),
        ({"checkpoint_every": 0}, "checkpoint_every is 0"),
        ({"resume": True}, "give checkpoint=path"),
        ({"patience": 3}, "patience watches the held-out loss"),
        ({"metrics": [lambda p, y: 0.0, lambda p, y: 1.0]}, "give a dict from name to metric"),
        ({"metrics": {"loss": within}}, "differ from each other and from epoch, loss"),
        ({"validation_split": 0.01}, "holds out 0 of 6"),
        ({"validation_split": 1.0}, "holds out 6 of 6"),
        ({"validation_split": 0.5, "validation_data": ([[1.0, 1.0]], [0.0])}, "exclude each"),
        ({"validation_data": ([[1.0, 1.0]], [])}, "validation data has 1 inputs and 0 targets"),
    ],
)
def test_options_that_do_not_fit_are_refused(options: dict[str, Any], message: str) -> None:
    """Each error says what was given and what to give."""
    with pytest.raises(OperandError, match=message):
        run(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"loss": "mse"}, "loss is 'mse', which cannot be called; give a function: scalargrad"),
        ({"loss": None}, "loss is None"),
        ({"optimizer": "Adam"}, "optimizer is 'Adam', which has no step"),
        ({"optimizer": SGD}, "a class and not an object of it"),
        ({"optimizer": None}, "optimizer is None"),
        ({"regularizer": 0.1}, "regularizer is 0.1"),
        ({"scheduler": 0.9}, "scheduler is 0.9, which has no step"),
        ({"callbacks": lambda model, history: None}, r"put it in a list: callbacks=\[…\]"),
        ({"callbacks": [3]}, r"callbacks\[0\] is 3"),
        ({"callbacks": None}, "callbacks is None; give a list of functions"),
        ({"metrics": within}, r"put it in a list: metrics=\[…\]"),
        ({"metrics": ["accuracy"]}, r"metrics\[0\] is 'accuracy'"),
        ({"metrics": {"accuracy": 1.0}}, r"metrics\['accuracy'\] is 1.0"),
        ({"metrics": {3: within}}, "give a dict from name"),
        ({"epochs": None}, "epochs is None, of type NoneType; give a whole number"),
        ({"epochs": True}, "epochs is True"),
        ({"epochs": "3"}, "epochs is '3'"),
        ({"batch_size": 8.0}, "batch_size is 8.0, of type float; give a whole number"),
        ({"batch_size": -2}, "batch_size is -2; give 1 or more"),
        ({"seed": 1.5}, "seed is 1.5"),
        ({"seed": None}, "seed is None"),
        ({"shuffle": "no"}, "shuffle is 'no'; give True or False"),
        ({"quiet": 1}, "quiet is 1"),
        ({"jit": "yes"}, "jit is 'yes'"),
        ({"resume": None}, "resume is None"),
        ({"checkpoint": 3}, "checkpoint is 3; give the path"),
        ({"checkpoint_every": 2.0}, "checkpoint_every is 2.0"),
        ({"gradient_tolerance": "small"}, "gradient_tolerance is 'small'"),
        ({"gradient_tolerance": -1.0}, "gradient_tolerance is -1"),
        ({"validation_split": "0.1"}, "validation_split is '0.1'"),
        ({"validation_split": math.nan}, "validation_split is nan"),
        ({"validation_split": 1.5}, "validation_split is 1.5; give a number from 0 to 1"),
        ({"validation_data": INPUTS}, "validation_data is .*; give "),
        ({"validation_data": 3}, "validation_data is 3"),
        ({"patience": 1.5, "validation_split": 0.5}, "patience is 1.5"),
        ({"patience": 1, "min_delta": None, "validation_split": 0.5}, "min_delta is None"),
        ({"loss": lambda p, y: None}, "<lambda> returned None; it must return one Value"),
        ({"loss": lambda p, y: [squares(p, y)]}, r"returned \[Value"),
        ({"loss": lambda p, y: "small"}, "returned 'small'"),
        ({"loss": lambda p, y: 1.0}, "the loss is 1.0 whatever the parameters"),
        ({"regularizer": lambda parameters: None}, "<lambda> returned None"),
        ({"metrics": [lambda p, y: None]}, "<lambda> returned None; it must return one number"),
        ({"metrics": [lambda p, y: "good"]}, "<lambda> returned 'good'"),
    ],
)
@pytest.mark.parametrize("jit", [None, False])
def test_what_makes_no_training_is_refused_in_a_line(
    options: dict[str, Any], message: str, jit: bool | None
) -> None:
    """The line names the argument, and nothing was trained."""
    model = linear()
    with pytest.raises((OperandError, DomainError)) as caught:
        run(model, **{"optimizer": SGD(model.parameters(), lr=0.1), "jit": jit, **options})
    assert re.search(message, str(caught.value))
    assert "\n" not in str(caught.value)
    assert weights(model) == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("model", [None, "MLP", lambda x: x, Linear])
def test_only_a_module_is_trained(model: Any) -> None:
    """What has no parameters, and a class."""
    with pytest.raises(OperandError, match=r"model is .*; give a Module"):
        fit(model, INPUTS, TARGETS, loss=squares, optimizer=Descent([]), quiet=True)


def test_numbers_of_numpys_count_as_numbers() -> None:
    """A seed, a size and a number of epochs from an array train as those that they equal."""
    found = []
    for whole, real in ((int, float), (np.int64, np.float32)):
        model = linear()
        history = run(
            model,
            seed=whole(3),
            epochs=whole(4),
            batch_size=whole(2),
            validation_split=real(0.5),
            patience=whole(3),
            min_delta=real(0.0),
            gradient_tolerance=real(0.0),
            shuffle=np.bool_(True),
            optimizer=SGD(model.parameters(), lr=real(0.25)),  # type: ignore[arg-type]
        )
        found.append((weights(model), history))
        assert all(type(w) is float for w in weights(model))
    assert found[0] == found[1]


def test_an_optimiser_of_another_model_is_warned_of() -> None:
    """It would move what nobody sees; the loss may have parameters of its own."""
    with pytest.warns(TrainingWarning, match="3 of the 3 parameters that the optimizer moves"):
        run(linear(), optimizer=SGD(linear().parameters(), lr=0.1), epochs=1)

    class Scaled(Module):
        def __init__(self) -> None:
            self.scale = Parameter(1.0)

        def forward(self, predictions: list[Any], targets: list[float]) -> Any:
            return squares(predictions, targets) * self.scale

    model, loss = linear(), Scaled()
    optimizer = SGD([*model.parameters(), *loss.parameters()], lr=0.1)
    run(model, optimizer=optimizer, loss=loss, epochs=1)


@pytest.mark.parametrize("given", [([], []), ([[1.0, 2.0]], [1.0, 2.0])])
def test_examples_that_do_not_match_are_refused(given: tuple[list[Any], list[Any]]) -> None:
    """No examples, or not one target for each, is an error."""
    model = linear()
    optimizer = Descent(model.parameters())
    with pytest.raises(OperandError, match="and a target for each"):
        fit(model, *given, loss=squares, optimizer=optimizer)


@pytest.mark.parametrize("unit", ["D", "ns"])
def test_dates_are_refused_with_the_way_to_days(unit: str) -> None:
    """Of those in nanoseconds NumPy would make integers, and all others fail in the model."""
    dates: Any = np.array(["2020-01-01", "2020-01-03"], dtype=f"datetime64[{unit}]")
    model = Linear(1, 1, rng=0)
    options: dict[str, Any] = {"loss": squares, "optimizer": SGD(model.parameters(), lr=0.1)}
    for given in (dates, dates - dates[0]):
        with pytest.raises(OperandError, match="X of the training data is an array of dates or"):
            fit(model, given, [1.0, 2.0], **options)
    assert ((dates - dates.min()) / np.timedelta64(1, "D")).tolist() == [0.0, 2.0]


def test_predictions_other_than_values_reach_metrics_as_they_are() -> None:
    """A model may also return a plain number, which has no graph to free."""

    class Both(Linear):
        def forward(self, x: Any) -> Any:
            return [super().forward(x)[0], 7]

    seen: list[Any] = []

    def seeing(predictions: list[Any], targets: list[float]) -> float:
        seen.extend(predictions)
        return 0.0

    run(Both(2, 1, rng=0), metrics=[seeing], epochs=1)
    assert {p[1] for p in seen} == {7}


@pytest.mark.parametrize("name", ["epochs", "batch_size"])
def test_counts_are_whole(name: str) -> None:
    """One and a half epochs are not two: nothing is rounded silently."""
    model = linear()
    options: dict[str, Any] = {"epochs": 2, "batch_size": 2, name: 1.5}
    with pytest.raises(OperandError, match=f"{name} is 1.5, of type float; give a whole number"):
        fit(
            model,
            INPUTS,
            TARGETS,
            loss=squares,
            optimizer=Descent(model.parameters()),
            quiet=True,
            **options,
        )
