"""What to read again at each call, in few passes over many things, and what it was.

Most contents are the same objects as before; what is another one may be an equal constant.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain
from operator import attrgetter, call, is_, itemgetter
from types import CellType
from typing import Any

import numpy as np

from scalargrad.compiler.guards.comparable import exact, is_constant
from scalargrad.compiler.guards.object_state import attributes_beside

#: Finds something about an object that can be compared.
Measure = Callable[[Any], Any]
#: Reads something anew.
Reader = Callable[[], Any]

_CELL, _SPACE = attrgetter("cell_contents"), attrgetter("__dict__")
#: Kinds of numbers that are equal if their bytes are.
_BYTES = "fiubc"


class Rereading:
    """What to read, and what was read.

    Attributes
    ----------
    contents : list of (object, object)
        Containers, and what each is compared with.
    value_lists : list of (list, list)
        Lists of Values, and copies.
    lists, dicts, object_arrays, cells, objects : list
        What is compared by the objects that it holds.
    spaces_of_slots : list
        Objects with ``__slots__``, compared by all of their attributes.
    others : list of (callable, object)
        Functions without arguments, and what they have returned.
    """

    def __init__(self) -> None:
        self.contents: list[tuple[Any, Any]] = []
        self.value_lists: list[tuple[list[Any], list[Any]]] = []
        self.lists: list[Any] = []
        self.dicts: list[Mapping[Any, Any]] = []
        self.object_arrays: list[Any] = []
        self.cells: list[CellType] = []
        self.objects: list[Any] = []
        self.spaces_of_slots: list[Any] = []
        self.others: list[tuple[Reader, Any]] = []
        self._facts: dict[Measure, list[tuple[Any, Any]]] = defaultdict(list)
        self._exact: dict[Measure, list[Any]] = defaultdict(list)
        self._names: dict[int, tuple[Mapping[str, Any], dict[str, None]]] = {}
        self._lacking: dict[int, tuple[Mapping[str, Any], dict[str, None]]] = {}
        self._selected: dict[tuple[str, ...], list[Any]] = defaultdict(list)
        self._absent: dict[tuple[str, ...], frozenset[str]] = {}
        self._prepared: tuple[Any, ...] = ()

    # Notes ------------------------------------------------------------------------------------

    def names(self, space: Mapping[str, Any], names: Sequence[str]) -> None:
        """Note names that a namespace has."""
        if not names:
            return
        self._names.setdefault(id(space), (space, {}))[1].update(dict.fromkeys(names))

    def lacking(self, space: Mapping[str, Any], names: Sequence[str]) -> None:
        """Note names that a namespace lacks, so that a builtin or nothing is found instead."""
        if not names:
            return
        self._lacking.setdefault(id(space), (space, {}))[1].update(dict.fromkeys(names))

    def fact(self, measure: Measure, x: Any, found: Any) -> None:
        """Note something about an object that ``==`` tells from others."""
        self._facts[measure].append((x, found))

    def parts(self, measure: Measure, x: Any) -> None:
        """Note parts of an object, as a tuple of what it holds."""
        self._exact[measure].append(x)

    def array(self, x: Any, read: Reader, then: bytes) -> None:
        """Note the numbers of an array."""
        if type(x) is np.ndarray and x.flags.c_contiguous and x.dtype.kind in _BYTES:
            self.contents.append((x, bytearray(then)))  # which compares memory with memory
        else:
            self.others.append((read, then))

    def attributes(
        self, x: Any, own: Mapping[str, Any], names: tuple[str, ...], read: frozenset[str] | None
    ) -> None:
        """Note the attributes of an object that are read: all, or those with these names.

        Parameters
        ----------
        read : frozenset of str or None
            All names that code reads.
        """
        self.objects.append(x)
        if read is not None and len(names) < len(own):
            self._selected[names].append(x)
            self._absent[names] = read.difference(names)

    # Comparison -------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Read all that was noted, to be compared with what is read later."""
        pairs = [*self.contents, *self.value_lists]
        equal, readers = [*self._equal()], [*self._readers()]
        then = [*chain.from_iterable(map(call, readers))]
        self._prepared = [x for x, _ in pairs], [y for _, y in pairs], equal, readers, then

    def finds_the_same(self) -> bool:
        """Return whether all that is read now is as it was."""
        live, frozen, equal, readers, then = self._prepared
        if frozen != live or any(read() != before for read, before in equal):
            return False
        now = [*chain.from_iterable(map(call, readers))]
        if len(now) != len(then):
            return False
        return all(map(is_, now, then)) or _are_exactly(now, then)

    def _equal(self) -> Iterator[tuple[Reader, Any]]:
        """Yield what reads what ``==`` tells apart, and what it has read."""
        for measure, facts in self._facts.items():
            yield _each(measure, [x for x, _ in facts]), [found for _, found in facts]
        for space, names in self._lacking.values():
            yield partial(space.keys().isdisjoint, tuple(names)), True
        whole = self._whole()
        for reader in (_each(len, [*self.lists, *self.dicts, *whole]), _flat(iter, whole)):
            yield reader, reader()
        for names_read, objects in self._selected.items():
            absent, spaces = self._absent[names_read].isdisjoint, [*map(_SPACE, objects)]
            yield _each(absent, spaces), [True] * len(spaces)
        yield from self.others

    def _whole(self) -> list[dict[str, Any]]:
        """Return the attributes of objects of which all are read."""
        selected = {id(x) for xs in self._selected.values() for x in xs}
        return [x.__dict__ for x in self.objects if id(x) not in selected]

    def _readers(self) -> Iterator[Reader]:
        """Yield functions that return what things hold, to be compared by identity."""
        exactly = [x for x in (*self._whole(), *self.dicts) if type(x) is dict]
        passes: list[tuple[Measure, Sequence[Any]]]
        passes = [
            (dict.values, exactly),
            (iter, self.dicts),
            (_values_of, [x for x in self.dicts if type(x) is not dict]),
            (iter, self.lists),
            (_items_of_array, self.object_arrays),
            (_with_slots, self.spaces_of_slots),
            *self._exact.items(),
        ]
        for names, objects in self._selected.items():
            passes.append((_items_at(names), [*map(_SPACE, objects)]))
        for space, found in self._names.values():
            passes.append((_items_at(tuple(found)), [space]))
        yield from (_flat(measure, xs) for measure, xs in passes if xs)
        yield _each(_CELL, self.cells)
        yield _each(_SPACE, self.objects)


def _values_of(x: Mapping[Any, Any]) -> Iterable[Any]:
    return x.values()


def _items_of_array(x: Any) -> list[Any]:
    found: list[Any] = x.ravel().tolist()
    return found


def _with_slots(x: Any) -> Iterable[Any]:
    return chain.from_iterable(attributes_beside(x).items())


def _each(measure: Measure, objects: Sequence[Any]) -> Reader:
    return lambda: [*map(measure, objects)]


def _flat(measure: Measure, objects: Sequence[Any]) -> Reader:
    return lambda: [*chain.from_iterable(map(measure, objects))]


def _items_at(names: tuple[str, ...]) -> Measure:
    """Return what reads the items of a namespace with these names, as a tuple."""
    if len(names) > 1:
        return itemgetter(*names)
    return lambda space: [space[name] for name in names]


def _are_exactly(now: list[Any], then: list[Any]) -> bool:
    """Return whether what is not the same is an equal constant; the new ones are noted."""
    for x, y in zip(now, then, strict=True):
        if x is not y and not (type(x) is type(y) and is_constant(x) and exact(x) == exact(y)):
            return False
    then[:] = now
    return True
