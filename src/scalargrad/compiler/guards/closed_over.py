"""Guard what a compiled function reads besides its arguments: closures, globals, attributes.

A program repeats what was recorded, so it must notice when a name is assigned again or an object
changes. Everything the function's code can reach is noted once (`reachable`). At each call, one
comparison of dicts and lists tells whether any of it has changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from scalargrad.compiler.guards.reachable import Reachable
from scalargrad.compiler.guards.slots import Source, named


class ClosedOver:
    """A snapshot of everything that some code can reach.

    Parameters
    ----------
    roots : iterable
        Functions, and other objects for the sake of the functions and methods called with them.

    Attributes
    ----------
    slots : dict from Source to Slot
    is_empty : bool
        Whether there is nothing to compare.
    """

    def __init__(self, roots: Iterable[Any]) -> None:
        found = [*roots]
        reachable = Reachable(found)
        if reachable.names_graphs:
            reachable = Reachable(found, by_node=True)
        self.slots = reachable.slots
        self._names, self._spaces = reachable.names, reachable.spaces
        self._items = reachable.items
        facts = reachable.facts
        self._facts = [
            (measure, [x for x, _ in found], [fact for _, fact in found])
            for measure, found in facts.items()
        ]
        self.is_empty = not (self._names or self._spaces or self._items or facts)
        self.watch(())

    def watch(self, sources: Iterable[Source]) -> None:
        """Compare all contents by identity, and the containers in these slots by content too."""
        inside, slots = {*sources}, self.slots

        def held(source: Source) -> Any:
            return slots[source].frozen if source in inside else slots[source].content

        self._readers = [read for read, _ in self._names]
        self._as_read = [tuple([held(s) for s in found]) for _, found in self._names]
        live = [space for space, _ in self._spaces]
        then: list[Any] = [{s[1]: held(s) for s in found} for _, found in self._spaces]
        live += [items for items, _ in self._items]
        then += [frozen for _, frozen in self._items]
        self._live, self._then = live, then

    def changed(self, now: ClosedOver) -> list[str]:
        """Return the names of what differs from a later snapshot."""
        sources = {**self.slots, **now.slots}
        then, later = ({s: x.key for s, x in found.slots.items()} for found in (self, now))
        return [named(s) for s in sources if then.get(s) != later.get(s)]

    def holds(self) -> bool:
        """Return whether everything is as it was."""
        try:
            for measure, objects, then in self._facts:
                if [*map(measure, objects)] != then:
                    return False
            read_now = [read() for read in self._readers]
            return read_now == self._as_read and self._live == self._then
        except Exception:  # noqa: BLE001 - a name is gone, or arrays were compared
            return False
