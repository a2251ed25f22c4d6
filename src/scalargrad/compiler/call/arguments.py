"""Split the arguments of a call into the numbers a program runs on and the key that chooses it.

Numbers (ints too) and Values are traced; the shape around them, and everything that is neither,
is part of the key under which a program is kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Coroutine, Hashable, Iterable, Iterator, MappingView, Sequence
from enum import Enum
from itertools import chain
from types import FunctionType
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from scalargrad.compiler.call.objects import (
    Copier,
    Frozen,
    Visit,
    has_state,
    is_object,
    like,
    parts_beside,
)
from scalargrad.compiler.guards.names import variables
from scalargrad.compiler.trace.traced import Traced
from scalargrad.compiler.trace.whole_arrays import WholeArray
from scalargrad.errors import TraceError
from scalargrad.sparse import Table
from scalargrad.table.numbers import is_real
from scalargrad.value import Parameter, Value

Key = tuple[Hashable, ...]


#: The part of the key that stands for a number of each kind.
NUMBERS: dict[type, int] = {float: 0, int: 0, Value: 1, Parameter: 2}

#: Lists at least this long are looked through as a whole for being all numbers.
_MANY = 8
_FLOATS = {float, int}
#: Stands in the key for the floats and integers of a list.
_FLOAT = "numbers"
#: From so many floats on, rows of them are handed over as an array.
_BLOCK = 256


def kinds_of(xs: Iterable[Any]) -> tuple[int | None, ...]:
    """Return the part of the key that stands for each number; None for what may be none."""
    return tuple(map(NUMBERS.get, map(type, xs)))


def is_number(x: Any) -> bool:
    """Return whether something is traced for its number: a flag or a member of an enum is not."""
    return is_real(x) and not isinstance(x, bool | Enum)


def visit(x: Any, key: list[Hashable], leaves: list[Any], objects: Visit | None = None) -> None:
    """Add the numbers of an argument to `leaves`, its shape to `key`, what it holds to `objects`.

    Without `objects`, what is no number and no container of numbers is compared as it is.
    """
    kind = x.__class__
    if kind in NUMBERS:
        key.append(NUMBERS[kind])
        leaves.append(x)
    elif isinstance(x, Value):
        key.append(2 if isinstance(x, Parameter) else 1)
        leaves.append(x)
    elif isinstance(x, list | tuple) and kind is not Table:
        key.append((kind, len(x)))
        _visit_all(x, key, leaves, objects)
    elif isinstance(x, dict):
        key.append((kind, *x, *map(type, x)))
        for item in x.values():
            visit(item, key, leaves, objects)
    elif kind is np.ndarray or (isinstance(x, np.ndarray | np.generic) and not is_number(x)):
        _visit_array(x, key, leaves, objects)
    elif is_number(x):
        key.append(0)
        leaves.append(float(x))
    elif objects is not None and is_object(x):
        objects.part(x)
    else:
        _require_lasting(x, "an argument")
        if hasattr(x, "__array__"):
            _refuse_array(x)
        key.append(Frozen(x, "an argument"))


def _require_lasting(x: Any, where: str) -> None:
    """Raise TraceError for what is used up, or shows what changes elsewhere."""
    if isinstance(x, Iterator | MappingView):
        raise TraceError(
            f"{where} is a {type(x).__name__}, which a program could read only once: give a list"
        )


def _visit_all(
    xs: Sequence[Any], key: list[Hashable], leaves: list[Any], objects: Visit | None
) -> None:
    if len(xs) >= _MANY:  # the common case, without the loop below
        kinds = {*map(type, xs)}
        if kinds <= _FLOATS:
            key.append((_FLOAT, len(xs)))
            leaves += xs
            return
        if kinds <= NUMBERS.keys():
            key += kinds_of(xs)
            leaves += xs
            return
    if objects is not None and len(xs) >= _MANY and _are_rows(xs):
        key.append(("rows", len(xs[0])))
        leaves.append(np.array(xs).view(Rows))
        return
    for x in xs:
        visit(x, key, leaves, objects)


class Rows(np.ndarray[Any, Any]):
    """The numbers of lists of one length, as an array."""


def _are_rows(xs: Sequence[Any]) -> bool:
    """Return whether items are lists of one length, floats all of them, and many."""
    return (
        set(map(type, xs)) == {list}
        and len(xs) * len(xs[0]) >= _BLOCK
        and len(set(map(len, xs))) == 1
        and set(map(type, chain.from_iterable(xs))) == {float}
    )


def _refuse_array(x: Any) -> NoReturn:
    kind = type(x)
    raise TraceError(
        f"an argument is a {kind.__module__}.{kind.__name__}: a compiled function takes arrays of "
        "NumPy's; give numpy.asarray(x), or its .tolist()"
    )


def _visit_array(array: Any, key: list[Hashable], leaves: list[Any], objects: Visit | None) -> None:
    if array.__class__ is not np.ndarray and isinstance(array, np.ma.MaskedArray | np.matrix):
        _refuse_array(array)
    if array.dtype.kind in "fiub":
        key.append(("array", array.shape))
        leaves.append(array)
        return
    key.append(("objects", array.shape))
    for item in array.ravel().tolist():
        visit(item, key, leaves, objects)


def visit_static(x: Any, where: str, key: list[Hashable]) -> None:
    """Add an argument that is part of the program to its key, with its state if it has one."""
    if not is_object(x):
        _require_lasting(x, where)
        key.append(Frozen(x, where))
        return
    objects = Visit(key)
    objects.part(x)
    key += objects.module_values


def code_in(key: Key) -> Iterator[Any]:
    """Yield the classes and functions that a key mentions, whose code may be run by its call."""
    for part in key:
        named = (part.content,) if isinstance(part, Frozen) else part
        if isinstance(named, tuple):
            yield from (x for x in named[:2] if isinstance(x, type | FunctionType))


def rebuilt(x: Any, fresh: Iterator[Value], copier: Copier | None = None) -> Any:
    """Return an argument with its numbers replaced, in the order `visit` found them."""
    if isinstance(x, Value) or is_number(x):
        return next(fresh)
    if isinstance(x, dict):
        return like(x, [rebuilt(item, fresh, copier) for item in x.values()])
    if isinstance(x, list | tuple) and not isinstance(x, Table):
        items = [rebuilt(item, fresh, copier) for item in x]
        return type(x)(*items) if hasattr(x, "_fields") else type(x)(items)
    if hasattr(x, "dtype") and hasattr(x, "ravel"):
        return _rebuilt_array(x, fresh, copier)
    return copier.copy(x) if copier is not None and is_object(x) else x


def _rebuilt_array(x: Any, fresh: Iterator[Any], copier: Copier | None) -> Any:
    """Return an array with its numbers replaced, or what stands for all of it."""
    flat = x.ravel()
    found = [rebuilt(item, fresh, copier) for item in flat[:1].tolist()]
    if found and isinstance(found[0], WholeArray):
        return found[0]
    replaced = x.astype(object)
    replaced.flat = found + [rebuilt(item, fresh, copier) for item in flat[1:].tolist()]
    return replaced


class Place:
    """Where a Value stood in a result."""

    def __init__(self, index: int) -> None:
        self.index = index


class ArrayOutline:
    """An array of objects, as a list."""

    def __init__(self, shape: tuple[int, ...], items: list[Any]) -> None:
        self.shape = shape
        self.items = items
        self._places = _stretch(items)
        self._template = None if self._places is not None else _Template.of(items)

    def filled(self, found: Sequence[Any]) -> Any:
        """Return the array, of floats where they are all numbers."""
        items: Any
        if self._template is not None and isinstance(found, FlatNumbers):
            return self._template.filled(found.array).reshape(self.shape)
        if self._places is not None:
            items = found[self._places]
            if isinstance(items, np.ndarray):
                return items.reshape(self.shape)
        else:
            items = [filled(x, found) for x in self.items]
        kinds = set(map(type, items))
        kind = float if kinds == {float} or all(is_real(x) for x in items) else object
        array = np.empty(self.shape, dtype=kind)
        array.ravel()[:] = items
        return array


class _Template(NamedTuple):
    """Numbers of which some are the same in each result, and the others are found.

    Attributes
    ----------
    numbers : float64, items
    where, places : integers, numbers found
        Which of them are found, and in which place.
    """

    numbers: NDArray[np.float64]
    where: NDArray[np.int64]
    places: NDArray[np.int64]

    @classmethod
    def of(cls, items: list[Any]) -> _Template | None:
        """Return the template of items, if these are places and floats."""
        if not {Place, float}.issuperset(map(type, items)):
            return None
        where = [k for k, x in enumerate(items) if isinstance(x, Place)]
        numbers = [0.0 if isinstance(x, Place) else x for x in items]
        places = [items[k].index for k in where]
        return cls(np.array(numbers), np.array(where, np.int64), np.array(places, np.int64))

    def filled(self, found: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the numbers, those found in their places."""
        numbers = self.numbers.copy()
        numbers[self.where] = found[self.places]
        return numbers


