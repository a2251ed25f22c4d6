"""fit: train a model on examples, once everything it is given has been checked and tried."""

from __future__ import annotations

import importlib.util
import math
import random
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

from scalargrad import losses, optim
from scalargrad.autodiff import is_anomaly_enabled
from scalargrad.errors import GraphError, OperandError, ScalargradError, StateError, TrainingWarning
from scalargrad.grad_mode import builds_graphs, no_grad
from scalargrad.graph import topological_order
from scalargrad.nn import Module
from scalargrad.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from scalargrad.system.files import require_writable
from scalargrad.system.packages import optional_dependency
from scalargrad.system.process import Interrupt, collector_paused, deferred_interrupt
from scalargrad.system.short_repr import format_value
from scalargrad.system.terminals import ProgressBar
from scalargrad.table.numbers import is_real
from scalargrad.table.validation import flag, function, instance, listed, number, size, whole
from scalargrad.train.checkpoint import RunState
from scalargrad.train.examples import Examples, detached, examples, numbers_in, split
from scalargrad.train.history import History, Row, attach
from scalargrad.transforms.evaluation import in_place_advice
from scalargrad.value import Parameter, Value

Loss = Callable[[list[Any], list[Any]], Any]
Metric = Callable[[list[Any], list[Any]], float]
Regularizer = Callable[[list[Any]], Any]
Callback = Callable[[Module, History], object]
T = TypeVar("T")

_COLUMNS = ("epoch", "loss", "val_loss", "gradient_norm", "learning_rate")


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


