"""Layers with parameters: affine, recurrent, normalising, of attention; tables of vectors."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import Any, ClassVar, TypeAlias

from scalargrad.errors import OperandError
from scalargrad.nn import init
from scalargrad.nn.activation import Dropout
from scalargrad.nn.init import Rng
from scalargrad.nn.inputs import are_rows, by_row, checked_index, listed_inputs, of_length
from scalargrad.nn.module import Module
from scalargrad.nn.sparse import Table, Vector
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
from scalargrad.table.validation import choice, flag, listed, number, size, whole
from scalargrad.value import Scalar, Value

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
        Whether to add b.
    rng : random.Random or int, optional
        Generator or seed; without it the module ``random`` draws.

    Attributes
    ----------
    weight : nout rows of nin Parameters
        ``weight[j][i]``, or ``weight[j, i]``, leads *from* input i *to* output j, as in PyTorch
        and in Toronto's lecture; UCSB's and UNC's wᵢⱼ is ``weight[j][i]``, and Hosseini's U is
        its transpose, of nin rows and nout columns. ``weight[:, i]`` is a column.
    bias : Vector of nout Parameters, or None

    Notes
    -----
    Weights and biases are drawn from U(-1/√nin, 1/√nin), PyTorch's default. A call makes nout
    nodes. A sparse input, a dict from index to value, stands for a vector that is 0 elsewhere:
    only the weights of the entries present take part, in the call and in everything after it.
    Linear layers in a row collapse to one: W₂(W₁x) = (W₂W₁)x.

    References
    ----------
    He, Zhang, Ren and Sun, 2015 (the draw, with slope √5).

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
        self.weight = Table.zeros(self.out_features, self.in_features, "w")
        self.bias = Vector.full(self.out_features, 0.0, "b") if flag(bias, "bias") else None
        self.reset_parameters(rng)

    def reset_parameters(self, rng: Rng = None) -> None:
        """Draw weights and biases again."""
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
            Inputs. A batch is a list of them, or an array whose rows they are.

        Returns
        -------
        list of nout Values, or a list of such for each example of a batch

        Raises
        ------
        OperandError
            If `x` is neither, or has the wrong length.
        DomainError
            If an index of a sparse input is not in 0 … nin - 1.
        """
        if isinstance(x, Mapping):
            present = [checked_index(i, self.in_features, self) for i in x]
            rows = [[row[i] for i in present] for row in self.weight]
            return affine(rows, list(x.values()), self.bias)
        return by_row(x, self.in_features, self, lambda x: affine(self.weight, x, self.bias))

    def extra_repr(self) -> str:
        """Return sizes, as PyTorch prints them."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class RNNCellBase(Module):
    """The base of the cells: parameters, as PyTorch lays them out, and batches.

    Attributes
    ----------
    weight_ih, weight_hh : k·hidden_size rows of input_size and of hidden_size Parameters
        From the input and from the state; the k gates one below the other.
    bias_ih, bias_hh : Vector of k·hidden_size Parameters, or None
    """

    gates: ClassVar[int]

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, *, rng: Rng = None
    ) -> None:
        self.input_size = size(input_size, "input_size")
        self.hidden_size = size(hidden_size, "hidden_size", 1)
        rows = self.gates * self.hidden_size
        self.weight_ih = Table.zeros(rows, self.input_size, "w_ih")
        self.weight_hh = Table.zeros(rows, self.hidden_size, "w_hh")
        self.bias_ih = Vector.full(rows, 0.0, "b_ih") if flag(bias, "bias") else None
        self.bias_hh = Vector.full(rows, 0.0, "b_hh") if bias else None
        self.reset_parameters(rng)

    def reset_parameters(self, rng: Rng = None) -> None:
        """Draw all parameters from U(-1/√hidden_size, 1/√hidden_size)."""
        source, bound = init.generator(rng), 1.0 / math.sqrt(self.hidden_size)
        for tensor in (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh):
            if tensor is not None:
                init.uniform_(tensor, -bound, bound, rng=source)

    def _next(self, input: Any, states: Sequence[Any]) -> tuple[list[Any], ...]:
        """Return the next states, of each example of a batch; a state of None is zeros."""
        x = listed_inputs(input, self)
        if are_rows(x):
            given = [[None] * len(x) if s is None else of_length(s, len(x), self) for s in states]
            each = [self._next(at[0], at[1:]) for at in zip(x, *given, strict=True)]
            return tuple([*column] for column in zip(*each, strict=True))
        zeros = [0.0] * self.hidden_size
        now = [zeros if s is None else of_length(s, self.hidden_size, self) for s in states]
        new = affine(self.weight_ih, of_length(x, self.input_size, self), self.bias_ih)
        old = affine(self.weight_hh, now[0], self.bias_hh)
        starts = range(0, len(new), self.hidden_size)
        gates = ([sums[i : i + self.hidden_size] for i in starts] for sums in (new, old))
        return self._step(*gates, *now)

    def _step(self, new: Any, old: Any, *states: list[Any]) -> tuple[list[Any], ...]:
        """Compute the next states from W x + b and W h + b of each gate."""
        raise NotImplementedError

    def forward(self, input: Any, hx: Any = None) -> Any:
        """Compute the next state.

        Parameters
        ----------
        input : list of input_size scalars, or a list of such for each of N examples
        hx : list of hidden_size scalars, or N of them; an LSTM's is a pair (h, c); optional
            The state before; zeros by default.

        Returns
        -------
        list of hidden_size Values, or N of them; of an LSTM, a pair (h, c)

        Raises
        ------
        OperandError
            If a length is not the cell's.
        """
        return self._next(input, [hx])[0]

    def extra_repr(self) -> str:
        """Return sizes, as PyTorch prints them."""
        without = "" if self.bias_ih is not None else ", bias=False"
        return f"{self.input_size}, {self.hidden_size}{without}"


class RNNCell(RNNCellBase):
    """A step of Elman's recurrent network, h′ = tanh(W_ih x + b_ih + W_hh h + b_hh).

    Parameters
    ----------
    input_size, hidden_size : int
        Lengths of an input and of the state.
    bias : bool
        Whether to add biases.
    nonlinearity : {"tanh", "relu"}
        What is applied to the sums.
    rng : random.Random or int, optional
        Generator or seed; without it the module ``random`` draws.

    Raises
    ------
    DomainError
        If `nonlinearity` is another.

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

    def _step(self, new: Any, old: Any, *_: list[Any]) -> tuple[list[Any], ...]:
        squash = tanh if self.nonlinearity == "tanh" else relu
        return ([squash(a + b) for a, b in zip(new[0], old[0], strict=True)],)

    def extra_repr(self) -> str:
        """Return sizes and what differs from the defaults, as PyTorch prints them."""
        return super().extra_repr() + (", nonlinearity=relu" if self.nonlinearity == "relu" else "")


