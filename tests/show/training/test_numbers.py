"""A training page computes the numbers of Python: outputs, losses, gradients, retraining."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from tests.show.training.helpers import LABELS, POINTS, network, numbers

from scalargrad import losses, watch
from scalargrad import sum as add_up
from scalargrad.losses import binary_cross_entropy_with_logits, cross_entropy, hinge_loss, mse_loss
from scalargrad.nn import ELU, MLP, Linear, LogSoftmax, Sequential, Softplus, Tanh
from scalargrad.optim import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop
from scalargrad.show.training import TrainingPage


class Case(NamedTuple):
    """A model, how it is trained, and on what."""

    model: Callable[[], Any]
    loss: Callable[..., Any]
    inputs: int
    target: Callable[[list[float]], Any]


CASES = {
    "margins": Case(lambda: MLP(2, [5, 4, 1], rng=1), hinge_loss, 2, lambda x: 2 * (x[0] > 0) - 1),
    "logits": Case(
        lambda: MLP(2, [4, 1], activation="tanh", rng=1),
        binary_cross_entropy_with_logits,
        2,
        lambda x: int(x[0] * x[1] > 0),
    ),
    "classes": Case(
        lambda: MLP(2, [4, 3], activation="gelu", rng=1),
        cross_entropy,
        2,
        lambda x: int(x[0] > 0) + int(x[1] > 0),
    ),
    "probabilities": Case(
        lambda: Sequential(Linear(3, 4, rng=1), ELU(0.7), Linear(4, 3, rng=2), LogSoftmax()),
        losses.nll_loss,
        3,
        lambda x: int(x[0] > 0) + int(x[2] > 0),
    ),
    "a curve": Case(
        lambda: Sequential(Linear(1, 5, rng=1), Softplus(2.0), Linear(5, 1, rng=2)),
        losses.huber_loss,
        1,
        lambda x: [x[0] ** 2],
    ),
}


def listed(output: Any) -> list[float]:
    """Return a model's output as numbers."""
    return [y.data for y in output] if isinstance(output, list) else [output.data]


@pytest.mark.parametrize("name", CASES)
def test_training_page_numbers_equal_those_of_python(name: str, open_page: Any) -> None:
    """To 1e-12: every output, the loss of each example, and the gradient of their mean.

    Once an example is selected, the gradient of its loss alone, and what each unit gives for it.
    """
    case = CASES[name]
    chance = random.Random(5)
    inputs = [[chance.gauss(0, 1) for _ in range(case.inputs)] for _ in range(20)]
    targets = [case.target(x) for x in inputs]
    model = case.model()
    optimizer = Adam(model.parameters(), lr=0.05)
    options: dict[str, Any] = {"optimizer": optimizer, "epochs": 10, "quiet": True}
    training = watch(model, inputs, targets, loss=case.loss, **options)
    page = open_page(training, "#step=10")
    shown = numbers(page)
    assert shown["parameters"] == list(training.snapshots[-1].parameters)

    answers = [model(x) for x in inputs]
    for found, answer in zip(shown["answers"], answers, strict=True):
        assert found == pytest.approx(listed(answer), rel=1e-12, abs=1e-14)
    each = [case.loss([a], [t]).data for a, t in zip(answers, targets, strict=True)]
    assert shown["losses"] == pytest.approx(each, rel=1e-12, abs=1e-14)
    assert sum(shown["losses"]) / 20 == pytest.approx(training.snapshots[-1].loss, rel=1e-12)

    model.zero_grad()
    case.loss(answers, targets).backward()
    expected = [p.grad for p in training.parameters]
    assert shown["gradients"] == pytest.approx(expected, rel=1e-11, abs=1e-14)

    page.locator("#example").select_option("7")
    model.zero_grad()
    case.loss([model(inputs[7])], [targets[7]]).backward()
    alone = numbers(page)
    expected = [p.grad for p in training.parameters]
    assert alone["gradients"] == pytest.approx(expected, rel=1e-11, abs=1e-14)
    units = alone["activations"]
    if isinstance(model, MLP):
        within = [inputs[7]]
        for layer in model.layers:
            within.append(listed(layer(within[-1])))
        assert units == pytest.approx([x for layer in within for x in layer], rel=1e-12)
        texts = page.locator("#units .number").all_text_contents()
        written = [float(text.replace("−", "-")) for text in texts]
        assert written == pytest.approx(units, rel=1e-3)


