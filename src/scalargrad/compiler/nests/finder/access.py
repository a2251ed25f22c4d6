"""What each operand of a statement reads, in the simplest form that all its instances have."""

from __future__ import annotations

from math import inf

import numpy as np

from scalargrad.compiler.array_types import Integers
from scalargrad.compiler.nests.finder.recording import COMPUTED, GIVEN, NUMBER
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

#: As how many statements a table counts, and more for each entry a node; and a border, as where a
#: recurrence starts.
_TABLE, BORDER = (6, 6), 1.5
#: How many borders an operand may have, one within the other.
_BORDERS = 3


def read_operands(tree: Tree, most: float = inf) -> bool:
    """Give each statement its operands; return whether the tree costs at most so much."""
    recording, left = tree.recording, most - len(tree.statements)
    for statement in tree.statements:
        places = range(recording.arity(int(statement.nodes[0])))
        statement.operands = tuple([_Operand(tree, statement, j).access() for j in places])
        left -= sum(_cost_of(x, tree) for x in statement.operands)
        if left < 0:
            return False
    return True


def cost(tree: Tree) -> float:
    """Return how many statements a tree has, and as how many its tables and borders count."""
    of_accesses = (_cost_of(x, tree) for s in tree.statements for x in s.operands)
    return len(tree.statements) + sum(of_accesses)


def _cost_of(access: Access, tree: Tree) -> float:
    if isinstance(access, Table):
        return _TABLE[0] + _TABLE[1] * len(access.places) / len(tree.recording)
    return BORDER * len(borders(access))


class _Operand:
    """One operand of a statement, at all instances."""

    def __init__(self, tree: Tree, statement: Statement, j: int) -> None:
        self.tree, self.statement = tree, statement
        self.kinds, self.places = tree.recording.operand(statement.nodes, j)

    def access(self) -> Access:
        """Return what it reads."""
        found = self._of(np.arange(len(self.kinds)), _BORDERS)
        return Table(self.kinds, self.places) if found is None else found

    def _of(self, rows: Integers, most: int) -> Access | None:
        """Return the access of some instances, with borders of up to so many loops."""
        found = self._even(rows)
        if found is not None or not most:
            return found
        sources = self._sources(rows)
        mainly = sources == _commonest(sources)
        axes = self.statement.indices.taken(rows).axes
        for end in (np.min, np.max):
            for axis in reversed(range(len(axes))):
                at = int(end(axes[axis]))
                there = axes[axis] == at
                if there.all():
                    continue
                differs = not mainly[there].any()
                elsewhere = self._of(rows[~there], most - 1 if differs else 0)
                border = elsewhere and self._of(rows[there], most - 1)
                if border and elsewhere:
                    return Border(axis, at, border, elsewhere)
        return None

    def _sources(self, rows: Integers) -> Integers:
        """Return a number for what each instance reads: a statement's results, inputs, numbers."""
        kinds, places = self.kinds[rows], self.places[rows]
        computed = kinds == COMPUTED
        of = self.tree.statement_of[np.where(computed, places, 0)]
        return np.where(computed, of, -1 - kinds)

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


def _commonest(numbers: Integers) -> int:
    low = int(numbers.min())
    return int(np.bincount(numbers - low).argmax()) + low


def borders(access: Access) -> list[tuple[int, int]]:
    """Return the borders that an access has: on which loop, and at which of its indices."""
    if not isinstance(access, Border):
        return []
    found = borders(access.there) + borders(access.elsewhere)
    return [(access.axis, access.at), *found]


def has_tables(statement: Statement) -> bool:
    """Return whether an operand of a statement is a table."""
    return any(isinstance(x, Table) for x in statement.operands)


def count_tables(tree: Tree) -> int:
    """Return how many operands are tables."""
    return sum(isinstance(x, Table) for s in tree.statements for x in s.operands)
