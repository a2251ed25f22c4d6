"""Write a tree as equations: an array for each statement, a variable for each loop.

Trees with tables are refused, and loops whose extents are. A chain of additions of which only the
last result is read is a sum. An operand that reads something else at a border gets an array of its
own, into which either is copied.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from typing import NamedTuple

import numpy as np

from scalargrad.compiler.nests.builder import Builder
from scalargrad.compiler.nests.equations import (
    ADD,
    SET,
    Arg,
    Array,
    Index,
    Program,
    Step,
    Var,
    as_index,
)
from scalargrad.compiler.nests.equations import Access as Cell
from scalargrad.compiler.nests.finder.tree import (
    Access,
    Affine,
    Border,
    Constant,
    Data,
    Input,
    Loop,
    Result,
    Statement,
    Tree,
)
from scalargrad.ops import TABLE
from scalargrad.table.operation import Operation

_IDENTITY, _ADD = TABLE["identity"], TABLE["add"]
#: Operations of chains that are sums, and what is added.
_SUMS: dict[object, Operation] = {_ADD: _IDENTITY, TABLE["sub"]: TABLE["neg"]}
#: Where an array is written: for each loop, one index, or all but so many first and last ones.
Region = tuple[int | tuple[int, int], ...]
Place = Var | Index | int


class Written(NamedTuple):
    """A program, the array of its inputs, and that of its result."""

    program: Program
    inputs: Array
    result: Array


class Sum(NamedTuple):
    """What a statement adds up over its loops from one on: a term, as it is or negated."""

    axis: int
    start: Access
    op: Operation
    term: Access
    chain: tuple[Access, ...]


class Copied(NamedTuple):
    """What is copied: how many loops are a statement's, which are opened, the cell, the number."""

    depth: int
    opened: tuple[Var, ...]
    places: tuple[Place, ...]
    value: Arg


class _NotWrittenError(Exception):
    """The tree has a form that is not written."""


def to_equations(tree: Tree, inputs: int, node: int) -> Written | None:
    """Return a tree as equations; None if it has tables, or borders that cannot be copied.

    Parameters
    ----------
    tree : Tree
    inputs : int
        The number of inputs.
    node : int
        The node that is the result.
    """
    if any(not isinstance(loop.extent, Affine) for loop in tree.loops):
        return None
    try:
        return _Writer(tree, inputs, node).run()
    except _NotWrittenError:
        return None


