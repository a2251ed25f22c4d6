"""The tree of a program: loops and statements, and the access of each operand.

``str(tree)`` shows its form: ``100[16[4] 5]`` is a loop of 100 iterations over a loop of 16, with
four statements, and five more statements. A trip count that depends on outer loops is shown as
``2+i``, one from a table as ``1..5``.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scalargrad.compiler.array_types import Flags, Floats, Integers
from scalargrad.compiler.nests.finder.instructions import COMPUTED, GIVEN, NUMBER, Instructions
from scalargrad.compiler.nests.finder.structure import Structure
from scalargrad.compiler.passes.nodes import stretches


class Indices:
    """The indices of the loops around something, for each of its instances.

    Attributes
    ----------
    axes : integers
        A row for each loop, outermost first, a column for each instance.
    rows : integers
        The indices of these among the instances of a statement.
    """

    def __init__(self, axes: Integers, rows: Integers | None = None) -> None:
        self.axes = axes
        self.rows = np.arange(axes.shape[1]) if rows is None else rows
        self._parts: dict[tuple[int, bool], tuple[int, Indices, Indices] | None] = {}

    def __len__(self) -> int:
        return len(self.rows)

    def within(self, counts: Integers) -> Indices:
        """Return the indices in a loop that is repeated a number of times for each instance."""
        inner = stretches(np.zeros(len(counts), np.int64), counts)
        return Indices(np.concatenate([np.repeat(self.axes, counts, axis=1), inner[None]]))

    def parted(self, axis: int, last: bool) -> tuple[int, Indices, Indices] | None:
        """Return the first or the last index of a loop, those with it, and the others, if any."""
        if (axis, last) not in self._parts:
            index = self.axes[axis]
            at = int(index.max() if last else index.min())
            there = index == at
            self._parts[axis, last] = (
                None if there.all() else (at, self._subset(there), self._subset(~there))
            )
        return self._parts[axis, last]

    def _subset(self, flags: Flags) -> Indices:
        return Indices(np.compress(flags, self.axes, axis=1), self.rows[flags])

    def affine(self, numbers: Integers) -> Affine | None:
        """Return a number for each instance as an affine function, if it is one."""
        strides = [0] * len(self.axes)
        if not (numbers == numbers[0]).all():
            for axis, row in self._steps:
                moved = (self.axes[:, row + 1] - self.axes[:, row]).tolist()
                rest = sum(map(operator.mul, strides, moved))
                strides[axis] = (int(numbers[row + 1] - numbers[row]) - rest) // moved[axis]
        first, last = (sum(map(operator.mul, strides, x)) for x in self._ends)
        base = int(numbers[0]) - first
        if base + last != int(numbers[-1]):
            return None
        found = Affine(base, tuple(strides))
        return found if (found.at(self) == numbers).all() else None

    @functools.cached_property
    def _ends(self) -> tuple[list[int], list[int]]:
        return self.axes[:, 0].tolist(), self.axes[:, -1].tolist()

    @functools.cached_property
    def _steps(self) -> list[tuple[int, int]]:
        """For each loop, innermost first, an instance after which it moves on and no outer one."""
        moves = self.axes[:, 1:] != self.axes[:, :-1]
        still = np.ones(moves.shape[1:], np.bool_)
        found = []
        for axis, moved in enumerate(moves):
            first = still & moved
            row = int(first.argmax()) if len(first) else 0
            if len(first) and first[row]:
                found.append((axis, row))
            still &= ~moved
        return found[::-1]


class Affine(NamedTuple):
    """A whole number: base + Σ stride·index over the loops around, outermost first."""

    base: int
    strides: tuple[int, ...]

    def at(self, indices: Indices) -> Integers:
        """Return the numbers at the indices of some instances."""
        found = np.full(len(indices), self.base)
        for stride, index in zip(self.strides, indices.axes, strict=True):
            if stride:
                found += stride * index
        return found


class Constant(NamedTuple):
    """A number."""

    number: float


class Data(NamedTuple):
    """A number for each instance."""

    numbers: Floats


class Input(NamedTuple):
    """An input."""

    place: Affine


class Result(NamedTuple):
    """A result of a statement, at indices of that statement's own loops."""

    statement: int
    indices: tuple[Affine, ...]


