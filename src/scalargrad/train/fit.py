"""fit: check the arguments, try model and loss on a few examples, and train."""

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
from scalargrad.checks.arguments import flag, function, instance, listed, number, size, whole
from scalargrad.checks.numbers import is_real
from scalargrad.engine.autodiff import is_anomaly_enabled
from scalargrad.engine.grad_mode import builds_graphs, no_grad
from scalargrad.engine.graph import topological_order
from scalargrad.engine.value import Parameter, Value
from scalargrad.errors import GraphError, OperandError, ScalargradError, StateError, TrainingWarning
from scalargrad.nn import Module
from scalargrad.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from scalargrad.system.files import require_writable
from scalargrad.system.packages import optional_dependency
from scalargrad.system.process import Interrupt, collector_paused, deferred_interrupt
from scalargrad.system.short_repr import format_value
from scalargrad.system.terminals import ProgressBar
from scalargrad.train.checkpoint import RunState
from scalargrad.train.examples import Examples, detached, examples, numbers_in, split
from scalargrad.train.history import History, Row, attach_history
from scalargrad.transforms.evaluation import in_place_advice

Loss = Callable[[list[Any], list[Any]], Any]
Metric = Callable[[list[Any], list[Any]], float]
Regularizer = Callable[[list[Any]], Any]
Callback = Callable[[Module, History], object]
T = TypeVar("T")