def _stretch(items: list[Any]) -> slice | None:
    """Return the places of items if they are nothing else and in order."""
    if not items or not all(isinstance(x, Place) for x in items):
        return None
    first = items[0].index
    found = slice(first, first + len(items))
    return found if [x.index for x in items] == list(range(found.start, found.stop)) else None


class FlatNumbers(Sequence[Any]):
    """What was found, as an array: a slice of it is one too, an entry a float."""

    def __init__(self, array: Any) -> None:
        self.array = array

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, index: Any) -> Any:
        return self.array[index] if isinstance(index, slice) else self.array.item(index)


def has_arrays(outline: Any) -> bool:
    """Return whether an outline holds arrays."""
    if isinstance(outline, dict):
        return any(map(has_arrays, outline.values()))
    if isinstance(outline, list | tuple):
        return any(map(has_arrays, outline))
    return isinstance(outline, ArrayOutline)


class ObjectOutline:
    """A copy of an object, with a `Place` for each Value."""

    def __init__(self, copied: Any) -> None:
        self.copied = copied


#: What is the same in each result.
_PLAIN = {type(None), bool, int, float, str}


class _PlainList(list[Any]):
    """A list without Values: a result has a copy of it."""


class _Row(list[Any]):
    """A list of places in order, with what is the same in each result before and behind them.

    Parameters
    ----------
    items : list
    first, last : int
        Which of them are places.
    """

    def __init__(self, items: list[Any], first: int, last: int) -> None:
        super().__init__(items)
        self.head, self.tail = items[:first], items[last:]
        self.places = slice(items[first].index, items[first].index + last - first)

    @classmethod
    def of(cls, items: list[Any]) -> list[Any]:
        """Return items as such a list if they are one, else as they are."""
        where = [k for k, x in enumerate(items) if x.__class__ is Place]
        if len(where) < 2 or not _PLAIN.issuperset({*map(type, items)} - {Place}):
            return items
        first, last = where[0], where[-1] + 1
        stretch = len(where) == last - first and _stretch(items[first:last]) is not None
        return cls(items, first, last) if stretch else items

    def __reduce__(self) -> tuple[Any, ...]:
        first = len(self.head)
        return _Row, ([*self], first, len(self) - len(self.tail))

    def filled(self, found: Sequence[Any]) -> list[Any]:
        """Return the list with what was found."""
        middle: Any = found[self.places]
        if isinstance(middle, np.ndarray):
            middle = middle.tolist()
        return [*self.head, *middle, *self.tail]


