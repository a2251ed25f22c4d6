"""Checks of the arguments of `fit`, and of model, loss and metrics on a few examples.

An error is raised before training, and names the argument or the example.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, TypeVar

from scalargrad import losses
from scalargrad.checks.arguments import (
    check_function,
    check_instance,
    check_integer,
    check_list,
    check_number,
)
from scalargrad.engine.graph import topological_order
from scalargrad.engine.value import Parameter, Value
from scalargrad.errors import GraphError, OperandError, ScalargradError, StateError, TrainingWarning
from scalargrad.nn import Module
from scalargrad.optim.lr_scheduler import LRScheduler
from scalargrad.system.files import require_writable
from scalargrad.system.short_repr import format_value
from scalargrad.train.examples import Examples, detach_values, numbers_in
from scalargrad.train.trainer import OptimizerLike, Schedule, Trainer, name_of
from scalargrad.transforms.evaluation import in_place_advice

T = TypeVar("T")

#: Check of an integer option of at least 1.
check_count = partial(check_integer, low=1)
#: Check of a number option of at least 0.
check_not_negative = partial(check_number, low=0.0, finite=False)


def check_optional(x: Any, name: str, check: Callable[[Any, str], T]) -> T | None:
    """Check an option, and return it; None if it is None."""
    return None if x is None else check(x, name)


def require_parts(model: Any, loss: Any, optimizer: Any, regularizer: Any, scheduler: Any) -> None:
    """Raise OperandError if an argument of `fit` cannot be used for training."""
    check_instance(model, "model", Module, "a Module, such as nn.MLP(2, [16, 1])")
    check_function(loss, "loss", "scalargrad.losses.mse_loss, for example")
    _require(optimizer, OptimizerLike, "optimizer", "optim.SGD(model.parameters())")
    check_optional(
        regularizer,
        "regularizer",
        partial(check_function, example="losses.l2_penalty, for example"),
    )
    if scheduler is not None:
        _require(scheduler, Schedule, "scheduler", "lr_scheduler.StepLR(optimizer, 10)")
    if isinstance(scheduler, LRScheduler) and scheduler.optimizer is not optimizer:
        _warn("the scheduler belongs to another optimizer: make it with the optimizer of fit")


def _require(part: Any, protocol: Any, name: str, example: str) -> None:
    if not isinstance(part, protocol) or isinstance(part, type):
        raise OperandError(f"{name} is {format_value(part)}; give an object such as {example}")


def check_callables(given: Any, name: str, *arguments: str) -> list[Any]:
    """Check a list of functions of these arguments, and return it."""
    wanted = f"of ({', '.join(arguments)})"
    return [
        check_function(f, f"one of {name}", wanted) for f in check_list(given, name, "functions")
    ]


def metrics_by_name(given: Any, columns: Iterable[str]) -> dict[str, Any]:
    """Return metrics by name; the default name is that of the function."""
    if isinstance(given, Mapping):
        pairs = [
            (name, check_function(f, f"metrics[{name!r}]", "accuracy")) for name, f in given.items()
        ]
    else:
        pairs = [
            (name_of(f), f) for f in check_callables(given, "metrics", "predictions", "targets")
        ]
    named = dict(pairs)
    distinct = len(named) == len(pairs) and named.keys().isdisjoint(columns)
    if not distinct or not all(isinstance(name, str) for name in named):
        raise OperandError(
            f"the names of metrics are {', '.join(str(name) for name, _ in pairs)}: give a dict "
            f"from name to metric, with distinct names other than {', '.join(columns)}"
        )
    return named


def require_checkpoint_file(given: Any, *, resume: bool) -> None:
    """Raise an error if the checkpoint cannot be written, or is missing with resume=True."""
    if given is None and resume:
        raise OperandError("resume=True needs a checkpoint to continue from: give checkpoint=path")
    try:
        if given is not None:
            require_writable(given)
    except (OSError, TypeError, ValueError) as error:
        raise StateError(f"the checkpoint cannot be written: {error}") from error


def run_sanity_check(run: Trainer, data: Examples, what: str) -> int:
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
    numbers = [detach_values(x) for x in predictions]
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


def _warn(message: str) -> None:
    warnings.warn(message, TrainingWarning, stacklevel=4)


def warn_if_parameters_outside(run: Trainer) -> None:
    """Warn if the optimizer updates parameters that no module of the run has."""
    if outside := run.parameters_outside(*[x for x in run.callables if isinstance(x, Module)]):
        _warn(
            f"{len(outside)} of the {len(run.trained)} parameters that the optimizer updates are "
            "not in the model: make it with model.parameters() of the model that is trained"
        )


def warn_of_unsuitable_labels(run: Trainer) -> None:
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
