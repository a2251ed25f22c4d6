"""Attention with several heads, by PyTorch's definition."""

from __future__ import annotations

import math
from typing import Any

from scalargrad.errors import OperandError
from scalargrad.nn import init
from scalargrad.nn.dropout import Dropout
from scalargrad.nn.init import Rng
from scalargrad.nn.inputs import listed_inputs, of_length
from scalargrad.nn.linear import Linear, affine
from scalargrad.nn.module import Module
from scalargrad.nn.sparse import Table, Vector
from scalargrad.ops import dot, mean, softmax
from scalargrad.table.validation import flag, number, size

#: Its name in messages, since it prints as several lines.
_NAME = "MultiheadAttention"


class MultiheadAttention(Module):
    """Let each position of a sequence look at those of another, softmax(qk / √d) · v in each head.

    Parameters
    ----------
    embed_dim : int
        Length E of a position's vector.
    num_heads : int
        Number of heads; divides `embed_dim`.
    dropout : float
        Probability with which a weight is dropped while training.
    bias : bool
        Whether the projections add biases.
    rng : random.Random or int, optional
        Generator or seed; without it the module ``random`` draws.

    Attributes
    ----------
    in_proj_weight, in_proj_bias : 3E rows of E Parameters; Vector of 3E, or None
        Of queries, keys and values, one below the other: drawn by Xavier's rule, and zeros.
    out_proj : Linear

    Raises
    ------
    OperandError
        If `num_heads` does not divide `embed_dim`.

    Notes
    -----
    Of one sequence at a time: for a batch, call it in a loop or under `vmap`.

    References
    ----------
    Vaswani et al., Attention is all you need, 2017, section 3.2.

    Examples
    --------
    >>> attention = MultiheadAttention(4, 2, rng=0)
    >>> xs = [[0.1, 0.2, 0.3, 0.4], [1.0, -1.0, 0.5, 0.0]]
    >>> mixed, weights = attention(xs, xs, xs, is_causal=True)
    >>> len(mixed), len(mixed[0]), weights[0]
    (2, 4, [Value(data=1.0, grad=0.0), 0.0])
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        *,
        rng: Rng = None,
    ) -> None:
        self.embed_dim = size(embed_dim, "embed_dim", 1)
        self.num_heads = size(num_heads, "num_heads", 1)
        if self.embed_dim % self.num_heads:
            raise OperandError(f"embed_dim {embed_dim} is not a multiple of num_heads {num_heads}")
        rows, source = 3 * self.embed_dim, init.generator(rng)
        self.in_proj_weight = Table.zeros(rows, self.embed_dim, "w_in")
        self.in_proj_bias = Vector.full(rows, 0.0, "b_in") if flag(bias, "bias") else None
        self.out_proj = Linear(self.embed_dim, self.embed_dim, bias, rng=source)
        self.dropout = Dropout(dropout, rng=source)
        init.xavier_uniform_(self.in_proj_weight, rng=source)
        init.zeros_(self.out_proj.bias or [])

    def forward(
        self,
        query: Any,
        key: Any,
        value: Any,
        *,
        need_weights: bool = True,
        attn_mask: Any = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[list[Any], Any]:
        """Mix the vectors of `value`.

        Parameters
        ----------
        query : list of L vectors of length E
        key, value : list of S vectors of length E
        need_weights : bool
            Whether to return the weights, too; without them, fewer nodes are made.
        attn_mask : L lists of S bools or floats, no Values, optional
            True where a query may not look at a key; or what is added to the score.
        average_attn_weights : bool
            Whether the weights are averaged over the heads.
        is_causal : bool
            Whether a query looks only at keys that do not come after it.

        Returns
        -------
        list of L lists of E Values, and weights
            L lists of S numbers, or a list of such for each head, or None.

        Raises
        ------
        OperandError
            If a length does not fit, or a query may look at no key.
        """
        queries, keys, values = map(self._projected, range(3), (query, key, value))
        of_length(values, len(keys), _NAME)
        masks = [None] * len(queries) if attn_mask is None else attn_mask
        causal = flag(is_causal, "is_causal")
        found, weights = [], []
        for t, mask in enumerate(of_length(masks, len(queries), _NAME)):
            row = [0.0] * len(keys) if mask is None else of_length(mask, len(keys), _NAME)
            added = {s: _additive_mask(x) for s, x in enumerate(row[: t + 1] if causal else row)}
            seen = {s: x for s, x in added.items() if x is not None}
            if not seen:
                raise OperandError(f"query {t} may look at no key: let it see one, its own perhaps")
            mixed, heads = self._attend(queries[t], keys, values, seen)
            found.append(self.out_proj(mixed))
            weights.append([[head.get(s, 0.0) for s in range(len(keys))] for head in heads])
        if not flag(need_weights, "need_weights"):
            return found, None
        if flag(average_attn_weights, "average_attn_weights"):
            return found, [[mean(ws) for ws in zip(*heads, strict=True)] for heads in weights]
        return found, [[*head] for head in zip(*weights, strict=True)]

    def _projected(self, part: int, sequence: Any) -> list[list[Any]]:
        """Return the queries, keys or values of a sequence."""
        rows = slice(part * self.embed_dim, (part + 1) * self.embed_dim)
        bias = None if self.in_proj_bias is None else Vector(self.in_proj_bias[rows])
        return [
            affine(self.in_proj_weight[rows], of_length(x, self.embed_dim, _NAME), bias)
            for x in listed_inputs(sequence, _NAME)
        ]

    def _attend(self, query: list[Any], keys: Any, values: Any, seen: dict[int, Any]) -> Any:
        """Return the output of all heads for a query, and in each the weights of its keys."""
        n = self.embed_dim // self.num_heads
        mixed, heads = [], []
        for start in range(0, self.embed_dim, n):
            part = slice(start, start + n)
            scores = {s: dot(query[part], keys[s][part]) / math.sqrt(n) for s in seen}
            shifted = [score if seen[s] == 0.0 else score + seen[s] for s, score in scores.items()]
            weights = self.dropout(softmax(shifted))
            columns = zip(*(values[s][part] for s in seen), strict=True)
            mixed += [dot(weights, column) for column in columns]
            heads.append(dict(zip(seen, weights, strict=True)))
        return mixed, heads


def _additive_mask(mask: Any) -> Any:
    """Return the term that a mask adds to a score; None where it leaves out the key."""
    mask = mask.item() if hasattr(mask, "dtype") else mask
    if isinstance(mask, bool):
        return None if mask else 0.0
    found = number(
        mask, "attn_mask, which the function closes over if it is compiled,", finite=False
    )
    return None if found == -math.inf else found
