"""Return all results of a vmap together.

While a function is recorded, the result of each example is a node of its own. If all of them are
returned in order, the node that has them as lanes is returned instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

#: The fewest examples for which this is done.
FEWEST = 256


class TakenLanes(NamedTuple):
    """The nodes from `first` on, which are the single lanes of a node."""

    first: int
    source: int
    lanes: int

    @property
    def nodes(self) -> range:
        """The nodes."""
        return range(self.first, self.first + self.lanes)


def returned_together(outputs: Sequence[int], taken: Sequence[TakenLanes]) -> list[tuple[int, int]]:
    """Return the outputs as (node, lanes), all lanes of a node in order as that node."""
    by_first = {x.first: x for x in taken if x.lanes >= FEWEST}
    if by_first.keys().isdisjoint(outputs):
        return [(x, 1) for x in outputs]
    found: list[tuple[int, int]] = []
    at = 0
    while at < len(outputs):
        run = by_first.get(outputs[at])
        if run is not None and outputs[at : at + run.lanes] == [*run.nodes]:
            found.append((run.source, run.lanes))
            at += run.lanes
        else:
            found.append((outputs[at], 1))
            at += 1
    return found