class Border(NamedTuple):
    """One access where the index of a loop is its least or its greatest, else another."""

    axis: int
    at: int
    there: Access
    elsewhere: Access


class Table(NamedTuple):
    """A kind and a place for each instance, as in the recording."""

    kinds: NDArray[np.int8]
    places: Integers


Access = Constant | Data | Input | Result | Border | Table


@dataclass(eq=False)
class Loop:
    """A loop of a tree: its extent, and the loops and statements in it.

    Attributes
    ----------
    number : int
        Its place in `Tree.loops`.
    depth : int
        The number of loops around it.
    extent : Affine or integers
        How often, by the loops around; or a number for each time that it is entered.
    symbols, counts : integers
        For each time, its symbol in the structure, and how often.
    entered : Indices
        The indices of the loops around, for each time.
    body : list of Loop or Statement
    """

    number: int
    depth: int
    extent: Affine | Integers
    symbols: Integers
    counts: Integers
    entered: Indices
    body: list[Loop | Statement] = field(default_factory=list)

    @property
    def times(self) -> int | None:
        """The number of turns, if it is always the same; else None."""
        n = int(self.counts[0])
        return n if (self.counts == n).all() else None


@dataclass(eq=False)
class Statement:
    """An operation, once for each turn of the loops around it.

    Attributes
    ----------
    number : int
        Its place in `Tree.statements`.
    code : int
        The index of its operation in the table of the recording.
    loops : tuple of Loop
        The loops around it, outermost first.
    nodes : integers
        The nodes that it stands for, in order.
    indices : Indices
        The indices of these loops, for each instance.
    operands : tuple of Access
    """

    number: int
    code: int
    loops: tuple[Loop, ...]
    nodes: Integers
    indices: Indices
    operands: tuple[Access, ...] = ()


class Tree:
    """The loops and statements of a structure.

    Parameters
    ----------
    structure : Structure

    Attributes
    ----------
    body : list of Loop or Statement
    loops : list of Loop
    statements : list of Statement
    statement_of, instance_of : integers
        For each node, the number of its statement, and of its instance there.
    """

    def __init__(self, structure: Structure) -> None:
        n = len(structure.recording)
        self.structure = structure
        self.recording: Instructions = structure.recording
        self.loops: list[Loop] = []
        self.statements: list[Statement] = []
        self.statement_of, self.instance_of = np.empty(n, np.int64), np.empty(n, np.int64)
        once = Indices(np.zeros((0, 1), np.int64))
        self.body = [x for k in structure.top for x in self._items(np.array([k]), once, ())]

    def _items(
        self, symbols: Integers, indices: Indices, around: tuple[Loop, ...]
    ) -> list[Loop | Statement]:
        """Return the items at one place of a body, given its symbols at all instances."""
        n, found = len(self.recording), self.structure
        if not len(symbols):  # of a way that is never taken here
            return []
        if symbols[0] < n:
            return [self._statement(symbols, indices, around)]
        of = symbols - n
        period, counts = int(found.periods[of[0]]), found.counts[of]
        if not counts.any():
            return []
        if (counts == 1).all():
            bodies = (found.pool[found.starts[of] + t] for t in range(period))
            return [x for body in bodies for x in self._items(body, indices, around)]
        extent: Affine | Integers | None = indices.affine(counts)
        extent = counts if extent is None else extent
        loop = Loop(len(self.loops), len(around), extent, symbols, counts, indices)
        self.loops.append(loop)
        inner = indices.within(counts)
        begin = np.repeat(found.starts[of], counts) + inner.axes[-1] * period
        for t in range(period):
            loop.body += self._items(found.pool[begin + t], inner, (*around, loop))
        return [loop]

    def _statement(self, nodes: Integers, indices: Indices, around: tuple[Loop, ...]) -> Statement:
        code = int(self.recording.codes[nodes[0]])
        statement = Statement(len(self.statements), code, around, nodes, indices)
        self.statements.append(statement)
        self.statement_of[nodes], self.instance_of[nodes] = statement.number, np.arange(len(nodes))
        return statement

    def sources(self, kinds: NDArray[np.int8], places: Integers) -> Integers:
        """Return the number of the statement that makes each operand, or -1 less its kind."""
        computed = kinds == COMPUTED
        of = self.statement_of[np.where(computed, places, 0)]
        return np.where(computed, of, -1 - kinds)

    def __str__(self) -> str:
        return _shown(self.body)


