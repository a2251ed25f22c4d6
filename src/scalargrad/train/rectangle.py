"""Rectangle: examples that all have one shape, as rows of one array."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from scalargrad.compiler.arguments import visit
from scalargrad.compiler.memory import Floats
from scalargrad.errors import TraceError


class Rectangle:
    """Examples as numbers, one row for each.

    Parameters
    ----------
    examples : sequence
        Numbers nested in any way.

    Attributes
    ----------
    numbers : float64, examples × numbers of one

    Raises
    ------
    TraceError
        If the examples are not nested alike, or hold Values.
    """

    def __init__(self, examples: Sequence[Any]) -> None:
        self.examples = examples
        keys, rows = zip(*map(_row, examples), strict=True)
        if len(set(keys)) > 1:
            raise TraceError(
                "the examples are not all nested alike: give every input, and every target, as "
                "many numbers in the same places"
            )
        self.numbers = np.array(rows, dtype=np.float64).reshape(len(rows), -1)

    def copy(self, rows: Sequence[int], out: Floats) -> None:
        """Copy the numbers of some examples, one row for each."""
        if isinstance(rows, range):
            out[:] = self.numbers[rows.start : rows.stop]
        else:
            np.take(self.numbers, rows, axis=0, out=out, mode="clip")


def _row(example: Any) -> tuple[tuple[Hashable, ...], Any]:
    """Return the shape of an example, and its numbers."""
    key: list[Hashable] = []
    leaves: list[Any] = []
    visit(example, key, leaves)
    if not {1, 2}.isdisjoint(key):
        raise TraceError("an example holds Values: give numbers, or train eagerly with jit=False")
    arrays = any(hasattr(x, "ravel") for x in leaves)
    return tuple(key), np.concatenate([np.ravel(x) for x in leaves]) if arrays else leaves
