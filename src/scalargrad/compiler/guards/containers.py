"""Containers of numbers and text, which one key tells, and what they are compared with."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from itertools import chain, compress, count
from types import MappingProxyType
from typing import Any

from scalargrad.compiler.guards.comparable import (
    ExactItems,
    ExactSequence,
    OrderedKeys,
    equals_others,
    is_constant,
)
from scalargrad.compiler.guards.object_state import PLAIN

DICTS = (dict, MappingProxyType)
#: Containers that one key tells with all that is nested in them, and down to which level.
_NESTED, _LEVELS = {list, tuple, dict}, 4


def is_read_whole(x: Any) -> bool:
    """Return whether a container holds only numbers and text, or containers of these."""
    items = x.values() if isinstance(x, DICTS) else x
    kinds = {*map(type, items)}
    if isinstance(x, DICTS):
        kinds.update(map(type, x))
    return kinds <= PLAIN or _is_one_key(x)


def _is_one_key(x: Any) -> bool:
    """Return whether something holds only containers of numbers and text, none nested deeply."""
    level = [x]
    for _ in range(_LEVELS):
        if not {*map(type, level)} <= _NESTED:
            return False
        parts = [chain(y, y.values()) if type(y) is dict else y for y in level]
        level = [y for y in chain.from_iterable(parts) if type(y) not in PLAIN]
    return not level


def frozen(x: Any, key: Any) -> Any:
    """Return what a container of numbers and text, with this key, is compared with."""
    if type(x) in _NESTED and not {*map(type, x.values() if type(x) is dict else x)} <= PLAIN:
        return ExactItems(key, [*x] if type(x) is list and all(map(is_constant, x)) else ())
    if isinstance(x, DICTS):
        exactly = any(map(equals_others, chain(x, x.values())))
        return ExactItems(key) if exactly else OrderedKeys(dict(x))
    if isinstance(x, set | frozenset):
        return ExactItems(key)
    equal = float.is_integer if {*map(type, x)} == {float} else equals_others
    places = [] if isinstance(x, bytearray) else [*compress(count(), map(equal, x))]
    if not places:
        return _like(x, x)
    few = 3 * len(places) < len(x)  # comparing these exactly takes less time than all
    return ExactSequence(_like(x, x), places) if few else ExactItems(key)


def _like(x: Any, items: Iterable[Any]) -> Any:
    """Return a copy of items as what can be compared with `x`."""
    kinds = (list, deque, bytearray)
    return next((kind for kind in kinds if isinstance(x, kind)), tuple)(items)
