"""The instructions of a packed program; each computes the lanes of a group of nodes.

Memory is an array of float64 cells. The lanes of a group lie in consecutive cells.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from scalargrad.compiler.array_types import Addresses, Floats
from scalargrad.compiler.passes.kinds import Op


class Apply(NamedTuple):
    """Apply an operation to each lane l: cell ``x + l`` of each operand x into ``out + l``."""

    op: Op
    out: int
    lanes: int
    operands: tuple[int, ...]


class Gather(NamedTuple):
    """Copy numbers from cells at any addresses into consecutive cells."""

    out: int
    sources: Addresses


class Products(NamedTuple):
    """Add products whose factors lie at any addresses; `a` and `b` are lanes × terms.

    The sum of lane l begins with the number in cell ``start[l]``.
    """

    out: int
    start: Addresses
    a: Addresses
    b: Addresses


class Take(NamedTuple):
    """Look up an entry of a table in each lane: cell ``base + stride·m[place]``.

    The fields have an entry for each lane; a negative index counts from the end of the table.
    """

    out: int
    place: Addresses
    base: Addresses
    stride: Addresses
    size: Addresses


class Scatter(NamedTuple):
    """Set rows to 0, then add values to entries of each row, at indices known only at run time.

    Row r has ``size[r]`` cells from ``out + start[r]`` on. `place` and `values`, both rows × terms,
    are the cells of the indices and of the values to add.
    """

    out: int
    start: Addresses
    size: Addresses
    place: Addresses
    values: Addresses


Instruction = Apply | Gather | Products | Take | Scatter


def size_of(instruction: Instruction) -> int:
    """Return the number of cells that an instruction writes."""
    if isinstance(instruction, Scatter):
        return int(instruction.size.sum())
    return instruction.lanes if isinstance(instruction, Apply) else len(instruction[-1])


@dataclass(frozen=True, eq=False)
class Packed:
    """A program ready to run.

    Attributes
    ----------
    memory : float64, cells
        The initial contents: the first cells take the inputs, constants are in place.
    inputs : int
        The number of inputs.
    outputs : slice
        The cells of the outputs.
    """

    instructions: list[Instruction]
    memory: Floats
    inputs: int
    outputs: slice
