"""Layers with parameters: linear, recurrent, normalization, attention and embedding layers."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import Any, ClassVar, TypeAlias

from scalargrad.checks.arguments import choice, flag, listed, number, size, whole
from scalargrad.engine.value import Scalar, Value
from scalargrad.errors import OperandError
from scalargrad.nn import init
from scalargrad.nn.activation import Dropout
from scalargrad.nn.init import Rng
from scalargrad.nn.inputs import as_input_list, check_index, check_length, is_batch, map_batch
from scalargrad.nn.module import Module
from scalargrad.nn.sparse import ParameterMatrix, Vector
from scalargrad.ops import (
    add,
    dot,
    maximum,
    mean,
    ne,
    relu,
    sigmoid,
    softmax,
    sqrt,
    sum,
    take,
    tanh,
    where,
)

__all__ = [
    "Embedding",
    "EmbeddingBag",
    "GRUCell",
    "LSTMCell",
    "LayerNorm",
    "Linear",
    "MultiheadAttention",
    "RMSNorm",
    "RNNCell",
    "RNNCellBase",
]


def affine(rows: Sequence[Any], x: Sequence[Any], bias: Vector | None) -> list[Any]:
    """Return wx + b for each row w of weights and its bias b.

    Examples
    --------
    >>> affine([[2.0, 3.0]], [10.0, 100.0], None)
    [320.0]
    """
    return [dot(row, x, b) for row, b in zip(rows, bias or [None] * len(rows), strict=True)]


class Linear(Module):
    """An affine layer, yⱼ = Σᵢ wⱼᵢxᵢ + bⱼ.

    Parameters
    ----------
    in_features, out_features : int
        Number of inputs nin, and of outputs nout.
    bias : bool
        Add the biases b.
    rng : random.Random or int, optional
        Random generator or seed; default: the module ``random``.

    Attributes
    ----------
    weight : nout rows of nin Parameters
        ``weight[j][i]``, or ``weight[j, i]``, connects input i to output j, as in PyTorch and in
        Toronto's lecture. UCSB's and UNC's wᵢⱼ is ``weight[j][i]``. Hosseini's U is the transpose,
        with nin rows and nout columns. ``weight[:, i]`` is a column.
    bias : Vector of nout Parameters, or None

    Notes
    -----
    Weights and biases are drawn from U(-1/√nin, 1/√nin), PyTorch's default. A call creates nout
    nodes. A sparse input is a dict from index to value; the other entries are 0. Only the weights
    of its entries are part of the graph, and are visited by the backward pass and the optimizer.
    Consecutive linear layers are equivalent to one: W₂(W₁x) = (W₂W₁)x.

    References
    ----------
    He, Zhang, Ren and Sun, 2015 (the initialization, with slope √5).

    Examples
    --------
    >>> layer = Linear(3, 2, rng=0)
    >>> layer
    Linear(in_features=3, out_features=2, bias=True)
    >>> dense, sparse = layer([0.0, 2.0, 0.0]), layer({1: 2.0})
    >>> [a.data == b.data for a, b in zip(dense, sparse)]
    [True, True]
    """

    def __init__(
        self, in_features: int, out_features: int, bias: bool = True, *, rng: Rng = None
    ) -> None:
        self.in_features = size(in_features, "in_features")
        self.out_features = size(out_features, "out_features")
        self.weight = ParameterMatrix.zeros(self.out_features, self.in_features, "w")
        self.bias = Vector.full(self.out_features, 0.0, "b") if flag(bias, "bias") else None
        self.reset_parameters(rng)

    def reset_parameters(self, rng: Rng = None) -> None:
        """Draw new weights and biases."""
        source = init.generator(rng)
        init.kaiming_uniform_(self.weight, a=math.sqrt(5.0), rng=source)
        if self.bias is not None:
            bound = 1.0 / math.sqrt(self.in_features) if self.in_features else 0.0
            init.uniform_(self.bias, -bound, bound, rng=source)

    def forward(self, x: Sequence[Any] | Mapping[int, Scalar]) -> Any:
        """Compute the outputs.

        Parameters
        ----------
        x : sequence of length nin, or dict from int to scalar, or a batch of either
            The input. A batch is a list of inputs, or an array with one in each row.

        Returns
        -------
        list of nout Values, or for a batch a list of these

        Raises
        ------
        OperandError
            If `x` is neither a sequence nor a dict, or has the wrong length.
        DomainError
            If an index of a sparse input is not in 0 … nin - 1.
        """
        if isinstance(x, Mapping):
            present = [check_index(i, self.in_features, self) for i in x]
            rows = [[row[i] for i in present] for row in self.weight]
            return affine(rows, list(x.values()), self.bias)
        return map_batch(x, self.in_features, self, lambda x: affine(self.weight, x, self.bias))

    def extra_repr(self) -> str:
        """Return sizes, in PyTorch's format."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class RNNCellBase(Module):
    """Base class of recurrent cells: the parameters, in PyTorch's layout, and batches.

    Attributes
    ----------
    weight_ih, weight_hh : k·hidden_size rows of input_size and of hidden_size Parameters
        Weights of the input and of the state, with the rows of the k gates stacked.
    bias_ih, bias_hh : Vector of k·hidden_size Parameters, or None
    """

    gates: ClassVar[int]

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, *, rng: Rng = None
    ) -> None:
        self.input_size = size(input_size, "input_size")
        self.hidden_size = size(hidden_size, "hidden_size", 1)
        rows = self.gates * self.hidden_size
        self.weight_ih = ParameterMatrix.zeros(rows, self.input_size, "w_ih")
        self.weight_hh = ParameterMatrix.zeros(rows, self.hidden_size, "w_hh")
        self.bias_ih = Vector.full(rows, 0.0, "b_ih") if flag(bias, "bias") else None
        self.bias_hh = Vector.full(rows, 0.0, "b_hh") if bias else None
        self.reset_parameters(rng)

    def reset_parameters(self, rng: Rng = None) -> None:
        """Draw all parameters from U(-1/√hidden_size, 1/√hidden_size)."""
        source, bound = init.generator(rng), 1.0 / math.sqrt(self.hidden_size)
        for tensor in (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh):
            if tensor is not None:
                init.uniform_(tensor, -bound, bound, rng=source)

    def _next_states(self, input: Any, states: Sequence[Any]) -> tuple[list[Any], ...]:
        """Return the next states, for each example of a batch; a state of None means zeros."""
        x = as_input_list(input, self)
        if is_batch(x):
            columns = [
                [None] * len(x) if s is None else check_length(s, len(x), self) for s in states
            ]
            each = [self._next_states(row[0], row[1:]) for row in zip(x, *columns, strict=True)]
            return tuple([*column] for column in zip(*each, strict=True))
        zeros = [0.0] * self.hidden_size
        current = [zeros if s is None else check_length(s, self.hidden_size, self) for s in states]
        from_x = affine(self.weight_ih, check_length(x, self.input_size, self), self.bias_ih)
        from_h = affine(self.weight_hh, current[0], self.bias_hh)
        starts = range(0, len(from_x), self.hidden_size)
        gates = ([sums[i : i + self.hidden_size] for i in starts] for sums in (from_x, from_h))
        return self._step(*gates, *current)

    def _step(self, from_x: Any, from_h: Any, *states: list[Any]) -> tuple[list[Any], ...]:
        """Compute the next states from W x + b and W h + b of each gate."""
        raise NotImplementedError

    def forward(self, input: Any, hx: Any = None) -> Any:
        """Compute the next state.

        Parameters
        ----------
        input : list of input_size scalars, or for a batch a list of N of these
            The input.
        hx : list of hidden_size scalars, or N of these; for an LSTM a pair (h, c); optional
            The previous state; default: zeros.

        Returns
        -------
        list of hidden_size Values, or N of these; for an LSTM a pair (h, c)

        Raises
        ------
        OperandError
            If the length of an input or of a state does not match the cell.
        """
        return self._next_states(input, [hx])[0]

    def extra_repr(self) -> str:
        """Return sizes, in PyTorch's format."""
        without = "" if self.bias_ih is not None else ", bias=False"
        return f"{self.input_size}, {self.hidden_size}{without}"


