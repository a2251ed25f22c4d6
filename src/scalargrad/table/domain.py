"""The domain of an operation: where it is defined, and where tests sample it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Domain:
    """The domain of an operation, and where to test it.

    Parameters
    ----------
    *samples
        One interval (low, high) per operand, from which tests draw points; the last one
        serves all further operands.
    valid
        Expression of the operands, true where the operation is defined. None: everywhere.
    smooth
        Predicate on floats, false near a kink or jump, where a difference quotient would
        not approximate the partial.
    safe
        A number inside the domain, used in the remedy an error message proposes.
    guard
        Index of the operand the remedy guards.
    needs
        What is needed, in words, where the printed `valid` would be hard to read.
    remedy
        Expression of the operands, the condition the remedy tests; by default `valid`.
    each
        Condition on one operand, where the remedy guards each alike.
    divides
        Whether the operation divides by the operand that the remedy guards, so that a 0 there is
        what Python calls a ZeroDivisionError.
    """

    def __init__(
        self,
        *samples: tuple[float, float],
        valid: Callable[..., Any] | None = None,
        smooth: Callable[..., bool] = lambda *_: True,
        safe: float = 1.0,
        guard: int = 0,
        needs: str = "",
        remedy: Callable[..., Any] | None = None,
        each: Callable[[Any], Any] | None = None,
        divides: bool = False,
    ) -> None:
        self.samples = samples or ((-3.0, 3.0),)
        self.valid = valid
        self.smooth = smooth
        self.safe = safe
        self.guard = guard
        self.needs = needs
        self.remedy = remedy
        self.each = each
        self.divides = divides

    def interval(self, index: int) -> tuple[float, float]:
        """Return the interval that tests draw operand `index` from."""
        return self.samples[min(index, len(self.samples) - 1)]


REAL = Domain()
