"""Pack a program of single numbers: each group of nodes becomes an instruction over a block.

The lanes of a group are ordered by the addresses of their operands. Where the program is regular,
operands are then evenly spaced, and a layer of neurons over a batch is a single instruction.
Elsewhere, the instruction lists addresses in a table.
"""

from __future__ import annotations

import itertools

import numpy as np

from scalargrad.compiler.array_types import Addresses, Floats
from scalargrad.compiler.packing.group_operations import Block, GroupOperations, lane_order
from scalargrad.compiler.packing.groups import CONSTANTS, INPUTS, LaneGroup
from scalargrad.compiler.packing.instructions import (
    Affine,
    Copy,
    Gather,
    GatheredProducts,
    Packed,
    ProductRun,
    Products,
)
from scalargrad.compiler.packing.strides import Grid, constant_axes, grid, strides, term_runs
from scalargrad.compiler.passes.kinds import ENTRY, PRODUCTS, ROW, SCATTER, TAKE

#: More grids, or runs of terms, than this, plus one per so many lanes or terms, are replaced by a
#: table of addresses. So are fewer, if they are of less than so many products on average.
_PIECES, _PER_PIECE = 8, 16
_OF_GRID, _OF_RUN = 16, 4
#: How many orders of lanes are tried if the first does not give a single grid.
_ORDERS = 6
#: Outputs in contiguous stretches of this average length are copied stretch by stretch.
_LONG = 64
#: The nodes of these may lie in the blocks of their operands.
_WITHIN = {ROW, ENTRY}
#: A single sum of at most this many products is computed from a table, without loops.
FEW = 6

#: The first lane of a grid, and the grid.
Piece = tuple[int, Grid]


