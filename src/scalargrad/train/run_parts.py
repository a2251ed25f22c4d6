"""The parts of a run: what is trained, on what, and how."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from scalargrad.optim import clip_grad_norm_, clip_grad_value_
from scalargrad.optim.clipping import factor_for, norm_of
from scalargrad.train.examples import Examples
from scalargrad.train.objective import Objective, StepResult
from scalargrad.train.stopping import Patience
from scalargrad.value import Value


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


@dataclass(frozen=True)
class RunParts:
    """Everything that takes part in training one model; see `fit` for what each is.

    Attributes
    ----------
    train, held_out : Examples
        To train on, and to measure on after each epoch, if any.
    limits : Limits
        The limits on the gradients.
    visited : bool
        Whether user code, which may change anything, runs between epochs.
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
    visited: bool
    jit: bool | None

    @property
    def trained(self) -> list[Any]:
        """The parameters that the optimiser moves; the model's if it does not say which."""
        groups = getattr(self.optimizer, "param_groups", None)
        if not groups:
            return self.objective.model.parameters()
        return [p for group in groups for p in group["params"]]

    @property
    def wants_gradient(self) -> bool:
        """Whether each step's gradient is asked for."""
        return self.gradient_tolerance is not None


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

    def predictions(self, inputs: list[Any]) -> list[Any] | None:
        """Return None: the caller computes predictions."""
        del inputs
        return None

    def watch(self, loss: Value) -> None:
        """Ignore the loss of a step."""

    def write_back(self) -> None:
        """Do nothing: model and optimiser are up to date."""
