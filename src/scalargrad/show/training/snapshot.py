"""A snapshot of a model after a step of its training."""

from __future__ import annotations

from array import array
from typing import NamedTuple


class Snapshot(NamedTuple):
    """The model after one step of its training.

    Attributes
    ----------
    step : int
        Steps, or epochs, taken so far.
    loss : float
        The loss over all examples.
    learning_rate : float or None
        The learning rate of the last step, if known.
    parameters : array of float
        The parameters, in full precision.
    """

    step: int
    loss: float
    learning_rate: float | None
    parameters: array[float]
