"""Lookup tables of trainable vectors: Embedding and EmbeddingBag."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import Any

from scalargrad.checks.arguments import check_choice, check_integer, check_list, check_size
from scalargrad.engine.value import Scalar, Value
from scalargrad.errors import OperandError
from scalargrad.nn import init
from scalargrad.nn.init import Rng
from scalargrad.nn.inputs import check_index
from scalargrad.nn.module import Module
from scalargrad.nn.sparse import ParameterMatrix
from scalargrad.ops import (
    dot,
    maximum,
    mean,
    ne,
    sum,
    take,
    where,
)

__all__ = ["Embedding", "EmbeddingBag"]


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
        self.num_embeddings = check_size(num_embeddings, "num_embeddings")
        self.embedding_dim = check_size(embedding_dim, "embedding_dim")
        self.weight = ParameterMatrix.zeros(self.num_embeddings, self.embedding_dim, "e")
        self.padding_idx = padding_idx
        if padding_idx is not None:
            n = self.num_embeddings
            self.padding_idx = check_integer(padding_idx, "padding_idx", -n, n - 1) % n
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
        self.mode = check_choice(mode, "EmbeddingBag: mode", ("mean", "sum"))
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
            weights = check_list(
                per_sample_weights, "per_sample_weights", "numbers, nested as index"
            )
            if self.mode != "sum":
                raise OperandError("EmbeddingBag: per_sample_weights requires mode='sum'")
        index = check_list(
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