def _shown(body: Sequence[Loop | Statement]) -> str:
    parts = []
    for kind, items in groupby(body, type):
        if kind is Statement:
            parts.append(str(len([*items])))
        else:
            parts += [f"{_extent(x)}[{_shown(x.body)}]" for x in items if isinstance(x, Loop)]
    return " ".join(parts)


def _extent(loop: Loop) -> str:
    if not isinstance(loop.extent, Affine):
        return f"{loop.counts.min()}..{loop.counts.max()}"
    base, strides = loop.extent
    found = str(base) if base or not any(strides) else ""
    for letter, k in zip("ijklmnop", strides, strict=False):
        if k:
            size = "" if abs(k) == 1 else str(abs(k))
            found += f"{'-' if k < 0 else '+' * bool(found)}{size}{letter}"
    return found


def computes(tree: Tree, recording: Instructions) -> bool:
    """Return whether each node of a recording is in one statement, which reads its operands.

    The operands are computed from the accesses as they are written, not as they were found, so that
    a mistake of the search costs only speed.
    """
    found = np.sort(np.concatenate([s.nodes for s in tree.statements]))
    if not np.array_equal(found, np.arange(len(recording))):
        return False
    counts = np.diff(recording.first)
    for s in tree.statements:
        if (recording.codes[s.nodes] != s.code).any():
            return False
        if (counts[s.nodes] != len(s.operands)).any():
            return False
        for j, access in enumerate(s.operands):
            own_kinds, own_places = recording.operand(s.nodes, j)
            kinds, places = _operand(tree, access, s.indices)
            if (kinds != own_kinds).any() or (places != own_places).any():
                return False
    return True


def _operand(tree: Tree, access: Access, indices: Indices) -> tuple[Integers, Integers]:
    """Return kinds and places of an operand at all instances."""
    count = len(indices)
    if isinstance(access, Constant):
        return _all(NUMBER, np.full(count, access.number).view(np.int64))
    if isinstance(access, Data):
        return _all(NUMBER, access.numbers.view(np.int64))
    if isinstance(access, Input):
        return _all(GIVEN, access.place.at(indices))
    if isinstance(access, Result):
        wanted = [x.at(indices) for x in access.indices]
        return _all(COMPUTED, _nodes(tree.statements[access.statement], wanted, count))
    if isinstance(access, Border):
        there = indices.axes[access.axis] == access.at
        border = _operand(tree, access.there, indices)
        other = _operand(tree, access.elsewhere, indices)
        kinds, places = (np.where(there, x, y) for x, y in zip(border, other, strict=True))
        return kinds, places
    return access.kinds.astype(np.int64), access.places


def _all(kind: int, places: Integers) -> tuple[Integers, Integers]:
    return np.full(len(places), kind), places


def _nodes(statement: Statement, wanted: list[Integers], count: int) -> Integers:
    """Return the nodes of a statement at some indices; -1 where there is none."""
    keys, sought = np.zeros(len(statement.nodes), np.int64), np.zeros(count, np.int64)
    inside = np.ones(count, np.bool_)
    for own, index in zip(statement.indices.axes, wanted, strict=True):
        size = int(own.max()) + 1
        inside &= (index >= 0) & (index < size)
        keys, sought = keys * size + own, sought * size + index
    at = np.searchsorted(keys, sought).clip(max=len(keys) - 1)  # keys are in order
    return np.where(inside & (keys[at] == sought), statement.nodes[at], -1)
