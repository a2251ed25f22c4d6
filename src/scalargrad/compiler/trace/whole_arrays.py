"""Large arrays among the arguments, recorded without a node for each of their numbers.

An array of a million numbers would take a million nodes, but vmap needs to know only where its
examples lie. Such an array is recorded as a `WholeArray`. If the function uses one of its numbers
after all, `EntryReadError` is raised, and the function is recorded again, with a node for each
number.
"""

from __future__ import annotations

import itertools
import weakref
from typing import Any, NoReturn

import numpy as np

from scalargrad.compiler.trace.traced import Traced

#: The fewest numbers of an array that is recorded whole.
FEWEST = 1024


class EntryReadError(Exception):
    """The function used a single number of a whole array."""


class PlaceholderEntry(Traced):
    """Stands for every number of a whole array; any use of it raises EntryReadError."""

    __slots__ = ("whole",)

    whole: WholeArray

    #: Every use of a number asks for its recording or its node.
    trace = index = property(lambda x: x.whole.touch())


class WholeArray(np.ndarray[Any, Any]):
    """A stand-in for a whole array or a slice of one.

    Attributes
    ----------
    whole : WholeArray
        Of a slice, the whole, which has the other attributes.
    given : array
        What it stands for.
    leaf : int
        The index of that among the leaves of the arguments.
    first : int
        The index of its first number among all numbers without nodes.
    is_touched : bool
        Whether the function used one of its numbers.
    """

    whole: WholeArray
    given: np.ndarray[Any, Any]
    leaf: int
    first: int
    is_touched: bool

    def __array_finalize__(self, made_from: Any) -> None:
        """Pass on to a slice which array it belongs to."""
        if isinstance(made_from, WholeArray):
            self.whole = made_from.whole

    def touch(self) -> NoReturn:
        """Raise EntryReadError, now and again at the end of the recording."""
        self.whole.is_touched = True
        raise EntryReadError

    def __getitem__(self, key: Any) -> Any:
        """Return a slice; raise EntryReadError for a single number."""
        found = super().__getitem__(key)
        return found if isinstance(found, WholeArray) else self.touch()

    def __iter__(self) -> Any:
        """Yield rows."""
        return (self[i] for i in range(len(self)))

    def item(self, *_: Any) -> Any:
        """Raise EntryReadError, as all that would give, compare or copy single numbers."""
        self.touch()

    tolist = __contains__ = __reduce__ = item
    flat = property(item)

    def examples(self, write: Any) -> Any:
        """Return one example, an array or a number, whose numbers have a lane for each example.

        A copy, such as indexing by a list makes, counts as a use of numbers.

        Parameters
        ----------
        write : callable
            Writes a node with so many lanes, from the index of the first number among all numbers
            without nodes, and the distance to the next.
        """
        start, own = (x.__array_interface__["data"][0] for x in (self, self.whole))
        first = self.whole.first + int(start - own) // self.itemsize
        steps = [x // self.itemsize for x in self.strides]
        if steps[0] <= 0 or not np.may_share_memory(self, self.whole):
            self.touch()
        found = np.empty_like(self.view(np.ndarray)[0, ...], dtype=object)
        for index in itertools.product(*map(range, self.shape[1:])):
            moved = sum(i * step for i, step in zip(index, steps[1:], strict=True))
            found[index] = write(len(self), first + moved, steps[0])
        return found if self.ndim > 1 else found[()]


def stand_in(array: np.ndarray[Any, Any], leaf: int, first: int) -> WholeArray:
    """Return what the function is given in place of an array; see `WholeArray`."""
    number = object.__new__(PlaceholderEntry)
    found = np.empty(array.shape, object).view(WholeArray)
    found.fill(number)
    found.flags.writeable = False
    found.whole, number.whole = found, weakref.proxy(found)  # the collector sees no items
    found.given, found.leaf, found.first, found.is_touched = array, leaf, first, False
    return found
