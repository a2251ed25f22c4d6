"""Outlines: the structure of a function's result, to be filled with the numbers of each call.

`outlined` replaces the Values in the result of a recording by places; `filled` makes the result of
a call from that outline and what the program computed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine, Iterator, MappingView, Sequence
from operator import itemgetter, methodcaller
from types import FunctionType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from scalargrad.compiler.call.copied_objects import Copier, parts_beside
from scalargrad.compiler.call.objects import Visit, is_object
from scalargrad.compiler.guards.names_read import variables
from scalargrad.compiler.guards.object_state import is_stateful, like
from scalargrad.compiler.trace.traced import Traced
from scalargrad.errors import TraceError
from scalargrad.sparse import Table
from scalargrad.table.numbers import is_real
from scalargrad.tree import is_object_array
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
        self._template = None if isinstance(items, slice) else _Template.of(items)

    @property
    def items(self) -> list[Any]:
        """The outlines of its entries."""
        items = self._items
        return [*map(Place, range(items.start, items.stop))] if isinstance(items, slice) else items

    def filled(self, found: Sequence[Any]) -> Any:
        """Return the array: of floats or bools if all entries are, else of objects."""
        if found.__class__ is FlatNumbers:
            if self.places is not None:
                return found[self.places].reshape(self.shape)
            if self._template is not None:
                return self._template.filled(found.array).reshape(self.shape)
        items = [filled(x, found) for x in self.items]
        kinds = set(map(type, items))
        kind: Any = float if kinds == {float} or all(is_real(x) for x in items) else object
        kind = bool if kinds == {bool} else kind
        array = np.empty(self.shape, dtype=kind)
        array.ravel()[:] = items
        return array


class _Template(NamedTuple):
    """An array of numbers, some of which are constant and the others computed at each call.

    Attributes
    ----------
    numbers : float64, items
    where, places : integers
        The indices of items that are computed, and the place of each.
    """

    numbers: NDArray[np.float64]
    where: NDArray[np.int64]
    places: NDArray[np.int64]

    @classmethod
    def of(cls, items: list[Any]) -> _Template | None:
        """Return the template of items; None if some are neither places nor floats."""
        if not {Place, float}.issuperset(map(type, items)):
            return None
        where = [k for k, x in enumerate(items) if isinstance(x, Place)]
        numbers = [0.0 if isinstance(x, Place) else x for x in items]
        places = [items[k].index for k in where]
        return cls(np.array(numbers), np.array(where, np.int64), np.array(places, np.int64))

    def filled(self, found: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the array with what was computed."""
        numbers = self.numbers.copy()
        numbers[self.where] = found[self.places]
        return numbers


def _stretch(items: list[Any]) -> slice | None:
    """Return the places of items as a slice, if all items are consecutive places."""
    if not items or not all(isinstance(x, Place) for x in items):
        return None
    first = items[0].index
    found = slice(first, first + len(items))
    return found if [x.index for x in items] == list(range(found.start, found.stop)) else None


class FlatNumbers(Sequence[Any]):
    """The outputs of a program as an array: a slice is an array, an entry a float."""

    def __init__(self, array: Any) -> None:
        self.array = array

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, index: Any) -> Any:
        return self.array.item(index) if index.__class__ is int else self.array[index]


def has_arrays(outline: Any) -> bool:
    """Return whether an outline holds arrays."""
    if isinstance(outline, dict):
        return any(map(has_arrays, outline.values()))
    if isinstance(outline, list | tuple):
        return any(map(has_arrays, outline))
    return isinstance(outline, ArrayOutline)


class ObjectOutline:
    """The outline of an object: a copy, with a `Place` for each Value."""

    def __init__(self, copied: Any) -> None:
        self.copied = copied


#: Immutable types, whose instances are shared by all results.
_PLAIN = {type(None), bool, int, float, str}


class _PlainList(list[Any]):
    """The outline of a list without Values; each result has a copy of it."""


class _ResultRow(list[Any]):
    """The outline of a list with consecutive places and, before and after them, constant items.

    Parameters
    ----------
    items : list
    first, last : int
        The indices of the first and last place among the items.
    """

    def __init__(self, items: list[Any], first: int, last: int) -> None:
        super().__init__(items)
        self.head, self.tail = items[:first], items[last:]
        self.places = slice(items[first].index, items[first].index + last - first)

    @classmethod
    def of(cls, items: list[Any]) -> list[Any]:
        """Return items as a `_ResultRow` if they have that form, else unchanged."""
        where = [k for k, x in enumerate(items) if x.__class__ is Place]
        if len(where) < 2 or not _PLAIN.issuperset({*map(type, items)} - {Place}):
            return items
        first, last = where[0], where[-1] + 1
        stretch = len(where) == last - first and _stretch(items[first:last]) is not None
        return cls(items, first, last) if stretch else items

    def __reduce__(self) -> tuple[Any, ...]:
        first = len(self.head)
        return _ResultRow, ([*self], first, len(self) - len(self.tail))

    def filled(self, found: Sequence[Any]) -> list[Any]:
        """Return the list with what was computed."""
        middle: Any = found[self.places]
        if isinstance(middle, np.ndarray):
            middle = middle.tolist()
        return [*self.head, *middle, *self.tail]


