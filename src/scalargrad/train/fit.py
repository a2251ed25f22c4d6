"""fit: train a model on examples."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from scalargrad import optim
from scalargrad.autodiff import is_anomaly_enabled
from scalargrad.errors import GraphError, OperandError, TraceError
from scalargrad.grad_mode import builds_graphs
from scalargrad.nn import Module
from scalargrad.system.packages import needed
from scalargrad.system.process import deferred_interrupt
from scalargrad.system.short_repr import shown
from scalargrad.system.terminals import ProgressBar
from scalargrad.table.validation import flag, number, size, whole
from scalargrad.train.checkpoint import RunState
from scalargrad.train.checks import (
    callables,
    checkpoint_path,
    count,
    maybe,
    named_metrics,
    not_negative,
    require_parts,
    try_out,
    warn_of_labels,
    warn_of_strangers,
)
from scalargrad.train.examples import Examples, examples, hold_out
from scalargrad.train.history import History, attach
from scalargrad.train.trainer import (
    Loss,
    Metric,
    OptimizerLike,
    Patience,
    Regularizer,
    Schedule,
    Trainer,
)

Callback = Callable[[Module, History], object]

#: Optimisers whose rules move numbers in arrays; SparseAdam asks which rows were looked up.
_OF_ARRAYS = (optim.SGD, optim.Adam, optim.AdamW, optim.RMSprop, optim.Adagrad)
_COLUMNS = ("epoch", "loss", "val_loss", "gradient_norm", "learning_rate")


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
    clip_grad_value: float | None = None,
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
        Whatever `model` takes: lists of floats, dicts of sparse entries, token numbers. Of an
        array, a pandas DataFrame or a PyTorch tensor, the rows, copied at the start.
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
    clip_grad_value : float, optional
        The largest size of each parameter's gradient, as by `optim.clip_grad_value_`; before
        the norm is taken.
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
        recorded and so many are to be taken that it pays; see Notes. Within `disable_jit` and
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
        or belongs to another run; model and optimiser are then as they were. If it cannot be
        written later, the model keeps what it learned. With `checkpoint` or `patience` also if
        the model's state would leave out one of its parameters, and with `checkpoint` if the
        optimiser moves parameters that are not the model's.
    GraphError
        Within `no_grad`, and after an epoch in which no parameter was in the graph of any batch's
        loss, unless that is 0.
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
    conditions than `jit` keeps, steps are eager. If a callback changes a number, a layer or an
    example, steps are recorded anew; what another thread changes is seen at the next epoch.
    Gradients of parameters that the optimiser does not move are computed by eager steps only.

    Before the first step the model is called with the first example (and with the first that has
    another number of numbers, or one that is not finite), in evaluation mode, and loss and metrics
    with what it returned for it, so that most examples, labels and functions that cannot be used
    are found at once.

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
    require_parts(model, loss, optimizer, regularizer, scheduler)
    epochs, seed = size(epochs, "epochs", 1), whole(seed, "seed")
    per_batch = maybe(batch_size, "batch_size", count)
    every = count(checkpoint_every, "checkpoint_every")
    path = checkpoint_path(checkpoint, resume=flag(resume, "resume"))
    given, quiet = examples(X, y, "the training data"), flag(quiet, "quiet")
    train, held_out = _split(given, validation_split, validation_data, seed)
    run = Trainer(
        model,
        loss,
        regularizer,
        named_metrics(metrics, _COLUMNS),
        train,
        held_out,
        optimizer=optimizer,
        batch_size=min(per_batch or len(train.inputs), len(train.inputs)),
        shuffle=flag(shuffle, "shuffle"),
        seed=seed,
        scheduler=scheduler,
        patience=_patience(maybe(patience, "patience", count), min_delta, held_out, model),
        gradient_tolerance=maybe(gradient_tolerance, "gradient_tolerance", not_negative),
        clip_grad_norm=maybe(clip_grad_norm, "clip_grad_norm", not_negative),
        clip_grad_value=maybe(clip_grad_value, "clip_grad_value", not_negative),
        callbacks=callables(callbacks, "callbacks", "model", "history"),
        jit=maybe(jit, "jit", flag),
    )
    warn_of_strangers(run)
    warn_of_labels(run)
    model.eval()
    try:
        operands = try_out(run, given, "the training data")
        if held_out is not None and train is given:
            try_out(run, held_out, "the validation data")
        run.steps = _compiled_steps(run, epochs, operands)
        saved = None if path is None else RunState(run, path)
    finally:
        model.train()
    if saved is not None and resume and Path(saved.path).exists():
        saved.load()

    bar = ProgressBar(epochs * len(train.inputs), len(run.history) * len(train.inputs), quiet=quiet)
    try:
        _train(run, epochs, saved, every, bar)
    finally:
        bar.close()
    if run.steps and run.steps.refusal and not quiet:
        print(f"Steps could not be compiled, and were evaluated eagerly: {run.steps.refusal}")
    run.finish()
    return run.history


def _train(run: Trainer, epochs: int, saved: RunState | None, every: int, bar: ProgressBar) -> None:
    """Run epochs until all are done, there is a reason to stop, or Ctrl-C is pressed."""
    history, texts = run.history, [f"epoch {len(run.history)}/{epochs}"]
    with deferred_interrupt() as interrupt:
        try:
            if not run.ended and len(history) < epochs:
                history.stopped = ""
            elif not history.stopped:
                history.stopped = run.reason(epochs)
            while not history.stopped:
                row = run.epoch(interrupt, lambda count: bar.advance(count, *texts))
                texts[:] = [f"epoch {row['epoch']}/{epochs}", *_numbers(row)]
                bar.advance(0, *texts)
                asked = [callback(run.model, history) for callback in run.callbacks]
                history.stopped = run.reason(epochs) or ("a callback asked" if any(asked) else "")
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


def _split(
    given: Examples, fraction: float, data: Any, seed: int
) -> tuple[Examples, Examples | None]:
    fraction = number(fraction, "validation_split", 0.0, 1.0)
    if data is None:
        return hold_out(given, fraction, seed) if fraction else (given, None)
    if fraction:
        raise OperandError("validation_split and validation_data exclude each other: give one")
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise OperandError(f"validation_data is {shown(data)}; give (inputs, targets)")
    inputs, targets = data
    return given, examples(inputs, targets, "the validation data")


def _patience(
    epochs: int | None, min_delta: float, held_out: Examples | None, model: Module
) -> Patience | None:
    min_delta = number(min_delta, "min_delta")
    if epochs is None:
        return None
    if held_out is None:
        raise OperandError(
            "patience watches the held-out loss: give validation_split or validation_data"
        )
    model.state_dict()  # raises where the best weights could not be kept
    return Patience(epochs, min_delta)


def _compiled_steps(run: Trainer, epochs: int, operands: int) -> Any:
    """Return what takes the steps of a run by `jit`, see `CompiledSteps`; None if all are eager.

    Raises
    ------
    TraceError
        With ``jit=True``, if the optimiser is not one that can be recorded.
    MissingPackageError
        With ``jit=True``, if NumPy is not installed.
    """
    if run.jit is False or is_anomaly_enabled():
        return None
    if type(run.optimizer) not in _OF_ARRAYS:
        if run.jit:
            names = ", ".join(kind.__name__ for kind in _OF_ARRAYS)
            raise TraceError(
                f"fit(…, jit=True) cannot record a step: {type(run.optimizer).__name__} is none of "
                f"{names} of scalargrad.optim, whose rules take arrays"
            )
        return None
    if run.jit is None and importlib.util.find_spec("numpy") is None:
        return None
    with needed("jit=True needs"):
        from scalargrad.train.compiled import CompiledSteps
    return CompiledSteps(run, epochs, operands)
