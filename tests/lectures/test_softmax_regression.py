"""Toronto STA414 week 6: softmax regression, where every logit affects every probability."""

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
    """Return L = -Σ tₖ ln(e^zₖ / Σ e^zⱼ), from exp, +, / and log only."""
    powers = [sg.exp(x) for x in z]
    total = powers[0]
    for power in powers[1:]:
        total = total + power
    loss = Value(0.0)
    for target, power in zip(t, powers, strict=True):
        loss = loss - target * sg.log(power / total)
    return loss


def from_softmax(z: Sequence[Value], t: Sequence[float]) -> Value:
    """Return L = -Σ tₖ ln yₖ with y the softmax of the logits."""
    logs: list[Value] = [sg.log(y) for y in sg.softmax(z)]
    loss: Value = -sg.dot(t, logs)
    return loss


def from_log_softmax(z: Sequence[Value], t: Sequence[float]) -> Value:
    """Return L = -Σ tₖ (zₖ - ln Σ e^zⱼ)."""
    loss: Value = -sg.dot(t, sg.log_softmax(z))
    return loss


def from_logsumexp(z: Sequence[Value], t: Sequence[float]) -> Value:
    """Return L = ln Σ e^zⱼ - Σ tₖzₖ, for targets that add up to 1."""
    loss: Value = sg.logsumexp(z) - sg.dot(t, z)
    return loss


@pytest.fixture(
    params=[from_elementary_gates, from_softmax, from_log_softmax, from_logsumexp],
    ids=lambda f: f.__name__,
)
def cross_entropy(request: pytest.FixtureRequest) -> Loss:
    """Return one of four graphs of the same loss."""
    loss: Loss = request.param
    return loss


def test_cross_entropy_of_any_graph_has_the_lectures_numbers(cross_entropy: Loss) -> None:
    """Logits (2, 1, .1) with class 0 give the loss and ∂L/∂z = y - t."""
    z = [Value(x) for x in LOGITS]
    loss = cross_entropy(z, (1.0, 0.0, 0.0))
    loss.backward()
    assert loss.data == pytest.approx(LOSS, rel=1e-12)
    assert [x.grad for x in z] == pytest.approx(GRADIENT, rel=1e-12)
    assert sg.softmax(LOGITS) == pytest.approx(PROBABILITIES, rel=1e-12)


@pytest.mark.parametrize("target", [(0.0, 0.0, 1.0), (0.2, 0.5, 0.3)])
def test_cross_entropy_gradient_is_prediction_minus_target(
    cross_entropy: Loss, target: Sequence[float]
) -> None:
    """The target may be one-hot or soft; its elements add up to 1."""
    z = [Value(x) for x in LOGITS]
    cross_entropy(z, target).backward()
    expected = np.array(PROBABILITIES) - target
    np.testing.assert_allclose([x.grad for x in z], expected, rtol=1e-12)


def test_jacobian_of_softmax_has_no_zeros() -> None:
    """It is yₖ(δₖⱼ - yⱼ)."""
    y = np.array(PROBABILITIES)
    jacobian = np.array(sg.jacobian(sg.softmax)(list(LOGITS)))
    np.testing.assert_allclose(jacobian, np.diag(y) - np.outer(y, y), rtol=1e-12)
    assert np.all(jacobian != 0.0)


def test_backward_through_softmax_sums_over_probabilities() -> None:
    """The adjoints are z̄ⱼ = Σₖ ȳₖ ∂yₖ/∂zⱼ with ȳₖ = -tₖ/yₖ."""
    z = [Value(x) for x in LOGITS]
    y: list[Value] = sg.softmax(z)
    logs: list[Value] = [sg.log(p) for p in y]
    target = (0.2, 0.5, 0.3)
    loss: Value = -sg.dot(target, logs)
    loss.backward()
    y_bar = [p.grad for p in y]
    assert y_bar == pytest.approx([-t / p.data for t, p in zip(target, y, strict=True)], rel=1e-12)
    local = np.array([[sg.gradients(p, x) for x in z] for p in y])
    np.testing.assert_allclose([x.grad for x in z], y_bar @ local, rtol=1e-12)


def test_walk_of_softmax_reaches_every_logit_through_the_sum() -> None:
    """The sum passes the same adjoint to the power of each logit.

    Only the true class has a second wire, directly to its probability, and the gradient of its
    logit is their sum; the walk reaches each logit, with ∂L/∂z = y - t.
    """
    z = [Value(x, f"z{i}") for i, x in enumerate(LOGITS)]
    loss: Value = -sg.log(sg.softmax(z)[0])
    steps = [step for step in walk(loss) if step.phase == "backward"]
    ends = {id(step.parent): step.total for step in steps}
    assert [ends[id(x)] for x in z] == pytest.approx(GRADIENT, rel=1e-12)
    assert len({id(step.parent) for step in steps if step.expected == 2}) == 1
    contributions = [
        s.contribution for s in steps if s.node is not None and len(s.node.parents) == 3
    ]
    assert contributions == pytest.approx([PROBABILITIES[0]] * 3, rel=1e-12)


def test_grad_of_softmax_regression_weights_is_an_outer_product() -> None:
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


def test_logsumexp_of_large_logits_keeps_the_gradient() -> None:
    """Logits a thousand apart give the loss 1000 and the gradient y - t = (-1, 1)."""
    z = [Value(0.0), Value(1000.0)]
    loss = from_logsumexp(z, (1.0, 0.0))
    loss.backward()
    assert loss.data == 1000.0
    assert [x.grad for x in z] == [-1.0, 1.0]
