"""Arrays among the arguments as they are recorded: whole, until one of their numbers is asked for.

An array of a million numbers would take a million nodes. vmap only asks where its examples lie, so
such an array gets no nodes; it holds, in each place, the same object, which raises `TouchedError`
when anything is done with it. The function is then recorded once more, with a node for each number.
"""

from __future__ import annotations

import itertools
from typing import Any, NoReturn

import numpy as np

from scalargrad.compiler.trace.traced import Traced, Tracing

#: Arrays of fewer numbers have nodes for all of them.
FEWEST = 1024


def is_large(x: Any) -> bool:
    """Return whether something is an array of so many numbers that it stays whole."""
    return type(x) is np.ndarray and x.size >= FEWEST


class TouchedError(Exception):
    """A number of an array was asked for that has no node."""


class Untouched(Traced):
    """Stands for each number of an array: nothing can be asked of it."""

    __slots__ = ("whole",)

    def __init__(self, whole: Whole) -> None:
        self.whole = whole

    @property
    def trace(self) -> Tracing:  # type: ignore[override]
        """Refuse: all that a number is asked begins here, or with its node."""
        self.whole.touch()

    @property
    def index(self) -> int:  # type: ignore[override]
        """Refuse."""
        self.whole.touch()


class Whole:
    """An array among the arguments that has no nodes.

    Parameters
    ----------
    shape : tuple of int
    leaf : int
        Which of the arguments' leaves it is.
    first : int
        Where its numbers begin among those that have no nodes.

    Attributes
    ----------
    is_touched : bool
        Whether one of its numbers was asked for.
    """

    def __init__(self, shape: tuple[int, ...], leaf: int, first: int) -> None:
        self.leaf = leaf
        self.first = first
        self.is_touched = False
        self._memory = np.empty(shape, dtype=object)
        self._memory.fill(Untouched(self))
        self._memory.flags.writeable = False

    @property
    def size(self) -> int:
        """How many numbers it holds."""
        return self._memory.size

    def touch(self) -> NoReturn:
        """Raise TouchedError, now and when the recording is over."""
        self.is_touched = True
        raise TouchedError

    def array(self) -> WholeArray:
        """Return what stands for the array."""
        found = self._memory.view(WholeArray)
        found.whole = self
        return found

    def place(self, view: Any) -> int:
        """Return where a view of the array begins, among the numbers that have no nodes.

        An array of its own, such as a list of indices makes, counts as touched.
        """
        if not np.may_share_memory(view, self._memory):
            self.touch()
        start, own = (x.__array_interface__["data"][0] for x in (view, self._memory))
        return self.first + int(start - own) // self._memory.itemsize


class WholeArray(np.ndarray[Any, Any]):
    """An array of which no number has a node; slices of it are such arrays, too."""

    whole: Whole

    def __array_finalize__(self, made_from: Any) -> None:
        """Let a slice know which array it is a slice of."""
        if isinstance(made_from, WholeArray):
            self.whole = made_from.whole

    def __getitem__(self, key: Any) -> Any:
        """Return a slice; a number is refused."""
        found = super().__getitem__(key)
        return found if isinstance(found, WholeArray) else self.whole.touch()

    def __iter__(self) -> Any:
        """Yield rows."""
        return (self[i] for i in range(len(self)))

    def tolist(self) -> Any:
        """Refuse: it would be a list of numbers."""
        self.whole.touch()

    def item(self, *_: Any) -> Any:
        """Refuse a number."""
        self.whole.touch()

    @property
    def flat(self) -> Any:
        """Refuse: it would yield numbers."""
        self.whole.touch()

    def __contains__(self, _: object) -> bool:
        """Refuse to compare numbers."""
        self.whole.touch()

    def __reduce__(self) -> Any:
        """Refuse to copy numbers."""
        self.whole.touch()

    def examples(self, write: Any) -> Any:
        """Return one example, an array or a number, whose numbers stand for those of all.

        Parameters
        ----------
        write : callable
            From how many there are, the first place and the distance to what stands for them.
        """
        first, steps = self.whole.place(self), [x // self.itemsize for x in self.strides]
        if steps[0] <= 0:
            self.whole.touch()
        found = np.empty(self.shape[1:], dtype=object)
        for index in itertools.product(*map(range, self.shape[1:])):
            moved = sum(i * step for i, step in zip(index, steps[1:], strict=True))
            found[index] = write(len(self), first + moved, steps[0])
        return found if self.ndim > 1 else found[()]
