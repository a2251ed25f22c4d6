"""Objects and dataclasses among the arguments, and the keys that containers make.

A dataclass is a record of numbers, which are inputs like those of a dict. Any other object, and a
function or class, is around the function that is given it: Values that it leads to are inputs, and
the rest is part of the program.
"""

from __future__ import annotations

import functools
from collections.abc import Hashable, Sequence
from itertools import chain
from operator import attrgetter
from types import BuiltinMethodType, MethodType, ModuleType
from typing import Any, NamedTuple

import numpy as np

from scalargrad.compiler.call.argument_refusals import (
    PLAIN_ARRAYS,
    refuse_array,
    refuse_constant,
)
from scalargrad.compiler.guards.comparable import constants_of, exact
from scalargrad.compiler.guards.memory_order import laid_out
from scalargrad.compiler.guards.names_read import is_of_library
from scalargrad.compiler.guards.object_state import PLAIN, is_object, is_record, slots_of
from scalargrad.compiler.guards.refused import are_followed, is_followed, refusal_of
from scalargrad.errors import TraceError
from scalargrad.system.cached_property import cached_property

#: What chooses the program of a call: everything about its arguments but their numbers.
Key = tuple[Hashable, ...]

#: Whether types are all among those of which objects that are equal are the same.
_told_by_type = (PLAIN - {float, complex}).issuperset
#: This version of marshal's format does not tell which text is interned.
MARSHAL = 2

attributes_of = attrgetter("__dict__")
_ROWS = {list, tuple}
#: The first part of a key's entry for integers that a dataclass holds.
SIZE = "size"


class LongKey(tuple[Hashable, ...]):
    """A key of many parts, whose hash is computed once."""

    @cached_property
    def _hash(self) -> int:
        return hash((*self,))

    def __hash__(self) -> int:
        return self._hash


class ObjectId(NamedTuple):
    """In a key, the object that is given in its place, by its ``id``; it equals no number."""

    number: int


def has_objects(key: Key) -> bool:
    """Return whether objects are among the arguments."""
    return ObjectId in map(type, key)


def without_objects(key: Key) -> Key:
    """Return what keys have in common that differ only in the objects given."""
    if not has_objects(key):
        return key
    known: dict[Hashable, int] = {}
    return tuple(
        [ObjectId(known.setdefault(x, len(known))) if type(x) is ObjectId else x for x in key]
    )


def size_changed(key: Key, other: Key) -> list[str]:
    """Return the class of a dataclass if keys differ only in an integer that such ones hold."""
    pairs: list[Any] = [(x, y) for x, y in zip(key, other, strict=False) if x != y]
    parts = [part for pair in pairs for part in pair]
    are_sizes = all(isinstance(x, tuple) and x[:1] == (SIZE,) for x in parts)
    return [
        f"an integer of {x[1].__name__}"
        for x, _ in pairs[:1]
        if are_sizes and len(key) == len(other)
    ]


def is_told(x: Any) -> bool:
    """Return whether a key tells all about something: numbers, text, and tuples of these."""
    if isinstance(x, tuple | frozenset):
        return not is_object(x) and all(map(is_told, x))
    return type(x) in PLAIN or isinstance(x, slice | np.generic) or constants_of(x) is not None


def is_code(x: Any) -> bool:
    """Return whether something leads to code: functions, classes, and objects of users' classes."""
    return callable(x) or not is_of_library(type(x))


@functools.cache
def has_space(kind: Any) -> bool:
    """Return whether objects of a class are records that hold all of it in their ``__dict__``."""
    return is_record(kind) and not slots_of(kind)


def is_size(x: Any) -> bool:
    """Return whether what a dataclass holds is an integer, or a row of these: sizes and counts."""
    kind: type = x.__class__
    return kind is int or (kind in _ROWS and {*map(type, x)} == {int})


def contents_alike(xs: Sequence[Any], kind: type) -> tuple[Hashable, list[Any]] | None:
    """Return what lists, tuples or dicts have in common, and their items in a row.

    None if they differ in length or keys, or are of another type.
    """
    if kind is list or kind is tuple:
        lengths = {*map(len, xs)}
        if len(lengths) == 1:
            return (kind, "each", *lengths), [*chain.from_iterable(xs)]
    elif kind is dict:
        names = names_alike(xs)
        if names is not None and {*map(type, names)} <= {str}:
            return (kind, "each", names), [*chain.from_iterable(map(dict.values, xs))]
    return None


def names_alike(xs: Sequence[dict[Any, Any]]) -> tuple[Any, ...] | None:
    """Return the keys of dicts that all have the same, in the same order; else None."""
    names = (*xs[0],)
    return names if [*chain.from_iterable(xs)] == [*names] * len(xs) else None


def key_of_names(x: dict[Any, Any]) -> Hashable:
    """Return the key of a dict's keys if they are plain, and told apart by their types."""
    kinds = {*map(type, x)}
    if kinds == {str}:
        return (x.__class__, *x)
    return (x.__class__, *x, *map(type, x)) if _told_by_type(kinds) else None


class Visit:
    """One walk over arguments, which collects their numbers and objects.

    Attributes
    ----------
    key : list
        The key of the program.
    leaves : list
        The numbers, Values and arrays outside objects, to which `arguments.visit` adds.
    objects : list
        The objects, as often as they are given.
    records : dict from int to int
        For each dataclass whose numbers are leaves, by id, how many were met before.
    where : object
        What is walked, for messages.
    """

    where: object = "an argument"

    def __init__(self) -> None:
        self.key: list[Hashable] = []
        self.leaves: list[Any] = []
        self.objects: list[Any] = []
        self.records: dict[int, int] = {}

    def whole(self, x: Any) -> None:
        """Note what has no numbers that are traced: a constant by its value, else an object."""
        if is_told(x):
            self.key.append(exact(x))
        elif isinstance(x, tuple | frozenset) and not is_object(x):
            self.key.append((x.__class__, len(x)))
            for part in x:
                self.whole(part)
        elif isinstance(x, MethodType):  # which is new whenever it is read
            self.key.append((MethodType, x.__func__))
            self.whole(x.__self__)
        elif type(x) in PLAIN_ARRAYS and not x.dtype.hasobject:
            self.key.append((type(x), x.dtype, laid_out(x), x.tobytes()))
        elif is_object(x) or (is_code(x) and not isinstance(x, ModuleType | BuiltinMethodType)):
            kind: Any = type(x)
            followed = are_followed(kind) if is_object(x) else is_followed(x)
            is_known = isinstance(x, functools.partial) or followed
            if not (is_known and is_object(x)):
                refuse_array(x, self.where)
            if not is_known:
                raise TraceError(f"a compiled function {refusal_of(str(self.where), x)}")
            self.key.append(ObjectId(id(x)))
            self.objects.append(x)
        else:
            refuse_constant(x, self.where)
            self.key.append(exact(x))

    def keys(self, x: dict[Any, Any]) -> None:
        """Add the keys of a dict: told apart even if they are equal, and with what they hold."""
        plain = key_of_names(x)
        if plain is not None:
            self.key.append(plain)
            return
        self.key.append((x.__class__, len(x)))
        for key in x:
            self.whole(key)
