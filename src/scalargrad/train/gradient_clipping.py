"""Clip gradients in `fit`, those of parameters or an array of them, by norm and by value."""

from __future__ import annotations

from typing import Any, NamedTuple

from scalargrad.optim import clip_grad_norm_, clip_grad_value_
from scalargrad.optim.clipping import factor_for, norm_of


class Limits(NamedTuple):
    """Limits on the norm of the gradient and on the size of its entries; None for no limit."""

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
        """Clip an array of gradients in the same way, in place."""
        if self.value is not None:
            grads.clip(-self.value, self.value, out=grads)
        if self.norm is not None:
            grads *= factor_for(norm_of(grads.tolist()), self.norm)
