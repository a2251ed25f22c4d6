"""Dropout leaves the expectation as it is, and does nothing when predicting."""

from __future__ import annotations

import copy

import pytest

from scalargrad import DomainError, Value, nn


def test_the_fraction_dropped_is_p_and_the_mean_stays() -> None:
    """Of 10,000 ones, within four standard errors."""
    kept = nn.Dropout(0.3, rng=0)([1.0] * 10_000)
    dropped = sum(x == 0.0 for x in kept) / len(kept)
    assert dropped == pytest.approx(0.3, abs=4 * (0.21 / 10_000) ** 0.5)
    assert sum(kept) / len(kept) == pytest.approx(1.0, abs=0.03)
    assert set(kept) == {0.0, 1.0 / 0.7}


def test_gradients_flow_where_signals_do() -> None:
    """A number dropped receives the gradient 0, the others 1 / (1 - p)."""
    x = [Value(1.0) for _ in range(20)]
    for y in nn.Dropout(0.5, rng=1)(x):
        y.backward()
    assert {v.grad for v in x} == {0.0, 2.0}


def test_prediction_passes_numbers_unchanged() -> None:
    """After eval, and with p = 0, the very same Values come out."""
    x = [Value(1.0), Value(2.0)]
    assert nn.Sequential(nn.Dropout(0.9)).eval()(x) == x
    assert nn.Dropout(0.0)(x) == x


def test_everything_may_be_dropped() -> None:
    """P = 1 divides by nothing."""
    assert nn.Dropout(1.0)([1.0, 2.0]) == [0.0, 0.0]


def test_draws_can_be_repeated_and_the_module_copied() -> None:
    """Equal seeds drop alike; a copy goes on where the original stands."""
    drop = nn.Dropout(0.5, rng=4)
    ones = [1.0] * 50
    assert drop(ones) == nn.Dropout(0.5, rng=4)(ones)
    assert copy.deepcopy(drop)(ones) == drop(ones)
    copy.deepcopy(nn.Dropout(0.5))(ones)


def test_a_probability_lies_between_0_and_1() -> None:
    """As PyTorch has it."""
    assert repr(nn.Dropout(0.25)) == "Dropout(p=0.25, inplace=False)"
    with pytest.raises(DomainError, match=r"p is 1\.5"):
        nn.Dropout(1.5)