@pytest.mark.parametrize("name", ["sin", "exp", "softplus", "silu", "erf", "atan"])
def test_watch_shows_any_operation_as_activation(name: str, open_page: Any) -> None:
    """Its JavaScript is generated from its definition; these are smooth and defined everywhere."""
    inputs = [[0.3, -0.6], [-1.2, 0.4], [0.8, 1.1]]
    model = MLP(2, [2, 1], activation=name, rng=3)
    page = open_page(watch(model, inputs, [0.1, 0.2, 0.4], loss=mse_loss))
    expected = [model(x).data for x in inputs]
    found = [y for (y,) in numbers(page)["answers"]]
    assert found == pytest.approx(expected, rel=1e-12, abs=1e-14)


# Retraining ----------------------------------------------------------------------------------

EPOCHS = 12


def recorded(model: Any, loss: Any, inputs: Any, targets: Any, optimizer: Any) -> TrainingPage:
    """Record three epochs on batches of four, which the page does not repeat."""
    options: dict[str, Any] = {"optimizer": optimizer, "epochs": 3, "batch_size": 4, "quiet": True}
    return watch(model, inputs, targets, loss=loss, **options)


def pythons(model: Any, loss: Any, inputs: Any, targets: Any, optimizer: Any) -> TrainingPage:
    """Train in Python on all examples at once, a snapshot for each epoch."""
    options: dict[str, Any] = {"batch_size": None, "shuffle": False, "quiet": True}
    return watch(model, inputs, targets, loss=loss, optimizer=optimizer, epochs=EPOCHS, **options)


def in_page(page: Any, **settings: Any) -> dict[str, Any]:
    """Train in the page and return every snapshot."""
    asked = {"hidden": [3], "seed": None, "rate": 0.1, "epochs": EPOCHS, **settings}
    found: dict[str, Any] = page.evaluate("(asked) => scalargrad.trained(asked)", asked)
    return found


def agree(found: dict[str, Any], expected: TrainingPage) -> None:
    """Check losses and parameters of all snapshots, to 1e-12."""
    assert len(found["losses"]) == len(expected.snapshots) == EPOCHS + 1
    for loss, parameters, snapshot in zip(
        found["losses"], found["parameters"], expected.snapshots, strict=True
    ):
        assert loss == pytest.approx(snapshot.loss, rel=1e-12, abs=1e-15)
        assert parameters == pytest.approx(list(snapshot.parameters), rel=1e-12, abs=1e-14)
    assert found["losses"][-1] != found["losses"][0]


