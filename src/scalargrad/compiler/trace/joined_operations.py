"""Let operations that are done to all lanes of a node join the examples; see `joined_examples`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from scalargrad.compiler.array_types import Flags, Integers
from scalargrad.compiler.passes.kinds import (
    ADJOINT,
    BATCH,
    UNBATCH,
    Held,
    Op,
    Total,
)
from scalargrad.compiler.passes.nodes import Nodes, alike, entries, starts, stretches
from scalargrad.compiler.trace.trace import Trace
from scalargrad.ops import TABLE, identity
from scalargrad.system.cached_property import cached_property
from scalargrad.table.operation import Operation

_WHERE = TABLE["where"]
#: The most rows of which each example may read another, as ``scores[label]`` does.
_CHOICES = 32


class Joined(NamedTuple):
    """Nodes of which some have joined examples.

    Attributes
    ----------
    nodes : Nodes
        Those that were written, then new ones; not all operands come before results.
    now : integers
        For each node, the one that has its number.
    """

    nodes: Nodes
    now: Integers

    def in_order(self, needed: Flags) -> Integers:
        """Return nodes, operands before results, else in the order in which they were written."""
        first, operands = entries(self.nodes.first), entries(self.nodes.operands)
        left = bytearray(needed)
        found: list[int] = []
        for node in np.flatnonzero(needed).tolist():
            ahead = [node]
            while ahead:
                more = [y for y in operands[first[ahead[-1]] : first[ahead[-1] + 1]] if left[y]]
                if more:
                    ahead += more[::-1]
                    continue
                x = ahead.pop()
                if left[x]:
                    left[x] = 0
                    found.append(x)
        return np.array(found, np.int64)


class Joining:
    """The work on nodes. A row is all lanes of a node, in order, as single numbers.

    Attributes
    ----------
    rows : list of (int, int)
        The nodes that have the rows as lanes, and their numbers of lanes.
    members : list of integers
        The nodes that are in each row.
    sources : list of int
        The latest node with lanes that was written inside a vmap and that each row depends on.
    row, lane, size : integers
        For each node, the row it is in, its place in that, and the length of it; -1 outside.
    made : list of (Op, tuple of int)
        New nodes.
    now : integers
        For each node, the one that replaces it, or itself.
    operands, kept
        The operands of nodes, of which some have been replaced, and which are kept.
    """

    def __init__(self, trace: Trace, nodes: Nodes, roots: Sequence[int]) -> None:
        self.nodes, self.roots, taken = nodes, roots, trace.lanes.taken
        self.constants, self.singly = trace.columns.constants, trace.singly
        self.single = ~trace.lanes.wide()
        self.users = nodes.users()
        self.needed = nodes.needed(roots)
        #: By these, gradients are taken: what reads them is to read nothing else.
        self.stays = np.zeros(len(nodes), np.bool_)
        self.stays[[args[0] for args in nodes.args_with(ADJOINT)]] = True
        self.made: list[tuple[Op, tuple[int, ...]]] = []
        self.now = np.arange(len(nodes))
        self.operands = nodes.operands.copy()
        self.kept = np.ones(len(self.operands), np.bool_)
        self.rows: list[tuple[int, int]] = []
        self.members: list[Integers] = []
        self.sources: list[int] = []
        self.row, self.lane, self.size = np.full((3, len(nodes)), -1)
        self.places: dict[int, Integers] = {}
        for run in taken:
            span = slice(run.first, run.first + run.lanes)
            self.places[run.lanes] = nodes.operands[nodes.first[span] + 1]
            if run.lanes > 1 and self.needed[span].all() and not self.stays[span].any():
                self._add_row(np.arange(run.first, run.first + run.lanes), run.source, run.source)

    @cached_property
    def _free(self) -> Flags:
        """Which nodes depend on no example."""
        nodes = self.nodes
        first, operands = entries(nodes.first), entries(nodes.operands)
        depends = bytearray(nodes.where(lambda op: op is UNBATCH or isinstance(op, Total)))
        for x in range(depends.find(1), len(nodes)):
            if not depends[x]:
                depends[x] = any(map(depends.__getitem__, operands[first[x] : first[x + 1]]))
        free: Flags = self.single & (np.frombuffer(depends, np.bool_) == 0)
        return free

    def write(self, op: Op, args: tuple[int, ...]) -> int:
        """Write a new node."""
        self.made.append((op, args))
        return len(self.nodes) + len(self.made) - 1

    def _add_row(self, members: Integers, node: int, source: int) -> None:
        self.row[members], self.lane[members] = len(self.rows), np.arange(len(members))
        self.size[members] = len(members)
        self.rows.append((node, len(members)))
        self.members.append(members)
        self.sources.append(source)

    def join(self) -> None:
        """Let nodes join, until no operation is left that is done to a whole row."""
        nodes, operands, users = self.nodes, self.nodes.operands, self.users
        counts = np.diff(nodes.first)
        by_operand = users[np.argsort(operands, kind="stable")]
        uses = np.bincount(operands, minlength=len(nodes))
        begin = starts(uses)[:-1]
        may = nodes.where(lambda op: isinstance(op, Operation))
        may &= self.needed & self.single & ~self.stays
        latest = 0
        while latest < len(self.rows):
            new = np.concatenate(self.members[latest:])
            latest = len(self.rows)
            readers = by_operand[stretches(begin[new], uses[new])]
            found = np.sort(readers[alike(readers)[0]])
            found = found[may[found] & (self.row[found] < 0)]
            for count in {*counts[found].tolist()}:
                some = found[counts[found] == count]
                self._join(some, operands[nodes.first[some][:, None] + np.arange(count)])

    def _join(self, found: Integers, args: Integers) -> None:
        """Let nodes of equally many operands join."""
        rows, lanes, sizes = self.row[args], self.lane[args], self.size[args]
        lane, size, inside = lanes.max(1), sizes.max(1), rows >= 0
        alongside = (lanes == lane[:, None]) & (sizes == size[:, None])
        fits = np.where(inside, alongside, self._free[args]).all(1)
        if not fits.any():
            return
        found, args, rows, lane, size = (x[fits] for x in (found, args, rows, lane, size))
        code = self.nodes.codes[found] * (size.max() + 1) + size
        joins = np.zeros(len(found), np.bool_)
        for apart in rows, np.minimum(rows, 0):  # those that read the same rows; then, of others
            left, kind = np.flatnonzero(~joins), code
            for column in apart.T:
                kind = alike(kind * (len(self.rows) + 1) + column + 1)[1]
            for members in whole(kind[left], lane[left], size[left]):
                of = left[members]
                choices = [column[alike(column)[0]] for column in rows[of].T]
                source = max([self.sources[x] for column in choices for x in column if x >= 0])
                if max(map(len, choices)) > _CHOICES or source > found[of].min():
                    continue  # many, or a vmap of which some depend on others, which it may read
                read = tuple([self._read(column) for column in args[of].T])
                op = self.nodes.table[self.nodes.codes[found[of[0]]]]
                self._add_row(found[of], self.write(op, read), source)
                joins[of] = True

    def _read(self, column: Integers) -> int:
        """Return the node that has these as lanes: of rows, of other single numbers, or one."""
        first, rows = int(column[0]), self.row[column]
        if rows[0] >= 0:
            firsts, which = alike(rows)
            read, *others = [self.rows[int(x)][0] for x in rows[firsts]]
            for k, other in enumerate(others, 1):
                truths = self.places[len(rows)][(which == k).astype(np.int64)]  # of 0 and 1
                read = self.write(_WHERE, (self._held(truths.tolist()), other, read))
            return read
        if (column == first).all():
            return first
        singles = column.tolist()
        if all(x in self.constants for x in singles):
            return self._held(singles)
        return self.write(BATCH, tuple(singles))

    def _held(self, constants: list[int]) -> int:
        """Return the node that has these constants as lanes."""
        if not self.singly:
            numbers = np.array([self.constants[x] for x in constants])
            return self.write(Held(numbers.tobytes()), ())
        first = self.write(identity, (constants[0],))  # so that no pass folds the examples
        return self.write(BATCH, (first, *constants[1:]))

    def finished(self) -> Joined:
        """Return the nodes; single numbers are taken out of new rows where they are still read."""
        nodes, count = self.nodes, len(self.nodes)
        now = np.arange(count + len(self.made))
        now[:count] = self.now
        follow(now, np.flatnonzero(self.now != np.arange(count)))
        is_new = self.row >= 0
        is_new &= ~nodes.where(lambda op: op is UNBATCH)
        stands = self.needed & ~is_new & (now[:count] == np.arange(count))
        read = now[np.append(self.operands[self.kept & stands[self.users]], self.roots)]
        for x in read[alike(read)[0]].tolist():
            if x < count and is_new[x]:
                node, lanes = self.rows[self.row[x]]
                now[x] = self.write(UNBATCH, (node, int(self.places[lanes][self.lane[x]])))
        now = np.append(now, np.arange(len(now), count + len(self.made)))[now]
        first = starts(np.bincount(self.users[self.kept], minlength=count))
        old = Nodes(nodes.table, nodes.codes, first, now[self.operands[self.kept]])
        ops, args = zip(*self.made, strict=True)
        return Joined(old.followed_by(Nodes.of(ops, args)), now[:count])


def follow(to: Integers, nodes: Integers) -> None:
    """Let these nodes point to where what they point to does, to the end."""
    found = to[nodes]
    while not np.array_equal(further := to[found], found):
        to[nodes] = found = further


def whole(kind: Integers, lane: Integers, size: Integers) -> Iterator[Integers]:
    """Yield, in order of lanes, the places of each kind that occurs in all of so many lanes.

    What occurs twice in all lanes is two groups, and so forth.
    """
    order = np.lexsort((lane, kind))
    places = np.arange(len(order))
    again = np.zeros(len(order), np.bool_)
    again[1:] = (np.diff(kind[order]) == 0) & (np.diff(lane[order]) == 0)
    time = places - np.maximum.accumulate(np.where(again, 0, places))
    order = order[np.lexsort((lane[order], time, kind[order]))]
    ends = np.flatnonzero(np.diff(kind[order]) | (np.diff(lane[order]) <= 0)) + 1
    for start, end in pairwise([0, *ends.tolist(), len(order)]):
        if start < end == start + size[order[start]]:
            yield order[start:end]
