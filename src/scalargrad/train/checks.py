"""Checks of what `fit` is given, before anything is trained."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any, TypeVar

from scalargrad import losses
from scalargrad.errors import OperandError, ScalargradError, StateError, TrainingWarning
from scalargrad.grad_mode import no_grad
from scalargrad.graph import topological_order
from scalargrad.losses import Loss
from scalargrad.nn import Module
from scalargrad.optim.lr_scheduler import LRScheduler
from scalargrad.system.files import require_writable
from scalargrad.system.short_repr import shown
from scalargrad.table.validation import function, listed, number, whole
from scalargrad.train.examples import Examples, detached, numbers_in
from scalargrad.train.trainer import OptimizerLike, Schedule, Trainer, name_of
from scalargrad.value import Value

T = TypeVar("T")


#: The checks of options that are a number of 1 or more, and a number that is not negative.
count = partial(whole, low=1)
not_negative = partial(number, low=0.0, finite=False)


def maybe(x: Any, name: str, check: Callable[[Any, str], T]) -> T | None:
    """Return what a check makes of an option; None if it is not given."""
    return None if x is None else check(x, name)


def require_parts(model: Any, loss: Any, optimizer: Any, regularizer: Any, scheduler: Any) -> None:
    """Raise OperandError if a part given to `fit` cannot be used for training."""
    if not isinstance(model, Module):
        raise OperandError(
            f"model is {shown(model)}; give a Module, such as nn.MLP(2, [16, 1]): derive a class "
            "of your own from nn.Module, and make the numbers it trains Parameters"
        )
    function(loss, "loss", "scalargrad.losses.mse_loss, say")
    _require(optimizer, OptimizerLike, "optimizer", "optim.SGD(model.parameters())")
    if regularizer is not None:
        function(regularizer, "regularizer", "scalargrad.losses.l2_penalty, say")
    if scheduler is not None:
        _require(scheduler, Schedule, "scheduler", "lr_scheduler.StepLR(optimizer, 10)")
    if isinstance(scheduler, LRScheduler) and scheduler.optimizer is not optimizer:
        _warn(
            "the scheduler changes the learning rate of another optimizer than the one given: "
            "make it with this one"
        )


def _require(part: Any, protocol: Any, name: str, example: str) -> None:
    if not isinstance(part, protocol) or isinstance(part, type):
        raise OperandError(f"{name} is {shown(part)}; give an object such as {example}")


def callables(given: Any, name: str, *arguments: str) -> list[Any]:
    """Return functions of such arguments, given in a list."""
    wanted = f"of ({', '.join(arguments)})"
    return [function(f, f"one of {name}", wanted) for f in listed(given, name, "functions")]


def named_metrics(given: Any, columns: Iterable[str]) -> dict[str, Any]:
    """Return metrics by name, by default the name of the function."""
    if isinstance(given, Mapping):
        pairs = [(name, function(f, f"metrics[{name!r}]", "accuracy")) for name, f in given.items()]
    else:
        pairs = [(name_of(f), f) for f in callables(given, "metrics", "predictions", "targets")]
    named = dict(pairs)
    distinct = len(named) == len(pairs) and named.keys().isdisjoint(columns)
    if not distinct or not all(isinstance(name, str) for name in named):
        raise OperandError(
            f"metrics are named {', '.join(str(name) for name, _ in pairs)}: give a dict from name "
            f"to metric, with names that differ from each other and from {', '.join(columns)}"
        )
    return named


def checkpoint_path(given: Any, *, resume: bool) -> str | None:
    """Return the path for checkpoints, after checking that it can be written.

    Raises
    ------
    OperandError
        If it is not a path, or if there is none to resume from.
    StateError
        If it cannot be written to.
    """
    if given is None:
        if resume:
            raise OperandError("resume=True needs the file to go on from: give checkpoint=path")
        return None
    if not isinstance(given, str | os.PathLike):
        raise OperandError(f"checkpoint is {shown(given)}; give the path of a file")
    try:
        require_writable(given)
    except (OSError, ValueError) as error:
        raise StateError(f"the checkpoint cannot be written: {error}") from error
    return os.fspath(given)


# A trial ------------------------------------------------------------------------------------------


def try_out(run: Trainer, data: Examples, what: str) -> int:
    """Raise OperandError if model, loss or metrics cannot take examples; evaluation mode is on.

    The model is called with the first, with the first that has another number of numbers and with
    the first that has one that is not finite. The prediction for the first stands for those of all
    others; if examples have unlike numbers of numbers, loss and metrics are given those alone that
    were called with. PyTorch Lightning calls this a sanity check.

    Returns
    -------
    int
        The number of operands on the way to the first prediction.
    """
    found: dict[int, Any] = {}
    loss = math.nan
    with _trying("fit", f"X of {what}"):  # it may hold itself
        numbers = [*map(numbers_in, data.inputs)]
    odd = [i for i, x in enumerate(numbers) if not _are_finite(x)]
    others = [i for i, x in enumerate(numbers) if len(x) != len(numbers[0])]
    for i in (0, *odd[:1], *others[:1]):
        x = data.inputs[i]
        with suppress(ArithmeticError), _trying("the model", f"X of {what} at {i}, {shown(x)}"):
            found[i] = _prediction(run.model, x)
    if 0 in found:
        asked = sorted(found) if others else range(len(data.inputs))
        predictions = [found.get(i, found[0]) for i in asked]
        targets = [data.targets[i] for i in asked] if others else data.targets
        with suppress(ArithmeticError), no_grad(), _trying(name_of(run.loss), what):
            loss = run.held_out_loss(predictions, targets)
        _try_metrics(run, predictions, targets, what)
    if not math.isfinite(loss):
        _require_finite(data, what)
    first = found.get(0)
    outputs = first if isinstance(first, list | tuple) else [first]
    nodes = [topological_order(x) for x in outputs if isinstance(x, Value)]
    return sum(len(node.parents) for part in nodes for node in part)


def _prediction(model: Module, x: Any) -> Any:
    before = repr(x)
    found = model(x)
    if repr(x) != before:
        raise OperandError(
            "it changes its input, so that each epoch would find another: let it change a copy, "
            "as in x = [*x]"
        )
    return found


def _try_metrics(run: Trainer, predictions: list[Any], targets: Any, what: str) -> None:
    numbers = [detached(x) for x in predictions]
    for name in run.metrics:
        # such as a correlation, which may be undefined for the predictions made here
        forgiven = ArithmeticError, ValueError
        with suppress(*forgiven), _trying(name_of(run.metrics[name]), what, forgiven):
            run.measure(name, numbers, targets)


@contextmanager
def _trying(
    name: str, what: str, forgiven: tuple[type[Exception], ...] = (ArithmeticError,)
) -> Iterator[None]:
    """Say in an error what cannot take what; an error that training may cure stays as it is."""
    try:
        yield
    except forgiven:
        raise
    except Exception as error:
        kind = "" if isinstance(error, ScalargradError) else f"{type(error).__name__}: "
        text = " ".join(str(error).split())
        raise OperandError(f"{name} cannot take {what}: {kind}{text}") from error


def _require_finite(data: Examples, what: str) -> None:
    """Raise OperandError if a number is not finite, which is why a loss is not."""
    for name, column in zip("Xy", data, strict=True):
        for i, x in enumerate(column):
            if odd := next((n for n in numbers_in(x) if not _are_finite([n])), None):
                raise OperandError(
                    f"{name} of {what} has {shown(odd)} at {i}, and the loss is not finite there: "
                    "leave such examples out, or fill them in"
                )


def _are_finite(numbers: Iterable[float]) -> bool:
    try:
        return all(map(math.isfinite, numbers))
    except OverflowError:  # an integer beyond all floats
        return False


# Warnings -----------------------------------------------------------------------------------------


def _warn(message: str) -> None:
    warnings.warn(message, TrainingWarning, stacklevel=4)


def warn_of_strangers(run: Trainer) -> None:
    """Warn of parameters that the optimiser moves but that do not belong to what is trained."""
    modules = [part for part in run.called if isinstance(part, Module)]
    known = {id(p) for part in modules for p in part.parameters()}
    trained = run.trained
    if strange := sum(id(p) not in known for p in trained):
        _warn(
            f"{strange} of the {len(trained)} parameters that the optimizer moves are not the "
            "model's: make it with model.parameters(), of the model that is trained"
        )


def warn_of_labels(run: Trainer) -> None:
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
    if isinstance(loss, partial):
        return _function(loss.func)
    return type(loss).function if isinstance(loss, Loss) else loss
