"""Checks of what `fit` is given, before anything is trained."""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, TypeVar

from scalargrad.errors import OperandError, StateError, TrainingWarning
from scalargrad.losses import (
    Loss,
    accuracy,
    binary_cross_entropy,
    binary_cross_entropy_with_logits,
    confusion_matrix,
    error_rate,
    hinge_loss,
    zero_one_loss,
)
from scalargrad.nn import Module
from scalargrad.optim import Optimizer
from scalargrad.optim.lr_scheduler import LRScheduler, ReduceLROnPlateau
from scalargrad.system.files import require_writable
from scalargrad.system.short_repr import shown
from scalargrad.table.numbers import is_real
from scalargrad.table.validation import function, listed, number, whole
from scalargrad.train.examples import Examples, numbers_in
from scalargrad.train.objective import Objective, name_of

T = TypeVar("T")

_COUNTS = (accuracy, error_rate, zero_one_loss, confusion_matrix)
_OPTIMIZER = ("step", "zero_grad", "state_dict", "load_state_dict")
_MEASURED = ("predictions", "targets")
_SCHEDULER = ("step", "get_last_lr", "state_dict", "load_state_dict")


def count(x: Any, name: str) -> int:
    """Return a whole number of 1 or more."""
    return whole(x, name, 1)


def not_negative(x: Any, name: str) -> float:
    """Return a number that is not negative."""
    return number(x, name, 0.0, finite=False)


def maybe(x: Any, name: str, check: Callable[[Any, str], T]) -> T | None:
    """Return what a check makes of an option; None if it is not given."""
    return None if x is None else check(x, name)


def pair(x: Any, name: str) -> tuple[Any, Any]:
    """Return inputs and targets."""
    if not isinstance(x, tuple | list) or len(x) != 2:
        raise OperandError(f"{name} is {shown(x)}; give (inputs, targets)")
    inputs, targets = x
    return inputs, targets


def require_parts(model: Any, loss: Any, optimizer: Any, regularizer: Any, scheduler: Any) -> None:
    """Raise OperandError if a part given to `fit` cannot be used for training."""
    if not isinstance(model, Module):
        raise OperandError(
            f"model is {shown(model)}; give a Module, such as nn.MLP(2, [16, 1]): derive a class "
            "of your own from nn.Module, and make the numbers it trains Parameters"
        )
    function(loss, "loss", "scalargrad.losses.mse_loss, say")
    require_takes(loss, "loss", "predictions", "targets")
    _require_methods(optimizer, "optimizer", "optim.SGD(model.parameters())", _OPTIMIZER)
    require_takes(optimizer.step, "optimizer.step")
    if regularizer is not None:
        function(regularizer, "regularizer", "scalargrad.losses.l2_penalty, say")
        require_takes(regularizer, "regularizer", "parameters")
    if scheduler is not None:
        _require_methods(scheduler, "scheduler", "lr_scheduler.StepLR(optimizer, 10)", _SCHEDULER)
        _require_schedule(scheduler, optimizer)


def _require_methods(part: Any, name: str, example: str, methods: Iterable[str]) -> None:
    missing = [m for m in methods if not callable(getattr(part, m, None))]
    if missing or isinstance(part, type):
        lacks = f", which has no {missing[0]}" if missing else ", a class and not an object of it"
        raise OperandError(f"{name} is {shown(part)}{lacks}; give one such as {example}")


def _require_schedule(scheduler: Any, optimizer: Any) -> None:
    """Raise OperandError if a schedule cannot be stepped; warn if it is of another optimiser."""
    if not isinstance(scheduler, ReduceLROnPlateau):
        require_takes(scheduler.step, "scheduler.step")
    if not getattr(optimizer, "param_groups", None):
        rates = scheduler.get_last_lr()
        if not isinstance(rates, list | tuple) or not rates or not is_real(rates[0]):
            raise OperandError(
                f"scheduler.get_last_lr() returned {shown(rates)}; it must return a list with the "
                "learning rate of each group of parameters"
            )
    others = isinstance(scheduler, LRScheduler) and scheduler.optimizer is not optimizer
    if others and isinstance(optimizer, Optimizer):
        warnings.warn(
            "the scheduler changes the learning rate of another optimizer than the one given: "
            "make it with this one",
            TrainingWarning,
            stacklevel=4,
        )


