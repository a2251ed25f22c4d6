"""Turn a program into instructions: the last step before a backend prints or runs it.

Each group of nodes becomes one instruction, whose lanes are ordered by the addresses of their
operands, so that operands are side by side where the program is regular. The factors of sums lie
anywhere: an instruction lists their addresses in a table.
"""

from __future__ import annotations

import numpy as np

from scalargrad.compiler.array_types import Addresses, Floats
from scalargrad.compiler.packing.groups import CONSTANTS, INPUTS, Grouped, LaneGroup, group
from scalargrad.compiler.packing.instructions import (
    Apply,
    Gather,
    Instruction,
    Packed,
    Products,
    Scatter,
    Take,
)
from scalargrad.compiler.packing.memory import Memory
from scalargrad.compiler.passes.kinds import ENTRY, PRODUCTS, ROW, SCATTER, TAKE
from scalargrad.compiler.passes.program import Program

#: The first of consecutive cells, and how many they are.
Block = tuple[int, int]

#: The nodes of these may lie in the blocks of their operands.
_WITHIN = {ROW, ENTRY}


def pack(program: Program) -> Packed:
    """Return a program of sums of products as instructions and their memory."""
    return _Packer(group(program)).run()


class _Packer:
    """Packs a program group by group; `addresses` holds the cell of each node."""

    def __init__(self, grouped: Grouped) -> None:
        self.groups, numbers, self.program = grouped
        program = self.program
        self.numbers = np.array(numbers, dtype=np.int64)
        self.numbers[self.numbers == CONSTANTS] = len(self.groups)  # sorts last
        self.memory = Memory(program.inputs)
        self.addresses = np.full(len(program), -1, dtype=np.int64)
        self.addresses[: program.inputs] = np.arange(program.inputs)
        self.values = np.zeros(len(program))
        for node, value in program.constants.items():
            self.values[node] = value
        self.spacing = np.zeros(len(program), dtype=np.int64)  # between the entries of rows
        self.instructions: list[Instruction] = []

    def run(self) -> Packed:
        """Place all groups, and return the packed program."""
        order = sorted(range(2, len(self.groups)), key=lambda g: self.groups[g].depth)
        last_use, blocks = self._last_use(order), dict[int, Block]()
        for position, number in enumerate(order):
            blocks[number] = self._block(self.groups[number])
            for unused in last_use.get(position, ()):
                self.memory.release(*blocks[unused])
        outputs = self._side_by_side(self._cells(np.array(self.program.outputs, dtype=np.int64)))
        return Packed(self.instructions, self.memory.initial(), self.program.inputs, outputs)

    def _block(self, group: LaneGroup) -> Block:
        """Place and compute a group; return its block, to be released after its last use."""
        nodes = np.array(group.nodes)
        args = np.array([self.program.args[node] for node in group.nodes])
        if group.op is ROW:
            return self._rows(nodes, args)
        if group.op is ENTRY:  # an entry of a row has no cell of its own
            self.addresses[nodes] = self.addresses[args[:, 0]] + self._counts(args[:, 1])
            return 0, 0
        if group.op is SCATTER:
            return self._scatter(nodes, args)
        if group.op is PRODUCTS:
            self._products(nodes, args)
        elif group.op is TAKE:
            self._take(nodes, args)
        else:
            self._apply(group, nodes, args)
        return int(self.addresses[nodes].min()), len(nodes)

    def _last_use(self, order: list[int]) -> dict[int, list[int]]:
        """Return, for each position in `order`, the groups read there for the last time."""
        last: dict[int, int] = {}
        for position, number in enumerate(order):
            last.update(dict.fromkeys(self.groups[number].operands, position))
        kept = INPUTS, CONSTANTS, *[int(self.numbers[x]) for x in self.program.outputs]
        last.update(dict.fromkeys(kept, len(order)))
        for number in reversed(order):
            if self.groups[number].op in _WITHIN:
                for operand in {*self.groups[number].operands}:
                    last[operand] = max(last[operand], last.get(number, 0))
        released: dict[int, list[int]] = {}
        for number, position in last.items():
            released.setdefault(position, []).append(number)
        return released

    # Cells -------------------------------------------------------------------------------------

    def _cell_of(self, number: float) -> int:
        """Return the address of a constant."""
        return self.memory.constant([number])

    def _cells(self, nodes: Addresses) -> Addresses:
        cells = self.addresses[nodes]
        missing = cells < 0
        if missing.any():  # constants, of which there are often few
            numbers = self.values[nodes[missing]].tolist()
            known = {x.hex(): self._cell_of(x) for x in numbers}
            cells[missing] = [known[x.hex()] for x in numbers]
        return cells

    def _counts(self, nodes: Addresses) -> Addresses:
        """Return constants that are whole numbers."""
        return self.values[nodes].astype(np.int64)

    def _place(self, nodes: Addresses) -> int:
        out = self.memory.block(len(nodes))
        self.addresses[nodes] = np.arange(out, out + len(nodes))
        return out

    def _side_by_side(self, cells: Addresses) -> slice:
        """Return consecutive cells with these numbers, copied unless they are consecutive."""
        count, first = len(cells), int(cells[0]) if len(cells) else 0
        if (np.diff(cells) != 1).any():
            first = self.memory.block(count)
            self.instructions.append(Gather(first, cells))
        return slice(first, first + count)

    def _sorting(self, operands: Addresses) -> Addresses:
        """Return columns of addresses by which to sort lanes, those with few values first."""
        columns = self.addresses[operands].T
        counts = [len(set(column.tolist())) for column in columns]
        return columns[np.argsort(counts, kind="stable")]

    # Operations --------------------------------------------------------------------------------

    def _apply(self, group: LaneGroup, nodes: Addresses, args: Addresses) -> None:
        if len(nodes) > 1:
            order = lane_order(self._sorting(args)[::-1])
            nodes, args = nodes[order], args[order]
        brought: list[Block] = []
        operands = tuple([self._contiguous(column, brought) for column in args.T])
        out = self._place(nodes)
        self.instructions.append(Apply(group.op, out, len(nodes), operands))
        self.memory.release_all(brought)

    def _contiguous(self, nodes: Addresses, brought: list[Block]) -> int:
        """Return the first of consecutive cells with the numbers of nodes, copied if need be."""
        if self.numbers[nodes[0]] == len(self.groups):
            return self.memory.constant(self.values[nodes])
        before = len(self.instructions)
        first: int = self._side_by_side(self._cells(nodes)).start
        if len(self.instructions) > before:
            brought.append((first, len(nodes)))
        return first

    def _products(self, nodes: Addresses, args: Addresses) -> None:
        """Place sums of products.

        Terms stay in the order in which they were written, on which the digits of a sum depend.
        """
        starts, args = self._started(args)
        a, b = args[:, ::2], args[:, 1::2]
        if len(nodes) > 1:  # in each term, the factor of the earlier group first
            rank = self.numbers[args] * (self.memory.size + 1) + self.addresses[args]
            swapped = rank[:, ::2] > rank[:, 1::2]
            a, b = np.where(swapped, b, a), np.where(swapped, a, b)
            order = lane_order(self._sorting(np.concatenate([a[:, :1], b[:, :1]], axis=1)))
            nodes, starts, a, b = nodes[order], starts[order], a[order], b[order]
        out = self._place(nodes)
        begun = np.array([self._cell_of(x) for x in starts.tolist()])
        self.instructions.append(Products(out, begun, self._cells(a), self._cells(b)))

    def _started(self, args: Addresses) -> tuple[Floats, Addresses]:
        """Return the start of each sum (a constant term, or -0.0), and the remaining factors."""
        self._cell_of(-0.0)  # before other constants, so that listings begin alike
        k = self.program.start_of(args[0].tolist())
        if k is None or (k == 1 and not (args[:, :2] == self.program.one).any(axis=1).all()):
            return np.full(len(args), -0.0), args
        values = self.values[args[:, 2 * k]] * self.values[args[:, 2 * k + 1]]
        return values, np.delete(args, [2 * k, 2 * k + 1], 1)

    # Lookups -----------------------------------------------------------------------------------

    def _rows(self, nodes: Addresses, args: Addresses) -> Block:
        """Find the entries of rows where they are, if evenly spaced; return the block of copies."""
        if (self.numbers[args] == len(self.groups)).all():
            base = self.memory.constant(self.values[args])
            cells = base + np.arange(args.size).reshape(args.shape)
        else:
            cells = self._cells(args)
        steps = np.diff(cells, axis=1)
        uneven = (steps != steps[:, :1]).any(axis=1)
        copied, out = cells[uneven], 0
        if copied.size:
            out = self.memory.block(copied.size)
            self.instructions.append(Gather(out, copied.ravel()))
            cells[uneven] = out + np.arange(copied.size).reshape(copied.shape)
        self.addresses[nodes] = cells[:, 0]
        self.spacing[nodes] = cells[:, -1] - cells[:, max(args.shape[1] - 2, 0)]
        return out, copied.size

    def _take(self, nodes: Addresses, args: Addresses) -> None:
        cells = self._cells(args)
        size = np.array([len(self.program.args[row]) for row in args[:, 1].tolist()])
        order = lane_order(cells.T)
        out = self._place(nodes[order])
        columns = cells[:, 0], cells[:, 1], self.spacing[args[:, 1]], size
        self.instructions.append(Take(out, *(x[order] for x in columns)))

    def _scatter(self, nodes: Addresses, args: Addresses) -> Block:
        """Place rows to which pairs are added; return their block."""
        size, cells = self._counts(args[:, 0]), self._cells(args[:, 1:])
        start, out = np.cumsum(size) - size, self.memory.block(int(size.sum()))
        self.addresses[nodes] = out + start
        self.instructions.append(Scatter(out, start, size, cells[:, ::2], cells[:, 1::2]))
        return out, int(size.sum())


def lane_order(keys: Addresses) -> Addresses:
    """Return the order of lanes sorted by the first key, then the next, and so on; stable."""
    return np.lexsort(keys[::-1])
