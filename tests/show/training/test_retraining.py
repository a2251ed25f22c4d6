"""Training anew in the page: the numbers of Python's own run, and what can be changed."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from scalargrad import data, watch
from scalargrad.losses import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    hinge_loss,
    mse_loss,
)
from scalargrad.nn import MLP, Linear, LogSoftmax, Sequential, Softplus, Tanh
from scalargrad.optim import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop
from scalargrad.show.training import TrainingPage
from scalargrad.show.training.model_record import record_model
from scalargrad.show.training.network import find_cells
from scalargrad.show.training.retraining import is_stack
from scalargrad.train import fit
from scalargrad.value import Parameter

from .helpers import LABELS, POINTS, network

EPOCHS = 12


def watched(model: Any, loss: Any, inputs: Any, targets: Any, optimizer: Any) -> TrainingPage:
    """Record three epochs on batches of four, which a page does not repeat but begins with."""
    return watch(
        model,
        inputs,
        targets,
        loss=loss,
        optimizer=optimizer,
        epochs=3,
        batch_size=4,
        quiet=True,
    )


def pythons(model: Any, loss: Any, inputs: Any, targets: Any, optimizer: Any) -> TrainingPage:
    """Train in Python on all examples at once, a snapshot for each epoch."""
    page = watch(model, inputs, targets, loss=loss)
    options: dict[str, Any] = {"batch_size": None, "shuffle": False, "quiet": True}
    fit(
        model,
        inputs,
        targets,
        loss=loss,
        optimizer=optimizer,
        epochs=EPOCHS,
        callbacks=[page],
        **options,
    )
    return page


def in_page(page: Any, **settings: Any) -> dict[str, Any]:
    """Train in the page and return every snapshot."""
    asked = {"hidden": [3], "seed": None, "rate": 0.1, "epochs": EPOCHS, **settings}
    found: dict[str, Any] = page.evaluate("(asked) => scalargrad.trained(asked)", asked)
    return found


def agree(found: dict[str, Any], expected: TrainingPage, order: list[int] | None = None) -> None:
    """Check losses and parameters of all snapshots, to 1e-12."""
    assert len(found["losses"]) == len(expected.snapshots) == EPOCHS + 1
    for loss, parameters, snapshot in zip(
        found["losses"], found["parameters"], expected.snapshots, strict=True
    ):
        numbers = list(snapshot.parameters)
        if order is not None:
            numbers = [numbers[i] for i in order]
        assert loss == pytest.approx(snapshot.loss, rel=1e-12, abs=1e-15)
        assert parameters == pytest.approx(numbers, rel=1e-12, abs=1e-14)
    assert found["losses"][-1] != found["losses"][0]


OPTIMIZERS: dict[str, Callable[[Any, float], Optimizer]] = {
    "descent": lambda p, lr: SGD(p, lr=lr),
    "momentum": lambda p, lr: SGD(p, lr=lr, momentum=0.9, nesterov=True, weight_decay=0.01),
    "dampened": lambda p, lr: SGD(p, lr=lr, momentum=0.5, dampening=0.3),
    "Adam": lambda p, lr: Adam(p, lr=lr, amsgrad=True),
    "AdamW": lambda p, lr: AdamW(p, lr=lr),
    "RMSprop": lambda p, lr: RMSprop(p, lr=lr, momentum=0.5, centered=True),
    "Adagrad": lambda p, lr: Adagrad(p, lr=lr),
}


def test_training_anew_is_offered_for_as_many_epochs_as_were_recorded(open_page: Any) -> None:
    """The number beneath the network is that of the recording, as the line below it says."""
    model = network()
    page = open_page(
        watched(
            model, binary_cross_entropy_with_logits, POINTS, LABELS, SGD(model.parameters(), lr=0.5)
        )
    )
    assert page.locator("#epochs").input_value() == "3"


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_another_learning_rate_gives_pythons_numbers(name: str, open_page: Any) -> None:
    """From the same first weights, by the rule of the same optimiser, to 1e-12 in every epoch."""
    make = OPTIMIZERS[name]
    loss = binary_cross_entropy_with_logits
    model = network()
    page = open_page(watched(model, loss, POINTS, LABELS, make(model.parameters(), 0.5)))
    again = network()
    expected = pythons(again, loss, POINTS, LABELS, make(again.parameters(), 0.03))
    agree(in_page(page, rate=0.03), expected)


@pytest.mark.parametrize("hidden", [[1], [5], [16]])
def test_another_size_gives_pythons_numbers(hidden: list[int], open_page: Any) -> None:
    """With the first weights that MLP draws from random.Random(seed)."""
    model = network()
    loss = binary_cross_entropy_with_logits
    page = open_page(watched(model, loss, POINTS, LABELS, Adam(model.parameters(), lr=0.1)))
    again = MLP(2, [*hidden, 1], activation="tanh", rng=random.Random(7))
    expected = pythons(again, loss, POINTS, LABELS, Adam(again.parameters(), lr=0.1))
    agree(in_page(page, hidden=hidden, seed=7), expected)


def test_two_moons_of_two_layers_give_pythons_numbers(open_page: Any) -> None:
    """The demo's network and loss, with a hidden layer of nine and one of four."""
    points = data.moons(100, 0.1, seed=1337)
    labels = [2 * y - 1 for y in points.targets]
    model = MLP(2, [16, 16, 1], rng=1337)
    page = open_page(
        watched(model, hinge_loss, points.inputs, labels, SGD(model.parameters(), lr=1.0))
    )
    again = MLP(2, [9, 4, 1], rng=3)
    optimizer = SGD(again.parameters(), lr=0.2)
    expected = pythons(again, hinge_loss, points.inputs, labels, optimizer)
    agree(in_page(page, hidden=[9, 4], seed=3, rate=0.2), expected)
    again = MLP(2, [16, 16, 1], rng=1337)
    expected = pythons(again, hinge_loss, points.inputs, labels, SGD(again.parameters(), lr=0.2))
    agree(in_page(page, hidden=[16, 16], rate=0.2), expected)


