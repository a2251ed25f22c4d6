"""Pack programs whose nodes have lanes: sums of products, and sums over lanes.

A group of g nodes with n lanes is a block of g × n cells. A sum of products has a row for each node
and a column for each lane; a sum over lanes has the lanes as further terms. Thus the layers of a
network over a batch, their error signals and weight gradients become matrix products of blocks.
"""

from __future__ import annotations

from itertools import repeat

import numpy as np

from scalargrad.compiler.array_types import Addresses, Floats
from scalargrad.compiler.packing.group_operations import Block
from scalargrad.compiler.packing.groups import LaneGroup
from scalargrad.compiler.packing.instructions import Affine, ProductRun, Products
from scalargrad.compiler.packing.scalar_packer import FEW, Piece, ScalarPacker
from scalargrad.compiler.packing.strides import Grid, grid
from scalargrad.compiler.passes.kinds import (
    PRODUCTS,
    UNBATCH,
    Held,
    Scattered,
    Stacked,
    Total,
    makes_lanes,
)


class LanePacker(ScalarPacker):
    """Packs a program group by group; the address of a node with lanes is that of its lane 0."""

    def _block(self, group: LaneGroup) -> Block:
        op, count, lanes = group.op, len(group.nodes), self._lanes(group)
        if makes_lanes(op):
            return self._batch(group, lanes)
        if isinstance(op, Scattered):
            return self._scatter(group, op.lanes)
        if isinstance(op, Total):
            return self._total(group, op.lanes), count
        if op is UNBATCH:
            return self._unbatch(group), count
        if op is PRODUCTS and lanes > 1:
            return self._lane_products(group, lanes), count * lanes
        return super()._block(group)

    # Between single numbers and lanes ----------------------------------------------------------

    def _batch(self, group: LaneGroup, lanes: int) -> Block:
        """Place batched numbers; evenly spaced inputs stay where they are, others are copied."""
        nodes, args = self._arrays(group)
        if isinstance(group.op, Held):
            held = [self.program.ops[node] for node in group.nodes]
            return self._held(nodes, np.array([x.numbers for x in held if isinstance(x, Held)]))
        if isinstance(group.op, Stacked):
            first, step = self.values[args].astype(np.int64).T[:, :, None]
            cells = self.program.inputs + first + step * np.arange(lanes)
        elif (self.numbers[args] == len(self.groups)).all():
            return self._held(nodes, self.values[args])
        else:
            cells = self._cells(args)
        if (cells < self.program.given).all() and (np.diff(cells, axis=1) == 1).all():
            self.addresses[nodes] = cells[:, 0]
            return 0, 0
        out = self._place(nodes, lanes)
        self._bring(out, cells)
        return out, cells.size

    def _held(self, nodes: Addresses, numbers: Floats) -> Block:
        """Place numbers known beforehand, nodes × lanes."""
        base = self.memory.constant(numbers)
        self.addresses[nodes] = np.arange(base, base + numbers.size, numbers.shape[1])
        return base, 0

    def _unbatch(self, group: LaneGroup) -> int:
        nodes, args = self._arrays(group)
        cells = self.addresses[args[:, 0]] + self.values[args[:, 1]].astype(np.int64)
        order = np.argsort(cells, kind="stable")
        out = self._place(nodes[order])
        self._bring(out, cells[order][None])
        return out

    # Sums of products --------------------------------------------------------------------------

    def _lane_products(self, group: LaneGroup, lanes: int) -> int:
        if len(group.nodes) == 1 and len(self.program.args[group.nodes[0]]) <= 2 * FEW:
            return self._few_lane_products(group.nodes[0], lanes)
        nodes, args = self._arrays(group)
        a, b = self._factors(args)
        bounds = self._alike_terms(a, b)
        starts, a, b, bounds = self._started(a, b, bounds)
        order, pieces = self._regular_order(a, b, bounds)
        nodes, a, b, starts = nodes[order], a[order], b[order], starts[order]
        out = self._place(nodes, lanes)
        for first, shape in pieces:
            for row in range(first, first + shape.rows * shape.columns, shape.columns):
                chosen = slice(row, row + shape.columns)
                runs = tuple(
                    ProductRun(
                        terms.stop - terms.start,
                        *(self._row_factor(x[chosen, terms]) for x in (a, b)),
                    )
                    for terms in self._runs(a[chosen], b[chosen], bounds)
                )
                where = out + row * lanes
                start = self._start(starts[chosen], Grid(shape.columns, 1))
                self.instructions.append(Products(where, shape.columns, lanes, start, runs))
        return out

    def _few_lane_products(self, node: int, lanes: int) -> int:
        """Place a single sum of few products, such as a recurrence has; term by term."""
        start, args = self._started_one(self.program.args[node])
        out = self._place(np.array([node]), lanes)
        places = [Affine(self._cell(x), 0, int(self.steps[x])) for x in args]
        runs = tuple(map(ProductRun, repeat(1), places[::2], places[1::2]))
        self.instructions.append(Products(out, 1, lanes, Affine(start), runs))
        return out

    def _regular_order(
        self, a: Addresses, b: Addresses, bounds: list[tuple[int, int]]
    ) -> tuple[Addresses, list[Piece]]:
        """Return the order of nodes that forms the fewest grids, and these grids."""
        order, pieces = self._ordered(a, b, self._runs(a, b, bounds), bounds)
        return order, pieces or [(i, Grid(1, 1)) for i in range(len(a))]

    def _backward_order(
        self, a: Addresses, b: Addresses, bounds: list[tuple[int, int]]
    ) -> tuple[Addresses, list[Piece]]:
        """Return the reverse of the recorded order if it forms a single grid, else the best order.

        A backward sweep reaches parameters last to first; reversed, their gradients are in the
        order of the parameters.
        """
        order = np.arange(len(a))[::-1]
        runs = self._runs(a, b, bounds)
        shape = grid(self._tables(a, b, runs)[:, order])
        if shape.rows * shape.columns == len(a):
            return order, [(0, shape)]
        return self._regular_order(a, b, bounds)

    def _row_factor(self, nodes: Addresses) -> Affine:
        """Return the place of a factor with a row for each node and a column for each lane."""
        place = self._factor(nodes, Grid(len(nodes), 1), 0)
        return place._replace(inner=int(self.steps[nodes[0, 0]]))

    def _total(self, group: LaneGroup, lanes: int) -> int:
        nodes, args = self._arrays(group)
        a, b = self._factors(args)
        bounds = self._alike_terms(a, b)
        order, pieces = self._backward_order(a, b, bounds)
        nodes, a, b = nodes[order], a[order], b[order]
        out, start = self._place(nodes), Affine(self._cell_of(-0.0))
        for first, shape in pieces:
            chosen = slice(first, first + shape.rows * shape.columns)
            runs = [
                run
                for terms in self._runs(a[chosen], b[chosen], bounds)
                for run in self._total_runs(a[chosen, terms], b[chosen, terms], shape, lanes)
            ]
            self.instructions.append(Products(out + first, *shape, start, tuple(runs)))
        return out

    def _total_runs(self, a: Addresses, b: Addresses, shape: Grid, lanes: int) -> list[ProductRun]:
        """Return runs over lanes, for each term; a single run if the lanes of all terms adjoin."""
        terms, steps = a.shape[1], [int(self.steps[x[0, 0]]) for x in (a, b)]
        if terms > 1 and all(steps) and all(self._adjoin(x, lanes) for x in (a, b)):
            terms, lanes = 1, terms * lanes
        return [
            ProductRun(
                lanes,
                *(
                    self._factor(x[:, t : t + 1], shape, 0)._replace(term=step)
                    for x, step in zip((a, b), steps, strict=True)
                ),
            )
            for t in range(terms)
        ]

    def _adjoin(self, nodes: Addresses, lanes: int) -> bool:
        return bool((np.diff(self.addresses[nodes], axis=1) == lanes).all())