OPTIMIZERS: dict[str, Callable[[Any, float], Optimizer]] = {
    "descent": lambda p, lr: SGD(p, lr=lr),
    "momentum": lambda p, lr: SGD(p, lr=lr, momentum=0.9, nesterov=True, weight_decay=0.01),
    "Adam": lambda p, lr: Adam(p, lr=lr, amsgrad=True),
    "AdamW": lambda p, lr: AdamW(p, lr=lr),
    "RMSprop": lambda p, lr: RMSprop(p, lr=lr, momentum=0.5, centered=True),
    "Adagrad": lambda p, lr: Adagrad(p, lr=lr),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training_page_retrains_with_another_rate_like_python(name: str, open_page: Any) -> None:
    """From the same first weights, by the rule of the same optimizer, to 1e-12 in every epoch."""
    make = OPTIMIZERS[name]
    loss = binary_cross_entropy_with_logits
    model, again = network(), network()
    page = open_page(recorded(model, loss, POINTS, LABELS, make(model.parameters(), 0.5)))
    agree(
        in_page(page, rate=0.03),
        pythons(again, loss, POINTS, LABELS, make(again.parameters(), 0.03)),
    )


def from_there(found: dict[str, Any], model: Any) -> Any:
    """Return a model that begins with the weights that the page drew, which are in order of use."""
    parameters = model.parameters()
    for i, parameter in enumerate(parameters):
        parameter.data = i / 1000

    def loss(outputs: list[Any], _: Any) -> Any:
        rows = [row if isinstance(row, list) else [row] for row in outputs]
        return add_up([x for row in rows for x in row])

    still = SGD(parameters, lr=0.0)
    used = watch(model, POINTS[:1], [1], loss=loss, optimizer=still, epochs=1)
    for place, x in zip(used.snapshots[0].parameters, found["parameters"][0], strict=True):
        parameters[round(1000 * place)].data = x
    return model


@pytest.mark.parametrize("hidden", [1, 5, 16])
def test_training_page_retrains_other_sizes_like_python(hidden: int, open_page: Any) -> None:
    """From the first weights that the page drew."""
    model = network()
    loss = binary_cross_entropy_with_logits
    page = open_page(recorded(model, loss, POINTS, LABELS, Adam(model.parameters(), lr=0.1)))
    found = in_page(page, hidden=[hidden], seed=7)
    again = from_there(found, MLP(2, [hidden, 1], activation="tanh"))
    agree(found, pythons(again, loss, POINTS, LABELS, Adam(again.parameters(), lr=0.1)))


def test_training_page_seed_selects_the_first_weights(open_page: Any) -> None:
    """They are within ±1/√2 for two inputs, and the same for the same seed."""
    model = network()
    loss = binary_cross_entropy_with_logits
    page = open_page(recorded(model, loss, POINTS, LABELS, Adam(model.parameters(), lr=0.1)))
    first, again, other = (
        in_page(page, hidden=[16], seed=seed)["parameters"][0] for seed in (7, 7, 8)
    )
    assert again == first != other
    assert -(0.5**0.5) < min(first) < -0.6 < 0.6 < max(first) < 0.5**0.5


def test_training_page_retrains_sequential_like_python(open_page: Any) -> None:
    """With an activation of several operations, and LogSoftmax."""

    def made(sizes: list[int]) -> Sequential:
        first, second = sizes
        return Sequential(
            Linear(2, first),
            Softplus(2.0),
            Linear(first, second, bias=False),
            Tanh(),
            Linear(second, 3),
            LogSoftmax(),
        )

    targets = [i % 3 for i in range(12)]
    model = made([4, 3])
    page = open_page(
        recorded(model, cross_entropy, POINTS, targets, SGD(model.parameters(), lr=0.1))
    )
    found = in_page(page, hidden=[6, 2], seed=11, rate=0.3)
    again = from_there(found, made([6, 2]))
    assert max(map(abs, found["parameters"][0])) < 1 / math.sqrt(2)
    agree(found, pythons(again, cross_entropy, POINTS, targets, SGD(again.parameters(), lr=0.3)))


def test_training_page_stops_where_python_raises(open_page: Any) -> None:
    """The page reports it, and keeps the earlier snapshots."""
    inputs, targets = [[1.0], [2.0]], [1.0, 3.0]
    model, again = MLP(1, [1], rng=0), MLP(1, [1], rng=0)
    page = open_page(watch(model, inputs, targets, loss=mse_loss))
    optimizer = SGD(again.parameters(), lr=1e60)
    expected = pythons(again, mse_loss, inputs, targets, optimizer)
    found = in_page(page, hidden=[], rate=1e60)
    assert len(found["losses"]) == len(expected.snapshots) < EPOCHS
    assert "learning rate" in found["stopped"]
