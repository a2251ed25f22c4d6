"""Copy containers, arrays and bound methods, so that later calls notice changes inside."""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterable, Iterator
from functools import partial
from itertools import chain, compress, count
from operator import attrgetter
from types import MappingProxyType
from typing import Any

import numpy as np

from scalargrad.compiler.guards.arrays import array_bytes
from scalargrad.compiler.guards.comparable import (
    Exact,
    ExactItems,
    ExactSequence,
    KeyedCopy,
    Live,
    OfClass,
    OfClasses,
    OrderedKeys,
    Same,
    equals_others,
    exact,
    exact_items,
    is_constant,
)
from scalargrad.compiler.guards.memory_order import laid_out
from scalargrad.compiler.guards.object_state import PLAIN
from scalargrad.compiler.guards.readings import Readings
from scalargrad.compiler.guards.references import BOUND, bound_parts
from scalargrad.tree import is_object_array
from scalargrad.value import Value

DICTS = (dict, MappingProxyType)
_UNORDERED = (set, frozenset, bytearray)
CONTAINERS = (list, tuple, deque, *DICTS, *_UNORDERED)
#: Containers in which an object is found by its hash.
LOOKED_UP = (*DICTS, set, frozenset)
#: Classes whose objects equal none of the other classes here, but those derived from themselves,
#: which are told apart where a variable, a name or an attribute holds them.
APART = {list, tuple, dict}
#: Containers that one key tells with all that is nested in them, and down to which level.
_NESTED, _LEVELS = {list, tuple, dict}, 4
#: How many numbers of a level tell whether most are to be compared exactly.
_SAMPLE = 1_000
_OF_PARTIAL = attrgetter("func", "args", "keywords")
_LAYOUT = attrgetter("shape", "dtype")


def items_of(x: Any) -> list[Any]:
    """Return what is in a container, array or bound method; nothing if one key tells it all."""
    if isinstance(x, BOUND):
        return [bound_parts(x)]
    if isinstance(x, CONTAINERS):
        items = [*(x.values() if isinstance(x, DICTS) else x)]
        return [] if {*map(type, items)} <= PLAIN or _is_one_key(x) else items
    return [x.ravel().tolist()] if is_object_array(x) else []


def values_among(x: Iterable[Any]) -> Iterator[Value]:
    """Yield the Values among the keys of a dict or the items of a set, also in tuples there."""
    if {*map(type, x)} <= PLAIN:
        return
    for key in x:
        if isinstance(key, Value):
            yield key
        elif isinstance(key, tuple | frozenset):
            yield from values_among(key)


def copied(x: Any, parts: list[KeyedCopy], readings: Readings) -> KeyedCopy:
    """Return the key and the copy of a container, array or bound method, given those of items."""
    if isinstance(x, BOUND):
        (part,) = parts
        if isinstance(x, partial):  # its state can be set
            readings.part(_OF_PARTIAL, x, part.frozen)
        else:
            readings.items.append((bound_parts(x), part.frozen))
        return KeyedCopy((type(x), part.key), x)
    if not isinstance(x, CONTAINERS):
        return _array(x, parts, readings)
    found = _container(x, parts)
    if isinstance(x, deque):
        found = found._replace(key=(found.key, x.maxlen))
    return found if type(x) in APART else found._replace(frozen=OfClass(x, found.frozen))


def _container(x: Any, parts: list[KeyedCopy]) -> KeyedCopy:
    if not parts or isinstance(x, _UNORDERED):
        return _whole(x)
    items, key = [part.frozen for part in parts], tuple([part.key for part in parts])
    if isinstance(x, DICTS):
        named = OrderedKeys(dict(zip(x, items, strict=True)))
        return KeyedCopy((type(x), *map(exact, x), key), OfClasses(x, named))
    if is_constant(x):
        return KeyedCopy((type(x), key), Exact(x))
    if all(map(is_constant, x)):
        return KeyedCopy((type(x), key), ExactItems(exact_items(x), [*x]))
    frozen = _like(x, items)
    holds_containers = not APART.isdisjoint(map(type, x))
    return KeyedCopy((type(x), key), OfClasses(x, frozen) if holds_containers else frozen)


def _is_one_key(x: Any) -> bool:
    """Return whether something holds containers of numbers and text that one key tells fastest.

    Where ``==`` tells enough of most, it is faster than a key, and so is identity for constants. It
    does not tell the order in dicts.
    """
    if type(x) not in _NESTED or all(map(is_constant, x)):
        return False
    level, has_dicts, sample = [x], False, list[Any]()
    for _ in range(_LEVELS):
        parts = [chain(y, y.values()) if type(y) is dict else y for y in level]
        level = [*chain.from_iterable(parts)]
        kinds = {*map(type, level)}
        if not kinds <= PLAIN | _NESTED:
            return False
        has_dicts = has_dicts or dict in kinds
        if kinds.isdisjoint(_NESTED):
            sample += level[:_SAMPLE]
            return has_dicts or not _are_few(sum(map(equals_others, sample)), len(sample))
        sample += [y for y in level[:_SAMPLE] if type(y) not in _NESTED]
        level = [y for y in level if type(y) in _NESTED]
    return False


def _are_few(places: int, count: int) -> bool:
    """Return whether comparing these places exactly takes less time than comparing all so."""
    return 3 * places < count


def _whole(x: Any) -> KeyedCopy:
    """Return the key and copy of numbers and text in a container, a hundred times as fast."""
    key = exact_items(x)
    if type(x) in _NESTED and not {*map(type, x.values() if type(x) is dict else x)} <= PLAIN:
        return KeyedCopy((type(x), key), ExactItems(key))
    if isinstance(x, DICTS):
        exactly = any(map(equals_others, chain(x, x.values())))
        return KeyedCopy((type(x), key), ExactItems(key) if exactly else OrderedKeys(dict(x)))
    if is_constant(x):
        return KeyedCopy((type(x), key), Exact(x))
    if isinstance(x, set | frozenset):
        return KeyedCopy((type(x), key), ExactItems(key))
    equal = float.is_integer if {*map(type, x)} == {float} else equals_others
    places = [] if isinstance(x, bytearray) else [*compress(count(), map(equal, x))]
    if not places:
        return KeyedCopy((type(x), key), _like(x, x))
    few = _are_few(len(places), len(x))
    return KeyedCopy((type(x), key), ExactSequence(_like(x, x), places) if few else ExactItems(key))


def _like(x: Any, items: Iterable[Any]) -> Any:
    """Return a copy of items as what can be compared with `x`."""
    kinds = (list, deque, bytearray)
    return next((kind for kind in kinds if isinstance(x, kind)), tuple)(items)


def _array(x: Any, parts: list[KeyedCopy], readings: Readings) -> KeyedCopy:
    if parts:  # of objects: like a list
        (part,) = parts
        readings.items.append((Live(lambda: x.ravel().tolist()), part.frozen))
        readings.items.append((Live(lambda: laid_out(x)), laid_out(x)))
        return KeyedCopy((laid_out(x), part.key), Same(x))
    read = array_bytes(x)
    then = read()
    readings.items.append((Live(read), then))
    if isinstance(x, array):
        return KeyedCopy((type(x), x.typecode, then), Same(x))
    if isinstance(x, np.ndarray):
        readings.fact(_LAYOUT, Same(x))
    return KeyedCopy((type(x), x.dtype, x.shape, then), Same(x))