def test_linear_layers_and_what_follows_them_give_pythons_numbers(open_page: Any) -> None:
    """Weights as PyTorch's Linear draws them, an activation of several operations, LogSoftmax."""

    def made(sizes: list[int], rng: random.Random) -> Sequential:
        first, second = sizes
        return Sequential(
            Linear(2, first, rng=rng),
            Softplus(2.0),
            Linear(first, second, bias=False, rng=rng),
            Tanh(),
            Linear(second, 3, rng=rng),
            LogSoftmax(),
        )

    targets = [i % 3 for i in range(12)]
    model = made([4, 3], random.Random(0))
    page = open_page(
        watched(model, cross_entropy, POINTS, targets, SGD(model.parameters(), lr=0.1))
    )
    again = made([6, 2], random.Random(11))
    expected = pythons(again, cross_entropy, POINTS, targets, SGD(again.parameters(), lr=0.3))
    found = in_page(page, hidden=[6, 2], seed=11, rate=0.3)
    # The page has each unit's bias after its weights, in the order in which they are used.
    agree(found, expected)


def test_regression_has_a_lane_for_each_target(open_page: Any) -> None:
    """Losses that differ in the target only are run as one program."""
    inputs = [[i / 5 - 1] for i in range(11)]
    targets = [[x**2] for (x,) in inputs]
    model = MLP(1, [4, 1], "tanh", rng=0)
    page = open_page(watched(model, mse_loss, inputs, targets, SGD(model.parameters(), lr=0.1)))
    again = MLP(1, [6, 1], "tanh", rng=2)
    expected = pythons(again, mse_loss, inputs, targets, SGD(again.parameters(), lr=0.2))
    agree(in_page(page, hidden=[6], seed=2, rate=0.2), expected)


def test_first_weights_are_pythons_own_draws(open_page: Any) -> None:
    """The Mersenne Twister, beyond its first 624 words, also of seeds of many bits."""
    model = MLP(2, [16, 16, 1], rng=0)
    page = open_page(
        watch(model, POINTS, LABELS, loss=mse_loss, optimizer=SGD(model.parameters(), lr=0.1))
    )
    for seed in (0, 1, 1337, 2**32 - 1):
        found = in_page(page, hidden=[16, 16], seed=seed, epochs=1)["parameters"][0]
        expected = MLP(2, [16, 16, 1], rng=seed)
        assert found == [p.data for p in expected.parameters()]


