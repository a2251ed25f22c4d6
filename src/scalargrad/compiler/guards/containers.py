"""Copy containers and arrays, to be compared with what they hold at later calls."""

from __future__ import annotations

from array import array
from collections import deque
from functools import partial
from operator import attrgetter
from types import BuiltinMethodType, MappingProxyType, MethodType, MethodWrapperType
from typing import Any

import numpy as np

from scalargrad.compiler.guards.comparable import PLAIN, KeyedCopy, Live, PlainItems, Same
from scalargrad.compiler.guards.library_objects import array_bytes
from scalargrad.compiler.guards.readings import Readings
from scalargrad.tree import is_object_array

_DICTS = (dict, MappingProxyType)
_UNORDERED = (set, frozenset, bytearray)
CONTAINERS = (list, tuple, deque, *_DICTS, *_UNORDERED)
#: What calls a function with something it holds.
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
    return (_container if isinstance(x, CONTAINERS) else _array)(x, parts, readings)


def _container(x: Any, parts: list[KeyedCopy], readings: Readings) -> KeyedCopy:
    if isinstance(x, _UNORDERED):  # compared as a whole
        frozen = x if isinstance(x, frozenset) else x.copy()
        return KeyedCopy((type(x), PlainItems(frozen)), frozen)
    named = isinstance(x, _DICTS)
    if named and len(x) > 1:
        readings.order(x)
    items = [part.frozen for part in parts]
    key: Any = tuple([part.key for part in parts])
    if not parts:  # numbers and text: copied whole, a hundred times as fast
        items = [*(x.values() if named else x)]
        key = PlainItems(items)
    if named:
        return KeyedCopy((type(x), *x, key), dict(zip(x, items, strict=True)))
    return KeyedCopy((type(x), key), _like(x, items))


def _like(x: Any, items: list[Any]) -> Any:
    """Return items as a list, tuple or deque that can be compared with `x`."""
    if isinstance(x, list):
        return items
    return deque(items) if isinstance(x, deque) else tuple(items)


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
