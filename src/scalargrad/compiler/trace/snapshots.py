"""Snapshots of what objects hold and of what is around a function, to compare and to put back."""

from __future__ import annotations

from collections.abc import Iterator
from types import FunctionType
from typing import Any

from scalargrad.compiler.guards.held_objects import HeldObjects
from scalargrad.compiler.guards.names_read import has_followed_attributes
from scalargrad.compiler.guards.object_state import attributes, is_stateful
from scalargrad.compiler.guards.put_back import Names
from scalargrad.compiler.trace.traced import Traced
from scalargrad.compiler.trace.whole_arrays import WholeArray
from scalargrad.value import Value

_ATOMS = (int, float, str, bytes)
#: What holds things under names, to which new ones may be added.
_NAMED = (FunctionType, Names, type)
#: An attribute that a function adds to an argument: the object, the name and the content.
Note = tuple[Any, str, Any]
#: The most objects of a function's surroundings that are examined, breadth first.
_MANY = 10_000
#: What nothing may be asked of.
_CLOSED = (WholeArray,)


def is_unchanged(x: Any, y: Any) -> bool:
    """Return whether two objects are the same, or equal atoms."""
    return x is y or (type(x) is type(y) and isinstance(x, _ATOMS) and bool(x == y))


class Contents(HeldObjects):
    """A snapshot of the contents of lists, dicts, arrays and objects, nested ones included.

    Parameters
    ----------
    x : object
        The outermost object.
    """

    def __init__(self, x: Any) -> None:
        super().__init__([x], enters_libraries=True, closed=_CLOSED)

    def changes(self, beside: Contents) -> Iterator[str]:
        """Yield descriptions of changes, except in what `beside` holds too.

        Attributes may be added.
        """
        for place, now in self.changed().items():
            part, name, before = self.found[place]
            if place in beside.found:
                continue
            if self.is_longer(part, before, now):
                yield described(part, None, name)
            added = now.keys() - before.keys() if isinstance(part, _NAMED) else ()
            yield from (str(key) for key in added if isinstance(now[key], Value))
            for key, x in before.items():
                if key not in now or not self.is_same(x, now[key]):
                    yield described(part, key, name)

    def notes(self, beside: Contents) -> Iterator[Note]:
        """Yield the attributes that were added to objects, except to those in `beside`."""
        for place, (part, _, before) in self.found.items():
            if place not in beside.found and is_stateful(type(part)):
                for name, x in attributes(part).items():
                    if name not in before:
                        yield part, name, x

    def is_longer(self, part: Any, before: dict[Any, Any], now: dict[Any, Any]) -> bool:
        """Return whether the length of a container has changed."""
        return not _has_attributes(part) and len(now) != len(before)

    def is_same(self, x: Any, y: Any) -> bool:
        """Return whether two objects are the same, or equal atoms."""
        return is_unchanged(x, y)


class Around(Contents):
    """A snapshot of a function's surroundings: closures, globals, defaults.

    Caches and logs may grow: items other than Values may be added to dicts and lists, and anything
    but a Value may replace None. What an earlier recording left behind may be replaced, too.
    """

    def __init__(self, function: Any) -> None:
        self.function = function
        HeldObjects.__init__(self, [function], _MANY, follows_code=True, closed=_CLOSED)

    def iterators(self) -> list[Iterator[Any]]:
        """Return the iterators among them, which the function may have advanced."""
        return [part for part, _, _ in self.found.values() if isinstance(part, Iterator)]

    def has_advanced(self) -> bool:
        """Return whether nothing has changed but the positions of iterators, which stay so."""
        changed = self.before(self.changed())
        return bool(changed) and all(x.keys() == {"position"} for x in changed.values())

    def is_longer(self, part: Any, before: dict[Any, Any], now: dict[Any, Any]) -> bool:
        """Return whether Values have been added to a dict or a list."""
        added = now.keys() - before.keys()
        return isinstance(part, dict | list) and any(isinstance(now[key], Value) for key in added)

    def is_same(self, x: Any, y: Any) -> bool:
        """Return whether two contents are the same, or None became anything but a Value."""
        if isinstance(y, Value):
            return x is y or isinstance(x, Traced)
        return x is None or super().is_same(x, y)


def _has_attributes(x: Any) -> bool:
    return is_stateful(type(x)) or has_followed_attributes(x)


def described(part: Any, key: Any, name: str) -> str:
    """Describe an item or attribute that has changed, for a message."""
    if isinstance(part, FunctionType | Names):
        return str(key)
    if isinstance(part, type):
        return f"{part.__name__}.{key}"
    if _has_attributes(part):
        return f"{type(part).__name__}.{key}"
    return f"a {type(part).__name__}" + f" ({name})" * bool(name)
