"""The click log and the world it is drawn from."""

from __future__ import annotations

import math
import pickle
from collections import Counter
from itertools import product

import pytest

from scalargrad import OperandError
from scalargrad.data import ClickModel, click_model


def test_log_odds_add_up_what_is_said_of_them() -> None:
    """Bias, exception, language, device × topic, hour, eagerness and taste, one by one."""
    truth = ClickModel(users=50, items=50, exceptional=0.3, seed=4)
    for user, item, hour, weekday in product((3, 14), (15, 9), (9, 21), (2, 6)):
        shown = truth.impression(user, item, "phone", hour, weekday)
        who, what = truth.user(user), truth.item(item)
        others = [truth.impression(user, item, "phone", 21, 0), shown]
        rest = sum(a * b for a, b in zip(who.tastes, what.traits, strict=True)) + who.eagerness - 1
        rest += truth.exception(user, item)
        rest += 0.8 if shown.language == shown.spoken else -0.4
        evening, now = (truth.log_odds(x) - rest for x in others)
        expected = 0.4 * (math.cos(math.tau * (hour - 21) / 24) - 1) + 0.2 * (weekday > 4)
        assert now - evening == pytest.approx(expected, abs=1e-12)
        odds = truth.log_odds(shown)
        assert truth.probability(shown) == pytest.approx(1 / (1 + math.exp(-odds)), rel=1e-12)


def test_the_device_counts_by_topic() -> None:
    """What a device adds depends on the item's topic alone: no sum of two effects."""
    truth = click_model(200, 200, exceptional=0.0)
    by_topic = {truth.item(i).topic: i for i in range(200)}
    assert len(by_topic) > 2

    def gap(topic: str, user: int) -> float:
        first, second = (
            truth.log_odds(truth.impression(user, by_topic[topic], device, 12, 0))
            for device in ("phone", "desktop")
        )
        return first - second

    assert gap("news", 1) == pytest.approx(gap("news", 2), abs=1e-12)
    assert max(abs(gap("news", 1) - gap(topic, 1)) for topic in by_topic) > 0.5


def test_equal_seeds_give_equal_worlds_and_logs() -> None:
    """World and log are functions of their seeds, whoever was met before."""
    first, again = click_model(seed=3), click_model(seed=3)
    again.user(7)
    assert first == again != click_model(seed=4)
    assert first.log(50, seed=1) == again.log(50, seed=1) != first.log(50, seed=2)
    assert first.user(7) != click_model(seed=4).user(7)


def test_a_log_leaves_the_unseen_pairs_out() -> None:
    """A fifth of the pairs; ordinary logs show the others, a log of unseen pairs only those."""
    truth = click_model(seed=0)
    unseen = {pair for pair in product(range(20), range(20)) if truth.is_unseen(*pair)}
    assert 0.13 < len(unseen) / 400 < 0.27
    assert not {x[:2] for x in truth.log(1000).inputs} & unseen
    assert {x[:2] for x in truth.log(200, unseen=True).inputs} <= unseen
    assert not any(truth.exception(*pair) for pair in unseen)
    special = [truth.exception(*pair) for pair in product(range(20), range(20))]
    assert set(special) == {-3.0, 0.0, 3.0}
    assert 5 < sum(map(bool, special)) < 40


def test_clicks_come_as_often_as_their_probabilities_say() -> None:
    """Over 10,000 impressions the share of clicks is the mean probability, within 4 sigma."""
    truth = click_model(seed=0)
    shown, clicks = truth.log(10_000, seed=5)
    expected = sum(map(truth.probability, shown)) / len(shown)
    assert sum(clicks) / len(clicks) == pytest.approx(expected, abs=4 * 0.5 / math.sqrt(10_000))


def test_a_user_s_history_tells_of_eagerness() -> None:
    """It is a share of 20 impressions, larger for those who click more readily."""
    truth = click_model(400, 1)
    users = sorted((truth.user(u) for u in range(400)), key=lambda user: user.eagerness)
    assert all(20 * user.history == pytest.approx(round(20 * user.history)) for user in users)
    reluctant, eager = (sum(u.history for u in part) for part in (users[:200], users[200:]))
    assert eager > 1.3 * reluctant


def test_log_loss_is_the_mean_of_minus_log_probability() -> None:
    """One click and one miss."""
    truth = click_model()
    first, second = truth.log(2).inputs
    p, q = truth.probability(first), truth.probability(second)
    by_hand = -(math.log(p) + math.log(1 - q)) / 2
    assert truth.log_loss([first, second], [1, 0]) == pytest.approx(by_hand, rel=1e-12)
    with pytest.raises(OperandError, match="clicks"):
        truth.log_loss([first, second], [1])


def test_a_world_of_a_million_users_holds_those_who_were_met() -> None:
    """10⁶ users × 10⁵ items: made at once, and a log of 50 meets at most 50 of each."""
    truth = click_model(10**6, 10**5, popularity=4.0)
    before = len(pickle.dumps(truth))
    log = truth.log(50)
    assert 0 < len(pickle.dumps(truth)) - before < 20_000  # of 100 users and items
    assert max(x.user for x in log.inputs) > 1000


def test_popularity_makes_few_users_and_items_frequent() -> None:
    """At 4 the first of 16 users has the half of all impressions that (1/16)^(1/4) = ½ says."""
    truth = click_model(16, 16, unseen=0.0, popularity=4.0)
    counts = Counter(x.user for x in truth.log(2000).inputs)
    assert counts[0] / 2000 == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize(
    ("option", "wrong"), [("users", 0), ("unseen", 1.0), ("exceptional", -0.1), ("popularity", 0.5)]
)
def test_a_world_that_cannot_be_is_refused(option: str, wrong: float) -> None:
    """Options out of their range."""
    with pytest.raises(OperandError, match=option):
        click_model(**{option: wrong})  # type: ignore[arg-type]


def test_a_log_of_no_unseen_pairs_is_refused() -> None:
    """Asking for unseen pairs where every pair is seen is an error."""
    with pytest.raises(OperandError, match="unseen"):
        click_model(unseen=0.0).log(5, unseen=True)
