"""Warnings about labels that do not suit the loss."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from functools import partial
from typing import Any

from scalargrad.errors import TrainingWarning
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
from scalargrad.table.numbers import is_real
from scalargrad.train.examples import Examples
from scalargrad.train.objective import Objective

_COUNTS = (accuracy, error_rate, zero_one_loss, confusion_matrix)


def warn_of_labels(objective: Objective, data: Examples) -> None:
    """Warn where targets, or a metric, do not suit the loss."""
    loss = _function(objective.loss)
    if loss in (binary_cross_entropy, binary_cross_entropy_with_logits):
        odd = next((t for t in _numbers(data.targets) if not 0.0 <= t <= 1.0), None)
        remedy = "y - 1 for classes 1 and 2, (y + 1) / 2 for -1 and 1"
        _warn(odd, "binary cross-entropy takes 1 for yes and 0 for no", remedy)
    if loss is hinge_loss:
        odd = next((t for t in _numbers(data.targets) if t not in {-1.0, 1.0}), None)
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


def _numbers(targets: Any) -> Iterator[float]:
    if isinstance(targets, list | tuple):
        for target in targets:
            yield from _numbers(target)
    elif is_real(targets):
        yield float(targets)
