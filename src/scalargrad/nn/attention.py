"""Multi-head attention."""

from __future__ import annotations

import math
from typing import Any

from scalargrad.checks.arguments import check_flag, check_number, check_size
from scalargrad.errors import OperandError
from scalargrad.nn import init
from scalargrad.nn.activation import Dropout
from scalargrad.nn.init import Rng
from scalargrad.nn.inputs import as_input_list, check_length
from scalargrad.nn.linear import Linear, affine
from scalargrad.nn.module import Module
from scalargrad.nn.sparse import ParameterMatrix, Vector
from scalargrad.ops import (
    dot,
    mean,
    softmax,
)

__all__ = ["MultiheadAttention"]


#: The name of the module in messages, because its repr has several lines.
_NAME = "MultiheadAttention"


class MultiheadAttention(Module):
    """Multi-head attention: softmax(qk / √d) · v in each head, for queries q, keys k and values v.

    Parameters
    ----------
    embed_dim : int
        Length E of the vector of a position.
    num_heads : int
        Number of heads; must divide `embed_dim`.
    dropout : float
        Probability of dropping an attention weight during training.
    bias : bool
        Add biases in the projections.
    rng : random.Random or int, optional
        Random generator or seed; default: the module ``random``.

    Attributes
    ----------
    in_proj_weight, in_proj_bias : 3E rows of E Parameters; Vector of 3E, or None
        The projections of queries, keys and values, stacked. Weights are initialized by
        `xavier_uniform_`, biases to 0.
    out_proj : Linear
        The projection of the output.

    Raises
    ------
    OperandError
        If `num_heads` does not divide `embed_dim`.

    Notes
    -----
    The input is one sequence. For a batch, call the module in a loop or use `vmap`.

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
        self.embed_dim = check_size(embed_dim, "embed_dim", 1)
        self.num_heads = check_size(num_heads, "num_heads", 1)
        if self.embed_dim % self.num_heads:
            raise OperandError(f"embed_dim {embed_dim} is not a multiple of num_heads {num_heads}")
        rows, source = 3 * self.embed_dim, init.generator(rng)
        self.in_proj_weight = ParameterMatrix.zeros(rows, self.embed_dim, "w_in")
        self.in_proj_bias = Vector.full(rows, 0.0, "b_in") if check_flag(bias, "bias") else None
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
        """Compute the attention output and the attention weights.

        Parameters
        ----------
        query : list of L vectors of length E
            The queries.
        key, value : list of S vectors of length E
            The keys and the values.
        need_weights : bool
            Return the attention weights as well; without them, fewer nodes are created.
        attn_mask : L lists of S bools or floats, not Values, optional
            A bool is True where a query must not attend to a key; a float is added to the score.
        average_attn_weights : bool
            Average the weights over the heads.
        is_causal : bool
            A query attends only to keys at its own position or before.

        Returns
        -------
        output : list of L lists of E Values
        weights : L lists of S numbers, a list of these for each head, or None

        Raises
        ------
        OperandError
            If a length does not match, or all keys are masked for a query.
        """
        queries, keys, values = map(self._project, range(3), (query, key, value))
        check_length(values, len(keys), _NAME)
        masks = [None] * len(queries) if attn_mask is None else attn_mask
        causal = check_flag(is_causal, "is_causal")
        outputs, weights = [], []
        for t, mask in enumerate(check_length(masks, len(queries), _NAME)):
            row = [0.0] * len(keys) if mask is None else check_length(mask, len(keys), _NAME)
            terms = {s: _additive_mask(x) for s, x in enumerate(row[: t + 1] if causal else row)}
            unmasked = {s: x for s, x in terms.items() if x is not None}
            if not unmasked:
                raise OperandError(
                    f"all keys are masked for query {t}: allow at least one, such as its own"
                )
            mixed, heads = self._attend(queries[t], keys, values, unmasked)
            outputs.append(self.out_proj(mixed))
            weights.append([[head.get(s, 0.0) for s in range(len(keys))] for head in heads])
        if not check_flag(need_weights, "need_weights"):
            return outputs, None
        if check_flag(average_attn_weights, "average_attn_weights"):
            return outputs, [[mean(ws) for ws in zip(*heads, strict=True)] for heads in weights]
        return outputs, [[*head] for head in zip(*weights, strict=True)]

    def _project(self, part: int, sequence: Any) -> list[list[Any]]:
        """Return the queries (part 0), keys (1) or values (2) of a sequence."""
        rows = slice(part * self.embed_dim, (part + 1) * self.embed_dim)
        bias = None if self.in_proj_bias is None else Vector(self.in_proj_bias[rows])
        return [
            affine(self.in_proj_weight[rows], check_length(x, self.embed_dim, _NAME), bias)
            for x in as_input_list(sequence, _NAME)
        ]

    def _attend(self, query: list[Any], keys: Any, values: Any, mask: dict[int, Any]) -> Any:
        """Return the concatenated output of the heads for a query, and each head's weights.

        `mask` maps each key to attend to, by its index, to the term added to its score.
        """
        n = self.embed_dim // self.num_heads
        mixed, heads = [], []
        for start in range(0, self.embed_dim, n):
            part = slice(start, start + n)
            scores = {s: dot(query[part], keys[s][part]) / math.sqrt(n) for s in mask}
            masked = [score if mask[s] == 0.0 else score + mask[s] for s, score in scores.items()]
            weights = self.dropout(softmax(masked))
            columns = zip(*(values[s][part] for s in mask), strict=True)
            mixed += [dot(weights, column) for column in columns]
            heads.append(dict(zip(mask, weights, strict=True)))
        return mixed, heads


def _additive_mask(mask: Any) -> Any:
    """Return the term that a mask adds to a score, or None if it masks the key."""
    mask = mask.item() if hasattr(mask, "dtype") else mask
    if isinstance(mask, bool):
        return None if mask else 0.0
    term = check_number(
        mask, "attn_mask (in a compiled function, close over the mask)", finite=False
    )
    return None if term == -math.inf else term