def outlined(tree: Any, values: list[Value]) -> Any:
    """Return a result with a `Place` for each Value, which is added to `values`."""
    if isinstance(tree, Value):
        values.append(tree)
        return Place(len(values) - 1)
    if isinstance(tree, dict):
        return like(tree, [outlined(x, values) for x in tree.values()])
    if isinstance(tree, list | tuple) and not isinstance(tree, Table):
        if type(tree) is list and _PLAIN.issuperset(map(type, tree)):
            return _PlainList(tree)
        items = _places(tree, values) or [outlined(x, values) for x in tree]
        kind: Any = _Row.of if type(tree) is list else type(tree)
        return kind(*items) if hasattr(tree, "_fields") else kind(items)
    if getattr(getattr(tree, "dtype", None), "kind", "") == "O":
        numbers = tree.ravel().tolist()
        items = _places(numbers, values) or [outlined(x, values) for x in numbers]
        return ArrayOutline(tree.shape, items)
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


def _places(items: Any, values: list[Value]) -> list[Any]:
    """Return the places of items that are all Values; of others nothing."""
    if len(items) < _MANY or not all(issubclass(kind, Value) for kind in {*map(type, items)}):
        return []
    first = len(values)
    values += items
    return [Place(k) for k in range(first, len(values))]


def _closes_over_results(function: FunctionType) -> bool:
    """Return whether a function reads what was given to the recording or computed in it."""
    objects = Visit([])
    for x in variables(function).values():
        objects.part(x)
    return any(isinstance(x, Traced) for x in objects.module_values)


def _outlined_object(tree: Any, values: list[Value]) -> Any:
    """Return an outline of an object; a bound function without Values is itself."""
    if not has_state(tree):
        objects = Visit([])
        objects.part(tree)
        if not objects.module_values:
            return tree
    return ObjectOutline(Copier(Value, lambda x: outlined(x, values)).copy(tree))


def filled(outline: Any, found: Sequence[Any]) -> Any:
    """Return the result an outline describes, with what was found in each place."""
    kind = outline.__class__
    if kind is Place:
        return found[outline.index]
    if issubclass(kind, (list, tuple)) and kind is not _PlainList:
        return _filled_list(outline, found)
    if isinstance(outline, dict):
        return like(outline, [filled(x, found) for x in outline.values()])
    if isinstance(outline, ArrayOutline):
        return outline.filled(found)
    if isinstance(outline, ObjectOutline):
        return Copier(Place, lambda x: found[x.index]).copy(outline.copied)
    return outline.copy() if isinstance(outline, _COPIED) else outline


#: What is returned as a copy, so that no call sees what was done to another's result.
_COPIED = (np.ndarray, set, deque, bytearray, _PlainList)


def _filled_list(outline: Any, found: Sequence[Any]) -> Any:
    """Return the list or tuple an outline describes; rows of numbers are what most are made of."""
    kind = outline.__class__
    if kind is _Row:
        return outline.filled(found)
    if found.__class__ is list:
        items = [
            found[x.index]
            if x.__class__ is Place
            else [*x.head, *found[x.places], *x.tail]  # as its method does, in half the time
            if x.__class__ is _Row
            else filled(x, found)
            for x in outline
        ]
    else:
        items = [filled(x, found) for x in outline]
    return kind(*items) if hasattr(kind, "_fields") else kind(items)


def placed(outline: Any, result: Any) -> dict[int, Any]:
    """Return what stands in each place of an outline in another result of the same shape."""
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