class _Writer:
    """Writes the statements of a tree into a builder."""

    def __init__(self, tree: Tree, inputs: int, node: int) -> None:
        self.tree, self.node = tree, node
        self.builder = Builder()
        self.inputs = self.builder.array("p", (inputs,), "in")
        self.sums = _sums(tree, node)
        self.arrays: list[Array] = []
        self.totals: dict[int, Array] = {}
        #: What is to be written once a loop is closed, given the variables around it.
        self.closing: dict[Loop, list[Callable[[Sequence[Var]], None]]] = defaultdict(list)
        for s in tree.statements:
            own = self.sums.get(s.number)
            shape = _shape(s.loops if own is None else s.loops[: own.axis])
            self.arrays.append(self.builder.array(_operation(tree, s).name, shape))
            if own is not None and not _is_zero(own.start):
                self.totals[s.number] = self.builder.array("sum", shape)
                self.closing[s.loops[own.axis]].append(partial(self._total, s))

    def run(self) -> Written:
        """Write all statements, and the result."""
        self._body(self.tree.body, ())
        result = self.builder.array("result", (), "out")
        number, instance = (int(x[self.node]) for x in
                            (self.tree.statement_of, self.tree.instance_of))  # fmt: skip
        at = self.tree.statements[number].indices.axes[:, instance].tolist()
        self._set(_cell(result, ()), self._cell_of(number, at))
        return Written(self.builder.program(), self.inputs, result)

    def _body(self, body: Sequence[Loop | Statement], around: tuple[Var, ...]) -> None:
        for item in body:
            if isinstance(item, Statement):
                self._statement(item, around)
                continue
            with self.builder.loop(self._var(item, around)) as var:
                self._body(item.body, (*around, var))
            for write in self.closing[item]:
                write(around)

    def _total(self, statement: Statement, around: Sequence[Var]) -> None:
        """Write what a sum starts from and the sum as a total."""
        at: list[Place] = [*around, *[0] * (len(statement.loops) - len(around))]
        start = self._arg(statement, self.sums[statement.number].start, at)
        args = start, _cell(self.arrays[statement.number], around)
        self.builder.append(Step(_cell(self.totals[statement.number], around), _ADD, args))

    def _var(self, loop: Loop, around: Sequence[Place], less: int = 0) -> Var:
        assert isinstance(loop.extent, Affine)
        return self.builder.var(_index(loop.extent, around) - less)

    def _statement(self, statement: Statement, around: tuple[Var, ...]) -> None:
        own, array = self.sums.get(statement.number), self.arrays[statement.number]
        if own is None:
            args = tuple([self._arg(statement, x, around) for x in statement.operands])
            self.builder.append(Step(_cell(array, around), _operation(self.tree, statement), args))
        else:
            term = self._arg(statement, own.term, around)
            self.builder.append(Step(_cell(array, around[: own.axis]), own.op, (term,), ADD))

    def _set(self, cell: Cell, value: Arg) -> None:
        self.builder.append(Step(cell, _IDENTITY, (value,), SET))

    # Operands ----------------------------------------------------------------------------------

    def _arg(self, statement: Statement, access: Access, at: Sequence[Place]) -> Arg:
        """Return what an operand of a statement reads at indices of its loops."""
        if isinstance(access, Constant):
            return access.number
        if isinstance(access, Input):
            return Cell(self.inputs, (_index(access.place, at),))
        if isinstance(access, Result):
            return self._cell_of(access.statement, [_index(x, at) for x in access.indices])
        if isinstance(access, Data):
            numbers = np.zeros(_shape(statement.loops))
            numbers[tuple(statement.indices.axes)] = access.numbers
            return _cell(self.builder.array("x", numbers.shape, "const", numbers), at)
        if isinstance(access, Border):
            return self._with_border(statement, access, at)
        raise _NotWrittenError

    def _cell_of(self, number: int, at: Sequence[Place]) -> Cell:
        """Return the cell of a statement's result."""
        own = self.sums.get(number)
        array = self.totals.get(number, self.arrays[number])
        return _cell(array, at if own is None else at[: own.axis])

    def _with_border(self, statement: Statement, access: Border, at: Sequence[Place]) -> Cell:
        """Write what an operand reads into an array; return its cell."""
        shape = [n + 1 for n in _shape(statement.loops)]
        array = self.builder.array("read", shape)
        for region, part in _parts(statement, access, ((0, 0),) * len(shape)):
            copied = self._copied(statement, part, region, at, follows=isinstance(part, Result))
            if copied is None:
                copied = self._copied(statement, part, region, at, follows=False)
            if copied is None:
                raise _NotWrittenError
            self._copy(statement, array, copied)
        return _cell(array, at)

    def _copied(
        self,
        statement: Statement,
        access: Access,
        region: Region,
        at: Sequence[Place],
        *,
        follows: bool,
    ) -> Copied | None:
        """Return how to write what an operand reads in a region; None if it leaves an array.

        The outer loops are those of the statement, as far as the region is all of them; or all but
        the first turn, if each turn writes what the next one reads, as `follows` asks for.
        """
        places: list[Place] = []
        opened: list[Var] = []
        moved: list[int] = []
        depth = len(region)
        for k, (loop, part) in enumerate(zip(statement.loops, region, strict=True)):
            shared = k < depth and not any(_stride(loop, x) for x in moved)
            if shared and part == (0, 0):
                places.append(at[k])
            elif shared and part == (1, 0) and follows:
                places.append(as_index(at[k]) + 1)
                moved.append(k)
            else:
                depth = min(depth, k)
                if isinstance(part, int):
                    places.append(part)
                else:
                    opened.append(self._var(loop, places, sum(part)))
                    places.append(opened[-1] + part[0])
        value = self._arg(statement, access, places)
        is_inside = not isinstance(value, Cell) or _is_inside(value)
        if not is_inside or any(var.extent.bounds()[0] < 0 for var in opened):
            return None
        return Copied(depth, tuple(opened), tuple(places), value)

    def _copy(self, statement: Statement, array: Array, copied: Copied) -> None:
        """Write what was read, here or once the first loop that is not shared is closed."""

        def write(_: Sequence[Var] = ()) -> None:
            with ExitStack() as opened:
                for var in copied.opened:
                    opened.enter_context(self.builder.loop(var))
                self._set(_cell(array, copied.places), copied.value)

        if copied.depth == len(statement.loops):
            write()
        else:
            self.closing[statement.loops[copied.depth]].append(write)


def _parts(statement: Statement, access: Access, region: Region) -> Iterator[tuple[Region, Access]]:
    """Yield the regions of an access with borders, and what is read in each.

    Raises
    ------
    _NotWrittenError
        If not all turns of the loops around have the border, or it is in the midst of them.
    """
    if not isinstance(access, Border):
        yield region, access
        return
    axis, part = access.axis, region[access.axis]
    assert not isinstance(part, int)
    counts, (first, last) = statement.loops[axis].counts, part
    is_first, is_last = access.at == first, (counts == access.at + 1 + last).all()
    if counts.min() < 1 + first + last or not (is_first or is_last):
        raise _NotWrittenError
    rest = (first + is_first, last + (not is_first))
    yield from _parts(statement, access.there, _with(region, axis, access.at))
    yield from _parts(statement, access.elsewhere, _with(region, axis, rest))


