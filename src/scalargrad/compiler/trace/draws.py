"""A random draw that can be made again, as a program does at each call."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

#: From this many numbers on, these methods of NumPy's generators draw them all at once.
_MANY = 8
_FILLING = {"random", "normal", "standard_normal", "uniform", "exponential", "standard_exponential"}


class Draw:
    """One draw by `scalargrad.drawn`: a generator's method and its arguments."""

    def __init__(self, method: Any, *args: Any, **kwargs: Any) -> None:
        self.source, self.method = method.__self__, method.__name__
        self.args, self.kwargs = args, kwargs

    def __call__(self) -> Any:
        """Draw."""
        return getattr(self.source, self.method)(*self.args, **self.kwargs)

    def many(self, count: int) -> Any:
        """Draw many numbers, as a list or an array: the same as if drawn one after the other."""
        method = getattr(self.source, self.method)
        if count >= _MANY and self._fills_arrays():
            return method(*self.args, **self.kwargs, size=count)
        return [float(method(*self.args, **self.kwargs)) for _ in range(count)]

    def _fills_arrays(self) -> bool:
        """Return whether the generator fills arrays with the numbers it draws one by one."""
        known = type(self.source).__name__ == "Generator" and hasattr(self.source, "bit_generator")
        return known and self.method in _FILLING and self._is_of_numbers()

    def kind(self) -> object:
        """Return what is equal for draws that are alike: the method and its arguments, to the bit.

        Arguments other than numbers could be changed in between: each such draw is of its own kind.
        """
        if not self._is_of_numbers():
            return id(self)
        return id(self.source), self.method, repr(self.args), repr(self.kwargs)

    def _is_of_numbers(self) -> bool:
        return {float, int}.issuperset(map(type, (*self.args, *self.kwargs.values())))


def rows_of(draws: Iterable[Draw]) -> Iterator[list[Draw]]:
    """Yield runs of equal draws, such as a loop makes, or vmap for its examples."""
    return (list(row) for _, row in itertools.groupby(draws, key=Draw.kind))
