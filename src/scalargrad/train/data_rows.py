"""Training examples as arrays, one row for each example, grouped by shape."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np

from scalargrad.compiler.call.arguments import rebuilt, visit
from scalargrad.compiler.call.objects import Visit
from scalargrad.errors import TraceError

_NUMBERS = {float, int}
#: The index of a part, and the size of a batch.
Shape = tuple[int, int]


class Rows:
    """Examples of equal structure, one row of numbers for each.

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
                "many numbers in the same places, or train with batch_size=1"
            )
        self.numbers = np.array(rows, dtype=np.float64).reshape(len(rows), -1)

    def of_other_types(self, first: int) -> list[int]:
        """Return examples that hold an int, say, where neither `first` nor those before them do."""
        known: set[tuple[int, type]] = set()
        found = []
        for i in [first, *range(len(self.examples))]:
            kinds = _types(self.examples[i])
            if not known.issuperset(enumerate(kinds)):
                known.update(enumerate(kinds))
                found.append(i)
        return found[1:]


def rebuilt_rows(example: Any, cells: Iterable[Any]) -> list[Any]:
    """Return each row of numbers as an example with the structure of the one given."""
    return [rebuilt(example, iter(row)) for row in cells]


class Shapes:
    """The examples of a run by the shapes of their batches.

    Where batches are single examples, each shape of example is on its own; else all must be alike.

    Parameters
    ----------
    examples : sequence
        Numbers nested in any way.
    size : int
        The size of a batch.

    Attributes
    ----------
    parts : list of Rows
        One for each shape, that with most examples first.

    Raises
    ------
    TraceError
        If the examples hold Values, or are not nested alike and the batches larger than 1.
    """

    def __init__(self, examples: Sequence[Any], size: int) -> None:
        self._size = size
        self.parts = [Rows(examples)] if size > 1 else []
        self._where: dict[int, tuple[int, int]] = {}
        if size == 1:
            alike: dict[Any, list[int]] = {}
            for i, example in enumerate(examples):
                alike.setdefault(_row(example)[0], []).append(i)
            for part, chosen in enumerate(sorted(alike.values(), key=len, reverse=True)):
                self.parts.append(Rows([examples[i] for i in chosen]))
                self._where |= {i: (part, row) for row, i in enumerate(chosen)}

    def find(self, rows: Sequence[int]) -> tuple[int, Sequence[int]]:
        """Return the index of the part that a batch belongs to, and its rows there."""
        if self._size > 1:
            return 0, rows
        part, row = self._where[rows[0]]
        return part, [row]

    def batches(self) -> Counter[Shape]:
        """Return how many batches of each shape an epoch has."""
        count = Counter[Shape]()
        for part, data in enumerate(self.parts):
            full, rest = divmod(len(data.examples), self._size)
            count += Counter({(part, self._size): full, (part, rest): rest and 1})
        return count


def _row(example: Any) -> tuple[tuple[Hashable, ...], Any]:
    """Return the shape of an example, and its numbers."""
    walk = Visit()
    visit(example, walk)
    key, leaves = tuple(walk.key), walk.leaves
    if walk.finish() or not {1, 2}.isdisjoint(key):
        raise TraceError("an example holds Values: give numbers, or train eagerly with jit=False")
    arrays = any(hasattr(x, "ravel") for x in leaves)
    return key, np.concatenate([np.ravel(x) for x in leaves]) if arrays else leaves


def _types(x: Any) -> list[type]:
    """Return the types of what is in an example."""
    if isinstance(x, dict):
        x = [*x.values()]
    kinds = [*map(type, x)] if isinstance(x, list | tuple) else [type(x)]
    if {*kinds} <= _NUMBERS or not isinstance(x, list | tuple):
        return kinds
    return [t for part in x for t in _types(part)]
