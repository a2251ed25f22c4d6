"""The instructions a packed program consists of: what to do to whole blocks of memory.

Memory is one row of float64 cells. A block of lanes lies in consecutive cells; where lanes have
two indices i and j, j runs fastest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scalargrad.compiler.passes.kinds import Op
from scalargrad.compiler.passes.memory import Floats

Addresses = NDArray[np.int64]


class Affine(NamedTuple):
    """Cells at ``base + i·outer + j·inner + t·term``, t the number of a term in a sum."""

    base: int
    outer: int = 0
    inner: int = 0
    term: int = 0


class Apply(NamedTuple):
    """Apply an operation to each lane: cells ``x + l`` of every operand into ``out + l``."""

    op: Op
    out: int
    lanes: int
    operands: tuple[int, ...]


class Copy(NamedTuple):
    """Copy ``rows`` × ``columns`` numbers from `source` into consecutive cells."""

    out: int
    rows: int
    columns: int
    source: Affine


class Gather(NamedTuple):
    """Copy numbers from cells at any addresses into consecutive cells."""

    out: int
    sources: Addresses


class ProductRun(NamedTuple):
    """`terms` products in each lane, with operands at regular distances."""

    terms: int
    a: Affine
    b: Affine


class Products(NamedTuple):
    """Sum products in each of ``rows`` × ``columns`` lanes, on top of what is at `start`."""

    out: int
    rows: int
    columns: int
    start: Affine
    runs: tuple[ProductRun, ...]


class GatheredProducts(NamedTuple):
    """Sum products whose operands lie at any addresses; `a` and `b` are lanes × terms.

    Lane l begins with what is in cell ``start[l]``.
    """

    out: int
    start: Addresses
    a: Addresses
    b: Addresses


class Take(NamedTuple):
    """Copy one entry of a table into each lane: cell ``base + stride·m[place]``.

    All are lists with an entry for each lane; a negative index counts from the end.
    """

    out: int
    place: Addresses
    base: Addresses
    stride: Addresses
    size: Addresses


class Scatter(NamedTuple):
    """Set rows to 0, then add to each row, for each of its terms, a number at an index.

    Row r has ``size[r]`` cells from ``out + start[r]``; `place` and `values` are rows × terms.
    """

    out: int
    start: Addresses
    size: Addresses
    place: Addresses
    values: Addresses


Instruction = Apply | Copy | Gather | Products | GatheredProducts | Take | Scatter


@dataclass(frozen=True)
class Packed:
    """A program ready to run.

    Attributes
    ----------
    instructions : list of Instruction
    memory : float64, cells
        What a run starts from: inputs in the first cells, constants in place.
    inputs : int
        How many cells are inputs.
    outputs : slice
        The cells of the outputs, side by side.
    """

    instructions: list[Instruction]
    memory: Floats
    inputs: int
    outputs: slice
