"""Containers of numbers and text, which one key tells, and what they are compared with."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import chain, compress, count
from types import MappingProxyType
from typing import Any

from scalargrad.compiler.guards.comparable import (
    Exact,
    ExactItems,
    ExactSequence,
    KeyedCopy,
    OrderedKeys,
    equals_others,
    exact_items,
    is_constant,
)
from scalargrad.compiler.guards.object_state import PLAIN

DICTS = (dict, MappingProxyType)
#: Containers that one key tells with all that is nested in them, and down to which level.
_NESTED, _LEVELS = {list, tuple, dict}, 4
#: How many numbers of a level tell whether most are to be compared exactly.
_SAMPLE = 1_000


def is_read_whole(x: Any) -> bool:
    """Return whether a container holds only numbers and text, or containers of these."""
    items = x.values() if isinstance(x, DICTS) else x
    kinds = {*map(type, items)}
    if isinstance(x, DICTS):
        kinds.update(map(type, x))
    return kinds <= PLAIN or _is_one_key(x)


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


def whole(x: Any) -> KeyedCopy:
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
