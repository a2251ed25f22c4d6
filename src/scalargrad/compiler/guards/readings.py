"""Collect what must be re-read on every call, and how, in slots that later calls compare.

Reads are batched: all names in one namespace, all closure cells, or the same fact about many
objects.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from operator import attrgetter, itemgetter
from types import CellType, CodeType, FunctionType, ModuleType
from typing import Any, NamedTuple

from scalargrad.compiler.guards.comparable import Same
from scalargrad.value import Value

#: A slot's identity: the owner of a variable or attribute, and its name.
Source = tuple[Same, Hashable]


class Slot(NamedTuple):
    """The content of a variable or an attribute.

    Attributes
    ----------
    key : object
        What the program depends on; contents with equal keys can use the same program.
    values : list of Value
        The Values in the content, whose numbers are read at each call.
    frozen : object
        The content with its containers copied, to notice when they change.
    """

    content: Any
    key: Any
    values: list[Value]
    frozen: Any


def named(source: Source) -> str:
    """Return the name of a slot for a message."""
    owner, name = source[0].content, source[1]
    if isinstance(owner, FunctionType):
        if isinstance(name, int):
            return f"the variable {owner.__code__.co_freevars[name]}"
        if not isinstance(name, str):
            return f"the function {owner.__name__}"
        return name if "." in name else f"the global {name}"
    if isinstance(owner, str):  # a setting
        return owner
    if callable(name) or name == ITSELF:  # what is measured of an object, or all of it
        return f"a {type(owner).__name__}"
    whose = owner if isinstance(owner, type | ModuleType) else type(owner)
    return f"{whose.__name__}.{name}"


def changed(keys: Mapping[Source, Any], slots: Mapping[Source, Slot]) -> list[str]:
    """Return the names of the slots whose keys are no longer these."""
    now = {source: slot.key for source, slot in slots.items()}
    found = [
        named(source)
        for source in {**keys, **now}
        if not (source in keys and source in now) or keys[source] != now[source]
    ]
    return [*dict.fromkeys(found)]


#: Finds something about an object that can be compared.
Measure = Callable[[Any], Any]
#: Reads something anew.
Reader = Callable[[], Any]

_CELL, _CODE, _LABEL = attrgetter("cell_contents"), attrgetter("__code__"), attrgetter("label")
_PARENTS, _SPACE = attrgetter("parents"), attrgetter("__dict__")
#: The name for all that an object holds.
CONTENTS = "contents"
#: The name for an object as all that it holds.
ITSELF = "itself"


class Readings:
    """What to read again, and what it was.

    Attributes
    ----------
    spaces : list of (mapping, list of Source)
        The attributes of objects, and their slots.
    items : list of (object, object)
        Other contents, and a frozen copy to compare them with.
    """

    def __init__(self) -> None:
        self.slots: dict[Source, Slot] = {}
        self.spaces: list[tuple[Any, list[Source]]] = []
        self.items: list[tuple[Any, Any]] = []
        self._facts: dict[Measure, list[tuple[Any, Any]]] = defaultdict(list)
        self._named: dict[int, tuple[Mapping[str, Any], dict[str, list[Source]]]] = {}
        self._lacking: dict[int, tuple[Mapping[str, Any], dict[str, None]]] = {}
        self._cells: dict[int, tuple[CellType, list[Source]]] = {}
        self._others: list[tuple[Reader, list[Source]]] = []
        self._selected: dict[tuple[str, ...], list[tuple[dict[str, Any], list[Source]]]] = {}
        self._absent: dict[tuple[str, ...], frozenset[str]] = {}
        self._objects: list[Any] = []

    def add(self, owner: Same, slots: Mapping[Any, Slot]) -> list[Source]:
        """Add slots of an owner by name, and return what identifies them."""
        self.slots |= {(owner, name): slot for name, slot in slots.items()}
        return [(owner, name) for name in slots]

    def names(self, owner: Same, space: Mapping[str, Any], slots: Mapping[str, Slot]) -> None:
        """Add names in a namespace, to be read in the order of their slots."""
        _, sources = self._named.setdefault(id(space), (space, {}))
        x = owner.content  # a function's attribute may be named like a global that it reads
        prefix = f"{x.__name__}." if isinstance(x, FunctionType) and space is vars(x) else ""
        added = self.add(owner, {prefix + name: slot for name, slot in slots.items()})
        for name, source in zip(slots, added, strict=True):
            sources.setdefault(name, []).append(source)

    def lacking(self, owner: Same, space: Mapping[str, Any], names: Iterable[str]) -> None:
        """Add names that a namespace lacks, so that a builtin or nothing is found instead."""
        found = dict.fromkeys(names)
        if found:
            first = f"{next(iter(found))}, which was not defined there"
            label = first if len(found) == 1 else "names that were not defined"
            self.add(owner, {label: _slot(True)})
            self._lacking.setdefault(id(space), (space, {}))[1].update(found)

    def cells(self, owner: Same, cells: Iterable[CellType], slots: Mapping[int, Slot]) -> None:
        """Add closure cells, with the slots of what they hold by index."""
        for cell, source in zip(cells, self.add(owner, slots), strict=True):
            self._cells.setdefault(id(cell), (cell, []))[1].append(source)

    def own_attributes(self, x: Any, names: Iterable[str], read: frozenset[str] | None) -> None:
        """Compare the attributes with these names, which have slots, of an object.

        Parameters
        ----------
        read : frozenset of str or None
            All names that code reads; if there is another attribute, only these are compared.
        """
        space, owner = vars(x), Same(x)
        self._objects.append(x)
        if read is None or read.issuperset(space):
            self.spaces.append((space, [(owner, name) for name in names]))
            return
        chosen = tuple(names)
        self._selected.setdefault(chosen, []).append((space, [(owner, name) for name in chosen]))
        self._absent[chosen] = read.difference(chosen)

    def results(self, owner: Same, read: Reader, slots: Mapping[Any, Slot]) -> None:
        """Add what a function returns: a tuple of the contents of these slots."""
        self._others.append((read, self.add(owner, slots)))

    def code(self, owner: Same) -> None:
        """Add a function's code, and the number of its attributes."""
        self.fact(_CODE, owner)
        self.fact(len, owner, vars(owner.content))

    def fact(self, measure: Measure, owner: Same, inside: Any = None) -> None:
        """Add something about an object, or about what is `inside` it."""
        measured = owner.content if inside is None else inside
        found = measure(measured)
        self.add(owner, {measure: _slot(found)})
        self._facts[measure].append((measured, found))

    def part(self, measure: Measure, x: Any, then: Any) -> None:
        """Compare a part of an object with what is like it now."""
        self._facts[measure].append((x, then))

    def nodes(self) -> None:
        """Add to what slots are compared by which nodes their computed Values are."""
        for source, slot in self.slots.items():
            nodes = [Same(x) for x in slot.values if x.op is not None]
            if nodes:
                self.slots[source] = slot._replace(key=(slot.key, *nodes))
            for node in nodes:
                self.part(_PARENTS, node.content, node.content.parents)

    def identities(self) -> None:
        """Add to what slots are compared by which of the lists and the like are the same."""
        numbers: dict[int, int] = {}
        for source, slot in self.slots.items():
            x = slot.content
            if type(x).__hash__ is None and source[1] != CONTENTS:
                self.items.append((x, slot.frozen))
                key = slot.key, numbers.setdefault(id(x), len(numbers))
                self.slots[source] = slot._replace(key=key, frozen=Same(x))

    def labels(self, keys: Iterable[Value]) -> None:
        """Add the labels of all Values to what slots are compared by, and those of keys."""
        for x in keys:
            self.fact(_LABEL, Same(x))
        for source, slot in self.slots.items():
            if slot.values:
                labels = [x.label for x in slot.values]
                self.slots[source] = slot._replace(key=(slot.key, *labels))
                self._facts[_LABEL] += zip(slot.values, labels, strict=True)

    def readers(self) -> Iterator[tuple[Reader, Any]]:
        """Yield what reads anew, and what it has read: copies of what is in slots."""
        for measure, facts in self._facts.items():
            yield _of_each(measure, *zip(*facts, strict=True))
        if self._cells:
            cells, holders = zip(*self._cells.values(), strict=True)
            yield _of_each(_CELL, cells, [self._held(*x) for x in holders])
        for space, named in self._named.values():
            then = tuple([self._held(*sources) for sources in named.values()])
            yield partial(itemgetter(*named), space), then if len(then) > 1 else then[0]
        if self._objects:
            spaces = [*map(id, map(vars, self._objects))]
            yield (lambda: [*map(id, map(_SPACE, self._objects))]), spaces
        for chosen, objects in self._selected.items():
            yield (
                self._of_objects(chosen, [x for x, _ in objects]),
                (
                    [tuple([self._held(source) for source in sources]) for _, sources in objects],
                    True,
                ),
            )
        for space, names in self._lacking.values():
            yield partial(space.keys().isdisjoint, tuple(names)), True
        for read, sources in self._others:
            yield read, tuple([self._held(source) for source in sources])

    def _of_objects(self, names: tuple[str, ...], spaces: list[dict[str, Any]]) -> Reader:
        """Return what reads attributes, and whether others that code names are absent still."""
        absent = self._absent[names].isdisjoint
        if not names:
            return lambda: ([()] * len(spaces), all(map(absent, spaces)))
        if len(names) == 1:
            (name,) = names
            return lambda: ([(x[name],) for x in spaces], all(map(absent, spaces)))
        read = itemgetter(*names)
        return lambda: ([*map(read, spaces)], all(map(absent, spaces)))

    def _held(self, source: Source, *_: Source) -> Any:
        """Return a copy of what a slot holds, and others that are read with it."""
        return self.slots[source].frozen

    def attributes(self) -> Iterator[tuple[Any, dict[Hashable, Any]]]:
        """Yield the attributes of objects of which all are compared, and copies of them."""
        for live, sources in self.spaces:
            yield live, {source[1]: self._held(source) for source in sources}


def _slot(fact: Any) -> Slot:
    """Return the slot of something that is compared as a whole."""
    return Slot(fact, Same(fact) if isinstance(fact, CodeType) else fact, [], fact)


def _of_each(measure: Measure, objects: Sequence[Any], then: Sequence[Any]) -> tuple[Reader, Any]:
    """Return the reader of a fact about each object, and what it has read."""
    if len(objects) == 1:
        return partial(measure, objects[0]), then[0]
    return (lambda: [*map(measure, objects)]), [*then]
