"""A stretch of a recording that is written again and again, with other numbers in some places."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from scalargrad.compiler.array_types import Integers
from scalargrad.compiler.passes.kinds import ADJOINT, LOSS, TAKE
from scalargrad.compiler.trace.trace import Trace
from scalargrad.compiler.trace.traced import Traced
from scalargrad.table.operation import Operation

#: About so many operands are written at a time.
_AT_A_TIME = 1 << 20


class Stretch:
    """The last nodes of a recording, which read stand-ins for what they are given.

    Parameters
    ----------
    trace : Trace
        The recording.
    given : list of Traced
        The numbers for which there are to be stand-ins: those of a carry, then those of an entry.

    Attributes
    ----------
    stand_ins : list of Traced
        What is like these, to be given instead; the nodes of the stretch follow.
    """

    def __init__(self, trace: Trace, given: list[Traced]) -> None:
        self._trace, self._given = trace, np.array([x.index for x in given], np.int64)
        self.stand_ins = [*map(trace.stand_in, given)]
        self.first = len(trace.columns)

    def can_repeat(self) -> bool:
        """Return whether all that was written can be written again."""
        return all(
            isinstance(op, Operation) or op in {ADJOINT, LOSS, TAKE}
            for op in {*self._trace.columns.ops[self.first :]}
        )

    def repeat(self, carried: Integers, entries: Integers) -> None:
        """Write the nodes once for each of the entries, and read the first, as it was written.

        Parameters
        ----------
        carried : integers
            The nodes of the stretch that the next repetition is given first.
        entries : integers, times × numbers
            What it is given besides: a row for the stretch itself, then one for each repetition.
        """
        count, width = len(entries), len(carried)
        self._length = len(self._trace.columns) - self.first
        self._starts = self.first + self._length * np.arange(count)[:, np.newaxis]
        moved = self.at(carried, slice(count - 1))
        self._read = np.hstack([np.vstack([self._given[:width], moved]), entries])
        self._write()

    def at(self, nodes: Integers, times: slice = slice(None)) -> Integers:
        """Return what takes the place of nodes, a row for each time."""
        found = np.where(nodes >= self.first, nodes - self.first + self._starts[times], nodes)
        start = self.first - len(self._given)
        read = np.flatnonzero((nodes >= start) & (nodes < self.first))
        if len(read):
            found[:, read] = self._read[times, nodes[read] - start]
        return found

    def _write(self) -> None:
        trace, columns, length = self._trace, self._trace.columns, self._length
        first, count = self.first, len(self._starts)
        wide = columns.wide_between(first, first + length)
        both = columns.left[first:], columns.right[first:], [y for _, args in wide for y in args]
        nodes = np.concatenate([np.array(x, np.int64) for x in both])
        finite = [x - first for x in trace.finite if x >= first]
        del columns.left[first:], columns.right[first:]
        at_once = max(1, _AT_A_TIME // max(1, 2 * length))
        for low, high in pairwise([*range(0, count, at_once), count]):
            rows = self.at(nodes, slice(low, high))
            left, right, others = np.split(rows, [length, 2 * length], axis=1)
            columns.left.frombytes(left.astype(np.int32).tobytes())
            columns.right.frombytes(right.astype(np.int32).tobytes())
            if wide:
                edges = np.cumsum([0, *(len(args) for _, args in wide)]).tolist()
                for k, row in enumerate(others.tolist(), low):
                    args = [tuple(row[a:b]) for a, b in pairwise(edges)]
                    places = [x + k * length for x, _ in wide]
                    columns.wide.update(zip(places, args, strict=True))
        columns.ops += columns.ops[first:] * (count - 1)
        starts = self._starts[1:, 0].tolist()
        trace.finite += [at + x for at in starts for x in finite]
        trace.plainness.mark_again(range(first, first + length), starts)
