"""Modules and other objects among the arguments: find their Values, and make keys of the rest.

The Values that an object holds are inputs, read at each call. Everything else about it (class,
attributes, sizes) is part of the key, compared at each call, so that a program serves every object
of equal structure. A dataclass is a record of numbers, which are inputs like those of a dict.

A walk visits every part of a model. Another walk gives the same if all parts are still the same
objects, of the same classes, with the same contents, and comparing these is much faster. Contents
that cannot be compared in this way (arrays, sets, objects without a ``__dict__``) are walked over
at each call.
"""

from __future__ import annotations

import functools
import marshal
import struct
import weakref
from collections.abc import Hashable, Iterable, Iterator, Sequence
from itertools import chain, count
from operator import attrgetter, is_
from types import BuiltinFunctionType, FunctionType, MethodType
from typing import Any, NamedTuple

from scalargrad.compiler.guards.frozen import Frozen, refuse_array, refuse_attributes
from scalargrad.compiler.guards.memory_order import laid_out
from scalargrad.compiler.guards.names_read import (
    BARE,
    EVERYTHING,
    AttributesRead,
    is_of_library,
)
from scalargrad.compiler.guards.object_state import (
    PLAIN,
    attributes,
    consists_of_attributes,
    is_stateful,
    slots_of,
)
from scalargrad.errors import TraceError
from scalargrad.sparse import Table
from scalargrad.system.cached_property import cached_property
from scalargrad.table.operation import Operation
from scalargrad.tree import is_object_array
from scalargrad.value import Parameter, Value

#: What chooses the program of a call: everything about its arguments but their numbers.
Key = tuple[Hashable, ...]

#: Whether types are all among those of which objects that are equal are the same.
_told_by_type = (PLAIN - {float, complex}).issuperset
#: This version of marshal's format does not tell which text is interned.
MARSHAL = 2

#: So many parts are looked at together.
_MANY = 8
attributes_of = attrgetter("__dict__")
_ATOMS = {int, bool, str, bytes, type(None)}
_PARAMETERS = {Parameter}
_CONTAINERS = {list, tuple, dict}
_ROWS = {list, tuple}


class KeyOfObject(tuple[Hashable, ...]):
    """The part of a key that an object makes; its hash is computed once."""

    @cached_property
    def _hash(self) -> int:
        return hash((*self,))

    def __hash__(self) -> int:
        return self._hash


def parts_of(key: Key) -> Iterator[Any]:
    """Yield the parts of a key, those of objects too."""
    for part in key:
        yield from parts_of(part) if isinstance(part, KeyOfObject) else (part,)


def has_objects(key: Key) -> bool:
    """Return whether a key is of objects, too."""
    return any(
        isinstance(part, tuple) and part and isinstance(part[0], type) and is_stateful(part[0])
        for part in parts_of(key)
    )


