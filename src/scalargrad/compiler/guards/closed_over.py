"""Guard what a compiled function reads besides its arguments: closures, globals, attributes.

A program repeats what was recorded, so it must notice when a name is assigned again or an object
changes. Everything the function's code can reach is noted once (`reachable`). At each call, one
comparison of dicts and lists tells whether any of it has changed. One recording depends on some of
it only: on the Values that it read, and on everything else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import call
from typing import Any, NamedTuple

from scalargrad.compiler.guards.comparable import Same
from scalargrad.compiler.guards.reachable import Reachable
from scalargrad.compiler.guards.readings import Reader, Source, changed
from scalargrad.grad_mode import numbers_compared
from scalargrad.system.cached_property import cached_property
from scalargrad.value import Value


class ClosedOver:
    """A snapshot of everything that some code can reach.

    Parameters
    ----------
    roots : iterable
        Functions, and other objects for the sake of the functions and methods called with them.

    Attributes
    ----------
    attributes_read : AttributesRead
        What the code reads of objects, also of those among the arguments.
    keys : set of Value
        The Values that are keys of dicts or items of sets.
    told_apart : ToldApart or None
        What the code would tell from a copy.
    refusal : str or None
        What the code reads that cannot be compared, as the end of a sentence.
    """

    def __init__(self, roots: Iterable[Any]) -> None:
        reachable = Reachable(roots)
        self._readings = reachable.readings
        self.slots = self._readings.slots
        self.attributes_read = reachable.attributes_read
        self.keys, self.told_apart = reachable.keys, reachable.told_apart
        self.refusal = reachable.refusal

    @cached_property
    def _pairs(self) -> tuple[list[Reader], list[Any], list[Any], list[Any]]:
        """Functions without arguments and what they have returned; containers and their copies."""
        readers = [*self._readings.readers()]
        spaces = [*self._readings.attributes(), *self._readings.items]
        read, as_read = [read for read, _ in readers], [then for _, then in readers]
        return read, as_read, [live for live, _ in spaces], [then for _, then in spaces]

    def prepare(self) -> None:
        """Prepare the comparison now, so that the next call need not."""
        _ = self._pairs

    @property
    def readings(self) -> int:
        """How many readings a comparison makes."""
        return len(self._pairs[0])

    def changed(self, now: ClosedOver) -> list[str]:
        """Return the names of what differs from a later snapshot."""
        return changed({source: slot.key for source, slot in self.slots.items()}, now.slots)

    def holds(self) -> bool:
        """Return whether everything is as it was."""
        try:
            readers, as_read, live, then = self._pairs
            read_now, before = [*map(call, readers)], numbers_compared[0]
            holds = as_read == read_now and then == live
            return holds and numbers_compared[0] == before  # no Value stands for a number now
        except Exception:  # noqa: BLE001 - a name is gone, or arrays were compared
            return False


class Reads(NamedTuple):
    """What a recording depends on besides its arguments.

    Attributes
    ----------
    values : tuple of Value
        The Values that the recording read.
    places : list of list of (Source, int)
        For each Value, the slots that hold it and its index among their Values. Empty for a Value
        that no slot holds; the recording then reads that very Value at each call.
    keys : dict from Source to Hashable
        The key that each slot must have. None after unpickling, when `text` takes its place.
    identities : list
        Which of the Values in those slots are the same, and which are keys of dicts.
    """

    values: tuple[Value, ...]
    places: list[list[tuple[Source, int]]]
    keys: dict[Source, Any]
    identities: Sequence[Any] = ()

    @classmethod
    def of(cls, values: Sequence[Value], now: ClosedOver) -> Reads:
        """Return the dependences of a recording that read these Values."""
        where: dict[Value, list[tuple[Source, int]]] = {x: [] for x in values}
        keys: dict[Source, Any] = {}
        for source, slot in now.slots.items():
            read = [(i, x) for i, x in enumerate(slot.values) if x in where]
            for i, x in read:
                where[x].append((source, i))
            keys[source] = slot.key
        return cls(tuple(values), [*where.values()], keys, identities=_identities(keys, now))

    def rebound(self, now: ClosedOver) -> Reads | None:
        """Return these with the Values that the slots hold now; None if no longer valid."""
        if not self._fits(now) or _identities(self.keys, now) != self.identities:
            return None
        found = [[now.slots[s].values[i] for s, i in places] for places in self.places]
        values = tuple([x[0] if x else old for x, old in zip(found, self.values, strict=True)])
        split = any(x is not several[0] for several in found for x in several)
        return None if split or len({*values}) < len(values) else self._replace(values=values)

    def _fits(self, now: ClosedOver) -> bool:
        keys, slots = self.keys, now.slots
        for source, key in keys.items():
            if (slots[source].key if source in slots else None) != key:
                return False
        owners = {owner for owner, _ in keys}
        new = [x for x in slots if x not in keys and x[0] in owners]
        return not new

    def changed(self, now: ClosedOver) -> list[str]:
        """Return the names of slots that have changed since the recording, if they are known."""
        found = changed(self.keys, now.slots)
        if found or _identities(self.keys, now) == self.identities:
            return found
        return ["which of the Values are the same"]


def _identities(keys: Mapping[Source, Any], now: ClosedOver) -> list[Any]:
    """Return of each Value in the slots that matter which of them it is, or itself if a key."""
    numbers: dict[Value, int] = {}
    held = [now.slots[source].values for source in keys]
    return [
        Same(x) if x in now.keys else numbers.setdefault(x, len(numbers)) for xs in held for x in xs
    ]
