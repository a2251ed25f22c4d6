"""fit: batches, losses, gradients, limits, measurements, schedulers and stopping."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import pytest

from scalargrad import Value, enable_grad, no_grad
from scalargrad.data import blobs
from scalargrad.errors import GraphError
from scalargrad.losses import accuracy, cross_entropy, mse_loss
from scalargrad.nn import Linear, Module, Sequential, Tanh
from scalargrad.optim import SGD, Adam
from scalargrad.optim.lr_scheduler import ReduceLROnPlateau, StepLR
from scalargrad.train import History, fit

from .helpers import (
    INPUTS,
    TARGETS,
    Descent,
    fraction_within,
    gradient_descent,
    linear,
    mean_squares,
    run,
    weights,
)

eager_and_compiled = pytest.mark.parametrize("jit", [False, True])
DESIGN = np.column_stack([np.array(INPUTS), np.ones(len(INPUTS))])


@pytest.mark.parametrize("jit", [False, True, None])
def test_fit_with_the_whole_batch_is_gradient_descent(jit: bool | None) -> None:
    """Weights, losses and gradient norms equal NumPy's of the closed-form gradient."""
    model = linear()
    history = run(model, batch_size=None, gradient_tolerance=0.0, jit=jit)
    expected, losses, norms = gradient_descent(10)
    assert weights(model) == pytest.approx(expected, rel=1e-12)
    assert history["loss"] == pytest.approx(losses, rel=1e-12)
    assert history["gradient_norm"] == pytest.approx(norms, rel=1e-12)
    assert history["epoch"] == list(range(1, 11))
    assert history.stopped == "all epochs done"


def test_fit_accepts_an_optimizer_of_another_class() -> None:
    """An optimizer needs only step, zero_grad and a state; examples may be arrays."""
    model = linear()
    examples: Any = np.array(INPUTS), np.array(TARGETS)
    moving = Descent(model.parameters())
    fit(
        model, *examples, loss=mean_squares, optimizer=moving, epochs=3, batch_size=None, quiet=True
    )
    assert weights(model) == pytest.approx(gradient_descent(3)[0], rel=1e-12)


@pytest.mark.wide
def test_fit_equals_a_training_loop_in_pytorch() -> None:
    """Mini-batches, Adam, a scheduler and the held-out loss agree with torch to 1e-10."""
    torch = pytest.importorskip("torch")
    inputs, targets = blobs(50, classes=3, spread=3.0, seed=2)
    model = Sequential(Linear(2, 5, rng=0), Tanh(), Linear(5, 3, rng=1))
    theirs = torch.nn.Sequential(
        torch.nn.Linear(2, 5), torch.nn.Tanh(), torch.nn.Linear(5, 3)
    ).double()
    theirs.load_state_dict(
        {name: torch.tensor(x, dtype=torch.float64) for name, x in model.state_dict().items()}
    )
    x, y = torch.tensor(inputs, dtype=torch.float64), torch.tensor(targets)
    descent = torch.optim.Adam(theirs.parameters(), lr=0.05)
    halving = torch.optim.lr_scheduler.StepLR(descent, step_size=2, gamma=0.5)
    losses, held_out = [], []
    for _ in range(6):
        total = 0.0
        for rows in (slice(0, 16), slice(16, 32), slice(32, 40)):
            loss = torch.nn.functional.cross_entropy(theirs(x[rows]), y[rows])
            descent.zero_grad()
            loss.backward()
            descent.step()
            total += loss.item() * len(y[rows])
        halving.step()
        losses.append(total / 40)
        held_out.append(torch.nn.functional.cross_entropy(theirs(x[40:]), y[40:]).item())

    optimizer = Adam(model.parameters(), lr=0.05)
    history = fit(
        model,
        inputs[:40],
        targets[:40],
        loss=cross_entropy,
        optimizer=optimizer,
        scheduler=StepLR(optimizer, step_size=2, gamma=0.5),
        epochs=6,
        batch_size=16,
        shuffle=False,
        validation_data=(inputs[40:], targets[40:]),
        metrics=[accuracy],
        quiet=True,
    )
    assert history["loss"] == pytest.approx(losses, rel=1e-10)
    assert history["val_loss"] == pytest.approx(held_out, rel=1e-10)
    assert history["learning_rate"] == [0.05, 0.05, 0.025, 0.025, 0.0125, 0.0125]
    right = (theirs(x[40:]).argmax(dim=1) == y[40:]).double().mean().item()
    assert history["val_accuracy"][-1] == pytest.approx(right)


