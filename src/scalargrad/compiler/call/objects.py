"""Objects and dataclasses among the arguments, and the keys that containers make.

A dataclass is a record of numbers, which are inputs like those of a dict. What any other object
holds is around the function, as is what a function among the arguments closes over: its Values are
inputs, and the rest is part of the program.
"""

from __future__ import annotations

import functools
import marshal
from collections.abc import Hashable, Sequence
from itertools import chain
from operator import attrgetter
from types import MethodType
from typing import Any, NamedTuple

from scalargrad.compiler.guards.frozen import frozen, refuse_array
from scalargrad.compiler.guards.object_state import PLAIN, is_object, is_record, slots_of
from scalargrad.compiler.guards.refused import are_followed, refusal_of
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

    def object(self, x: Any) -> None:
        """Note an object that is given; a bound method is new whenever it is read."""
        if isinstance(x, MethodType):
            self.key.append((MethodType, x.__func__))
            x = x.__self__
            if not is_object(x):
                self.key.append(frozen(x, self.where))
                return
        if not (isinstance(x, functools.partial) or are_followed(x.__class__)):
            refuse_array(x, self.where)
            raise TraceError(f"a compiled function {refusal_of(str(self.where), x)}")
        self.key.append(ObjectId(id(x)))
        self.objects.append(x)

    def keys(self, x: dict[Any, Any]) -> None:
        """Add the keys of a dict: told apart even if they are equal, and with what they hold."""
        plain = key_of_names(x)
        if plain is not None:
            self.key.append(plain)
            return
        try:
            self.key.append((x.__class__, *x, marshal.dumps([*x], MARSHAL)))
        except ValueError:  # objects, or tuples of such
            self.key.append((x.__class__, len(x)))
            for key in x:
                if is_object(key):
                    self.object(key)
                else:
                    self.key.append(frozen(key, self.where))
