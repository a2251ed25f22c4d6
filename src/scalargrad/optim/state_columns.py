"""The state of an optimiser in columns, so that all parameters can be moved at once."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any

from scalargrad.value import Value


class StateColumns(MutableMapping[Value, tuple[float, ...]]):
    """A mapping from parameters to tuples of numbers, kept as one column for each number.

    Parameters
    ----------
    width : int
        How many numbers are remembered of a parameter.

    Attributes
    ----------
    rows : dict from Value to int
        The row of each parameter that is trained, in the order they were given.

    Notes
    -----
    A parameter is a key from its first step on. Only parameters that are trained can be set.
    """

    def __init__(self, width: int) -> None:
        self.rows: dict[Value, int] = {}
        self._columns = [array("d") for _ in range(width)]
        self._known = bytearray()  # 1 for each row that holds a state

    def add(self, parameters: Sequence[Value]) -> None:
        """Make room for further parameters, which have no state yet."""
        first, count = len(self.rows), len(parameters)
        self.rows |= {p: first + i for i, p in enumerate(parameters)}
        self._columns = [column + array("d", bytes(8 * count)) for column in self._columns]
        self._known = self._known + bytes(count)

    def __getitem__(self, parameter: Value) -> tuple[float, ...]:
        row = self.rows[parameter]
        if not self._known[row]:
            raise KeyError(parameter)
        return tuple([column[row] for column in self._columns])

    def __setitem__(self, parameter: Value, state: tuple[float, ...]) -> None:
        row = self.rows[parameter]
        for column, number in zip(self._columns, state, strict=True):
            column[row] = number
        self._known[row] = 1

    def __delitem__(self, parameter: Value) -> None:
        if parameter not in self:
            raise KeyError(parameter)
        self._known[self.rows[parameter]] = 0

    def __contains__(self, parameter: object) -> bool:
        row = self.rows.get(parameter)  # type: ignore[call-overload]
        return row is not None and bool(self._known[row])

    def __iter__(self) -> Iterator[Value]:
        return (p for p, row in self.rows.items() if self._known[row])

    def __len__(self) -> int:
        return self._known.count(1)

    def __repr__(self) -> str:
        return repr(dict(self))

    def replace(self, states: Mapping[Value, tuple[float, ...]]) -> None:
        """Hold these states and no others."""
        found = dict(states)
        self._known = bytearray(len(self.rows))
        self.update(found)

    # Many rows at once: arrays of NumPy's -----------------------------------------------------

    def arrays(self, rows: Any, first: Iterable[float]) -> list[Any]:
        """Return each column in these rows, `first` where there is no state yet.

        Parameters
        ----------
        rows : slice, list or array of int
        first : iterable of float
            The state before the first step.
        """
        import numpy as np

        known = np.frombuffer(self._known, np.bool_)[rows]
        found = [np.frombuffer(column)[rows] for column in self._columns]
        if known.all():
            return found
        return [np.where(known, x, start) for x, start in zip(found, first, strict=True)]

    def put(self, rows: Any, columns: Sequence[Any]) -> None:
        """Set each column in these rows, a slice or a list of them."""
        if isinstance(rows, list) and isinstance(columns[0], tuple):
            for row, *state in zip(rows, *columns, strict=True):
                for own, number in zip(self._columns, state, strict=True):
                    own[row] = number
                self._known[row] = 1
            return
        import numpy as np

        for own, new in zip(self._columns, columns, strict=True):
            np.frombuffer(own)[rows] = new
        np.frombuffer(self._known, np.bool_)[rows] = True
