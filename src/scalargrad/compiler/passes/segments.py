"""Segments: a program with many lanes, cut into parts that run block by block.

Parts compute single numbers or lanes, and each is a program of its own. They exchange numbers
through a store, an array of cells that begins with the inputs. `splitter` cuts a program into
segments, `backend.blocks` runs them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from scalargrad.compiler.array_types import Addresses, Floats
from scalargrad.compiler.passes.kinds import Stacked, of_lanes
from scalargrad.compiler.passes.program import PartCopy, Program

#: The cells that a block should have at most, so that those in use, about half, fit into a
#: second-level cache; and the fewest and the most lanes of a block.
_CELLS, FEWEST, MOST = 2**19, 256, 2048
#: The number of sequences of blocks, and thus of threads that can share the work.
SEQUENCES = 8


class Column(NamedTuple):
    """The lanes of one node in the store: ``first``, ``first + step``, …."""

    first: int
    step: int


class Singles(NamedTuple):
    """Compute single numbers: run a program on cells `reads`, store its outputs at `out`."""

    program: Program
    reads: Addresses
    out: int


class Fill(NamedTuple):
    """Copy single numbers into consecutive cells, the lanes of a node."""

    out: int
    reads: Addresses


@dataclass(frozen=True)
class Mapped:
    """Compute nodes with lanes, in blocks of any number of lanes.

    Attributes
    ----------
    lanes : int
        The number of lanes.
    reads : addresses
        The cells of single numbers that all lanes read.
    columns : list of Column
        The lanes of the other operands.
    totals : int
        The number of sums over lanes.
    out : int
        The first cell for these sums.
    kept : list of int
        The first cells for the lanes of nodes that are needed later.
    nothing : int
        A cell that holds -0.0, from which sums start.
    partials : int
        The first cell of the room for the sums of `SEQUENCES` sequences.
    source, nodes : Program, list of int
        The whole program, and the nodes to compute.
    singles, stacks : list of int
        The operands from outside: the nodes of `reads` and of `columns`.
    asked : list of int
        The sums over lanes, then the nodes of `kept`.
    """

    lanes: int
    reads: Addresses
    columns: list[Column]
    totals: int
    out: int
    kept: list[int]
    nothing: int
    partials: int
    source: Program
    nodes: list[int]
    singles: list[int]
    stacks: list[int]
    asked: list[int]

    @property
    def cells(self) -> int:
        """The number of cells that the lanes read, and that are kept of them."""
        return len(self.reads) + self.lanes * (len(self.columns) + len(self.kept))

    def block_lanes(self) -> int:
        """Return the most lanes that a block should have."""
        return min(max(_CELLS // max(len(self.nodes), 1), FEWEST), MOST)

    def program(self, lanes: int) -> Program:
        """Return the program for a block of so many lanes.

        Its inputs are the single numbers, then the lanes of each column; its outputs are the sums,
        then the lanes of each node that is kept.
        """
        count = len(self.singles)
        part = PartCopy(self.source, count)
        part.program.stacked = len(self.stacks) * lanes
        for i, node in enumerate(self.singles):
            part.new[node] = i
        for i, node in enumerate(self.stacks):
            place = part.constant(float(i * lanes)), part.constant(1.0)
            part.new[node] = part.append(of_lanes(Stacked, lanes), place)
        for node in self.nodes:
            part.copy(node, lanes)
        part.program.outputs = [part.new[node] for node in self.asked]
        return part.program


@dataclass
class Segments:
    """A program as a sequence of parts.

    Attributes
    ----------
    inputs : int
        The number of inputs.
    size : int
        The number of cells of the store.
    steps : list
        The parts, in order.
    constants : list of (int, array)
        The constants in the store, and the first cell of each group.
    outputs : slice
        The cells of the outputs.
    """

    inputs: int
    size: int
    steps: list[Singles | Fill | Mapped] = field(default_factory=list)
    constants: list[tuple[int, Floats]] = field(default_factory=list)
    outputs: slice = field(default_factory=lambda: slice(0))


def is_long(lanes: int) -> bool:
    """Return whether so many lanes are worth being split into blocks."""
    return lanes > 2 * FEWEST