@functools.cache
def is_record(kind: Any) -> bool:
    """Return whether objects of a class are numbers by name, as those of a user's dataclass."""
    return (
        hasattr(kind, "__dataclass_fields__")
        and consists_of_attributes(kind)
        and not any(is_of_library(x) and x.__module__ not in BARE for x in kind.__mro__[:-1])
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


def is_object(x: Any) -> bool:
    """Return whether `Visit` walks an object: it has state, or is a method bound to such a one."""
    return isinstance(x, Table | MethodType | functools.partial) or is_stateful(type(x))


class Visit:
    """One walk over arguments, which collects their numbers, and the Values of objects.

    Attributes
    ----------
    key : list
        The key of the program.
    leaves : list
        The numbers, Values and arrays outside objects, to which `arguments.visit` adds.
    module_values : list of Value
        The Values found in objects; their numbers are inputs.
    met : list
        The objects and containers visited, in order.
    seen : dict from int to int
        The index in `met` of each, by id.
    records : dict from int to int
        The same of dataclasses whose numbers are leaves.
    distinct : int
        If `module_values` has this length, its Values are known to be distinct.
    where : object
        What is walked, for messages.
    read : AttributesRead
        Which attributes of objects count.
    """

    where: object = "an argument"

    def __init__(self, memory: LastWalk | None = None, read: AttributesRead = EVERYTHING) -> None:
        self.read = read
        self.key: list[Hashable] = []
        self.leaves: list[Any] = []
        self.module_values: list[Value] = []
        self.met: list[Any] = []
        self.seen: dict[int, int] = {}
        self.records: dict[int, int] = {}
        self.distinct = 0
        self._memory = memory

    def finish(self) -> list[Value]:
        """Return the Values found, without duplicates, which the key notes."""
        count = len(self.module_values)
        if count != self.distinct and len(set(map(id, self.module_values))) < count:
            first: dict[Value, int] = {}
            self.key.append(tuple([first.setdefault(x, len(first)) for x in self.module_values]))
        return self.module_values

    def whole(self, x: Any) -> None:
        """Walk over an object; the walk over the first one may be remembered."""
        try:
            if self._memory is None or self.seen:
                self.part(x)
            else:
                self._memory.visit(x, self)
        except TraceError:
            refuse_array(x, self.where)  # a table's columns say more than its inside
            raise

    def part(self, x: Any) -> None:
        """Walk over an object or a part of one."""
        kind = x.__class__
        if kind in _ATOMS:
            self.key.append((kind, x))
        elif kind is float:
            self.key.append((kind, x.hex()))
        elif isinstance(x, Value):
            self.key.append(Parameter if isinstance(x, Parameter) else Value)
            self.module_values.append(x)
        elif isinstance(x, Table):
            self.key.append((Table, *map(len, x)))
            self.module_values += chain.from_iterable(x)
        elif id(x) in self.seen:
            self.key.append(("again", self.seen[id(x)]))
        else:
            self.seen[id(x)] = len(self.seen)
            self.met.append(x)
            if is_stateful(kind):
                found, names = attributes(x), self.read.of(kind)
                if names is not None and not names.issuperset(found):
                    found = {name: found[name] for name in found if name in names}
                self.key.append((kind, *found))
                self._all(found.values())
            else:
                self._inside(x, kind)

    def keys(self, x: dict[Any, Any]) -> None:
        """Add the keys of a dict: told apart even if they are equal, and with what they hold."""
        plain = key_of_names(x)
        if plain is not None:
            self.key.append(plain)
            return
        try:
            self.key.append((x.__class__, *x, marshal.dumps([*x], MARSHAL)))
        except ValueError:  # objects, or tuples of such
            self.met.append(x.keys())  # a view, which no walk that is remembered compares
            walk = Visit()
            walk.where = self.where
            walk._all(x)
            self.key += [(x.__class__, len(x)), *walk.key, *walk.module_values]

    def _inside(self, x: Any, kind: type) -> None:
        if isinstance(x, list | tuple | dict) and kind not in _CONTAINERS:
            refuse_attributes(x, self.where)
        if isinstance(x, list | tuple):
            self._sequence(x, kind)
        elif isinstance(x, dict):
            self.keys(x)
            self._all(x.values())
        elif isinstance(x, set | frozenset):
            self.key.append((kind, Frozen(frozenset(x), self.where)))
        elif isinstance(x, MethodType | functools.partial):
            self.key.append((kind, getattr(x, "__func__", None)))
            self._all(_bound(x))
        elif is_object_array(x):
            self.key.append((kind, laid_out(x)))
            self._all(x.ravel().tolist())
        else:
            self.key.append(Frozen(x, _AttributeOf(self.where)))

    def _sequence(self, x: Any, kind: type) -> None:
        if x and set(map(type, x)) == _PARAMETERS:
            self.key.append((kind, len(x), Parameter))
            self.module_values += x
        else:
            self.key.append((kind, len(x)))
            self._all(x)

    def _all(self, parts: Iterable[Any]) -> None:
        xs = [*parts]
        if len(xs) < _MANY or not self.all_alike(xs):
            for x in xs:
                self.part(x)

    def all_alike(self, xs: Sequence[Any]) -> bool:
        """Walk over objects of one class or their parts together; return whether that was done."""
        kinds = {*map(type, xs)}
        if len(kinds) != 1:
            return False
        (kind,) = kinds
        if kind is float:
            self.key.append((kind, struct.pack(f"{len(xs)}d", *xs)))
        elif kind in _ATOMS:
            self.key.append((kind, *xs))
        elif kind is Value or kind is Parameter:
            self.key.append((kind, len(xs)))
            self.module_values += xs
        elif is_stateful(kind) and not slots_of(kind):
            spaces = [*map(attributes_of, xs)]
            read = self.read.of(kind)
            if read is not None and not all(map(read.issuperset, spaces)):
                return False
            names, ids = names_alike(spaces), dict(zip(map(id, xs), count(len(self.seen))))
            if names is None or len(ids) < len(xs) or not self.seen.keys().isdisjoint(ids):
                return False
            self.key.append((kind, len(xs), names))
            self.seen |= ids
            self.met += xs
            held = [*chain.from_iterable(map(dict.values, spaces))]
            if not self.all_alike(held):
                for k in range(len(names)):
                    self._all(held[k :: len(names)])
        else:
            return False
        return True


class _AttributeOf:
    """Says where something was met; written only for a message, as names of arguments take time."""

    def __init__(self, where: object) -> None:
        self._where = where

    def __str__(self) -> str:
        return f"an attribute of {self._where}"


def _bound(x: Any) -> tuple[Any, ...]:
    """Return the parts of a bound method or a partial function."""
    return (x.__self__,) if isinstance(x, MethodType) else (x.func, x.args, x.keywords, vars(x))


# Walks remembered ---------------------------------------------------------------------------

#: Immutable types besides tuples: the same object has the same contents.
_FIXED = (type, FunctionType, BuiltinFunctionType, MethodType, functools.partial, Operation)


class Chosen(NamedTuple):
    """Some attributes of an object.

    Attributes
    ----------
    names : tuple of str
    absent : frozenset of str
        Others that code names, which the object does not have.
    """

    names: tuple[str, ...]
    absent: frozenset[str]

    def values(self, space: dict[str, Any]) -> list[Any]:
        """Return what they hold."""
        return [space[name] for name in self.names]

    def is_alone(self, space: dict[str, Any]) -> bool:
        """Return whether the others are absent still."""
        return self.absent.isdisjoint(space)


class ObjectWalk:
    """A finished walk over an object.

    Parameters
    ----------
    root : weakref.ref
        The object, which is not kept alive.
    visit : Visit
        The walk, which began with this object and has visited nothing else.
    key : KeyOfObject
        What the walk added to the key.
    """

    def __init__(self, root: weakref.ref[Any], visit: Visit, key: KeyOfObject) -> None:
        self._root, self._key = root, key
        self._values, self._seen = [*visit.module_values], dict(visit.seen)
        self._are_distinct = len(set(map(id, self._values))) == len(self._values)
        self._has_space, inside = is_stateful(type(visit.met[0])), visit.met[1:]
        self._read = visit.read
        objects = [x for x in inside if is_stateful(type(x))]
        chosen = [(x, self._chosen_of(x)) for x in objects]
        self._objects = [x for x, some in chosen if some is None]
        self._others = [x for x, some in chosen if some is not None]
        self._chosen = [some for _, some in chosen if some is not None]
        if self._has_space:
            self._of_root = self._chosen_of(visit.met[0])
        self._lists = [x for x in inside if isinstance(x, list)]
        self._dicts = [x for x in inside if isinstance(x, dict)]
        root_too = visit.met[:1] if self._has_space else []
        self._then, same = self._found(*root_too)
        self._same = [*same]

    def _chosen_of(self, x: Any) -> Chosen | None:
        """Return which attributes of an object are read; None if all that it has are."""
        names = self._read.of(type(x))
        if names is None or names.issuperset(own := vars(x)):
            return None
        chosen = tuple([name for name in own if name in names])
        return Chosen(chosen, names.difference(chosen))

    def _found(self, *root: Any) -> tuple[list[Any], Iterator[Any]]:
        """Return the classes, names and lengths, and what objects, lists and dicts hold.

        Parameters
        ----------
        *root
            The object, if its attributes are read.
        """
        objects, others, chosen = self._objects, self._others, self._chosen
        if root and self._of_root is None:
            objects = [*root, *objects]
        elif root and self._of_root is not None:
            others, chosen = [*root, *others], [self._of_root, *chosen]
        spaces = [*map(attributes_of, objects)]
        names = [*chain.from_iterable(spaces)]
        lengths = [*map(len, chain(spaces, self._lists, self._dicts))]
        shape = [[*map(type, objects)], names, lengths]
        held = map(dict.values, chain(spaces, self._dicts))
        parts = [chain.from_iterable(self._lists), chain.from_iterable(held)]
        if others:
            apart = [*map(attributes_of, others)]
            shape += [[*map(type, others)], [*map(Chosen.is_alone, chosen, apart)]]
            parts.append(chain.from_iterable(map(Chosen.values, chosen, apart)))
        return shape, chain.from_iterable(parts)

    def holds(self, x: Any, read: AttributesRead) -> bool:
        """Return whether a walk over `x`, of which such attributes count, gives the same again."""
        if self._root() is not x or self._read is not read:
            return False
        try:
            shape, held = self._found(*[x] if self._has_space else [])
            return shape == self._then and all(map(is_, self._same, held))
        except KeyError:  # an attribute is gone
            return False

    def repeat(self, visit: Visit) -> None:
        """Update a visit as if it had made this walk."""
        visit.key.append(self._key)
        visit.module_values += self._values
        visit.seen |= self._seen
        visit.distinct = len(self._values) if self._are_distinct else 0


def _is_compared(x: Any) -> bool:
    """Return whether an `ObjectWalk` notices changes of an object."""
    if is_stateful(type(x)):
        return attributes(x) is getattr(x, "__dict__", None)
    return isinstance(x, (list, dict, tuple, *_FIXED))


class LastWalk:
    """The last walk over an object; kept once two calls in a row are given the same object."""

    def __init__(self) -> None:
        self._root: weakref.ref[Any] | None = None
        self._walk: ObjectWalk | None = None

    def visit(self, x: Any, visit: Visit) -> None:
        """Walk over the first object of a visit, or apply the remembered walk to the visit."""
        walk = self._walk
        if walk is not None and walk.holds(x, visit.read):
            walk.repeat(visit)
            return
        before = len(visit.key)
        visit.part(x)
        key = KeyOfObject(visit.key[before:])
        visit.key[before:] = [key]
        self._walk = None
        if self._root is not None and self._root() is x and all(map(_is_compared, visit.met)):
            self._walk = ObjectWalk(self._root, visit, key)
            return
        try:
            self._root = weakref.ref(x, self._forget)
        except TypeError:  # a class with __slots__ may not allow weak references
            self._root = None

    def _forget(self, root: weakref.ref[Any]) -> None:
        if root is self._root:
            self._root = self._walk = None
