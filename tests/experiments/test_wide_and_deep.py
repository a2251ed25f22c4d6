"""The recommender: its parts, its memory, and its ranking."""

from __future__ import annotations

from typing import Any

import pytest

from scalargrad.data import Impression, click_model
from scalargrad.experiments import Ranker, WideAndDeep
from scalargrad.losses import binary_cross_entropy_with_logits
from scalargrad.nn.init import normal_
from scalargrad.optim import AdamW
from scalargrad.train import fit
from scalargrad.value import Parameter

TRUTH = click_model(seed=0)
SHOWN = TRUTH.impression(2, 4, "phone", 21, 5)


def small(**options: Any) -> WideAndDeep:
    """Make a model of a few users and items."""
    return WideAndDeep(range(3), range(5), width=2, hidden=3, buckets=64, rng=0, **options)


@pytest.mark.parametrize(("wide", "deep"), [(True, False), (False, True), (True, True)])
def test_the_parts_of_the_recommender_add_up(wide: bool, deep: bool) -> None:
    """Only a part that takes part receives gradient, the wide one at the crosses present."""
    model = small(wide=wide, deep=deep)
    x = model.encode(SHOWN)
    model(x).backward()
    buckets = {int(bucket) for bucket in x[9:-1]}
    assert len(x[9:-1]) == 4
    touched = {i for i, (weight,) in enumerate(model.crosses.weight) if weight.grad}
    assert touched == (buckets if wide else set())
    assert any(p.grad for p in model.embeddings[0].weight[3]) is deep


def test_users_and_items_without_a_row_share_one() -> None:
    """A user never met is row 0; the item, the context and the history still count."""
    model = small()
    unknown, other = SHOWN._replace(user=77), SHOWN._replace(user=88)
    assert [model.encode(x)[:2] for x in (SHOWN, unknown, other)] == [[3, 5], [0, 5], [0, 5]]
    assert model.encode(SHOWN)[-1] == SHOWN.history


def test_every_parameter_of_the_recommender_is_in_one_group() -> None:
    """The two groups share the parameters without overlap or remainder."""
    model = small()
    wide, deep = ([id(p) for p in group["params"]] for group in model.groups())
    assert sorted(wide + deep) == sorted(id(p) for p in model.parameters())
    assert len(wide) == 64


def test_memory_grows_with_what_was_met() -> None:
    """Of 10⁶ users × 10⁵ items a log of 40 gives at most 40 rows each, beside the buckets."""
    shown = click_model(10**6, 10**5).log(40).inputs
    model = WideAndDeep.of(shown, width=2, hidden=3, buckets=64, rng=0)
    rows = [table.num_embeddings for table in model.embeddings[:2]]
    assert max(rows) <= 41
    assert len(model.parameters()) < 64 + 2 * 82 + 200


def test_training_is_the_same_with_and_without_compilation() -> None:
    """As its notebook trains it: each part alone and both, to the rounding of sums."""
    shown, clicked = TRUTH.log(40, seed=1)
    for wide, deep in ((True, False), (False, True), (True, True)):
        ends = []
        for jit in (False, True):
            model = WideAndDeep.of(
                shown, width=2, hidden=3, buckets=64, wide=wide, deep=deep, rng=0
            )
            history = fit(
                model,
                [model.encode(x) for x in shown],
                [float(y) for y in clicked],
                loss=binary_cross_entropy_with_logits,
                optimizer=AdamW(model.groups(), lr=0.02),
                epochs=3,
                batch_size=8,
                jit=jit,
                quiet=True,
            )
            ends.append(history["loss"] + [p.data for p in model.parameters()])
        assert ends[1] == pytest.approx(ends[0], rel=1e-9, abs=1e-12)


def test_ranking_orders_by_probability() -> None:
    """In one compiled call, the same order as item by item, also after further training."""
    model = small()
    offers = [TRUTH.impression(2, item, "phone", 21, 5) for item in range(20)]
    ranker = Ranker(model)
    for _ in range(2):
        normal_(model.crosses.weight, rng=1)
        expected: list[Impression] = sorted(offers, key=model.probability, reverse=True)
        assert ranker(offers) == expected
        for parameter in model.network.parameters():
            assert isinstance(parameter, Parameter)
            parameter.data = -parameter.data
