"""Outlines: the structure of a function's result, with a place for each number of a call.

`outlined` makes one of the result of a recording; `results` fills it with the numbers of each call.
"""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Coroutine, Iterator, MappingView
from types import FunctionType, ModuleType
from typing import Any

import numpy as np

from scalargrad.compiler.call.copied_objects import Copier
from scalargrad.compiler.call.objects import Visit, is_object
from scalargrad.compiler.guards.names_read import of_library
from scalargrad.compiler.guards.object_state import is_stateful
from scalargrad.compiler.trace.traced import Traced
from scalargrad.errors import TraceError
from scalargrad.sparse import Table
from scalargrad.tree import is_object_array, like, own_attributes
from scalargrad.value import Value


class Place:
    """The place of a Value in an outline."""

    def __init__(self, index: int) -> None:
        self.index = index


class ArrayOutline:
    """The outline of an array of objects.

    Parameters
    ----------
    entries : list or slice
        The outlines of its entries, or their places if all are Values.
    """

    def __init__(self, shape: tuple[int, ...], entries: list[Any] | slice) -> None:
        self.shape, self.entries = shape, entries

    @property
    def items(self) -> list[Any]:
        """The outlines of its entries."""
        entries = self.entries
        if isinstance(entries, slice):
            return [*map(Place, range(entries.start, entries.stop))]
        return entries


class ObjectOutline:
    """The outline of an object: a copy, with a `Place` for each Value."""

    def __init__(self, copied: Any) -> None:
        self.copied = copied


#: The most objects that are searched for traced numbers, breadth first, and what holds none.
_MANY = 10_000
_CLOSED = (str, int, float, bytes, Value, ModuleType)


def has_arrays(outline: Any) -> bool:
    """Return whether an outline holds arrays."""
    if isinstance(outline, dict):
        return any(map(has_arrays, outline.values()))
    if isinstance(outline, list | tuple):
        return any(map(has_arrays, outline))
    return isinstance(outline, ArrayOutline)


def outlined(tree: Any, values: list[Value]) -> Any:
    """Return the outline of a result; its Values are added to `values`."""
    if isinstance(tree, Value):
        values.append(tree)
        return Place(len(values) - 1)
    if isinstance(tree, dict | list | tuple):
        _require_plain(own_attributes(tree), tree)
    if isinstance(tree, dict):
        return like(tree, [outlined(x, values) for x in tree.values()])
    if isinstance(tree, list | tuple) and not isinstance(tree, Table):
        places = _places(tree, values)
        if places is None:
            return like(tree, [outlined(x, values) for x in tree])
        return like(tree, map(Place, range(places.start, places.stop)))
    if is_object_array(tree) and type(tree) is np.ndarray:
        numbers = tree.ravel().tolist()
        entries = _places(numbers, values) or [outlined(x, values) for x in numbers]
        return ArrayOutline(tree.shape, entries)
    if isinstance(tree, Coroutine):
        tree.close()
        raise TraceError("a compiled function returned a coroutine: only plain functions compile")
    return _outlined_object(tree, values) if is_object(tree) else _made_again(tree)


def _places(items: Any, values: list[Value]) -> slice | None:
    """Return the places of items as a slice if all are Values, else None."""
    if not len(items) or not all(issubclass(kind, Value) for kind in {*map(type, items)}):
        return None
    values += items
    return slice(len(values) - len(items), len(values))


def _require_plain(attributes: dict[str, Any], owner: Any) -> None:
    """Raise TraceError if what a container holds besides its items is a result as well."""
    found = [name for name, x in attributes.items() if holds_results(x)]
    if found:
        raise TraceError(
            f"a compiled function returned a {type(owner).__name__} with Values in attributes "
            f"besides its items ({', '.join(found)}): return them apart"
        )


def _made_again(tree: Any) -> Any:
    """Return what is the same in all results; raise TraceError for what holds traced numbers."""
    if isinstance(tree, FunctionType) and holds_results(tree):
        raise TraceError(
            f"a compiled function returned the function {tree.__qualname__}, which closes over "
            "Values of the recording: return the Values, and make the function outside"
        )
    if isinstance(tree, Iterator | MappingView) or holds_results(tree):
        raise TraceError(
            f"a compiled function returned a {type(tree).__name__}, which a program could not make "
            "again: return a list, a named tuple or a plain array"
        )
    return tree


def _outlined_object(tree: Any, values: list[Value]) -> Any:
    """Return the outline of an object; a bound method without Values is returned itself."""
    if not is_stateful(type(tree)):
        walk = Visit()
        walk.part(tree)
        if not walk.module_values:
            return tree
    return ObjectOutline(Copier(Value, lambda x: outlined(x, values), _made_again).copy(tree))


def holds_results(x: Any) -> bool:
    """Return whether a traced number can be reached from an object.

    By whatever its class keeps objects in, as the collector of cycles knows it.
    """
    seen: dict[int, Any] = {}
    ahead = deque([x])
    while ahead and len(seen) < _MANY:
        y = ahead.popleft()
        if isinstance(y, Traced):
            return True
        if id(y) not in seen and not isinstance(y, _CLOSED):
            seen[id(y)] = y
            ahead += _inside(y)
    return False


def _inside(x: Any) -> list[Any]:
    if isinstance(x, type):
        return [] if of_library(x.__module__) else [*vars(x).values()]
    if isinstance(x, FunctionType):
        return [x.__closure__, x.__defaults__, x.__kwdefaults__, vars(x)]
    if isinstance(x, np.ndarray) and x.dtype.hasobject:  # which the collector does not look into
        return [x.tolist()]
    return gc.get_referents(x)
