"""Simplify what is done with all results of a vmap: returning them in order, or adding them up.

While a function is recorded, the result of each example is a node of its own. If all of them are
returned in order, the node that has them as lanes is returned instead. If they are added up in
order, a sum over lanes replaces the additions. The program that the passes see then does not grow
with the number of examples.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from scalargrad.compiler.array_types import Integers
from scalargrad.compiler.passes.kinds import Total, of_lanes
from scalargrad.compiler.trace.columns import Columns
from scalargrad.ops import TABLE, add

#: The fewest examples for which this is done.
FEWEST = 256
_SUM = TABLE["sum"]


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


def add_up_together(columns: Columns, taken: Sequence[TakenLanes], asked: Sequence[int]) -> bool:
    """Replace chains of additions over all lanes of a node by sums over lanes.

    The other additions of a chain are left without operands, as dead nodes. Return False if there
    are none for lack of lanes.

    Parameters
    ----------
    columns : Columns
        The nodes, changed in place.
    asked : sequence of int
        The nodes that must stay: results and guards.
    """
    taken = [x for x in taken if x.lanes >= FEWEST]
    if not taken:
        return False
    left, right = (np.array(x, np.int64) for x in (columns.left, columns.right))
    wide = [x for args in columns.wide.values() for x in args]
    read = [left[left >= 0], right[right >= 0], np.array([*wide, *asked], np.int64)]
    uses = np.bincount(np.concatenate(read), minlength=len(columns))
    for run in taken:
        one = columns.constant(1.0)  # a constant that exists already, as the index of a lane
        for first, last in _rows_of_additions(columns, run, left, right):
            if not (uses[first:last] == 1).all():
                continue
            total = last
            if left[first] != run.first:  # the sum starts from another number
                total = first
                columns.left[last], columns.right[last] = int(left[first]), total
            left_out = array("i", [-1]) * (last - first - 1)
            columns.left[first + 1 : last] = columns.right[first + 1 : last] = left_out
            columns.ops[total] = of_lanes(Total, run.lanes)
            columns.left[total], columns.right[total] = run.source, one
        for node, args in columns.wide.items():
            if columns.ops[node] is _SUM and args == tuple(run.nodes):
                columns.ops[node] = of_lanes(Total, run.lanes)
                columns.wide[node] = (run.source, one)
    return True


def _rows_of_additions(
    columns: Columns, run: TakenLanes, left: Integers, right: Integers
) -> Iterator[tuple[int, int]]:
    """Yield the first and last node of each chain of additions over all lanes, in order.

    The first addition is of lane 0 to a starting value, or of lane 1 to lane 0.
    """
    lanes = np.arange(run.first + 1, run.first + run.lanes)
    for node in np.flatnonzero(right == run.first + 1).tolist():
        last = node + run.lanes - 2
        if not np.array_equal(right[node : last + 1], lanes):
            continue
        if not np.array_equal(left[node + 1 : last + 1], np.arange(node, last)):
            continue
        first = node if left[node] == run.first else node - 1
        starts = first == node or (left[node] == first and right[first] == run.first)
        if starts and all(op is add for op in columns.ops[first : last + 1]):
            yield first, last
