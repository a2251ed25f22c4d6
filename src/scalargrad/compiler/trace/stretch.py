"""A stretch of a recording that is written again and again, each time with other operands."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scalargrad.compiler.array_types import Integers
from scalargrad.compiler.passes.kinds import ADJOINT, TAKE
from scalargrad.compiler.trace.tape import Tape
from scalargrad.table.operation import Operation

#: About so many operands are written at a time.
_AT_A_TIME = 1 << 20
_NONE = -1


class Sources(NamedTuple):
    """Where numbers come from in each repetition of a stretch.

    Attributes
    ----------
    places : integers
        A place among the numbers that are given to the repetition, followed by the nodes it
        writes; -1 for a node that is the same in all.
    fixed : integers
        That node; -1 for a missing operand.
    """

    places: Integers
    fixed: Integers

    def among(self, given: Integers) -> NDArray[np.int32]:
        """Return the nodes, a row for each row of what was given and written."""
        found: NDArray[np.int32] = np.empty((len(given), len(self.places)), np.int32)
        found[:] = self.fixed
        moving = np.flatnonzero(self.places >= 0)
        found[:, moving] = given[:, self.places[moving]]
        return found


class Stretch:
    """The nodes of a recording from `start` on, to be written again.

    Parameters
    ----------
    tape : Tape
        The recording.
    given : int
        How many nodes at the beginning are copies, each of a number that is given to a repetition.
        They are not written again, but what they copy is read instead.
    """

    def __init__(self, tape: Tape, start: int, given: int) -> None:
        columns = tape.columns
        self._tape, self._start, self._first = tape, start, start + given
        self.given, self.ops = given, columns.ops[self._first :]
        self._left, self._right = (
            self.sources(np.array(x[self._first :], np.int64))
            for x in (columns.left, columns.right)
        )
        wide = columns.wide_from(self._first)
        self._wide = [(x - self._first, self.sources(np.array(wide[x]))) for x in sorted(wide)]
        self._finite = [x - self._first for x in tape.finite if x >= self._first]
        self._marks = tape.plainness.marks_from(self._first)

    def __len__(self) -> int:
        return len(self.ops)

    def sources(self, nodes: Integers) -> Sources:
        """Return where nodes that were read or written come from in each repetition."""
        places = np.where(nodes >= self._start, nodes - self._start, _NONE)
        return Sources(places, np.where(places < 0, nodes, 0))

    def is_repeatable(self) -> bool:
        """Return whether nothing but operations and derivatives were written."""
        return all(isinstance(op, Operation) or op in {ADJOINT, TAKE} for op in {*self.ops})

    def is_at(self, start: int, given: Integers) -> bool:
        """Return whether the nodes from `start` on are these, for what was given there."""
        columns, end = self._tape.columns, start + len(self)
        if columns.ops[start:end] != self.ops:
            return False
        rows = np.concatenate([given, np.arange(start, end)])[np.newaxis]
        both = (self._left, columns.left), (self._right, columns.right)
        wide = {start + x: tuple(y.among(rows)[0].tolist()) for x, y in self._wide}
        found = {x: args for x, args in columns.wide_from(start).items() if x < end}
        return (
            all(np.array_equal(x.among(rows)[0], np.array(y[start:end])) for x, y in both)
            and found == wide
            and [x - start for x in self._tape.finite if start <= x < end] == self._finite
            and self._tape.plainness.marks_from(start, end) == self._marks
        )

    def write_instead(self, given: Integers) -> Iterator[Integers]:
        """Write the stretch for each row of what is given to it, instead of where it was written.

        Yields
        ------
        integers
            Some rows after the other, followed by the nodes that were written for them.
        """
        self._tape.forget(self._start)
        at_once = max(1, _AT_A_TIME // (self.given + len(self)))
        edges = [*range(0, len(given), at_once), len(given)]
        for low, high in pairwise(edges):
            yield self._write(given[low:high])

    def _write(self, given: Integers) -> Integers:
        tape, columns, count = self._tape, self._tape.columns, len(given)
        starts = len(columns) + len(self) * np.arange(count)
        rows = np.concatenate([given, np.add.outer(starts, np.arange(len(self)))], axis=1)
        wide = [(x, sources.among(rows).tolist()) for x, sources in self._wide]
        for k, at in enumerate(starts.tolist()):  # in the order of the nodes
            columns.wide.update([(at + x, tuple(args[k])) for x, args in wide])
        columns.ops += self.ops * count
        columns.left.frombytes(self._left.among(rows).tobytes())
        columns.right.frombytes(self._right.among(rows).tobytes())
        tape.finite += np.add.outer(starts, np.array(self._finite, np.int64)).ravel().tolist()
        tape.plainness.mark_again(self._marks, starts.tolist())
        return rows