# Batches -----------------------------------------------------------------------------------------


def targets_of_batches(epochs: int = 3, **options: Any) -> list[list[float]]:
    """Return the targets of each call of the loss after the sanity check."""
    seen: list[list[float]] = []

    def recording(predictions: list[Any], targets: list[float]) -> Any:
        seen.append(targets)
        return mean_squares(predictions, targets)

    run(loss=recording, epochs=epochs, **options)
    return seen[1:]


@pytest.mark.parametrize(("size", "sizes"), [(1, [1] * 6), (4, [4, 2]), (None, [6]), (100, [6])])
def test_fit_batch_size(size: int | None, sizes: list[int]) -> None:
    """Batches have the given size, except for the last one."""
    assert [len(x) for x in targets_of_batches(1, batch_size=size)] == sizes


def test_fit_seed_determines_the_order_of_each_epoch() -> None:
    """Shuffled epochs differ from each other, not between runs of one seed."""

    def orders(**options: Any) -> list[list[float]]:
        seen = [y for targets in targets_of_batches(batch_size=2, **options) for y in targets]
        return [seen[i : i + 6] for i in (0, 6, 12)]

    first = orders(seed=3)
    assert first == orders(seed=3) != orders(seed=4)
    assert first[0] != first[1] != first[2]
    assert all(sorted(order) == sorted(TARGETS) for order in first)
    assert orders(shuffle=False) == [TARGETS] * 3


def test_fit_loss_and_norm_of_an_epoch_are_those_of_all_examples() -> None:
    """With frozen weights, batches of 4 and 2 give the loss and the norm of the whole set."""
    model = linear()
    frozen = Descent(model.parameters(), lr=0.0)
    history = run(model, optimizer=frozen, batch_size=4, epochs=1, gradient_tolerance=0.0)
    _, losses, norms = gradient_descent(1)
    assert history["loss"] == pytest.approx(losses)
    assert history["gradient_norm"] == pytest.approx(norms)


# Measurements ------------------------------------------------------------------------------------


def test_fit_metrics_receive_floats_of_the_whole_epoch() -> None:
    """A metric is called once before training, and per epoch with all predictions as floats."""
    calls: list[tuple[list[Any], list[float]]] = []

    def recording(predictions: list[Any], targets: list[float]) -> float:
        calls.append((predictions, targets))
        return fraction_within(predictions, targets)

    history = run(metrics={"close": recording}, batch_size=4, epochs=2)
    assert len(calls) == 3
    predictions, targets = calls[1]
    assert all(type(p[0]) is float for p in predictions)
    assert sorted(targets) == sorted(TARGETS)
    assert history["close"][0] == pytest.approx(1 / 6)


def test_fit_val_loss_is_measured_after_the_epoch() -> None:
    """It is the held-out loss of the trained weights, and measuring it does not change them."""
    model = linear()
    history = run(model, epochs=4, batch_size=None, validation_data=([[3.0, 1.0]], [2.0]))
    w = gradient_descent(4)[0]
    assert history["val_loss"][-1] == pytest.approx((3 * w[0] + w[1] + w[2] - 2.0) ** 2)
    assert weights(model) == pytest.approx(w, rel=1e-12)


def test_fit_validation_split_is_drawn_by_seed() -> None:
    """A third of six examples is two; training uses the other four."""

    def training_part(seed: int) -> tuple[float, ...]:
        training, held_out, *_ = targets_of_batches(seed=seed, validation_split=1 / 3, batch_size=4)
        assert len(held_out) == 2
        assert sorted(training + held_out) == sorted(TARGETS)
        return tuple(sorted(training))

    chosen = [training_part(seed) for seed in range(6)]
    assert chosen[0] == training_part(0)
    assert len(set(chosen)) > 1


def test_fit_sets_training_and_evaluation_mode() -> None:
    """The held-out loss is measured, and the model is returned, in evaluation mode."""
    modes: list[bool] = []

    class ModeRecorder(Linear):
        def forward(self, x: Any) -> Any:
            modes.append(self.training)
            return super().forward(x)

    model = ModeRecorder(2, 1, rng=0)
    run(model, epochs=1, validation_data=([[1.0, 1.0]], [0.0]))
    tried = modes.index(True)  # before the first step
    assert modes[tried:] == [True] * 6 + [False]
    assert not model.training


