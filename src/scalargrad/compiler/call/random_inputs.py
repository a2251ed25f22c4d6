"""Draw the random numbers of a program afresh for each call, as its inputs."""

from __future__ import annotations

from typing import Any

import numpy as np

from scalargrad.compiler.array_types import Floats
from scalargrad.system.cached_property import cached_property
from scalargrad.transforms.draws import Draw, rows_of, state_of


class RandomInputs(tuple[Draw, ...]):
    """The random draws of a recording, in order, to be made again at each call.

    Under vmap, all examples make the same draw; equal draws in a row are made at once.
    """

    @cached_property
    def _rows(self) -> list[tuple[Draw, int]]:
        """The draws, each with the number of times it is made in a row."""
        return [(row[0], len(row)) for row in rows_of(self)]

    @cached_property
    def _sources(self) -> list[Any]:
        return [*{id(draw.source): draw.source for draw, _ in self._rows}.values()]

    def numbers(self) -> Floats:
        """Draw all numbers."""
        found = [np.asarray(draw.many(count), np.float64) for draw, count in self._rows]
        return found[0] if len(found) == 1 else np.concatenate(found)

    def listed(self) -> list[float]:
        """Draw all numbers, as a list."""
        return [float(x) for draw, count in self._rows for x in draw.many(count)]

    def states(self) -> list[tuple[Any, Any]]:
        """Return the generators, with their states."""
        return [(x, state_of(x)) for x in self._sources]
