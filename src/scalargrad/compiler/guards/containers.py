"""Copy containers, arrays and bound methods, so that later calls notice changes inside."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable
from functools import partial
from itertools import chain
from operator import attrgetter
from types import BuiltinMethodType, MappingProxyType, MethodType, MethodWrapperType
from typing import Any

import numpy as np

from scalargrad.compiler.guards.comparable import (
    PLAIN,
    Exact,
    ExactItems,
    ExactKeys,
    ExactSequence,
    KeyedCopy,
    Live,
    OfClass,
    Same,
    equals_others,
    exact,
    exact_items,
)
from scalargrad.compiler.guards.library_objects import array_bytes
from scalargrad.compiler.guards.readings import Readings
from scalargrad.tree import is_object_array

_DICTS = (dict, MappingProxyType)
_UNORDERED = (set, frozenset, bytearray)
CONTAINERS = (list, tuple, deque, *_DICTS, *_UNORDERED)
#: Classes whose objects equal none of the other classes here, but those derived from themselves.
_APART = {list, tuple, deque, dict}
#: Callables that pass stored objects to a function.
BOUND = (MethodType, BuiltinMethodType, MethodWrapperType, partial)

_SHAPE = attrgetter("shape")


def items_of(x: Any) -> list[Any]:
    """Return what is in a container, array or bound method; nothing if it is numbers and text."""
    if isinstance(x, BOUND):
        return [_bound(x)]
    if isinstance(x, CONTAINERS):
        items = [*(x.values() if isinstance(x, _DICTS) else x)]
        return [] if set(map(type, items)) <= PLAIN else items
    return [x.ravel().tolist()] if is_object_array(x) else []


def _bound(x: Any) -> tuple[Any, ...]:
    """Return what a method or a partial function calls, and what it passes on."""
    if isinstance(x, partial):
        return x.func, x.args, x.keywords
    return getattr(x, "__func__", x.__name__), x.__self__


def copied(x: Any, parts: list[KeyedCopy], readings: Readings) -> KeyedCopy:
    """Return the key and the copy of a container, array or bound method, given those of items."""
    if isinstance(x, BOUND):
        (part,) = parts
        readings.items.append((_bound(x), part.frozen))
        return KeyedCopy((type(x), part.key), x)
    if not isinstance(x, CONTAINERS):
        return _array(x, parts, readings)
    found = _container(x, parts, readings)
    return found if type(x) in _APART else found._replace(frozen=OfClass(type(x), found.frozen))


def _container(x: Any, parts: list[KeyedCopy], readings: Readings) -> KeyedCopy:
    if isinstance(x, _DICTS) and len(x) > 1:
        readings.order(x)
    if not parts or isinstance(x, _UNORDERED):
        return _whole(x)
    items, key = [part.frozen for part in parts], tuple([part.key for part in parts])
    if isinstance(x, _DICTS):
        named = dict(zip(x, items, strict=True))
        frozen = ExactKeys(named) if any(map(equals_others, x)) else named
        return KeyedCopy((type(x), *map(exact, x), key), frozen)
    return KeyedCopy((type(x), key), Exact(x) if _is_constant(x) else _like(x, items))


def _whole(x: Any) -> KeyedCopy:
    """Return the key and copy of numbers and text in a container, a hundred times as fast."""
    key = exact_items(x)
    if isinstance(x, _DICTS):
        exactly = any(map(equals_others, chain(x, x.values())))
        return KeyedCopy((type(x), key), ExactItems(key) if exactly else dict(x))
    if _is_constant(x):
        return KeyedCopy((type(x), key), Exact(x))
    places = [] if isinstance(x, bytearray) else [i for i, y in enumerate(x) if equals_others(y)]
    if not places:
        return KeyedCopy((type(x), key), _like(x, x))
    few = 3 * len(places) < len(x) and not isinstance(x, _UNORDERED)
    return KeyedCopy((type(x), key), ExactSequence(_like(x, x), places) if few else ExactItems(key))


def _is_constant(x: Any) -> bool:
    """Return whether something is a number or text, or a tuple of such."""
    return type(x) in PLAIN or (type(x) is tuple and all(map(_is_constant, x)))


def _like(x: Any, items: Iterable[Any]) -> Any:
    """Return a copy of items as what can be compared with `x`."""
    kinds = (list, deque, bytearray, set, frozenset)
    return next((kind for kind in kinds if isinstance(x, kind)), tuple)(items)


def _array(x: Any, parts: list[KeyedCopy], readings: Readings) -> KeyedCopy:
    if parts:  # of objects: like a list
        (part,) = parts
        readings.items.append((Live(lambda: x.ravel().tolist()), part.frozen))
        return KeyedCopy((x.shape, part.key), Same(x))
    read = array_bytes(x)
    then = read()
    readings.items.append((Live(read), then))
    if isinstance(x, array):
        return KeyedCopy((type(x), x.typecode, then), Same(x))
    if isinstance(x, np.ndarray):
        readings.fact(_SHAPE, Same(x))
    return KeyedCopy((type(x), x.dtype, x.shape, then), Same(x))
