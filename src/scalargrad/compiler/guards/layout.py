"""Layout: how the objects that a function is given lie, to take others that lie alike for them.

Of ``jit(lambda spring, x: spring.k * x)(Spring(Value(2.0)), 1.5)``: a spring has the attribute `k`,
a Value. Another spring runs the same program with its own `k`, without a walk over all it leads to.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from operator import attrgetter, is_, itemgetter
from typing import Any

from scalargrad.compiler.guards.comparable import exact_items
from scalargrad.compiler.guards.object_state import PLAIN
from scalargrad.compiler.guards.rereading import Measure, Rereading
from scalargrad.value import Parameter, Value

_OP, _SPACE = attrgetter("op"), attrgetter("__dict__")
#: A container of more items is the very same, or is walked over.
_MANY = 1_000


class Layout(Rereading):
    """Notes of a walk over objects that may be others at the next call.

    What is reached through attributes, lists, tuples and dicts is read anew from the objects given,
    and put behind them in a row. All else in the row is pinned: it must be the very same, and what
    it leads to is compared as it is around a function.

    Parameters
    ----------
    objects : sequence
        Those given.
    before : dict from int to int
        The identities of what was met around the function.
    """

    def __init__(self, objects: Sequence[Any], before: dict[int, int], *, in_order: bool) -> None:
        super().__init__(in_order=in_order)
        self._row, self._before = [*objects], before.keys()
        #: The place in the row of what holds something, its type, how to read that, and how many.
        self._reads: list[tuple[int, type, Measure, int]] = []
        self._pinned: set[int] = set()

    def pin(self) -> None:
        """Note that the object at hand must be the very same."""
        if self.at is not None:
            self._pinned.add(self.at)
            self.at = None

    def moves(self, x: Any) -> bool:
        """Return whether the items of a container are read anew."""
        return self.at is not None and type(x) in {list, tuple, dict} and len(x) < _MANY

    def items(self, x: Any, items: Sequence[Any]) -> Any:
        """Note the items of a container; return where they lie."""
        return self._behind(x, tuple, items) if self.moves(x) else super().items(x, items)

    def entries(self, x: Any, keys: Sequence[Any], items: Sequence[Any]) -> Any:
        """Note the keys and items of a dict; return where the items lie."""
        if self.moves(x) and {*map(type, keys)} <= {str}:
            return self._behind(x, _reader((*keys,), None), items)
        return super().entries(x, keys, items)

    def attributes(
        self, x: Any, own: Mapping[str, Any], names: tuple[str, ...], read: frozenset[str] | None
    ) -> Any:
        """Note the attributes of an object that are read; return where these lie."""
        if self.at is None:
            return super().attributes(x, own, names, read)
        reader = _reader(names, None if read is None else read.difference(names), of_object=True)
        return self._behind(x, reader, [own[name] for name in names])

    def _behind(self, x: Any, reader: Measure, parts: Sequence[Any]) -> range:
        self._reads.append((self.at, type(x), reader, len(parts)))
        self._row += parts
        return range(len(self._row) - len(parts), len(self._row))

    def note_end(self, fixed: set[int], values: Sequence[Value], *, asks: bool) -> None:
        """Note that all was met.

        Parameters
        ----------
        fixed : set of int
            The identities of what was met twice, or elsewhere than in the row.
        values : sequence of Value
            All that were met.
        asks : bool
            Whether code asks which attributes they have.
        """
        row, places = self._row, range(len(self._row))
        self._fixed, self._asks, self._types = fixed, asks, [*map(type, row)]
        plain = [k for k in places if self._types[k] in PLAIN]
        bare = [k for k in places if self._types[k] in {Value, Parameter} and not row[k].__dict__]
        holders = [k for k, *_ in self._reads] + [k for k in bare if row[k].op is None]
        free = {k for k in holders if k not in self._pinned and id(row[k]) not in fixed}
        self._plain, self._free = taker(plain), taker([*free])
        self._pins = taker([k for k in places if k not in free and k not in plain])
        self._told = exact_items(self._plain(row)), self._pins(row)
        at_values = {id(row[k]): k for k in free if isinstance(row[k], Value)}
        self._values = taker([at_values[id(x)] for x in values if id(x) in at_values])
        self._others = [x for x in values if id(x) not in at_values]
        self._is_same_behind = self.comparison()
        self._latest = row, [*self._values(row), *self._others]

    def values_of(self, objects: Sequence[Any]) -> list[Value] | None:
        """Return the Values of objects, the same list as before if none has changed.

        None if they do not lie alike.
        """
        before, values = self._latest
        try:
            row = self._read(objects)
        except Exception:  # noqa: BLE001 - something is of another kind
            return None
        if row is None or not self._is_same_behind():
            return None
        if not all(map(is_, row, before)):
            if not self._is_alike(row):
                return None
            values = [*self._values(row), *self._others]
            self._latest = row, values
        elif self._asks and any(map(_SPACE, self._values(row))):
            return None
        return values

    def _read(self, objects: Sequence[Any]) -> list[Any] | None:
        """Return the row of objects; None if it would be of other types."""
        row = [*objects]
        for place, kind, reader, count in self._reads:
            holder = row[place]
            if type(holder) is not kind:
                return None
            parts = reader(holder)
            if len(parts) != count:
                return None
            row += parts
        return row

    def _is_alike(self, row: list[Any]) -> bool:
        free, values, (plain, pinned) = self._free(row), self._values(row), self._told
        ids = {*map(id, free)}
        return (
            [*map(type, row)] == self._types
            and all(map(is_, self._pins(row), pinned))
            and len(ids) == len(free)
            and ids.isdisjoint(self._fixed)
            and self._before.isdisjoint(ids)
            and not (any(map(_OP, values)) or any(map(_SPACE, values)))
            and exact_items(self._plain(row)) == plain
        )


def taker(places: Sequence[Any]) -> Measure:
    """Return what takes the items at these places, or under these keys."""
    return itemgetter(*places) if len(places) > 1 else lambda x: tuple([x[k] for k in places])


@functools.cache
def _reader(
    names: tuple[str, ...], absent: frozenset[str] | None, *, of_object: bool = False
) -> Measure:
    """Return what reads items of a dict, or attributes: all, if none is to be `absent`.

    It returns None if there are others.
    """
    take = taker(names)

    def read(space: Any) -> Any:
        is_alike = (*space,) == names if absent is None else absent.isdisjoint(space)
        return take(space) if is_alike else None

    return (lambda x: read(x.__dict__)) if of_object else read