class GRUCell(RNNCellBase):
    """A gated recurrent unit: h′ = (1 - z) · n + z · h, n = tanh(W x + b + r · (W h + b)).

    Parameters
    ----------
    input_size, hidden_size : int
        Lengths of an input and of the state.
    bias : bool
        Whether to add biases.
    rng : random.Random or int, optional
        Generator or seed; without it the module ``random`` draws.

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

    def _step(self, new: Any, old: Any, *states: list[Any]) -> tuple[list[Any], ...]:
        found = []
        for r, z, n, r_h, z_h, n_h, h in zip(*new, *old, states[0], strict=True):
            update, candidate = sigmoid(z + z_h), tanh(n + sigmoid(r + r_h) * n_h)
            found.append((1.0 - update) * candidate + update * h)
        return (found,)


class LSTMCell(RNNCellBase):
    """A long short-term memory: c′ = f · c + i · g, h′ = o · tanh c′.

    Parameters
    ----------
    input_size, hidden_size : int
        Lengths of an input and of the states h and c.
    bias : bool
        Whether to add biases.
    rng : random.Random or int, optional
        Generator or seed; without it the module ``random`` draws.

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
        return self._next(input, states)

    def _step(self, new: Any, old: Any, *states: list[Any]) -> tuple[list[Any], ...]:
        hidden, cells = [], []
        for c, *sums in zip(states[1], *new, *old, strict=True):
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
        The length n of an example; over several dimensions, `Flatten` them first.
    eps : float, optional
        Keeps the root from 0; by default 2.2 · 10⁻¹⁶, the distance from 1 to the next float.
    elementwise_affine : bool
        Whether to multiply by the weights w.

    Attributes
    ----------
    weight : Vector of n Parameters, or None
        Ones at first.

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
        given: Any = normalized_shape
        is_list = isinstance(given, list | tuple) and len(given) == 1
        self._length = size(given[0] if is_list else given, "normalized_shape", 1)
        self.eps = None if eps is None else number(eps, "eps", 0.0)
        self._is_affine = flag(elementwise_affine, "elementwise_affine")
        self.weight = Vector.full(self._length, 1.0, "w") if self._is_affine else None

    def forward(self, x: Any) -> Any:
        """Normalise one example, or each of nested lists of them.

        Parameters
        ----------
        x : list of n scalars, or nested lists of such

        Returns
        -------
        list of n Values, nested as `x`

        Raises
        ------
        OperandError
            If an example has another length.
        """
        return by_row(x, self._length, self, self._normalised)

    def _normalised(self, x: list[Any]) -> list[Any]:
        eps = sys.float_info.epsilon if self.eps is None else self.eps
        length = sqrt(dot(x, x) / len(x) + eps)
        scaled = [xi / length for xi in x]
        if self.weight is None:
            return scaled
        return [xi * w for xi, w in zip(scaled, self.weight, strict=True)]

    def extra_repr(self) -> str:
        """Return shape and options, as PyTorch prints them."""
        return f"({self._length},), eps={self.eps}, elementwise_affine={self._is_affine}"


