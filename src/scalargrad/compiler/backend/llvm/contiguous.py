"""Copy factors of sums of products so that neighbouring columns are contiguous.

The weights of a layer are usually stored output by output. Transposed, eight outputs can be
computed as lanes. Of large matrices, each term of long sums, too, then adds number × row to a row
of results. Constant weights are copied once, when the program is compiled.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from scalargrad.compiler.array_types import Floats
from scalargrad.compiler.backend.llvm.encode import adjoin
from scalargrad.compiler.packing.instructions import (
    Affine,
    Copy,
    Instruction,
    Packed,
    ProductRun,
    Products,
    size_of,
)
from scalargrad.compiler.passes.kinds import SEQUENTIAL

#: The fewest rows and columns for which a copy pays, in short sums and in long ones.
_SHORT, _LONG = (4, 4), (64, 64)


def constant_cells(packed: Packed) -> NDArray[np.bool_]:
    """Return, for each cell, whether it is constant: no input, and never written."""
    constant = np.ones(len(packed.memory), dtype=np.bool_)
    constant[: packed.inputs] = False
    for instruction in packed.instructions:
        constant[instruction.out : instruction.out + size_of(instruction)] = False
    return constant


def arranged(packed: Packed) -> Packed:
    """Return a program with such copies where they help, and memory for them."""
    work = _Arranging(packed)
    found = [x for instruction in packed.instructions for x in work.taken(instruction)]
    return replace(packed, instructions=found, memory=np.concatenate([packed.memory, *work.more]))


class _Arranging:
    def __init__(self, packed: Packed) -> None:
        self.memory = packed.memory
        self.constant = constant_cells(packed)
        self.size = len(packed.memory)
        self.more: list[Floats] = []

    def taken(self, instruction: Instruction) -> list[Instruction]:
        """Return the instruction, or copies followed by a faster equivalent."""
        if not isinstance(instruction, Products) or not _helped(instruction):
            return [instruction]
        out, rows, columns, start, runs = instruction
        copies: list[Instruction] = []
        found = tuple(
            ProductRun(x.terms, *(self.beside(f, x.terms, columns, copies) for f in x[1:]))
            for x in runs
        )
        return [*copies, Products(out, rows, columns, start, found)]

    def beside(self, place: Affine, terms: int, columns: int, copies: list[Instruction]) -> Affine:
        """Return a place where the columns of a factor are contiguous, copying it if need be."""
        if place.inner in {0, 1}:
            return place
        source = Affine(place.base, place.term, place.inner)
        return Affine(self.copied(terms, columns, source, copies), 0, 1, columns)

    def copied(self, rows: int, columns: int, source: Affine, copies: list[Instruction]) -> int:
        """Copy some cells and return the first cell of the copy; constants are copied at once."""
        out, cells = self.size, rows * columns
        self.size += -(-cells // 8) * 8
        block = np.zeros(self.size - out)
        index = source.base + source.outer * np.arange(rows)[:, None]
        index = index + source.inner * np.arange(columns)
        if self.constant[index].all():
            block[:cells] = self.memory[index].ravel()
        else:
            copies.append(Copy(out, rows, columns, source))
        self.more.append(block)
        return out


def _helped(instruction: Products) -> bool:
    """Return whether copies would let columns run as lanes, and would pay."""
    _, rows, columns, start, runs = instruction
    tall, wide = _SHORT if sum(run.terms for run in runs) <= SEQUENTIAL else _LONG
    if rows < tall or columns < wide or start.inner not in {0, 1} or adjoin(instruction):
        return False
    return all(x.inner in {0, 1} or x.outer == 0 for run in runs for x in run[1:])