def fit(
    model: Module,
    X: Sequence[Any],  # noqa: N803 - the field's name for the inputs
    y: Sequence[Any],
    *,
    loss: Loss,
    optimizer: OptimizerLike,
    epochs: int = 100,
    batch_size: int | None = 32,
    shuffle: bool = True,
    seed: int = 0,
    validation_split: float = 0.0,
    validation_data: tuple[Sequence[Any], Sequence[Any]] | None = None,
    metrics: Mapping[str, Metric] | Iterable[Metric] = (),
    regularizer: Regularizer | None = None,
    scheduler: Schedule | None = None,
    patience: int | None = None,
    min_delta: float = 0.0,
    gradient_tolerance: float | None = None,
    clip_grad_norm: float | None = None,
    callbacks: Iterable[Callback] = (),
    checkpoint: str | Path | None = None,
    checkpoint_every: int = 1,
    resume: bool = False,
    jit: bool | None = None,
    quiet: bool = False,
) -> History:
    """Minimise the mean of a loss over examples, one optimiser step per batch.

    Parameters
    ----------
    model : Module
        Called with one input at a time. It is trained in place.
    X : sequence of n inputs
        Whatever `model` takes: lists of floats, dicts of sparse entries, token numbers; of an
        array, a pandas DataFrame or a PyTorch tensor, the rows. Copied at the start. Numbers are
        finite: fill in those that are missing.
    y : sequence of n targets
        Whatever `loss` takes; a Series, or a column, too.
    loss : callable
        ``loss(predictions, targets)`` with a batch's predictions, as the model returned them,
        and its targets, both lists; returns one Value, the batch's mean. Every function of
        `scalargrad.losses` is one.
    optimizer : object with step, zero_grad, state_dict and load_state_dict
        Made with the model's parameters.
    epochs : int
        Passes over the examples, those of a resumed run included.
    batch_size : int or None
        Examples per step: 1 is single-sample descent, None the whole set at once.
    shuffle : bool
        Draw a new order of the examples for each epoch, by `seed`.
    seed : int
        Fixes every draw made here: the orders, and which examples are held out.
    validation_split : float
        Fraction of the examples, in [0, 1), drawn by `seed` and held out.
    validation_data : (inputs, targets), optional
        Examples held out, instead of a split.
    metrics : callables, or mapping from name to callable
        ``metric(predictions, targets)`` over all examples of an epoch, predictions as floats.
    regularizer : callable, optional
        ``regularizer(parameters)``, a Value added to each batch's loss.
    scheduler : object with step, get_last_lr, state_dict and load_state_dict, optional
        Stepped after each epoch; a ReduceLROnPlateau with the held-out loss if there is one, else
        with the loss.
    patience : int, optional
        Stop when the held-out loss has not improved for this many epochs, and give the model
        back the weights of the best epoch.
    min_delta : float
        By how much the held-out loss must fall to count as improved, in its own unit.
    gradient_tolerance : float, optional
        Record the gradient's norm and stop when it is at or under this; 0 only records.
    clip_grad_norm : float, optional
        The largest norm of the gradient, Euclidean, over all parameters trained; a longer one
        is scaled before the step, as by `optim.clip_grad_norm_`.
    callbacks : iterable of callable
        ``callback(model, history)`` after each epoch; a true result stops training.
    checkpoint : path, optional
        File to which the run's state is written every `checkpoint_every` epochs and at the end.
    checkpoint_every : int
        Epochs between two checkpoints.
    resume : bool
        If the file `checkpoint` exists, go on from it. The run then equals one that was never
        stopped, bit for bit. It does up to rounding where compiled steps take more than four paths
        through their conditions, or where `epochs` is larger now, so that it pays to compile.
        Data, loss, learning rate, schedule, metrics and the other options must be the same: the
        error says what differs. The generators that model, loss and regularizer draw from,
        Python's and NumPy's, and that of the module ``random`` are restored too. What a model keeps
        in other attributes while it trains, such as a running mean, is not, unless it is a
        Parameter.
    jit : bool, optional
        Whether steps are recorded and run as programs, as `scalargrad.jit` does: True for all of
        them, False for none. By default they are where NumPy is installed, the steps can be
        recorded and are many enough for it to pay; see Notes. Within `disable_jit` and
        `detect_anomaly`, none are.
    quiet : bool
        Show no progress bar.

    Returns
    -------
    History
        One row per epoch, with the columns ``epoch`` (from 1), ``loss`` (mean over the epoch's
        batches as they were met, weighted by size, penalty included), each metric,
        ``val_loss`` (without penalty) and ``val_`` metrics after the epoch,
        ``gradient_norm`` (Euclidean, of the epoch's mean gradient as the steps took it, in loss
        unit / weight unit; of the parameters that the optimiser moves)
        and ``learning_rate``; the last five only where asked for.

    Raises
    ------
    OperandError
        If examples, functions or options do not fit together, before anything is changed.
    NumericalError
        If a loss is not finite; the message names the node that first was not.
    StateError
        If the checkpoint cannot be written, which is found out before the first step, or read,
        or belongs to another run. If it cannot be written later, the model keeps what it learned.
        With `checkpoint` or `patience` also if the model's state would leave out one of its
        parameters, and with `checkpoint` if the optimiser moves parameters that are not the
        model's.
    GraphError
        Within `no_grad`, and if there is no parameter in the graph of the loss, unless that is 0.
    TraceError
        With ``jit=True``, if a step does what a program could not repeat; the message says what.
    MissingPackageError
        With ``jit=True``, if NumPy is not installed.

    Notes
    -----
    A compiled step is a function under `jit`, which computes the forward and the backward pass by
    `nn.functional_call`, and an update in arrays; it agrees with the eager step up to rounding. At
    the end of an epoch, if a callback, a metric of your own, a schedule or a checkpoint could look
    or examples are held out, and after an error, parameters, gradients and the optimiser's state
    are in their objects. Steps are compiled if the examples all have the
    same structure (with ``batch_size=1``, each structure that is frequent enough is), the optimiser
    is SGD, Adam, AdamW, RMSprop or Adagrad of `scalargrad.optim`, and model and loss draw random
    numbers only by `drawn` (as Dropout does), keep nothing for later and read no ``.data``; in a
    batch of several, the model must not ask a number for a way to go, as `vmap` says.
    Otherwise, and if a step meets a number that is not finite or takes more paths through its
    conditions than `jit` keeps, steps are eager. If a callback changes a number or a layer, steps
    are recorded anew; what another thread changes is seen at the next epoch.
    Gradients of parameters that the optimiser does not move are computed by eager steps only.

    Before the first step the model is called with the first example (and with the first that has
    another number of numbers), in evaluation mode, and loss and metrics with what it returned for
    it, so that most examples, labels and functions that cannot be used are found at once.

    A TrainingWarning says where labels do not suit the loss (1 and 2, or -1 and 1, for binary
    cross-entropy; 0 for the hinge loss), where `accuracy` counts probabilities as scores, where
    the optimiser moves parameters that the model does not have, and where the schedule is one of
    another optimiser.

    An error during training, also one of a callback's or a metric's, has the attribute `history`:
    the History of the epochs completed before. The model keeps what it learned.

    Ctrl-C ends training after the step under way: the model keeps what it learned, and the
    history every completed epoch. A second Ctrl-C does not wait. With `patience` the model is
    given the best epoch's weights then too. The model is left in evaluation mode.

    Examples
    --------
    >>> from scalargrad.losses import mse_loss
    >>> from scalargrad.nn import Linear
    >>> from scalargrad.optim import SGD
    >>> line = Linear(1, 1, rng=0)
    >>> history = fit(line, [[0.0], [1.0]], [[1.0], [3.0]], loss=mse_loss, epochs=300,
    ...               optimizer=SGD(line.parameters(), lr=0.1), quiet=True)
    >>> round(line.weight[0][0].data, 3), round(line.bias[0].data, 3)
    (2.0, 1.0)
    """
    if not builds_graphs():
        raise GraphError("fit trains by gradients, which no_grad switches off: call it outside")
    _require_parts(model, loss, optimizer, regularizer, scheduler)
    epochs, seed = size(epochs, "epochs", 1), whole(seed, "seed")
    per_batch = _optional(batch_size, "batch_size", _count)
    every = _count(checkpoint_every, "checkpoint_every")
    _require_file(checkpoint, resume=flag(resume, "resume"))
    given, quiet = examples(X, y, "the training data"), flag(quiet, "quiet")
    train, held_out = split(given, validation_split, validation_data, seed)
    n, min_delta = len(train.inputs), number(min_delta, "min_delta")
    if patience is not None and held_out is None:
        raise OperandError(
            "patience watches the held-out loss: give validation_split or validation_data"
        )
    run = Trainer(
        model,
        loss,
        regularizer,
        _named_metrics(metrics, _COLUMNS),
        train,
        held_out,
        optimizer=optimizer,
        batch_size=min(per_batch or n, n),
        shuffle=flag(shuffle, "shuffle"),
        seed=seed,
        scheduler=scheduler,
        patience=_optional(patience, "patience", _count),
        min_delta=min_delta,
        gradient_tolerance=_optional(gradient_tolerance, "gradient_tolerance", _not_negative),
        clip_grad_norm=_optional(clip_grad_norm, "clip_grad_norm", _not_negative),
        callbacks=_callables(callbacks, "callbacks", "model", "history"),
        jit=_optional(jit, "jit", flag),
    )
    _warn_of_strangers(run)
    _warn_of_labels(run)
    model.eval()
    try:
        operands = _try_out(run, given, "the training data")
        if held_out is not None and train is given:
            _try_out(run, held_out, "the validation data")
        if run.patience is not None:
            model.state_dict()  # raises where the best weights could not be kept
        has_numpy = importlib.util.find_spec("numpy") is not None
        if not is_anomaly_enabled() and (has_numpy if run.jit is None else run.jit):
            with optional_dependency("jit=True needs"):
                from scalargrad.train.compiled import CompiledSteps
            run.steps = CompiledSteps(run, epochs, operands)
        saved = None if checkpoint is None else RunState(run, checkpoint)
    finally:
        model.train()
    if saved is not None and resume and saved.path.exists():
        saved.load()

    with closing(ProgressBar(epochs * n, len(run.history) * n, quiet=quiet)) as bar:
        _train(run, epochs, saved, every, bar)
    if run.steps and run.steps.refusal and not quiet:
        print(f"Steps could not be compiled, and were evaluated eagerly: {run.steps.refusal}")
    run.finish()
    return run.history


