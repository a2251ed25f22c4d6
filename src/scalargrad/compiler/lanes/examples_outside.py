"""Copy what is outside the examples of a vmap into programs that read their results as columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import compress

import numpy as np

from scalargrad.compiler.array_types import Addresses
from scalargrad.compiler.lanes.examples_found import FoundExamples
from scalargrad.compiler.passes.differentiate import Seeds, differentiate
from scalargrad.compiler.passes.expressions import ADD
from scalargrad.compiler.passes.kinds import (
    ADJOINT,
    CONSTANT,
    INPUT,
    UNBATCH,
    Stacked,
    of_lanes,
)
from scalargrad.compiler.passes.program import PartCopy, Program, without_dead_nodes
from scalargrad.compiler.passes.segments import Column
from scalargrad.compiler.passes.sum_of_products import sum_of_products

#: Stands for the numbers of results that are not known yet: any, of which nothing is read.
_ANY = Column(0, 0)


class Outside(PartCopy):
    """A copy of nodes outside the examples, which may read what these have computed.

    Parameters
    ----------
    asked : sequence of int
        The nodes for whose sake others are copied.
    more : sequence of int
        Cells of the store that are inputs besides those of the program.
    """

    def __init__(self, of: FoundExamples, asked: Sequence[int], more: Sequence[int] = ()) -> None:
        program, nodes = of.program, of.program.nodes()
        super().__init__(program, program.inputs + len(more))
        self.of, self.more = of, more
        self._needed = nodes.cut_off(of.own).needed(asked)
        self.input_of = {cell: program.inputs + k for k, cell in enumerate(more)}
        self.new = {x: x for x in range(program.inputs)}
        self.columns: list[Column] = []
        self.results: dict[int, int] = {}
        before = self._needed & ~of.own
        before[of.after] = False
        self._stacks = nodes.where(lambda op: isinstance(op, Stacked))
        before &= ~self._stacks  # most are read by examples alone
        for x in np.flatnonzero(before).tolist():
            if program.ops[x] is not CONSTANT and program.ops[x] is not INPUT:
                self.copy(x, of.lanes)

    def column(self, column: Column) -> int:
        """Return a node with the numbers of a column, which is given besides the inputs."""
        place = self.constant(float(self.program.stacked)), self.constant(1.0)
        self.program.stacked += self.of.lanes
        self.columns.append(column)
        return self.append(of_lanes(Stacked, self.of.lanes), place)

    def take_results(self, columns: Mapping[int, Column], sizes: Sequence[int]) -> None:
        """Let results of the examples be given; of single numbers, each example has the same."""
        for x in self.of.results:
            node = self.results[x] = self.column(columns.get(x, _ANY))
            single = sizes[x] == 1
            self.new[x] = self.append(UNBATCH, (node, self.constant(0.0))) if single else node

    def place(self, result: int) -> float:
        """Return where the numbers of a result begin among all that are given."""
        return self.program.constants[self.program.args[self.results[result]][0]]

    def operand(self, node: int) -> int:
        """Return the copy of a node; numbers of an array are given once something reads them."""
        if node not in self.new and self._stacks[node]:
            first, step = (int(self.source.constants[x]) for x in self.source.args[node])
            self.new[node] = self.column(Column(self.source.inputs + first, step))
        return super().operand(node)

    def adjoint(self, of: int, *seeds: int) -> int:
        """Write a gradient by a node of the copy, from seeds given as nodes of the source."""
        return self.append(ADJOINT, (of, *map(self.operand, seeds)))

    def copy_after(self, roots: Mapping[Seeds, int]) -> None:
        """Copy what depends on the examples.

        Parameters
        ----------
        roots : mapping
            For sweeps through examples, a node with the gradients that these add. Without it,
            nothing is copied of what depends on the sweep.
        """
        program = self.source
        for x in compress(self.of.after, self._needed[self.of.after]):
            args = program.args[x]
            if program.ops[x] is ADJOINT:
                if args[1:] in roots:
                    through = self.new[args[0]], roots[args[1:]], self.constant(1.0)
                    direct = self.adjoint(self.new[args[0]], *args[1:])
                    both = direct, self.append(ADJOINT, through)
                    self.new[x] = self.append(ADD, both)
            elif all(y in self.new or y in program.constants or self._stacks[y] for y in args):
                self.copy(x, self.of.lanes)

    def reads(self) -> Addresses:
        """Return the cells of all that is given."""
        columns = [first + step * np.arange(self.of.lanes) for first, step in self.columns]
        own = np.arange(self.source.inputs), np.array(self.more, np.int64)
        return np.concatenate([*own, *columns])


def derived(outside: Outside, outputs: list[int]) -> Program:
    """Return the program of these nodes, its derivatives written out."""
    outside.program.outputs = outputs
    return differentiate(sum_of_products(without_dead_nodes(outside.program)))
