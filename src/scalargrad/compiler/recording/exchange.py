"""Exchange: names that stand for something else for a while, and for what they did afterwards.

Several threads may exchange the same names at a time; the first to come exchanges them, the last to
go puts back what stood there.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import CellType
from typing import Any, NamedTuple


class Place(NamedTuple):
    """A name in a namespace (a dict), an attribute of a class or a module, the content of a cell.

    Attributes
    ----------
    owner : dict, cell, class or module
    name : str
    """

    owner: Any
    name: str

    def get(self) -> Any:
        """Return what stands there itself, `MISSING` if nothing does."""
        if isinstance(self.owner, CellType):
            return self.owner.cell_contents
        names = self.owner if isinstance(self.owner, dict) else vars(self.owner)
        return names.get(self.name, MISSING)

    def put(self, x: Any) -> None:
        """Have something else stand there."""
        if isinstance(self.owner, dict):
            self.owner[self.name] = x
        elif x is MISSING:
            delattr(self.owner, self.name)
        else:
            setattr(self.owner, self.name, x)


MISSING = object()
_lock = threading.Lock()
#: By owner and name: what stood there, what stands there now, and how many want it so.
_exchanged: dict[tuple[int, str], tuple[Any, Any, int]] = {}


@contextmanager
def exchanged(answers: Sequence[tuple[Place, Any]]) -> Iterator[None]:
    """Have other things stand in places in the body of a ``with`` statement."""
    with _lock:
        for place, answer in answers:
            _exchange(place, answer)
    try:
        yield
    finally:
        with _lock:
            for place, _ in answers:
                _put_back(place)


def _exchange(place: Place, answer: Any) -> None:
    key = id(place.owner), place.name
    if key not in _exchanged:
        _exchanged[key] = place.get(), answer, 0
        place.put(answer)
    usual, answer, count = _exchanged[key]
    _exchanged[key] = usual, answer, count + 1


def _put_back(place: Place) -> None:
    key = id(place.owner), place.name
    usual, answer, count = _exchanged.pop(key)
    if count > 1:
        _exchanged[key] = usual, answer, count - 1
    elif place.get() is answer:  # else it has been given another meaning meanwhile
        place.put(usual)