def _train(run: Trainer, epochs: int, saved: RunState | None, every: int, bar: ProgressBar) -> None:
    """Run epochs until all are done, there is a reason to stop, or Ctrl-C is pressed."""
    history, texts = run.history, [f"epoch {len(run.history)}/{epochs}"]
    with deferred_interrupt() as interrupt:
        try:
            history.stopped = run.reason(epochs)
            while not history.stopped:
                row = run.epoch(interrupt, lambda count: bar.advance(count, *texts))
                texts[:] = [f"epoch {row['epoch']}/{epochs}", *_numbers(row)]
                bar.advance(0, *texts)
                answers = [callback(run.model, history) for callback in run.callbacks]
                history.stopped = run.reason(epochs) or ("a callback asked" if any(answers) else "")
                if saved is not None and (history.stopped or len(history) % every == 0):
                    saved.save()
        except KeyboardInterrupt:
            history.stopped = "interrupted"
        except Exception as error:
            attach(history, error)
            raise
        finally:
            run.write_back()


def _numbers(row: Mapping[str, float]) -> list[str]:
    """Write loss and metrics, each followed by its held-out value after a bar.

    >>> _numbers({"epoch": 3, "loss": 0.5, "accuracy": 0.875, "val_loss": 0.625})
    ['loss 0.5|0.625', 'accuracy 0.875']
    """
    hidden = {"epoch", "gradient_norm", "learning_rate"}
    shown = [name for name in row if name not in hidden and not name.startswith("val_")]
    held_out = {name: f"|{row[f'val_{name}']:.3g}" for name in shown if f"val_{name}" in row}
    return [f"{name} {row[name]:.3g}{held_out.get(name, '')}" for name in shown]