def require_takes(given: Any, name: str, *arguments: str) -> None:
    """Raise OperandError if a function cannot be called with so many arguments.

    What says nothing of its parameters, as some functions written in C, is believed.
    """
    try:
        signature = inspect.signature(given, follow_wrapped=False)
    except (ValueError, TypeError):
        return
    try:
        signature.bind(*arguments)
    except TypeError as error:
        raise OperandError(
            f"{name} is {shown(given)}, and is called as {name}({', '.join(arguments)}): {error}"
        ) from None


def callables(given: Any, name: str, *arguments: str) -> list[Any]:
    """Return functions of such arguments, given in a list."""
    if callable(given) and not hasattr(given, "__iter__"):
        raise OperandError(f"{name} is {shown(given)}; put it in a list: {name}=[…]")
    found = listed(given, name, "functions")
    for i, f in enumerate(found):
        function(f, f"{name}[{i}]", f"of ({', '.join(arguments)})")
        require_takes(f, f"{name}[{i}]", *arguments)
    return found


def named_metrics(given: Any, columns: Iterable[str]) -> dict[str, Any]:
    """Return metrics by name, by default the name of the function."""
    if isinstance(given, Mapping):
        pairs = [(name, function(f, f"metrics[{name!r}]", "accuracy")) for name, f in given.items()]
        for name, f in pairs:
            require_takes(f, f"metrics[{name!r}]", *_MEASURED)
    else:
        pairs = [(name_of(f), f) for f in callables(given, "metrics", *_MEASURED)]
    taken, named = set(columns), dict(pairs)
    distinct = len(named) == len(pairs) and named.keys().isdisjoint(taken)
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


def warn_of_strangers(optimizer: Any, model: Module, others: Iterable[Any]) -> None:
    """Warn of parameters that the optimiser moves but that do not belong to what is trained."""
    groups = getattr(optimizer, "param_groups", None)
    if not groups:
        return
    modules = [part for part in (model, *others) if isinstance(part, Module)]
    known = {id(p) for part in modules for p in part.parameters()}
    trained = [p for group in groups for p in group["params"]]
    strange = sum(id(p) not in known for p in trained)
    if strange:
        warnings.warn(
            f"{strange} of the {len(trained)} parameters that the optimizer moves are not the "
            "model's: make it with model.parameters(), of the model that is trained",
            TrainingWarning,
            stacklevel=3,
        )


def warn_of_labels(objective: Objective, data: Examples) -> None:
    """Warn where targets, or a metric, do not suit the loss."""
    loss = _function(objective.loss)
    if loss in (binary_cross_entropy, binary_cross_entropy_with_logits):
        odd = next((t for t in numbers_in(data.targets) if not 0.0 <= t <= 1.0), None)
        remedy = "y - 1 for classes 1 and 2, (y + 1) / 2 for -1 and 1"
        _warn(odd, "binary cross-entropy takes 1 for yes and 0 for no", remedy)
    if loss is hinge_loss:
        odd = next((t for t in numbers_in(data.targets) if t not in {-1.0, 1.0}), None)
        _warn(odd, "the hinge loss takes 1 and -1", "2 * y - 1 for classes 0 and 1")
    if loss is binary_cross_entropy:
        _warn_of_metrics(objective)


def _warn(odd: float | None, wanted: str, remedy: str) -> None:
    if odd is not None:
        message = f"{wanted}, and a target is {odd:g}: give {remedy}"
        warnings.warn(message, TrainingWarning, stacklevel=4)


def _warn_of_metrics(objective: Objective) -> None:
    for name, metric in objective.metrics.items():
        if metric in _COUNTS:
            warnings.warn(
                f"{name} counts what is above 0 as class 1, and the loss takes probabilities: give "
                f"{{'{name}': partial({name}, threshold=0.5)}}",
                TrainingWarning,
                stacklevel=4,
            )


def _function(loss: Any) -> Any:
    """Return the function that a loss wraps, where it can be found."""
    if isinstance(loss, partial):
        return _function(loss.func)
    return type(loss).function if isinstance(loss, Loss) else loss
