"""Snapshots of what objects hold and of what is around a function, to compare and to put back."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from typing import Any

from scalargrad.compiler.guards.edges import (
    ATTRIBUTES,
    BESIDE,
    FUNCTION_ATTRIBUTES,
    ITEMS,
    MEMBERS,
    OF_VALUE,
    POSITION,
)
from scalargrad.compiler.guards.held_objects import NAMES, HeldObjects, Holding, Place
from scalargrad.compiler.trace.traced import Traced
from scalargrad.compiler.trace.whole_arrays import WholeArray
from scalargrad.value import Value

_ATOMS = (int, float, str, bytes)
#: Ways to hold things under names in which no new one may be a Value.
_NAMED = {NAMES, FUNCTION_ATTRIBUTES, MEMBERS, OF_VALUE}
#: By which objects hold their attributes.
_OF_OBJECTS = {ATTRIBUTES, BESIDE}
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

    def changes(self, beside: Container[Place] = ()) -> Iterator[str]:
        """Yield descriptions of changes, except in places `beside`; attributes may be added."""
        for place, now in self.changed().items():
            held = self.found[place]
            before = held.before
            if place in beside:
                continue
            if _may_not_grow(held) and self.is_longer(held, now):
                yield held.label(None)
            added = now.keys() - before.keys() if held.edge in _NAMED else ()
            yield from (held.label(key) for key in added if isinstance(now[key], Value))
            for key, x in before.items():
                if key not in now or not self.is_same(x, now[key]):
                    yield held.label(key)

    def notes(self) -> Iterator[Note]:
        """Yield the attributes that were added to objects."""
        for held in self.found.values():
            if held.edge in _OF_OBJECTS:
                for name, x in held.edge.read(held.owner).items():
                    if name not in held.before:
                        yield held.owner, name, x

    def is_longer(self, held: Holding, now: dict[Any, Any]) -> bool:
        """Return whether the length of a container has changed."""
        return len(now) != len(held.before)

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
        return [x.owner for x in self.found.values() if isinstance(x.owner, Iterator)]

    def is_longer(self, held: Holding, now: dict[Any, Any]) -> bool:
        """Return whether Values have been added to a dict or a list."""
        added = [x for key, x in now.items() if key not in held.before]
        grows = held.edge is BESIDE or isinstance(held.owner, dict | list)
        return grows and any(isinstance(x, Value) for x in added)

    def is_same(self, x: Any, y: Any) -> bool:
        """Return whether two contents are the same, or None became anything but a Value."""
        if isinstance(y, Value):
            return x is y or isinstance(x, Traced)
        return x is None or super().is_same(x, y)


def have_advanced(changed: Iterable[Place]) -> bool:
    """Return whether nothing has changed but the positions of iterators, which stay so."""
    edges = {edge for _, edge in changed}
    return edges == {POSITION}


def _may_not_grow(held: Holding) -> bool:
    """Return whether nothing may be added: to items, or to attributes beside items.

    The first attribute may be added, as a cached property adds it.
    """
    return held.edge is ITEMS or (held.edge is BESIDE and bool(held.before))
