"""Accesses: the reads of an operand by all instances of a statement, in the simplest form.

Iterations 0, 1, 2, … may read

    node 1, 5, 9, …     affine: 1 + 4·i
    node 3, 3, 3, …     constant: 3
    node 7, 2, 9, …     a table of indices

and a boundary access reads something else in the first or last iterations.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from math import inf

import numpy as np

from scalargrad.compiler.array_types import Integers
from scalargrad.compiler.nests.finder.instructions import NUMBER
from scalargrad.compiler.nests.finder.tree import (
    Access,
    Affine,
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

#: Costs, in statements. `_TABLE`: of a table, and how much more if it has an entry for each node of
#: the recording; `_RAGGED`: of a loop whose extents are a table; `_BORDER`: of a border, as where a
#: recurrence starts.
_TABLE, _RAGGED, _BORDER = (6, 6), 3, 1.5
#: The further cost of a border that is a choice at each turn, as a multiple of `_BORDER` over the
#: turns of the loop.
_CHOICE = 8.0
#: The most cells of the arrays of results: `_PADDED` for each node, and `_BESIDE` more.
_PADDED, _BESIDE = 8, 4096
#: The most borders of an operand, one within the other.
_BORDERS = 2


def read_operands(tree: Tree, most: float = inf, before: Tree | None = None) -> bool:
    """Give each statement its operands; return whether the tree costs `most` or less.

    Parameters
    ----------
    tree : Tree
    most : float
    before : Tree, optional
        Another tree of the recording that has its operands: what is in the same loops is read there
        as here.
    """
    recording, left = tree.recording, most - _cost_of_body(tree)
    known = {} if before is None else _in_the_same_loops(before, tree)
    for statement in tree.statements:
        places = range(recording.arity(int(statement.nodes[0])))
        old = before.statements[before.statement_of[statement.nodes[0]]] if before else statement
        is_kept = known.get(old.number) == statement.number
        kept = old.operands if is_kept else [None] * len(places)
        found = (_renumbered(x, known) for x in kept)
        statement.operands = tuple([
            x or _Operand(tree, statement, j).access() for j, x in zip(places, found, strict=True)
        ])  # fmt: skip
        left -= sum(_cost_of(x, statement, tree) for x in statement.operands)
        if left < 0:
            return False
    return True


def _in_the_same_loops(before: Tree, tree: Tree) -> dict[int, int]:
    """Return the number in a tree of each statement of another that stands in the same loops."""
    found = {}
    for x in tree.statements:
        old = before.statements[before.statement_of[x.nodes[0]]]
        pairs = (x.nodes, old.nodes), (x.indices.axes, old.indices.axes)
        if all(np.array_equal(a, b) for a, b in pairs):
            found[old.number] = x.number
    return found


def _renumbered(access: Access | None, known: Mapping[int, int]) -> Access | None:
    """Return the same access by new numbers of statements; None if one is not known."""
    if isinstance(access, Border):
        there, elsewhere = (_renumbered(x, known) for x in (access.there, access.elsewhere))
        return there and elsewhere and access._replace(there=there, elsewhere=elsewhere)
    if isinstance(access, Result):
        number = known.get(access.statement)
        return None if number is None else access._replace(statement=number)
    return None if isinstance(access, Table) else access


def cost(tree: Tree) -> float:
    """Return the cost of a tree, in statements, including those for its tables and borders."""
    of_accesses = (_cost_of(x, s, tree) for s in tree.statements for x in s.operands)
    return _cost_of_body(tree) + sum(of_accesses)


def _cost_of_body(tree: Tree) -> float:
    ragged = sum(not isinstance(loop.extent, Affine) for loop in tree.loops)
    return len(tree.statements) + _RAGGED * ragged


def _cost_of(access: Access, statement: Statement, tree: Tree) -> float:
    if isinstance(access, Border):
        parts = (_cost_of(x, statement, tree) for x in (access.there, access.elsewhere))
        few = 0.0 if starts_there(access) else _CHOICE / statement.loops[access.axis].counts.max()
        return _BORDER * (1.0 + few) + sum(parts)
    if isinstance(access, Table):
        return _TABLE[0] + _TABLE[1] * len(access.places) / len(tree.recording)
    return 0.0


def starts_there(border: Border) -> bool:
    """Return whether elsewhere a border reads from the turn before, as a recurrence does."""
    x = border.elsewhere
    return isinstance(x, Result) and any(i.base < 0 and i.strides[border.axis] for i in x.indices)


class _Operand:
    """One operand of a statement, at all instances."""

    def __init__(self, tree: Tree, statement: Statement, j: int) -> None:
        self.tree, self.statement = tree, statement
        self.kinds, self.places = tree.recording.operand(statement.nodes, j)
        #: The source that each instance reads: a statement's results, inputs, or numbers.
        self.sources = tree.sources(self.kinds, self.places)

    def access(self) -> Access:
        """Return the access, a table if there is no simpler form."""
        found = self._of(self.statement.indices, _BORDERS)
        return Table(self.kinds, self.places) if found is None else found

    def _of(self, part: Indices, most: int) -> Access | None:
        """Return the access of some instances, with `most` borders, one within the other."""
        sources = self.sources[part.rows]
        found = self._even(part, int(sources[0])) if (sources == sources[0]).all() else None
        if found is not None or not most:
            return found
        least = int(sources.min())
        counts = np.bincount(sources - least)
        many, main = np.count_nonzero(counts) > most + 1, int(counts.argmax()) + least
        for last in (False, True):
            for axis in reversed(range(len(part.axes))):
                parted = part.parted(axis, last)
                if parted is None:
                    continue
                at, there, others = parted
                differs = not (self.sources[there.rows] == main).any()
                if many and not differs:
                    continue
                elsewhere = self._of(others, most - 1 if differs and not many else 0)
                border = elsewhere and self._of(there, most - 1)
                if elsewhere and border is None and differs and not last:
                    border = Table(self.kinds, self.places)
                if border and elsewhere:
                    found = Border(axis, at, border, self._going_on(elsewhere, others, axis))
                    if not isinstance(border, Table) or starts_there(found):
                        return found
        return None

    def _going_on(self, access: Access, part: Indices, axis: int) -> Access:
        """Return an access of one turn of a loop as it would go on, if it is of the same loop."""
        if not isinstance(access, Result) or len(access.indices) <= axis:
            return access
        own, turns = self.tree.statements[access.statement].loops, part.axes[axis]
        index, at = access.indices[axis], int(turns[0])
        if (
            own[axis] is not self.statement.loops[axis]
            or index.strides[axis]
            or (turns != at).any()
        ):
            return access
        strides = tuple(int(k == axis) or x for k, x in enumerate(index.strides))
        moved = Affine(index.base - at, strides)
        return Result(
            access.statement, (*access.indices[:axis], moved, *access.indices[axis + 1 :])
        )

    def _even(self, part: Indices, source: int) -> Access | None:
        """Return the access of instances that all read results of one statement, or the like."""
        places = self.places[part.rows]
        if source == -1 - NUMBER:
            return self._numbers(part, places)
        if source < 0:
            place = part.affine(places)
            return None if place is None else Input(place)
        instances, made = self.tree.instance_of[places], self.tree.statements[source]
        found = [part.affine(axis[instances]) for axis in made.indices.axes]
        pairs = zip(made.loops, self.statement.loops, strict=False)
        for k, (its, mine) in enumerate(pairs):
            if its is mine and mine.counts.max() == 1:  # a way of an `if`: its only turn is this
                found[k] = Affine(0, tuple(int(j == k) for j in range(len(part.axes))))
        fitting = [x for x in found if x is not None]
        return Result(source, tuple(fitting)) if len(fitting) == len(found) else None

    def _numbers(self, part: Indices, bits: Integers) -> Access:
        if (bits == bits[0]).all():
            return Constant(float(bits[:1].view(np.float64)[0]))
        found = np.zeros(len(self.kinds))
        found[part.rows] = bits.view(np.float64)
        return Data(found)


def has_tables(statement: Statement) -> bool:
    """Return whether an operand of a statement is a table."""
    return any(isinstance(x, Table) for x in statement.operands)


def has_choices(statement: Statement) -> bool:
    """Return whether an operand of a statement is a table, or a border that is no start."""
    return has_tables(statement) or any(
        isinstance(x, Border) and not starts_there(x) for x in statement.operands
    )


def count_tables(tree: Tree) -> int:
    """Return the number of operands that are tables."""
    return sum(isinstance(x, Table) for s in tree.statements for x in s.operands)


def is_padded(tree: Tree) -> bool:
    """Return whether arrays of its results have many cells that are never written."""
    sizes = (math.prod(int(x.counts.max()) for x in s.loops) for s in tree.statements)
    return sum(sizes) > _PADDED * len(tree.recording) + _BESIDE
