"""Softmax as a module: probabilities along one axis of nested lists."""

from __future__ import annotations

from typing import Any

from scalargrad.errors import OperandError
from scalargrad.nn.module import Module
from scalargrad.ops import log_softmax, softmax
from scalargrad.table.validation import listed

#: More levels than any batch of batches has.
_DEEPEST = 32


class Softmax(Module):
    """Turn scores into probabilities, e^xᵢ / Σ e^xⱼ, along the innermost lists.

    Parameters
    ----------
    dim : int, optional
        Which nesting level is normalised: the innermost, -1 or its number counted from 0.
        Others are not offered.

    Raises
    ------
    OperandError
        When called, if `dim` is not the innermost level of the input.

    Notes
    -----
    Stable for large scores.

    Examples
    --------
    >>> Softmax(dim=-1)([0.0, 0.0])
    [0.5, 0.5]
    """

    function = staticmethod(softmax)

    def __init__(self, dim: int | None = None) -> None:
        self.dim = dim

    def forward(self, x: Any) -> Any:
        """Normalise a list of n scores, or each innermost list of nested ones."""
        return self._normalised(x, 0)

    def _normalised(self, x: Any, level: int) -> Any:
        scores = listed(x.tolist() if hasattr(x, "tolist") else x, "x", "scores")
        if level > _DEEPEST:
            raise OperandError("the scores are nested too deeply: is a list in itself?")
        if any(isinstance(part, list | tuple) for part in scores):
            return [self._normalised(part, level + 1) for part in scores]
        if self.dim not in {None, -1, level}:
            raise OperandError(
                f"{self!r} was given scores whose innermost level is {level}: use dim=-1"
            )
        return self.function(scores)

    def extra_repr(self) -> str:
        """Return dim, as PyTorch prints it."""
        return f"dim={self.dim}"


class LogSoftmax(Softmax):
    """Return the logarithms of `Softmax`, without rounding small ones to -∞.

    Parameters
    ----------
    dim : int, optional
        As for `Softmax`.

    Examples
    --------
    >>> LogSoftmax(dim=-1)([0.0, -1000.0])
    [0.0, -1000.0]
    """

    function = staticmethod(log_softmax)
