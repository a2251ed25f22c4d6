"""Train a model: one epoch of a run after the other."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

from scalargrad import optim
from scalargrad.errors import GraphError, OperandError
from scalargrad.grad_mode import no_grad
from scalargrad.graph import topological_order
from scalargrad.nn import Module
from scalargrad.optim.clipping import factor_for, norm_of
from scalargrad.optim.lr_scheduler import ReduceLROnPlateau
from scalargrad.system.process import Interrupt, collector_paused
from scalargrad.system.short_repr import shown
from scalargrad.table.numbers import is_real
from scalargrad.table.validation import counted
from scalargrad.train.examples import Examples, batches, detached
from scalargrad.train.history import History, Row
from scalargrad.value import Parameter, Value

Loss = Callable[[list[Any], list[Any]], Any]
Metric = Callable[[list[Any], list[Any]], float]
Regularizer = Callable[[list[Any]], Any]


def batch_loss(called: tuple[Any, ...], predictions: list[Any], targets: list[Any]) -> Any:
    """Return the loss of a batch, penalty included, of a model with its loss and its penalty.

    Raises
    ------
    OperandError
        If it is no Value, and so cannot be minimised.
    """
    model, function, regularizer = called
    loss = _number(function(predictions, targets), function, "one Value, such as a mean")
    if regularizer is not None:
        penalty = regularizer(model.parameters())
        loss = loss + _number(penalty, regularizer, "one Value")
    if not isinstance(loss, Value):
        raise OperandError(
            f"the loss is {shown(loss)} whatever the parameters: compute it from the "
            "predictions, not from their .data"
        )
    return loss


def _number(found: Any, function: Any, wanted: str) -> Any:
    """Return what a user's function returned, if that is a number."""
    if isinstance(found, Value) or is_real(found):
        return found
    raise OperandError(f"{name_of(function)} returned {shown(found)}; it must return {wanted}")


def name_of(function: Any) -> str:
    """Return what a function, a class's object or a partial is called in messages."""
    inner = getattr(function, "func", function)  # of functools.partial
    return str(getattr(inner, "__name__", type(inner).__name__))


class StepResult(NamedTuple):
    """The result of a step: the loss of a batch, and its predictions and gradient where wanted.

    The gradient has one number for each of the parameters trained.
    """

    loss: float
    predictions: list[Any]
    gradient: Sequence[float]


@dataclass
class EpochSums:
    """Sums over the batches of one epoch, each weighted by its size, and the predictions."""

    loss: float = 0.0
    predictions: list[Any] = field(default_factory=list)
    gradient: list[float] = field(default_factory=list)

    def add(self, result: StepResult, n: int) -> None:
        """Add the result for a batch of n examples."""
        self.loss += n * result.loss
        self.predictions += result.predictions
        if result.gradient:
            known = self.gradient or [0.0] * len(result.gradient)
            self.gradient = [g + n * x for g, x in zip(known, result.gradient, strict=True)]


class Stateful(Protocol):
    """An object whose state a checkpoint can hold."""

    def state_dict(self) -> dict[str, Any]:
        """Return the state as numbers, text, lists, tuples and dicts."""

    def load_state_dict(self, state_dict: Any, /) -> Any:
        """Restore such a state."""


@runtime_checkable
class OptimizerLike(Stateful, Protocol):
    """The methods that `fit` needs of an optimiser; all of `scalargrad.optim` have them."""

    def zero_grad(self) -> None:
        """Clear the gradients of the last step."""

    def step(self) -> Any:
        """Move the parameters against their gradients."""