# A run -----------------------------------------------------------------------------------------

#: The loss of a batch, its predictions where wanted, and where that is, the gradient of the step.
StepResult = tuple[float, list[Any], Sequence[float]]


@dataclass
class Trainer:
    """Runs the epochs of a run, and keeps what they change; see `fit` for what each option is.

    Attributes
    ----------
    train, held_out : Examples
        To train on, and to measure on after each epoch, if any.
    history : History
        A row for each epoch.
    best_state : dict or None
        The state of the model after the best epoch, with `patience`.
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

    def strangers(self, *modules: Module) -> list[Any]:
        """Return the parameters that the optimiser moves and that none of these modules has."""
        known = {id(p) for part in modules for p in part.parameters()}
        return [p for p in self.trained if id(p) not in known]

    @property
    def is_looked_at(self) -> bool:
        """True if what a user has given may look at the model after the steps of an epoch.

        With examples held out it is switched to evaluation, which a module may do in its own way.
        """
        return any((self.callbacks, self.held_out, self.scheduler, self.metrics))

    @staticmethod
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
                f"the loss is {format_value(loss)} whatever the parameters: compute it from the "
                "predictions, not from their .data"
            )
        return loss

    # One epoch --------------------------------------------------------------------------------

    def epoch(self, interrupt: Interrupt, advance: Callable[[int], None]) -> Row:
        """Take one step per batch, measure, and add a row to the history."""
        if self.is_looked_at or not self.history.rows:
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
        if self.is_looked_at:
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
        """Keep the state of a model whose held-out loss has improved; over NaN, any has."""
        losses, best = self.history["val_loss"], self.history.best_epoch
        before = math.nan if best is None else losses[best - 1]
        if math.isnan(before) or losses[-1] < before - self.min_delta:
            self.history.best_epoch, self.best_state = len(losses), self.model.state_dict()

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
        loss = self.batch_loss(self.called, predictions, batch.targets)
        self.optimizer.zero_grad()
        loss.backward()
        if self.clip_grad_norm is not None:
            moving = getattr(self.optimizer, "active_parameters", lambda: self.trained)
            optim.clip_grad_norm_(moving(), self.clip_grad_norm)
        numbers = [detached(x) for x in predictions] if self.metrics else []
        gradient = [p.grad for p in self.trained] if self.gradient_tolerance is not None else []
        self.optimizer.step()
        return loss.data, numbers, gradient

    def _measure(self) -> Row:
        """Measure loss and metrics on the held-out examples, recording no graph."""
        if self.held_out is None:
            return {}
        inputs, targets = self.held_out
        self.model.eval()
        with no_grad():
            found = self.steps.predictions(inputs) if self.steps else None
            predictions = found or [self.model(x) for x in inputs]
            loss = self.measured(self.loss, predictions, targets)
        measured = self._metrics([detached(x) for x in predictions], targets)
        return {
            "val_loss": float(detached(loss)),
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
        return {name: float(detached(x)) for name, x in found.items()}

    def measured(self, function: Any, predictions: list[Any], targets: list[Any]) -> Any:
        """Return the number that a loss or a metric makes of lists of its own: it may sort them."""
        return _number(function([*predictions], [*targets]), function, "one number, such as a mean")

    # The end ----------------------------------------------------------------------------------

    def reason(self, epochs: int) -> str:
        """Return the reason why training ends after the last epoch; "" if it continues."""
        done, tolerance = len(self.history), self.gradient_tolerance
        if self.patience is not None and done - (self.history.best_epoch or 0) >= self.patience:
            return f"held-out loss has not improved for {self.patience} epochs"
        if tolerance is not None and done and self.history["gradient_norm"][-1] <= tolerance:
            return f"the gradient's norm fell to {tolerance:g} or under"
        return "all epochs done" if done >= epochs else ""

    def finish(self) -> None:
        """Leave the model ready for use, with the best weights if early stopping kept some."""
        if self.patience is not None and self.best_state is not None:
            self.model.load_state_dict(self.best_state)
        self.model.eval()


def _number(found: Any, function: Any, wanted: str) -> Any:
    """Return the result of a user's function, which must be a number."""
    if isinstance(found, Value) or is_real(found):
        return found
    raise OperandError(
        f"{name_of(function)} returned {format_value(found)}; it must return {wanted}"
    )


