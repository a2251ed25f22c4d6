"""The language of loops: bodies of steps over registers, repeated over one shared memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from scalargrad.compiler.array_types import Floats, Integers
from scalargrad.compiler.passes.kinds import SEQUENTIAL
from scalargrad.compiler.passes.partial import Partial
from scalargrad.table.operation import Elementwise

Computed = Elementwise | Partial

#: Up to so many numbers that lie anywhere are moved by steps of their own, not by a loop.
FEW = 16


class Cells(NamedTuple):
    """The cell ``cell + stride · i`` in iteration i."""

    cell: int
    stride: int = 0


class CellTable:
    """One arbitrary cell for each iteration: a gather or a scatter."""

    def __init__(self, cells: Integers) -> None:
        self.cells = cells

    def moved(self, by: int) -> CellTable:
        """Return the cells shifted by a number of cells."""
        return CellTable(self.cells + by)


Place = Cells | CellTable


def cells_of(place: Place, count: int) -> Integers:
    """Return the cell of each of `count` iterations."""
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
    """A register that holds what the previous iteration left in the carry of this index."""

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


def registers_read(step: Step) -> tuple[int, ...]:
    """Return the registers that a step reads; a carry is none."""
    if isinstance(step, Compute | Fused):
        return step.operands
    return (step.register,) if isinstance(step, Write | Increase) else ()


def renumbered(step: Step, new: Sequence[int]) -> Step:
    """Return a step with the registers that it reads renumbered."""
    if isinstance(step, Compute | Fused):
        return step._replace(operands=tuple([new[x] for x in step.operands]))
    if isinstance(step, Write | Increase):
        return step._replace(register=new[step.register])
    return step


class Carry(NamedTuple):
    """A number carried from iteration to iteration.

    Attributes
    ----------
    start : int or None
        The cell with the initial value; None for 0.
    register : int
        The register that an iteration passes on to the next.
    onto : int or None
        The cell to which the final value is added.
    """

    start: int | None
    register: int
    onto: int | None


class LoopTotal(NamedTuple):
    """A sum over all iterations, added to the number in a cell.

    Attributes
    ----------
    terms : tuple of tuple of int
        What an iteration adds, in order: a register, or two registers whose product is added by a
        fused multiply-add.
    start, cell : int
        The cell with the initial value, and the cell where the sum is stored.

    Notes
    -----
    The order of summation depends on the number of terms alone, as in packed programs. Up to 64
    terms are added one after the other. More are split into eight sums, each over every eighth
    iteration, which are then added in order. A recurrence adds its terms one after the other.
    """

    terms: tuple[tuple[int, ...], ...]
    start: int
    cell: int

    def renamed(self, new: Sequence[int]) -> LoopTotal:
        """Return this total with its registers renumbered."""
        return self._replace(terms=tuple([tuple([int(new[x]) for x in t]) for t in self.terms]))


def is_sequential(loop: Loop, total: LoopTotal) -> bool:
    """Return whether the terms of a total are added one after the other, not in eight sums."""
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
    lanes : bool
        Whether iterations are independent, so that several run at once as lanes.
    down : bool
        Whether the loop runs from the last iteration to the first.
    steps : list of Step
        A register is the index of the step that sets it.
    carries, totals
        What is passed from one iteration to the next, and what is summed over all of them.
    is_fused : bool
        Whether the steps already use fused multiply-adds.
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
        How many numbers a call writes to the first cells: inputs, and arrays that no loop reads.
    cells : int
        The number of cells.
    numbers : list of (int, list of float)
        Constants: the first cell of each group, and the numbers stored from there on.
    loops : list of Loop or Clear
        In the order in which they run.
    outputs : slice
        The cells of the outputs: results, then gradients that later loops read, which are not
        results but must be finite as well.
    results : int
        The number of results.
    """

    inputs: int
    cells: int
    numbers: list[tuple[int, list[float]]]
    loops: list[Loop | Clear]
    outputs: slice
    results: int

    @property
    def inner(self) -> range:
        """The cells of the gradients that are no results but must be finite; see `outputs`."""
        return range(self.outputs.start + self.results, self.outputs.stop)

    def initial(self, row: int = 1, more: int = 0) -> Floats:
        """Return the memory before the first run: `row` numbers for each cell, and `more` cells."""
        memory = np.zeros((self.cells + more, row))
        for cell, numbers in self.numbers:
            memory[cell : cell + len(numbers)] = np.array(numbers)[:, None]
        return memory.ravel()
