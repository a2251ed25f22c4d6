"""ReduceLROnPlateau: lower the rate when a measured number has stopped improving."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from scalargrad.errors import DomainError, StateError
from scalargrad.optim.lr_scheduler.cycles import per_group
from scalargrad.optim.lr_scheduler.scheduler import LRScheduler
from scalargrad.optim.optimizer import Optimizer
from scalargrad.table.numbers import as_float
from scalargrad.table.validation import choice, counted, number, whole


class ReduceLROnPlateau(LRScheduler):
    """Multiply the rate by a factor when a number has not improved for some epochs.

    Parameters
    ----------
    optimizer : Optimizer
        Whose rate to set.
    mode : {"min", "max"}
        Whether the number should fall, as a loss, or rise, as an accuracy.
    factor : float
        Dimensionless, in [0, 1).
    patience : int
        Epochs without improvement that are let pass.
    threshold : float
        How much counts as an improvement.
    threshold_mode : {"rel", "abs"}
        Whether `threshold` is a share of the best number so far, or in its unit.
    cooldown : int
        Epochs after a reduction in which none counts as bad.
    min_lr : float, or list of one for each parameter group
        The lowest rate.
    eps : float
        Smaller changes of the rate are not made.

    Raises
    ------
    DomainError
        If an option is out of its range.
    OperandError
        If an option is not a number.

    Notes
    -----
    `fit` steps it with the held-out loss where there is one, else with the loss.

    Examples
    --------
    >>> from scalargrad import Parameter
    >>> from scalargrad.optim import SGD
    >>> schedule = ReduceLROnPlateau(SGD([Parameter(0.0)], lr=1.0), factor=0.5, patience=1)
    >>> for loss in (3.0, 2.0, 2.0, 2.0):
    ...     schedule.step(loss)
    >>> schedule.get_last_lr()
    [0.5]
    """

    options = ("mode", "factor", "patience", "threshold", "threshold_mode", "cooldown", "min_lrs")

    def __init__(  # noqa: PLR0917 - PyTorch's signature
        self,
        optimizer: Optimizer,
        mode: str = "min",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float | Sequence[float] = 0.0,
        eps: float = 1e-8,
    ) -> None:
        self.mode = choice(mode, "mode", ["min", "max"])
        self.factor = number(factor, "factor", 0.0, 1.0)
        if self.factor == 1.0:
            raise DomainError("factor is 1; it must be less, or the rate is never reduced")
        self.patience = whole(patience, "patience", 0)
        self.threshold = number(threshold, "threshold")
        self.threshold_mode = choice(threshold_mode, "threshold_mode", ["rel", "abs"])
        self.cooldown = whole(cooldown, "cooldown", 0)
        self.min_lrs = per_group(min_lr, "min_lr", optimizer)
        self.eps = number(eps, "eps", 0.0)
        self.best = math.inf if mode == "min" else -math.inf
        self.num_bad_epochs = 0
        self.cooldown_counter = 0
        super().__init__(optimizer)

    def _next(self, epoch: int) -> list[float]:
        del epoch
        return [current for current, _ in self._rates()]

    def step(self, metrics: float) -> None:  # type: ignore[override]
        """Advance by one epoch, given the metric it reached.

        Parameters
        ----------
        metrics : float
            The number that should fall, or rise. A nan is not an improvement.
        """
        achieved = as_float(getattr(metrics, "data", metrics), "what ReduceLROnPlateau is given")
        if self._is_better(achieved):
            self.best, self.num_bad_epochs = achieved, 0
        else:
            self.num_bad_epochs += 1
        if self.cooldown_counter > 0:
            self.cooldown_counter -= 1
            self.num_bad_epochs = 0
        rates = [current for current, _ in self._rates()]
        if self.num_bad_epochs > self.patience:
            rates = [self._reduced(*pair) for pair in zip(rates, self.min_lrs, strict=True)]
            self.cooldown_counter, self.num_bad_epochs = self.cooldown, 0
        self._set(rates)
        self.last_epoch += 1

    def _reduced(self, rate: float, least: float) -> float:
        reduced = max(rate * self.factor, least)
        return reduced if rate - reduced > self.eps else rate

    def _is_better(self, achieved: float) -> bool:
        relative, down = self.threshold_mode == "rel", self.mode == "min"
        if relative:
            share = 1.0 - self.threshold if down else 1.0 + self.threshold
            return achieved < self.best * share if down else achieved > self.best * share
        better = self.best - achieved if down else achieved - self.best
        return better > self.threshold

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the schedule, as plain numbers."""
        kept = {name: getattr(self, name) for name in ("best", *_COUNTS)}
        return {**super().state_dict(), **kept}

    def _read(self, state_dict: Mapping[str, Any]) -> tuple[Any, ...]:
        try:
            best = as_float(state_dict["best"], "best")
            counts = [counted(state_dict[name], name) for name in _COUNTS]
        except (LookupError, TypeError, ValueError) as error:
            raise StateError(f"this is not a state of a ReduceLROnPlateau: {error}") from error
        return *super()._read(state_dict), best, *counts

    def _take_on(self, *found: Any) -> None:
        super()._take_on(*found)
        self.best, self.num_bad_epochs, self.cooldown_counter = found[3:]


_COUNTS = ("num_bad_epochs", "cooldown_counter")