class ScalarPacker(GroupOperations):
    """Packs a program group by group."""

    def run(self) -> Packed:
        """Place all groups, and return the packed program."""
        order = sorted(range(2, len(self.groups)), key=lambda g: self.groups[g].depth)
        last_use = self._last_use(order)
        for position, number in enumerate(order):
            self.blocks[number] = self._block(self.groups[number])
            for unused in last_use.get(position, ()):
                self.memory.release(*self.blocks[unused])
        outputs = self._side_by_side(self._output_cells())
        return Packed(self.instructions, self.memory.initial(), self.program.inputs, outputs)

    def _block(self, group: LaneGroup) -> Block:
        """Place and compute a group; return its block, to be released after its last use."""
        lanes = self._lanes(group)
        if group.op is ROW:
            return self._rows(group, lanes)
        if group.op is ENTRY:
            return self._entries(group)
        if group.op is SCATTER:
            return self._scatter(group, lanes)
        if group.op is PRODUCTS:
            return self._products(group), len(group.nodes)
        place = self._take if group.op is TAKE else self._apply
        return place(group, lanes), len(group.nodes) * lanes

    def _output_cells(self) -> list[int]:
        """Return the cells of the outputs, all lanes of those that have lanes."""
        outputs = self.program.outputs
        cells: list[int] = self._cells(np.array(outputs, dtype=np.int64)).tolist()
        sizes = [self.sizes[node] for node in outputs]
        return [x for cell, n in zip(cells, sizes, strict=True) for x in range(cell, cell + n)]

    def _side_by_side(self, cells: list[int]) -> slice:
        """Return consecutive cells with the outputs, copied unless they are consecutive already."""
        count, first = len(cells), cells[0] if cells else 0
        if cells == [*range(first, first + count)]:
            return slice(first, first + count)
        out = self.memory.block(count)
        sources = np.array(cells, dtype=np.int64)
        starts = [0, *(np.flatnonzero(np.diff(sources) != 1) + 1).tolist(), count]
        if len(starts) > 1 + count // _LONG:
            self.instructions.append(Gather(out, sources))
            return slice(out, out + count)
        for first, last in itertools.pairwise(starts):
            source = Affine(cells[first], 0, 1)
            self.instructions.append(Copy(out + first, 1, last - first, source))
        return slice(out, out + count)

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

    # Sums of products --------------------------------------------------------------------------

    def _products(self, group: LaneGroup) -> int:
        if len(group.nodes) == 1:
            return self._one_sum(group.nodes[0])
        nodes, args = self._arrays(group)
        a, b = self._factors(args)
        bounds = self._alike_terms(a, b)
        starts, a, b, bounds = self._started(a, b, bounds)
        runs = self._runs(a, b, bounds)
        order, pieces = self._ordered(a, b, runs, bounds)
        a, b = a[order], b[order]
        out, starts = self._place(nodes[order]), starts[order]
        if not pieces:
            begun = np.array([self._cell_of(x) for x in starts.tolist()])
            self.instructions.append(GatheredProducts(out, begun, self._cells(a), self._cells(b)))
        for lane, shape in pieces:
            chosen = slice(lane, lane + shape.rows * shape.columns)
            written = tuple(self._run(a[chosen, run], b[chosen, run], shape) for run in runs)
            start = self._start(starts[chosen], shape)
            self.instructions.append(Products(out + lane, *shape, start, written))
        return out

    def _started(
        self, a: Addresses, b: Addresses, bounds: list[tuple[int, int]]
    ) -> tuple[Floats, Addresses, Addresses, list[tuple[int, int]]]:
        """Return the start of each sum (a constant term, or -0.0), and the remaining terms."""
        self._cell_of(-0.0)  # before other constants, so that listings begin alike
        one, first = self.program.one, np.ravel((a[0], b[0]), "F")
        k = self.program.start_of(first.tolist())
        if k is None or (k == 1 and not ((a[:, 0] == one) | (b[:, 0] == one)).all()):
            return np.full(len(a), -0.0), a, b, bounds
        values = self.values[a[:, k]] * self.values[b[:, k]]
        left = [(max(begin - 1, 0), end - 1) for begin, end in bounds if end > 1]
        return values, np.delete(a, k, 1), np.delete(b, k, 1), left

    def _start(self, values: Floats, shape: Grid) -> Affine:
        """Return the place of the numbers from which the sums of a grid start."""
        bits = values.view(np.int64)
        if (bits == bits[0]).all():
            return Affine(self._cell_of(float(values[0])))
        return self._laid_out(values.reshape(*shape, 1), 0)

    def _one_sum(self, node: int) -> int:
        """Place a single sum, whose factors are evenly spaced, or have their places in a table."""
        start, args = self._started_one(self.program.args[node])
        if len(args) <= 2 * FEW:
            cells = np.array([[self._cell(x) for x in args]], dtype=np.int64)
            a, b = cells[:, ::2], cells[:, 1::2]
        else:
            a, b = self._factors(np.array([args]))
            runs = self._runs(a, b, self._alike_terms(a, b))
            if len(runs) <= _most(a.size // _OF_RUN, a.size):
                out, shape = self._place_one(node), Grid(1, 1)
                written = tuple(self._run(a[:, run], b[:, run], shape) for run in runs)
                self.instructions.append(Products(out, *shape, Affine(start), written))
                return out
            a, b = self._cells(a), self._cells(b)
        out = self._place_one(node)
        self.instructions.append(GatheredProducts(out, np.array([start]), a, b))
        return out

    def _started_one(self, args: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
        """Return the cell of the start of a sum, and the factors left; see `_started`."""
        k = self.program.start_of(args)
        if k is None:
            return self._cell_of(-0.0), args
        start = float(self.values[args[2 * k]] * self.values[args[2 * k + 1]])
        return self._cell_of(start), args[: 2 * k] + args[2 * k + 2 :]

    def _factors(self, args: Addresses) -> tuple[Addresses, Addresses]:
        """Return the factors, lanes × terms; in each term, the one of the earlier group first.

        Terms stay in the order in which they were written, on which the digits of a sum depend.
        """
        a, b = args[:, 0::2], args[:, 1::2]
        rank = self.numbers[args] * (self.memory.size + 1) + self.addresses[args]
        swapped = rank[:, 0::2] > rank[:, 1::2]
        return np.where(swapped, b, a), np.where(swapped, a, b)

    def _alike_terms(self, a: Addresses, b: Addresses) -> list[tuple[int, int]]:
        """Return (start, stop) of stretches of terms whose factors are in the same groups."""
        pairs = zip(self.numbers[a[0]].tolist(), self.numbers[b[0]].tolist(), strict=True)
        sizes = [len([*alike]) for _, alike in itertools.groupby(pairs)]
        return list(itertools.pairwise(itertools.accumulate(sizes, initial=0)))

    def _runs(self, a: Addresses, b: Addresses, bounds: list[tuple[int, int]]) -> list[slice]:
        """Return runs of terms whose factors are evenly spaced."""
        cells_a, cells_b = self.addresses[a], self.addresses[b]
        return [
            slice(s.start + first, s.stop + first)
            for first, last in bounds
            for s in term_runs(cells_a[:, first:last], cells_b[:, first:last])
        ]

    def _ordered(
        self, a: Addresses, b: Addresses, runs: list[slice], bounds: list[tuple[int, int]]
    ) -> tuple[Addresses, list[Piece]]:
        """Return the order of lanes that forms the fewest grids, and these; none if too many."""
        keys = self._keys([x[:, s] for x in (a, b) for s, _ in bounds])
        order = lane_order(keys)
        if len(runs) > _most(a.size // _OF_RUN, a.shape[1]):
            return order, []
        tables, most = self._tables(a, b, runs), _most(a.size // _OF_GRID, len(a))
        found = order, _pieces(tables[:, order], most)
        for primary in keys[1 : 1 if self.is_joined else _ORDERS]:
            if len(found[1]) == 1:
                break
            order = lane_order([primary, *keys])
            pieces = _pieces(tables[:, order], most)
            if pieces and not 0 < len(found[1]) <= len(pieces):
                found = order, pieces
        return found

    def _tables(self, a: Addresses, b: Addresses, runs: list[slice]) -> Addresses:
        """Return the addresses of the first factors of each run, runs × lanes."""
        nodes: Addresses = np.array([x[:, run.start] for x in (a, b) for run in runs])
        tables: Addresses = self.addresses[nodes]
        return tables

    def _run(self, a: Addresses, b: Addresses, shape: Grid) -> ProductRun:
        first = self._factor(a, shape, 0)
        return ProductRun(a.shape[1], first, self._factor(b, shape, first.term))

    def _factor(self, nodes: Addresses, shape: Grid, beside: int) -> Affine:
        """Return the place of one factor; constants are stored in the order they are read in."""
        if self._constant(nodes[0, 0]):
            return self._laid_out(self.values[nodes].reshape(*shape, -1), beside)
        cells = self.addresses[nodes]
        term = int(cells[0, 1] - cells[0, 0]) if cells.shape[1] > 1 else 0
        return Affine(*strides(cells[:, 0], shape), term)

    def _laid_out(self, values: Floats, beside: int) -> Affine:
        """Store constants, rows × columns × terms, without axes along which they are equal.

        Terms are contiguous if they are many and those of the other factor are (`beside` is the
        distance between these); else columns are.
        """
        varying = constant_axes(values)
        small = values[tuple(slice(None) if varies else slice(1) for varies in varying)]
        terms_inside = beside == 1 and values.shape[2] >= values.shape[1]
        order = (0, 1, 2) if terms_inside else (2, 0, 1)
        base = self.memory.constant(np.ascontiguousarray(small.transpose(order)))
        distance, found = 1, [0, 0, 0]
        for axis in reversed(order):
            if varying[axis]:
                found[axis] = distance
                distance *= values.shape[axis]
        return Affine(base, *found)


def _most(large: int, lanes: int) -> int:
    """Return how many pieces there may be, if so many could be large."""
    return max(1, min(_PIECES, large)) + lanes // _PER_PIECE


def _pieces(tables: Addresses, most: int) -> list[Piece]:
    """Return the grids that lanes form in order; none if they are too many."""
    lanes = tables.shape[1]
    pieces: list[Piece] = []
    done = 0
    while done < lanes:
        if len(pieces) == most:
            return []
        pieces.append((done, grid(tables[:, done:])))
        done += pieces[-1][1].rows * pieces[-1][1].columns
    return pieces
