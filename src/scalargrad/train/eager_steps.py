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
    refusal : str
        Why steps could not be compiled; "" if they could, or it was not tried.
    """

    warm_up: float | None = None
    refusal: str = ""

    def resume(self, epochs: int, warm_up: float | None) -> None:
        """Continue after a number of completed epochs."""

    def begin_epoch(self) -> None:
        """Do nothing: nothing was recorded."""

    def step(self, rows: Sequence[int]) -> StepResult | None:
        """Return None: every step is taken eagerly."""
        del rows
        return None

    def predictions(self) -> list[Any] | None:
        """Return None: the caller computes predictions."""
        return None

    def watch(self, loss: Value) -> None:
        """Ignore the loss of a step."""

    def write_back(self) -> None:
        """Do nothing: model and optimiser are up to date."""
