"""Toronto STA414 week 6: softmax regression, whose every logit feeds every probability."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

import scalargrad as sg
from scalargrad import Value
from scalargrad.show.steps import walk

LOGITS = (2.0, 1.0, 0.1)
PROBABILITIES = (0.6590011388859679, 0.24243297070471392, 0.09856589040931818)
LOSS = 0.41703001627783354
GRADIENT = (-0.3409988611140321, 0.2424329707047139, 0.0985658904093182)

Loss = Callable[[Sequence[Value], Sequence[float]], Value]


def from_elementary_gates(z: Sequence[Value], t: Sequence[float]) -> Value:
    """Compute L = -Σ tₖ ln(e^zₖ / Σ e^zⱼ) from exp, +, / and log alone."""
    powers = [sg.exp(x) for x in z]
    total = powers[0]
    for power in powers[1:]:
        total = total + power
    loss = Value(0.0)
    for target, power in zip(t, powers, strict=True):
        loss = loss - target * sg.log(power / total)
    return loss


def from_softmax(z: Sequence[Value], t: Sequence[float]) -> Value:
    """Compute L = -Σ tₖ ln yₖ with y the softmax of the logits."""
    logs: list[Value] = [sg.log(y) for y in sg.softmax(z)]
    loss: Value = -sg.dot(t, logs)
    return loss


def from_log_softmax(z: Sequence[Value], t: Sequence[float]) -> Value:
    """Compute L = -Σ tₖ (zₖ - ln Σ e^zⱼ)."""
    loss: Value = -sg.dot(t, sg.log_softmax(z))
    return loss


def from_logsumexp(z: Sequence[Value], t: Sequence[float]) -> Value:
    """Compute L = ln Σ e^zⱼ - Σ tₖzₖ, which holds as the targets add up to 1."""
    loss: Value = sg.logsumexp(z) - sg.dot(t, z)
    return loss


@pytest.fixture(
    params=[from_elementary_gates, from_softmax, from_log_softmax, from_logsumexp],
    ids=lambda way: way.__name__,
)
def cross_entropy(request: pytest.FixtureRequest) -> Loss:
    """Return one of four graphs of the same loss; the graph is not unique."""
    way: Loss = request.param
    return way


def test_the_lecture_s_numbers(cross_entropy: Loss) -> None:
    """Logits (2, 1, .1) with class 0 give the loss and ∂L/∂z = y - t, however it is written."""
    z = [Value(x) for x in LOGITS]
    loss = cross_entropy(z, (1.0, 0.0, 0.0))
    loss.backward()
    assert loss.data == pytest.approx(LOSS, rel=1e-12)
    assert [x.grad for x in z] == pytest.approx(GRADIENT, rel=1e-12)
    assert sg.softmax(LOGITS) == pytest.approx(PROBABILITIES, rel=1e-12)


@pytest.mark.parametrize("target", [(0.0, 0.0, 1.0), (0.2, 0.5, 0.3)])
def test_the_gradient_is_prediction_minus_target(
    cross_entropy: Loss, target: Sequence[float]
) -> None:
    """∂L/∂z = y - t for any target that adds up to 1, one-hot or soft."""
    z = [Value(x) for x in LOGITS]
    cross_entropy(z, target).backward()
    expected = np.array(PROBABILITIES) - target
    np.testing.assert_allclose([x.grad for x in z], expected, rtol=1e-12)


def test_every_logit_feeds_every_probability() -> None:
    """The Jacobian of the softmax is yₖ(δₖⱼ - yⱼ), without a zero."""
    y = np.array(PROBABILITIES)
    jacobian = np.array(sg.jacobian(sg.softmax)(list(LOGITS)))
    np.testing.assert_allclose(jacobian, np.diag(y) - np.outer(y, y), rtol=1e-12)
    assert np.all(jacobian != 0.0)


def test_stepped_every_logit_reaches_the_loss_through_the_sum() -> None:
    """Walked back gate by gate, the sum hands the same signal to each logit's power.

    Only the true class has a second wire, straight to its probability, and its logit's gradient
    ends as their sum; each logit is walked to, with ∂L/∂z = y - t.
    """
    z = [Value(x, f"z{i}") for i, x in enumerate(LOGITS)]
    loss: Value = -sg.log(sg.softmax(z)[0])
    steps = [step for step in walk(loss) if step.phase == "backward"]
    ends = {id(step.parent): step.total for step in steps}
    assert [ends[id(x)] for x in z] == pytest.approx(GRADIENT, rel=1e-12)
    assert len({id(step.parent) for step in steps if step.expected == 2}) == 1
    handed = [s.contribution for s in steps if s.node is not None and len(s.node.parents) == 3]
    assert handed == pytest.approx([PROBABILITIES[0]] * 3, rel=1e-12)


def test_weights_get_the_outer_product_with_the_input() -> None:
    """With z = Wx + b, W̄ = (y - t)xᵀ and b̄ = y - t."""
    x, t = [0.5, -1.5], np.array([0.0, 1.0, 0.0])
    w = np.array([[0.2, -0.4], [1.0, 0.3], [-0.7, 0.1]])
    b = [0.1, 0.0, -0.2]

    def loss(weights: list[list[Any]], biases: list[Any]) -> Value:
        z = [sg.dot(row, x, bias) for row, bias in zip(weights, biases, strict=True)]
        minus_log_likelihood: Value = sg.logsumexp(z) - z[1]
        return minus_log_likelihood

    w_bar, b_bar = sg.grad(loss, argnums=(0, 1))(w.tolist(), b)
    powers = np.exp(w @ x + b)
    error = powers / powers.sum() - t
    np.testing.assert_allclose(w_bar, np.outer(error, x), rtol=1e-12)
    np.testing.assert_allclose(b_bar, error, rtol=1e-12)
