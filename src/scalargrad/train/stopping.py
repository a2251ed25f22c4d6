"""Early stopping: end training when held-out loss no longer falls; keep the best weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from scalargrad.errors import OperandError
from scalargrad.system.one_line import shown
from scalargrad.table.validation import counted


@dataclass
class Patience:
    """Watches the held-out loss.

    Attributes
    ----------
    epochs : int
        The number of epochs without improvement before training stops.
    min_delta : float
        How much the loss must fall to count as improved.
    best_loss : float
        The lowest held-out loss so far.
    best_epoch : int
        Its epoch, from 1; 0 before the first epoch.
    best_state : dict or None
        The state of the model after that epoch.

    References
    ----------
    Prechelt, Early stopping - but when?, 1998.
    """

    epochs: int
    min_delta: float = 0.0
    best_loss: float = math.inf
    best_epoch: int = 0
    best_state: dict[str, Any] | None = None

    def is_better(self, loss: float) -> bool:
        """Return whether a held-out loss counts as an improvement; over NaN, any does."""
        unknown = self.best_state is None or math.isnan(self.best_loss)
        return unknown or loss < self.best_loss - self.min_delta

    def keep(self, loss: float, epoch: int, state: dict[str, Any]) -> None:
        """Keep the state of the best epoch so far."""
        self.best_loss, self.best_epoch, self.best_state = loss, epoch, state

    def is_over(self, epoch: int) -> bool:
        """Return whether the last `epochs` epochs brought no improvement."""
        return epoch - self.best_epoch >= self.epochs

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {
            "best_loss": self.best_loss,
            "best_epoch": self.best_epoch,
            "best_state": self.best_state,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what a checkpoint kept.

        Raises
        ------
        OperandError
            If it is something else.
        """
        loss, epoch, best = state["best_loss"], state["best_epoch"], state["best_state"]
        if not isinstance(loss, float) or not isinstance(best, dict | None):
            raise OperandError(f"best_loss is {shown(loss)}, best_state {shown(best)}")
        self.best_loss, self.best_state = loss, best
        self.best_epoch = counted(epoch, "best_epoch")