def _with(region: Region, axis: int, part: int | tuple[int, int]) -> Region:
    return (*region[:axis], part, *region[axis + 1 :])


def _operation(tree: Tree, statement: Statement) -> Operation:
    op = tree.recording.table[statement.code]
    if not isinstance(op, Operation) or TABLE.get(op.name) is not op:
        raise _NotWrittenError
    return op


def _shape(loops: Sequence[Loop]) -> tuple[int, ...]:
    return tuple(int(loop.counts.max()) for loop in loops)


def _index(affine: Affine, at: Sequence[Place]) -> Index:
    """Return an affine number at indices of the loops around."""
    found = as_index(affine.base)
    for stride, place in zip(affine.strides, at, strict=True):
        found += as_index(place) * stride
    return found


def _cell(array: Array, at: Sequence[Place]) -> Cell:
    return Cell(array, tuple(map(as_index, at)))


def _is_inside(cell: Cell) -> bool:
    ranges = [index.bounds() for index in cell.indices]
    return all(
        low >= 0 and high < size for (low, high), size in zip(ranges, cell.array.shape, strict=True)
    )


def _stride(loop: Loop, axis: int) -> int:
    """Return by how much the extent of a loop grows with the index of one around it."""
    assert isinstance(loop.extent, Affine)
    return loop.extent.strides[axis]


def _is_zero(access: Access) -> bool:
    return isinstance(access, Constant) and access.number == 0.0


# Sums ------------------------------------------------------------------------------------------


def _sums(tree: Tree, node: int) -> Mapping[int, Sum]:
    """Return the statements that add up, of which only the last result is read."""
    found = {s.number: own for s in tree.statements if (own := _sum(tree, s)) is not None}
    for statement in tree.statements:
        for access in statement.operands:
            for x in _results(access):
                own = found.get(x.statement)
                if own is not None and not any(x is y for y in own.chain):
                    last = _last(tree.statements[x.statement], own.axis, x.indices)
                    if x.indices[own.axis :] != last:
                        del found[x.statement]
    number, instance = int(tree.statement_of[node]), int(tree.instance_of[node])
    if number in found and instance + 1 < len(tree.statements[number].nodes):
        del found[number]
    return found


def _results(access: Access) -> Iterator[Result]:
    if isinstance(access, Result):
        yield access
    elif isinstance(access, Border):
        yield from _results(access.there)
        yield from _results(access.elsewhere)


def _sum(tree: Tree, statement: Statement) -> Sum | None:
    """Return what a statement adds up, if each turn adds to the one before."""
    op = tree.recording.table[statement.code]
    if op not in _SUMS:
        return None
    for access, term in (statement.operands, statement.operands[::-1])[: 1 + (op is _ADD)]:
        axis, chain = len(statement.loops) - 1, []
        while isinstance(access, Border) and (access.axis, access.at) == (axis, 0):
            elsewhere = access.elsewhere
            if not isinstance(elsewhere, Result) or elsewhere != _previous(statement, axis):
                break
            chain.append(elsewhere)
            access, axis = access.there, axis - 1
        if chain:
            return Sum(axis + 1, access, _SUMS[op], term, tuple(chain))
    return None


def _previous(statement: Statement, axis: int) -> Result:
    """Return the result of a statement one turn of a loop earlier, the last one within that."""
    depth = len(statement.loops)
    own = [Affine(0, tuple(int(k == a) for k in range(depth))) for a in range(axis + 1)]
    own[axis] = own[axis]._replace(base=-1)
    own += _last(statement, axis + 1, (*own, *[Affine(0, (0,) * depth)] * (depth - axis - 1)))
    return Result(statement.number, tuple(own))


def _last(statement: Statement, axis: int, at: Sequence[Affine]) -> tuple[Affine, ...]:
    """Return the last indices of the loops of a statement from one on, at those of the others."""
    found = [*at[:axis]]
    for loop in statement.loops[axis:]:
        assert isinstance(loop.extent, Affine)
        base, strides = loop.extent.base - 1, [0] * len(at[0].strides if at else ())
        for stride, index in zip(loop.extent.strides, found, strict=True):
            base += stride * index.base
            strides = [x + stride * y for x, y in zip(strides, index.strides, strict=True)]
        found.append(Affine(base, tuple(strides)))
    return tuple(found[axis:])
