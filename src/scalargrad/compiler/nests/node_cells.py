"""Cells of nodes in the equations, and copies of them in any order."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

import numpy as np

from scalargrad.compiler.array_types import Integers
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
from scalargrad.compiler.nests.partition import NodeColumns
from scalargrad.compiler.passes.kinds import BATCH, TAKE, UNBATCH, Held, Op, Stacked, Total
from scalargrad.errors import TraceError
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
    at : integers of shape (nodes, dimensions)
        The indices of each.
    after : tuple of Index
        Further ones, of all.
    """

    array: Array
    at: Integers
    after: tuple[Index, ...] = ()

    def cell(self, row: int) -> Access:
        """Return the cell of one node."""
        return Access(self.array, (*map(Index, self.at[row].tolist()), *self.after))


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

    def put_row(self, nodes: Sequence[int], array: Array, *after: Index) -> None:
        """Set cells of some nodes, one after the other in an array."""
        self.put(nodes, Column(array, np.arange(len(nodes))[:, None], after))

    def places(self, nodes: Sequence[int] | Integers) -> tuple[Integers, Integers]:
        """Return the column of each of some nodes, -1 if it has no cell, and its row there."""
        return self._column[nodes], self._row[nodes]

    def arrays(self, nodes: Integers) -> set[Array]:
        """Return the arrays that hold cells of some nodes."""
        columns = (self.columns[k] for k in {*self._column[nodes].tolist()} - {-1})
        return {x.array for x in columns if not isinstance(x, float)}

    def __contains__(self, node: int) -> bool:
        return bool(self._column[node] >= 0)

    def get(self, node: int) -> Arg | None:
        """Return the cell of a node; None if it has none."""
        if node not in self:
            return None
        found = self.columns[self._column[node]]
        return found.cell(int(self._row[node])) if isinstance(found, Column) else found


class Lane(NamedTuple):
    """One lane of a node, as a single number."""

    node: int
    lane: int


