"""What a loop is: a body of steps over registers, run once or many times over one memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from scalargrad.compiler.passes.lanes import Partial
from scalargrad.compiler.passes.nodes import Integers
from scalargrad.table.operation import Elementwise

Computed = Elementwise | Partial


class Cells(NamedTuple):
    """The cell ``cell + stride · i`` in iteration i."""

    cell: int
    stride: int = 0


class CellTable:
    """Cells in any order, one for each iteration: a gather or scatter."""

    def __init__(self, cells: Integers) -> None:
        self.cells = cells

    def moved(self, by: int) -> CellTable:
        """Return the cells shifted by a number of cells."""
        return CellTable(self.cells + by)


Place = Cells | CellTable


def cells_of(place: Place, count: int) -> Integers:
    """Return the cells of `count` iterations; those of a table are given."""
    if isinstance(place, CellTable):
        return place.cells
    return place.cell + place.stride * np.arange(count)


class Number(NamedTuple):
    """A register that holds a constant."""

    value: float


class Read(NamedTuple):
    """A register read from memory."""

    place: Place


class Compute(NamedTuple):
    """A register computed from others."""

    op: Computed
    operands: tuple[int, ...]


class Fused(NamedTuple):
    """A register that is a·b + c of three others, rounded once."""

    operands: tuple[int, ...]


class CarriedOver(NamedTuple):
    """A register that holds what the iteration before left in a carry, given by its index."""

    carry: int


class Write(NamedTuple):
    """Write a register to memory."""

    place: Place
    register: int


class Increase(NamedTuple):
    """Add a register to what is in memory."""

    place: Place
    register: int


Step = Number | Read | Compute | Fused | CarriedOver | Write | Increase


class Carry(NamedTuple):
    """A number carried from iteration to iteration.

    Attributes
    ----------
    start : int or None
        The cell it is read from before the first iteration; None is 0.
    register : int
        What an iteration leaves in it.
    onto : int or None
        The cell that it is added to after the last.
    """

    start: int | None
    register: int
    onto: int | None


class LoopTotal(NamedTuple):
    """A sum over all iterations, added to the number in a cell.

    Attributes
    ----------
    terms : tuple of tuple of int
        What an iteration adds, in order: a register each, or two, whose product is rounded once
        with the sum.
    start, cell : int
        The cell it is added to, and the one that it is written to.

    Notes
    -----
    The order is chosen by the number of terms alone, as in packed programs. Up to 64 are added one
    after the other. More are eight such sums, of every eighth iteration, which are then added in
    order. Iterations that wait for one another are added one after the other.
    """

    terms: tuple[tuple[int, ...], ...]
    start: int
    cell: int

    def renamed(self, new: Sequence[int]) -> LoopTotal:
        """Return the same over other registers."""
        return self._replace(terms=tuple([tuple([int(new[x]) for x in t]) for t in self.terms]))


#: Up to this many terms are added one after the other.
SEQUENTIAL = 64


def is_sequential(loop: Loop, total: LoopTotal) -> bool:
    """Return whether terms are added one after the other."""
    return not loop.lanes or loop.count * len(total.terms) <= SEQUENTIAL


class Clear(NamedTuple):
    """Cells to be set to 0 before the loops that follow."""

    start: int
    size: int


@dataclass
class Loop:
    """A body of steps, run `count` times.

    Attributes
    ----------
    count : int
    lanes : bool
        Whether iterations are independent of one another.
    down : bool
        Whether the last iteration is made first.
    steps : list of Step
        A register is the number of the step that makes it.
    carries, totals
        What goes from one iteration to the next, and what is added up over all.
    is_fused : bool
        Whether products that are only added are rounded once with the sum already.
    """

    count: int
    lanes: bool
    down: bool = False
    steps: list[Step] = field(default_factory=list)
    carries: list[Carry] = field(default_factory=list)
    totals: list[LoopTotal] = field(default_factory=list)
    is_fused: bool = False


@dataclass
class Looped:
    """A program as a sequence of loops over one memory.

    Attributes
    ----------
    inputs : int
        How many cells, the first ones, are inputs.
    cells : int
        How many cells there are in all.
    numbers : list of (int, list of float)
        What cells hold before the first run, from which on.
    loops : list of Loop or Clear
        In order.
    outputs : slice
        The cells of the outputs, side by side.
    """

    inputs: int
    cells: int
    numbers: list[tuple[int, list[float]]]
    loops: list[Loop | Clear]
    outputs: slice
