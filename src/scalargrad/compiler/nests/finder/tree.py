"""The tree of a recording: loops and statements, and what each operand of a statement reads.

``str(tree)`` shows its form: ``100[16[4] 5]`` is a loop of 100 of a loop of 16 over four statements
and of five more. An extent is shown as ``2+i`` where it depends on outer loops, as ``1..5`` where
it is a table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scalargrad.compiler.array_types import Floats, Integers
from scalargrad.compiler.nests.finder.recording import Recording
from scalargrad.compiler.nests.finder.structure import Structure
from scalargrad.compiler.passes.nodes import stretches


class Affine(NamedTuple):
    """A whole number: base + Σ stride·index over the loops around, outermost first."""

    base: int
    strides: tuple[int, ...]

    def at(self, indices: Integers) -> Integers:
        """Return the numbers at the indices of some instances, a row for each loop."""
        found = np.full(indices.shape[1], self.base)
        for stride, index in zip(self.strides, indices, strict=True):
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
    """What a statement computes, at indices of its own loops."""

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
    """What is repeated.

    Attributes
    ----------
    number : int
        Its place in `Tree.loops`.
    depth : int
        How many loops are around it.
    extent : Affine or integers
        How often, by the loops around; or a number for each time that it is entered.
    symbols, counts : integers
        For each time, its symbol in the structure, and how often.
    body : list of Loop or Statement
    """

    number: int
    depth: int
    extent: Affine | Integers
    symbols: Integers
    counts: Integers
    body: list[Loop | Statement] = field(default_factory=list)

    @property
    def times(self) -> int | None:
        """How often, if that is always the same."""
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
        Those around it, outermost first.
    nodes : integers
        The nodes that it stands for, in order.
    indices : integers
        For each of the loops, the indices of all instances.
    operands : tuple of Access
    """

    number: int
    code: int
    loops: tuple[Loop, ...]
    nodes: Integers
    indices: Integers
    operands: tuple[Access, ...] = ()


class Tree:
    """The loops and statements of a structure.

    Parameters
    ----------
    structure : Structure
    unrolled : integers
        The numbers of loops to write out.

    Attributes
    ----------
    body : list of Loop or Statement
    loops : list of Loop
    statements : list of Statement
    statement_of, instance_of : integers
        For each node, the number of its statement, and of its instance there.
    """

    def __init__(self, structure: Structure, unrolled: Integers | Sequence[int] = ()) -> None:
        n = len(structure.recording)
        self.structure = structure
        self.recording: Recording = structure.recording
        self.loops: list[Loop] = []
        self.statements: list[Statement] = []
        self.statement_of, self.instance_of = np.empty(n, np.int64), np.empty(n, np.int64)
        self._unrolled = np.zeros(len(structure.starts), np.bool_)
        self._unrolled[np.asarray(unrolled, np.int64)] = True
        none = np.zeros((0, 1), np.int64)
        self.body = [x for k in structure.top for x in self._items(np.array([k]), none, ())]

    def _items(
        self, symbols: Integers, indices: Integers, around: tuple[Loop, ...]
    ) -> list[Loop | Statement]:
        """Return what stands at one place of a body, given its symbols at all instances."""
        n, found = len(self.recording), self.structure
        if symbols[0] < n:
            return [self._statement(symbols, indices, around)]
        of = symbols - n
        period, counts = int(found.periods[of[0]]), found.counts[of]
        if (counts == 1).all() or self._unrolled[of].all():
            places = range(period * int(counts[0]))
            bodies = (found.pool[found.starts[of] + t] for t in places)
            return [x for body in bodies for x in self._items(body, indices, around)]
        extent = affine(indices, counts)
        loop = Loop(
            len(self.loops), len(indices), counts if extent is None else extent, symbols, counts
        )
        self.loops.append(loop)
        index = stretches(np.zeros(len(counts), np.int64), counts)
        inner = np.concatenate([np.repeat(indices, counts, axis=1), index[None]])
        begin = np.repeat(found.starts[of], counts) + index * period
        for t in range(period):
            loop.body += self._items(found.pool[begin + t], inner, (*around, loop))
        return [loop]

    def _statement(
        self, nodes: Integers, indices: Integers, around: tuple[Loop, ...]
    ) -> Statement:
        code = int(self.recording.codes[nodes[0]])
        statement = Statement(len(self.statements), code, around, nodes, indices)
        self.statements.append(statement)
        self.statement_of[nodes], self.instance_of[nodes] = statement.number, np.arange(len(nodes))
        return statement

    def __str__(self) -> str:
        return _shown(self.body)


def affine(indices: Integers, numbers: Integers) -> Affine | None:
    """Return numbers of instances as an affine function of their indices, if they are one."""
    strides = [0] * len(indices)
    if len(numbers) > 1 and not (numbers == numbers[0]).all():
        for axis, row in reversed([*enumerate(_steps(indices))]):
            if row >= 0:
                moved = indices[:, row + 1] - indices[:, row]
                rest = sum(s * m for s, m in zip(strides, moved.tolist(), strict=True))
                change = int(numbers[row + 1]) - int(numbers[row]) - rest
                strides[axis] = change // max(int(moved[axis]), 1)
    base = int(numbers[0]) - sum(s * int(x) for s, x in zip(strides, indices[:, 0], strict=True))
    found = Affine(base, tuple(strides))
    return found if (found.at(indices) == numbers).all() else None


def _steps(indices: Integers) -> list[int]:
    """Return, for each loop, an instance after which it is the outermost that moves on, or -1."""
    moves = indices[:, 1:] != indices[:, :-1]
    still = np.ones(moves.shape[1:], np.bool_)
    found = []
    for moved in moves:
        first = still & moved
        found.append(int(first.argmax()) if first.any() else -1)
        still &= ~moved
    return found


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
    terms = [f"{k if k != 1 else ''}{x}" for k, x in zip(strides, "ijklmnop") if k]  # noqa: B905
    shown = "+".join([str(base)] * (base != 0 or not terms) + terms)
    return shown.replace("+-1", "-").replace("+-", "-")
