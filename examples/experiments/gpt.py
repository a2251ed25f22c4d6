"""A character-level GPT on scalars, which learns from names and invents new ones."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from scalargrad import data, no_grad
from scalargrad.errors import OperandError
from scalargrad.losses import cross_entropy
from scalargrad.nn import Embedding, Linear, Module, ModuleList, MultiheadAttention, RMSNorm, init
from scalargrad.nn.init import Rng, generator
from scalargrad.ops import relu, softmax

__all__ = ["GPT", "Alphabet"]

Vector = list[Any]


class Block(Module):
    """A Transformer layer: attention, then a perceptron at each position, with residual sums."""

    def __init__(self, width: int, heads: int, rng: Rng = None) -> None:
        self.norm = RMSNorm(width, eps=1e-5, elementwise_affine=False)
        self.attention = MultiheadAttention(width, heads, bias=False, rng=rng)
        for weight in (self.attention.in_proj_weight, self.attention.out_proj.weight):
            init.normal_(weight, 0.0, 0.08, rng=rng)
        self.wide = _linear(width, 4 * width, rng)
        self.narrow = _linear(4 * width, width, rng)

    def forward(self, positions: Sequence[Vector]) -> list[Vector]:
        """Return a new vector for each position."""
        seen = self.norm(positions)
        found, _ = self.attention(seen, seen, seen, need_weights=False, is_causal=True)
        mixed = [_added(x, y) for x, y in zip(positions, found, strict=True)]
        wide = [[relu(h) for h in self.wide(x)] for x in self.norm(mixed)]
        return [_added(x, self.narrow(h)) for x, h in zip(mixed, wide, strict=True)]


class GPT(Module):
    """A generative transformer: from the characters so far to scores for the next one.

    Parameters
    ----------
    characters : int
        Size of the alphabet.
    context : int
        Maximum number of positions that attention sees, the current one included.
    width : int
        Length of the vector at each position.
    heads, layers : int
        Number of attention heads in a layer, and number of layers.
    rng : random.Random or int, optional
        Generator or seed. Weights are drawn from N(0, 0.08²).

    Notes
    -----
    No biases, RMSNorm without gain and ReLU, as in A. Karpathy's microgpt, 2026.

    References
    ----------
    Radford et al., Language models are unsupervised multitask learners, 2019, section 2.3.

    Examples
    --------
    >>> model = GPT(27, rng=0)
    >>> len(model.parameters())
    4192
    >>> logits = model([0, 5, 5])
    >>> len(logits), len(logits[0])
    (3, 27)
    """

    def __init__(
        self,
        characters: int,
        context: int = 16,
        width: int = 16,
        *,
        heads: int = 4,
        layers: int = 1,
        rng: Rng = None,
    ) -> None:
        source = generator(rng)
        self.context = context
        self.token = Embedding(characters, width, rng=source)
        self.position = Embedding(context, width, rng=source)
        for table in (self.token, self.position):
            init.normal_(table.weight, 0.0, 0.08, rng=source)
        self.norm = RMSNorm(width, eps=1e-5, elementwise_affine=False)
        self.blocks = ModuleList(Block(width, heads, source) for _ in range(layers))
        self.head = _linear(width, characters, source)

    def forward(self, tokens: Sequence[int]) -> list[Vector]:
        """Score every possible next character at each position.

        Parameters
        ----------
        tokens : sequence of T int
            Character numbers; T is from 1 to `context`.

        Returns
        -------
        list of T lists of `characters` Values
            Logits; those at position t depend on tokens 0 to t only.

        Raises
        ------
        OperandError
            If there are more tokens than the context is long.
        """
        if len(tokens) > self.context:
            raise OperandError(f"{len(tokens)} tokens exceed the context of {self.context}")
        positions = self.norm(
            [_added(self.token(token), self.position(t)) for t, token in enumerate(tokens)]
        )
        for block in self.blocks:
            positions = block(positions)
        return [self.head(x) for x in positions]


def _added(a: Sequence[Any], b: Sequence[Any]) -> Vector:
    """Add two vectors: the residual connection."""
    return [x + y for x, y in zip(a, b, strict=True)]


def _linear(inputs: int, outputs: int, rng: Rng) -> Linear:
    layer = Linear(inputs, outputs, bias=False, rng=rng)
    init.normal_(layer.weight, 0.0, 0.08, rng=rng)
    return layer


class Alphabet:
    """The characters of a list of names, numbered from 1; 0 marks the start and end of a name.

    Examples
    --------
    >>> alphabet = Alphabet(["iron", "rio"])
    >>> alphabet.examples(["iron"])
    ([[0, 1, 4, 3, 2]], [[1, 4, 3, 2, 0]])
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.characters = ["", *sorted(set("".join(names)))]
        self._numbers = {character: i for i, character in enumerate(self.characters)}

    def __len__(self) -> int:
        return len(self.characters)

    def examples(self, names: Sequence[str]) -> tuple[list[list[int]], list[list[int]]]:
        """Return the tokens of each name, and the next token for each of them."""
        coded = [[self._numbers[character] for character in name] for name in names]
        return [[0, *name] for name in coded], [[*name, 0] for name in coded]

    def invent(
        self, model: GPT, rng: random.Random, start: str = "", temperature: float = 0.5
    ) -> str:
        """Draw a name from a model, character by character.

        Parameters
        ----------
        model : GPT
            A model for the characters of this alphabet.
        rng : random.Random
            The generator that draws the characters.
        start : str
            The first characters of the name.
        temperature : float
            Divides the scores; near 0 the likeliest character is always chosen.

        Returns
        -------
        str
            The name; it ends where the model draws the end token, or the context is full.
        """
        tokens = self.examples([start])[0][0]
        with no_grad():
            while len(tokens) < model.context:
                scores = [score.data / temperature for score in model(tokens)[-1]]
                (drawn,) = rng.choices(range(len(self)), softmax(scores))
                if drawn == 0:
                    break
                tokens.append(drawn)
        return "".join(self.characters[token] for token in tokens)


#: The class of padding, which the loss leaves out.
NO_CHARACTER = -100


def next_character_loss(predictions: list[Any], targets: list[Any]) -> Any:
    """Return the mean cross-entropy over the characters of all names, in nats.

    Padding is the class `NO_CHARACTER`.
    """
    logits = [scores for name in predictions for scores in name]
    characters = [character for name in targets for character in name]
    return cross_entropy(logits, characters, ignore_index=NO_CHARACTER)


def padded(names: list[list[int]], by: int) -> list[list[int]]:
    """Return names padded at the end to the length of the longest."""
    longest = max(map(len, names))
    return [name + [by] * (longest - len(name)) for name in names]


def plain_names(longest: int = 12) -> list[str]:
    """Return the names of `data.names` that are one word of letters a to z, in lower case.

    Examples
    --------
    >>> plain_names()[:2]
    ['afghanistan', 'albania']
    """
    short = (name.lower() for name in data.names())
    return [x for x in dict.fromkeys(short) if x.isascii() and x.isalpha() and len(x) <= longest]