# The objective -----------------------------------------------------------------------------------


@eager_and_compiled
def test_fit_regularizer_is_part_of_the_objective(jit: bool) -> None:
    """With a penalty of ½Σw², descent is that of ridge regression, and the loss includes it."""

    def ridge(parameters: list[Any]) -> Any:
        return 0.5 * sum(p * p for p in parameters)

    model = linear()
    history = run(model, epochs=200, batch_size=None, regularizer=ridge, jit=jit)
    y = np.array(TARGETS)
    expected = np.linalg.solve(2 * DESIGN.T @ DESIGN / 6 + np.eye(3), 2 * DESIGN.T @ y / 6)
    assert weights(model) == pytest.approx(expected, abs=1e-9)
    objective = np.mean((DESIGN @ expected - y) ** 2) + 0.5 * expected @ expected
    assert history["loss"][-1] == pytest.approx(objective)


@eager_and_compiled
def test_fit_gradient_norm_is_of_the_optimized_parameters(jit: bool) -> None:
    """Only the bias is trained; the gradients of other parameters are not cleared and grow."""
    model = linear()
    optimizer = SGD(model.parameters()[-1:], lr=0.1)
    history = run(model, optimizer=optimizer, batch_size=None, gradient_tolerance=0.0, jit=jit)
    norms = [2 * np.mean(TARGETS) * (1 - 2 * 0.1) ** step for step in range(10)]
    assert history["gradient_norm"] == pytest.approx(norms, rel=1e-9)


@eager_and_compiled
@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({}, [-2.0, 4.0]),
        ({"clip_grad_norm": 1.0}, [-2.0 / 20.0**0.5, 4.0 / 20.0**0.5]),
        ({"clip_grad_norm": 0.0}, [0.0, 0.0]),
    ],
)
def test_fit_clip_grad_norm_limits_a_step(
    limits: dict[str, Any], expected: list[float], jit: bool
) -> None:
    """One step from 0, at rate 1, with gradient (2, -4); the recorded norm is the clipped one."""
    model = Linear(2, 1, bias=False, rng=0)
    for parameter in model.parameters():
        parameter.data = 0.0
    summed = partial(mse_loss, reduction="sum")
    history = fit(model, [[1.0, 0.0], [0.0, 1.0]], [-1.0, 2.0], loss=summed, epochs=1, quiet=True,
                  optimizer=SGD(model.parameters(), lr=1.0), jit=jit, gradient_tolerance=0.0,
                  **limits)  # fmt: skip
    assert weights(model) == pytest.approx(expected, rel=2e-6)
    assert history["gradient_norm"][0] == pytest.approx(float(np.linalg.norm(expected)), rel=2e-6)


@eager_and_compiled
def test_fit_within_no_grad_is_an_error(jit: bool) -> None:
    """Within enable_grad it trains."""
    model = linear()
    with no_grad(), pytest.raises(GraphError, match="no_grad"):
        run(model, jit=jit)
    with no_grad(), enable_grad():
        run(model, batch_size=None, jit=jit)
    assert weights(model) == pytest.approx(gradient_descent(10)[0], rel=1e-9)


@eager_and_compiled
@pytest.mark.parametrize(
    "loss",
    [
        no_grad()(mean_squares),
        lambda p, y: mean_squares([[x.detach() for x in row] for row in p], y),
        lambda p, y: Value(1.0),
    ],
)
def test_fit_refuses_a_loss_that_does_not_depend_on_parameters(loss: Any, jit: bool) -> None:
    """As in PyTorch: such a loss would silently train nothing."""
    model = linear()
    with pytest.raises(GraphError, match="parameter"):
        run(model, loss=loss, jit=jit)
    assert weights(model) == [0.0] * 3


