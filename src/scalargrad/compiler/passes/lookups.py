"""Lookups by a computed index (`take`), and the error signals that flow back through them.

`take` is recorded as a node over the index and a row: a table, recorded once for all lookups in it.
Its error signal goes to one entry of the table, which is known only at run time. So the signals of
all lookups in a table are added to one row of numbers (a SCATTER), of which each entry reads its
own; the signals of that, for second derivatives, are lookups again.
"""

from __future__ import annotations

from scalargrad.compiler.passes.kinds import ENTRY, ROW, SCATTER, TAKE, Op
from scalargrad.compiler.passes.writer import Writer

Nodes = tuple[int, ...]


def is_lookup(op: Op) -> bool:
    """Return whether an operation reads one number of a row."""
    return op is TAKE or op is ENTRY


class _Table:
    """A row in which entries are looked up, and pairs (index, error signal) for it."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.pairs: list[int] = []
        self._row = -1

    def signal(self, writer: Writer, place: int) -> int:
        """Return the error signal of one entry."""
        if self._row < 0:
            count = writer.constant(float(self.size))
            self._row = writer.node(SCATTER, (count, *self.pairs))
        return writer.entry(self._row, place)


class _LookupRow:
    """A row to which pairs (index, number) are added, and the error signals of its entries."""

    def __init__(self, size: int, pairs: Nodes) -> None:
        self.size, self.pairs = size, pairs
        self.signals: dict[int, int] = {}
        self._row = -1

    def signal(self, writer: Writer, place: int) -> int:
        """Return the error signal of one of the numbers added."""
        if self._row < 0:
            signals, zero = self.signals, writer.constant(0.0)
            self._row = writer.node(ROW, tuple([signals.get(k, zero) for k in range(self.size)]))
        return writer.node(TAKE, (self.pairs[place - 1], self._row))


class Lookups:
    """The lookups of one backward sweep, collected until the sweep reaches their tables.

    A sweep reaches a node after all its users. When it reaches the first entry of a table, all
    lookups in that table are therefore known.
    """

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self._tables: dict[int, _Table] = {}
        self._rows: dict[int, _LookupRow] = {}
        self._waiting: dict[int, list[tuple[_Table | _LookupRow, int]]] = {}

    def pass_back(self, node: int, upstream: int, moving: bytearray) -> None:
        """Collect the error signal of a lookup; `added_to` has it when the sweep is further."""
        op, (first, second) = self.writer.program.ops[node], self.writer.program.args[node]
        if op is ENTRY:
            place = int(self.writer.constants[second])
            self._row_added_to(first, moving).signals[place] = upstream
        else:
            self._table(second, moving).pairs += (first, upstream)

    def _table(self, row: int, moving: bytearray) -> _Table:
        if row not in self._tables:
            entries = self.writer.program.args[row]
            self._tables[row] = _Table(len(entries))
            self._wait(self._tables[row], [(k, x) for k, x in enumerate(entries) if moving[x]])
        return self._tables[row]

    def _row_added_to(self, row: int, moving: bytearray) -> _LookupRow:
        if row not in self._rows:
            n, *pairs = self.writer.program.args[row]
            self._rows[row] = _LookupRow(int(self.writer.constants[n]), tuple(pairs))
            numbers = [*enumerate(pairs)][1::2]
            self._wait(self._rows[row], [(place, x) for place, x in numbers if moving[x]])
        return self._rows[row]

    def _wait(self, source: _Table | _LookupRow, ends: list[tuple[int, int]]) -> None:
        for place, operand in ends:
            self._waiting.setdefault(operand, []).append((source, place))

    def added_to(self, terms: list[int] | None, node: int) -> list[int] | None:
        """Return the terms of the error signal of `node`, with those that lookups contribute."""
        if node not in self._waiting:
            return terms
        waiting = self._waiting.pop(node)
        more = [
            x
            for source, place in waiting
            for x in (source.signal(self.writer, place), self.writer.one)
        ]
        return [*(terms or ()), *more]
