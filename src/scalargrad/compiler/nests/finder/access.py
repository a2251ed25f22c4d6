"""What each operand of a statement reads, in the simplest form that all its instances have."""

from __future__ import annotations

import numpy as np

from scalargrad.compiler.array_types import Integers
from scalargrad.compiler.nests.finder.recording import GIVEN, NUMBER
from scalargrad.compiler.nests.finder.tree import (
    Access,
    Border,
    Constant,
    Data,
    Indices,
    Input,
    Result,
    Statement,
    Table,
    Tree,
)

#: How many borders an operand may have, one within the other.
_BORDERS = 3


def read_operands(tree: Tree) -> None:
    """Give each statement its operands."""
    recording = tree.recording
    for statement in tree.statements:
        places = range(recording.arity(int(statement.nodes[0])))
        statement.operands = tuple([_Operand(tree, statement, j).access() for j in places])


class _Operand:
    """One operand of a statement, at all instances."""

    def __init__(self, tree: Tree, statement: Statement, j: int) -> None:
        self.tree, self.statement = tree, statement
        self.kinds, self.places = tree.recording.operand(statement.nodes, j)

    def access(self) -> Access:
        """Return what it reads."""
        every = np.arange(len(self.kinds))
        found = self._even(every) or self._with_border(every, _BORDERS)
        return Table(self.kinds, self.places) if found is None else found

    def _even(self, rows: Integers) -> Access | None:
        """Return the access of some instances if one form without tables does for all."""
        indices = self.statement.indices.taken(rows)
        kinds, places = self.kinds[rows], self.places[rows]
        kind = kinds[0]
        if not (kinds == kind).all():
            return None
        if kind == NUMBER:
            return self._numbers(rows, places)
        if kind == GIVEN:
            place = indices.affine(places)
            return None if place is None else Input(place)
        return self._result(indices, places)

    def _numbers(self, rows: Integers, bits: Integers) -> Access:
        numbers = np.ascontiguousarray(bits).view(np.float64)
        if (bits == bits[0]).all():
            return Constant(float(numbers[0]))
        found = np.zeros(len(self.kinds))
        found[rows] = numbers
        return Data(found)

    def _result(self, indices: Indices, places: Integers) -> Access | None:
        numbers = self.tree.statement_of[places]
        number = int(numbers[0])
        if not (numbers == number).all():
            return None
        instances = self.tree.instance_of[places]
        found = []
        for axis in self.tree.statements[number].indices.axes:
            one = indices.affine(axis[instances])
            if one is None:
                return None
            found.append(one)
        return Result(number, tuple(found))

    def _with_border(self, rows: Integers, most: int) -> Access | None:
        """Return the access of instances of which the first or the last on a loop are apart."""
        if not most:
            return None
        axes = self.statement.indices.taken(rows).axes
        for end in (np.min, np.max):
            for axis in reversed(range(len(axes))):
                at = int(end(axes[axis]))
                there = axes[axis] == at
                if there.all():
                    continue
                elsewhere = self._even(rows[~there])
                if elsewhere is None:
                    continue
                border = self._even(rows[there]) or self._with_border(rows[there], most - 1)
                if border is not None:
                    return Border(axis, at, border, elsewhere)
        return None


def has_tables(statement: Statement) -> bool:
    """Return whether an operand of a statement is a table."""
    return any(isinstance(x, Table) for x in statement.operands)


def count_tables(tree: Tree) -> int:
    """Return how many operands are tables."""
    return sum(isinstance(x, Table) for s in tree.statements for x in s.operands)