@eager_and_compiled
def test_fit_with_the_perceptron_loss_stops_changing_weights(jit: bool) -> None:
    """Rosenblatt's rule: w + 0.5 yx for each wrong example; without one, nothing changes."""

    def perceptron(predictions: list[Any], targets: list[Any]) -> Any:
        wrong = [-y * p[0] for p, y in zip(predictions, targets, strict=True) if y * p[0] <= 0.0]
        return sum(wrong, Value(0.0))

    model = Linear(2, 1, bias=False, rng=0)
    inputs, targets = [[1.0, 2.0], [-1.0, 0.5], [2.0, -1.0]], [-1.0, 1.0, -1.0]
    w, moved = weights(model), 0
    for _ in range(10):
        for x, y in zip(inputs, targets, strict=True):
            if y * sum(a * b for a, b in zip(w, x, strict=True)) <= 0.0:
                w, moved = [a + 0.5 * y * b for a, b in zip(w, x, strict=True)], moved + 1
    history = fit(model, inputs, targets, loss=perceptron, epochs=10, batch_size=1, shuffle=False,
                  optimizer=SGD(model.parameters(), lr=0.5), jit=jit, quiet=True)  # fmt: skip
    assert moved > 0
    assert history["loss"][-1] == 0.0
    assert weights(model) == pytest.approx(w, rel=1e-12)


@eager_and_compiled
def test_fit_trains_values_that_are_not_parameters(jit: bool) -> None:
    """The loss is 2.5 (w - 2)², so that each step of 0.1 halves the distance to 2."""

    class Proportional(Module):
        def __init__(self) -> None:
            self.factor = Value(0.5)

        def parameters(self) -> Any:
            return [self.factor]

        def __call__(self, x: Any) -> Any:
            return self.factor * x

    model = Proportional()
    history = fit(model, [1.0, 2.0], [2.0, 4.0], loss=mean_squares, quiet=True, jit=jit, epochs=3,
                  optimizer=SGD(model.parameters(), lr=0.1))  # fmt: skip
    assert history["loss"] == pytest.approx([2.5 * 1.5**2, 2.5 * 0.75**2, 2.5 * 0.375**2])
    assert model.factor.data == pytest.approx(2.0 - 1.5 / 8)


# Data of other packages --------------------------------------------------------------------------


def weights_after(x: Any, y: Any, **options: Any) -> list[float]:
    """Return the weights after three epochs of all examples at once."""
    model = linear()
    fit(model, x, y, loss=mse_loss, optimizer=SGD(model.parameters(), lr=0.1), epochs=3,
        batch_size=None, quiet=True, **options)  # fmt: skip
    return weights(model)


@pytest.mark.wide
def test_fit_accepts_pandas_frames_and_series() -> None:
    """A DataFrame is its rows; targets are a Series, a column or one column of a frame."""
    pandas = pytest.importorskip("pandas", reason="the examples are pandas objects")
    expected = pytest.approx(gradient_descent(3)[0], rel=1e-12)
    frame = pandas.DataFrame(INPUTS, columns=["a", "b"])
    frame["y"] = TARGETS
    x = frame[["a", "b"]]
    for y in (frame["y"], frame[["y"]], frame["y"].to_numpy(), frame["y"].to_list()):
        assert weights_after(x, y) == expected
    rows = [row for _, row in x.iterrows()]
    assert weights_after(rows, frame["y"], jit=True) == expected
    assert weights_after(x, frame["y"], validation_data=(x, frame["y"]), jit=True) == expected


@pytest.mark.wide
def test_fit_accepts_pytorch_tensors() -> None:
    """Inputs are one tensor, a list of rows, or a column that requires gradients."""
    torch = pytest.importorskip("torch", reason="the examples are tensors")
    expected = pytest.approx(gradient_descent(3)[0], rel=1e-12)
    x = torch.tensor(INPUTS, dtype=torch.float64)
    y = torch.tensor(TARGETS, dtype=torch.float64, requires_grad=True)
    for targets in (y, y.reshape(-1, 1), list(y)):
        assert weights_after(x, targets) == expected
        assert weights_after(list(x), targets) == expected


@eager_and_compiled
@pytest.mark.parametrize("kind", [np.uint8, np.int16])
def test_fit_converts_small_integers_to_wide_ones(kind: Any, jit: bool) -> None:
    """Pixels and labels from arrays do not overflow."""

    class Centred(Linear):
        def forward(self, x: Any) -> Any:
            return super().forward([(v - 100) * 300 / 30000 for v in x])

    def loss(predictions: list[Any], targets: list[Any]) -> Any:
        found = [(p[0] - 300 * t / 30000) ** 2 for p, t in zip(predictions, targets, strict=True)]
        return sum(found) / len(found)

    found = []
    for made in (list, partial(np.array, dtype=kind)):
        model = Centred(2, 1, rng=0)
        pixels, labels = [*made([[0, 120], [7, 101], [90, 3]])], [*made([120, 101, 2])]
        fit(model, pixels, labels, loss=loss, optimizer=SGD(model.parameters(), lr=0.1), epochs=3,
            jit=jit, quiet=True)  # fmt: skip
        found.append(weights(model))
    assert found[0] == found[1]


