"""The settings of a run: what is trained, on what and how."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from scalargrad.errors import OperandError
from scalargrad.optim import clip_grad_norm_, clip_grad_value_
from scalargrad.optim.clipping import factor_for, norm_of
from scalargrad.system.short_repr import shown
from scalargrad.table.validation import counted
from scalargrad.train.examples import Examples
from scalargrad.train.objective import Objective, is_own


class Stateful(Protocol):
    """An object with a state that a checkpoint can hold."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state as numbers, text, lists, tuples and dicts."""

    def load_state_dict(self, state_dict: Any, /) -> Any:
        """Restore such a state."""


class OptimizerLike(Stateful, Protocol):
    """The methods that `fit` needs of an optimiser; all of `scalargrad.optim` have them."""

    def zero_grad(self) -> None:
        """Clear the gradients of the last step."""

    def step(self) -> Any:
        """Move the parameters against their gradients."""


class Schedule(Stateful, Protocol):
    """The methods that `fit` needs of a learning-rate schedule."""

    def step(self) -> None:
        """Set the learning rate of the next epoch."""

    def get_last_lr(self) -> list[float]:
        """Return the learning rate of each group of parameters."""


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


@dataclass(frozen=True)
class Settings:
    """Everything that takes part in training one model; see `fit` for what each is.

    Attributes
    ----------
    train, held_out : Examples
        To train on, and to measure on after each epoch, if any.
    limits : Limits
        The limits on the gradients.
    """

    objective: Objective
    train: Examples
    held_out: Examples | None
    optimizer: OptimizerLike
    batch_size: int
    shuffle: bool
    seed: int
    scheduler: Schedule | None
    patience: Patience | None
    gradient_tolerance: float | None
    limits: Limits
    callbacks: list[Any]
    jit: bool | None

    @property
    def trained(self) -> list[Any]:
        """The parameters that the optimiser moves; the model's if it does not say which."""
        groups = getattr(self.optimizer, "param_groups", None)
        if not groups:
            return self.objective.model.parameters()
        return [p for group in groups for p in group["params"]]

    @property
    def is_looked_at(self) -> bool:
        """Whether what is not scalargrad's may look at the model after the steps of an epoch.

        With examples held out it is switched to evaluation, which a module may do in its own way.
        """
        others = self.callbacks or self.held_out or self.scheduler
        return bool(others) or not all(map(is_own, self.objective.metrics.values()))

    @property
    def wants_gradient(self) -> bool:
        """Whether each step's gradient is asked for."""
        return self.gradient_tolerance is not None
