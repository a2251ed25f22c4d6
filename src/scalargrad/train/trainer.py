"""Trainer: one training run, epoch by epoch."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from scalargrad import optim
from scalargrad.checks.numbers import is_real
from scalargrad.engine.grad_mode import no_grad
from scalargrad.engine.value import Value
from scalargrad.errors import OperandError
from scalargrad.nn import Module
from scalargrad.optim.lr_scheduler import ReduceLROnPlateau
from scalargrad.system.process import Interrupt, collector_paused
from scalargrad.system.short_repr import format_value
from scalargrad.train.examples import Examples, detach_values
from scalargrad.train.history import History, Row

Loss = Callable[[list[Any], list[Any]], Any]
Metric = Callable[[list[Any], list[Any]], float]
Regularizer = Callable[[list[Any]], Any]
Callback = Callable[[Module, History], object]


class Stateful(Protocol):
    """An object whose state can be stored in a checkpoint."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state as numbers, text, lists, tuples and dicts."""

    def load_state_dict(self, state_dict: Any, /) -> Any:
        """Restore a state returned by `state_dict`."""


@runtime_checkable
class OptimizerLike(Stateful, Protocol):
    """The methods of an optimizer that `fit` calls; all of `scalargrad.optim` have them."""

    def zero_grad(self) -> None:
        """Clear the gradients of the last step."""

    def step(self) -> Any:
        """Update the parameters by their gradients."""


@runtime_checkable
class Schedule(Stateful, Protocol):
    """The methods of a learning-rate schedule that `fit` calls."""

    def step(self) -> None:
        """Set the learning rate of the next epoch."""

    def get_last_lr(self) -> list[float]:
        """Return the learning rate of each group of parameters."""


#: Loss of a batch, its predictions for metrics, and its gradient for `gradient_tolerance`; the
#: last two are empty if they are not needed.
StepResult = tuple[float, list[Any], Sequence[float]]