def name_of(function: Any) -> str:
    """Return the name of a function, a class's object or a partial in messages."""
    inner = getattr(function, "func", function)  # of functools.partial
    return str(getattr(inner, "__name__", type(inner).__name__))


# Checks of what is given ------------------------------------------------------------------------

#: The checks of options that are a number of 1 or more, and a number that is not negative.
_count = partial(whole, low=1)
_not_negative = partial(number, low=0.0, finite=False)


def _optional(x: Any, name: str, check: Callable[[Any, str], T]) -> T | None:
    """Return a checked option; None if it is not given."""
    return None if x is None else check(x, name)


def _require_parts(model: Any, loss: Any, optimizer: Any, regularizer: Any, scheduler: Any) -> None:
    """Raise OperandError if a part given to `fit` cannot be used for training."""
    instance(model, "model", Module, "a Module, such as nn.MLP(2, [16, 1])")
    function(loss, "loss", "scalargrad.losses.mse_loss, say")
    _require(optimizer, OptimizerLike, "optimizer", "optim.SGD(model.parameters())")
    _optional(regularizer, "regularizer", partial(function, example="losses.l2_penalty, say"))
    if scheduler is not None:
        _require(scheduler, Schedule, "scheduler", "lr_scheduler.StepLR(optimizer, 10)")
    if isinstance(scheduler, LRScheduler) and scheduler.optimizer is not optimizer:
        _warn("the scheduler is over another optimizer than the one given: make it with this one")


