"""The models of the programs: the character-level GPT, and the recommender of clicks."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from examples.experiments import GPT, Alphabet, ClickModel, Ranker, WideAndDeep
from scalargrad.losses import binary_cross_entropy_with_logits, cross_entropy
from scalargrad.nn.init import normal_
from scalargrad.optim import AdamW
from scalargrad.train import fit

SMALL = {"context": 6, "width": 8, "heads": 2, "layers": 2}


def reference(model: GPT, tokens: list[int]) -> Any:
    """Compute the logits with PyTorch's tensors and its own attention, RMSNorm and softmax."""
    torch = pytest.importorskip("torch")
    state = {name: torch.tensor(x, dtype=torch.float64) for name, x in model.state_dict().items()}

    def norm(x: Any) -> Any:
        return torch.nn.functional.rms_norm(x, x.shape[-1:], eps=1e-5)

    x = norm(state["token.weight"][tokens] + state["position.weight"][: len(tokens)])
    for i in range(2):
        block = {k.split(f"blocks.{i}.")[1]: w for k, w in state.items() if f"blocks.{i}." in k}
        seen = norm(x)
        q, k, v = (
            x.view(len(tokens), 2, 4).transpose(0, 1)
            for x in (seen @ block["attention.in_proj_weight"].T).split(8, dim=1)
        )
        found = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + found.transpose(0, 1).reshape(len(tokens), 8) @ block["attention.out_proj.weight"].T
        x = x + torch.relu(norm(x) @ block["wide.weight"].T) @ block["narrow.weight"].T
    return x @ state["head.weight"].T


@pytest.mark.wide
def test_gpt_logits_agree_with_pytorch() -> None:
    """Two layers of two heads over five tokens agree with torch to 1e-12."""
    model = GPT(11, **SMALL, rng=3)
    tokens = [0, 4, 10, 4, 7]
    ours = np.array([[score.data for score in row] for row in model(tokens)])
    assert ours == pytest.approx(reference(model, tokens).numpy(), abs=1e-12)


def test_gpt_loss_of_an_earlier_position_has_no_gradient_at_a_later_one() -> None:
    """The loss at position 3 gives position embedding 5 no gradient, and embedding 2 some."""
    model = GPT(11, **SMALL, rng=3)
    logits = model([0, 4, 10, 4, 7, 1])
    cross_entropy(logits[3], 5).backward()
    rows = [[p.grad for p in row] for row in model.position.weight]
    assert not any(rows[4] + rows[5])
    assert all(any(row) for row in rows[:4])


def test_alphabet_invent_ends_a_name_at_the_end_mark_or_the_context() -> None:
    """A model that always predicts the end gives "", one that never does fills the context."""
    alphabet = Alphabet(["ab"])
    assert alphabet.examples(["ab"]) == ([[0, 1, 2]], [[1, 2, 0]])
    model = GPT(3, **SMALL, rng=0)
    for parameter in model.parameters():
        parameter.data = 0.0
    for row in (*model.token.weight, *model.position.weight):
        row[0].data = 1.0
    for end, expected in ((50.0, ""), (-50.0, 5)):
        model.head.weight[0][0].data = end
        name = alphabet.invent(model, random.Random(0))
        assert name == expected or len(name) == expected
    assert alphabet.invent(model, random.Random(0), start="ba").startswith("ba")
    model = GPT(3, **SMALL, rng=1)
    for k in range(20):
        microgpts = alphabet.invent(model, random.Random(k), temperature=0.5)
        assert alphabet.invent(model, random.Random(k)) == microgpts


TRUTH = ClickModel(seed=0)


def small_recommender(**options: Any) -> WideAndDeep:
    """Return a model of a few users and items."""
    return WideAndDeep(range(3), range(5), width=2, hidden=3, buckets=64, rng=0, **options)


@pytest.mark.differential
def test_wide_and_deep_trains_equally_with_and_without_jit() -> None:
    """Trained as in its notebook: the wide part alone and both, up to the rounding of sums."""
    shown, clicked = TRUTH.log(40, seed=1)
    for wide, deep in ((True, False), (True, True)):
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
                epochs=2,
                batch_size=8,
                jit=jit,
                quiet=True,
            )
            ends.append(history["loss"] + [p.data for p in model.parameters()])
        assert ends[1] == pytest.approx(ends[0], rel=1e-9, abs=1e-12)


def test_ranker_orders_by_probability() -> None:
    """One compiled call gives the order of single predictions, also after further training."""
    model = small_recommender()
    offers = [TRUTH.impression(2, item, "phone", 21, 5) for item in range(20)]
    normal_(model.crosses.weight, rng=0)
    *rows, last, history = model.encode(offers[0])
    others = [*rows, last, history + 0.5], [*rows, (last + 1) % 64, history]
    assert model([*rows, last, history]).data not in [model(x).data for x in others]
    assert len(model.network.parameters()) == 3 * (4 + 2 * 7 + 1 + 1) + 3 + 1
    ranker = Ranker(model)
    for _ in range(2):
        normal_(model.crosses.weight, rng=1)
        expected = sorted(offers, key=model.probability, reverse=True)
        assert ranker(offers) == expected
        for parameter in model.network.parameters():
            parameter.data = -parameter.data
