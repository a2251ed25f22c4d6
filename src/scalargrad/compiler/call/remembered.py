"""Remember the walk over a model, so that the next call need not walk over it again.

A walk (`objects.Visit`) visits every part of a model. Another walk gives the same if all parts are
still the same objects, of the same classes, with the same contents, and comparing these is much
faster. Contents that cannot be compared in this way (arrays, sets, objects without a ``__dict__``)
are walked over at each call.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Hashable
from itertools import chain
from operator import attrgetter, is_
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any

from scalargrad.compiler.call.objects import Visit
from scalargrad.compiler.guards.object_state import attributes, is_stateful
from scalargrad.table.operation import Operation

#: Immutable types besides tuples: the same object has the same contents.
_FIXED = (type, FunctionType, BuiltinFunctionType, MethodType, functools.partial, Operation)
_space = attrgetter("__dict__")


class ObjectWalk:
    """A finished walk over an object.

    Parameters
    ----------
    root : weakref.ref
        The object, which is not kept alive.
    visit : Visit
        The walk, which began with this object and has visited nothing else.
    key : list
        What the walk added to the key.
    """

    def __init__(self, root: weakref.ref[Any], visit: Visit, key: list[Hashable]) -> None:
        self._root, self._key = root, key
        self._values, self._seen = [*visit.module_values], dict(visit.seen)
        self._are_distinct = len(set(map(id, self._values))) == len(self._values)
        self._has_space, inside = is_stateful(type(visit.met[0])), visit.met[1:]
        self._objects = [x for x in inside if is_stateful(type(x))]
        self._lists = [x for x in inside if isinstance(x, list)]
        self._dicts = [x for x in inside if isinstance(x, dict)]
        self._equal, self._same = self._held(visit.met[0])

    def _held(self, root: Any) -> tuple[list[Any], list[Any]]:
        """Return the classes, attribute names and lengths of all parts, and their contents."""
        objects = [root, *self._objects] if self._has_space else self._objects
        spaces = [*map(_space, objects)]
        holders = [*spaces, *self._lists, *self._dicts]
        equal = [[*map(type, objects)], [*chain.from_iterable(spaces)], [*map(len, holders)]]
        held = map(dict.values, [*spaces, *self._dicts])
        return equal, [*chain.from_iterable([*self._lists, *self._dicts, *held])]

    def holds(self, x: Any) -> bool:
        """Return whether a walk over `x` would give the same again."""
        if self._root() is not x:
            return False
        equal, same = self._held(x)
        return equal == self._equal and all(map(is_, same, self._same))

    def repeat(self, visit: Visit) -> None:
        """Update a visit as if it had made this walk."""
        visit.key += self._key
        visit.module_values += self._values
        visit.seen |= self._seen
        visit.distinct = len(self._values) if self._are_distinct else 0


def _is_compared(x: Any) -> bool:
    """Return whether an `ObjectWalk` notices changes of an object."""
    if is_stateful(type(x)):
        return attributes(x) is getattr(x, "__dict__", None)
    return isinstance(x, (list, dict, tuple, *_FIXED))


class LastWalk:
    """The last walk over an object; kept once two calls in a row are given the same object."""

    def __init__(self) -> None:
        self._root: weakref.ref[Any] | None = None
        self._walk: ObjectWalk | None = None

    def visit(self, x: Any, visit: Visit) -> None:
        """Walk over the first object of a visit, or apply the remembered walk to the visit."""
        walk = self._walk
        if walk is not None and walk.holds(x):
            walk.repeat(visit)
            return
        before = len(visit.key)
        visit.part(x)
        self._walk = None
        if self._root is not None and self._root() is x and all(map(_is_compared, visit.met)):
            self._walk = ObjectWalk(self._root, visit, visit.key[before:])
            return
        try:
            self._root = weakref.ref(x, self._forget)
        except TypeError:  # a class with __slots__ may not allow weak references
            self._root = None

    def _forget(self, root: weakref.ref[Any]) -> None:
        if root is self._root:
            self._root = self._walk = None