def _require(part: Any, protocol: Any, name: str, example: str) -> None:
    if not isinstance(part, protocol) or isinstance(part, type):
        raise OperandError(f"{name} is {format_value(part)}; give an object such as {example}")


def _callables(given: Any, name: str, *arguments: str) -> list[Any]:
    """Return functions of such arguments, given in a list."""
    wanted = f"of ({', '.join(arguments)})"
    return [function(f, f"one of {name}", wanted) for f in listed(given, name, "functions")]


def _named_metrics(given: Any, columns: Iterable[str]) -> dict[str, Any]:
    """Return metrics by name, by default the name of the function."""
    if isinstance(given, Mapping):
        pairs = [(name, function(f, f"metrics[{name!r}]", "accuracy")) for name, f in given.items()]
    else:
        pairs = [(name_of(f), f) for f in _callables(given, "metrics", "predictions", "targets")]
    named = dict(pairs)
    distinct = len(named) == len(pairs) and named.keys().isdisjoint(columns)
    if not distinct or not all(isinstance(name, str) for name in named):
        raise OperandError(
            f"metrics are named {', '.join(str(name) for name, _ in pairs)}: give a dict from name "
            f"to metric, with names that differ from each other and from {', '.join(columns)}"
        )
    return named


def _require_file(given: Any, *, resume: bool) -> None:
    """Raise an error if a checkpoint cannot be written, or there is none to resume from."""
    if given is None and resume:
        raise OperandError("resume=True needs the file to go on from: give checkpoint=path")
    try:
        if given is not None:
            require_writable(given)
    except (OSError, TypeError, ValueError) as error:
        raise StateError(f"the checkpoint cannot be written: {error}") from error


# A trial ------------------------------------------------------------------------------------------


def _try_out(run: Trainer, data: Examples, what: str) -> int:
    """Raise OperandError if model, loss or metrics cannot take examples; evaluation mode is on.

    The model is called with the first, and with the first that has another number of numbers. The
    prediction for the first stands for those of all others; if examples have unlike numbers of
    numbers, loss and metrics are given those alone that were called with. PyTorch Lightning calls
    this a sanity check.

    Returns
    -------
    int
        The number of operands on the way to the first prediction.

    Raises
    ------
    GraphError
        If the loss is computed without the parameters.
    """
    _require_finite(data, what)
    sizes = [len(numbers_in(x)) for x in data.inputs]
    others = [i for i, size in enumerate(sizes) if size != sizes[0]]
    found: dict[int, Any] = {}
    for i in (0, *others[:1]):
        x = data.inputs[i]
        asking = partial(_prediction, run.model, x)
        found[i] = _attempt(asking, "the model", f"X of {what} at {i}, {format_value(x)}")
    if found[0] is None:
        return 0
    indices = [i for i in sorted(found) if found[i] is not None] if others else range(len(sizes))
    predictions, targets = [found.get(i, found[0]) for i in indices], data.at(indices).targets
    loss = _attempt(partial(run.measured, run.loss, predictions, targets), name_of(run.loss), what)
    if isinstance(loss, Value) and data is not run.held_out:
        _require_parameters(run, loss)
    numbers = [detached(x) for x in predictions]
    for f in run.metrics.values():
        # ValueErrors, too: a correlation may be undefined for the predictions made here
        cured = ArithmeticError, ValueError
        _attempt(partial(run.measured, f, numbers, targets), name_of(f), what, cured)
    first = found[0] if isinstance(found[0], list | tuple) else [found[0]]
    nodes = [topological_order(x) for x in first if isinstance(x, Value)]
    return sum(len(node.parents) for part in nodes for node in part)


