"""Slots: the contents of variables, names and attributes, in a form that later calls compare."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

from scalargrad.value import Value

#: Immutable types that hold no other objects.
PLAIN = {int, float, complex, bool, str, bytes, type(None)}


class Same:
    """Compares an object by identity, and keeps it alive."""

    __slots__ = ("content",)
    __array_ufunc__ = None  # an array compared with this calls __eq__ below

    def __init__(self, content: Any) -> None:
        self.content = content

    def __hash__(self) -> int:
        return id(self.content)

    def __eq__(self, other: object) -> bool:
        return (other.content if isinstance(other, Same) else other) is self.content


#: Stands for contents that do not matter.
ANY = object()
#: A slot's identity: the owner of a variable or attribute, and its name.
Source = tuple[Same, Hashable]


class Slot(NamedTuple):
    """The content of a variable or an attribute.

    Attributes
    ----------
    content : object
    key : object
        What the program depends on; contents with equal keys can use the same program.
    values : list of Value
        The Values in the content, whose numbers are read at each call.
    frozen : object
        The content with its containers copied, to notice when they change.
    """

    content: Any
    key: Any
    values: list[Value]
    frozen: Any


class KeyedCopy(NamedTuple):
    """An object, or a part of one, as its key and its frozen copy; see `Slot`."""

    key: Any
    frozen: Any


class Exact:
    """Compares numbers by type and bits: 0.0 differs from -0.0, and 1 from 1.0."""

    __slots__ = ("_key",)
    __hash__ = None  # type: ignore[assignment]
    __array_ufunc__ = None

    def __init__(self, number: float) -> None:
        self._key = plain_key(number)

    def __eq__(self, other: object) -> bool:
        return bool(plain_key(other) == self._key)


class PlainItems:
    """The key of a container of numbers and text: compared by ``==``, never hashed."""

    __slots__ = ("_items",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, items: Any) -> None:
        self._items = items

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PlainItems) and bool(self._items == other._items)

    def __repr__(self) -> str:
        shown = self._items
        return repr(sorted(map(repr, shown)) if isinstance(shown, set | frozenset) else shown)


class Live:
    """Compares like whatever `read` returns at that moment."""

    __hash__ = None  # type: ignore[assignment]

    def __init__(self, read: Callable[[], Any]) -> None:
        self._read = read

    def __eq__(self, other: object) -> bool:
        equal: bool = self._read() == other
        return equal


def same(x: Any) -> KeyedCopy:
    """Return the key and copy of an object that is compared by identity."""
    usual = "__eq__" not in {name for kind in type(x).__mro__[:-1] for name in vars(kind)}
    return KeyedCopy(Same(x), x if usual else Same(x))


def plain_key(x: Any) -> Any:
    """Return the key of a number or text; of any other object, its identity."""
    if type(x) is float:
        return float, x.hex()
    return (type(x), x) if type(x) in PLAIN else Same(x)


def plain(x: Any) -> KeyedCopy:
    """Return the key and copy of a number or text, which is compared by value."""
    return KeyedCopy(plain_key(x), Exact(x) if type(x) in {int, float} and x in _TWICE else x)


#: Numbers equal to others of a different type or with different bits: True, 0.0 and -0.0.
_TWICE = {0, 1}


def is_of_values(key: Any) -> bool:
    """Return whether a key consists of Values, numbers and text only."""
    inside = key if isinstance(key, tuple) else ()
    return not isinstance(key, Same) and all(map(is_of_values, inside))


def named(source: Source) -> str:
    """Return the name of a slot for a message."""
    owner, name = source[0].content, source[1]
    if isinstance(owner, FunctionType):
        if isinstance(name, int):
            return f"the variable {owner.__code__.co_freevars[name]}"
        return f"the global {name}" if isinstance(name, str) else f"the function {owner.__name__}"
    if callable(name):  # what is measured of an object
        return f"a {type(owner).__name__}"
    whose = owner if isinstance(owner, type | ModuleType) else type(owner)
    return f"{whose.__name__}.{'__class__' if name is None else name}"


def changed(keys: Mapping[Source, Any], slots: Mapping[Source, Slot]) -> list[str]:
    """Return the names of the slots whose keys are no longer these."""
    now = {source: slot.key for source, slot in slots.items()}
    return [
        named(source)
        for source in {**keys, **now}
        if not (source in keys and source in now)
        or (keys[source] is not ANY and keys[source] != now[source])
    ]