class RNNCell(RNNCellBase):
    """A step of Elman's recurrent network, h′ = tanh(W_ih x + b_ih + W_hh h + b_hh).

    Parameters
    ----------
    input_size, hidden_size : int
        Lengths of the input and of the state.
    bias : bool
        Add biases.
    nonlinearity : {"tanh", "relu"}
        The activation.
    rng : random.Random or int, optional
        Random generator or seed; default: the module ``random``.

    Raises
    ------
    DomainError
        If `nonlinearity` is neither "tanh" nor "relu".

    References
    ----------
    Elman, Finding structure in time, 1990.

    Examples
    --------
    >>> cell, h = RNNCell(1, 3, rng=0), None
    >>> for x in [0.5, -1.0, 2.0]:
    ...     h = cell([x], h)
    >>> cell, len(h)
    (RNNCell(1, 3), 3)
    """

    gates = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        *,
        rng: Rng = None,
    ) -> None:
        self.nonlinearity = choice(nonlinearity, "nonlinearity", ["tanh", "relu"])
        super().__init__(input_size, hidden_size, bias, rng=rng)

    def _step(self, from_x: Any, from_h: Any, *_: list[Any]) -> tuple[list[Any], ...]:
        activation = tanh if self.nonlinearity == "tanh" else relu
        return ([activation(a + b) for a, b in zip(from_x[0], from_h[0], strict=True)],)

    def extra_repr(self) -> str:
        """Return sizes and options other than the defaults, in PyTorch's format."""
        return super().extra_repr() + (", nonlinearity=relu" if self.nonlinearity == "relu" else "")


