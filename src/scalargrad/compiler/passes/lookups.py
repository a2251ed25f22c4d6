"""Lookups by a computed index (`take`), and the error signals that flow back through them.

`take` is recorded as one node over the index and the whole table. Its error signal goes to one
entry of the table, which is known only at run time. So the signals of all lookups in a table are
added to one row of numbers, an entry for each operand (a SCATTER); the signals of that, for second
derivatives, are lookups again. Under vmap, the lookups of all examples are one node with lanes,
and their signals are summed over the lanes.
"""

from __future__ import annotations

from scalargrad.compiler.passes.kinds import SCATTER, TAKE, Op, Scattered, Total, of_lanes
from scalargrad.compiler.passes.writer import Writer
from scalargrad.ops import eq

Nodes = tuple[int, ...]


def is_lookup(op: Op) -> bool:
    """Return whether an operation is a lookup or the scatter of one's signals."""
    return op is TAKE or op is SCATTER or isinstance(op, Scattered)


class _Table:
    """A table in which entries are looked up, and pairs (index, error signal) for it."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.pairs: dict[int, list[int]] = {}  # by number of lanes

    def terms(self, writer: Writer, place: int) -> list[int]:
        """Return the terms of the error signal of one entry."""
        return [
            x
            for lanes, pairs in self.pairs.items()
            for x in (writer.scattered(place, self.size, pairs, lanes), writer.one)
        ]


class _LookupRow:
    """A row to which pairs (index, number) are added, and the error signals of its entries."""

    def __init__(self, size: int, pairs: Nodes, lanes: int) -> None:
        self.size, self.pairs, self.lanes = size, pairs, lanes
        self.signals: dict[int, int] = {}

    def terms(self, writer: Writer, place: int) -> list[int]:
        """Return the terms of the error signal of one of the numbers added."""
        signals, zero = self.signals, writer.constant(0.0)
        index, number = self.pairs[place - 1 : place + 1]
        found = writer.node(TAKE, (index, *(signals.get(k, zero) for k in range(self.size))))
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
        self._tables: dict[Nodes, _Table] = {}
        self._rows: dict[tuple[Op, Nodes], _LookupRow] = {}
        self._waiting: dict[int, list[tuple[_Table | _LookupRow, int]]] = {}

    def pass_back(self, node: int, upstream: int, moving: bytearray) -> list[tuple[int, int]]:
        """Collect the error signal of a lookup; return the wires over which to send it at once.

        A wire is (operand, partial). Entries with lanes of their own are sent theirs at once; all
        others get `terms` when the sweep reaches them.
        """
        op, args = self.writer.program.ops[node], self.writer.program.args[node]
        if op is not TAKE:
            self._pass_to_row(op, args, upstream, moving)
            return []
        index, *values = args
        ends = [k for k, x in enumerate(values) if moving[x]]
        apart = [k for k in ends if self.per_lane or self.writer.size(values[k]) > 1]
        if len(apart) < len(ends):
            table = self._table(tuple(values), set(ends).difference(apart))
            pairs = table.pairs.setdefault(self.writer.size(node), [])
            pairs += (index, upstream)
        return [(values[k], self._is_at(index, k, len(values))) for k in apart]

    def _table(self, values: Nodes, ends: set[int]) -> _Table:
        if values not in self._tables:
            self._tables[values] = _Table(len(values))
            self._wait(self._tables[values], [(k, values[k]) for k in sorted(ends)])
        return self._tables[values]

    def _is_at(self, index: int, place: int, size: int) -> int:
        """Return the node that is 1 if an index selects an entry, else 0."""
        writer = self.writer
        here = [writer.node(eq, (index, writer.constant(float(k)))) for k in (place, place - size)]
        return writer.products([x for y in here for x in (y, writer.one)])

    def _pass_to_row(self, op: Op, args: Nodes, upstream: int, moving: bytearray) -> None:
        k, n, *pairs = args
        key = op, args[1:]
        if key not in self._rows:
            lanes = op.lanes if isinstance(op, Scattered) else 1
            self._rows[key] = _LookupRow(int(self.writer.constants[n]), tuple(pairs), lanes)
            numbers = [*enumerate(pairs)][1::2]
            self._wait(self._rows[key], [(place, x) for place, x in numbers if moving[x]])
        self._rows[key].signals[int(self.writer.constants[k])] = upstream

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
