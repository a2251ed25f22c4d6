"""Losses in the forms of the lectures, compared with PyTorch's definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scalargrad import Value, losses
from scalargrad.losses import binary_cross_entropy, cross_entropy, hinge_loss, huber_loss, mse_loss

PREDICTED = np.array([[1.0, 2.0, -0.5], [3.0, 5.0, 0.25]])
WANTED = np.array([[0.0, 0.0, 1.0], [3.0, 4.0, -2.0]])


def test_mse_loss_and_hosseinis_squared_error_of_vectors() -> None:
    """His (1/N) Σ ‖eᵢ‖² is D times the mean over all numbers."""
    hosseini = np.mean(np.linalg.norm(PREDICTED - WANTED, axis=1) ** 2)
    total = mse_loss(PREDICTED, WANTED, reduction="sum")
    assert total / 2 == pytest.approx(hosseini, rel=1e-14)
    assert mse_loss(PREDICTED, WANTED) == pytest.approx(hosseini / 3, rel=1e-14)


def test_mse_loss_and_l2_penalty_are_twice_torontos() -> None:
    """Toronto has ½(y - t)², 1/(2N) Σ (y - t)² and ½ Σ w²."""
    y, t = [0.679178699175393, 0.2], [1.0, 0.0]
    assert mse_loss(y[0], t[0]) / 2 == pytest.approx(0.0514631535313965, rel=1e-12)
    half_mean = sum((a - b) ** 2 for a, b in zip(y, t, strict=True)) / 4
    assert mse_loss(y, t) / 2 == pytest.approx(half_mean, rel=1e-14)
    assert 0.1 * losses.l2_penalty([0.5]) / 2 == pytest.approx(
        0.0639631535313965 - 0.0514631535313965
    )


def test_l1_loss_slope_and_that_of_half_of_it() -> None:
    """The slope of ½|e| is ±½, that of |e| is ±1."""
    slopes = []
    for factor in (1.0, 0.5):
        e = Value(-1.5)
        (factor * losses.l1_loss(e, 0.0)).backward()
        slopes.append(e.grad)
    assert slopes == [-1.0, -0.5]


def test_multi_margin_loss_and_ucsbs_hinge_loss() -> None:
    """UCSB's Σ_{i≠t} max(0, 1 - x_t + xᵢ) is C times PyTorch's."""
    scores, t = [0.3, 0.5, 2.0, 1.0], 3
    ucsb = sum(max(0.0, 1.0 - scores[t] + x) for i, x in enumerate(scores) if i != t)
    assert 4 * losses.multi_margin_loss(scores, t) == pytest.approx(ucsb, rel=1e-14)
    assert hinge_loss(0.25, -1.0) == max(0.0, 1.0 + 0.25)


@pytest.mark.parametrize("e", [-2.5, -0.5, 0.0, 0.75, 3.0])
def test_huber_loss_is_half_a_square_and_then_a_line(e: float) -> None:
    """It is ½e² up to δ = 1, and |e| - ½ beyond."""
    expected = 0.5 * e * e if abs(e) <= 1 else abs(e) - 0.5
    assert huber_loss(e, 0.0) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("p", [0.01, 0.3, 0.9])
def test_binary_cross_entropy_at_one_and_at_zero(p: float) -> None:
    """It is -ln p for y = 1 and -ln(1 - p) for y = 0."""
    assert binary_cross_entropy(p, 1.0) == pytest.approx(-math.log(p), rel=1e-14)
    assert binary_cross_entropy(p, 0.0) == pytest.approx(-math.log(1 - p), rel=1e-14)


def test_cross_entropy_of_one_hot_targets_and_class_indices() -> None:
    """Both are -Σ tᵢ ln yᵢ; the scores (2, 1, .1) are an example of ours."""
    y = np.exp([2.0, 1.0, 0.1]) / np.exp([2.0, 1.0, 0.1]).sum()
    for k in range(3):
        one_hot = [float(i == k) for i in range(3)]
        assert cross_entropy([2.0, 1.0, 0.1], one_hot) == pytest.approx(-math.log(y[k]), rel=1e-12)
        assert cross_entropy([2.0, 1.0, 0.1], k) == pytest.approx(-math.log(y[k]), rel=1e-12)
    assert losses.zero_one_loss([[2.0, 1.0, 0.1]] * 2, [0, 1]) == 0.5