class GRUCell(RNNCellBase):
    """A gated recurrent unit: h′ = (1 - z) · n + z · h, n = tanh(W x + b + r · (W h + b)).

    Parameters
    ----------
    input_size, hidden_size : int
        Lengths of the input and of the state.
    bias : bool
        Add biases.
    rng : random.Random or int, optional
        Random generator or seed; default: the module ``random``.

    Notes
    -----
    The gates are in PyTorch's order: reset r, update z, new n.

    References
    ----------
    Cho et al., Learning phrase representations using RNN encoder-decoder, 2014.

    Examples
    --------
    >>> len(GRUCell(2, 3, rng=0)([1.0, 2.0]))
    3
    """

    gates = 3

    def _step(self, from_x: Any, from_h: Any, *states: list[Any]) -> tuple[list[Any], ...]:
        hidden = []
        for r, z, n, r_h, z_h, n_h, h in zip(*from_x, *from_h, states[0], strict=True):
            update, candidate = sigmoid(z + z_h), tanh(n + sigmoid(r + r_h) * n_h)
            hidden.append((1.0 - update) * candidate + update * h)
        return (hidden,)


class LSTMCell(RNNCellBase):
    """A long short-term memory: c′ = f · c + i · g, h′ = o · tanh c′.

    Parameters
    ----------
    input_size, hidden_size : int
        Lengths of the input and of the states h and c.
    bias : bool
        Add biases.
    rng : random.Random or int, optional
        Random generator or seed; default: the module ``random``.

    Notes
    -----
    The gates are in PyTorch's order: input i, forget f, cell g (a tanh), output o.

    References
    ----------
    Hochreiter and Schmidhuber, Long short-term memory, 1997; Gers, Schmidhuber and Cummins, 2000.

    Examples
    --------
    >>> h, c = LSTMCell(2, 3, rng=0)([1.0, 2.0])
    >>> len(h), len(c)
    (3, 3)
    """

    gates = 4

    def forward(self, input: Any, hx: Any = None) -> Any:
        """Compute the next pair of states (h, c) from the pair `hx`; see `RNNCellBase.forward`."""
        states = [None, None] if hx is None else listed(hx, "hx", "the states h and c")
        if len(states) != 2:
            raise OperandError(f"LSTMCell: hx has {len(states)} items; give the pair (h, c)")
        return self._next_states(input, states)

    def _step(self, from_x: Any, from_h: Any, *states: list[Any]) -> tuple[list[Any], ...]:
        hidden, cells = [], []
        for c, *sums in zip(states[1], *from_x, *from_h, strict=True):
            i, f, g, o = map(add, sums[:4], sums[4:])
            cells.append(sigmoid(f) * c + sigmoid(i) * tanh(g))
            hidden.append(sigmoid(o) * tanh(cells[-1]))
        return hidden, cells


