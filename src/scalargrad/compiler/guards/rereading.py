"""What to read again at each call, in few passes over many things, and what it was.

Most contents are the same objects as before; what is another one may be an equal constant.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, zip_longest
from operator import attrgetter, call, is_, itemgetter
from types import CellType
from typing import Any, NamedTuple

from scalargrad.compiler.guards.comparable import exact, is_constant
from scalargrad.value import Value

#: Finds something about an object that can be compared.
Measure = Callable[[Any], Any]
#: Reads something anew.
Reader = Callable[[], Any]

_CELL, _SPACE = attrgetter("cell_contents"), attrgetter("__dict__")
#: Of so many objects a fact is asked together.
_MANY = 8
#: Kinds of numbers that are equal if their bytes are.
_BYTES = "fiubc"


class Comparison(NamedTuple):
    """What is read, and what it was.

    Attributes
    ----------
    live, frozen : list
        Containers, and what they are compared with.
    measures, measured, told : list
        Functions of one argument, these arguments, and the results, which ``==`` tells apart.
    equal, as_read : list
        The same for functions without arguments.
    identical, then : list
        Functions that return what things hold, and all of it in a row, told apart by identity.
    """

    live: list[Any]
    frozen: list[Any]
    measures: list[Measure]
    measured: list[Any]
    told: list[Any]
    equal: list[Reader]
    as_read: list[Any]
    identical: list[Reader]
    then: list[Any]


class Rereading:
    """What to read, and what was read.

    Parameters
    ----------
    in_order : bool
        Whether the order of attributes may be read, too.

    Attributes
    ----------
    contents : list of (object, object)
        Containers, and what each is compared with.
    """

    def __init__(self, *, in_order: bool) -> None:
        self.contents: list[tuple[Any, Any]] = []
        self._facts: dict[Measure, list[Any]] = defaultdict(list)
        self._held: dict[Measure, list[Any]] = defaultdict(list)
        self._cells: list[CellType] = []
        self._names: dict[int, tuple[Mapping[str, Any], dict[str, None]]] = {}
        self._lacking: dict[int, tuple[Mapping[str, Any], dict[str, None]]] = {}
        #: By names of attributes, and by those that must not be there; None of all others.
        self._objects: dict[tuple[tuple[str, ...], frozenset[str] | None], list[Any]]
        self._objects = defaultdict(list)
        self._in_order: list[Mapping[str, Any]] | None = [] if in_order else None

    # Notes ------------------------------------------------------------------------------------

    def names(
        self, space: Mapping[str, Any], present: Sequence[str], lacking: Sequence[str] = ()
    ) -> None:
        """Note names that a namespace has, and lacks: a builtin or nothing is found instead."""
        for known, names in ((self._names, present), (self._lacking, lacking)):
            if names:
                known.setdefault(id(space), (space, {}))[1].update(dict.fromkeys(names))

    def fact(self, measure: Measure, x: Any) -> None:
        """Note an object about which ``==`` tells something from others."""
        self._facts[measure].append(x)

    def held(self, measure: Measure, x: Any) -> None:
        """Note an object that holds others, which a function lists: identity tells these apart."""
        self._held[measure].append(x)

    def cells(self, cells: Iterable[CellType]) -> None:
        """Note variables."""
        self._cells += cells

    def array(self, x: Any, read: Reader, then: bytes) -> None:
        """Note the numbers of an array."""
        import numpy as np

        if type(x) is np.ndarray and x.flags.c_contiguous and x.dtype.kind in _BYTES:
            self.contents.append((x, bytearray(then)))  # which compares memory with memory
        else:
            self.fact(call, read)

    def attributes(
        self, x: Any, own: Mapping[str, Any], names: tuple[str, ...], read: frozenset[str] | None
    ) -> None:
        """Note the attributes of an object that are read: all, or those with these names.

        Parameters
        ----------
        read : frozenset of str or None
            All names that code reads; None stands for all attributes.
        """
        absent = None if len(names) == len(own) or read is None else read.difference(names)
        self._objects[names, absent].append(x)
        if absent is None:
            self.fact(len, own)
        if self._in_order is not None:
            self._in_order.append(own)

    # Comparison -------------------------------------------------------------------------------

    def comparison(self) -> Comparison:
        """Read all that was noted, and return what compares it with what is read later."""
        few = [(measure, xs) for measure, xs in self._facts.items() if len(xs) < _MANY]
        facts = [(measure, x) for measure, xs in few for x in xs]
        facts += [(x.keys().isdisjoint, tuple(names)) for x, names in self._lacking.values()]
        equal = [(read, read()) for read in self._equal()]
        identical: list[tuple[Reader, Any]] = []
        for read in self._identical():
            found = [*read()]
            tells = all(map(_is_itself_alone, {*map(type, found)}))
            (equal if tells else identical).append((_listed(read) if tells else read, found))
        return Comparison(
            *([x for x, _ in self.contents], [y for _, y in self.contents]),
            *([measure for measure, _ in facts], [x for _, x in facts]),
            [measure(x) for measure, x in facts],
            *([read for read, _ in equal], [found for _, found in equal]),
            [read for read, _ in identical],
            [*chain.from_iterable(found for _, found in identical)],
        )

    def _equal(self) -> Iterator[Reader]:
        """Yield functions that return what ``==`` tells apart."""
        many = ((measure, xs) for measure, xs in self._facts.items() if len(xs) >= _MANY)
        yield from (_each(measure, xs) for measure, xs in many)
        for (_, absent), objects in self._objects.items():
            if absent is not None:
                yield _each(absent.isdisjoint, [*map(_SPACE, objects)])
        if in_order := self._in_order:
            yield lambda: [*chain.from_iterable(in_order)]

    def _identical(self) -> Iterator[Callable[[], Iterable[Any]]]:
        """Yield functions that return what things hold, to be compared by identity."""
        yield from (_flat(measure, xs) for measure, xs in self._held.items())
        for (names, _), objects in self._objects.items():
            spaces = [*map(_SPACE, objects)]
            yield from (_each(itemgetter(name), spaces) for name in names)
        for space, found in self._names.values():
            yield partial(_items_at(tuple(found)), space)
        if self._cells:
            yield _each(_CELL, self._cells)
        if self._objects:
            yield _each(_SPACE, [*chain.from_iterable(self._objects.values())])


def _each(measure: Measure, objects: Sequence[Any]) -> Reader:
    return lambda: [*map(measure, objects)]


def _listed(read: Callable[[], Iterable[Any]]) -> Reader:
    return lambda: [*read()]


@functools.cache
def _is_itself_alone(kind: type) -> bool:
    """Return whether what is equal to an object of a class is that object, or is equal text."""
    of_object: Any = object.__eq__
    return kind.__eq__ is of_object or kind in {str, type(None)} or issubclass(kind, Value)


def _flat(measure: Measure, objects: Sequence[Any]) -> Callable[[], Iterable[Any]]:
    return lambda: chain.from_iterable(map(measure, objects))


def _items_at(names: tuple[str, ...]) -> Measure:
    """Return what reads the items of a namespace with these names, as a tuple."""
    if len(names) > 1:
        return itemgetter(*names)
    return lambda space: [space[name] for name in names]


def are_identical(readers: list[Reader], then: list[Any]) -> bool:
    """Return whether things hold the same as before, or equal constants; these are noted."""
    now = [*chain.from_iterable(map(call, readers))]
    if len(now) == len(then) and all(map(is_, now, then)):
        return True
    for x, y in zip_longest(now, then, fillvalue=then):
        if x is not y and not (type(x) is type(y) and is_constant(x) and exact(x) == exact(y)):
            return False
    then[:] = now
    return True