@runtime_checkable
class Schedule(Stateful, Protocol):
    """The methods that `fit` needs of a learning-rate schedule."""

    def step(self) -> None:
        """Set the learning rate of the next epoch."""

    def get_last_lr(self) -> list[float]:
        """Return the learning rate of each group of parameters."""


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

    def look_at(self, loss: float, epoch: int, model: Module) -> None:
        """Keep the state of a model whose held-out loss has improved; over NaN, any has."""
        unknown = self.best_state is None or math.isnan(self.best_loss)
        if unknown or loss < self.best_loss - self.min_delta:
            self.best_loss, self.best_epoch, self.best_state = loss, epoch, model.state_dict()

    def state_dict(self) -> dict[str, Any]:
        """Return what a checkpoint keeps."""
        return {name: x for name, x in vars(self).items() if name.startswith("best")}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore what a checkpoint kept."""
        loss, epoch, best = state["best_loss"], state["best_epoch"], state["best_state"]
        if not isinstance(loss, float) or not isinstance(best, dict | None):
            raise OperandError(f"best_loss is {shown(loss)}, best_state {shown(best)}")
        self.best_loss, self.best_epoch, self.best_state = loss, counted(epoch, "best_epoch"), best


@dataclass
class Trainer:
    """Runs the epochs of a run, and keeps what they change; see `fit` for what each option is.

    Attributes
    ----------
    train, held_out : Examples
        To train on, and to measure on after each epoch, if any.
    history : History
        A row for each epoch.
    ended : bool
        Whether patience or a flat gradient has ended the run: more epochs do not go on.
    steps : CompiledSteps or None
        Those that are compiled, if any.
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
    patience: Patience | None
    gradient_tolerance: float | None
    clip_grad_norm: float | None
    clip_grad_value: float | None
    callbacks: list[Any]
    jit: bool | None
    history: History = field(default_factory=History)
    ended: bool = False
    steps: Any = None

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)

    @property
    def called(self) -> tuple[Any, ...]:
        """The functions and modules that a step calls."""
        return self.model, self.loss, self.regularizer

    @property
    def trained(self) -> list[Any]:
        """The parameters that the optimiser moves; the model's if it does not say which."""
        groups = getattr(self.optimizer, "param_groups", None)
        if not groups:
            return self.model.parameters()
        return [p for group in groups for p in group["params"]]

    @property
    def is_looked_at(self) -> bool:
        """True if what a user has given may look at the model after the steps of an epoch.

        With examples held out it is switched to evaluation, which a module may do in its own way.
        """
        others = self.callbacks, self.held_out, self.scheduler, self.metrics
        return any(map(bool, others))

    # One epoch --------------------------------------------------------------------------------

    def epoch(self, interrupt: Interrupt, advance: Callable[[int], None]) -> Row:
        """Take one step per batch, measure, and add a row to the history."""
        if self.is_looked_at or not self.history.rows:
            self.model.train()
        if self.steps:
            self.steps.begin_epoch()
        self._is_reached = False  # a parameter, by a batch
        order, sums = self._order(), EpochSums()
        for batch in batches(order, self.batch_size):
            with collector_paused():
                result = self.steps.step(batch) if self.steps else None
                self._is_reached |= result is not None
                sums.add(result or self._eager_step(batch), len(batch))
            advance(len(batch))
            interrupt.check()
        if self.is_looked_at:
            self.write_back()
        means = self._means(order, sums)
        self._require_parameters(means["loss"])
        row = {"epoch": len(self.history) + 1, **means, **self._measure()}
        self._step_schedule(row)
        self.history.rows.append(row)
        if self.patience is not None:
            self.patience.look_at(row["val_loss"], len(self.history), self.model)
        return row

    def _means(self, order: Sequence[int], sums: EpochSums) -> Row:
        """Return the means of an epoch, and the Euclidean norm of the mean gradient if wanted."""
        row = {"loss": sums.loss / len(order)}
        if self.metrics:
            targets = [self.train.targets[i] for i in order]
            row |= self.measured(sums.predictions, targets)
        if sums.gradient:
            row["gradient_norm"] = math.hypot(*sums.gradient) / len(order)
        return row

    def write_back(self) -> None:
        """Give the parameters what compiled steps have made of them."""
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
        loss = batch_loss(self.called, predictions, batch.targets)
        self._is_reached = self._is_reached or self._reaches_parameter(loss)
        self.optimizer.zero_grad()
        loss.backward()
        moving = getattr(self.optimizer, "active_parameters", lambda: self.trained)
        self._clip(moving())
        numbers = [detached(x) for x in predictions] if self.metrics else []
        gradient = [p.grad for p in self.trained] if self.gradient_tolerance is not None else []
        self.optimizer.step()
        return StepResult(loss.data, numbers, gradient)

    def _clip(self, parameters: list[Any]) -> None:
        """Clip the gradients of parameters: first each entry, then the norm."""
        if self.clip_grad_value is not None:
            optim.clip_grad_value_(parameters, self.clip_grad_value)
        if self.clip_grad_norm is not None:
            optim.clip_grad_norm_(parameters, self.clip_grad_norm)

    def clip_array(self, grads: Any) -> None:
        """Clip an array of gradients in the same way, in place."""
        if (value := self.clip_grad_value) is not None:
            grads.clip(-value, value, out=grads)
        if self.clip_grad_norm is not None:
            grads *= factor_for(norm_of(grads.tolist()), self.clip_grad_norm)

    def _reaches_parameter(self, loss: Value) -> bool:
        """Return whether a parameter is under a loss.

        One is enough, whoever trains it: a batch may leave alone those that the optimiser has.
        """
        trained = {*self.trained}  # may be plain Values
        return any(isinstance(x, Parameter) or x in trained for x in topological_order(loss))

    def _require_parameters(self, loss: float) -> None:
        """Raise GraphError if no batch of an epoch has reached a parameter: it trained nothing.

        A single batch may not, as where a loss leaves out all of its examples; and none need where
        the loss is 0, as that of a perceptron whose answers are all right.
        """
        if not self._is_reached and loss:
            raise GraphError(
                f"{name_of(self.loss)} returned {loss:.6g}, the mean over an epoch, in "
                "whose graph there is no parameter to train: let model and loss compute outside "
                "no_grad, and with Values themselves, not with their .data or .detach()"
            )

    def _measure(self) -> Row:
        """Measure loss and metrics on the held-out examples, recording no graph."""
        if self.held_out is None:
            return {}
        inputs, targets = self.held_out
        self.model.eval()
        with no_grad():
            found = self.steps.predictions(inputs) if self.steps else None
            predictions = found or [self.model(x) for x in inputs]
            loss = self.held_out_loss(predictions, targets)
        measured = self.measured([detached(x) for x in predictions], targets)
        return {"val_loss": loss, **{f"val_{name}": x for name, x in measured.items()}}

    def _step_schedule(self, row: Row) -> None:
        schedule: Any = self.scheduler
        if schedule is None:
            return
        groups = getattr(self.optimizer, "param_groups", None)
        row["learning_rate"] = groups[0]["lr"] if groups else schedule.get_last_lr()[0]
        if isinstance(schedule, ReduceLROnPlateau):
            schedule.step(row.get("val_loss", row["loss"]))
        else:
            schedule.step()

    # Loss and metrics --------------------------------------------------------------------------

    def held_out_loss(self, predictions: list[Any], targets: list[Any]) -> float:
        """Return the loss of the held-out examples, without the penalty."""
        found = self.loss([*predictions], [*targets])  # lists of its own, which it may sort
        return float(detached(_number(found, self.loss, "one Value, such as a mean")))

    def measured(self, predictions: list[Any], targets: list[Any]) -> Row:
        """Return each metric."""
        return {name: self.measure(name, predictions, targets) for name in self.metrics}

    def measure(self, name: str, predictions: list[Any], targets: list[Any]) -> float:
        """Return one metric."""
        metric = self.metrics[name]
        found = metric([*predictions], [*targets])  # lists of its own, which it may sort
        return float(detached(_number(found, metric, "one number")))

    # The end ----------------------------------------------------------------------------------

    def reason(self, epochs: int) -> str:
        """Return why training ends after this epoch; "" if it continues."""
        done, tolerance = len(self.history), self.gradient_tolerance
        if self.patience is not None and done - self.patience.best_epoch >= self.patience.epochs:
            self.ended = True
            return f"held-out loss has not improved for {self.patience.epochs} epochs"
        if tolerance is not None and self.history.rows[-1]["gradient_norm"] <= tolerance:
            self.ended = True
            return f"the gradient's norm fell to {tolerance:g} or under"
        return "all epochs done" if done >= epochs else ""

    def finish(self) -> None:
        """Leave the model ready for use, with the best weights if early stopping kept some."""
        if self.patience is not None and self.patience.best_state is not None:
            self.model.load_state_dict(self.patience.best_state)
            self.history.best_epoch = self.patience.best_epoch
        self.model.eval()
