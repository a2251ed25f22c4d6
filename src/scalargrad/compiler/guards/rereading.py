"""Repeated reading of contents at each call, in few passes, and comparison with the first.

Most contents are the same objects as before; what is another one may be an equal constant.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import chain
from operator import attrgetter, call, is_, itemgetter, methodcaller
from typing import Any

from scalargrad.compiler.guards.comparable import frozen, is_constant, is_same
from scalargrad.compiler.guards.object_state import PLAIN
from scalargrad.engine.recorder import float_comparisons
from scalargrad.engine.value import Value

#: Finds something about an object that can be compared.
Measure = Callable[[Any], Any]

_SPACE = attrgetter("__dict__")
#: From this many objects on, a fact is read of all in one pass.
_MANY = 8
#: Kinds of numbers that are equal if their bytes are.
_BYTES = "fiubc"


class Rereading:
    """The things to read again at each call, with what was read first."""

    def __init__(self) -> None:
        #: Containers and arrays, and what each is compared with.
        self._contents: list[tuple[Any, Any]] = []
        self._facts: dict[Measure, list[Any]] = defaultdict(list)
        self._parts: dict[Measure, list[Any]] = defaultdict(list)
        self._lists: list[tuple[Measure, Any]] = []
        self._absent: dict[frozenset[str], frozenset[str]] = {}

    # Notes ------------------------------------------------------------------------------------

    def names(
        self, space: Mapping[str, Any], present: Sequence[str], lacking: Sequence[str] = ()
    ) -> None:
        """Note names that a namespace has, and lacks: a builtin or nothing is found instead."""
        known = self._parts[space.__getitem__]
        known += [name for name in present if name not in known]
        if lacking:
            self.fact(space.keys().isdisjoint, lacking)

    def fact(self, measure: Measure, x: Any) -> None:
        """Note a measure of an object, whose results are compared by ``==``."""
        self._facts[measure].append(x)

    def part(self, measure: Measure, x: Any) -> None:
        """Note an object that holds another, which a function returns: identity tells it apart."""
        self._parts[measure].append(x)

    def held(self, measure: Measure, x: Any) -> None:
        """Note an object that holds others, which a function lists: identity tells these apart."""
        self._lists.append((measure, x))

    def whole(self, x: Any, key: Any) -> None:
        """Note a container of numbers and text, with its key.

        ``==`` does not tell containers in a list from equal ones of other classes.
        """
        if is_constant(x):
            return
        self._contents.append((x, frozen(x, key)))
        if type(x) is list and not {*map(type, x)} <= PLAIN:
            self.held(iter, x)

    def items(self, x: Any, items: Sequence[Any]) -> None:
        """Note the items of a container, of a dict its keys as well."""
        if type(x) is list and all(map(is_itself_alone, {*map(type, items)})):
            self._contents.append((x, items))
        elif not isinstance(x, tuple):
            self.fact(len, x)
            self.held(iter, x)
            if isinstance(x, dict):
                self.held(_values, x)

    def array(self, x: Any, then: bytes) -> None:
        """Note the numbers of an array."""
        import numpy as np

        if type(x) is np.ndarray and x.flags.c_contiguous and x.dtype.kind in _BYTES:
            self._contents.append((x, bytearray(then)))  # which compares memory with memory
        else:
            self.fact(call, x.tobytes)

    def attributes(
        self,
        x: Any,
        own: Mapping[str, Any],
        names: tuple[str, ...],
        read: frozenset[str] | None,
        *,
        in_order: bool = False,
    ) -> None:
        """Note the attributes of an object that are read: all, or those with these names.

        Parameters
        ----------
        read : frozenset of str or None
            All names that code reads; None stands for all attributes.
        in_order : bool
            Whether their order counts, as for ``vars(x).values()``.
        """
        self.fact(type, x)
        self.part(_SPACE, x)
        for name in names:
            self.part(_item(name), own)
        if in_order:
            self.fact(tuple, own)
        elif len(names) == len(own) or read is None:
            self.fact(len, own)
        else:
            absent = read.difference(names)
            self.fact(self._absent.setdefault(absent, absent).isdisjoint, own)

    # Comparison -------------------------------------------------------------------------------

    def comparison(self) -> Callable[[], bool]:
        """Read all that was noted, and return what tells whether it is still the same."""
        facts = [pair for measure, xs in self._facts.items() for pair in _asked(measure, xs)]
        lists = [*self._lists]
        for measure, xs in self._parts.items():
            alone, others = list[Any](), list[Any]()
            for x in xs:
                (alone if is_itself_alone(type(measure(x))) else others).append(x)
            facts += _asked(measure, alone)  # identity takes longer
            lists += [(partial(map, measure), others)] if others else []
        live, frozen = [x for x, _ in self._contents], [y for _, y in self._contents]
        measures, measured = [f for f, _ in facts], [x for _, x in facts]
        every, holders = [f for f, _ in lists], [x for _, x in lists]
        told = [*map(call, measures, measured)]
        items = [*_all_of(map(call, every, holders))]

        def holds() -> bool:
            before = float_comparisons.count
            try:
                if [*map(call, measures, measured)] != told:
                    return False
                if lists and not are_alike([*_all_of(map(call, every, holders))], items):
                    return False
                if frozen != live:
                    return False
            except Exception:  # noqa: BLE001 - a name is gone, or arrays were compared
                return False
            return float_comparisons.count == before  # no Value stands for a number now

        return holds


_values = methodcaller("values")
_item, _all_of = functools.cache(itemgetter), chain.from_iterable


def _asked(measure: Measure, xs: list[Any]) -> list[tuple[Measure, Any]]:
    """Return functions that measure some objects, with their arguments."""
    if len(xs) < _MANY:
        return [(measure, x) for x in xs]
    return [(lambda objects: [*map(measure, objects)], xs)]


def is_itself_alone(kind: Any) -> bool:
    """Return whether what is equal to an object of a type is that object, or is equal text."""
    return kind.__eq__ is object.__eq__ or kind in {str, type(None)} or issubclass(kind, Value)


def are_alike(now: list[Any], then: list[Any]) -> bool:
    """Return whether things are the same as before, or equal constants; these are noted."""
    if len(now) == len(then) and all(map(is_, now, then)):
        return True
    if len(now) != len(then) or not all(map(is_same, now, then)):
        return False
    then[:] = now
    return True