Length: TypeAlias = int | Sequence[int]


class RMSNorm(Module):
    """Scale an example to root mean square 1, xᵢ / √(Σ xⱼ² / n + ε) · wᵢ.

    Parameters
    ----------
    normalized_shape : int, or a list of one
        The length n of an example. To normalize over several dimensions, `Flatten` them first.
    eps : float, optional
        ε, which keeps the root from being 0; default: 2.2 · 10⁻¹⁶, the machine epsilon.
    elementwise_affine : bool
        Multiply by the weights w.

    Attributes
    ----------
    weight : Vector of n Parameters, or None
        Initially ones.

    References
    ----------
    Zhang and Sennrich, Root mean square layer normalization, 2019, equation 4.

    Examples
    --------
    >>> [round(y, 3) for y in RMSNorm(4, elementwise_affine=False)([3.0, 4.0, 0.0, 0.0])]
    [1.2, 1.6, 0.0, 0.0]
    """

    def __init__(
        self, normalized_shape: Length, eps: float | None = None, elementwise_affine: bool = True
    ) -> None:
        shape: Any = normalized_shape
        is_list = isinstance(shape, list | tuple) and len(shape) == 1
        self._length = size(shape[0] if is_list else shape, "normalized_shape", 1)
        self.eps = None if eps is None else number(eps, "eps", 0.0)
        self._is_affine = flag(elementwise_affine, "elementwise_affine")
        self.weight = Vector.full(self._length, 1.0, "w") if self._is_affine else None

    def forward(self, x: Any) -> Any:
        """Normalize one example, or each example in nested lists.

        Parameters
        ----------
        x : list of n scalars, or nested lists of these
            The example or examples.

        Returns
        -------
        list of n Values, or nested lists of these as in `x`

        Raises
        ------
        OperandError
            If the length of an example is not n.
        """
        return map_batch(x, self._length, self, self._normalize)

    def _normalize(self, x: list[Any]) -> list[Any]:
        eps = sys.float_info.epsilon if self.eps is None else self.eps
        length = sqrt(dot(x, x) / len(x) + eps)
        scaled = [xi / length for xi in x]
        if self.weight is None:
            return scaled
        return [xi * w for xi, w in zip(scaled, self.weight, strict=True)]

    def extra_repr(self) -> str:
        """Return shape and options, in PyTorch's format."""
        return f"({self._length},), eps={self.eps}, elementwise_affine={self._is_affine}"


