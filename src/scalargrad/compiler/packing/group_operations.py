"""Place groups of nodes in memory, and write their instructions, but for sums of products.

The nodes of a group are ordered by the addresses of their operands, so that operands are contiguous
or evenly spaced wherever the program is regular. A node takes a cell, or one for each of its lanes.
"""

from __future__ import annotations

import numpy as np

from scalargrad.compiler.array_types import Addresses
from scalargrad.compiler.packing.groups import CONSTANTS, Grouped, LaneGroup
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
from scalargrad.compiler.packing.strides import Grid, grid, strides
from scalargrad.compiler.passes.kinds import Op

#: The first of consecutive cells, and how many they are.
Block = tuple[int, int]


class GroupOperations:
    """Places groups and writes their operations; `addresses` holds the first cell of each node.

    If nodes have lanes, `sizes` are their numbers, and `steps` the distances between them.

    Parameters
    ----------
    grouped : Grouped
        The groups of a program.
    """

    def __init__(self, grouped: Grouped) -> None:
        self.groups, numbers, self.program, self.is_joined = grouped
        program = self.program
        self.numbers = np.array(numbers, dtype=np.int64)
        self.numbers[self.numbers == CONSTANTS] = len(self.groups)  # sorts last
        self.sizes = [1] * len(program)
        self.steps = (np.array(self.sizes) > 1).astype(np.int64)
        self.memory = Memory(program.inputs)
        self.addresses = np.full(len(program), -1, dtype=np.int64)
        self.addresses[: program.inputs] = np.arange(program.inputs)
        self.values = np.zeros(len(program))
        for node, value in program.constants.items():
            self.values[node] = value
        self.spacing = np.zeros(len(program), dtype=np.int64)  # between the entries of rows
        self.blocks: dict[int, Block] = {}
        self.instructions: list[Instruction] = []

    def _cell(self, node: int) -> int:
        """Return the address of one node."""
        number = self.program.constants.get(node)
        return int(self.addresses[node]) if number is None else self._cell_of(number)

    def _cell_of(self, number: float) -> int:
        """Return the address of a constant."""
        return self.memory.constant([number])

    def _constant(self, node: int) -> bool:
        return bool(self.numbers[node] == len(self.groups))

    def _cells(self, nodes: Addresses) -> Addresses:
        cells = self.addresses[nodes]
        missing = cells < 0
        if missing.any():  # constants, of which there are often few
            asked = nodes[missing].tolist()
            known = {node: self._cell(node) for node in dict.fromkeys(asked)}
            cells[missing] = [known[node] for node in asked]
        return cells

    def _lanes(self, group: LaneGroup) -> int:
        """Return how many lanes the nodes of a group have."""
        return self.sizes[group.nodes[0]]

    def _in_lanes(self, nodes: Addresses, lanes: int) -> Addresses:
        """Return the cells of nodes, lane by lane; a single column where none of them has lanes."""
        cells, steps = self._cells(nodes)[..., None], self.steps[nodes][..., None]
        return cells + steps * np.arange(lanes) if steps.any() else cells

    def _arrays(self, group: LaneGroup) -> tuple[Addresses, Addresses]:
        """Return the nodes of a group, and their operands, nodes × operands."""
        return np.array(group.nodes), np.array([self.program.args[node] for node in group.nodes])

    def _place(self, nodes: Addresses, lanes: int = 1) -> int:
        out = self.memory.block(len(nodes) * lanes)
        self.addresses[nodes] = np.arange(out, out + len(nodes) * lanes, lanes)
        return out

    def _place_one(self, node: int) -> int:
        out = self.memory.block(1)
        self.addresses[node] = out
        return out

    def _bring(self, out: int, cells: Addresses) -> None:
        """Copy cells, nodes × lanes, to consecutive ones from `out` on."""
        nodes, lanes = cells.shape if cells.shape[1] > 1 else cells.shape[::-1]
        shape = Grid(nodes, lanes) if _regular(cells) else grid(cells.reshape(1, -1))
        if shape.rows * shape.columns == cells.size:
            self.instructions.append(Copy(out, *shape, Affine(*strides(cells.ravel(), shape))))
        else:
            self.instructions.append(Gather(out, cells.ravel()))

    # Operations lane by lane -------------------------------------------------------------------

    def _apply(self, group: LaneGroup, lanes: int) -> int:
        if len(group.nodes) == lanes == 1:
            (node,) = group.nodes
            cells = tuple([self._cell(x) for x in self.program.args[node]])
            out = self._place_one(node)
            self.instructions.append(Apply(group.op, out, 1, cells))
            return out
        nodes, args = self._arrays(group)
        if len(nodes) > 1:
            order = lane_order(self._keys([*args.T])[::-1])
            nodes, args = nodes[order], args[order]
        return self._applied(group.op, nodes, args, lanes)

    def _applied(self, op: Op, nodes: Addresses, args: Addresses, lanes: int = 1) -> int:
        """Place nodes in this order, with the operands of each in a row."""
        brought: list[Block] = []
        operands = tuple([self._contiguous(column, lanes, brought) for column in args.T])
        out = self._place(nodes, lanes)
        self.instructions.append(Apply(op, out, len(nodes) * lanes, operands))
        self.memory.release_all(brought)
        return out

    def _keys(self, operands: list[Addresses]) -> list[Addresses]:
        """Return the columns of addresses by which to sort lanes, those with few values first."""
        columns = [self.addresses[nodes] for nodes in operands]
        counted = [(len(set(column.tolist())), i) for i, column in enumerate(columns)]
        return [columns[i] for _, i in sorted(counted)]

    def _contiguous(self, nodes: Addresses, lanes: int, brought: list[Block]) -> int:
        """Return the first of consecutive cells with the lanes of `nodes`, copied if need be."""
        if self._constant(nodes[0]):
            return self.memory.constant(self.values[nodes].repeat(lanes))
        if lanes == 1 or self.steps[nodes[0]]:
            first = self._cells(nodes)
            if len(first) == 1 or (first[1:] - first[:-1] == lanes).all():
                return int(first[0])
        cells = np.broadcast_to(self._in_lanes(nodes, lanes), (len(nodes), lanes))
        return self._brought_together(cells, brought)

    def _brought_together(self, cells: Addresses, brought: list[Block]) -> int:
        """Copy cells to consecutive ones, which are released afterwards; return the first."""
        out = self.memory.block(cells.size)
        brought.append((out, cells.size))
        self._bring(out, cells)
        return out

    # Lookups -----------------------------------------------------------------------------------

    def _rows(self, group: LaneGroup, lanes: int) -> Block:
        """Find the entries of rows where they are, if evenly spaced; return the block of copies."""
        nodes, args = self._arrays(group)
        if (self.numbers[args] == len(self.groups)).all():
            base = self.memory.constant(self.values[args])
            cells = base + np.arange(args.size).reshape(*args.shape, 1)
        else:
            cells = self._in_lanes(args, lanes)
        steps = np.diff(cells, axis=1)
        uneven = (steps != steps[:, :1, :1]).any(axis=(1, 2))
        copied, out = cells[uneven], 0
        if copied.size:
            out = self.memory.block(copied.size)
            self._bring(out, copied.reshape(-1, copied.shape[2]))
            cells[uneven] = out + np.arange(copied.size).reshape(copied.shape)
        self.addresses[nodes] = cells[:, 0, 0]
        self.spacing[nodes] = cells[:, -1, 0] - cells[:, max(args.shape[1] - 2, 0), 0]
        return out, copied.size

    def _take(self, group: LaneGroup, lanes: int) -> int:
        nodes, args = self._arrays(group)
        shape = len(nodes), lanes
        index, base = (np.broadcast_to(self._in_lanes(x, lanes), shape) for x in args.T)
        size = np.array([len(self.program.args[row]) for row in args[:, 1].tolist()])
        order = lane_order([index[:, 0], base[:, 0]])
        out = self._place(nodes[order], lanes)
        found = [x[order].ravel() for x in (index, base)]
        found += [x[order].repeat(lanes) for x in (self.spacing[args[:, 1]], size)]
        self.instructions.append(Take(out, *found))
        return out

    def _scatter(self, group: LaneGroup, lanes: int) -> Block:
        """Place a group of rows to which every lane adds; return its block."""
        nodes, args = self._arrays(group)
        nodes, args = (x[lane_order([*args.T])] for x in (nodes, args))
        size, pairs = self.values[args[:, 0]].astype(np.int64), args[:, 1:]
        start, out = np.cumsum(size) - size, self.memory.block(int(size.sum()))
        self.addresses[nodes] = out + start
        cells = np.broadcast_to(self._in_lanes(pairs, lanes), (*pairs.shape, lanes))
        index, values = (cells[:, k::2].reshape(len(nodes), -1) for k in (0, 1))
        self.instructions.append(Scatter(out, start, size, index, values))
        return out, int(size.sum())

    def _entries(self, group: LaneGroup) -> Block:
        """Find the entries of rows, which have no cells of their own."""
        nodes, args = self._arrays(group)
        self.addresses[nodes] = self.addresses[args[:, 0]] + self.values[args[:, 1]].astype(int)
        return 0, 0


def _regular(cells: Addresses) -> bool:
    """Return whether cells, nodes × lanes, are evenly spaced in both directions."""
    steps = [np.diff(cells, axis=axis).ravel() for axis in (0, 1)]
    return all(bool((step == step[:1]).all()) for step in steps if len(step))


def lane_order(keys: list[Addresses]) -> Addresses:
    """Return the order of lanes sorted by the first key, then the next, and so on; stable."""
    return np.lexsort(keys[::-1])
