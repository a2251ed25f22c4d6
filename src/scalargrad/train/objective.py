"""The objective of a run: a model's loss, penalty and metrics."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from scalargrad.errors import OperandError
from scalargrad.nn import Module
from scalargrad.system.short_repr import shown
from scalargrad.table.numbers import is_real
from scalargrad.train.examples import Examples, detached
from scalargrad.train.history import Row
from scalargrad.value import Value

Loss = Callable[[list[Any], list[Any]], Any]
Metric = Callable[[list[Any], list[Any]], float]
Regularizer = Callable[[list[Any]], Any]


@dataclass(frozen=True)
class Objective:
    """A model with its loss, penalty and metrics; see `fit` for what each is."""

    model: Module
    loss: Loss
    regularizer: Regularizer | None
    metrics: dict[str, Metric]

    @property
    def called(self) -> tuple[Any, ...]:
        """The functions and modules that a step calls."""
        return self.model, self.loss, self.regularizer

    def value(self, predictions: list[Any], targets: list[Any]) -> Any:
        """Return the loss of a batch, penalty included.

        Raises
        ------
        OperandError
            If it is no Value, and so cannot be minimised.
        """
        loss = _number(self.loss(predictions, targets), self.loss, "one Value, such as a mean")
        if self.regularizer is not None:
            penalty = self.regularizer(self.model.parameters())
            loss = loss + _number(penalty, self.regularizer, "one Value")
        if not isinstance(loss, Value):
            raise OperandError(
                f"the loss is {shown(loss)} whatever the parameters: compute it from the "
                "predictions, not from their .data"
            )
        return loss

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


class EpochMean:
    """Sums over the batches of one epoch."""

    def __init__(self, objective: Objective, data: Examples) -> None:
        self._objective, self._data = objective, data
        self._count = 0
        self._loss = 0.0
        self._predictions: list[Any] = []
        self._targets: list[Any] = []
        self._gradient: list[float] = []

    def add(self, result: StepResult, rows: Sequence[int]) -> None:
        """Add the batch of the examples with these numbers, weighted by its size."""
        n = len(rows)
        self._count += n
        self._loss += n * result.loss
        if self._objective.metrics:
            self._predictions += result.predictions
            self._targets += self._data.at(rows).targets
        if result.gradient:
            known = self._gradient or [0.0] * len(result.gradient)
            self._gradient = [g + n * x for g, x in zip(known, result.gradient, strict=True)]

    def row(self) -> Row:
        """Return the means, and the Euclidean norm of the mean gradient if one was given."""
        row = {"loss": self._loss / self._count}
        row |= self._objective.measured(self._predictions, self._targets)
        if self._gradient:
            row["gradient_norm"] = math.hypot(*self._gradient) / self._count
        return row
