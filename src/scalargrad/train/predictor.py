"""Compute predictions for the held-out examples, by a program once that pays."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from scalargrad.compiler.trace.randomness import Generators
from scalargrad.errors import TraceError
from scalargrad.nn import Module
from scalargrad.train.carried import Carried
from scalargrad.train.data_rows import Rows
from scalargrad.train.examples import plain
from scalargrad.train.programs import Forward, agree, forward_of
from scalargrad.tree import flatten
from scalargrad.value import Value


class Predictor:
    """Computes a model's predictions for a fixed list of inputs.

    Parameters
    ----------
    size : int
        The size of a batch in training.
    times : int
        How often predictions were made before.
    """

    def __init__(self, model: Module, inputs: Sequence[Any], size: int, times: int = 0) -> None:
        self._model, self._inputs = model, inputs
        self._batches = math.ceil(len(inputs) / size)
        self._times = times
        self._is_refused = self._is_checked = False
        self._recorded: tuple[Forward, Rows] | None = None

    def is_time(self, warm_up: float) -> bool:
        """Count one more evaluation, and return whether compiling pays by now."""
        self._times += 1
        return self._times * self._batches > warm_up

    def predictions(self, carried: Carried) -> list[Any] | None:
        """Return a prediction for each input; None if they must be computed eagerly.

        Parameters
        ----------
        carried : Carried
            Up to date.
        """
        if self._is_refused:
            return None
        try:
            if self._recorded is None:
                rows = Rows(self._inputs)
                self._recorded = forward_of(self._model, carried.leaves, self._inputs[0]), rows
            forward, rows = self._recorded
            found = forward(carried.data, rows.numbers)
            if found is not None and not self._is_checked:
                carried.write_back()
                self._require_agreement(found, rows)
        except Exception:  # noqa: BLE001 - whatever it is, eager evaluation is not affected
            self._is_refused = True
            return None
        if found is None:
            return None
        numbers, rebuild = flatten(found.tolist() if hasattr(found, "tolist") else found, "found")
        values: list[Any] = rebuild(map(Value, numbers))
        return values

    def _require_agreement(self, found: Any, rows: Rows) -> None:
        """Raise TraceError if eager evaluation predicts something else: it may ask for types.

        An example of each type of number is evaluated, unless the model draws random numbers.
        """
        generators = Generators([self._model])
        for i in [0, *rows.of_other_types(0)]:
            predicted = plain(self._model(self._inputs[i]))
            if generators.have_drawn():
                generators.rewind()
                break
            pairs = zip(flatten(found[i], "")[0], flatten(predicted, "")[0], strict=True)
            if not all(agree(a, b) for a, b in pairs):
                raise TraceError("a prediction depends on more than numbers and shapes")
        self._is_checked = True