def test_training_that_runs_away_ends_where_python_raises(open_page: Any) -> None:
    """The page says so, and keeps the snapshots before."""
    inputs, targets = [[1.0], [2.0]], [1.0, 3.0]
    model = MLP(1, [1], rng=0)
    page = open_page(watch(model, inputs, targets, loss=mse_loss))
    again = MLP(1, [1], rng=0)
    expected = watch(
        again,
        inputs,
        targets,
        loss=mse_loss,
        optimizer=SGD(again.parameters(), lr=1e60),
        epochs=20,
        batch_size=None,
        quiet=True,
    )
    found = in_page(page, hidden=[], rate=1e60, epochs=20)
    assert len(found["losses"]) == len(expected.snapshots)
    assert "Lower the learning rate" in found["stopped"]


def field(page: Any, id: str, value: str) -> None:
    """Write into a control and leave it, as one does."""
    page.locator(f"#{id}").fill(value)
    page.locator(f"#{id}").dispatch_event("change")


def test_changing_a_number_trains_anew_and_back(open_page: Any) -> None:
    """Pictures, curve, counter and words follow; the recording is a click away."""
    model = network()
    loss = binary_cross_entropy_with_logits
    recording = watched(model, loss, POINTS, LABELS, SGD(model.parameters(), lr=0.5))
    page = open_page(recording)
    assert page.locator("#settings-note").text_content().startswith("As recorded in Python")
    field(page, "epochs", "20")
    page.locator("#counter", has_text="epoch 20/20").wait_for()
    field(page, "hidden-0", "7")
    page.locator("#counter", has_text="epoch 20/20").wait_for()
    assert page.locator("#cells .cell").count() == 2 + 7 + 1
    assert page.locator("#lines path:not(#halo)").count() == 2 * 7 + 7
    note = page.locator("#settings-note").text_content()
    assert "2, 7, 1 units, 29 parameters" in note
    assert "SGD on all 12 examples at once" in note
    page.keyboard.press("Escape")
    page.locator("#cell-8").dispatch_event("click")
    assert page.locator("#unit h2").text_content() == "Unit a₆ of layer 1, epoch 20"
    page.keyboard.press("Escape")
    page.locator("#recording").click()
    assert page.locator("#counter").text_content() == "epoch 3/3"
    assert page.locator("#hidden-0").input_value() == "3"
    assert page.evaluate("scalargrad.numbers().parameters") == list(
        recording.snapshots[-1].parameters
    )


def test_settings_are_not_said_to_be_those_of_a_loop_that_the_page_does_not_know(
    open_page: Any,
) -> None:
    """In a loop of one's own at a rate of 1, the 0.1 beneath the network is no recording's."""
    model = network()
    training = watch(model, POINTS, LABELS, loss=mse_loss)
    mse_loss([model(point) for point in POINTS], LABELS).backward()
    for parameter in model.parameters():
        parameter.data -= 1.0 * parameter.grad
    training.record()
    page = open_page(training)
    assert page.locator("#rate").input_value() == "0.1"
    note = page.locator("#settings-note")
    assert note.text_content().startswith("The recording was trained by a program of your own")
    page.locator("#train").click()
    page.locator("#counter", has_text="epoch 1/1").wait_for()
    assert note.text_content().startswith("Trained in this page")


def test_numbers_changed_one_after_another_all_count(open_page: Any) -> None:
    """Train stays where it is while the page shows a training of its own."""
    model = network()
    page = open_page(
        watched(model, mse_loss, POINTS, LABELS, SGD(model.parameters(), lr=0.5)), "#step=2"
    )
    assert page.locator("#recording").is_hidden()
    page.locator("#rate").fill("0.25")
    page.locator("#epochs").click()
    page.locator("#counter", has_text="epoch 3/3").wait_for()
    page.locator("#epochs").fill("9")
    page.get_by_role("button", name="Train", exact=True).click()
    page.locator("#counter", has_text="epoch 9/9").wait_for()
    assert "learning rate 0.25" in page.locator("#curve-key").text_content()
    assert page.locator("#recording").is_visible()