@dataclass
class Trainer:
    """Runs the epochs of a training run, and holds its state; the options are documented in `fit`.

    Attributes
    ----------
    train, held_out : Examples
        The training examples, and those for measurements after each epoch.
    history : History
        One row per epoch.
    best_state : dict or None
        With `patience`, the state of the model after the best epoch.
    steps : CompiledSteps or None
        The compiled steps, if any.
    """

    model: Module
    loss: Loss
    regularizer: Regularizer | None
    metrics: dict[str, Metric]
    train: Examples
    held_out: Examples | None
    optimizer: OptimizerLike
    batch_size: int
    shuffle: bool
    seed: int
    scheduler: Schedule | None
    patience: int | None
    min_delta: float
    gradient_tolerance: float | None
    clip_grad_norm: float | None
    callbacks: list[Any]
    jit: bool | None
    history: History = field(default_factory=History)
    best_state: dict[str, Any] | None = None
    steps: Any = None

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        if isinstance(self.optimizer, optim.Optimizer):
            self.optimizer.has_warned = True  # a loss may read no parameter, as a perceptron's

    @property
    def callables(self) -> tuple[Any, ...]:
        """The model, the loss and the regularizer: the callables of a step."""
        return self.model, self.loss, self.regularizer

    @property
    def trained(self) -> list[Any]:
        """The parameters of the optimizer; those of the model if it has no `param_groups`."""
        groups = getattr(self.optimizer, "param_groups", None)
        if not groups:
            return self.model.parameters()
        return [p for group in groups for p in group["params"]]

    def parameters_outside(self, *modules: Module) -> list[Any]:
        """Return the parameters of the optimizer that do not belong to any of these modules."""
        known = {id(p) for part in modules for p in part.parameters()}
        return [p for p in self.trained if id(p) not in known]

    @property
    def needs_synced_model(self) -> bool:
        """True if code of the user may read the model after the steps of an epoch.

        With held-out examples, `Module.eval` is called, which a module may override.
        """
        return any((self.callbacks, self.held_out, self.scheduler, self.metrics))

    @staticmethod
    def batch_loss(callables: tuple[Any, ...], predictions: list[Any], targets: list[Any]) -> Any:
        """Return the loss of a batch, including the penalty.

        Raises
        ------
        OperandError
            If it is not a Value, and so cannot be minimized.
        """
        model, function, regularizer = callables
        loss = require_number(function(predictions, targets), function, "one Value, such as a mean")
        if regularizer is not None:
            penalty = regularizer(model.parameters())
            loss = loss + require_number(penalty, regularizer, "one Value")
        if not isinstance(loss, Value):
            raise OperandError(
                f"the loss is the number {format_value(loss)}, which does not depend on "
                "parameters: compute it from the predictions, not from their .data"
            )
        return loss

    # One epoch --------------------------------------------------------------------------------

    def epoch(self, interrupt: Interrupt, advance: Callable[[int], None]) -> Row:
        """Take one step per batch, measure, and append a row to the history."""
        if self.needs_synced_model or not self.history.rows:
            self.model.train()
        if self.steps:
            self.steps.begin_epoch()
        order, loss = self._order(), 0.0
        predictions: list[Any] = []
        gradient: list[float] = []
        for start in range(0, len(order), self.batch_size):
            batch = order[start : start + self.batch_size]
            with collector_paused():
                result = self.steps.step(batch) if self.steps else None
                found, outputs, grads = result or self._eager_step(batch)
            loss += len(batch) * found
            predictions += outputs
            pairs = zip(gradient or [0.0] * len(grads), grads, strict=True)
            gradient = [g + len(batch) * x for g, x in pairs]
            advance(len(batch))
            interrupt.check()
        if self.needs_synced_model:
            self.write_back()
        row = {"epoch": len(self.history) + 1, "loss": loss / len(order)}
        row |= self._metrics(predictions, [self.train.targets[i] for i in order])
        if gradient:
            row["gradient_norm"] = math.hypot(*gradient) / len(order)
        row |= self._measure()
        self._step_schedule(row)
        self.history.rows.append(row)
        if self.patience is not None:
            self._keep_best()
        return row

    def _keep_best(self) -> None:
        """Store the state of the model if the held-out loss has improved; any loss improves NaN."""
        losses, best = self.history["val_loss"], self.history.best_epoch
        before = math.nan if best is None else losses[best - 1]
        if math.isnan(before) or losses[-1] < before - self.min_delta:
            self.history.best_epoch, self.best_state = len(losses), self.model.state_dict()

    def write_back(self) -> None:
        """Write the results of compiled steps to the parameters."""
        if self.steps:
            self.steps.write_back()

    def _order(self) -> Sequence[int]:
        """Return the indices of the examples in the order of this epoch."""
        rows = range(len(self.train.inputs))
        if not self.shuffle:
            return rows
        drawn = list(rows)
        self.rng.shuffle(drawn)
        return drawn

    def _eager_step(self, rows: Sequence[int]) -> StepResult:
        batch = self.train.at(rows)
        predictions = [self.model(x) for x in batch.inputs]
        loss = self.batch_loss(self.callables, predictions, batch.targets)
        self.optimizer.zero_grad()
        loss.backward()
        if self.clip_grad_norm is not None:
            moving = getattr(self.optimizer, "active_parameters", lambda: self.trained)
            optim.clip_grad_norm_(moving(), self.clip_grad_norm)
        numbers = [detach_values(x) for x in predictions] if self.metrics else []
        gradient = [p.grad for p in self.trained] if self.gradient_tolerance is not None else []
        self.optimizer.step()
        return loss.data, numbers, gradient

    def _measure(self) -> Row:
        """Compute loss and metrics on the held-out examples, without building a graph."""
        if self.held_out is None:
            return {}
        inputs, targets = self.held_out
        self.model.eval()
        with no_grad():
            found = self.steps.predictions(inputs) if self.steps else None
            predictions = found or [self.model(x) for x in inputs]
            loss = self.measured(self.loss, predictions, targets)
        measured = self._metrics([detach_values(x) for x in predictions], targets)
        return {
            "val_loss": float(detach_values(loss)),
            **{f"val_{name}": x for name, x in measured.items()},
        }

    def _step_schedule(self, row: Row) -> None:
        schedule: Any = self.scheduler
        if schedule is None:
            return
        row["learning_rate"] = schedule.get_last_lr()[0]
        if isinstance(schedule, ReduceLROnPlateau):
            schedule.step(row.get("val_loss", row["loss"]))
        else:
            schedule.step()

    def _metrics(self, predictions: list[Any], targets: list[Any]) -> Row:
        found = {name: self.measured(f, predictions, targets) for name, f in self.metrics.items()}
        return {name: float(detach_values(x)) for name, x in found.items()}

    def measured(self, function: Any, predictions: list[Any], targets: list[Any]) -> Any:
        """Return the number that a loss or metric computes; it gets copies, which it may sort."""
        return require_number(
            function([*predictions], [*targets]), function, "one number, such as a mean"
        )

    # The end ----------------------------------------------------------------------------------

    def reason(self, epochs: int) -> str:
        """Return the reason to stop training after the last epoch; "" if it continues."""
        done, tolerance = len(self.history), self.gradient_tolerance
        if self.patience is not None and done - (self.history.best_epoch or 0) >= self.patience:
            return f"held-out loss has not improved for {self.patience} epochs"
        if tolerance is not None and done and self.history["gradient_norm"][-1] <= tolerance:
            return f"the gradient's norm fell to {tolerance:g} or under"
        return "all epochs done" if done >= epochs else ""

    def finish(self) -> None:
        """Switch the model to evaluation, with the best weights if early stopping stored some."""
        if self.patience is not None and self.best_state is not None:
            self.model.load_state_dict(self.best_state)
        self.model.eval()


def require_number(found: Any, function: Any, wanted: str) -> Any:
    """Check that the result of a user's function is a number, and return it."""
    if isinstance(found, Value) or is_real(found):
        return found
    raise OperandError(
        f"{name_of(function)} returned {format_value(found)}; it must return {wanted}"
    )


def name_of(function: Any) -> str:
    """Return the name of a function, a callable object or a partial for messages."""
    inner = getattr(function, "func", function)  # of functools.partial
    return str(getattr(inner, "__name__", type(inner).__name__))
