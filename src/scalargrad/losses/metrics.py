"""Metrics: plain numbers that measure a classifier; no gradient flows through them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from scalargrad.errors import DomainError, NumericalError, OperandError
from scalargrad.grad_mode import recorder, switches
from scalargrad.losses.functional import (
    Reduction,
    class_index,
    examples,
    has_entries,
    reduced,
    reduction_of,
)
from scalargrad.ops import argmax, ne, prod, sum
from scalargrad.system.short_repr import shown
from scalargrad.table.numbers import as_float, is_real
from scalargrad.table.validation import listed, number
from scalargrad.value import Value

__all__ = ["accuracy", "confusion_matrix", "error_rate", "zero_one_loss"]

#: The targets beside a single score: class 1, and the other in either convention.
_OF_TWO = (1.0, 0.0, -1.0)


def _number(x: Any, what: str) -> float:
    return x.data if isinstance(x, Value) else as_float(x, what)


def _score(x: Any, name: str) -> float:
    found = _number(x, f"{name}: a score")
    if found != found:
        raise NumericalError(
            f"{name}: a score is nan, which names no class; backward() from it says where it arose"
        )
    return found


def _is_positive(t: Any, name: str) -> bool:
    """Return whether the target beside a single score is class 1."""
    found = _number(t, f"{name}: a target")
    if found not in _OF_TWO:
        raise DomainError(
            f"{name}: a target is {shown(t)}; beside a single score, give 1 for class 1, and 0 or "
            "-1 for the other"
        )
    return found == 1.0


def _examples(input: Any, target: Any, name: str) -> Iterator[tuple[Any, Any]]:
    """Yield the scores and the target of each example."""
    given = listed(input, f"{name}: input", "scores")
    rows = [x if has_entries(x) else [x] for x in given]
    wanted = [
        t[0] if has_entries(t) and len(t) == 1 else t
        for t in listed(target, f"{name}: target", "classes")
    ]
    yield from examples(rows, wanted, name)


def _verdicts(input: Any, target: Any, threshold: float, name: str) -> Iterator[tuple[int, int]]:
    """Yield (true class, predicted class) for each example."""
    limit = number(threshold, f"{name}: threshold", finite=False)
    for scores, t in _examples(input, target, name):
        numbers = [_score(x, name) for x in scores]
        if len(numbers) == 1:
            yield int(_is_positive(t, name)), int(numbers[0] > limit)
        elif is_real(t):
            yield class_index(t, len(numbers), name), argmax(numbers)
        else:
            raise OperandError(f"{name}: a target is {shown(t)}; give the number of the class")


def _recorded_errors(input: Any, target: Any, threshold: float, name: str) -> Iterator[Any]:
    """Yield 1 or 0 for each example, as operations that a compiled function repeats.

    A class that is none, or a score, makes a divisor 0, so that the call is made eagerly.
    """
    limit = number(threshold, f"{name}: threshold", finite=False)
    for scores, t in _examples(input, target, name):
        if len(scores) == 1:
            named = [t == x for x in _OF_TWO]
            wrong = named[0] != (scores[0] > limit)
        else:
            named = [t == float(k) for k in range(len(scores))]
            wrong = ne(argmax(scores), t)
        yield wrong / (sum(named) * prod([x == x for x in scores]))


def zero_one_loss(
    input: Any, target: Any, *, threshold: float = 0.0, reduction: Reduction = "mean"
) -> Any:
    """Count classification errors: 1 for a wrong prediction, 0 for a right one.

    Parameters
    ----------
    input : list of N examples
        For each, C scores, of which the largest (the first of equals) names the class; or one
        score, which means class 1 where it exceeds `threshold`.
    target : list of N numbers
        Classes 0 … C - 1; with single scores, 1 for class 1, and 0 or -1 for the other.
    threshold : float
        0 for logits and margins, 0.5 for probabilities.
    reduction : {"mean", "sum", "none"}
        Error rate, number of errors, or one number for each example.

    Returns
    -------
    float, or list of float for "none"
        Dimensionless. Without gradient: it is constant wherever it is smooth.

    Raises
    ------
    OperandError
        If there are no examples, or not one target for each.
    DomainError
        If a class is not in 0 … C - 1, or beside a single score not 1, 0 or -1.
    NumericalError
        If a score is nan.

    Examples
    --------
    >>> zero_one_loss([2.5, -1.0, 0.3, -0.2], [1, -1, -1, -1])
    0.25
    """
    reduction_of(reduction, "zero_one_loss")
    wrong: list[Any]
    if switches and recorder() is not None:
        wrong = [*_recorded_errors(input, target, threshold, "zero_one_loss")]
    else:
        wrong = [float(t != y) for t, y in _verdicts(input, target, threshold, "zero_one_loss")]
    return wrong if reduction == "none" else reduced(wrong, reduction, "zero_one_loss")


def error_rate(input: Any, target: Any, *, threshold: float = 0.0) -> float:
    """Return the fraction of wrong predictions; see `zero_one_loss`.

    Examples
    --------
    >>> error_rate([[0.1, 0.9], [0.8, 0.2]], [1, 1])
    0.5
    """
    rate: float = zero_one_loss(input, target, threshold=threshold)
    return rate


def accuracy(input: Any, target: Any, *, threshold: float = 0.0) -> float:
    """Return the fraction of right predictions; parameters as for `zero_one_loss`.

    Examples
    --------
    >>> accuracy([[0.1, 0.9], [0.8, 0.2]], [1, 1])
    0.5
    """
    wrong = zero_one_loss(input, target, threshold=threshold, reduction="none")
    hits: float = reduced([1.0 - x for x in wrong], "mean", "accuracy")
    return hits


def confusion_matrix(input: Any, target: Any, *, threshold: float = 0.0) -> list[list[int]]:
    """Count the predictions of each class, by true class; parameters as for `zero_one_loss`.

    Returns
    -------
    list of C lists of C int
        Row: true class. Column: predicted class. C = 2 for single scores.

    Raises
    ------
    OperandError
        If there are no examples, or not one target for each.

    Examples
    --------
    >>> confusion_matrix([2.5, -1.0, 0.3], [1, 0, 0])
    [[1, 1], [0, 1]]
    """
    verdicts = list(_verdicts(input, target, threshold, "confusion_matrix"))
    if not verdicts:
        raise OperandError("confusion_matrix of no examples: give at least one")
    first = next(iter(input))
    classes = max(2, len(first) if has_entries(first) else 2)
    counts = [[0] * classes for _ in range(classes)]
    for true, predicted in verdicts:
        counts[true][predicted] += 1
    return counts
