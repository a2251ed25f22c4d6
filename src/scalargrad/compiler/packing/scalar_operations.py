"""Place groups of nodes in memory, and write their instructions, but for sums of products.

The lanes of a group are ordered by the addresses of their operands, so that operands are contiguous
or evenly spaced wherever the program is regular.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from scalargrad.compiler.array_types import Addresses
from scalargrad.compiler.packing.groups import CONSTANTS, LaneGroup, group
from scalargrad.compiler.packing.instructions import (
    Affine,
    Apply,
    Copy,
    Gather,
    Instruction,
    Scatter,
    Take,
)
from scalargrad.compiler.packing.memory import Memory
from scalargrad.compiler.packing.strides import grid, strides
from scalargrad.compiler.passes.kinds import Op
from scalargrad.compiler.passes.program import Program

#: The first of consecutive cells, and how many they are.
Block = tuple[int, int]


class ScalarOperations:
    """Places groups and writes their operations; `addresses` holds the cell of each node.

    Parameters
    ----------
    program : Program
    in_order : bool
        Whether the terms of its sums are in order already; see `group`.
    """

    def __init__(self, program: Program, *, in_order: bool) -> None:
        self.groups, numbers, self.program = group(program, in_order=in_order)
        self.numbers = np.array(numbers, dtype=np.int64)
        self.numbers[self.numbers == CONSTANTS] = len(self.groups)  # sorts last
        self.memory = Memory(program.given)
        self.addresses = np.full(len(program), -1, dtype=np.int64)
        self.addresses[: program.inputs] = np.arange(program.inputs)
        self.values = np.zeros(len(program))
        for node, value in program.constants.items():
            self.values[node] = value
        self.blocks: dict[int, tuple[int, int]] = {}
        self.cells: dict[int, int] = {}
        self.numbers_at: dict[str, int] = {}
        self.instructions: list[Instruction] = []

    def _cell(self, node: int) -> int:
        """Return the address of one node."""
        cell = self.cells.get(node)
        if cell is None:
            if node in self.program.constants:
                cell = self._cell_of(self.program.constants[node])
            else:
                cell = int(self.addresses[node])
            self.cells[node] = cell
        return cell

    def _cell_of(self, number: float) -> int:
        key = number.hex()
        if key not in self.numbers_at:
            self.numbers_at[key] = self.memory.constant([number])
        return self.numbers_at[key]

    def _constant(self, node: int) -> bool:
        return bool(self.numbers[node] == len(self.groups))

    def _cells(self, nodes: Addresses) -> Addresses:
        cells = self.addresses[nodes]
        for where in np.argwhere(cells < 0):
            cells[tuple(where)] = self._cell(int(nodes[tuple(where)]))
        return cells

    def _place(self, nodes: Any) -> int:
        out = self.memory.block(len(nodes))
        self.addresses[nodes] = np.arange(out, out + len(nodes))
        return out

    def _place_one(self, node: int) -> int:
        out = self.memory.block(1)
        self.addresses[node] = self.cells[node] = out
        return out

    # Operations lane by lane -------------------------------------------------------------------

    def _apply(self, group: LaneGroup) -> int:
        if len(group.nodes) == 1:
            (node,) = group.nodes
            cells = tuple([self._cell(x) for x in self.program.args[node]])
            out = self._place_one(node)
            self.instructions.append(Apply(group.op, out, 1, cells))
            return out
        args = np.array([self.program.args[node] for node in group.nodes])
        order = lane_order(self._keys(args)[::-1])
        brought: list[Block] = []
        out = self._applied(group.op, np.array(group.nodes)[order], args[order], brought)
        self.memory.release_all(brought)
        return out

    def _applied(self, op: Op, nodes: Addresses, args: Addresses, brought: list[Block]) -> int:
        """Place nodes in this order, with the operands of each in a row."""
        operands = tuple(self._contiguous(args[:, i], brought) for i in range(args.shape[1]))
        out = self._place(nodes)
        self.instructions.append(Apply(op, out, len(nodes), operands))
        return out

    def _keys(self, args: Addresses) -> list[Addresses]:
        """Return the columns of addresses by which to sort lanes, those with few values first."""
        columns = [self.addresses[args[:, i]] for i in range(args.shape[1])]
        counted = [(len(set(column.tolist())), i) for i, column in enumerate(columns)]
        return [columns[i] for _, i in sorted(counted)]

    def _contiguous(self, nodes: Addresses, brought: list[Block]) -> int:
        """Return the first of consecutive cells with `nodes`, copied there if need be."""
        if nodes[0] in self.program.constants:
            return self.memory.constant(self.values[nodes])
        cells, lanes = self.addresses[nodes], len(nodes)
        if (cells[1:] - cells[:-1] == 1).all():
            return int(cells[0])
        out = self.memory.block(lanes)
        brought.append((out, lanes))
        shape = grid(cells[None])
        if shape.rows * shape.columns == lanes:
            self.instructions.append(Copy(out, *shape, Affine(*strides(cells, shape))))
        else:
            self.instructions.append(Gather(out, cells))
        return out

    # Lookups -----------------------------------------------------------------------------------

    def _take(self, group: LaneGroup) -> int:
        nodes = np.array(group.nodes)
        args = np.array([self.program.args[node] for node in group.nodes])
        index = self._cells(args[:, :1])[:, 0]
        tables, which = np.unique(args[:, 1:], axis=0, return_inverse=True)
        brought: list[tuple[int, int]] = []
        lying = np.array([self._row(table, brought) for table in tables])
        base, stride = lying[which.ravel()].T
        order = lane_order([index, base])
        out = self._place(nodes[order])
        size = np.full(len(nodes), tables.shape[1])
        self.instructions.append(Take(out, index[order], base[order], stride[order], size))
        self.memory.release_all(brought)
        return out

    def _row(self, table: Addresses, brought: list[tuple[int, int]]) -> tuple[int, int]:
        """Return the first entry of a table and the distance between entries, copied if uneven."""
        if all(map(self._constant, table)):
            return self.memory.constant(self.values[table]), 1
        cells = self._cells(table)
        steps = np.diff(cells)
        if (steps == steps[:1]).all():
            return int(cells[0]), int(steps[0]) if len(steps) else 0
        out = self.memory.block(len(cells))
        brought.append((out, len(cells)))
        self.instructions.append(Gather(out, cells))
        return out, 1

    def _scatter(self, group: LaneGroup) -> int:
        nodes = np.array(group.nodes)
        args = np.array([self.program.args[node] for node in group.nodes])
        rows, which = np.unique(args[:, 1:], axis=0, return_inverse=True)
        start, size, out = self._place_rows(nodes, args[:, 0], rows[:, 0], which.ravel())
        index, values = self._cells(rows[:, 1::2]), self._cells(rows[:, 2::2])
        self.instructions.append(Scatter(out, start, size, index, values))
        return out

    def _place_rows(
        self, nodes: Addresses, places: Addresses, sizes: Addresses, which: Addresses
    ) -> tuple[Addresses, Addresses, int]:
        """Place rows one after the other; return their starts and sizes, and the first cell."""
        size = self.values[sizes].astype(np.int64)
        start = np.cumsum(size) - size
        out = self.memory.block(int(size.sum()))
        self.addresses[nodes] = out + start[which] + self.values[places].astype(np.int64)
        return start, size, out


def lane_order(keys: list[Addresses]) -> Addresses:
    """Return the order of lanes sorted by the first key, then the next, and so on; stable."""
    return np.lexsort(keys[::-1])
