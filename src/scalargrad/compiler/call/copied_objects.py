"""Copy modules and other objects with replacements for their Values.

A recording works on such a copy.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import MethodType, SimpleNamespace
from typing import Any

from scalargrad.compiler.guards.memory_order import objects_like
from scalargrad.compiler.guards.object_state import (
    attributes,
    is_stateful,
    slots_of,
)
from scalargrad.sparse import Table, Touched
from scalargrad.tree import is_object_array, like


class Copier:
    """Copies objects, replacing the Values in them.

    Parameters
    ----------
    kind : type
        The type of what is replaced.
    replaced : callable
        Returns the replacement of one of these.
    """

    def __init__(
        self,
        kind: type,
        replaced: Callable[[Any], Any],
    ) -> None:
        self._kind = kind
        self._replaced = replaced
        self._copies: dict[int, Any] = {}
        self._empty: list[tuple[Any, Any]] = []
        self._originals: list[Any] = []  # keeps them alive, so that no other object gets their id

    def copy(self, x: Any) -> Any:
        """Return a copy of an object; one without state is returned itself."""
        found = self._part(x)
        while self._empty:
            self._fill(*self._empty.pop())
        return found

    def _part(self, x: Any) -> Any:
        """Return a copy in which objects with attributes have none yet: they may lead far."""
        if isinstance(x, self._kind):
            return self._replaced(x)
        if id(x) not in self._copies:
            self._originals.append(x)
            self._copies[id(x)] = self._copy(x)
        return self._copies[id(x)]

    def back(self, x: Any, replaced: Callable[[Any], Any]) -> Any:
        """Return a copy of an object in which originals take the place of their copies."""
        other = Copier(self._kind, replaced)
        for original in self._originals:
            other._copies[id(self._copies[id(original)])] = original
        return other.copy(x)

    def _copy(self, x: Any) -> Any:
        if isinstance(x, list | tuple | dict):
            return self._container(x)
        if isinstance(x, MethodType):
            return MethodType(x.__func__, self._part(x.__self__))
        if isinstance(x, functools.partial):
            function, *args = (self._part(part) for part in (x.func, *x.args))
            copied = functools.partial.__new__(type(x), function, *args, **self._part(x.keywords))
            vars(copied).update(self._part(vars(x)))
            return copied
        if is_object_array(x):
            return objects_like(x, [self._part(item) for item in x.ravel().tolist()])
        return self._object(x) if is_stateful(type(x)) else x

    def _container(self, x: Any) -> Any:
        if isinstance(x, Table):
            return Table(([self._part(p) for p in row] for row in x), Touched())
        return like(x, map(self._part, x.values() if isinstance(x, dict) else x))

    def _object(self, x: Any) -> Any:
        kind: Any = type(x)
        copied = kind() if kind is SimpleNamespace else object.__new__(kind)
        self._empty.append((x, copied))
        return copied

    def _fill(self, x: Any, copied: Any) -> None:
        kind: Any = type(x)
        for name, part in attributes(x).items():
            if name in slots_of(kind):
                object.__setattr__(copied, name, self._part(part))
            else:
                copied.__dict__[name] = self._part(part)
