"""Outlines: the structure of a function's result, with a place for each number of a call.

`outlined` makes one of the result of a recording; `results` fills it with the numbers of each call.
"""

from __future__ import annotations

import gc
import math
from collections import deque
from collections.abc import Coroutine, Iterator, MappingView
from types import FunctionType, ModuleType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

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
    """The outline of an array of objects."""

    def __init__(self, shape: tuple[int, ...], items: list[Any] | slice) -> None:
        self.shape = shape
        self._items = items
        self.places = items if isinstance(items, slice) else _stretch(items)
        self.template = None if isinstance(items, slice) else Template.of(items)

    @property
    def items(self) -> list[Any]:
        """The outlines of its entries."""
        items = self._items
        return [*map(Place, range(items.start, items.stop))] if isinstance(items, slice) else items


class Template(NamedTuple):
    """An array of numbers, some of which are constant and the others computed at each call.

    Attributes
    ----------
    numbers : float64, items
    where, places : integers or slice
        The indices of items that are computed, and the place of each.
    """

    numbers: NDArray[np.float64]
    where: NDArray[np.int64] | slice
    places: NDArray[np.int64] | slice

    @classmethod
    def of(cls, items: list[Any]) -> Template | None:
        """Return the template of items; None if some are neither places nor floats."""
        if not {Place, float}.issuperset(map(type, items)):
            return None
        where = [k for k, x in enumerate(items) if isinstance(x, Place)]
        numbers = [0.0 if isinstance(x, Place) else x for x in items]
        places = [items[k].index for k in where]
        return cls(np.array(numbers), _indices(where), _indices(places))

    def filled(self, found: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the array with what was computed."""
        numbers = self.numbers.copy()
        numbers[self.where] = found[self.places]
        return numbers


def _indices(numbers: list[int]) -> NDArray[np.int64] | slice:
    """Return indices as a slice if they are consecutive, else as an array."""
    first, count = min(numbers, default=0), len(numbers)
    if numbers == [*range(first, first + count)]:
        return slice(first, first + count)
    return np.array(numbers, np.int64)


def _stretch(items: list[Any]) -> slice | None:
    """Return the places of items as a slice, if all items are consecutive places."""
    if not items or not all(isinstance(x, Place) for x in items):
        return None
    found = _indices([x.index for x in items])
    return found if isinstance(found, slice) else None


class ObjectOutline:
    """The outline of an object: a copy, with a `Place` for each Value."""

    def __init__(self, copied: Any) -> None:
        self.copied = copied


#: The most objects that are searched for traced numbers, breadth first, and what holds none.
_MANY = 10_000
_CLOSED = (str, int, float, bytes, Value, ModuleType)
#: Immutable types, whose instances are shared by all results.
_PLAIN = {type(None), bool, int, float, str}


class ResultRow(list[Any]):
    """The outline of a list with consecutive places and, before and after them, constant items.

    Parameters
    ----------
    first, last : int
        The indices of the first place among the items and of what follows the last; equal where
        there are no places.
    """

    def __init__(self, items: list[Any], first: int, last: int) -> None:
        super().__init__(items)
        self.head, self.tail = items[:first], items[last:]
        start = items[first].index if first < last else 0
        self.places = slice(start, start + last - first)

    @classmethod
    def of(cls, items: list[Any]) -> list[Any]:
        """Return items as a `ResultRow` or `ResultGrid` if they have that form, else unchanged."""
        if {*map(type, items)} in ({cls}, {ResultGrid}):
            return ResultGrid.of(items)
        where = [k for k, x in enumerate(items) if x.__class__ is Place]
        if len(where) < 2 or not _PLAIN.issuperset({*map(type, items)} - {Place}):
            return items
        first, last = where[0], where[-1] + 1
        stretch = len(where) == last - first and _stretch(items[first:last]) is not None
        return cls(items, first, last) if stretch else items

    def __reduce__(self) -> tuple[Any, ...]:
        first = len(self.head)
        return ResultRow, ([*self], first, len(self) - len(self.tail))


class ResultGrid(list[Any]):
    """The outline of nested lists, all of one shape, that hold nothing but consecutive places."""

    def __init__(self, items: list[Any], first: int, shape: tuple[int, ...]) -> None:
        super().__init__(items)
        self.shape = shape
        self.places = slice(first, first + math.prod(shape))

    @classmethod
    def of(cls, rows: list[Any]) -> list[Any]:
        """Return rows, or grids, as a grid if they have that form, else unchanged."""
        first = rows[0].places.start
        size = rows[0].places.stop - first
        shape = rows[0].shape if isinstance(rows[0], cls) else (size,)
        for k, row in enumerate(rows):
            is_alike = (row.shape if isinstance(row, cls) else (len(row),)) == shape
            if not is_alike or row.places != slice(first + k * size, first + (k + 1) * size):
                return rows
        return cls(rows, first, (len(rows), *shape)) if size else rows

    def __reduce__(self) -> tuple[Any, ...]:
        return ResultGrid, ([*self], self.places.start, self.shape)


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
        if type(tree) is list and _PLAIN.issuperset(map(type, tree)):
            return ResultRow(tree, len(tree), len(tree))
        places = _places(tree, values)
        items = (
            [outlined(x, values) for x in tree]
            if places is None
            else [*map(Place, range(places.start, places.stop))]
        )
        return ResultRow.of(items) if type(tree) is list else like(tree, items)
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
        objects = Visit([])
        objects.part(tree)
        if not objects.module_values:
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
