"""Results of vmap that are used all together: returned one after the other, or added up.

Each example's result is a node of its own while a function is recorded. Where all of them are
returned in order, the node that has them as lanes is returned instead; where they are added up one
after the other, a total takes the place of the additions. So what is left to the passes does
not grow with the number of examples.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from scalargrad.compiler.passes.kinds import total_of
from scalargrad.compiler.passes.nodes import Integers
from scalargrad.compiler.trace.columns import Columns
from scalargrad.ops import TABLE, add

#: Fewer examples stay apart.
FEWEST = 256
_SUM = TABLE["sum"]


class Taken(NamedTuple):
    """The nodes from `first` on, one for each lane of another."""

    first: int
    source: int
    lanes: int

    @property
    def nodes(self) -> range:
        """The nodes."""
        return range(self.first, self.first + self.lanes)


def returned_together(outputs: Sequence[int], taken: Sequence[Taken]) -> list[tuple[int, int]]:
    """Return (node, lanes) for outputs: all lanes of one node are that node.

    Parameters
    ----------
    outputs : sequence of int
    taken : sequence of Taken
    """
    by_first = {x.first: x for x in taken if x.lanes >= FEWEST}
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


def add_up_together(columns: Columns, taken: Sequence[Taken], asked: Sequence[int]) -> None:
    """Write totals in place of additions of all lanes, one after the other.

    The other additions are left without operands, and of no use.

    Parameters
    ----------
    columns : Columns
        Changed.
    taken : sequence of Taken
    asked : sequence of int
        The nodes that have to stay: results and guards.
    """
    taken = [x for x in taken if x.lanes >= FEWEST]
    if not taken:
        return
    left, right = (np.array(x, np.int64) for x in (columns.left, columns.right))
    wide = [x for args in columns.wide.values() for x in args]
    read = [left[left >= 0], right[right >= 0], np.array([*wide, *asked], np.int64)]
    uses = np.bincount(np.concatenate(read), minlength=len(columns))
    for run in taken:
        one = columns.constant(1.0)  # is there already, as the number of a lane
        for first, last in _rows_of_additions(columns, run, left, right):
            if not (uses[first:last] == 1).all():
                continue
            total = last
            if left[first] != run.first:  # what is added up starts from another number
                total = first
                columns.left[last], columns.right[last] = int(left[first]), total
            left_out = array("i", [-1]) * (last - first - 1)
            columns.left[first + 1 : last] = columns.right[first + 1 : last] = left_out
            columns.ops[total] = total_of(run.lanes)
            columns.left[total], columns.right[total] = run.source, one
        for node, args in columns.wide.items():
            if columns.ops[node] is _SUM and args == tuple(run.nodes):
                columns.ops[node] = total_of(run.lanes)
                columns.wide[node] = (run.source, one)


def _rows_of_additions(
    columns: Columns, run: Taken, left: Integers, right: Integers
) -> Iterator[tuple[int, int]]:
    """Yield the first and last of additions in a row that add all lanes, in order.

    The first adds lane 0 to what is added up, or lane 1 to lane 0.
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
