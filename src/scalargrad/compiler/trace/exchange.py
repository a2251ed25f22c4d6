"""Exchange: names that stand for something else for a while, and afterwards for what they did.

Several threads may exchange the same names at a time; the first to come exchanges them, the last to
go puts back what stood there.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import CellType
from typing import Any, NamedTuple

_MISSING = object()
_lock = threading.Lock()


def everywhere(usual: Callable[..., Any]) -> list[tuple[Any, str]]:
    """Return the modules that have imported a function, each with a name of its own for it."""
    name = usual.__name__
    modules = [x for key, x in list(sys.modules.items()) if key.startswith("scalargrad.")]
    return [(module, name) for module in modules if vars(module).get(name) is usual]


class Exchange:
    """Attributes of classes and modules, always the same ones.

    Parameters
    ----------
    answers : dict
        By owner and name, what is to stand there.
    """

    def __init__(self, answers: Mapping[tuple[Any, str], Any]) -> None:
        self._answers = [(owner, name, x) for (owner, name), x in answers.items()]
        self._usual: list[tuple[Any, str, Any]] = []
        self._users = 0

    @contextmanager
    def on(self) -> Iterator[None]:
        """Have other things stand there in the body of a ``with`` statement."""
        with _lock:
            self._users += 1
            if self._users == 1:
                self._exchange()
        try:
            yield
        finally:
            with _lock:
                self._users -= 1
                if not self._users:
                    self._restore()

    def _exchange(self) -> None:
        for owner, name, answer in self._answers:
            self._usual.append((owner, name, vars(owner).get(name, _MISSING)))
            setattr(owner, name, answer)

    def _restore(self) -> None:
        for owner, name, usual in self._usual:
            if usual is _MISSING:
                delattr(owner, name)
            else:
                setattr(owner, name, usual)
        self._usual.clear()


class Place(NamedTuple):
    """A name in a namespace, or the content of a cell (and then the name is of no account).

    Attributes
    ----------
    owner : dict or cell
    name : str
    """

    owner: Any
    name: str = "cell_contents"

    def get(self) -> Any:
        """Return what stands there; None where nothing does."""
        if isinstance(self.owner, CellType):
            return None if self.owner == CellType() else self.owner.cell_contents
        return self.owner.get(self.name)

    def put(self, x: Any) -> None:
        """Have something else stand there."""
        if isinstance(self.owner, CellType):
            self.owner.cell_contents = x
        else:
            self.owner[self.name] = x


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
