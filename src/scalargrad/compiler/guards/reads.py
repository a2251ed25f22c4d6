"""Reads: what one recording has read of what its function closes over, to be found there again."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, NamedTuple

from scalargrad.compiler.guards.closed_over import ClosedOver
from scalargrad.compiler.guards.slots import Source, is_of_values
from scalargrad.value import Value

#: Stands for what a slot holds where that does not matter.
_ANY = object()


class Reads(NamedTuple):
    """What a recording depends on besides its arguments.

    Attributes
    ----------
    values : tuple of Value
        Those read.
    places : list of list of (Source, int)
        For each of them the slots that hold it, and as which of their Values; none for one that
        was read in a way that names do not tell, which is then read for ever.
    keys : dict from Source to Hashable, or None
        What each slot must hold: anything where there are Values of which none was read. None
        if that is not known, as after unpickling.
    """

    values: tuple[Value, ...]
    places: list[list[tuple[Source, int]]]
    keys: dict[Source, Hashable] | None

    @classmethod
    def of(cls, values: Sequence[Value], now: ClosedOver) -> Reads:
        """Return where these Values are held."""
        where: dict[Value, list[tuple[Source, int]]] = {x: [] for x in values}
        keys: dict[Source, Hashable] = {}
        for source, slot in now.slots.items():
            read = [(i, x) for i, x in enumerate(slot.values) if x in where]
            for i, x in read:
                where[x].append((source, i))
            skipped = slot.values and not read and is_of_values(slot.key)
            keys[source] = _ANY if skipped else slot.key
        return cls(tuple(values), [*where.values()], keys)

    @property
    def watched(self) -> list[Source]:
        """The slots in which something was read."""
        return [source for source, key in (self.keys or {}).items() if key is not _ANY]

    def rebound(self, now: ClosedOver) -> Reads | None:
        """Return the same with the Values that are read now; None if the recording is no use."""
        if self.keys is None:
            others = any(slot.values for slot in now.slots.values())
            return None if self.values and others else self._replace(keys=Reads.of((), now).keys)
        if not self._fits(now):
            return None
        found = [[now.slots[s].values[i] for s, i in places] for places in self.places]
        values = tuple([x[0] if x else old for x, old in zip(found, self.values, strict=True)])
        split = any(x is not several[0] for several in found for x in several)
        return None if split or len({*values}) < len(values) else self._replace(values=values)

    def _fits(self, now: ClosedOver) -> bool:
        keys, slots = self.keys or {}, now.slots
        for source, key in keys.items():
            if key is not _ANY and (slots[source].key if source in slots else None) != key:
                return False
        owners = {owner for owner, _ in keys}
        new = [x for x in slots if x not in keys and x[0] in owners]
        return all(slots[source].key is None for source in new)

    def __reduce__(self) -> tuple[Any, ...]:
        return Reads, (self.values, [[] for _ in self.values], None)
