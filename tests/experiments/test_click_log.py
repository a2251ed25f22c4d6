"""The click log and the model that it is drawn from."""

from __future__ import annotations

import math
import zlib
from itertools import product

import pytest

from examples.experiments import ClickModel, crossed
from scalargrad import OperandError, ScalargradError


def test_click_model_log_odds_are_the_sum_of_their_terms() -> None:
    """Bias, exception, language, device × topic, hour, eagerness and taste."""
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


def test_click_model_device_effect_depends_on_topic() -> None:
    """The effect of the device depends on the topic, so it is an interaction of the two."""
    truth = ClickModel(200, 200, exceptional=0.0)
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


def test_click_model_log_leaves_out_unseen_pairs() -> None:
    """A fifth of the pairs is unseen; with unseen=True, a log has only these."""
    truth = ClickModel(seed=0)
    unseen = {pair for pair in product(range(20), range(20)) if truth.is_unseen(*pair)}
    assert 0.13 < len(unseen) / 400 < 0.27
    assert not {x[:2] for x in truth.log(1000).inputs} & unseen
    assert {x[:2] for x in truth.log(200, unseen=True).inputs} <= unseen
    assert not any(truth.exception(*pair) for pair in unseen)
    special = [truth.exception(*pair) for pair in product(range(20), range(20))]
    assert set(special) == {-3.0, 0.0, 3.0}
    assert 5 < sum(map(bool, special)) < 40


def test_click_model_click_rate_equals_mean_probability() -> None:
    """Over 3,000 impressions, within four standard errors; also the moments of users and items."""
    truth = ClickModel(seed=0)
    shown, clicks = truth.log(3_000, seed=5)
    expected = sum(map(truth.probability, shown)) / len(shown)
    assert sum(clicks) / len(clicks) == pytest.approx(expected, abs=4 * 0.5 / math.sqrt(3_000))
    users, items = map(truth.user, range(1000)), map(truth.item, range(1000))
    tastes, spoken = zip(*[(x.tastes[0], (x.country, x.language)) for x in users], strict=True)
    for normal in (tastes, [x.traits[0] for x in items]):
        assert abs(sum(normal)) < 4 * 1.2 * math.sqrt(1000)
    assert spoken.count(("Germany", "German")) > 1000 / 6 * 0.7


@pytest.mark.parametrize(
    ("option", "wrong"), [("users", 0), ("unseen", 1.0), ("exceptional", -0.1), ("popularity", 0.5)]
)
def test_click_model_refuses_options_out_of_range(option: str, wrong: float) -> None:
    """The error names the option."""
    with pytest.raises(ScalargradError, match=option):
        ClickModel(**{option: wrong})  # type: ignore[arg-type]


def test_crossed_is_crc32_modulo_buckets() -> None:
    """With 1,000 pairs in 1,000 buckets, about 1/e of the buckets are empty."""
    expected = zlib.crc32(b"user\x1f3\x1fitem\x1f7") % 1000
    assert crossed("user", 3, "item", 7, buckets=1000) == expected
    assert crossed("ab", "c", buckets=2**32) != crossed("a", "bc", buckets=2**32)
    found = {crossed(u, i, buckets=1000) for u in range(40) for i in range(25)}
    assert len(found) == pytest.approx(632, abs=60)
    with pytest.raises(OperandError, match="buckets"):
        crossed(1, buckets=0)