class LayerNorm(RMSNorm):
    """Shift and scale an example to mean 0 and variance 1, (x - E[x]) / √(Var[x] + ε) · w + b.

    Parameters
    ----------
    normalized_shape : int, or a list of one
        The length n of an example. To normalize over several dimensions, `Flatten` them first.
    eps : float
        ε, which keeps the root from being 0.
    elementwise_affine, bias : bool
        Multiply by the weights w; if so, also add the biases b.

    Attributes
    ----------
    weight, bias : Vector of n Parameters, or None
        Initially ones and zeros.

    References
    ----------
    Ba, Kiros and Hinton, Layer normalization, 2016.

    Examples
    --------
    >>> [round(y.data, 3) for y in LayerNorm(2)([1.0, 3.0])]
    [-1.0, 1.0]
    """

    def __init__(
        self,
        normalized_shape: Length,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        super().__init__(normalized_shape, eps, elementwise_affine)
        has_bias = flag(bias, "bias") and self._is_affine
        self.bias = Vector.full(self._length, 0.0, "b") if has_bias else None

    def _normalize(self, x: list[Any]) -> list[Any]:
        center = mean(x)
        scaled = super()._normalize([xi - center for xi in x])
        if self.bias is None:
            return scaled
        return [y + b for y, b in zip(scaled, self.bias, strict=True)]

    def extra_repr(self) -> str:
        """Return shape and options, in PyTorch's format."""
        return f"{super().extra_repr()}, bias={self.bias is not None}"


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
        self.embed_dim = size(embed_dim, "embed_dim", 1)
        self.num_heads = size(num_heads, "num_heads", 1)
        if self.embed_dim % self.num_heads:
            raise OperandError(f"embed_dim {embed_dim} is not a multiple of num_heads {num_heads}")
        rows, source = 3 * self.embed_dim, init.generator(rng)
        self.in_proj_weight = ParameterMatrix.zeros(rows, self.embed_dim, "w_in")
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
        causal = flag(is_causal, "is_causal")
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
        if not flag(need_weights, "need_weights"):
            return outputs, None
        if flag(average_attn_weights, "average_attn_weights"):
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
    term = number(mask, "attn_mask (in a compiled function, close over the mask)", finite=False)
    return None if term == -math.inf else term


class Embedding(Module):
    """A lookup table with one trainable vector for each index, such as a word of a vocabulary.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
        Number of vectors, and their length.
    padding_idx : int, optional
        Index of a row that is initially 0 and not trained; negative counts from the end.
    rng : random.Random or int, optional
        Random generator or seed; default: the module ``random``.

    Attributes
    ----------
    weight : num_embeddings rows of embedding_dim Parameters
        Drawn from the standard normal distribution.

    Notes
    -----
    A lookup creates no nodes: it returns the Parameters themselves. The cost of a training step
    with SGD or SparseAdam is proportional to the number of rows looked up.

    Examples
    --------
    >>> embedding = Embedding(10, 3, rng=0)
    >>> embedding
    Embedding(10, 3)
    >>> embedding(4) == list(embedding.weight[4])
    True
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        *,
        rng: Rng = None,
    ) -> None:
        self.num_embeddings = size(num_embeddings, "num_embeddings")
        self.embedding_dim = size(embedding_dim, "embedding_dim")
        self.weight = ParameterMatrix.zeros(self.num_embeddings, self.embedding_dim, "e")
        self.padding_idx = padding_idx
        if padding_idx is not None:
            n = self.num_embeddings
            self.padding_idx = whole(padding_idx, "padding_idx", -n, n - 1) % n
        self.reset_parameters(rng)

    def reset_parameters(self, rng: Rng = None) -> None:
        """Draw new vectors, and set the padding row to 0."""
        init.normal_(self.weight, rng=rng)
        if self.padding_idx is not None:
            init.zeros_(self.weight[self.padding_idx])

    def row(self, index: int | Value) -> list[Value]:
        """Return one row: Parameters, or for the padding row detached Values."""
        number = check_index(index, self.num_embeddings, self)
        if isinstance(number, Value):
            return self._take_row(number)
        row = self.weight[number]
        return [p.detach() for p in row] if number == self.padding_idx else list(row)

    def _take_row(self, index: Value) -> list[Value]:
        """Return the row at an index that is a Value, by a gather from the weight matrix."""
        row: list[Value] = take(self.weight, index)
        if self.padding_idx is None:
            return row
        is_trained = ne(index, self.padding_idx)
        return [where(is_trained, p, p.detach()) for p in row]

    def forward(self, index: Any) -> Any:
        """Look up one row, or nested lists of rows.

        Parameters
        ----------
        index : int or nested lists of int
            Each in 0 … num_embeddings - 1. The indices may be arguments of a compiled function.

        Returns
        -------
        list of embedding_dim Values, or nested lists of these

        Raises
        ------
        DomainError
            If an index is out of range.
        OperandError
            If an index is not a whole number.
        """
        index = index.tolist() if hasattr(index, "tolist") else index
        if isinstance(index, list | tuple):
            return [Embedding.forward(self, i) for i in index]
        return self.row(index)

    def extra_repr(self) -> str:
        """Return sizes, in PyTorch's format."""
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"


class EmbeddingBag(Embedding):
    """An Embedding that sums or averages the vectors of a bag of indices, as for a bag of words.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
        Number of vectors, and their length.
    mode : {"mean", "sum"}
        Average or sum the vectors of a bag.
    padding_idx : int, optional
        Index of a row that is left out of every bag; negative counts from the end.
    rng : random.Random or int, optional
        Random generator or seed; default: the module ``random``.

    Raises
    ------
    DomainError
        If `mode` is neither "mean" nor "sum".

    Notes
    -----
    A bag creates embedding_dim nodes. The result for an empty bag is zeros, as in PyTorch.

    Examples
    --------
    >>> bag = EmbeddingBag(10, 3, mode="sum", rng=0)
    >>> bag
    EmbeddingBag(10, 3, mode='sum')
    >>> bag([4, 4])[0].data == 2 * bag.weight[4][0].data
    True
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        mode: str = "mean",
        padding_idx: int | None = None,
        *,
        rng: Rng = None,
    ) -> None:
        self.mode = choice(mode, "EmbeddingBag: mode", ("mean", "sum"))
        super().__init__(num_embeddings, embedding_dim, padding_idx, rng=rng)

    def forward(self, index: Any, per_sample_weights: Any = None) -> Any:
        """Combine the vectors of one bag, or of each of several bags.

        Parameters
        ----------
        index : list of int, or nested lists of these
            One bag, or several.
        per_sample_weights : list of scalars with the shape of `index`, optional
            A factor for each index; only with mode "sum".

        Returns
        -------
        list of embedding_dim Values, or a list of these for each bag

        Raises
        ------
        OperandError
            If `per_sample_weights` is passed with mode "mean", or its shape is not that of
            `index`.
        DomainError
            If an index is out of range.
        """
        weights: list[Any] | None = None
        if per_sample_weights is not None:
            weights = listed(per_sample_weights, "per_sample_weights", "numbers, nested as index")
            if self.mode != "sum":
                raise OperandError("EmbeddingBag: per_sample_weights requires mode='sum'")
        index = listed(
            index.tolist() if hasattr(index, "tolist") else index, "index", "whole numbers"
        )
        if weights is not None and len(weights) != len(index):
            raise OperandError(
                f"EmbeddingBag: {len(weights)} per_sample_weights for {len(index)} indices"
            )
        if index and isinstance(index[0], list | tuple):
            each = zip(index, weights or repeat(None), strict=False)
            return [self.forward(bag, w) for bag, w in each]
        return self._combine(index, weights)

    def _combine(self, index: Sequence[Any], weights: Sequence[Scalar] | None) -> list[Value]:
        if self.padding_idx is not None and any(isinstance(i, Value) for i in index):
            return self._combine_masked(index, weights, self.padding_idx)
        kept = [n for n, i in enumerate(index) if i != self.padding_idx]
        rows = [self.row(index[n]) for n in kept]
        if not rows:
            return [Value(0.0) for _ in range(self.embedding_dim)]
        columns = zip(*rows, strict=True)
        if weights is not None:
            factors = [weights[n] for n in kept]
            return [dot(factors, column) for column in columns]
        combine = sum if self.mode == "sum" else mean
        return [combine(column) for column in columns]

    def _combine_masked(
        self, index: Sequence[Any], weights: Sequence[Scalar] | None, padding: int
    ) -> list[Value]:
        """Combine the rows at indices that are Values; padding has the factor 0."""
        included = [ne(i, padding) for i in index]
        factors = [w * x for w, x in zip(weights, included, strict=True)] if weights else included
        count = maximum(sum(included), 1.0) if self.mode == "mean" else 1.0
        columns = zip(*map(self.row, index), strict=True)
        return [dot(factors, column) / count for column in columns]

    def extra_repr(self) -> str:
        """Return sizes and mode, in PyTorch's format."""
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}, mode={self.mode!r}{padding}"
