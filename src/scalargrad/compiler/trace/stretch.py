"""A stretch of a recording that was written twice, to be written again and again."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np

from scalargrad.compiler.array_types import Integers
from scalargrad.compiler.passes.kinds import ADJOINT, TAKE
from scalargrad.compiler.trace.trace import Trace
from scalargrad.table.operation import Operation

#: About so many operands are written at a time.
_AT_A_TIME = 1 << 20


class Shift(NamedTuple):
    """How nodes that a stretch reads, or leaves behind, move on from one repetition to the next.

    Attributes
    ----------
    nodes : integers
        The nodes in the last repetition that was recorded.
    steps : integers
        By how much they move on: the length of a repetition, or 0.
    places : integers
        For the numbers of the entry that a repetition is given, which of them it is; else -1.
    """

    nodes: Integers
    steps: Integers
    places: Integers

    def at(self, times: Integers, entries: Integers) -> Integers:
        """Return the nodes some repetitions later, a row for each, given their entries."""
        found: Integers = self.nodes + times[:, np.newaxis] * self.steps
        given = np.flatnonzero(self.places >= 0)
        found[:, given] = entries[:, self.places[given]]
        return found


class Stretch:
    """The last nodes of a recording, written twice.

    Parameters
    ----------
    trace : Trace
        The recording.
    start : int
        Where the second repetition begins, which goes to the end.
    entries : pair of integers
        The nodes of the entry that each of the two was given.
    """

    def __init__(self, trace: Trace, start: int, entries: tuple[Integers, Integers]) -> None:
        self._trace, self._start, self._entries = trace, start, entries
        self.length = len(trace.columns) - start
        self._before = start - self.length
        self._ops = trace.columns.ops[start:]
        self._marks = trace.plainness.marks(start, start + self.length)
        self._finite = [x - start for x in trace.finite if x >= start]
        (one, self._wide), (other, wide) = self._operands(self._before), self._operands(start)
        self._moves = self.moves(one, other) if len(one) == len(other) else None
        self.is_repeated = self._moves is not None and self._wide == wide and self._is_alike()

    def _operands(self, start: int) -> tuple[Integers, list[tuple[int, int]]]:
        """Return all operands of a repetition, and how many the wide nodes have, by place."""
        columns, end = self._trace.columns, start + self.length
        wide = columns.wide_between(start, end)
        flat = [y for _, args in wide for y in args]
        both = columns.left[start:end], columns.right[start:end]
        found = np.concatenate([np.array(x, np.int64) for x in (*both, flat)])
        return found, [(x - start, len(args)) for x, args in wide]

    def _is_alike(self) -> bool:
        """Return whether operations and marks are the same, and derivatives by own nodes."""
        trace, start, end = self._trace, self._before, self._start
        known = all(isinstance(op, Operation) or op in {ADJOINT, TAKE} for op in {*self._ops})
        return (
            known
            and trace.columns.ops[start:end] == self._ops
            and [x - start for x in trace.finite if start <= x < end] == self._finite
            and trace.plainness.marks(start, end) == self._marks
            # Whether a derivative by what was there before is 0 may be otherwise in later steps.
            and all(by >= (end if at >= end else start) for at, by in trace.derived if at >= start)
        )

    def moves(self, before: Integers, now: Integers) -> Shift | None:
        """Return how nodes move on, given those of both repetitions; None if it is not clear."""
        moving = (now - before == self.length) & (now >= self._before)
        places = np.full(len(now), -1)
        others = np.flatnonzero(~moving & ((now != before) | (now >= self._before)))
        one, other = (x[:, np.newaxis] for x in self._entries)
        is_entry = (one == before[others]) & (other == now[others])
        if not is_entry.any(axis=0).all():
            return None
        places[others] = is_entry.argmax(axis=0) if len(others) else 0
        return Shift(now, np.where(moving, self.length, 0), places)

    def write(self, entries: Integers) -> None:
        """Write a repetition for each row of nodes that are given to it."""
        at_once = max(1, _AT_A_TIME // (2 * self.length))
        for low, high in pairwise([*range(0, len(entries), at_once), len(entries)]):
            self._write(entries[low:high], np.arange(low + 1, high + 1))

    def _write(self, entries: Integers, times: Integers) -> None:
        trace, columns = self._trace, self._trace.columns
        assert self._moves is not None
        nodes = self._moves.at(times, entries)
        starts = self._start + self.length * times
        left, right, wide = np.split(nodes, [self.length, 2 * self.length], axis=1)
        if self._wide:
            edges = np.cumsum([0, *(n for _, n in self._wide)]).tolist()
            for at, row in zip(starts.tolist(), wide.tolist(), strict=True):
                args = [tuple(row[a:b]) for a, b in pairwise(edges)]
                columns.wide.update(zip([at + x for x, _ in self._wide], args, strict=True))
        columns.left.frombytes(left.astype(np.int32).tobytes())
        columns.right.frombytes(right.astype(np.int32).tobytes())
        columns.ops += self._ops * len(times)
        trace.finite += [at + x for at in starts.tolist() for x in self._finite]
        trace.plainness.mark_again(self._marks, starts.tolist())
