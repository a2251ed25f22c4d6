"""The linear layer, y = Wx + b."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from scalargrad.checks.arguments import check_flag, check_size
from scalargrad.engine.value import Scalar
from scalargrad.nn import init
from scalargrad.nn.init import Rng
from scalargrad.nn.inputs import check_index, map_batch
from scalargrad.nn.module import Module
from scalargrad.nn.sparse import ParameterMatrix, Vector
from scalargrad.ops import (
    dot,
)

__all__ = ["Linear"]


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
        self.in_features = check_size(in_features, "in_features")
        self.out_features = check_size(out_features, "out_features")
        self.weight = ParameterMatrix.zeros(self.out_features, self.in_features, "w")
        self.bias = Vector.full(self.out_features, 0.0, "b") if check_flag(bias, "bias") else None
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
