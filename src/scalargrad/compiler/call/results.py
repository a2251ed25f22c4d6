"""Make the result of a call, from its outline and the numbers that the program computed."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from operator import itemgetter, methodcaller
from typing import Any

import numpy as np

from scalargrad.compiler.call.copied_objects import Copier, parts_beside
from scalargrad.compiler.call.outline import (
    ArrayOutline,
    ObjectOutline,
    Place,
    PlainList,
    ResultGrid,
    ResultRow,
)
from scalargrad.table.numbers import is_real
from scalargrad.tree import like


class FlatNumbers(Sequence[Any]):
    """The outputs of a program as an array: a slice is an array, an entry a float."""

    def __init__(self, array: Any) -> None:
        self.array = array

    def __len__(self) -> int:
        return len(self.array)

    def __getitem__(self, index: Any) -> Any:
        return self.array.item(index) if index.__class__ is int else self.array[index]


def filled(outline: Any, found: Sequence[Any]) -> Any:
    """Return the result that an outline describes, with what was computed for each place."""
    kind = outline.__class__
    if kind is Place:
        return found[outline.index]
    if kind is ArrayOutline:
        return _filled_array(outline, found)
    if issubclass(kind, (list, tuple)):
        return _filled_list(outline, found)
    if isinstance(outline, dict):
        return like(outline, [filled(x, found) for x in outline.values()])
    if isinstance(outline, ObjectOutline):
        return Copier(Place, lambda x: found[x.index]).copy(outline.copied)
    return outline.copy() if isinstance(outline, _COPIED) else outline


def filler(outline: Any, *, of_array: bool) -> Callable[[Any], Any]:
    """Return a function that fills an outline, prepared part by part, from a list or an array."""
    kind = type(outline)
    if kind is Place:
        return methodcaller("item", outline.index) if of_array else itemgetter(outline.index)
    if of_array and kind is ArrayOutline and outline.places is not None:
        places, shape = outline.places, outline.shape
        return itemgetter(places) if len(shape) == 1 else lambda x: x[places].reshape(shape)
    if kind is tuple:
        fillers = [filler(x, of_array=of_array) for x in outline]
        if len(fillers) == 2:  # a value and its gradient, above all: without a loop
            first, second = fillers
            return lambda x: (first(x), second(x))
        return lambda x: tuple([fill(x) for fill in fillers])
    if kind in _LISTS:
        return outline.filled  # type: ignore[no-any-return]
    return lambda x: filled(outline, FlatNumbers(x) if of_array else x)


#: Mutable types, which are copied for each result.
_COPIED = (np.ndarray, set, deque, bytearray)
#: Outlines of lists that are filled as a whole.
_LISTS = {PlainList, ResultRow, ResultGrid}


def _filled_array(outline: ArrayOutline, found: Sequence[Any]) -> Any:
    """Return the array: of floats or bools if all entries are, else of objects."""
    if found.__class__ is FlatNumbers:
        if outline.places is not None:
            return found[outline.places].reshape(outline.shape)
        if outline.template is not None:
            return outline.template.filled(found.array).reshape(outline.shape)
    items = [filled(x, found) for x in outline.items]
    kinds = set(map(type, items))
    kind: Any = float if kinds == {float} or all(is_real(x) for x in items) else object
    kind = bool if kinds == {bool} else kind
    array = np.empty(outline.shape, dtype=kind)
    array.ravel()[:] = items
    return array


def _filled_list(outline: Any, found: Sequence[Any]) -> Any:
    """Return the list or tuple that an outline describes."""
    kind = outline.__class__
    if kind in _LISTS:
        return outline.filled(found)
    if found.__class__ is list:
        items = [
            found[x.index]
            if x.__class__ is Place
            else [*x.head, *found[x.places], *x.tail]  # ResultRow.filled, inlined: twice as fast
            if x.__class__ is ResultRow
            else filled(x, found)
            for x in outline
        ]
    else:
        items = [filled(x, found) for x in outline]
    return kind(items) if kind in {list, tuple} else like(outline, items)


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
