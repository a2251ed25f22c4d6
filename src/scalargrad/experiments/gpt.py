"""A character-level GPT on scalars: embeddings, attention, RMSNorm and a small perceptron."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from scalargrad.errors import OperandError
from scalargrad.nn import Embedding, Linear, Module, ModuleList, RMSNorm, init
from scalargrad.nn.init import Rng, generator
from scalargrad.ops import dot, relu, softmax

Vector = list[Any]


def add(a: Sequence[Any], b: Sequence[Any]) -> Vector:
    """Add two vectors: the residual connection."""
    return [x + y for x, y in zip(a, b, strict=True)]


class Attention(Module):
    """Causal self-attention: each position attends to itself and those before it.

    Parameters
    ----------
    width : int
        Length of a position's vector.
    heads : int
        Number of attention heads; divides `width`.
    rng : random.Random or int, optional
        Generator or seed.

    References
    ----------
    Vaswani et al., Attention is all you need, 2017, section 3.2.
    """

    def __init__(self, width: int, heads: int, rng: Rng = None) -> None:
        self.heads = heads
        self.query = _linear(width, width, rng)
        self.key = _linear(width, width, rng)
        self.value = _linear(width, width, rng)
        self.out = _linear(width, width, rng)

    def forward(self, positions: Sequence[Vector]) -> list[Vector]:
        """Mix the positions' vectors.

        Parameters
        ----------
        positions : list of T vectors of length width

        Returns
        -------
        list of T vectors of length width
        """
        queries, keys, values = (
            [layer(x) for x in positions] for layer in (self.query, self.key, self.value)
        )
        return [
            self.out(self._look(query, keys[: t + 1], values[: t + 1]))
            for t, query in enumerate(queries)
        ]

    def _look(self, query: Vector, keys: list[Vector], values: list[Vector]) -> Vector:
        size = len(query) // self.heads
        found: Vector = []
        for start in range(0, len(query), size):
            part = slice(start, start + size)
            scores = [dot(query[part], key[part]) / math.sqrt(size) for key in keys]
            weights = softmax(scores)
            found += [
                dot(weights, column) for column in zip(*(v[part] for v in values), strict=True)
            ]
        return found


class Block(Module):
    """One layer: attention, then a perceptron at each position, each added to what was there."""

    def __init__(self, width: int, heads: int, rng: Rng = None) -> None:
        self.norm = _norm(width)
        self.attention = Attention(width, heads, rng)
        self.wide = _linear(width, 4 * width, rng)
        self.narrow = _linear(4 * width, width, rng)

    def forward(self, positions: Sequence[Vector]) -> list[Vector]:
        """Return the positions' new vectors."""
        gathered = self.attention(self.norm(positions))
        mixed = [add(x, y) for x, y in zip(positions, gathered, strict=True)]
        return [add(x, self._think(x)) for x in mixed]

    def _think(self, x: Vector) -> Vector:
        result: Vector = self.narrow([relu(h) for h in self.wide(self.norm(x))])
        return result


class GPT(Module):
    """A generative transformer: from the characters so far to scores for the next one.

    Parameters
    ----------
    characters : int
        Size of the alphabet.
    context : int
        How many positions the model can look back on, the current one included.
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
        if width % heads:
            raise OperandError(f"width {width} cannot be shared by {heads} heads: give a multiple")
        source = generator(rng)
        self.context = context
        self.token = Embedding(characters, width, rng=source)
        self.position = Embedding(context, width, rng=source)
        for table in (self.token, self.position):
            init.normal_(table.weight, 0.0, 0.08, rng=source)
        self.norm = _norm(width)
        self.blocks = ModuleList(Block(width, heads, source) for _ in range(layers))
        self.head = _linear(width, characters, source)

    def example_input(self) -> list[int]:
        """Return a full context of characters."""
        return [0] * self.context

    def forward(self, tokens: Sequence[int]) -> list[Vector]:
        """Score every possible next character at each position.

        Parameters
        ----------
        tokens : sequence of T int
            Numbers of characters, T from 1 to `context`.

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
            [add(self.token(token), self.position(t)) for t, token in enumerate(tokens)]
        )
        for block in self.blocks:
            positions = block(positions)
        return [self.head(x) for x in positions]


def _norm(width: int) -> RMSNorm:
    return RMSNorm(width, eps=1e-5, elementwise_affine=False)


def _linear(inputs: int, outputs: int, rng: Rng) -> Linear:
    layer = Linear(inputs, outputs, bias=False, rng=rng)
    init.normal_(layer.weight, 0.0, 0.08, rng=rng)
    return layer
