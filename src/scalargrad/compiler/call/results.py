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
    ResultGrid,
    ResultRow,
)
from scalargrad.table.numbers import is_real
from scalargrad.tree import like

#: Mutable types, which are copied for each result.
_COPIED = (np.ndarray, set, deque, bytearray)


def filled(outline: Any, found: Sequence[Any]) -> Any:
    """Return the result that an outline describes, with what was computed for each place."""
    return filler(outline)(found)


def filler(outline: Any, *, of_array: bool = False) -> Callable[[Any], Any]:
    """Return a function that fills an outline, prepared part by part.

    Parameters
    ----------
    of_array : bool
        Whether what was computed is an array of floats, rather than a list.
    """
    kind = type(outline)
    if kind is Place:
        return methodcaller("item", outline.index) if of_array else itemgetter(outline.index)
    if kind is ArrayOutline:
        return _array_filler(outline, of_array)
    if isinstance(outline, list | tuple | dict):
        return _container_filler(outline, of_array)
    if kind is ObjectOutline:
        return lambda x: Copier(Place, lambda place: filler(place, of_array=of_array)(x)).copy(
            outline.copied
        )
    return (lambda _: outline.copy()) if isinstance(outline, _COPIED) else lambda _: outline


def _container_filler(outline: Any, of_array: bool) -> Callable[[Any], Any]:
    kind = type(outline)
    if kind is ResultRow:
        head, places, tail = outline.head, outline.places, outline.tail
        if of_array:
            return lambda x: [*head, *x[places].tolist(), *tail]
        return lambda x: [*head, *x[places], *tail]
    if kind is ResultGrid:
        return _grid_filler(outline, of_array)
    parts = outline.values() if isinstance(outline, dict) else outline
    fillers = [filler(x, of_array=of_array) for x in parts]
    if kind is tuple and len(fillers) == 2:  # a value and its gradient, above all
        first, second = fillers
        return lambda x: (first(x), second(x))
    return lambda x: like(outline, [fill(x) for fill in fillers])


def _grid_filler(outline: ResultGrid, of_array: bool) -> Callable[[Any], list[Any]]:
    places, shape = outline.places, outline.shape
    if of_array:
        return lambda x: x[places].reshape(shape).tolist()

    def fill(found: Sequence[Any]) -> list[Any]:
        numbers = [*found[places]]  # those of an example of vmap are a tuple
        for size in shape[:0:-1]:
            numbers = [numbers[k : k + size] for k in range(0, len(numbers), size)]
        return numbers

    return fill


def _array_filler(outline: ArrayOutline, of_array: bool) -> Callable[[Any], Any]:
    """Return what makes an array: of floats or bools if all entries are, else of objects."""
    places, template, shape = outline.places, outline.template, outline.shape
    if of_array and places is not None:
        return itemgetter(places) if len(shape) == 1 else lambda x: x[places].reshape(shape)
    if of_array and template is not None:
        return lambda x: template.filled(x).reshape(shape)
    take = filler(outline.items, of_array=of_array) if places is None else itemgetter(places)

    def fill(found: Any) -> Any:
        items = take(found)
        kinds = set(map(type, items))
        kind: Any = float if kinds == {float} or all(is_real(x) for x in items) else object
        kind = bool if kinds == {bool} else kind
        array = np.empty(shape, dtype=kind)
        array.ravel()[:] = items
        return array

    return fill


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
