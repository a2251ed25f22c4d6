"""Guard what a compiled function reads besides its arguments: closures, globals, attributes.

A program repeats what was recorded, so it must notice when a name is assigned again or an object
changes. Everything the function's code can reach is noted once (`reachable`). At each call, one
comparison of dicts and lists tells whether any of it has changed.
"""

from __future__ import annotations

from collections.abc import Iterable
from operator import call
from typing import Any

from scalargrad.compiler.guards.reachable import Reachable
from scalargrad.compiler.guards.readings import Source, changed
from scalargrad.value import numbers_compared


class ClosedOver:
    """A snapshot of everything that some code can reach.

    Parameters
    ----------
    roots : iterable
        Functions, and other objects for the sake of the functions and methods called with them.

    Attributes
    ----------
    unnamed : set of Source
        Attributes that no code names; see `Reachable.unnamed`.
    keys : set of Value
        The Values that are keys of dicts or items of sets.
    """

    def __init__(self, roots: Iterable[Any]) -> None:
        reachable = Reachable(roots)
        self._readings = reachable.readings
        self.slots, self.unnamed = self._readings.slots, reachable.unnamed()
        self.keys = reachable.keys
        self.watch(())

    def watch(self, sources: Iterable[Source]) -> None:
        """Compare all contents by identity, and the containers in these slots by content too."""
        watched, found = {*sources}, self._readings
        readers = [*found.readers(watched)]
        self._readers, self._as_read = [read for read, _ in readers], [then for _, then in readers]
        spaces = [
            (live, {source[1]: found.held([source], watched) for source in inside})
            for live, inside in found.spaces
        ]
        live: list[tuple[Any, Any]] = [*spaces, *found.items]
        self._live, self._then = [x for x, _ in live], [then for _, then in live]

    @property
    def readings(self) -> int:
        """How many readings a comparison makes."""
        return len(self._readers)

    def changed(self, now: ClosedOver) -> list[str]:
        """Return the names of what differs from a later snapshot."""
        return changed({source: slot.key for source, slot in self.slots.items()}, now.slots)

    def holds(self) -> bool:
        """Return whether everything is as it was."""
        try:
            read_now, before = [*map(call, self._readers)], numbers_compared[0]
            holds = self._as_read == read_now and self._then == self._live
            return holds and numbers_compared[0] == before  # no Value stands for a number now
        except Exception:  # noqa: BLE001 - a name is gone, or arrays were compared
            return False
