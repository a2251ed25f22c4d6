"""Evaluation: predictions for the examples held out, by a program as soon as that pays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from scalargrad.nn import Module
from scalargrad.train.forward import Forward
from scalargrad.train.recordings import repeatable
from scalargrad.train.rectangle import Rectangle
from scalargrad.train.store import Store
from scalargrad.train.surroundings import Surroundings


class Evaluation:
    """A model's predictions for inputs that stay the same.

    Parameters
    ----------
    model : Module
    inputs : sequence
    size : int
        How many a program takes at a time.
    times : int
        How often they were predicted before.
    """

    def __init__(self, model: Module, inputs: Sequence[Any], size: int, times: int = 0) -> None:
        self._model, self._inputs = model, inputs
        self._size = min(size, len(inputs))
        self._times = times
        self._refused = False
        self._forward: Forward | None = None
        self._surroundings: Surroundings | None = None

    def is_time(self, warm_up: float) -> bool:
        """Count one more evaluation, and return whether a program pays by now."""
        self._times += 1
        return self._times * math.ceil(len(self._inputs) / self._size) > warm_up

    def predictions(self, store: Store, *, visited: bool) -> list[Any] | None:
        """Return a prediction for each input; None if that takes eager evaluation.

        Parameters
        ----------
        store : Store
            Up to date.
        visited : bool
            Whether what the model reads may have changed.
        """
        if visited and self._forward and Surroundings(self._model) != self._surroundings:
            self._forward, self._times = None, 0
            return None
        if self._forward is None and not self._refused:
            self._record(store)
        return None if self._forward is None else self._forward.predictions()

    def _record(self, store: Store) -> None:
        try:
            self._forward, self._surroundings = repeatable(
                lambda: Forward(self._model, store, Rectangle(self._inputs), self._size),
                [self._model],
            )
        except Exception:  # noqa: BLE001 - whatever it is, eager evaluation is not affected
            self._refused = True
