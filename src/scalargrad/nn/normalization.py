"""Normalization of examples: RMSNorm and LayerNorm."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any, TypeAlias

from scalargrad.checks.arguments import check_flag, check_number, check_size
from scalargrad.nn.inputs import map_batch
from scalargrad.nn.module import Module
from scalargrad.nn.sparse import Vector
from scalargrad.ops import (
    dot,
    mean,
    sqrt,
)

__all__ = ["LayerNorm", "RMSNorm"]


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
        self._length = check_size(shape[0] if is_list else shape, "normalized_shape", 1)
        self.eps = None if eps is None else check_number(eps, "eps", 0.0)
        self._is_affine = check_flag(elementwise_affine, "elementwise_affine")
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
        has_bias = check_flag(bias, "bias") and self._is_affine
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
