"""Snapshot: what functions, and what they are given, hold, to see what has changed.

Of ``jit(lambda x: calls.append(x))`` it holds `calls` and what is in it: all that the walk over
`surroundings` meets.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import is_
from types import ModuleType
from typing import Any, NamedTuple

from scalargrad.compiler.guards.edges import FUNCTION_ATTRIBUTES, OF_VALUE, Edge
from scalargrad.compiler.guards.names_read import NamesRead
from scalargrad.compiler.guards.object_state import PLAIN
from scalargrad.compiler.guards.surroundings import Place as Origin
from scalargrad.compiler.guards.surroundings import named, walked
from scalargrad.value import Value

#: An object by identity, and the edge by which it holds others; a module has one.
Place = tuple[int, Edge | None]


class Holding(NamedTuple):
    """What an object held by one edge, and where the object was come by."""

    owner: Any
    edge: Edge
    origin: Origin | None
    before: dict[Any, Any]

    def label(self, key: Any) -> str:
        """Return what messages call what is held under a key."""
        if self.edge is FUNCTION_ATTRIBUTES:
            return f"{getattr(self.owner, '__name__', 'a wrapper')}.{key}"
        if self.edge.names:
            return named((self.owner, key))
        return f"a {type(self.owner).__name__}" if self.origin is None else named(self.origin)


class Snapshot:
    """What some objects hold, and all that they lead to.

    Parameters
    ----------
    roots : iterable
        Where the walk begins.
    names : NamesRead, optional
        What the code is known to read.
    closed : tuple of type
        What is not looked into, besides Values among others.
    libraries : int
        How many objects to look for behind libraries.

    Attributes
    ----------
    met : dict from int to object
        Everything that was come by, but for numbers and text, by identity.
    found : dict from Place to Holding
        What each object held that it may hold no more.
    reached : list
        What was come by, also behind libraries, of which nothing is held.
    """

    def __init__(
        self,
        roots: Iterable[Any],
        names: NamesRead | None = None,
        *,
        closed: tuple[type, ...] = (),
        libraries: int = 0,
    ) -> None:
        roots, names = [*roots], names or NamesRead()
        walk = walked(roots, names, closed=(Value, *closed), is_whole=False, libraries=libraries)
        self.reached = walk.kept
        self.met = {id(x): x for x in walk.kept[: walk.own]}
        self.found: dict[Place, Holding] = {}
        held = [*walk.holders, *((x, OF_VALUE, None) for x in roots if isinstance(x, Value))]
        for x, edge, origin in held:
            before = dict(edge.read(x))  # another thread may change it
            place = id(x), None if isinstance(x, ModuleType) else edge
            self.found[place] = Holding(x, edge, origin, before)

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