class Named:
    """A training page that someone gave a heading."""

    def __init__(self, page: TrainingPage) -> None:
        self.page = page

    def save(self, path: Path) -> Path:
        """Write it under that heading."""
        return self.page.save(path, title="Two moons")


def test_the_heading_names_the_network_that_is_shown(open_page: Any) -> None:
    """With the sizes it has now; a heading that someone gave stays."""
    model = network()
    training = watched(model, mse_loss, POINTS, LABELS, SGD(model.parameters(), lr=0.5))
    page = open_page(training)
    field(page, "hidden-0", "7")
    page.locator("#counter", has_text="epoch 3/3").wait_for()
    heading = "Training a network of 2, 7 and 1 units"
    assert page.locator("h1").text_content() == page.title() == heading
    page.locator("#recording").click()
    assert page.locator("h1").text_content() == "Training a network of 2, 3 and 1 units"
    page = open_page(Named(training))
    field(page, "hidden-0", "7")
    assert page.locator("h1").text_content() == page.title() == "Two moons"


@pytest.mark.parametrize(
    ("id", "bad"), [("hidden-0", "0"), ("hidden-0", "17"), ("rate", "-1"), ("epochs", "1.5")]
)
def test_what_cannot_be_trained_is_marked(id: str, bad: str, open_page: Any) -> None:
    """The control says so, and what is shown stays."""
    model = network()
    page = open_page(
        watched(model, mse_loss, POINTS, LABELS, SGD(model.parameters(), lr=0.5)), "#step=2"
    )
    field(page, id, bad)
    assert page.locator(f"#{id}").get_attribute("aria-invalid") == "true"
    assert "cannot be trained" in page.locator("#settings-note").text_content()
    assert page.locator("#counter").text_content() == "epoch 2/3"


class Waiting(Optimizer):
    """An optimiser that decides by the number of the step."""

    def rule(self, group: Any) -> Any:
        """Return descent, from the tenth step on."""
        rate = group["lr"] if group["step"] > 9 else 0.0
        return lambda parameter, grad: (parameter - rate * grad,)


class Foreign:
    """No optimiser of ours."""

    param_groups = ({"lr": 0.1},)


def test_rules_that_a_page_cannot_repeat_are_not_offered(open_page: Any) -> None:
    """Groups with rates of their own, decisions by the step, other packages' optimisers."""
    model = network()
    w = model.parameters()
    refused: list[Any] = [
        SGD([{"params": w[:3], "lr": 1.0}, {"params": w[3:]}], lr=0.1),
        Waiting(w, {"lr": 0.1}),
        Foreign(),
    ]
    for optimizer in refused:
        page = watch(model, POINTS, LABELS, loss=mse_loss, optimizer=optimizer)
        assert open_page(page).locator("#settings").is_hidden()
    page = watch(model, POINTS, LABELS, loss=mse_loss)
    assert open_page(page).locator("#settings").is_visible()


def stacked(model: Any) -> bool:
    """Return whether hidden layers of a model may have other sizes."""
    program = record_model(model, [0.1, 0.2]).program
    return is_stack(program, find_cells(program, 2))


def test_only_plain_stacks_change_their_sizes() -> None:
    """Not layers that are skipped, weights that are shared, or units that differ."""
    hidden, last, wide = Linear(2, 2, rng=0), Linear(2, 1, rng=1), Linear(4, 1, rng=2)
    square = Linear(2, 2, rng=3)
    assert stacked(MLP(2, [3, 2, 1], rng=0))
    assert stacked(lambda x: last(Tanh()(hidden(x))))
    assert not stacked(Linear(2, 1, rng=0))
    assert not stacked(lambda x: wide([*Tanh()(hidden(x)), *x]))
    assert not stacked(lambda x: last(Tanh()(square(Tanh()(square(x))))))
    assert not stacked(lambda x: last([h if i else h.tanh() for i, h in enumerate(hidden(x))]))
    scale = Parameter(2.0)
    assert not stacked(lambda x: last([h * scale for h in hidden(x)]))
