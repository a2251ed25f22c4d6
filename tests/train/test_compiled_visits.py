"""What others see and change between steps taken as programs, and errors in them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Self

import pytest

from scalargrad import Parameter, exp, log, mean, where
from scalargrad.errors import DomainError, NumericalError
from scalargrad.losses import (
    mse_loss,
)
from scalargrad.nn import Linear, Module, Sequential, Tanh
from scalargrad.optim import SGD, Adam, Optimizer
from scalargrad.optim.lr_scheduler import ChainedScheduler, LambdaLR, StepLR
from scalargrad.train import History, fit

from .alike import HEIGHTS, POINTS, Made, assert_alike, network, trained


def test_a_callback_sees_and_writes_parameters_state_and_rates(steps: list[int]) -> None:
    """Numbers are in their objects when user code runs, and what it writes is trained on."""
    seen: dict[bool, list[Any]] = {}

    def run(jit: bool) -> Made:
        kept: list[Any] = []
        seen[jit] = kept
        optimizers: list[Optimizer] = []

        def optimizer(parameters: list[Any]) -> Optimizer:
            optimizers.append(Adam(parameters, lr=0.05))
            return optimizers[0]

        def visit(model: Module, history: History) -> None:
            first, *_, last = model.parameters()
            kept.append([first.data, last.data, last.grad, *optimizers[0].state[first]])
            first.data += 0.5
            optimizers[0].param_groups[0]["lr"] *= 0.9
            optimizers[0].state[first] = (0.0, 0.0, 0.0)

        return trained(jit, optimizer=optimizer, callbacks=[visit])

    assert_alike(run(True), run(False))
    assert len(steps) == 24
    for row, expected in zip(seen[True], seen[False], strict=True):
        assert row == pytest.approx(expected, rel=1e-10, abs=1e-12)


def test_a_loss_on_held_out_examples_sees_the_parameters(steps: list[int]) -> None:
    """A penalty that a user's loss adds itself is that of the weights after the epoch."""

    def run(jit: bool) -> Made:
        models: list[Module] = []

        def make() -> Module:
            models.append(network())
            return models[0]

        def loss(predictions: list[Any], targets: list[Any]) -> Any:
            penalty = sum(p * p for p in models[0].parameters())
            return mse_loss(predictions, targets) + 0.01 * penalty

        return trained(jit, make, loss=loss, validation_split=0.2)

    assert_alike(run(True), run(False))
    assert len(steps) == 18


class Averaging(Module):
    """A line that predicts with the mean of its weights over the epochs, once trained."""

    def __init__(self) -> None:
        self.line = Linear(2, 1, rng=1)
        self.epochs: list[list[float]] = []

    def train(self, mode: bool = True) -> Self:
        """Take the weights of the last epoch, or the mean of all."""
        numbers = [p.data for p in self.line.parameters()]
        if mode and self.epochs:
            numbers = self.epochs[-1]
        elif not mode and self.training:
            self.epochs.append(numbers)
            numbers = [math.fsum(x) / len(x) for x in zip(*self.epochs, strict=True)]
        for p, x in zip(self.line.parameters(), numbers, strict=True):
            p.data = x
        return super().train(mode)

    def forward(self, x: Any) -> Any:
        """Compute."""
        return self.line(x)


def test_a_model_sees_and_writes_its_parameters_before_it_predicts(steps: list[int]) -> None:
    """One that swaps averaged weights in for evaluation averages those of the steps."""
    found, expected = (trained(jit, Averaging, validation_split=0.2) for jit in (True, False))
    assert_alike(found, expected)
    assert len(steps) == 18


class Turning(Module):
    """A line whose two factors change places at each epoch."""

    def __init__(self) -> None:
        self.line = Linear(2, 1, rng=1)
        self.factor, self.other = Parameter(0.5), Parameter(2.0)

    def train(self, mode: bool = True) -> Self:
        """Exchange the factors."""
        if mode:
            self.factor, self.other = self.other, self.factor
        return super().train(mode)

    def forward(self, x: Any) -> Any:
        """Compute."""
        return [self.factor * y + self.other for y in self.line(x)]