class LayerNorm(RMSNorm):
    """Shift and scale an example to mean 0 and variance 1, (x - E[x]) / √(Var[x] + ε) · w + b.

    Parameters
    ----------
    normalized_shape : int, or a list of one
        The length n of an example; over several dimensions, `Flatten` them first.
    eps : float
        Keeps the root from 0.
    elementwise_affine, bias : bool
        Whether to multiply by the weights w, and if so, to add the biases b.

    Attributes
    ----------
    weight, bias : Vector of n Parameters, or None
        Ones and zeros at first.

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

    def _normalised(self, x: list[Any]) -> list[Any]:
        centre = mean(x)
        scaled = super()._normalised([xi - centre for xi in x])
        if self.bias is None:
            return scaled
        return [y + b for y, b in zip(scaled, self.bias, strict=True)]

    def extra_repr(self) -> str:
        """Return shape and options, as PyTorch prints them."""
        return f"{super().extra_repr()}, bias={self.bias is not None}"


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


class Embedding(Module):
    """A table with one vector for each of a number of things, such as the words of a language.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
        Number of rows, and length of each.
    padding_idx : int, optional
        A row that starts as zeros and receives no gradient; negative counts from the end.
    rng : random.Random or int, optional
        Generator or seed; without it the module ``random`` draws.

    Attributes
    ----------
    weight : num_embeddings rows of embedding_dim Parameters
        Drawn from the standard normal distribution.

    Notes
    -----
    A look-up makes no node: the Parameters themselves are returned. A training step with SGD
    or SparseAdam costs in proportion to the rows looked up.

    Examples
    --------
    >>> table = Embedding(10, 3, rng=0)
    >>> table
    Embedding(10, 3)
    >>> table(4) == list(table.weight[4])
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
        self.weight = Table.zeros(self.num_embeddings, self.embedding_dim, "e")
        self.padding_idx = padding_idx
        if padding_idx is not None:
            n = self.num_embeddings
            self.padding_idx = whole(padding_idx, "padding_idx", -n, n - 1) % n
        self.reset_parameters(rng)

    def reset_parameters(self, rng: Rng = None) -> None:
        """Draw the table again; the padding row is set to 0."""
        init.normal_(self.weight, rng=rng)
        if self.padding_idx is not None:
            init.zeros_(self.weight[self.padding_idx])

    def row(self, index: int | Value) -> list[Value]:
        """Return one row of Parameters; of the padding row, Values that are not trained."""
        number = checked_index(index, self.num_embeddings, self)
        if isinstance(number, Value):
            return self._looked_up(number)
        found = self.weight[number]
        return [p.detach() for p in found] if number == self.padding_idx else list(found)

    def _looked_up(self, index: Value) -> list[Value]:
        """Return the row at a computed index, from the one table that all lookups share."""
        found: list[Value] = take(self.weight, index)
        if self.padding_idx is None:
            return found
        is_trained = ne(index, self.padding_idx)
        return [where(is_trained, p, p.detach()) for p in found]

    def forward(self, index: Any) -> Any:
        """Look up one row, or nested lists of rows.

        Parameters
        ----------
        index : int or nested lists of int
            Each in 0 … num_embeddings - 1. In a compiled function they may be arguments, which
            are looked up at each call.

        Returns
        -------
        list of embedding_dim Values, or nested lists of such

        Raises
        ------
        DomainError
            If an index is outside the table.
        OperandError
            If an index is not a whole number.
        """
        index = index.tolist() if hasattr(index, "tolist") else index
        if isinstance(index, list | tuple):
            return [Embedding.forward(self, i) for i in index]
        return self.row(index)

    def extra_repr(self) -> str:
        """Return sizes, as PyTorch prints them."""
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}{padding}"


