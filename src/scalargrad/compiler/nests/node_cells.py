"""The elements of arrays that have the numbers of nodes, and copies of them in any order.

Loops leave the numbers of nodes in arrays, such as those of ``s`` in ``add[i+1]``. An output, or a
part of the program that reads these nodes in another order, copies them:

    for i in 90:
        y[i] = add[i+1]
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import NamedTuple

import numpy as np

from scalargrad.compiler.array_types import Flags, Floats, Integers
from scalargrad.compiler.nests.builder import Builder
from scalargrad.compiler.nests.equations import (
    ADD,
    Access,
    Arg,
    Array,
    Index,
    Loop,
    Step,
    Var,
    as_index,
)
from scalargrad.compiler.nests.lowering_error import LoweringError
from scalargrad.compiler.nests.partition import NodeColumns
from scalargrad.compiler.passes.kinds import BATCH, TAKE, UNBATCH, Held, Op, Stacked, Total
from scalargrad.ops import TABLE

#: The most constants that are written one by one; more are copied from an array of them.
_NUMBERS = 8
_IDENTITY, _MUL, _ADD, _FLOOR, _WHERE, _GE, _LT, _EQ = (
    TABLE[x] for x in ("identity", "mul", "add", "floor", "where", "ge", "lt", "eq")
)
_AT_ZERO = Index()


class Column(NamedTuple):
    """A cell for each of several nodes, all in one array.

    Attributes
    ----------
    array : Array
        If it has a further dimension, it is that of examples.
    at : integers of shape (nodes, dimensions)
        The indices of each.
    """

    array: Array
    at: Integers

    def cell(self, row: int, vars: Mapping[int, Var]) -> Access:
        """Return the cell of one node, given the variables over lanes."""
        lanes = (as_index(vars[n]) for n in self.array.shape[self.at.shape[1] :])
        return Access(self.array, (*map(Index, self.at[row].tolist()), *lanes))


class CellTable:
    """The cells of nodes, most of them in columns: a hundred thousand take no object each.

    Parameters
    ----------
    count : int
        The number of nodes.
    """

    def __init__(self, count: int) -> None:
        self.columns: list[Column | Arg] = []
        self._column, self._row = np.full(count, -1), np.zeros(count, np.int64)

    def put(self, nodes: Sequence[int] | Integers, cells: Column | Arg) -> None:
        """Set the cells of some nodes, or the one that all of them have."""
        self._column[nodes], self._row[nodes] = len(self.columns), np.arange(len(nodes))
        self.columns.append(cells)

    def put_row(self, nodes: Sequence[int], array: Array) -> None:
        """Set cells of some nodes, one after the other in an array."""
        self.put(nodes, Column(array, np.arange(len(nodes))[:, None]))

    def places(self, nodes: Sequence[int] | Integers) -> tuple[Integers, Integers]:
        """Return the column of each of some nodes, -1 if it has no cell, and its row there."""
        return self._column[nodes], self._row[nodes]

    def arrays(self, nodes: Integers) -> set[Array]:
        """Return the arrays that hold cells of some nodes."""
        columns = (self.columns[k] for k in {*self._column[nodes].tolist()} - {-1})
        return {x.array for x in columns if not isinstance(x, float)}

    def __contains__(self, node: int) -> bool:
        return bool(self._column[node] >= 0)

    def get(self, node: int, vars: Mapping[int, Var]) -> Arg | None:
        """Return the cell of a node, given the variables over lanes; None if it has none."""
        if node not in self:
            return None
        found = self.columns[self._column[node]]
        return found.cell(int(self._row[node]), vars) if isinstance(found, Column) else found


class NodeCells:
    """The cells of nodes; that of a node with lanes has an index over them.

    Attributes
    ----------
    found : NodeColumns
    given : Array
        The inputs of the program.
    builder : Builder
        The builder that writes cells.
    known : CellTable
        The cells of inputs and of nodes that are computed.
    points : CellTable
        Copies of inputs and of nodes that derivatives are taken with respect to: all their readers
        read these.
    vars : dict from int to Var
        The variable over lanes, by their number.
    """

    def __init__(self, found: NodeColumns, given: Array, builder: Builder) -> None:
        self.found, self.program, self.given = found, found.program, given
        self.builder = builder
        self.known, self.points = CellTable(len(self.program)), CellTable(len(self.program))
        self.known.put_row(range(self.program.inputs), given)
        several = {*found.sizes.tolist()} - {1}
        self.vars = {n: builder.var(n, "e") for n in sorted(several)}

    def op(self, node: int) -> Op:
        """Return the operation of a node."""
        found: Op = self.found.written.table[self.found.written.codes[node]]
        return found

    def args(self, node: int) -> tuple[int, ...]:
        """Return the operands of a node."""
        return self.found.written.args_of(node)

    def lanes(self, node: int) -> int:
        """Return the number of lanes of a node, 1 for a single number."""
        return int(self.found.sizes[node])

    def var(self, lanes: int) -> Var | None:
        """Return the variable over a number of lanes; None for single numbers."""
        return self.vars[lanes] if lanes > 1 else None

    def has_own_point(self, node: int) -> bool:
        """Return whether derivatives are taken by a number for each example by itself."""
        found = self.points.get(node, self.vars)
        return isinstance(found, Access) and bool(found.variables)

    def single(self, node: int, lane: int = 0) -> Arg:
        """Return the cell of a single number, or that of one lane of a node."""
        op = self.op(node)
        if isinstance(op, Held):
            return float(op.numbers[lane])
        x = self.cell(node)
        if isinstance(x, float) or not x.variables:
            return x
        return x.substituted({var: Index(lane) for var in self.vars.values()})

    def cell(self, node: int) -> Arg:
        """Return the cell of a single number, or that of each example."""
        for cells in (self.points, self.known):
            if (found := cells.get(node, self.vars)) is not None:
                return found
        op, args, constants = self.op(node), self.args(node), self.program.constants
        if node in constants:
            return constants[node]
        if op is UNBATCH:
            return self.single(*self.found.lanes[node])
        if op is TAKE:
            self._write_lookups(node)
        elif op is BATCH:
            row = self.builder.array("u", (1, len(args)))
            self.copy(row, [node], self.vars[len(args)])
            self.known.put_row([node], row)
        elif isinstance(op, Stacked):
            first, step = (int(constants[x]) for x in args)
            place = self.vars[op.lanes] * step + (self.program.inputs + first)
            self.known.put([node], Access(self.given, (place,)))
        elif isinstance(op, Total):
            x, factor = map(self.cell, args)
            total = Access(self.builder.array("total", ()))
            own = Step(total, _MUL, (factor, x), ADD)
            if factor == 1.0:
                own = Step(total, _IDENTITY, (x,), ADD)
            self.builder.append(Loop(self.vars[op.lanes], [own]))
            self.known.put([node], total)
        else:
            raise LoweringError(f"a result of {op} is read before it is computed")
        return self.cell(node)

    # Lookups -----------------------------------------------------------------------------------

    def _write_lookups(self, node: int) -> None:
        """Write all lookups of one form, and note their cells.

        Their tables have equal numbers of entries, lanes and lookups, after the same gradients. So
        they are loops over the tables and over the lookups in each.
        """
        b, written, tables = self.builder, self.found.written, dict[tuple[int, ...], list[int]]()
        for x, (_, row) in zip(written.places(TAKE), written.args_with(TAKE), strict=True):
            tables.setdefault((row, self.lanes(x), int(self.found.levels[x])), []).append(x)
        groups: dict[tuple[int, ...], list[list[int]]] = {}
        for own, nodes in tables.items():
            form = len(self.args(own[0])), len(nodes), self.lanes(own[0]), *own[1:]
            groups.setdefault(form, []).append(nodes)
        (((size, count, wide, lanes, _), found),) = (
            x for x in groups.items() if any(node in nodes for nodes in x[1])
        )
        every, var = [x for nodes in found for x in nodes], self.var(lanes)
        taken, at = (
            b.array(x, (len(every), lanes) if var else (len(every),)) for x in ("taken", "at")
        )
        after = (as_index(var),) if var else ()
        self.known.put_row(every, taken)
        entries = [y for nodes in found for y in self.args(self.args(nodes[0])[1])]
        wide = lanes if any(map(self.has_own_point, entries)) else wide
        table = b.array("table", (len(entries), *((wide,) if wide > 1 else ())))
        self.copy(table, entries, self.var(wide))
        self.copy(at, [self.args(x)[0] for x in every], var)
        with ExitStack() as stack:
            group, k = (
                stack.enter_context(b.loop(n)) if n > 1 else Index() for n in (len(found), count)
            )
            if var:
                stack.enter_context(b.loop(var))
            which = group * count + k, *after
            first = Access(table, (group * size, *(after if wide > 1 else ())))
            self._look(Access(taken, which), Access(at, which), first, size)

    def _look(self, out: Access, at: Access, first: Access, size: int) -> None:
        """Write one lookup in a table of this first entry, at each turn of the loops around.

        An index that is outside gives nan, so that the call is made eagerly and names it.
        """
        step = self.builder.step
        inside = step(_MUL, (step(_GE, (at, -float(size))), step(_LT, (at, float(size)))))
        known = step(_MUL, (inside, step(_EQ, (at, step(_FLOOR, (at,))))))
        from_end = step(_ADD, (at, float(size)))
        counted = step(_WHERE, (step(_LT, (at, 0.0)), from_end, at))
        place = step(_WHERE, (known, counted, 0.0))
        index, *others = first.indices
        found = step(_IDENTITY, (Access(first.array, (index + Index(0, (), place), *others)),))
        self.builder.append(Step(out, _WHERE, (known, found, math.nan)))

    # Copies ------------------------------------------------------------------------------------

    def copy(self, to: Array, nodes: Sequence[int], var: Var | None = None) -> None:
        """Copy numbers to an array in order; those of examples, which `var` indexes, to rows."""
        if var is None:
            self.copy_singles(to, np.arange(len(nodes))[:, None], np.array(nodes, np.int64))
            return
        joined = [k for k, x in enumerate(nodes) if self.op(x) is BATCH and x not in self.known]
        args = [y for k in joined for y in self.args(nodes[k])]
        at = np.array([*itertools.product(joined, range(var.extent.base))], np.int64)
        self.copy_singles(to, at.reshape(-1, 2), np.array(args, np.int64))
        others = sorted({*range(len(nodes))} - {*joined})
        cells = [op.numbers if isinstance(op := self.op(nodes[k]), Held) else self.cell(nodes[k])
                 for k in others]  # fmt: skip
        with self.builder.loop(var):
            at = np.array(others, np.int64)[:, None]
            self._copy(to, at, self._patterns(cells, var), var)

    def copy_singles(
        self, to: Array, at: Integers, nodes: Integers, lanes: Integers | None = None
    ) -> None:
        """Copy single numbers to cells at some indices, in loops where they are evenly apart.

        Parameters
        ----------
        to : Array
        at : integers of shape (numbers, dimensions)
        nodes : integers
        lanes : integers, optional
            Which lane of its node each number is; by default, the first.
        """
        nodes, lanes = self._made_of(nodes, np.zeros_like(nodes) if lanes is None else lanes)
        order = np.argsort(np.where(self.found.sizes[nodes] > 1, nodes, -1), kind="stable")
        self._copy(to, at[order], self._singles(nodes[order], lanes[order]))

    def _made_of(self, nodes: Integers, lanes: Integers) -> tuple[Integers, Integers]:
        """Return the nodes and lanes that single lanes, and lanes that were joined, are."""
        nodes, lanes = nodes.copy(), lanes.copy()
        parts = self.found.written.where(lambda op: op is BATCH or op is UNBATCH)
        while len(left := np.flatnonzero(parts[nodes] & (self.known.places(nodes)[0] < 0))):
            for k in left.tolist():
                x = int(nodes[k])
                if self.op(x) is BATCH:
                    nodes[k], lanes[k] = self.args(x)[lanes[k]], 0
                else:
                    nodes[k], lanes[k] = self.found.lanes[x]
        return nodes, lanes

    def _singles(self, nodes: Integers, lanes: Integers) -> _Cells:
        """Return the cells of lanes of some nodes."""
        columns, column, rows = self._columns_of(nodes)
        others = np.flatnonzero(column < 0)
        pairs = zip(nodes[others].tolist(), lanes[others].tolist(), strict=True)
        of, which, at = self._patterns([self.single(x, lane) for x, lane in pairs])
        used = [columns[k] for k in {*column.tolist()} - {-1}]
        width = max([len(x.array.shape) for x in used], default=0)
        every = np.zeros((len(nodes), max(width, at.shape[1])), np.int64)
        every[others, : at.shape[1]] = at
        kinds = np.empty(len(nodes), np.int64)
        kinds[others] = which
        place = {x.array if isinstance(x, Access) else k: k for k, x in enumerate(of)}
        cuts = np.flatnonzero(np.diff(column)) + 1
        for i, j in itertools.pairwise([0, *cuts.tolist(), len(nodes)]):
            if i < j and column[i] >= 0:
                array, known = columns[column[i]]
                every[i:j, : len(array.shape)] = lanes[i:j, None]
                every[i:j, : known.shape[1]] = known[rows[i:j]]
                kinds[i:j] = place.setdefault(array, len(of))
                if len(place) > len(of):
                    of.append(Access(array, (_AT_ZERO,) * len(array.shape)))
        return _Cells(of, kinds, every)

    def _columns_of(self, nodes: Integers) -> tuple[list[Column], Integers, Integers]:
        """Return columns, which of them each node is in, -1 for none, and its row there."""
        (point, row), (known, other) = (x.places(nodes) for x in (self.points, self.known))
        columns = [*self.points.columns, *self.known.columns]
        which = np.where(point >= 0, point, known + len(self.points.columns))
        is_column = np.array([isinstance(x, Column) for x in columns], np.bool_)
        which[((point < 0) & (known < 0)) | ~is_column[which]] = -1
        return columns, which, np.where(point >= 0, row, other)  # type: ignore[return-value]

    def _patterns(self, cells: Sequence[Arg | Floats], var: Var | None = None) -> _Cells:
        """Return cells by their patterns; rows, and many numbers, are in a constant array."""
        numbers = [x for x in cells if not isinstance(x, Access)]
        if len(numbers) > _NUMBERS or not all(isinstance(x, float) for x in numbers):
            data = np.array(np.broadcast_arrays(*numbers))
            held, place = self.builder.array("held", data.shape, "const", data), itertools.count()
            lane = (as_index(var),) if data.ndim > 1 and var else ()
            cells = [x if isinstance(x, Access) else Access(held, (Index(next(place)), *lane))
                     for x in cells]  # fmt: skip
        of, known = list[Arg](), dict[Access | int, int]()
        which = np.zeros(len(cells), np.int64)
        width = max([len(x.indices) for x in cells if isinstance(x, Access)], default=0)
        at = np.zeros((len(cells), width), np.int64)
        for k, x in enumerate(cells):
            if isinstance(x, Access):
                at[k, : len(x.indices)] = [i.base for i in x.indices]
                x = Access(x.array, tuple([i - i.base for i in x.indices]))
            which[k] = known.setdefault(x if isinstance(x, Access) else k, len(of))
            if which[k] == len(of):
                assert isinstance(x, Access | float)
                of.append(x)
        return _Cells(of, which, at)

    def _copy(self, to: Array, out: Integers, cells: _Cells, var: Var | None = None) -> None:
        """Copy cells to others, in loops over runs that are evenly apart, and over such loops."""
        b, (of, which, at), depth = self.builder, cells, out.shape[1]
        every = np.concatenate([out, at], axis=1)
        steps = np.diff(every, axis=0)
        is_cell = np.array([isinstance(x, Access) for x in of], np.bool_)[which]
        fits = is_cell[1:] & (which[1:] == which[:-1])
        if not len(which):
            return
        first, sizes = np.array([*_runs(fits, steps)], np.int64).T
        strides = every[first + (sizes > 1)] - every[first]
        alike = np.concatenate([which[first, None], sizes[:, None], strides], axis=1)
        rows = _runs(
            is_cell[first[1:]] & (alike[1:] == alike[:-1]).all(axis=1),
            np.diff(every[first], axis=0),
        )
        for k, count in rows:
            places = [*map(Index, every[first[k]].tolist())]
            moved = every[first[k + 1]] - every[first[k]] if count > 1 else strides[k]
            with ExitStack() as stack:
                for size, step in ((count, moved), (sizes[k], strides[k])):
                    if size > 1:
                        i = stack.enter_context(b.loop(int(size)))
                        places = [x + i * j for x, j in zip(places, step.tolist(), strict=True)]
                cell = of[which[first[k]]]
                if isinstance(cell, Access):
                    pairs = zip(cell.indices, places[depth:], strict=False)
                    cell = Access(cell.array, tuple([x + y for x, y in pairs]))
                own = (*places[:depth], as_index(var)) if var else tuple(places[:depth])
                b.append(Step(Access(to, own), _IDENTITY, (cell,)))


class _Cells(NamedTuple):
    """Several cells, by their patterns: a pattern and what is added to its indices, of each."""

    of: list[Arg]
    which: Integers
    at: Integers


def _runs(fits: Flags, steps: Integers) -> Iterator[tuple[int, int]]:
    """Yield the first and the number of entries that are evenly apart, run after run.

    Parameters
    ----------
    fits : flags
        For each entry but the last, whether the next may be in the same run.
    steps : integers
        How far the next is.
    """
    goes_on = fits[1:] & fits[:-1] & (steps[1:] == steps[:-1]).all(axis=1)
    ends = iter([*(np.flatnonzero(~goes_on) + 1).tolist(), len(steps)])
    first = 0
    while first <= len(steps):
        is_single = first == len(steps) or not fits[first]
        last = first if is_single else next(x for x in ends if x > first)
        yield first, last - first + 1
        first = last + 1
