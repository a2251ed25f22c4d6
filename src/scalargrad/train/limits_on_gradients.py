"""Gradient clipping as `fit` does it, on parameters or on an array of gradients."""

from __future__ import annotations

from typing import Any, NamedTuple

from scalargrad.optim import clip_grad_norm_, clip_grad_value_
from scalargrad.optim.clipping import factor_for, norm_of


class Limits(NamedTuple):
    """The largest norm of the gradient and the largest size of an entry; None for no limit.

    Attributes
    ----------
    norm, value : float or None
    """

    norm: float | None = None
    value: float | None = None

    def __bool__(self) -> bool:
        return self.norm is not None or self.value is not None

    def clip(self, parameters: list[Any]) -> None:
        """Clip the gradients of parameters: first each entry, then the norm."""
        if self.value is not None:
            clip_grad_value_(parameters, self.value)
        if self.norm is not None:
            clip_grad_norm_(parameters, self.norm)

    def apply_to(self, grads: Any) -> None:
        """Do the same to an array of gradients, in place."""
        if self.value is not None:
            grads.clip(-self.value, self.value, out=grads)
        if self.norm is not None:
            grads *= factor_for(norm_of(grads.tolist()), self.norm)
