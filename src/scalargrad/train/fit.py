"""fit: train a model epoch by epoch, after checks of its arguments."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from scalargrad.checks.arguments import check_flag, check_integer, check_number, check_size
from scalargrad.engine.autodiff import is_anomaly_enabled
from scalargrad.engine.grad_mode import builds_graphs
from scalargrad.errors import GraphError, OperandError
from scalargrad.nn import Module
from scalargrad.system.packages import optional_dependency
from scalargrad.system.process import deferred_interrupt
from scalargrad.system.terminals import ProgressBar
from scalargrad.train.checkpoint import RunState
from scalargrad.train.checks import (
    check_callables,
    check_count,
    check_not_negative,
    check_optional,
    metrics_by_name,
    require_checkpoint_file,
    require_parts,
    run_sanity_check,
    warn_if_parameters_outside,
    warn_of_unsuitable_labels,
)
from scalargrad.train.examples import examples, split
from scalargrad.train.history import History, attach_history
from scalargrad.train.trainer import (
    Callback,
    Loss,
    Metric,
    OptimizerLike,
    Regularizer,
    Schedule,
    Trainer,
)

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
    require_parts(model, loss, optimizer, regularizer, scheduler)
    epochs, seed = check_size(epochs, "epochs", 1), check_integer(seed, "seed")
    per_batch = check_optional(batch_size, "batch_size", check_count)
    every = check_count(checkpoint_every, "checkpoint_every")
    require_checkpoint_file(checkpoint, resume=check_flag(resume, "resume"))
    given, quiet = examples(X, y, "the training data"), check_flag(quiet, "quiet")
    train, held_out = split(given, validation_split, validation_data, seed)
    n, min_delta = len(train.inputs), check_number(min_delta, "min_delta")
    if patience is not None and held_out is None:
        raise OperandError(
            "patience needs a held-out loss: give validation_split or validation_data"
        )
    run = Trainer(
        model,
        loss,
        regularizer,
        metrics_by_name(metrics, _COLUMNS),
        train,
        held_out,
        optimizer=optimizer,
        batch_size=min(per_batch or n, n),
        shuffle=check_flag(shuffle, "shuffle"),
        seed=seed,
        scheduler=scheduler,
        patience=check_optional(patience, "patience", check_count),
        min_delta=min_delta,
        gradient_tolerance=check_optional(
            gradient_tolerance, "gradient_tolerance", check_not_negative
        ),
        clip_grad_norm=check_optional(clip_grad_norm, "clip_grad_norm", check_not_negative),
        callbacks=check_callables(callbacks, "callbacks", "model", "history"),
        jit=check_optional(jit, "jit", check_flag),
    )
    warn_if_parameters_outside(run)
    warn_of_unsuitable_labels(run)
    model.eval()
    try:
        operands = run_sanity_check(run, given, "the training data")
        if held_out is not None and train is given:
            run_sanity_check(run, held_out, "the validation data")
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