class Shrinking(Module):
    """A factor that is shrunk whenever its mode is set."""

    def __init__(self) -> None:
        self.factor = Parameter(1.0)

    @property
    def training(self) -> bool:
        """Whether it trains."""
        return True

    @training.setter
    def training(self, mode: bool) -> None:
        del mode
        self.factor.data *= 0.9

    def forward(self, xs: Any) -> Any:
        """Compute."""
        return [self.factor * x for x in xs]


@pytest.mark.parametrize(
    "make",
    [
        Turning,
        lambda: Sequential(Linear(2, 1, rng=1), Shrinking()),
        lambda: Sequential(Linear(2, 2, rng=3), Averaging()),
    ],
    ids=["places", "a property inside", "weights inside"],
)
def test_what_switching_the_mode_changes_is_seen(
    make: Callable[[], Module], steps: list[int]
) -> None:
    """The places of parameters, and what a module inside does when it is switched."""
    found, expected = (trained(jit, make, validation_split=0.2) for jit in (True, False))
    assert_alike(found, expected)
    assert len(steps) == 18


class Weighing(Module):
    """Measures predictions by a number of a model's."""

    def __init__(self, model: Module) -> None:
        self.model = [model]

    def forward(self, predictions: Any, targets: Any) -> Any:
        """Add the square of a weight."""
        return mse_loss(predictions, targets) + self.model[0].parameters()[0] ** 2


@pytest.mark.parametrize("role", ["loss", "metric"])
def test_a_method_that_a_users_class_inherits_sees_the_parameters(role: str) -> None:
    """The call of a module is scalargrad's own function, and runs the forward of a user's."""

    def run(jit: bool) -> Made:
        model = network()
        call = Weighing(model).__call__
        chosen = {"loss": call} if role == "loss" else {"metrics": {"weighed": call}}
        return trained(jit, lambda: model, validation_split=0.2, **chosen)

    assert_alike(run(True), run(False))


@pytest.mark.parametrize("inner", [False, True])
def test_a_function_of_a_schedule_sees_and_writes_parameters(inner: bool, steps: list[int]) -> None:
    """The function of a LambdaLR is the user's, also where the schedule is part of another."""

    def run(jit: bool) -> Made:
        models: list[Module] = []

        def make() -> Module:
            models.append(network())
            return models[0]

        def rate(epoch: int) -> float:
            first, *_, last = models[0].parameters()
            last.data += 0.1 * epoch
            return float(1.0 / (1.0 + abs(first.data)))

        def schedule(optimizer: Any) -> Any:
            made = LambdaLR(optimizer, rate)
            return ChainedScheduler([made]) if inner else made

        return trained(jit, make, schedule=schedule)

    assert_alike(run(True), run(False))
    assert len(steps) == 24


def test_a_step_put_around_that_of_a_schedule_sees_parameters(steps: list[int]) -> None:
    """A function of the user's in the place of the method, which sets the rate by a weight."""

    def schedule(optimizer: Any) -> Any:
        made = StepLR(optimizer, 1)
        inner = made.step

        def step() -> None:
            inner()
            (group,) = optimizer.param_groups
            group["lr"] = 0.1 / (1.0 + abs(group["params"][0].data))

        vars(made)["step"] = step
        return made

    assert_alike(trained(True, schedule=schedule), trained(False, schedule=schedule))
    assert len(steps) == 24


class Scaled(Module):
    """A line with a factor that is a plain number."""

    def __init__(self, layer: Module | None = None) -> None:
        self.scale = 1.0
        self.layer = layer or network()

    def forward(self, x: Any) -> Any:
        """Compute."""
        return [self.scale * y for y in self.layer(x)]


FACTOR = {"of the loss": 1.0}


def scaled_loss(predictions: list[Any], targets: list[Any]) -> Any:
    """Read a global."""
    return FACTOR["of the loss"] * mse_loss(predictions, targets)


def _change_attribute(model: Any) -> None:
    model.scale *= 0.5


def _change_global(model: Any) -> None:
    FACTOR["of the loss"] *= 0.5


def _freeze_nothing(model: Any) -> None:
    model.layer = Sequential(*model.layer.children(), Tanh())