class EmbeddingBag(Embedding):
    """A table whose rows are summed or averaged over a bag of indices, as for a bag of words.

    Parameters
    ----------
    num_embeddings, embedding_dim : int
        Number of rows, and length of each.
    mode : {"mean", "sum"}
        How the rows of a bag are combined.
    padding_idx : int, optional
        A row that is left out of every bag; negative counts from the end.
    rng : random.Random or int, optional
        Generator or seed; without it the module ``random`` draws.

    Raises
    ------
    DomainError
        If `mode` is another.

    Notes
    -----
    A bag makes embedding_dim nodes. An empty bag gives zeros, as in PyTorch.

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
        """Combine the rows of one bag, or of each of several.

        Parameters
        ----------
        index : list of int, or nested lists of such
            One bag, or several.
        per_sample_weights : list of scalars, shaped as `index`, optional
            A factor for each index; mode "sum" only.

        Returns
        -------
        list of embedding_dim Values, or a list of such for each bag

        Raises
        ------
        OperandError
            If weights are given with mode "mean", or not one for each index.
        DomainError
            If an index is outside the table.
        """
        weights: list[Any] | None = None
        if per_sample_weights is not None:
            weights = listed(per_sample_weights, "per_sample_weights", "numbers, nested as index")
            if self.mode != "sum":
                raise OperandError("EmbeddingBag: per_sample_weights need mode='sum'")
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
        return self._bag(index, weights)

    def _bag(self, index: Sequence[Any], weights: Sequence[Scalar] | None) -> list[Value]:
        if self.padding_idx is not None and any(isinstance(i, Value) for i in index):
            return self._masked(index, weights, self.padding_idx)
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

    def _masked(
        self, index: Sequence[Any], weights: Sequence[Scalar] | None, padding: int
    ) -> list[Value]:
        """Combine the rows at indices that differ from call to call, padding with the factor 0."""
        kept = [ne(i, padding) for i in index]
        factors = [w * x for w, x in zip(weights, kept, strict=True)] if weights else kept
        count = maximum(sum(kept), 1.0) if self.mode == "mean" else 1.0
        columns = zip(*map(self.row, index), strict=True)
        return [dot(factors, column) / count for column in columns]

    def extra_repr(self) -> str:
        """Return sizes and mode, as PyTorch prints them."""
        padding = "" if self.padding_idx is None else f", padding_idx={self.padding_idx}"
        return f"{self.num_embeddings}, {self.embedding_dim}, mode={self.mode!r}{padding}"
