"""Regression losses: how far predictions are from their targets."""

from __future__ import annotations

from typing import Any

from scalargrad.errors import DomainError
from scalargrad.losses.reduction import Reduction, elementwise
from scalargrad.ops import abs, square, where
from scalargrad.table.validation import scalar


def mse_loss(input: Any, target: Any, *, reduction: Reduction = "mean") -> Any:
    """Compute the squared error, (x - t)², averaged over all numbers.

    Parameters
    ----------
    input, target : scalars, or equally nested lists of them
        Predictions and what they should be, in one unit.
    reduction : {"mean", "sum", "none"}
        Average, add up, or return one loss for each number.

    Returns
    -------
    scalar, or nested lists for "none"
        In the unit squared.

    Raises
    ------
    OperandError
        If the two are not nested alike, or are empty; a column may go with a plain list.

    Notes
    -----
    PyTorch's definition, as UNC's, without the ½ that cancels the 2 of the derivative: Toronto's
    ½(x - t)², and 1/(2N) Σ (x - t)² over N examples, are half of it. Of vectors, as in PyTorch,
    it is the mean over all N·D numbers; Hosseini's (1/N) Σ ‖e‖² divides the sum by N alone.
    The empirical risk of a model is the mean of its losses.

    Examples
    --------
    >>> mse_loss([1.0, 2.0], [1.0, 4.0])
    2.0
    >>> mse_loss([1.0, 2.0], [1.0, 4.0], reduction="sum") / (2 * 2)  # Toronto, 1/(2N)
    1.0
    >>> vectors, targets = [[1.0, 2.0], [3.0, 5.0]], [[0.0, 0.0], [3.0, 4.0]]
    >>> mse_loss(vectors, targets)
    1.5
    >>> mse_loss(vectors, targets, reduction="sum") / len(vectors)  # Hosseini, (1/N) Σ ‖e‖²
    3.0
    """
    return elementwise(lambda x, t: square(x - t), input, target, reduction, "mse_loss")


def l1_loss(input: Any, target: Any, *, reduction: Reduction = "mean") -> Any:
    """Compute the absolute error, |x - t|, averaged over all numbers.

    Parameters, result and errors as for `mse_loss`; the result is in the unit of the numbers.

    Notes
    -----
    Kink at x = t, where the slope is taken as 0. PyTorch's definition; where a lecture writes
    ½|x - t|, half of this is meant.

    Examples
    --------
    >>> l1_loss([1.0, 2.0], [1.0, 4.0])
    1.0
    >>> l1_loss([1.0, 2.0], [1.0, 4.0]) / 2  # with the lecture's ½
    0.5
    """
    return elementwise(lambda x, t: abs(x - t), input, target, reduction, "l1_loss")


def huber_loss(input: Any, target: Any, reduction: Reduction = "mean", delta: float = 1.0) -> Any:
    """Compute Huber's loss: ½d² where d = |x - t| < delta, else delta · (d - ½ delta).

    Parameters
    ----------
    input, target : scalars, or equally nested lists of them
        Predictions and what they should be, in one unit.
    reduction : {"mean", "sum", "none"}
        Average, add up, or return one loss for each number.
    delta : float
        Where the parabola turns into a line, in the unit of the numbers; positive.

    Returns
    -------
    scalar, or nested lists for "none"
        In the unit squared.

    Raises
    ------
    OperandError
        If the two are not nested alike, or are empty; a column may go with a plain list.
    DomainError
        If delta is not positive.

    Notes
    -----
    It has a ½ where `mse_loss` has none: for small errors Huber's loss is half the squared error,
    the lectures' ½(x - t)².

    References
    ----------
    Huber, 1964.

    Examples
    --------
    >>> huber_loss([0.0, 0.0], [1.0, 3.0], delta=2.0, reduction="none")
    [0.5, 4.0]
    """
    delta = scalar(delta, "huber_loss: delta")
    if not delta > 0.0:
        raise DomainError(f"huber_loss: delta is {delta}; it must be positive")

    def loss(x: Any, t: Any) -> Any:
        error = x - t
        distance = abs(error)
        line = delta * (distance - 0.5 * delta)
        return where(distance < delta, 0.5 * square(error), line)

    return elementwise(loss, input, target, reduction, "huber_loss")


def smooth_l1_loss(
    input: Any, target: Any, *, reduction: Reduction = "mean", beta: float = 1.0
) -> Any:
    """Compute the smooth L1 loss: ½d²/beta where d = |x - t| < beta, else d - ½ beta.

    This is `huber_loss` divided by beta; beta = 0 gives `l1_loss`.

    Parameters
    ----------
    input, target : scalars, or equally nested lists of them
        Predictions and what they should be, in one unit.
    reduction : {"mean", "sum", "none"}
        Average, add up, or return one loss for each number.
    beta : float
        Where the parabola turns into a line, in the unit of the numbers; not negative.

    Returns
    -------
    scalar, or nested lists for "none"
        In the unit of the numbers.

    Raises
    ------
    OperandError
        If the two are not nested alike, or are empty; a column may go with a plain list.
    DomainError
        If beta is negative.

    References
    ----------
    Girshick, 2015, equation 3.

    Examples
    --------
    >>> smooth_l1_loss([0.0, 0.0], [1.0, 3.0], beta=2.0, reduction="none")
    [0.25, 2.0]
    """
    beta = scalar(beta, "smooth_l1_loss: beta")
    if not beta >= 0.0:
        raise DomainError(f"smooth_l1_loss: beta is {beta}; it cannot be negative")

    def loss(x: Any, t: Any) -> Any:
        error = x - t
        distance = abs(error)
        if beta == 0.0:
            return distance
        return where(distance < beta, square(error) * (0.5 / beta), distance - 0.5 * beta)

    return elementwise(loss, input, target, reduction, "smooth_l1_loss")
