"""Tables of vectors, looked up by index."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat
from typing import Any

from scalargrad.errors import OperandError
from scalargrad.nn import init
from scalargrad.nn.init import Rng
from scalargrad.nn.inputs import checked_index
from scalargrad.nn.module import Module
from scalargrad.nn.sparse import Table
from scalargrad.ops import dot, maximum, mean, ne, sum, take, where
from scalargrad.table.validation import choice, listed, size, whole
from scalargrad.value import Scalar, Value


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