# Schedulers and stopping -------------------------------------------------------------------------


@eager_and_compiled
def test_fit_records_the_learning_rate_of_each_epoch(jit: bool) -> None:
    """Also after a callback has set the rate: the steps along a gradient of 2 add up."""
    model = Linear(1, 1, rng=0)
    [_, start] = weights(model)
    optimizer = SGD(model.parameters(), lr=0.4)

    def halve(model: Module, history: History) -> None:
        optimizer.param_groups[0]["lr"] *= 0.5

    history = fit(model, [[0.0]], [2.0], loss=lambda p, y: p[0][0] * y[0], optimizer=optimizer,
                  scheduler=StepLR(optimizer, 100), epochs=3, callbacks=[halve], jit=jit,
                  quiet=True)  # fmt: skip
    assert history["learning_rate"] == [0.4, 0.2, 0.1]
    assert weights(model)[1] == pytest.approx(start - 2.0 * (0.4 + 0.2 + 0.1), rel=1e-12)


@pytest.mark.parametrize("held_out", [True, False])
def test_fit_steps_reduce_lr_on_plateau_with_the_held_out_loss(held_out: bool) -> None:
    """The rate is halved after each epoch without a lower held-out loss or, if none, loss."""
    model = linear()
    optimizer = SGD(model.parameters(), lr=0.4)
    losses = iter([3.0, 3.0, 2.0, 2.0, 1.0, 1.0])

    def loss(predictions: list[Any], targets: list[float]) -> Any:
        one = len(targets) == 1
        return mean_squares(predictions, targets) * 0.0 + (next(losses) if one is held_out else 5.0)

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


@eager_and_compiled
def test_fit_stops_at_gradient_tolerance(jit: bool) -> None:
    """The last row is the first whose norm is at or under the tolerance, as NumPy predicts."""
    history = run(batch_size=None, gradient_tolerance=0.01, epochs=1000, jit=jit)
    norms = gradient_descent(1000)[2]
    assert len(history) == next(i for i, norm in enumerate(norms, 1) if norm <= 0.01)
    assert "gradient" in history.stopped


@eager_and_compiled
def test_fit_patience_restores_the_best_weights(jit: bool) -> None:
    """After three epochs without a lower held-out loss, the model has the weights of the lowest."""
    model = linear()
    kept: list[list[float]] = []
    history = run(
        model,
        epochs=100,
        batch_size=None,
        patience=3,
        validation_data=([[1.0, 1.0]], [0.35]),
        callbacks=[lambda model, history: kept.append(weights(model))],
        jit=jit,
    )
    best = int(np.argmin(history["val_loss"]))
    assert history.best_epoch == best + 1
    assert len(history) == best + 1 + 3
    assert "held-out" in history.stopped
    assert weights(model) == kept[best] != kept[-1]


def test_fit_min_delta_is_the_smallest_improvement() -> None:
    """With a huge min_delta the first epoch stays the best; with none, the last of two."""
    data = (INPUTS, TARGETS)
    history = run(epochs=50, patience=2, min_delta=1e9, validation_data=data)
    assert (len(history), history.best_epoch) == (3, 1)
    assert run(epochs=2, patience=2, validation_data=data).best_epoch == 2


def test_fit_patience_prefers_any_loss_to_nan() -> None:
    """A held-out loss that was NaN before training, and at first, is improved by a number."""
    losses = iter([math.nan, math.nan, 5.0, 4.0])

    def loss(predictions: list[Any], targets: list[float]) -> Any:
        return mean_squares(predictions, targets) if len(targets) == 6 else Value(next(losses))

    history = run(loss=loss, epochs=3, patience=5, validation_data=([[1.0, 1.0]], [0.0]))
    assert history.best_epoch == 3


def test_fit_callback_receives_every_epoch_and_may_stop() -> None:
    """A callback gets the model and the growing history, and a true result ends training."""
    model = linear()
    seen: list[tuple[Module, int]] = []

    def callback(given: Module, history: History) -> bool:
        seen.append((given, len(history)))
        return len(history) == 4

    history = run(model, callbacks=[callback])
    assert seen == [(model, n) for n in (1, 2, 3, 4)]
    assert "callback" in history.stopped