Node = int | Lane


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

    def op(self, node: Node) -> Op | None:
        """Return the operation of a node; None of a single lane of one."""
        written = self.found.written
        return None if isinstance(node, Lane) else written.table[written.codes[node]]

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
        found = self.points.get(node)
        return isinstance(found, Access) and bool(found.variables)

    def single(self, node: Node) -> Arg:
        """Return the cell of a single number; of what examples have in common, the first one's."""
        return self._at(self.cell(node), 0)

    def cell(self, node: Node) -> Arg:
        """Return the cell of a single number, or that of each example."""
        if isinstance(node, Lane):
            return self._lane(*node)
        for cells in (self.points, self.known):
            if (found := cells.get(node)) is not None:
                return found
        constants = self.program.constants
        return constants[node] if node in constants else self._of_examples(node)

    def _of_examples(self, node: int) -> Arg:
        """Return the cell of a number of each example, or of a node computed from such."""
        op, args, constants = self.op(node), self.args(node), self.program.constants
        found: Arg
        if op is UNBATCH:
            return self._lane(args[0], int(constants[args[1]]))
        if isinstance(op, Stacked):
            first, step = (int(constants[x]) for x in args)
            place = self.vars[op.lanes] * step + (self.program.inputs + first)
            return Access(self.given, (place,))
        if op is TAKE:
            self._write_lookups(node)
            return self.cell(node)
        if op is BATCH:
            row, var = self.builder.array("u", (1, len(args))), self.vars[len(args)]
            self.copy(row, [node], var)
            found = Access(row, (Index(), as_index(var)))
            self.known.put([node], found)
            return found
        if not isinstance(op, Total):
            raise TraceError(f"a result of {op} is read before it is computed")
        x, factor = map(self.cell, args)
        found = self.sum(x, factor, self.vars[op.lanes])
        self.known.put([node], found)
        return found

    def _lane(self, node: int, lane: int) -> Arg:
        op = self.op(node)
        if op is BATCH and node not in self.known:
            return self.single(self.args(node)[lane])
        if isinstance(op, Held):
            return float(op.numbers[lane])
        return self._at(self.cell(node), lane)

    def _at(self, x: Arg, lane: int) -> Arg:
        """Return the cell of one example."""
        if isinstance(x, float) or not x.variables:
            return x
        return x.substituted({var: Index(lane) for var in self.vars.values()})

    def sum(self, x: Arg, factor: Arg, var: Var) -> Access:
        """Write a sum over examples of products with a factor; return its cell."""
        total = Access(self.builder.array("total", ()))
        op, args = (_IDENTITY, (x,)) if factor == 1.0 else (_MUL, (factor, x))
        self.builder.append(Loop(var, [Step(total, op, args, ADD)]))
        return total

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
        self.known.put_row(every, taken, *after)
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

    def copy(
        self,
        to: Array,
        nodes: Sequence[Any],
        var: Var | None = None,
        places: Sequence[int] | None = None,
    ) -> None:
        """Copy numbers to cells of an array, in loops where they are evenly apart.

        Parameters
        ----------
        to : Array
        nodes : sequence of int or Lane
        var : Var, optional
            Of numbers of examples, which go to rows: which example it is.
        places : sequence of int, optional
            Where each single number goes; by default, one after the other.
        """
        if var:
            self._copy_examples(to, nodes, var)
            return
        pairs = [*zip(range(len(nodes)) if places is None else places, nodes, strict=True)]
        left = self._copy_lanes(to, pairs) if self.vars else pairs
        columns, which, rows = self._columns_of([x for _, x in left])
        others = [left[k] for k in np.flatnonzero(which < 0).tolist()]
        found = self._in_runs({k: self.single(x) for k, x in others})
        at = np.array([k for k, _ in left], np.int64)
        cuts = np.flatnonzero((np.diff(which) != 0) | (np.diff(at) != 1)) + 1
        for i, j in itertools.pairwise([0, *cuts.tolist(), len(left)]):
            if i == j or which[i] < 0:
                continue
            column = columns[which[i]]
            for first, run in _equal_steps(column.at[rows[i:j]], len(column.after)):
                cell = self._at(column.cell(int(rows[i + first])), 0)
                found[int(at[i + first])] = cell, run
        self._copy(dict(sorted(found.items())), to)

    def _columns_of(self, nodes: Sequence[Node]) -> tuple[list[Column], Integers, Integers]:
        """Return columns, which of them each node is in, -1 for none, and its row there."""
        own = np.array([-1 if isinstance(x, Lane) else x for x in nodes], np.int64)
        (point, row), (known, other) = (x.places(own) for x in (self.points, self.known))
        columns = [*self.points.columns, *self.known.columns]
        which = np.where(point >= 0, point, known + len(self.points.columns))
        is_column = np.array([isinstance(x, Column) for x in columns], np.bool_)
        which[(own < 0) | ((point < 0) & (known < 0)) | ~is_column[which]] = -1
        return columns, which, np.where(point >= 0, row, other)  # type: ignore[return-value]

    def _copy_examples(self, to: Array, nodes: Sequence[int], var: Var) -> None:
        """Copy the numbers of examples to the rows of an array."""
        cells: dict[int, Arg] = {}
        numbers = {k: op.numbers for k, x in enumerate(nodes) if isinstance(op := self.op(x), Held)}
        if numbers:
            data = np.array([*numbers.values()])
            held = self.builder.array("held", data.shape, "const", data)
            for place, k in enumerate(numbers):
                cells[k] = Access(held, (Index(place), as_index(var)))
        for k, x in ((k, x) for k, x in enumerate(nodes) if k not in numbers):
            if self.op(x) is BATCH and x not in self.known:
                args = self.args(x)
                cell = self._evenly(args, var)
                if cell is None:
                    singles = {j: self.single(y) for j, y in enumerate(args)}
                    self._copy(self._in_runs(singles), to, (Index(k),))
                else:
                    cells[k] = cell
            else:
                cells[k] = self.cell(x)
        if cells:
            with self.builder.loop(var):
                self._copy(self._in_runs(cells), to, (), (as_index(var),))

    def _evenly(self, nodes: Sequence[int], var: Var) -> Access | None:
        """Return the cell of inputs that are evenly apart, one for each example."""
        first, step = nodes[0], nodes[1] - nodes[0]
        if max(nodes) >= self.program.inputs or not step:
            return None
        if nodes != (*range(first, first + step * len(nodes), step),):
            return None
        cell = self.cell(first)
        assert isinstance(cell, Access)
        return Access(cell.array, (var * step + cell.indices[0],))

    def _copy_lanes(self, to: Array, nodes: Iterable[tuple[int, Node]]) -> list[tuple[int, Node]]:
        """Copy all lanes of nodes to cells evenly apart; return what is left."""
        rows, lanes = dict[int, list[tuple[int, int]]](), self.found.lanes
        left: list[tuple[int, Node]] = []
        alike: dict[tuple[Var, Index], dict[int, Arg]] = {}  # by where their lanes go
        for k, x in nodes:
            if isinstance(x, Lane):
                rows.setdefault(x.node, []).append((k, x.lane))
            elif x in lanes and x not in self.known:
                of, lane = lanes[x]
                rows.setdefault(of, []).append((k, lane))
            else:
                left.append((k, x))
        pairs = ((x, every[k : k + self.lanes(x)]) for x, every in rows.items()
                 for k in range(0, len(every), self.lanes(x)))  # fmt: skip
        for x, found in pairs:
            place = self._evenly_spaced(x, found)
            cell = None
            if place is not None and not isinstance(self.op(x), Held):
                is_batch = self.op(x) is BATCH and x not in self.known
                cell = self._evenly(self.args(x), self._var(x)) if is_batch else self.cell(x)
            if place is None or cell is None:
                left += [(k, Lane(x, lane)) for k, lane in found]
            else:
                alike.setdefault((self._var(x), place - place.base), {})[place.base] = cell
        for (var, along), cells in alike.items():
            with self.builder.loop(var):
                self._copy(self._in_runs(cells), to, along=along)
        return left

    def _var(self, node: int) -> Var:
        return self.vars[self.lanes(node)]

    def _evenly_spaced(self, node: int, found: Sequence[tuple[int, int]]) -> Index | None:
        """Return the index of each example's place, if all of a node's are evenly spaced."""
        count = self.lanes(node)
        (first, _), *others = found
        step = others[0][0] - first if others else 0
        expected = [(first + step * k, k) for k in range(count)]
        return self._var(node) * step + first if step > 0 and [*found] == expected else None

    def _in_runs(self, cells: Mapping[int, Arg]) -> dict[int, tuple[Arg, _Run]]:
        """Return the first cells of runs, with the runs, by where they go."""
        numbers = {k: x for k, x in cells.items() if isinstance(x, float)}
        if len(numbers) > _NUMBERS:
            data = np.array([*numbers.values()])
            held = self.builder.array("held", data.shape, "const", data)
            cells = {**cells, **{k: Access(held, (Index(j),)) for j, k in enumerate(numbers)}}
        places, found = [*cells], dict[int, tuple[Arg, _Run]]()
        while places:
            run = _run(places, cells)
            found[places[0]] = cells[places[0]], run
            del places[: run.size]
        return found

    def _copy(
        self,
        found: Mapping[int, tuple[Arg, _Run]],
        to: Array,
        before: tuple[Index, ...] = (),
        after: tuple[Index, ...] = (),
        along: Index = _AT_ZERO,
    ) -> None:
        """Copy runs to cells at one index of an array, plus `along`, beside other indices."""
        b, places = self.builder, [*found]
        cells = {k: x for k, (x, _) in found.items()}
        runs = {k: x for k, (_, x) in found.items()}
        while places:
            first, x, run = places[0], cells[places[0]], runs[places[0]]
            rows = _run(places, cells, runs)
            at = along + first
            with ExitStack() as stack:
                for size, step, strides in (rows, run):
                    if size > 1:
                        assert isinstance(x, Access)
                        k = stack.enter_context(b.loop(size))
                        pairs = zip(x.indices, strides, strict=True)
                        at, x = k * step + at, Access(x.array, tuple(i + j * k for i, j in pairs))
                b.append(Step(Access(to, (*before, at, *after)), _IDENTITY, (x,)))
            del places[: rows.size]


