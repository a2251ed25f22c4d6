"""Place nodes with lanes in memory, and write their instructions, but for sums of products.

A node takes one cell for each of its lanes.
"""

from __future__ import annotations

import numpy as np

from scalargrad.compiler.array_types import Addresses
from scalargrad.compiler.packing.groups import LaneGroup
from scalargrad.compiler.packing.instructions import (
    Affine,
    Apply,
    Copy,
    Gather,
    Scatter,
    Take,
)
from scalargrad.compiler.packing.scalar_operations import ScalarOperations, lane_order
from scalargrad.compiler.packing.strides import Grid, grid, strides
from scalargrad.compiler.passes.kinds import Held, Stacked
from scalargrad.compiler.passes.program import Program


class LaneOperations(ScalarOperations):
    """The same for nodes with lanes; the address of a node is that of its lane 0."""

    def __init__(self, program: Program) -> None:
        super().__init__(program, in_order=True)
        self.sizes = program.sizes()

    def _place_lanes(self, nodes: Addresses, size: int) -> int:
        out = self.memory.block(len(nodes) * size)
        self.addresses[nodes] = np.arange(out, out + len(nodes) * size, size)
        return out

    def _output_cells(self) -> list[int]:
        """Return the cells of the outputs, all lanes of those that have lanes."""
        cells = [self._cell(node) for node in self.program.outputs]
        sizes = [self.sizes[node] for node in self.program.outputs]
        return [x for cell, n in zip(cells, sizes, strict=True) for x in range(cell, cell + n)]

    def _bring(self, out: int, cells: Addresses) -> None:
        """Copy cells, nodes × lanes, to consecutive ones from `out` on."""
        nodes, lanes = cells.shape
        shape = Grid(nodes, lanes) if _regular(cells) else grid(cells.reshape(1, -1))
        if shape.rows * shape.columns == cells.size:
            self.instructions.append(Copy(out, *shape, Affine(*strides(cells.ravel(), shape))))
        else:
            self.instructions.append(Gather(out, cells.ravel()))

    # Between single numbers and lanes ----------------------------------------------------------

    def _batch(self, group: LaneGroup, lanes: int) -> tuple[int, int]:
        """Place batched numbers; evenly spaced inputs stay where they are, others are copied."""
        nodes = np.array(group.nodes)
        args = np.array([self.program.args[node] for node in group.nodes])
        if isinstance(group.op, Held):
            (node,) = group.nodes
            self.addresses[node] = base = self.memory.constant(group.op.numbers)
            return base, 0
        if isinstance(group.op, Stacked):
            first, step = self.values[args].astype(np.int64).T[:, :, None]
            cells = self.program.inputs + first + step * np.arange(lanes)
        elif self._all_constant(args):
            base = self.memory.constant(self.values[args])
            self.addresses[nodes] = np.arange(base, base + args.size, lanes)
            return base, 0
        else:
            cells = self._cells(args)
        if (cells < self.program.given).all() and (np.diff(cells, axis=1) == 1).all():
            self.addresses[nodes] = cells[:, 0]
            return 0, 0
        out = self._place_lanes(nodes, lanes)
        self._bring(out, cells)
        return out, cells.size

    def _all_constant(self, args: Addresses) -> bool:
        return bool((self.numbers[args] == len(self.groups)).all())

    def _unbatch(self, group: LaneGroup) -> int:
        args = np.array([self.program.args[node] for node in group.nodes])
        cells = self.addresses[args[:, 0]] + self.values[args[:, 1]].astype(np.int64)
        order = np.argsort(cells, kind="stable")
        out = self._place(np.array(group.nodes)[order])
        self._bring(out, cells[order][None])
        return out

    # Lane by lane ------------------------------------------------------------------------------

    def _lane_apply(self, group: LaneGroup, lanes: int) -> int:
        args = np.array([self.program.args[node] for node in group.nodes])
        order = lane_order(self._keys(args)[::-1])
        nodes, args = np.array(group.nodes)[order], args[order]
        brought: list[tuple[int, int]] = []
        operands = tuple(self._beside(args[:, i], lanes, brought) for i in range(args.shape[1]))
        out = self._place_lanes(nodes, lanes)
        self.instructions.append(Apply(group.op, out, len(nodes) * lanes, operands))
        self.memory.release_all(brought)
        return out

    def _beside(self, nodes: Addresses, lanes: int, brought: list[tuple[int, int]]) -> int:
        """Return the first of consecutive cells with the lanes of `nodes`, copied if need be."""
        if self._all_constant(nodes):
            return self.memory.constant(np.repeat(self.values[nodes], lanes))
        base, step = self._cells(nodes), self._step(int(nodes[0]))
        if step and (np.diff(base) == lanes).all():
            return int(base[0])
        out = self.memory.block(len(nodes) * lanes)
        brought.append((out, len(nodes) * lanes))
        self._bring(out, base[:, None] + step * np.arange(lanes))
        return out

    def _step(self, node: int) -> int:
        """Return the distance between the lanes of a node: 0 for a single number."""
        return int(self.sizes[node] > 1)

    # Lookups -----------------------------------------------------------------------------------

    def _lane_take(self, group: LaneGroup, lanes: int) -> int:
        nodes = np.array(group.nodes)
        args = np.array([self.program.args[node] for node in group.nodes])
        steps = np.array([self._step(x) for x in args[0].tolist()])
        index = self._in_lanes(args[:, :1], steps[:1], lanes).ravel()
        tables, which = np.unique(args[:, 1:], axis=0, return_inverse=True)
        brought: list[tuple[int, int]] = []
        lying = [self._lane_row(table, steps[1:], lanes, brought) for table in tables]
        base = np.array([x for x, _ in lying])[which.ravel()].ravel()
        stride = np.array([x for _, x in lying])[which.ravel()].repeat(lanes)
        out = self._place_lanes(nodes, lanes)
        size = np.full(len(index), tables.shape[1])
        self.instructions.append(Take(out, index, base, stride, size))
        self.memory.release_all(brought)
        return out

    def _in_lanes(self, nodes: Addresses, steps: Addresses, lanes: int) -> Addresses:
        """Return the cells of nodes, lane by lane; `steps` are the distances between lanes."""
        return self._cells(nodes)[..., None] + steps[:, None] * np.arange(lanes)

    def _lane_row(
        self, table: Addresses, steps: Addresses, lanes: int, brought: list[tuple[int, int]]
    ) -> tuple[Addresses, int]:
        """Return the first cell of a table in each lane, and the distance between its entries."""
        if not steps.any():
            base, stride = self._row(table, brought)
            return np.full(lanes, base), stride
        cells = self._in_lanes(table, steps, lanes)
        between = np.diff(cells, axis=0).ravel()
        if (between == between[:1]).all():
            return cells[0], int(between[0]) if len(between) else 0
        out = self.memory.block(cells.size)
        brought.append((out, cells.size))
        self._bring(out, cells)
        return np.arange(out, out + lanes), lanes

    def _lane_scatter(self, group: LaneGroup, lanes: int) -> tuple[int, int]:
        """Place a group of entries to which every lane adds; return its block."""
        nodes = np.array(group.nodes)
        args = np.array([self.program.args[node] for node in group.nodes])
        steps = np.array([self._step(x) for x in args[0, 2:].tolist()])
        rows, which = np.unique(args[:, 1:], axis=0, return_inverse=True)
        start, size, out = self._place_rows(nodes, args[:, 0], rows[:, 0], which.ravel())
        cells = self._in_lanes(rows[:, 1:], steps, lanes)
        index, values = (cells[:, k::2].reshape(len(rows), -1) for k in (0, 1))
        self.instructions.append(Scatter(out, start, size, index, values))
        return out, int(size.sum())


def _regular(cells: Addresses) -> bool:
    """Return whether cells, nodes × lanes, are evenly spaced in both directions."""
    steps = [np.diff(cells, axis=axis).ravel() for axis in (0, 1)]
    return all(bool((step == step[:1]).all()) for step in steps if len(step))
