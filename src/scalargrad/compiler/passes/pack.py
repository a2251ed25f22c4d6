"""Pack: groups of like nodes become instructions over blocks of memory.

The lanes of a group are ordered by the addresses of their operands, and the terms of a sum are
sorted, so that operands lie at regular distances wherever the program is regular: then a layer
of neurons over a batch is one instruction. Where it is not, addresses are listed in a table.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from scalargrad.compiler.passes.groups import CONSTANTS, INPUTS, Group, group
from scalargrad.compiler.passes.instructions import (
    Addresses,
    Affine,
    Apply,
    Copy,
    Gather,
    GatheredProducts,
    Instruction,
    Packed,
    Products,
    Run,
    Scatter,
    Take,
)
from scalargrad.compiler.passes.layout import Grid, constant_axes, grid, strides, term_runs
from scalargrad.compiler.passes.memory import Floats, Memory
from scalargrad.compiler.passes.program import PRODUCTS, SCATTER, STACK, TAKE, Op, Program

#: A table of addresses replaces so many pieces, plus one per so many lanes or terms.
_PIECES, _PER_PIECE = 8, 16
#: So many orders of lanes are tried where the first does not give one grid.
_ORDERS = 6
#: Outputs that lie in stretches this long on average are copied stretch by stretch.
_LONG = 256
#: So few products in a single lane take less time from a table than by setting up loops.
_FEW = 6

#: The first lane of a grid, and the grid.
Piece = tuple[int, Grid]


def pack(program: Program) -> Packed:
    """Return the instructions and the memory for a flattened `program`."""
    if STACK in program.ops:
        from scalargrad.compiler.passes.lane_pack import LanePacker

        return LanePacker(program).run()
    return Packer(program).run()


class Packer:
    """One walk over the groups of a program; `addresses` fills up as they are placed."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.groups, numbers = group(program)
        self.numbers = np.array(numbers, dtype=np.int64)
        self.numbers[self.numbers == CONSTANTS] = len(self.groups)  # sorts behind the rest
        self.memory = Memory(program.inputs)
        self.addresses = np.full(len(program), -1, dtype=np.int64)
        self.addresses[: program.inputs] = np.arange(program.inputs)
        self.values = np.zeros(len(program))
        for node, value in program.constants.items():
            self.values[node] = value
        self.blocks: dict[int, tuple[int, int]] = {}
        self.cells: dict[int, int] = {}
        self.numbers_at: dict[str, int] = {}
        self.instructions: list[Instruction] = []
        self._places: dict[Op, Callable[[Group], int]]
        self._places = {PRODUCTS: self._products, TAKE: self._take, SCATTER: self._scatter}

    def run(self) -> Packed:
        """Place every group and return what is packed."""
        order = sorted(range(2, len(self.groups)), key=lambda g: self.groups[g].depth)
        last_use = self._last_use(order)
        for position, number in enumerate(order):
            self.blocks[number] = self._block(self.groups[number])
            for unused in last_use.get(position, ()):
                self.memory.release(*self.blocks[unused])
        outputs = self._side_by_side([self._cell(node) for node in self.program.outputs])
        return Packed(self.instructions, self.memory.initial(), self.program.inputs, outputs)

    def _block(self, group: Group) -> tuple[int, int]:
        """Compute a group and return the block it takes, which is free after its last use."""
        place = self._places.get(group.op, self._apply)
        return place(group), len(group.nodes)

    def _side_by_side(self, cells: list[int]) -> slice:
        """Return where the outputs lie, bringing them together if they are scattered."""
        count = len(cells)
        if cells == list(range(cells[0], cells[0] + count)) if cells else True:
            return slice(cells[0] if cells else 0, cells[0] + count if cells else 0)
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
        """Return, for each position in `order`, the groups no later one needs."""
        last: dict[int, int] = {}
        numbers = self.numbers.tolist()
        for position, number in enumerate(order):
            for operand in self.program.args[self.groups[number].nodes[0]]:
                last[numbers[operand]] = position
        for kept in (INPUTS, len(self.groups), *(numbers[x] for x in self.program.outputs)):
            last.pop(kept, None)
        released: dict[int, list[int]] = {}
        for number, position in last.items():
            released.setdefault(position, []).append(number)
        return released

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

    def _place(self, nodes: Any) -> int:
        out = self.memory.block(len(nodes))
        self.addresses[nodes] = np.arange(out, out + len(nodes))
        return out

    def _place_one(self, node: int) -> int:
        out = self.memory.block(1)
        self.addresses[node] = self.cells[node] = out
        return out

    # Operations lane by lane -------------------------------------------------------------------

    def _apply(self, group: Group) -> int:
        if len(group.nodes) == 1:
            (node,) = group.nodes
            cells = tuple([self._cell(x) for x in self.program.args[node]])
            out = self._place_one(node)
            self.instructions.append(Apply(group.op, out, 1, cells))
            return out
        lanes, nodes = len(group.nodes), np.array(group.nodes)
        args = np.array([self.program.args[node] for node in group.nodes])
        order = lane_order(self._keys(args)[::-1])
        nodes, args = nodes[order], args[order]
        brought: list[tuple[int, int]] = []
        operands = tuple(self._contiguous(args[:, i], brought) for i in range(args.shape[1]))
        out = self._place(nodes)
        self.instructions.append(Apply(group.op, out, lanes, operands))
        for block in brought:
            self.memory.release(*block)
        return out

    def _keys(self, args: Addresses) -> list[Addresses]:
        """Return the columns of addresses to sort lanes by: few different ones first."""
        columns = [self.addresses[args[:, i]] for i in range(args.shape[1])]
        counted = [(len(set(column.tolist())), i) for i, column in enumerate(columns)]
        return [columns[i] for _, i in sorted(counted)]

    def _contiguous(self, nodes: Addresses, brought: list[tuple[int, int]]) -> int:
        """Return where the numbers of `nodes` stand side by side, copying them if need be."""
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

    def _take(self, group: Group) -> int:
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
        for block in brought:
            self.memory.release(*block)
        return out

    def _row(self, table: Addresses, brought: list[tuple[int, int]]) -> tuple[int, int]:
        """Return base and distance of the entries of a table, copied if they have none."""
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

    def _scatter(self, group: Group) -> int:
        nodes = np.array(group.nodes)
        args = np.array([self.program.args[node] for node in group.nodes])
        rows, which = np.unique(args[:, 1:], axis=0, return_inverse=True)
        size = self.values[rows[:, 0]].astype(np.int64)
        start = np.cumsum(size) - size
        out = self.memory.block(int(size.sum()))
        self.addresses[nodes] = (
            out + start[which.ravel()] + self.values[args[:, 0]].astype(np.int64)
        )
        index, values = self._cells(rows[:, 1::2]), self._cells(rows[:, 2::2])
        self.instructions.append(Scatter(out, start, size, index, values))
        return out

    # Sums of products --------------------------------------------------------------------------

    def _products(self, group: Group) -> int:
        first = group.nodes[0]
        if len(group.nodes) == 1 and len(self.program.args[first]) <= 2 * _FEW:
            return self._few_products(first)
        nodes = np.array(group.nodes)
        a, b = self._canonical(np.array([self.program.args[node] for node in group.nodes]))
        bounds = self._alike_terms(a, b)
        start, a, b, bounds = self._started(a, b, bounds)
        keys = self._keys(np.stack([x[:, s] for x in (a, b) for s, _ in bounds], axis=1))
        runs = self._runs(a, b, bounds)
        order, pieces = self._ordered(a, b, runs, keys)
        a, b = a[order], b[order]
        out = self._place(nodes[order])
        if not pieces:
            self.instructions.append(GatheredProducts(out, start, self._cells(a), self._cells(b)))
        for lane, shape in pieces:
            chosen = slice(lane, lane + shape.rows * shape.columns)
            written = tuple(self._run(a[chosen, run], b[chosen, run], shape) for run in runs)
            self.instructions.append(Products(out + lane, *shape, start, written))
        return out

    def _started(
        self, a: Addresses, b: Addresses, bounds: list[tuple[int, int]]
    ) -> tuple[int, Addresses, Addresses, list[tuple[int, int]]]:
        """Return the cell a sum starts from, and what is left: a constant term may be in it."""
        if self._constant(a[0, -1]):  # the constant term, last and alone
            values = self.values[a[:, -1]] * self.values[b[:, -1]]
            if len(np.unique(values.view(np.int64))) == 1:
                return self._cell_of(float(values[0])), a[:, :-1], b[:, :-1], bounds[:-1]
        return self._cell_of(-0.0), a, b, bounds

    def _few_products(self, node: int) -> int:
        """Place a single sum of few products, read from a table."""
        cells = np.array([[self._cell(x) for x in self.program.args[node]]], dtype=np.int64)
        out = self._place_one(node)
        start = self._cell_of(-0.0)
        self.instructions.append(GatheredProducts(out, start, cells[:, ::2], cells[:, 1::2]))
        return out

    def _cell_of(self, number: float) -> int:
        key = number.hex()
        if key not in self.numbers_at:
            self.numbers_at[key] = self.memory.constant([number])
        return self.numbers_at[key]

    def _constant(self, node: int) -> bool:
        return bool(self.numbers[node] == len(self.groups))

    def _canonical(self, args: Addresses) -> tuple[Addresses, Addresses]:
        """Return the factors, lanes × terms, with factors and terms in one order everywhere."""
        a, b = args[:, 0::2], args[:, 1::2]
        rank = self.numbers[args] * (self.memory.size + 1) + self.addresses[args]
        swapped = rank[:, 0::2] > rank[:, 1::2]
        a, b = np.where(swapped, b, a), np.where(swapped, a, b)
        if a.shape[1] > 1:
            first, second = np.minimum(x := rank[:, 0::2], y := rank[:, 1::2]), np.maximum(x, y)
            order = np.lexsort((second, first, self.numbers[b], self.numbers[a]), axis=1)
            a, b = np.take_along_axis(a, order, axis=1), np.take_along_axis(b, order, axis=1)
        return a, b

    def _alike_terms(self, a: Addresses, b: Addresses) -> list[tuple[int, int]]:
        """Return (first, last + 1) of the terms whose factors come from the same groups."""
        first = np.stack([self.numbers[a[0]], self.numbers[b[0]]])
        changes = np.flatnonzero((np.diff(first, axis=1) != 0).any(axis=0)) + 1
        edges = [0, *changes.tolist(), a.shape[1]]
        return list(itertools.pairwise(edges))

    def _runs(self, a: Addresses, b: Addresses, bounds: list[tuple[int, int]]) -> list[slice]:
        """Return the terms in stretches of regular distance."""
        cells_a, cells_b = self.addresses[a], self.addresses[b]
        return [
            slice(s.start + first, s.stop + first)
            for first, last in bounds
            for s in term_runs(cells_a[:, first:last], cells_b[:, first:last])
        ]

    def _ordered(
        self, a: Addresses, b: Addresses, runs: list[slice], keys: list[Addresses]
    ) -> tuple[Addresses, list[Piece]]:
        """Return the order of lanes that falls into the fewest grids, and these; none: a table."""
        order = lane_order(keys)
        if len(runs) > _PIECES + a.shape[1] // _PER_PIECE:
            return order, []
        tables = self._tables(a, b, runs)
        found = order, _pieces(tables[:, order])
        for primary in keys[1:_ORDERS]:
            if len(found[1]) == 1:
                break
            order = lane_order([primary, *keys])
            pieces = _pieces(tables[:, order])
            if pieces and not 0 < len(found[1]) <= len(pieces):
                found = order, pieces
        return found

    def _tables(self, a: Addresses, b: Addresses, runs: list[slice]) -> Addresses:
        """Return the addresses of the first factors of each run, runs × lanes."""
        return np.stack([self.addresses[x[:, run.start]] for x in (a, b) for run in runs])

    def _run(self, a: Addresses, b: Addresses, shape: Grid) -> Run:
        first = self._factor(a, shape, 0)
        return Run(a.shape[1], first, self._factor(b, shape, first.term))

    def _factor(self, nodes: Addresses, shape: Grid, beside: int) -> Affine:
        """Return where one factor lies; constants are laid out as the loops will read them."""
        if self._constant(nodes[0, 0]):
            return self._laid_out(self.values[nodes].reshape(*shape, -1), beside)
        cells = self.addresses[nodes]
        term = int(cells[0, 1] - cells[0, 0]) if cells.shape[1] > 1 else 0
        return Affine(*strides(cells[:, 0], shape), term)

    def _laid_out(self, values: Floats, beside: int) -> Affine:
        """Store the block rows × columns × terms, leaving out axes along which it is constant.

        Terms lie side by side if those of the other factor do (`beside` is their distance) and
        are many, else columns.
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

    def _cells(self, nodes: Addresses) -> Addresses:
        cells = self.addresses[nodes]
        for where in np.argwhere(cells < 0):
            cells[tuple(where)] = self._cell(int(nodes[tuple(where)]))
        return cells


def _pieces(tables: Addresses) -> list[Piece]:
    """Return the grids that lanes fall into one after another; none if they are too many."""
    lanes = tables.shape[1]
    pieces: list[Piece] = []
    done = 0
    while done < lanes:
        if len(pieces) > _PIECES + lanes // _PER_PIECE:
            return []
        pieces.append((done, grid(tables[:, done:])))
        done += pieces[-1][1].rows * pieces[-1][1].columns
    return pieces


def lane_order(keys: list[Addresses]) -> Addresses:
    """Return the order of lanes by the first key, then the next; equal ones stay in order."""
    return np.lexsort(keys[::-1])
