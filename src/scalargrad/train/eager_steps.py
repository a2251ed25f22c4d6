"""Eager steps: every step of a run is left to ordinary evaluation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scalargrad.train.objective import StepResult
from scalargrad.value import Value


class Eager:
    """Leaves every step to eager evaluation.

    Attributes
    ----------
    warm_up : float or None
        How many steps for each size of batch are taken eagerly before programs take over: inf if
        they never do, None while that is not known.
    """

    warm_up: float | None = None

    def resume(self, epochs: int, warm_up: float | None) -> None:
        """Go on after so many epochs."""

    def begin_epoch(self) -> None:
        """See whether what was recorded still holds."""

    def step(self, rows: Sequence[int]) -> StepResult | None:
        """Take a step on these examples; None if it is to be taken eagerly."""
        del rows
        return None

    def predictions(self) -> list[Any] | None:
        """Return a prediction for each example held out; None if that is left to the caller."""
        return None

    def watch(self, loss: Value) -> None:
        """See what an eager step does whose loss has just been computed."""

    def write_back(self) -> None:
        """Give model and optimiser what the steps have made of them."""
