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
        Over all examples, in the unit of the loss.
    learning_rate : float or None
        That of the step which led here, where it is known.
    parameters : array of float
        Every digit of them.
    """

    step: int
    loss: float
    learning_rate: float | None
    parameters: array[float]