@pytest.mark.parametrize("change", [_change_attribute, _change_global, _freeze_nothing])
def test_what_a_callback_changes_is_recorded_anew(
    change: Callable[[Any], None], steps: list[int]
) -> None:
    """Numbers frozen in a program are noticed when an attribute, a global or a layer changes."""

    def run(jit: bool) -> Made:
        FACTOR["of the loss"] = 1.0

        def visit(model: Module, history: History) -> None:
            if len(history) in {2, 4}:
                change(model)

        return trained(jit, Scaled, loss=scaled_loss, callbacks=[visit], validation_split=0.2)

    assert_alike(run(True), run(False))
    assert len(steps) == 18


@pytest.mark.parametrize("jit", [True, None])
@pytest.mark.parametrize("held_out", [False, True])
@pytest.mark.usefixtures("early")
def test_an_example_that_a_callback_changes_is_trained_on(
    jit: bool | None, held_out: bool, steps: list[int]
) -> None:
    """Examples augmented or corrected in place count as they are, those held out too."""

    def run(jit: bool | None) -> Made:
        inputs, targets = [[*x] for x in POINTS], [[*y] for y in HEIGHTS]
        tried = [[*x] for x in POINTS[:3]], HEIGHTS[:3]

        def change(model: Module, history: History) -> None:
            if len(history) in {4, 6}:
                inputs[2][0] = -inputs[2][0]
                targets[5][0] += 1.0
            if len(history) == 5:
                tried[0][1][0] += 0.5

        model = network()
        optimizer = SGD(model.parameters(), lr=0.1)
        history = fit(model, inputs, targets, loss=mse_loss, optimizer=optimizer, epochs=8,
                      validation_data=tried if held_out else None, callbacks=[change],
                      batch_size=4, jit=jit, quiet=True)  # fmt: skip
        parameters = model.parameters()
        return history, [p.data for p in parameters], {}, [p.grad for p in parameters]

    assert_alike(run(jit), run(False))
    assert len(steps) == (32 if jit else 24)


class Paired(Module):
    """A network whose output is scaled and shifted by two of four places for two parameters."""

    def __init__(self) -> None:
        self.layer = network()
        pair = [Parameter(0.5), Parameter(0.7)]
        self.places = [*pair, *pair]

    def forward(self, x: Any) -> Any:
        """Compute."""
        return [self.places[2] * y + self.places[3] for y in self.layer(x)]


def _swap(model: Any) -> None:
    model.places[2:] = model.places[:1:-1]


def _put_a_number(model: Any) -> None:
    model.places[2] = 0.3


def _drop_a_bias(model: Any) -> None:
    next(x for x in model.modules() if isinstance(x, Linear)).bias = None


@pytest.mark.parametrize("change", [_swap, _put_a_number, _drop_a_bias])
def test_a_parameter_that_a_callback_puts_elsewhere_is_read_there(
    change: Callable[[Any], None], steps: list[int]
) -> None:
    """Also where the optimiser and the model still have the same parameters."""

    def run(jit: bool) -> Made:
        def visit(model: Module, history: History) -> None:
            if len(history) in {2, 4}:
                change(model)

        return trained(jit, Paired, callbacks=[visit], validation_split=0.2)

    assert_alike(run(True), run(False))
    assert len(steps) == 18


def test_an_option_that_becomes_zero_is_another_program(steps: list[int]) -> None:
    """Momentum and weight decay are switched off and on again by a callback."""

    def run(jit: bool) -> Made:
        made: list[Optimizer] = []

        def optimizer(parameters: list[Any]) -> Optimizer:
            made.append(SGD(parameters, lr=0.1, momentum=0.5, weight_decay=0.1))
            return made[0]

        def switch(model: Module, history: History) -> None:
            off = len(history) in {2, 3}
            made[0].param_groups[0].update(momentum=0.0 if off else 0.5, weight_decay=0.1 * off)

        return trained(jit, optimizer=optimizer, callbacks=[switch])

    assert_alike(run(True), run(False))
    assert len(steps) == 24


