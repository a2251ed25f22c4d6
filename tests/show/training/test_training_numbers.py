"""What the page computes, held against Python: the same outputs, losses and gradients."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from scalargrad import ops, watch
from scalargrad.losses import (
    binary_cross_entropy_with_logits,
    cross_entropy,
    hinge_loss,
    huber_loss,
    mse_loss,
    nll_loss,
)
from scalargrad.nn import ELU, MLP, Linear, LogSoftmax, Sequential, Softplus
from scalargrad.optim import Adam
from scalargrad.show.training import TrainingPage
from scalargrad.table import operation


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
        nll_loss,
        3,
        lambda x: int(x[0] > 0) + int(x[2] > 0),
    ),
    "a curve": Case(
        lambda: Sequential(Linear(1, 5, rng=1), Softplus(2.0), Linear(5, 1, rng=2)),
        huber_loss,
        1,
        lambda x: [x[0] ** 2],
    ),
    "two numbers": Case(
        lambda: Sequential(Linear(2, 3, rng=1), Linear(3, 2, rng=2)),
        mse_loss,
        2,
        lambda x: [x[0] + 0.5, x[1] - 2.0],
    ),
}


def trained(case: Case) -> tuple[TrainingPage, Any, list[list[float]], list[Any]]:
    """Watch ten epochs on twenty random points."""
    chance = random.Random(5)
    inputs = [[chance.gauss(0, 1) for _ in range(case.inputs)] for _ in range(20)]
    targets = [case.target(x) for x in inputs]
    model = case.model()
    optimizer = Adam(model.parameters(), lr=0.05)
    training = watch(
        model, inputs, targets, loss=case.loss, optimizer=optimizer, epochs=10, quiet=True
    )
    return training, model, inputs, targets


def listed(output: Any) -> list[float]:
    """Return a model's output as numbers."""
    return [y.data for y in output] if isinstance(output, list) else [output.data]


@pytest.mark.parametrize("name", CASES)
def test_the_page_computes_what_python_computes(name: str, open_page: Any) -> None:
    """To 1e-12: every output, the loss of each example, and the gradient of their mean."""
    case = CASES[name]
    training, model, inputs, targets = trained(case)
    page = open_page(training, "#step=10")
    shown = page.evaluate("scalargrad.numbers()")
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


@pytest.mark.parametrize("name", CASES)
def test_a_selected_example_has_its_own_gradient(name: str, open_page: Any) -> None:
    """That of its loss alone."""
    case = CASES[name]
    training, model, inputs, targets = trained(case)
    page = open_page(training, "#step=10&example=7")
    model.zero_grad()
    case.loss([model(inputs[7])], [targets[7]]).backward()
    expected = [p.grad for p in training.parameters]
    found = page.evaluate("scalargrad.numbers().gradients")
    assert found == pytest.approx(expected, rel=1e-11, abs=1e-14)


def test_every_unit_shows_its_activation(open_page: Any) -> None:
    """For the selected example, at any snapshot: here layer by layer, before training."""
    case = CASES["margins"]
    training, _, inputs, _ = trained(case)
    untrained = case.model()
    first = untrained.layers[0](inputs[3])
    second = untrained.layers[1](first)
    expected = [*inputs[3], *listed(first), *listed(second), *listed(untrained(inputs[3]))]
    page = open_page(training, "#step=0&example=3")
    found = page.evaluate("scalargrad.numbers().activations")
    assert found == pytest.approx(expected, rel=1e-12)
    texts = page.locator("#cells .number").all_text_contents()
    assert [float(text.replace("−", "-")) for text in texts] == pytest.approx(expected, rel=1e-3)


def test_any_activation_of_the_table_can_be_watched(open_page: Any) -> None:
    """Its JavaScript comes from its entry: here all that are smooth and defined everywhere."""
    inputs = [[0.3, -0.6], [-1.2, 0.4], [0.8, 1.1]]
    everywhere = [
        op
        for op in ops.TABLE.values()
        if isinstance(op, operation.Unary) and op.domain.valid is None and op.arity == 1
    ]
    assert len(everywhere) > 15
    for op in everywhere[::3]:
        model = MLP(2, [2, 1], activation=op.name, rng=3)
        page = open_page(watch(model, inputs, [0.1, 0.2, 0.4], loss=mse_loss))
        expected = [model(x).data for x in inputs]
        found = [y for (y,) in page.evaluate("scalargrad.numbers().answers")]
        assert found == pytest.approx(expected, rel=1e-12, abs=1e-14), op.name
