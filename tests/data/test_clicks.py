"""The click log and the model it is drawn from."""

from __future__ import annotations

import math

import pytest

from scalargrad.data import ClickModel, click_model
from scalargrad.errors import OperandError

SMALL = ClickModel(
    bias=0.5,
    crosses={(0, 1): -2.0},
    users=[[1.0, 2.0], [0.0, -1.0]],
    items=[[0.5, 0.25], [3.0, 1.0]],
    unseen=frozenset({(1, 1)}),
)


def test_a_probability_is_the_sigmoid_of_bias_cross_and_taste() -> None:
    """σ(0.5 + 1·0.5 + 2·0.25) = σ(1.5), and σ(0.5 - 2 + 5) where there is a cross."""
    assert SMALL.probability((0, 0)) == pytest.approx(1 / (1 + math.exp(-1.5)))
    assert SMALL.probability((0, 1)) == pytest.approx(1 / (1 + math.exp(-3.5)))


def test_equal_seeds_give_equal_models_and_logs() -> None:
    """Model and log are functions of their seeds."""
    assert click_model(seed=3) == click_model(seed=3) != click_model(seed=4)
    truth = click_model(seed=3)
    assert truth.log(50, seed=1) == truth.log(50, seed=1) != truth.log(50, seed=2)


def test_a_log_leaves_the_unseen_pairs_out() -> None:
    """Ordinary logs show only seen pairs, and a log of unseen pairs only unseen ones."""
    truth = click_model(seed=0)
    assert not {*truth.log(3000).inputs} & truth.unseen
    assert {*truth.log(500, unseen=True).inputs} <= truth.unseen
    assert not truth.crosses.keys() & truth.unseen


def test_clicks_come_as_often_as_their_probabilities_say() -> None:
    """Over 20,000 impressions the share of clicks is the mean probability, within 4 sigma."""
    truth = click_model(seed=0)
    shown, clicks = truth.log(20_000, seed=5)
    expected = sum(map(truth.probability, shown)) / len(shown)
    assert sum(clicks) / len(clicks) == pytest.approx(expected, abs=4 * 0.5 / math.sqrt(20_000))


def test_log_loss_is_the_mean_of_minus_log_probability() -> None:
    """One click at σ(1.5) and one miss at σ(3.5)."""
    by_hand = (math.log1p(math.exp(-1.5)) + math.log1p(math.exp(3.5))) / 2
    assert SMALL.log_loss([(0, 0), (0, 1)], [1, 0]) == pytest.approx(by_hand)


def test_a_model_without_enough_pairs_is_refused() -> None:
    """Exceptions need seen pairs to stand on."""
    with pytest.raises(OperandError, match="2 users × 2 items less 2 unseen pairs"):
        click_model(2, 2, exceptions=3, unseen=0.5)


def test_a_log_of_no_unseen_pairs_is_refused() -> None:
    """Asking for unseen pairs where every pair is seen is an error."""
    with pytest.raises(OperandError, match="no unseen pairs"):
        click_model(unseen=0.0).log(5, unseen=True)
