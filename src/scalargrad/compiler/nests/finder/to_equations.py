"""Lower a tree to equations: an array for each statement, a variable for each loop.

A chain of additions of which only the last result is read is a sum; `Storage` has the elements
that operands read:

    90[4]     →     for i in 90:
                        mul[i] = p[0] · add[i]
                        add[i+1] = mul[i] + x[i]
                        mul1[i] = add[i+1] · add[i+1]
                        add1[] += mul1[i]
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack

import numpy as np

from scalargrad.compiler.array_types import Integers
from scalargrad.compiler.nests.builder import Builder
from scalargrad.compiler.nests.equations import ADD, Arg, Array, Index, Step, Var
from scalargrad.compiler.nests.equations import Access as Cell
from scalargrad.compiler.nests.finder.access import is_padded
from scalargrad.compiler.nests.finder.additions import Sum, sums_of
from scalargrad.compiler.nests.finder.cells import (
    Choice,
    Fill,
    Read,
    ResultArray,
    Storage,
    Stored,
)
from scalargrad.compiler.nests.finder.instructions import COMPUTED, GIVEN, INPUT_STRIDE
from scalargrad.compiler.nests.finder.tree import Loop, Statement, Tree
from scalargrad.compiler.nests.lowering_error import LoweringError
from scalargrad.compiler.nests.node_cells import Column
from scalargrad.compiler.passes.expressions import FixedArity
from scalargrad.compiler.passes.kinds import Op
from scalargrad.opdef.operation import FixedArityOperation, Operation
from scalargrad.ops import TABLE

_IDENTITY, _ADD, _WHERE = TABLE["identity"], TABLE["add"], TABLE["where"]


def to_equations(
    tree: Tree,
    builder: Builder,
    inputs: Sequence[Array],
    results: Sequence[int],
    *,
    around: bool = True,
) -> list[tuple[Integers, Column]]:
    """Write a tree as equations; return columns of cells of its results, and which each is of.

    Parameters
    ----------
    tree : Tree
    builder : Builder
    inputs : sequence of Array
        The arrays of inputs of the tree.
    results : sequence of int
        The nodes that are results.
    around : bool
        Whether borders may be cells around results: each turn then reads the same way. Else they
        are choices, which leave the order of turns as it was recorded.

    Raises
    ------
    LoweringError
        If an operand reads too many things by turns.
    """
    writer = _Writer(Storage(tree, builder, inputs, sums_of(tree, results), around=around))
    return writer.run(results)


class _Writer:
    """Writes the statements of a tree into a builder."""

    def __init__(self, storage: Storage) -> None:
        self.storage, self.sums = storage, storage.sums
        self.tree = tree = storage.tree
        self.builder = storage.builder
        self.operations = [operation_of(tree.recording.table[s.code]) for s in tree.statements]
        #: The fills to write just before a statement, and before a loop is opened.
        self.before: dict[Statement | Loop, list[Fill]] = defaultdict(list)
        #: The sums that end with a loop.
        self.closing: dict[Loop, list[Statement]] = defaultdict(list)
        self.partial: dict[int, Array] = {}  # what sums add up, beside what they start from
        for s in tree.statements:
            self._allot(s)
        if is_padded(tree):
            raise LoweringError("arrays of results have many cells that are never written")

    def _allot(self, statement: Statement) -> None:
        """Make the arrays of a statement."""
        own, name = self.sums.get(statement.number), self.operations[statement.number].name
        for made in self.storage.arrays[statement.number]:
            self._allot_fills(made, name)
        if own is not None:
            self.closing[statement.loops[own.axis]].append(statement)
            if self.storage.starts[statement.number] != 0.0:
                array = self.storage.arrays[statement.number][0].array
                assert array
                self.partial[statement.number] = self.builder.array("sum", array.shape)

    def _allot_fills(self, made: ResultArray, name: str) -> None:
        shape = [high - low + 1 for low, high in zip(made.low, made.high, strict=True)]
        made.array = self.builder.array(name, shape)
        for fill in made.fills:
            loops = fill.statement.loops
            inner = [loop for loop, part in zip(loops, fill.region, strict=True) if part != (0, 0)]
            self.before[inner[0] if inner else fill.statement].append(fill)

    def run(self, results: Sequence[int]) -> list[tuple[Integers, Column]]:
        """Write all statements; return columns of cells of results."""
        self._body(self.tree.body, ())
        for cell, kind, place in self.storage.copies:
            self._set(cell, self._copied(kind, place))
        return [*self._columns(results)]

    def _copied(self, kind: int, place: int) -> Arg:
        if kind == GIVEN:
            return Cell(self.storage.inputs[place // INPUT_STRIDE], (Index(place % INPUT_STRIDE),))
        if kind == COMPUTED:
            ((_, column),) = self._columns([place])
            return column.cell(0, {})
        return float(np.int64(place).view(np.float64))

    def _columns(self, nodes: Sequence[int]) -> Iterator[tuple[Integers, Column]]:
        """Yield the cells of nodes, statement by statement, with where these are among them."""
        own = np.array(nodes, np.int64)
        numbers, instances = self.tree.statement_of[own], self.tree.instance_of[own]
        order = np.argsort(numbers, kind="stable")
        for chosen in np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1):
            if len(chosen):
                statement = self.tree.statements[int(numbers[chosen[0]])]
                axes = statement.indices.axes[: self.storage.depth(statement)]
                main = self.storage.arrays[statement.number][0]
                assert main.array
                yield chosen, Column(main.array, axes[:, instances[chosen]].T - main.low)

    def _body(self, body: Sequence[Loop | Statement], around: tuple[Var, ...]) -> None:
        for item in body:
            for fill in self.before[item]:
                self._fill(fill, around)
            if isinstance(item, Statement):
                if item.number in self.sums or item.number not in self.storage.terms:
                    self._statement(item, around)
                continue
            with self.builder.loop(self.storage.vars[item]) as var:
                self._body(item.body, (*around, var))
            for statement in self.closing[item]:
                self._total(statement, around)

    def _statement(self, statement: Statement, around: tuple[Var, ...]) -> None:
        own, number = self.sums.get(statement.number), statement.number
        main, *copies = self.storage.arrays[number]
        if own is None:
            places = [(number, j) for j in range(len(statement.operands))]
            args = tuple([self._arg(self.storage.reads[x]) for x in places])
            out = main.cell(around)
            self.builder.append(Step(out, *without_power(self.operations[number], args)))
            for copy in copies:
                self._set(copy.cell(around), out)
            return
        out = main.cell(around[: own.axis])
        if number in self.partial:
            out = Cell(self.partial[number], out.indices)
        self.builder.append(Step(out, *self._added(own), ADD))

    def _added(self, own: Sum) -> tuple[Operation, tuple[Arg, ...]]:
        """Write the terms of a sum at one turn but for the last operation; return that."""
        op, args = _IDENTITY, tuple[Arg, ...]()
        for term in own.terms:
            x = self._arg(self.storage.reads[term.statement.number, term.place])
            if args:
                held = args[0] if op is _IDENTITY else self.builder.step(op, args)
                op, args = TABLE["sub" if term.negated else "add"], (held, x)
            else:
                op, args = TABLE["neg"] if term.negated else _IDENTITY, (x,)
        return op, args

    def _total(self, statement: Statement, around: Sequence[Var]) -> None:
        """Write the start of a sum and the sum as a total, and copies of it."""
        main, *copies = self.storage.arrays[statement.number]
        out = main.cell(around)
        if statement.number in self.partial:
            at = {self.storage.vars[x]: Index() for x in statement.loops[len(around) :]}
            start = self._arg(self.storage.starts[statement.number], at)
            added = Cell(self.partial[statement.number], out.indices)
            self.builder.append(Step(out, _ADD, (start, added)))
        for copy in copies:
            self._set(copy.cell(around), out)

    def _set(self, cell: Cell, value: Arg) -> None:
        self.builder.append(Step(cell, _IDENTITY, (value,)))

    def _fill(self, fill: Fill, around: tuple[Var, ...]) -> None:
        """Write the contents of cells in a region whose outer loops are open."""
        at: dict[Var, Index] = {}
        loops = fill.statement.loops
        with ExitStack() as opened:
            for loop, part in [*zip(loops, fill.region, strict=True)][len(around) :]:
                own = self.storage.vars[loop]
                if isinstance(part, int):
                    at[own] = Index(part)
                else:
                    var = self._var(own, at, sum(part))
                    opened.enter_context(self.builder.loop(var))
                    at[own] = var + part[0]
            self._set(fill.cell.cell().substituted(at), self._arg(fill.value, at))

    def _var(self, own: Var, at: Mapping[Var, Index], less: int) -> Var:
        """Return the variable of a loop, or one for fewer turns, or inside others."""
        extent = own.extent.substituted(at)
        if not less and extent == own.extent:
            return own
        if extent.via:
            raise LoweringError("fewer turns of a loop whose extents are a table")
        return self.builder.var(extent - less)

    # Operands ----------------------------------------------------------------------------------

    def _arg(self, read: Read, at: Mapping[Var, Index] | None = None) -> Arg:
        """Return the argument for a read, with indices in the place of variables."""
        if isinstance(read, float):
            return read
        if isinstance(read, Choice):
            return self.builder.step(_WHERE, tuple([self._arg(x, at) for x in read]))
        cell = read.cell() if isinstance(read, Stored) else read
        return cell.substituted(at) if at else cell


def operation_of(op: Op) -> Operation:
    """Return the operation of a step."""
    if isinstance(op, FixedArity) and op.reduction.name in {"maximum", "minimum"}:
        return op.reduction
    assert isinstance(op, FixedArityOperation)
    return op


def without_power(op: Operation, args: tuple[Arg, ...]) -> tuple[Operation, tuple[Arg, ...]]:
    """Return x² as x·x, x¹ as x and x**0.5 as a root, others as they are."""
    exponent = args[1] if op is TABLE["pow"] else None
    if exponent == 2.0:
        return TABLE["mul"], (args[0], args[0])
    if exponent == 0.5:
        return TABLE["sqrt"], args[:1]
    return (_IDENTITY, args[:1]) if exponent == 1.0 else (op, args)