def test_a_metric_that_changes_the_model_is_seen_by_the_evaluation(steps: list[int]) -> None:
    """Between steps and evaluation of one epoch, too, what is recorded may become outdated."""

    def run(jit: bool) -> Made:
        made: list[Scaled] = []
        calls: list[int] = []

        def make() -> Module:
            made.append(Scaled())
            return made[0]

        def halve(predictions: list[Any], targets: list[Any]) -> float:
            calls.append(len(targets))
            if len(calls) == 5:  # after the steps of epoch 3, before its evaluation
                made[0].scale *= 0.5
            return float(mse_loss(predictions, targets))

        return trained(jit, make, metrics=[halve], validation_split=0.3)

    assert_alike(run(True), run(False))
    assert steps


def test_a_group_added_on_the_way_is_trained(steps: list[int]) -> None:
    """A layer thawed by a callback moves from then on; before, its gradients add up."""

    def run(jit: bool) -> Made:
        made: list[Optimizer] = []

        def optimizer(parameters: list[Any]) -> Optimizer:
            made.append(SGD(parameters[:-6], lr=0.1, momentum=0.5))
            return made[0]

        def thaw(model: Module, history: History) -> None:
            if len(history) == 3:
                made[0].add_param_group({"params": model.parameters()[-6:], "lr": 0.01})

        return trained(jit, optimizer=optimizer, callbacks=[thaw])

    assert_alike(run(True), run(False))
    assert len(steps) == 24


# Errors -----------------------------------------------------------------------------------------


def failing(jit: bool, error: type[Exception], **options: Any) -> tuple[str, list[Any], Any]:
    """Train until an error is raised; return its message, and what it left behind."""
    model = Sequential(Linear(2, 1, rng=1))
    parameters = model.parameters()
    optimizer = SGD(model.named_parameters(), lr=options.pop("lr", 0.1), momentum=0.5)
    with pytest.raises(error) as raised:
        fit(model, POINTS, HEIGHTS, optimizer=optimizer, jit=jit, quiet=True, shuffle=False,
            **{"loss": mse_loss, "epochs": 400, "batch_size": 7, **options})  # fmt: skip
    state = optimizer.state_dict()
    return str(raised.value), [p.data for p in parameters], state["param_groups"][0]["step"]


def _steep(predictions: list[Any], targets: list[Any]) -> Any:
    """Overflow as soon as predictions are large."""
    return mean([exp(p[0] ** 2) for p in predictions])


def _logarithm(predictions: list[Any], targets: list[Any]) -> Any:
    """Leave its domain as soon as a prediction is negative."""
    return mean([log(p[0] + 1.0) for p in predictions])


@pytest.mark.parametrize(
    ("error", "options"),
    [
        (NumericalError, {"lr": 10.0}),
        (NumericalError, {"loss": _steep, "lr": 2.0}),
        (DomainError, {"loss": _logarithm}),
    ],
    ids=["new value", "loss", "domain"],
)
def test_an_error_is_the_one_that_eager_steps_raise(
    error: type[Exception], options: dict[str, Any], steps: list[int]
) -> None:
    """The step is taken again eagerly: same message, parameters and count of steps as before it."""
    message, data, count = failing(True, error, **options)
    expected = failing(False, error, **options)
    assert count == expected[2] == len(steps)
    assert message.split(" = ")[0] == expected[0].split(" = ")[0]
    assert data == pytest.approx(expected[1], rel=1e-6)


def test_a_number_that_is_not_finite_but_harmless_does_no_harm(steps: list[int]) -> None:
    """A prediction of inf that the loss does not use is eager evaluation's business."""

    class Both(Linear):
        def forward(self, x: Any) -> Any:
            y = super().forward(x)[0]
            return [y, where(y > 1e9, y, math.inf)]

    def first(predictions: list[Any], targets: list[Any]) -> Any:
        return mse_loss([p[0] for p in predictions], [t[0] for t in targets])

    def spread(predictions: list[Any], targets: list[Any]) -> float:
        return float(sum(p[1] == math.inf for p in predictions))

    options: dict[str, Any] = {"make": lambda: Both(2, 1, rng=0), "loss": first,
                               "metrics": [spread]}  # fmt: skip
    assert_alike(trained(True, **options), trained(False, **options))
    assert steps == []
