"""Regularisers: penalties on large weights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scalargrad.ops import abs, dot, sum
from scalargrad.table.validation import listed
from scalargrad.value import Scalar


def l1_penalty(parameters: Iterable[Scalar]) -> Any:
    """Add up absolute values, Σ |w|; a multiple of it in a loss drives weights to exactly 0.

    Parameters
    ----------
    parameters : iterable of scalars
        Usually ``model.parameters()``.

    Returns
    -------
    scalar
        In the unit of the weights.

    References
    ----------
    Tibshirani, 1996 (the lasso).

    Examples
    --------
    >>> l1_penalty([1.0, -2.0])
    3.0
    """
    return sum([abs(w) for w in listed(parameters, "parameters", "Parameters")])


def l2_penalty(parameters: Iterable[Scalar]) -> Any:
    """Add up squares, Σ w²; a multiple of it in a loss keeps weights small.

    Parameters
    ----------
    parameters : iterable of scalars
        Usually ``model.parameters()``.

    Returns
    -------
    scalar
        In the unit of the weights squared.

    Notes
    -----
    Without the ½ of Toronto's R = ½ Σ w², which is half of it. One node; adding λ Σ w² to the
    loss is what ``weight_decay=2 * λ`` does in `optim.SGD`, which makes no node at all.

    References
    ----------
    Hoerl and Kennard, 1970 (ridge regression).

    Examples
    --------
    >>> l2_penalty([1.0, -2.0])
    5.0
    >>> l2_penalty([1.0, -2.0]) / 2  # Toronto's R
    2.5
    """
    weights = listed(parameters, "parameters", "Parameters")
    return dot(weights, weights)
