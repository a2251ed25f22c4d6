"""Slots: what a variable, a name or an attribute holds, in forms that can be compared later."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

from scalargrad.value import Value

TEXT = {str, bytes, type(None)}
FLAGS = {bool, *TEXT}
#: What holds nothing else.
PLAIN = {int, float, complex, *FLAGS}


class Same:
    """Stands for an object, compares it by identity and keeps it."""

    __slots__ = ("content",)
    __array_ufunc__ = None  # so that an array leaves the comparison to __eq__ here

    def __init__(self, content: Any) -> None:
        self.content = content

    def __hash__(self) -> int:
        return id(self.content)

    def __eq__(self, other: object) -> bool:
        return (other.content if isinstance(other, Same) else other) is self.content


#: Whose variable, name or attribute, and which.
Source = tuple[Same, Hashable]


class Slot(NamedTuple):
    """What a variable, a name or an attribute holds.

    Attributes
    ----------
    content : object
    key : Hashable
        What about it decides the program; None for numbers, arrays and containers of them, which
        the program keeps as recorded.
    values : list of Value
        The Values in it, whose numbers are read at each call.
    frozen : object
        The content, with copies of containers that hold more than numbers.
    """

    content: Any
    key: Hashable
    values: list[Value]
    frozen: Any

    @property
    def is_more(self) -> bool:
        """Whether it holds more than numbers and text."""
        return self.key is not None and type(self.content) not in TEXT


class Part(NamedTuple):
    """The key and the frozen form of what holds more than numbers."""

    key: Hashable
    frozen: Any


class Reading:
    """Compares as what `read` returns."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, read: Callable[[], Any]) -> None:
        self._read = read

    def __eq__(self, other: object) -> bool:
        equal: bool = self._read() == other
        return equal


def same(x: Any) -> Part:
    """Return the part that is one object and no other."""
    usual = "__eq__" not in {name for kind in type(x).__mro__[:-1] for name in vars(kind)}
    return Part(Same(x), x if usual else Same(x))


def plain_key(x: Any) -> Hashable:
    """Return what stands for a number, text, or something not looked into, among other things."""
    if isinstance(x, float):
        return float, x.hex()
    return (type(x), x) if type(x) in PLAIN else Same(x)


def is_of_values(key: Hashable) -> bool:
    """Return whether a key tells of Values, numbers and text only."""
    inside = key if isinstance(key, tuple) else ()
    return not isinstance(key, Same) and all(map(is_of_values, inside))