def _require_parameters(run: Trainer, loss: Value) -> None:
    """Raise GraphError if no parameter is under a loss, whoever trains it.

    None need be where it is 0, as that of a perceptron whose answers are all right.
    """
    trained = {*run.trained}  # may be plain Values
    nodes = topological_order(loss)
    if loss.data and not any(isinstance(x, Parameter) or x in trained for x in nodes):
        raise GraphError(
            f"{name_of(run.loss)} returned {loss.data:.6g}, in whose graph there is no parameter "
            "to train: let model and loss compute outside no_grad, and with Values themselves, not "
            "with their .data or .detach()"
        )


def _prediction(model: Module, x: Any) -> Any:
    before = repr(x)
    if (found := model(x)) is None:
        raise OperandError("it returned None: let forward return its prediction")
    if repr(x) != before:
        raise OperandError(
            "it changes its input, so that each epoch would find another: let it change a copy, "
            "as in x = [*x]"
        )
    return found


def _attempt(f: Callable[[], Any], name: str, what: str, cured: Any = ArithmeticError) -> Any:
    """Return the result of a call; None after an error that training may cure.

    Any other error is raised as one that says what cannot take what.
    """
    try:
        return f()
    except cured:
        return None
    except Exception as error:
        kind = "" if isinstance(error, ScalargradError) else f"{type(error).__name__}: "
        text = " ".join(f"{error} {in_place_advice(error)}".split())
        raise OperandError(f"{name} cannot take {what}: {kind}{text}") from error


def _require_finite(data: Examples, what: str) -> None:
    """Raise OperandError if a number is not finite."""
    for name, column in zip("Xy", data, strict=True):
        for i, x in enumerate(column):
            for odd in [n for n in numbers_in(x) if not abs(n) < math.inf]:
                raise OperandError(
                    f"{name} of {what} has {format_value(odd)} at {i}: leave such examples out, or "
                    "fill them in"
                )


# Warnings -----------------------------------------------------------------------------------------


def _warn(message: str) -> None:
    warnings.warn(message, TrainingWarning, stacklevel=4)


def _warn_of_strangers(run: Trainer) -> None:
    """Warn of parameters that the optimiser moves but that do not belong to what is trained."""
    if strange := run.strangers(*[x for x in run.called if isinstance(x, Module)]):
        _warn(
            f"{len(strange)} of the {len(run.trained)} parameters that the optimizer moves are not "
            "the model's: make it with model.parameters(), of the model that is trained"
        )


def _warn_of_labels(run: Trainer) -> None:
    """Warn where targets, or a metric, do not suit the loss."""
    loss = _function(run.loss)
    if loss in (losses.binary_cross_entropy, losses.binary_cross_entropy_with_logits):
        odd = [t for t in numbers_in(run.train.targets) if not 0.0 <= t <= 1.0]
        wanted = "binary cross-entropy takes 1 for yes and 0 for no"
        remedy = "y - 1 for classes 1 and 2, (y + 1) / 2 for -1 and 1"
    elif loss is losses.hinge_loss:
        odd = [t for t in numbers_in(run.train.targets) if t not in {-1.0, 1.0}]
        wanted, remedy = "the hinge loss takes 1 and -1", "2 * y - 1 for classes 0 and 1"
    else:
        return
    if odd:
        _warn(f"{wanted}, and a target is {odd[0]:g}: give {remedy}")
    counts = (losses.accuracy, losses.error_rate, losses.zero_one_loss)
    for name, metric in run.metrics.items():
        if loss is losses.binary_cross_entropy and metric in counts:
            _warn(
                f"{name} counts what is above 0 as class 1, and the loss takes probabilities: give "
                f"{{'{name}': partial({name}, threshold=0.5)}}"
            )


def _function(loss: Any) -> Any:
    """Return the function that a loss wraps, where it can be found."""
    inner = getattr(loss, "func", loss)  # of functools.partial
    return type(inner).function if isinstance(inner, losses.Loss) else inner
