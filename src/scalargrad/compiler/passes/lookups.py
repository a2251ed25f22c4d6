"""Lookups by a computed index (`take`), and the error signals that flow back through them.

`take` is recorded as a node over the index and a row: a table, recorded once for all lookups in it.
Its error signal goes to one entry of the table, which is known only at run time. So the signals of
all lookups in a table are added to one row of numbers (a SCATTER), of which each entry reads its
own; the signals of that, for second derivatives, are lookups again. Under vmap, the lookups of all
examples are one node with lanes, and their signals are summed over the lanes.
"""

from __future__ import annotations

from scalargrad.compiler.passes.kinds import ENTRY, ROW, TAKE, Op, Scattered, Total, of_lanes
from scalargrad.compiler.passes.writer import Writer
from scalargrad.ops import eq

Nodes = tuple[int, ...]


def is_lookup(op: Op) -> bool:
    """Return whether an operation reads one number of a row."""
    return op is TAKE or op is ENTRY


class _Table:
    """A row in which entries are looked up, and pairs (index, error signal) for it.

    Of the entries that have signals, those `apart` are sent theirs by each lookup.
    """

    def __init__(self, entries: Nodes, ends: list[int], apart: list[int]) -> None:
        self.entries, self.apart = entries, apart
        self.is_added_to = len(apart) < len(ends)
        self.pairs: dict[int, list[int]] = {}  # by number of lanes
        self._rows: list[list[int]] = []

    def terms(self, writer: Writer, place: int) -> list[int]:
        """Return the terms of the error signal of one entry."""
        if not self._rows:
            size = len(self.entries)
            self._rows = [writer.scattered(size, x, lanes) for lanes, x in self.pairs.items()]
        return [x for rows in self._rows for x in (writer.entry(rows, place), writer.one)]


class _LookupRow:
    """A row to which pairs (index, number) are added, and the error signals of its entries."""

    def __init__(self, size: int, pairs: Nodes, lanes: int) -> None:
        self.size, self.pairs, self.lanes = size, pairs, lanes
        self.signals: dict[int, int] = {}
        self._row = -1

    def terms(self, writer: Writer, place: int) -> list[int]:
        """Return the terms of the error signal of one of the numbers added."""
        if self._row < 0:
            signals, zero = self.signals, writer.constant(0.0)
            self._row = writer.node(ROW, tuple([signals.get(k, zero) for k in range(self.size)]))
        index, number = self.pairs[place - 1 : place + 1]
        found = writer.node(TAKE, (index, self._row))
        if writer.size(number) == 1 < self.lanes:
            found = writer.node(of_lanes(Total, self.lanes), (found, writer.one))
        return [found, writer.one]


class Lookups:
    """The lookups of one backward sweep, collected until the sweep reaches their tables.

    A sweep reaches a node after all its users. When it reaches the first entry of a table, all
    lookups in that table are therefore known.

    Parameters
    ----------
    per_lane : bool
        Whether each lane has a root of its own, so that no signals are summed over lanes.
    """

    def __init__(self, writer: Writer, per_lane: bool) -> None:
        self.writer = writer
        self.per_lane = per_lane
        self._tables: dict[int, _Table] = {}
        self._rows: dict[int, _LookupRow] = {}
        self._waiting: dict[int, list[tuple[_Table | _LookupRow, int]]] = {}

    def pass_back(self, node: int, upstream: int, moving: bytearray) -> list[tuple[int, int]]:
        """Collect the error signal of a lookup; return the wires over which to send it at once.

        A wire is (operand, partial). Entries with lanes of their own are sent theirs at once; all
        others get `terms` when the sweep reaches them.
        """
        op, args = self.writer.program.ops[node], self.writer.program.args[node]
        first, second = args
        if op is ENTRY:
            self._pass_to_row(first, second, upstream, moving)
            return []
        index, table = first, self._table(second, moving)
        if table.is_added_to:
            pairs = table.pairs.setdefault(self.writer.size(node), [])
            pairs += (index, upstream)
        entries = table.entries
        return [(entries[k], self._is_at(index, k, len(entries))) for k in table.apart]

    def _table(self, row: int, moving: bytearray) -> _Table:
        if row not in self._tables:
            entries = self.writer.program.args[row]
            ends = [k for k, x in enumerate(entries) if moving[x]]
            apart = [k for k in ends if self.per_lane or self.writer.size(entries[k]) > 1]
            self._tables[row] = _Table(entries, ends, apart)
            together = sorted({*ends}.difference(apart))
            self._wait(self._tables[row], [(k, entries[k]) for k in together])
        return self._tables[row]

    def _is_at(self, index: int, place: int, size: int) -> int:
        """Return the node that is 1 if an index selects an entry, else 0."""
        writer = self.writer
        here = [writer.node(eq, (index, writer.constant(float(k)))) for k in (place, place - size)]
        return writer.products([x for y in here for x in (y, writer.one)])

    def _pass_to_row(self, row: int, place: int, upstream: int, moving: bytearray) -> None:
        if row not in self._rows:
            op, (n, *pairs) = self.writer.program.ops[row], self.writer.program.args[row]
            lanes = op.lanes if isinstance(op, Scattered) else 1
            self._rows[row] = _LookupRow(int(self.writer.constants[n]), tuple(pairs), lanes)
            numbers = [*enumerate(pairs)][1::2]
            self._wait(self._rows[row], [(place, x) for place, x in numbers if moving[x]])
        self._rows[row].signals[int(self.writer.constants[place])] = upstream

    def _wait(self, source: _Table | _LookupRow, ends: list[tuple[int, int]]) -> None:
        for place, operand in ends:
            self._waiting.setdefault(operand, []).append((source, place))

    def added_to(self, terms: list[int] | None, node: int) -> list[int] | None:
        """Return the terms of the error signal of `node`, with those that lookups contribute."""
        if node not in self._waiting:
            return terms
        waiting = self._waiting.pop(node)
        more = [x for source, place in waiting for x in source.terms(self.writer, place)]
        return [*(terms or ()), *more]