class _Run(NamedTuple):
    """A run of evenly spaced places: their count, their step, and the strides of the source."""

    size: int
    step: int
    strides: tuple[int, ...]


def _run(
    places: Sequence[int], cells: Mapping[int, Arg], runs: Mapping[int, _Run] | None = None
) -> _Run:
    """Return the run at the beginning of places, one after another; or that of equal runs."""
    strides: tuple[int, ...] | None = None
    count, step = 1, 1
    for place, after in itertools.pairwise(places):
        x, y = cells[place], cells[after]
        if not isinstance(x, Access) or not isinstance(y, Access) or x.array is not y.array:
            break
        if runs is not None:
            step = step if count > 1 else after - place
            if runs[after] != runs[place]:
                break
        pairs = [*zip(x.indices, y.indices, strict=True)]
        if any((i.terms, i.via) != (j.terms, j.via) for i, j in pairs):
            break
        moved = tuple(j.base - i.base for i, j in pairs)
        if after != place + step or (strides is not None and moved != strides):
            break
        strides, count = moved, count + 1
    return _Run(count, step, strides or ())


def _equal_steps(at: Integers, others: int) -> Iterator[tuple[int, _Run]]:
    """Yield runs among cells at some indices, beside other indices, each after its first place."""
    steps = np.diff(at, axis=0)
    ends = np.flatnonzero((steps[1:] != steps[:-1]).any(axis=1)) + 1
    first = 0
    for end in [*ends.tolist(), len(steps)]:
        if first < end:
            yield first, _Run(end - first + 1, 1, (*steps[first].tolist(), *[0] * others))
            first = end + 1
    if first < len(at):
        yield first, _Run(1, 1, ())
