"""Snapshot: what objects hold, and what the code among them reads, to see what has changed.

Of ``jit(lambda x: calls.append(x))`` it holds `calls` and what is in it. What a function has
changed, and which random generators it may use, are found by this walk.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from operator import is_
from types import FunctionType
from typing import Any, NamedTuple

from scalargrad.compiler.guards.edges import (
    ITEMS,
    LIBRARY_ATTRIBUTES,
    LIBRARY_CODE,
    LIBRARY_GLOBALS,
    Edge,
    edges_of,
)
from scalargrad.compiler.guards.names_read import NamedSpaces, of_library
from scalargrad.compiler.guards.object_state import PLAIN
from scalargrad.tree import is_array, is_object_array
from scalargrad.value import Value

_OF_LIBRARIES = {LIBRARY_ATTRIBUTES, LIBRARY_CODE, LIBRARY_GLOBALS}
#: Types without contents; assignments to a Value's data are refused elsewhere.
_CLOSED = (int, float, str, bytes, type(None), Value)


class Names:
    """The names in a module that code reads: as its globals, or as the module's attributes.

    Parameters
    ----------
    space : dict
        The namespace of the module.
    prefix : str
        What stands before a name in messages.
    """

    def __init__(self, space: dict[str, Any], prefix: str) -> None:
        self.space, self.prefix = space, prefix
        self.read: dict[str, None] = {}

    def held(self) -> dict[str, Any]:
        """Return what the names stand for now."""
        return {name: self.space[name] for name in self.read if name in self.space}

    def put_back(self, before: Mapping[str, Any]) -> None:
        """Let the names stand for what they did before, and no others be there."""
        for name in self.held().keys() - before.keys():
            del self.space[name]
        self.space.update(before)


#: What names in code stand for.
NAMES = Edge(Names.held, Names.put_back, "{0.prefix}{1}")
#: An object by identity, and the edge by which it holds others.
Place = tuple[int, Edge]


class Holding(NamedTuple):
    """What an object held by one edge, and the name that led to it."""

    owner: Any
    edge: Edge
    name: str
    before: dict[Any, Any]

    def label(self, key: Any) -> str:
        """Return what messages call what is held under a key."""
        if self.edge.label is not None:
            return self.edge.label.format(self.owner, key)
        return self.name or f"a {type(self.owner).__name__}"


class Snapshot:
    """What some objects hold, breadth first, and what the code among them reads.

    Parameters
    ----------
    roots : iterable
        Where it begins.
    most : int, optional
        The most objects to look into.
    enters_libraries : bool
        Whether to go on inside libraries. They are taken not to change, and are left out elsewhere;
        but a library may draw from a generator that it was given or that it shares.
    enters_rows : bool
        Whether rows and arrays of nothing but numbers are looked into.
    keeps_all : bool
        Whether to keep also what cannot be put back, such as the methods of a class.
    closed : tuple of type
        What is not looked into.

    Attributes
    ----------
    met : dict from int to object
        Everything that was come by, by identity.
    found : dict from Place to Holding
        What each object held that it may hold no more.
    """

    def __init__(
        self,
        roots: Iterable[Any],
        most: int | None = None,
        *,
        enters_libraries: bool = False,
        enters_rows: bool = True,
        keeps_all: bool = False,
        closed: tuple[type, ...] = (),
    ) -> None:
        self._enters_rows, self._keeps_all = enters_rows, keeps_all
        self._enters_libraries = enters_libraries
        self.found: dict[Place, Holding] = {}
        self.met: dict[int, Any] = {}
        self._closed = closed
        self._ahead = deque[tuple[str, Any]]()
        self._named = NamedSpaces()
        self._names: dict[int, Names] = {}
        self._classes: set[type] = set()
        self.walk(roots, most)

    def walk(self, roots: Iterable[Any], most: int | None = None) -> None:
        """Go on to more objects, and look into so many at most."""
        self._ahead = deque([("", x) for x in roots])
        while (self._ahead or self._read_names()) and len(self.met) != most:
            name, x = self._ahead.popleft()
            if id(x) not in self.met:
                self.met[id(x)] = x
                if not issubclass(type(x), self._closed):
                    self._look_into(x, name)

    def _look_into(self, x: Any, name: str) -> None:
        """Go on to what an object leads to."""
        self._named.note(x)
        if isinstance(x, FunctionType) and not of_library(x.__module__ or ""):
            names = self._named.note_code(x.__code__)
            self._read(x.__globals__, "the global ", names)
        for edge in edges_of(x):
            if self._is_followed(edge, x):
                held = Holding(x, edge, name, dict(edge.read(x)))  # another thread may change it
                if edge.write is not None or self._keeps_all:
                    self.found[id(x), edge] = held
                self._go_to(held)

    def _is_followed(self, edge: Edge, x: Any) -> bool:
        if edge in _OF_LIBRARIES:
            return self._enters_libraries and self._is_entered(edge, x)
        return edge is not ITEMS or self._enters_rows or not _is_of_numbers(x)

    def _is_entered(self, edge: Edge, x: Any) -> bool:
        """Return whether to go on inside a library; each class is gone into once."""
        if edge is LIBRARY_CODE:
            kind = x if isinstance(x, type) else type(x)
            if kind in self._classes:
                return False
            self._classes.add(kind)
        return True

    def _go_to(self, held: Holding) -> None:
        """Go on to what is held, by the name of what holds it or by its own."""
        inside = held.before
        if not _are_closed(inside.values()):
            by_name = isinstance(held.owner, FunctionType | Names)
            inner = [(key, y) for key, y in inside.items() if not isinstance(y, _CLOSED)]
            self._ahead += [(held.label(key) if by_name else held.name, y) for key, y in inner]

    def _read(self, space: dict[str, Any], prefix: str, names: Iterable[str]) -> None:
        """Go on to what names in a module stand for."""
        found = self._names.setdefault(id(space), Names(space, prefix))
        found.read |= dict.fromkeys(names)
        place = id(space), NAMES
        known = self.found.setdefault(place, Holding(found, NAMES, "", {})).before
        new = {name: x for name, x in found.held().items() if name not in known}
        self._go_to(Holding(found, NAMES, "", new))
        known.update(new)

    def _read_names(self) -> bool:
        """Go on to what the names in all code stand for in modules; return whether that is any."""
        for module, names in self._named.grown():
            self._read(vars(module), f"{module.__name__}.", names)
        return bool(self._ahead)

    # What has changed -------------------------------------------------------------------------

    def changed(self) -> dict[Place, dict[Any, Any]]:
        """Return the contents of the objects that hold others than before."""
        found = {}
        for place, held in self.found.items():
            now = dict(held.edge.read(held.owner))
            if not is_identical(held.before, now):
                found[place] = now
        return found

    def put_back(self, places: Iterable[Place] | None = None) -> None:
        """Undo all changes, or those in some places."""
        for place in self.changed() if places is None else places:
            held = self.found.get(place)
            if held is not None and held.edge.write is not None:
                held.edge.write(held.owner, held.before)


def _is_of_numbers(x: Any) -> bool:
    """Return whether something is an array or a row of nothing but numbers and text."""
    if is_array(x):
        return not is_object_array(x)
    return isinstance(x, list | tuple | deque) and _are_closed(x)


def _are_closed(items: Iterable[Any]) -> bool:
    """Return whether there is nothing to go on to; of many items, only the types are looked at."""
    return all(issubclass(kind, _CLOSED) for kind in {*map(type, items)})


def is_identical(before: dict[Any, Any], now: dict[Any, Any]) -> bool:
    """Return whether both hold the same objects in one order, or equal texts and numbers."""
    if len(now) != len(before):
        return False
    both = before.values(), now.values()
    same = all(map(is_, *both)) or all(map(is_same, *both))
    return same and [*before] == [*now]


def is_same(x: Any, y: Any) -> bool:
    """Return whether two contents are one object, or the same text or number."""
    kind = type(x)
    return x is y or (kind is type(y) and kind in PLAIN and repr(x) == repr(y))