def outlined(tree: Any, values: list[Value]) -> Any:
    """Return the outline of a result; its Values are added to `values`."""
    if isinstance(tree, Value):
        values.append(tree)
        return Place(len(values) - 1)
    if isinstance(tree, dict):
        return like(tree, [outlined(x, values) for x in tree.values()])
    if isinstance(tree, list | tuple) and not isinstance(tree, Table):
        if type(tree) is list and _PLAIN.issuperset(map(type, tree)):
            return _PlainList(tree)
        places = _places(tree, values)
        items = (
            [outlined(x, values) for x in tree]
            if places is None
            else [*map(Place, range(places.start, places.stop))]
        )
        kind: Any = _ResultRow.of if type(tree) is list else type(tree)
        return kind(*items) if hasattr(tree, "_fields") else kind(items)
    if is_object_array(tree):
        numbers = tree.ravel().tolist()
        entries = _places(numbers, values) or [outlined(x, values) for x in numbers]
        return ArrayOutline(tree.shape, entries)
    if isinstance(tree, Coroutine):
        tree.close()
        raise TraceError("a compiled function returned a coroutine: only plain functions compile")
    if isinstance(tree, Iterator | MappingView) or (
        isinstance(tree, set | frozenset) and any(isinstance(x, Value) for x in tree)
    ):
        raise TraceError(
            f"a compiled function returned a {type(tree).__name__}, which a program could not make "
            "again: return a list"
        )
    if isinstance(tree, FunctionType) and _closes_over_results(tree):
        raise TraceError(
            f"a compiled function returned the function {tree.__qualname__}, which closes over "
            "Values of the recording: return the Values, and make the function outside"
        )
    return _outlined_object(tree, values) if is_object(tree) else tree


def _places(items: Any, values: list[Value]) -> slice | None:
    """Return the places of items as a slice if all are Values, else None."""
    if not len(items) or not all(issubclass(kind, Value) for kind in {*map(type, items)}):
        return None
    values += items
    return slice(len(values) - len(items), len(values))


def _closes_over_results(function: FunctionType) -> bool:
    """Return whether a function closes over traced numbers."""
    objects = Visit([])
    for x in variables(function).values():
        objects.part(x)
    return any(isinstance(x, Traced) for x in objects.module_values)


def _outlined_object(tree: Any, values: list[Value]) -> Any:
    """Return the outline of an object; a bound method without Values is returned itself."""
    if not is_stateful(type(tree)):
        objects = Visit([])
        objects.part(tree)
        if not objects.module_values:
            return tree
    return ObjectOutline(Copier(Value, lambda x: outlined(x, values)).copy(tree))


def filled(outline: Any, found: Sequence[Any]) -> Any:
    """Return the result that an outline describes, with what was computed for each place."""
    kind = outline.__class__
    if kind is Place:
        return found[outline.index]
    if kind is ArrayOutline:
        return outline.filled(found)
    if issubclass(kind, (list, tuple)) and kind is not _PlainList:
        return _filled_list(outline, found)
    if isinstance(outline, dict):
        return like(outline, [filled(x, found) for x in outline.values()])
    if isinstance(outline, ObjectOutline):
        return Copier(Place, lambda x: found[x.index]).copy(outline.copied)
    return outline.copy() if isinstance(outline, _COPIED) else outline


def filler(outline: Any) -> Callable[[NDArray[np.float64]], Any]:
    """Return a function that fills an outline from an array, prepared part by part."""
    if isinstance(outline, Place):
        return methodcaller("item", outline.index)
    if isinstance(outline, ArrayOutline) and outline.places is not None:
        places, shape = outline.places, outline.shape
        return itemgetter(places) if len(shape) == 1 else lambda x: x[places].reshape(shape)
    if type(outline) is tuple:
        fillers = [filler(x) for x in outline]
        return lambda x: tuple([fill(x) for fill in fillers])
    return lambda x: filled(outline, FlatNumbers(x))


#: Mutable types, which are copied for each result.
_COPIED = (np.ndarray, set, deque, bytearray, _PlainList)


def _filled_list(outline: Any, found: Sequence[Any]) -> Any:
    """Return the list or tuple that an outline describes."""
    kind = outline.__class__
    if kind is _ResultRow:
        return outline.filled(found)
    if found.__class__ is list:
        items = [
            found[x.index]
            if x.__class__ is Place
            else [*x.head, *found[x.places], *x.tail]  # Place.filled, inlined: twice as fast
            if x.__class__ is _ResultRow
            else filled(x, found)
            for x in outline
        ]
    else:
        items = [filled(x, found) for x in outline]
    return kind(*items) if hasattr(kind, "_fields") else kind(items)


def placed(outline: Any, result: Any) -> dict[int, Any]:
    """Return, by place, the contents of another result of the same structure."""
    if isinstance(outline, Place):
        return {outline.index: result}
    pairs: list[tuple[Any, Any]] = []
    if isinstance(outline, dict):
        pairs = [(part, result[key]) for key, part in outline.items()]
    elif isinstance(outline, list | tuple):
        pairs = list(zip(outline, result, strict=True))
    elif isinstance(outline, ArrayOutline):
        pairs = list(zip(outline.items, result.ravel().tolist(), strict=True))
    elif isinstance(outline, ObjectOutline):
        pairs = parts_beside(outline.copied, result, Place)
    return {k: x for part, other in pairs for k, x in placed(part, other).items()}
