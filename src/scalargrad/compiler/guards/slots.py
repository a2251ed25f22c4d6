"""Snapshots of what variables, names and attributes hold, to compare at later calls."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

from scalargrad.value import Value

#: Immutable types that hold no other objects.
PLAIN = {int, float, complex, bool, str, bytes, type(None)}


class Same:
    """Wraps an object, keeps it alive and compares it by identity."""

    __slots__ = ("content",)
    __array_ufunc__ = None  # so that an array leaves the comparison to __eq__ here

    def __init__(self, content: Any) -> None:
        self.content = content

    def __hash__(self) -> int:
        return id(self.content)

    def __eq__(self, other: object) -> bool:
        return (other.content if isinstance(other, Same) else other) is self.content


#: The owner of a variable, name or attribute, and its name.
Source = tuple[Same, Hashable]


class Slot(NamedTuple):
    """What a variable, a name or an attribute holds.

    Attributes
    ----------
    content : object
    key : object
        What about it decides the program; it compares as equal where the same program serves.
    values : list of Value
        The Values in it, whose numbers are read at each call.
    frozen : object
        The content, with copies of containers.
    """

    content: Any
    key: Any
    values: list[Value]
    frozen: Any


class Held(NamedTuple):
    """The key and a frozen copy of what a variable, attribute or item holds."""

    key: Any
    frozen: Any


class Exact:
    """Compares with a number by its type and bits, where ``==`` does not: 0.0 is not -0.0."""

    __slots__ = ("_key",)
    __hash__ = None  # type: ignore[assignment]
    __array_ufunc__ = None

    def __init__(self, number: float) -> None:
        self._key = plain_key(number)

    def __eq__(self, other: object) -> bool:
        return bool(plain_key(other) == self._key)


class PlainItems:
    """The items of a container of numbers and text as a key: compared by ``==``, never hashed."""

    __slots__ = ("_items",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, items: Any) -> None:
        self._items = items

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PlainItems) and bool(self._items == other._items)

    def __repr__(self) -> str:
        shown = self._items
        return repr(sorted(map(repr, shown)) if isinstance(shown, set | frozenset) else shown)


class Reading:
    """Compares as what `read` returns."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, read: Callable[[], Any]) -> None:
        self._read = read

    def __eq__(self, other: object) -> bool:
        equal: bool = self._read() == other
        return equal


def same(x: Any) -> Held:
    """Return an object to be compared by identity."""
    usual = "__eq__" not in {name for kind in type(x).__mro__[:-1] for name in vars(kind)}
    return Held(Same(x), x if usual else Same(x))


def plain_key(x: Any) -> Any:
    """Return the key of a number or text; of any other object, its identity."""
    if type(x) is float:
        return float, x.hex()
    return (type(x), x) if type(x) in PLAIN else Same(x)


def plain(x: Any) -> Held:
    """Return a number or text to be compared by value."""
    return Held(plain_key(x), Exact(x) if type(x) in {int, float} and x in _TWICE else x)


#: Numbers equal to others of a different type or with different bits: True, 0.0 and -0.0.
_TWICE = {0, 1}


def is_of_values(key: Any) -> bool:
    """Return whether a key consists of Values, numbers and text only."""
    inside = key if isinstance(key, tuple) else ()
    return not isinstance(key, Same) and all(map(is_of_values, inside))
