"""Losses in the forms the lectures write, beside PyTorch's definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scalargrad import losses
from scalargrad.losses import binary_cross_entropy, cross_entropy, hinge_loss, huber_loss, mse_loss

PREDICTED = np.array([[1.0, 2.0, -0.5], [3.0, 5.0, 0.25]])
WANTED = np.array([[0.0, 0.0, 1.0], [3.0, 4.0, -2.0]])


def test_hosseini_s_squared_error_of_vectors_divides_by_examples_alone() -> None:
    """(1/N) Σ ‖eᵢ‖² is D times the mean over all numbers."""
    hosseini = np.mean(np.linalg.norm(PREDICTED - WANTED, axis=1) ** 2)
    total = mse_loss(PREDICTED, WANTED, reduction="sum")
    assert total / 2 == pytest.approx(hosseini, rel=1e-14)
    assert mse_loss(PREDICTED, WANTED) == pytest.approx(hosseini / 3, rel=1e-14)


def test_toronto_s_halves() -> None:
    """½(y - t)² is half of the squared error, 1/(2N) Σ half of the mean, ½ Σ w² of the penalty."""
    y, t = [0.679178699175393, 0.2], [1.0, 0.0]
    assert mse_loss(y[0], t[0]) / 2 == pytest.approx(0.0514631535313965, rel=1e-12)
    half_mean = sum((a - b) ** 2 for a, b in zip(y, t, strict=True)) / 4
    assert mse_loss(y, t) / 2 == pytest.approx(half_mean, rel=1e-14)
    assert 0.1 * losses.l2_penalty([0.5]) / 2 == pytest.approx(
        0.0639631535313965 - 0.0514631535313965
    )


def test_ucsb_s_hinge_of_many_classes_is_not_divided_by_them() -> None:
    """Σ_{i≠t} max(0, 1 - x_t + xᵢ) is C times PyTorch's."""
    scores, t = [0.3, 0.5, 2.0, 1.0], 3
    ucsb = sum(max(0.0, 1.0 - scores[t] + x) for i, x in enumerate(scores) if i != t)
    assert 4 * losses.multi_margin_loss(scores, t) == pytest.approx(ucsb, rel=1e-14)
    assert hinge_loss(0.25, -1.0) == max(0.0, 1.0 + 0.25)


@pytest.mark.parametrize("e", [-2.5, -0.5, 0.0, 0.75, 3.0])
def test_huber_is_half_a_square_and_then_a_line(e: float) -> None:
    """½e² up to δ = 1, |e| - ½ beyond; the squared error's half up to δ."""
    expected = 0.5 * e * e if abs(e) <= 1 else abs(e) - 0.5
    assert huber_loss(e, 0.0) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("p", [0.01, 0.3, 0.9])
def test_binary_cross_entropy_at_one_and_at_zero(p: float) -> None:
    """-ln p for y = 1 and -ln(1 - p) for y = 0."""
    assert binary_cross_entropy(p, 1.0) == pytest.approx(-math.log(p), rel=1e-14)
    assert binary_cross_entropy(p, 0.0) == pytest.approx(-math.log(1 - p), rel=1e-14)


def test_one_hot_targets_and_class_indices_agree() -> None:
    """-Σ tᵢ ln yᵢ with one-hot t, at scores (2, 1, .1), an example of ours."""
    y = np.exp([2.0, 1.0, 0.1]) / np.exp([2.0, 1.0, 0.1]).sum()
    for k in range(3):
        one_hot = [float(i == k) for i in range(3)]
        assert cross_entropy([2.0, 1.0, 0.1], one_hot) == pytest.approx(-math.log(y[k]), rel=1e-12)
        assert cross_entropy([2.0, 1.0, 0.1], k) == pytest.approx(-math.log(y[k]), rel=1e-12)
    assert losses.zero_one_loss([[2.0, 1.0, 0.1]] * 2, [0, 1]) == 0.5
