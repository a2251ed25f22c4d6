"""Keys of contents, and comparison with them: by identity, by exact value or by ``==``.

A container of numbers and text is compared as a whole, and so is an array.
"""

from __future__ import annotations

import functools
import marshal
from collections.abc import Hashable, Iterable, Sequence
from itertools import chain
from operator import is_
from typing import Any

from scalargrad.compiler.guards.libraries import CLASSES, is_of_library
from scalargrad.compiler.guards.object_state import PLAIN, attributes, consists_of_attributes
from scalargrad.engine.tree import is_array_scalar, is_dataclass
from scalargrad.engine.value import Value
from scalargrad.system.attributes import get_attribute, has_attribute

#: Containers that one key tells with all that is nested in them, and down to which level.
_NESTED, LEVELS = {list, tuple, dict}, 6


class Same:
    """Compares an object by identity, and keeps it alive."""

    __slots__ = ("content",)
    __array_ufunc__ = None  # an array compared with this calls __eq__ below

    def __init__(self, content: Any) -> None:
        self.content = content

    def __hash__(self) -> int:
        return id(self.content)

    def __eq__(self, other: object) -> bool:
        return (other.content if isinstance(other, Same) else other) is self.content


class ExactItems:
    """Compares a container of numbers and text with what it was: its types, bits and order.

    Parameters
    ----------
    then
        Its key; see `exact_items`.
    constants : sequence
        Its items, if they cannot change: most are the same objects as before.
    """

    __slots__ = ("_constants", "_then")
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, then: Any, constants: Sequence[Any] = ()) -> None:
        self._then, self._constants = then, constants

    def __eq__(self, other: Any) -> bool:
        constants = self._constants
        if constants and len(other) == len(constants) and all(map(is_, constants, other)):
            return True
        return bool(exact_items(other) == self._then)


def exact_items(x: Any) -> Any:
    """Return a key of a container that tells apart even equal numbers in it; see `exact`."""
    if type(x) in _NESTED:
        return marshal.dumps(x, 2)  # this version does not tell which text is interned
    return type(x), marshal.dumps([*x], 2)  # of a set, it would sort the items


def itself(x: Any) -> Hashable:
    """Return a key that only the same object has: itself, if it equals no other."""
    kind: Any = type(x)
    alone = kind.__eq__ is object.__eq__ and kind.__hash__ is object.__hash__
    return x if alone else Same(x)


def exact(x: Any) -> Hashable:
    """Return a key that tells apart even equal objects: 1, 1.0 and True; 0.0 and -0.0.

    Two dates in different time zones may be equal, too, or decimals with more zeros: what an
    equality of a library's does not tell is told by its representation.
    """
    kind: Any = type(x)
    if isinstance(x, float):
        return kind, x.hex()
    if is_array_scalar(x):
        return kind, x.dtype, x.tobytes()
    if isinstance(x, tuple | slice):  # before Python 3.12, a slice cannot be hashed
        return kind, *map(exact, x if isinstance(x, tuple) else (x.start, x.stop, x.step))
    if isinstance(x, frozenset):
        return kind, frozenset(map(exact, x))
    if _compares_for_itself(kind):
        return kind, Same(x) if (held := constants_of(x)) is None else held
    alone = kind.__eq__ is object.__eq__ or isinstance(x, Value) or kind in PLAIN - {complex}
    return (kind, x) if alone else (kind, x, repr(x))


def constants_of(x: Any) -> Hashable:
    """Return what a frozen dataclass holds if that is numbers and text, exactly; None of others."""
    kind: Any = type(x)
    if not (_is_frozen(kind) and consists_of_attributes(kind)):
        return None
    held = attributes(x)
    return (*held, *map(exact, held.values())) if all(map(is_constant, held.values())) else None


def _is_frozen(kind: Any) -> bool:
    """Return True if a class is a dataclass whose fields cannot be assigned."""
    if (params := get_attribute(kind, "__dataclass_params__")) is not None:
        return bool(params.frozen)
    setter = get_attribute(kind.__setattr__, "__name__")
    return setter == "_frozen_setattrs" and is_dataclass(kind)  # attrs' own


def is_same(x: Any, y: Any) -> bool:
    """Return whether two contents are one object, or the same number or text."""
    return x is y or (type(x) is type(y) and is_constant(x) and exact(x) == exact(y))


def is_constant(x: Any) -> bool:
    """Return whether a key tells all about something: numbers, text, and tuples of such."""
    kind: Any = type(x)
    if kind in PLAIN:
        return True
    if issubclass(kind, (tuple, frozenset)):
        return not has_attribute(x, "__dict__") and all(map(is_constant, x))
    return issubclass(kind, slice) or is_array_scalar(x) or constants_of(x) is not None


@functools.lru_cache(CLASSES)
def _compares_for_itself(kind: type) -> bool:
    """Return whether a user's class defines an equality, which may not see all that differs."""
    compares = any("__eq__" in vars(base) for base in kind.__mro__[:-1])
    return compares and not issubclass(kind, Value) and not is_of_library(kind)


# Containers of numbers and text, and arrays ----------------------------------------------


def is_read_whole(x: Any, levels: int = LEVELS) -> bool:
    """Return whether a container holds only numbers and text, or containers of these."""
    level = [x]
    for _ in range(levels):
        parts = [chain(y, y.values()) if isinstance(y, dict) else y for y in level]
        items = [*chain.from_iterable(parts)]
        others = {*map(type, items)} - PLAIN
        if not others or not others <= _NESTED:
            return not others
        level = [y for y in items if type(y) not in PLAIN]
    return False


def frozen(x: Any, key: Any) -> Any:
    """Return what a container of numbers and text, with this key, is compared with.

    A copy of a list, where what equals an item is alike, and items that are containers are
    themselves the same as before: most numbers are the same objects, which Python compares in a
    nanosecond each.
    """
    if type(x) is list and _are_unique(x):
        return [[*y] if type(y) is list else y for y in x]
    in_tuples = type(x) is list and tuple in {*map(type, x)} and all(map(is_constant, x))
    return ExactItems(key, [*x] if in_tuples else ())


def _are_unique(items: Iterable[Any], rows: Iterable[type] = (list, tuple)) -> bool:
    """Return whether items, and those of rows, equal nothing of another type or with other bits."""
    kinds = {*map(type, items)}
    if not kinds <= {*_UNIQUE, float, *rows}:
        return False
    numbers = items if kinds == {float} else [x for x in items if type(x) is float]
    inside = [x for x in items if type(x) in rows] if kinds.intersection(rows) else []
    return not any(map(float.is_integer, numbers)) and all(_are_unique(x, ()) for x in inside)


_UNIQUE = {str, bytes, type(None)}
