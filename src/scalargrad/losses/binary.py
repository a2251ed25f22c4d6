"""Losses for binary classification."""

from __future__ import annotations

from typing import Any

from scalargrad.losses.reduction import Reduction, elementwise, spread
from scalargrad.ops import log_loss, relu, softplus
from scalargrad.table.validation import scalar


def binary_cross_entropy(
    input: Any, target: Any, weight: Any = None, *, reduction: Reduction = "mean"
) -> Any:
    """Compute the cross-entropy of probabilities, -(t ln p + (1 - t) ln(1 - p)).

    Parameters
    ----------
    input : scalar, or nested lists of them
        Probabilities p that the answer is yes.
    target : as `input`
        1 for yes, 0 for no; anything between is a probability.
    weight : scalar or list, optional
        How much each number counts: one for all, one for each, or one for each column. "mean"
        still divides by how many there are.
    reduction : {"mean", "sum", "none"}
        Average, add up, or return one loss for each number.

    Returns
    -------
    scalar, or nested lists for "none"
        In nats.

    Raises
    ------
    OperandError
        If the two are not nested alike, or are empty; a column may go with a plain list.
    DomainError
        If a probability is not in [0, 1].

    Notes
    -----
    The lectures' -y ln p - (1 - y) ln(1 - p), their mean over the examples. As in PyTorch, a
    logarithm counts as -100 at least; the lectures' is ∞ there. From scores before the sigmoid,
    `binary_cross_entropy_with_logits` is more exact.

    Examples
    --------
    >>> round(binary_cross_entropy([0.5, 1.0], [1.0, 1.0], reduction="sum"), 12)
    0.69314718056
    """
    name = "binary_cross_entropy"
    return elementwise(log_loss, input, target, reduction, name, weight=weight)


def binary_cross_entropy_with_logits(
    input: Any,
    target: Any,
    weight: Any = None,
    *,
    reduction: Reduction = "mean",
    pos_weight: Any = None,
) -> Any:
    """Compute the cross-entropy of σ(z): (1 - t)z + ln(1 + e^-z), stable for large |z|.

    Parameters
    ----------
    input : scalar, or nested lists of them
        Logits z, the logarithms of the odds that the answer is yes.
    target : as `input`
        1 for yes, 0 for no; anything between is a probability.
    weight : scalar or list, optional
        How much each number counts: one for all, one for each, or one for each column. "mean"
        still divides by how many there are.
    reduction : {"mean", "sum", "none"}
        Average, add up, or return one loss for each number.
    pos_weight : scalar or list, optional
        How much more a yes counts than a no: one for all, or one for each column.

    Returns
    -------
    scalar, or nested lists for "none"
        In nats.

    Raises
    ------
    OperandError
        If the two are not nested alike, or are empty; a column may go with a plain list.

    Notes
    -----
    Its slope is σ(z) - t. This is the loss of logistic regression: what the lectures write of
    y = σ(z), computed from z.

    Examples
    --------
    >>> binary_cross_entropy_with_logits([1e4, -1e4], [1.0, 1.0], reduction="none")
    [0.0, 10000.0]
    """
    name = "binary_cross_entropy_with_logits"
    if pos_weight is None:
        return elementwise(_logistic, input, target, reduction, name, weight=weight)
    more = iter(spread(pos_weight, input, f"{name}: pos_weight"))

    def loss(z: Any, t: Any) -> Any:
        return (1.0 - t) * z + softplus(-z) * (1.0 + (next(more) - 1.0) * t)

    return elementwise(loss, input, target, reduction, name, weight=weight)


def _logistic(z: Any, t: Any) -> Any:
    return (1.0 - t) * z + softplus(-z)


def hinge_loss(
    input: Any, target: Any, *, margin: float = 1.0, reduction: Reduction = "mean"
) -> Any:
    """Compute the hinge (max-margin) loss of two classes, max(0, margin - y·f).

    Parameters
    ----------
    input : scalar, or nested lists of them
        Scores f.
    target : as `input`
        Classes y: -1 or 1.
    margin : float
        How far beyond 0 a score must lie to cost nothing, in the unit of the scores.
    reduction : {"mean", "sum", "none"}
        Average, add up, or return one loss for each number.

    Returns
    -------
    scalar, or nested lists for "none"
        In the unit of the scores.

    Raises
    ------
    OperandError
        If the two are not nested alike, or are empty; a column may go with a plain list.

    Notes
    -----
    Kink at y·f = margin, where the slope is taken as 0. With margin 1 it is UCSB's hinge loss,
    number for number.

    References
    ----------
    Cortes and Vapnik, 1995. PyTorch has no name for it; scikit-learn's is this one.

    Examples
    --------
    >>> hinge_loss([0.5, -3.0], [1.0, -1.0], reduction="none")
    [0.5, 0.0]
    """
    least = scalar(margin, "hinge_loss: margin")
    return elementwise(lambda f, y: relu(least - y * f), input, target, reduction, "hinge_loss")