_COLUMNS = ("epoch", "loss", "val_loss", "gradient_norm", "learning_rate")


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
    """Minimize the mean of a loss over examples, with one optimizer step per batch.

    Parameters
    ----------
    model : Module
        Called with one input at a time. Its parameters are updated in place.
    X : sequence of n inputs
        Inputs of `model`: lists of floats, dicts of sparse entries, token numbers, or the rows of
        an array, a pandas DataFrame or a PyTorch tensor. They are copied at the start. Numbers must
        be finite: fill in missing ones.
    y : sequence of n targets
        Targets of `loss`; they may be a pandas Series or a column.
    loss : callable
        ``loss(predictions, targets)``, where both are lists for one batch; returns one Value, the
        mean over the batch. All functions of `scalargrad.losses` can be used.
    optimizer : object with step, zero_grad, state_dict and load_state_dict
        An optimizer of the parameters of the model.
    epochs : int
        Number of passes over the examples, including those before a run was resumed.
    batch_size : int or None
        Number of examples per step; None for all examples.
    shuffle : bool
        Whether the examples are shuffled in each epoch.
    seed : int
        Seed for shuffling and for the choice of held-out examples.
    validation_split : float
        Fraction of the examples, in [0, 1), that is held out at random.
    validation_data : (inputs, targets), optional
        Held-out examples, instead of a split.
    metrics : callables, or mapping from name to callable
        ``metric(predictions, targets)`` over all examples of an epoch; predictions are floats.
    regularizer : callable, optional
        ``regularizer(parameters)`` returns a Value that is added to the loss of each batch.
    scheduler : object with step, get_last_lr, state_dict and load_state_dict, optional
        Stepped after each epoch. A ReduceLROnPlateau gets the held-out loss, or the loss if there
        is none.
    patience : int, optional
        Number of epochs without improvement of the held-out loss after which training stops. The
        model then has the weights of the best epoch.
    min_delta : float
        Minimum decrease of the held-out loss that counts as an improvement.
    gradient_tolerance : float, optional
        Record the norm of the gradient, and stop when it is at most this; 0 only records.
    clip_grad_norm : float, optional
        Maximum Euclidean norm of the gradient over all trained parameters. A larger gradient is
        scaled down before the step, as by `optim.clip_grad_norm_`.
    callbacks : iterable of callable
        ``callback(model, history)``, called after each epoch; a true result stops training.
    checkpoint : path, optional
        File for the state of the run, written every `checkpoint_every` epochs and at the end.
    checkpoint_every : int
        Number of epochs between two checkpoints.
    resume : bool
        Whether to continue from the file `checkpoint` if it exists. The result is bit for bit that
        of a run that was not stopped. It agrees only up to rounding if compiled steps take more
        than four paths through their conditions, or if a larger `epochs` makes compilation pay.
        Data, loss, learning rate, schedule, metrics and other options must not change; the error
        names the differences. The random number generators of Python and NumPy that model, loss and
        regularizer use are restored, too, including that of the module ``random``. Other attributes
        of the model, such as a running mean, are not, unless they are Parameters.
    jit : bool, optional
        Whether steps are compiled, as by `scalargrad.jit`. By default they are if NumPy is
        installed, the steps can be compiled, and there are enough of them for compilation to pay;
        see Notes. Within `disable_jit` and `detect_anomaly`, steps are always eager.
    quiet : bool
        Whether to hide the progress bar.

    Returns
    -------
    History
        One row per epoch, with the columns ``epoch`` (from 1), ``loss`` (mean over the batches at
        the time of their steps, weighted by size, with penalty), each metric,
        ``val_loss`` (without penalty) and ``val_`` metrics after the epoch,
        ``gradient_norm`` (Euclidean norm of the mean of the gradients used by the steps, in loss
        unit / weight unit, over the parameters of the optimizer)
        and ``learning_rate``. The last five are present only if the options require them.

    Raises
    ------
    OperandError
        If examples, functions or options do not fit together; nothing was changed.
    NumericalError
        If a loss is not finite; the message names the first node that is not.
    StateError
        If the checkpoint cannot be written or read, or belongs to another run. This is checked
        before the first step; if writing fails later, the model keeps its trained weights.
        With `checkpoint` or `patience`, also if the state of the model would omit one of its
        parameters; with `checkpoint`, if the optimizer updates parameters outside the model.
    GraphError
        Within `no_grad`, and if the graph of the loss has no parameter, unless the loss is 0.
    TraceError
        With ``jit=True``, if a step cannot be compiled; the message names the reason.
    MissingPackageError
        With ``jit=True``, if NumPy is not installed.

    Notes
    -----
    A compiled step computes the loss and its gradient by a function under `jit`, with
    `nn.functional_call`, and updates the parameters in arrays; it agrees with the eager step up to
    rounding. Parameters, gradients and the state of the optimizer are written back to their objects
    after an error, and at the end of each epoch if there are callbacks, metrics, a schedule, a
    checkpoint or held-out examples.

    Steps are compiled if the following hold. All examples have the same structure; with
    ``batch_size=1``, each structure that is frequent enough is compiled. The optimizer is SGD,
    Adam, AdamW, RMSprop or Adagrad of `scalargrad.optim`. Model and loss draw random numbers only
    by `drawn`, as Dropout does; they do not store values for later, and do not read ``.data``. With
    more than one example in a batch, the model does not branch on a number, see `vmap`.

    Otherwise steps are eager. They are also eager if a step produces a number that is not finite,
    or takes more paths through its conditions than `jit` keeps. If a callback changes a number or a
    layer, steps are compiled again; changes by another thread take effect at the next epoch. Only
    eager steps compute gradients of parameters that the optimizer does not update.

    Before the first step the model is called in evaluation mode with the first example, and with
    the first one of a different size. Loss and metrics are called with the predictions. So most
    unusable examples, labels and functions are found before training.

    A TrainingWarning is issued if labels do not suit the loss (1 and 2, or -1 and 1, for binary
    cross-entropy; 0 for the hinge loss), if `accuracy` would treat probabilities as scores, if the
    optimizer updates parameters outside the model, and if the schedule has another optimizer.

    An error during training, including one in a callback or a metric, has the attribute `history`
    with the completed epochs. The model keeps its trained weights.

    Ctrl-C ends training after the current step. The model keeps its trained weights (with
    `patience`, those of the best epoch), and the history has all completed epochs. A second Ctrl-C
    interrupts immediately. At the end the model is in evaluation mode.

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
        raise GraphError("fit needs gradients, which no_grad disables: call it outside no_grad")
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
            "patience needs a held-out loss: give validation_split or validation_data"
        )
    run = Trainer(
        model,
        loss,
        regularizer,
        _metrics_by_name(metrics, _COLUMNS),
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
    _warn_if_parameters_outside(run)
    _warn_of_unsuitable_labels(run)
    model.eval()
    try:
        operands = _sanity_check(run, given, "the training data")
        if held_out is not None and train is given:
            _sanity_check(run, held_out, "the validation data")
        if run.patience is not None:
            model.state_dict()  # raises an error if the best weights cannot be stored
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
        print(f"Steps could not be compiled and were evaluated eagerly: {run.steps.refusal}")
    run.finish()
    return run.history


def _train(run: Trainer, epochs: int, saved: RunState | None, every: int, bar: ProgressBar) -> None:
    """Run epochs until all are done, a stopping criterion holds, or Ctrl-C is pressed."""
    history, texts = run.history, [f"epoch {len(run.history)}/{epochs}"]
    with deferred_interrupt() as interrupt:
        try:
            history.stopped = run.reason(epochs)
            while not history.stopped:
                row = run.epoch(interrupt, lambda count: bar.advance(count, *texts))
                texts[:] = [f"epoch {row['epoch']}/{epochs}", *_format_row(row)]
                bar.advance(0, *texts)
                results = [callback(run.model, history) for callback in run.callbacks]
                history.stopped = run.reason(epochs) or ("a callback asked" if any(results) else "")
                if saved is not None and (history.stopped or len(history) % every == 0):
                    saved.save()
        except KeyboardInterrupt:
            history.stopped = "interrupted"
        except Exception as error:
            attach_history(history, error)
            raise
        finally:
            run.write_back()


def _format_row(row: Mapping[str, float]) -> list[str]:
    """Format loss and metrics, each with its held-out value after a bar.

    >>> _format_row({"epoch": 3, "loss": 0.5, "accuracy": 0.875, "val_loss": 0.625})
    ['loss 0.5|0.625', 'accuracy 0.875']
    """
    hidden = {"epoch", "gradient_norm", "learning_rate"}
    names = [name for name in row if name not in hidden and not name.startswith("val_")]
    held_out = {name: f"|{row[f'val_{name}']:.3g}" for name in names if f"val_{name}" in row}
    return [f"{name} {row[name]:.3g}{held_out.get(name, '')}" for name in names]


# A run -----------------------------------------------------------------------------------------

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
        loss = _number(function(predictions, targets), function, "one Value, such as a mean")
        if regularizer is not None:
            penalty = regularizer(model.parameters())
            loss = loss + _number(penalty, regularizer, "one Value")
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
        numbers = [detached(x) for x in predictions] if self.metrics else []
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
        """Return the number that a loss or metric computes; it gets copies, which it may sort."""
        return _number(function([*predictions], [*targets]), function, "one number, such as a mean")

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


def _number(found: Any, function: Any, wanted: str) -> Any:
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


# Checks of arguments ----------------------------------------------------------------------------

#: Check of an integer option of at least 1.
_count = partial(whole, low=1)
#: Check of a number option of at least 0.
_not_negative = partial(number, low=0.0, finite=False)


def _optional(x: Any, name: str, check: Callable[[Any, str], T]) -> T | None:
    """Check an option, and return it; None if it is None."""
    return None if x is None else check(x, name)


def _require_parts(model: Any, loss: Any, optimizer: Any, regularizer: Any, scheduler: Any) -> None:
    """Raise OperandError if an argument of `fit` cannot be used for training."""
    instance(model, "model", Module, "a Module, such as nn.MLP(2, [16, 1])")
    function(loss, "loss", "scalargrad.losses.mse_loss, for example")
    _require(optimizer, OptimizerLike, "optimizer", "optim.SGD(model.parameters())")
    _optional(
        regularizer, "regularizer", partial(function, example="losses.l2_penalty, for example")
    )
    if scheduler is not None:
        _require(scheduler, Schedule, "scheduler", "lr_scheduler.StepLR(optimizer, 10)")
    if isinstance(scheduler, LRScheduler) and scheduler.optimizer is not optimizer:
        _warn("the scheduler belongs to another optimizer: make it with the optimizer of fit")


def _require(part: Any, protocol: Any, name: str, example: str) -> None:
    if not isinstance(part, protocol) or isinstance(part, type):
        raise OperandError(f"{name} is {format_value(part)}; give an object such as {example}")


def _callables(given: Any, name: str, *arguments: str) -> list[Any]:
    """Check a list of functions of these arguments, and return it."""
    wanted = f"of ({', '.join(arguments)})"
    return [function(f, f"one of {name}", wanted) for f in listed(given, name, "functions")]


def _metrics_by_name(given: Any, columns: Iterable[str]) -> dict[str, Any]:
    """Return metrics by name; the default name is that of the function."""
    if isinstance(given, Mapping):
        pairs = [(name, function(f, f"metrics[{name!r}]", "accuracy")) for name, f in given.items()]
    else:
        pairs = [(name_of(f), f) for f in _callables(given, "metrics", "predictions", "targets")]
    named = dict(pairs)
    distinct = len(named) == len(pairs) and named.keys().isdisjoint(columns)
    if not distinct or not all(isinstance(name, str) for name in named):
        raise OperandError(
            f"the names of metrics are {', '.join(str(name) for name, _ in pairs)}: give a dict "
            f"from name to metric, with distinct names other than {', '.join(columns)}"
        )
    return named


def _require_file(given: Any, *, resume: bool) -> None:
    """Raise an error if the checkpoint cannot be written, or is missing with resume=True."""
    if given is None and resume:
        raise OperandError("resume=True needs a checkpoint to continue from: give checkpoint=path")
    try:
        if given is not None:
            require_writable(given)
    except (OSError, TypeError, ValueError) as error:
        raise StateError(f"the checkpoint cannot be written: {error}") from error


# Sanity check -------------------------------------------------------------------------------------


def _sanity_check(run: Trainer, data: Examples, what: str) -> int:
    """Raise OperandError if model, loss or metrics fail on examples, in evaluation mode.

    The model is called with the first example, and with the first one of a different size. If all
    have one size, loss and metrics are called with the first prediction repeated for all targets,
    else with the two predictions. PyTorch Lightning has the same sanity check.

    Returns
    -------
    int
        The number of operands in the graph of the first prediction.

    Raises
    ------
    GraphError
        If the graph of the loss has no parameters.
    """
    _require_finite(data, what)
    sizes = [len(numbers_in(x)) for x in data.inputs]
    others = [i for i, size in enumerate(sizes) if size != sizes[0]]
    found: dict[int, Any] = {}
    for i in (0, *others[:1]):
        x = data.inputs[i]
        call = partial(_predict, run.model, x)
        found[i] = _attempt(call, "the model", f"X of {what} at {i}, {format_value(x)}")
    if found[0] is None:
        return 0
    indices = [i for i in sorted(found) if found[i] is not None] if others else range(len(sizes))
    predictions, targets = [found.get(i, found[0]) for i in indices], data.at(indices).targets
    loss = _attempt(partial(run.measured, run.loss, predictions, targets), name_of(run.loss), what)
    if isinstance(loss, Value) and data is not run.held_out:
        _require_parameters(run, loss)
    numbers = [detached(x) for x in predictions]
    for f in run.metrics.values():
        # a correlation may be undefined for predictions of an untrained model
        tolerated = ArithmeticError, ValueError
        _attempt(partial(run.measured, f, numbers, targets), name_of(f), what, tolerated)
    first = found[0] if isinstance(found[0], list | tuple) else [found[0]]
    nodes = [topological_order(x) for x in first if isinstance(x, Value)]
    return sum(len(node.parents) for part in nodes for node in part)


def _require_parameters(run: Trainer, loss: Value) -> None:
    """Raise GraphError if the graph of a loss has no parameter, of this optimizer or another.

    A loss of 0 is accepted, such as that of a perceptron that classifies all examples correctly.
    """
    trained = {*run.trained}  # may be plain Values
    nodes = topological_order(loss)
    if loss.data and not any(isinstance(x, Parameter) or x in trained for x in nodes):
        raise GraphError(
            f"{name_of(run.loss)} returned {loss.data:.6g}, whose graph has no parameter to train: "
            "compute model and loss outside no_grad, and with Values, not with their .data or "
            ".detach()"
        )


def _predict(model: Module, x: Any) -> Any:
    before = repr(x)
    if (found := model(x)) is None:
        raise OperandError("it returned None: let forward return its prediction")
    if repr(x) != before:
        raise OperandError(
            "it changes its input, so the next epoch would get another one: change a copy instead, "
            "as in x = [*x]"
        )
    return found


def _attempt(f: Callable[[], Any], name: str, what: str, tolerated: Any = ArithmeticError) -> Any:
    """Return the result of a call; None after a tolerated error, which may vanish with training.

    Any other error is raised as an OperandError that names the function and the data.
    """
    try:
        return f()
    except tolerated:
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


def _warn_if_parameters_outside(run: Trainer) -> None:
    """Warn if the optimizer updates parameters that no module of the run has."""
    if outside := run.parameters_outside(*[x for x in run.callables if isinstance(x, Module)]):
        _warn(
            f"{len(outside)} of the {len(run.trained)} parameters that the optimizer updates are "
            "not in the model: make it with model.parameters() of the model that is trained"
        )


def _warn_of_unsuitable_labels(run: Trainer) -> None:
    """Warn if targets or a metric do not suit the loss."""
    loss = _unwrap_loss(run.loss)
    if loss in (losses.binary_cross_entropy, losses.binary_cross_entropy_with_logits):
        odd = [t for t in numbers_in(run.train.targets) if not 0.0 <= t <= 1.0]
        wanted = "the targets of binary cross-entropy are 0 and 1"
        remedy = "y - 1 for classes 1 and 2, (y + 1) / 2 for -1 and 1"
    elif loss is losses.hinge_loss:
        odd = [t for t in numbers_in(run.train.targets) if t not in {-1.0, 1.0}]
        wanted, remedy = (
            "the targets of the hinge loss are -1 and 1",
            "2 * y - 1 for classes 0 and 1",
        )
    else:
        return
    if odd:
        _warn(f"{wanted}, but a target is {odd[0]:g}: use {remedy}")
    counts = (losses.accuracy, losses.error_rate, losses.zero_one_loss)
    for name, metric in run.metrics.items():
        if loss is losses.binary_cross_entropy and metric in counts:
            _warn(
                f"{name} counts predictions above 0 as class 1, but the loss takes probabilities: "
                f"give {{'{name}': partial({name}, threshold=0.5)}}"
            )


def _unwrap_loss(loss: Any) -> Any:
    """Return the function that a loss object or partial wraps."""
    inner = getattr(loss, "func", loss)  # of functools.partial
    return type(inner).function if isinstance(inner, losses.Loss) else inner
