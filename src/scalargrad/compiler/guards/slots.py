"""Make slots of what variables, names and attributes hold: keys and copies, of the parts first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scalargrad.compiler.guards.arrays import is_array
from scalargrad.compiler.guards.comparable import KeyedCopy, OfClass, Same, plain, same
from scalargrad.compiler.guards.containers import (
    APART,
    CONTAINERS,
    DICTS,
    LOOKED_UP,
    copied,
    items_of,
    values_among,
)
from scalargrad.compiler.guards.object_state import PLAIN, attributes_beside, is_stateful
from scalargrad.compiler.guards.readings import Readings, Slot
from scalargrad.compiler.guards.references import BOUND
from scalargrad.compiler.guards.ways import BESIDE, CLASS, FACTORY, ways_of
from scalargrad.sparse import Table, Touched
from scalargrad.value import Value

#: Containers nested deeper than this are looked into later, to keep recursion shallow.
_DEEP = 50
#: Ways of a container to what is no part of its key.
_BESIDES = {BESIDE, CLASS, FACTORY}


class Slots:
    """Makes slots. A container has the keys of its parts; other objects are compared by identity.

    Parameters
    ----------
    readings : Readings
        Where to add what to compare of arrays and methods.
    meet : callable
        Called with each object that is compared by identity, to be looked into.
    put_off : callable
        Called with each container that is nested too deeply.

    Attributes
    ----------
    keys : set of Value
        The keys of dicts and the items of sets, by which Values are looked up.
    items, looked_up : dict from int to object
        Other objects in containers, and those of them that are keys of dicts or items of sets.
    """

    def __init__(
        self, readings: Readings, meet: Callable[[Any], None], put_off: Callable[[Any], None]
    ) -> None:
        self._readings, self._meet, self._put_off = readings, meet, put_off
        self.keys: set[Value] = set()
        self.items: dict[int, Any] = {}
        self.looked_up: dict[int, Any] = {}
        self._values: list[Value] = []
        self._copies: dict[int, tuple[Any, KeyedCopy]] = {}
        self._depth = 0
        self._deep: dict[int, Any] = {}

    def of(self, x: Any) -> Slot:
        """Return the slot of what a variable, name or attribute holds."""
        outer, self._values = self._values, []
        part, values = self.part(x), self._values
        self._values = outer
        frozen = OfClass(x, part.frozen) if type(x) in APART else part.frozen
        return Slot(x, part.key, values, frozen)

    def part(self, x: Any) -> KeyedCopy:
        """Return how a value is compared that a variable, attribute or item holds."""
        if isinstance(x, Value):
            self._values.append(x)
            if attributes_beside(x):
                self._meet(x)
            return KeyedCopy((type(x), x.op is not None), x)
        if type(x) in PLAIN:
            return plain(x)
        if id(x) in self._copies:
            return self._copies[id(x)][1]
        itself = same(x)
        self._copies[id(x)] = x, itself
        if isinstance(x, Table):
            return itself
        if not (isinstance(x, (*BOUND, *CONTAINERS)) or is_array(x)):
            if self._depth:
                self.items[id(x)] = x
            self._meet(x)
            return itself
        found = self._by_parts(x) if self._depth < _DEEP else self._later(x, itself)
        if not isinstance(found.key, Same):
            del self._copies[id(x)]  # its Values belong to every slot that holds it
        return found

    def _by_parts(self, x: Any) -> KeyedCopy:
        """Return how a container, array or bound method is compared: by what is in it."""
        self._depth += 1
        found = self._copied(x)
        self._depth -= 1
        if not _BESIDES.isdisjoint(ways_of(x)):
            self._meet(x)
        return found

    def _later(self, x: Any, itself: KeyedCopy) -> KeyedCopy:
        """Put off a container that is nested too deeply: then it is no part, and has a slot."""
        del self._copies[id(x)]
        if id(x) not in self._deep:
            self._deep[id(x)] = x
            self._put_off(x)
        return itself

    def _copied(self, x: Any) -> KeyedCopy:
        """Return the key and the copy of a container, array or bound method.

        If another thread adds or removes items meanwhile, they equal nothing.
        """
        try:
            self._keys(x)
            found = copied(x, [self.part(item) for item in items_of(x)], self._readings)
            if isinstance(x, LOOKED_UP) and type(x) is not Touched:
                self.keys.update(values_among(x))
                self.looked_up |= {id(key): key for key in x if is_stateful(type(key))}
        except (RuntimeError, ValueError, LookupError):
            return same(object())
        return found

    def _keys(self, x: Any) -> None:
        """Follow what the keys of a dict hold; those that are Values are inputs of `keys`."""
        outer, self._values = self._values, []
        for key in x if isinstance(x, DICTS) and not {*map(type, x)} <= PLAIN else ():
            self.part(key)
        self._values = outer
