"""The character-level GPT."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from scalargrad import gradients
from scalargrad.errors import OperandError
from scalargrad.experiments import GPT, Alphabet
from scalargrad.experiments.gpt import rms_norm
from scalargrad.experiments.names import filled, filled_loss, next_character_loss, plain_names
from scalargrad.losses import cross_entropy

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
            (seen @ block[f"attention.{part}.weight"].T).view(len(tokens), 2, 4).transpose(0, 1)
            for part in ("query", "key", "value")
        )
        found = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + found.transpose(0, 1).reshape(len(tokens), 8) @ block["attention.out.weight"].T
        x = x + torch.relu(norm(x) @ block["wide.weight"].T) @ block["narrow.weight"].T
    return x @ state["head.weight"].T


def test_logits_are_those_of_pytorchs_attention() -> None:
    """Two layers of two heads over five tokens agree with torch to 1e-12."""
    model = GPT(11, **SMALL, rng=3)
    tokens = [0, 4, 10, 4, 7]
    ours = np.array([[score.data for score in row] for row in model(tokens)])
    assert ours == pytest.approx(reference(model, tokens).numpy(), abs=1e-12)


def test_an_earlier_loss_does_not_reach_a_later_position() -> None:
    """The loss at position 3 gives position embedding 5 no gradient, and embedding 2 some."""
    model = GPT(11, **SMALL, rng=3)
    logits = model([0, 4, 10, 4, 7, 1])
    cross_entropy(logits[3], 5).backward()
    rows = [[p.grad for p in row] for row in model.position.weight]
    assert not any(rows[4] + rows[5])
    assert all(any(row) for row in rows[:4])


def test_rms_norm_gives_root_mean_square_one() -> None:
    """The norm of the result is √n, but for the ε under the root."""
    assert sum(x * x for x in rms_norm([1.0, -2.0, 2.0])) == pytest.approx(3.0, rel=1e-5)


def test_too_many_tokens_are_refused() -> None:
    """The context is as long as it is."""
    with pytest.raises(OperandError, match="7 tokens exceed the context of 6"):
        GPT(11, **SMALL, rng=0)([0] * 7)


def test_heads_must_divide_the_width() -> None:
    """Vectors are shared evenly among the heads."""
    with pytest.raises(OperandError, match="width 8 cannot be shared by 3 heads"):
        GPT(11, width=8, heads=3)


def test_the_loss_is_averaged_over_characters_not_names() -> None:
    """Three characters in two names weigh a third each."""
    names = [[[0.0, 1.0], [2.0, 0.0]], [[0.5, 0.5]]]
    each = [cross_entropy(row, t) for name in names for row, t in zip(name, (1, 0), strict=False)]
    assert next_character_loss(names, [[1, 0], [1]]) == pytest.approx(sum(each) / 3)


def test_names_filled_up_have_the_loss_and_gradient_of_names_as_they_are() -> None:
    """What stands behind a name, and what the model says there, changes nothing."""
    model = GPT(11, **SMALL, rng=3)
    inputs, targets = [[0, 4, 10], [0, 7, 1, 2, 9]], [[4, 10, 0], [7, 1, 2, 9, 0]]
    plain = next_character_loss([model(x) for x in inputs], targets)
    whole = filled_loss([model(filled(x, 6)[0]) for x in inputs], [filled(y, 6) for y in targets])
    assert whole.data == pytest.approx(plain.data, rel=1e-12)
    found, expected = (gradients(loss, model.parameters()) for loss in (whole, plain))
    assert found == pytest.approx(expected, rel=1e-10, abs=1e-14)


def test_names_end_where_the_model_or_its_context_ends() -> None:
    """A model that always says the end invents nothing; one that never does fills the context."""
    alphabet = Alphabet(["ab"])
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


def test_at_a_low_temperature_the_likeliest_character_is_taken() -> None:
    """Near temperature 0 every seed invents the same name."""
    alphabet = Alphabet(["iron", "zinc"])
    model = GPT(len(alphabet), **SMALL, rng=5)
    drawn = {alphabet.invent(model, random.Random(i), temperature=1e-6) for i in range(5)}
    assert len(drawn) == 1


def test_plain_names_are_short_words_of_a_to_z() -> None:
    """Nothing else is left for the model to learn, and nothing twice."""
    names = plain_names()
    assert len(names) == len(set(names)) > 300
    assert set("".join(names)) <= set("abcdefghijklmnopqrstuvwxyz")
    assert max(map(len, names)) == 12
    assert {"france", "paris", "helium"} <= set(names)
