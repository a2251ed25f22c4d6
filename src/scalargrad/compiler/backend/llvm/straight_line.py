"""Print small instructions as straight-line code, with addresses as constants.

For a small instruction, the call of a shared function costs more than the arithmetic. In a
straight-line stretch, results also stay in registers for the instructions that follow. Code is cut
into functions of bounded size, as LLVM's time grows faster than the size of a function.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence

from scalargrad.compiler.backend.llvm.emitter import Emitter, Operand
from scalargrad.compiler.backend.llvm.ir_module import IRModule
from scalargrad.compiler.backend.llvm.operations import apply
from scalargrad.compiler.packing.instructions import (
    Apply,
    Gather,
    Instruction,
    Products,
    size_of,
)

#: The most instructions of a function, the fewest of a stretch that gets one, and the fewest small
#: instructions of a program worth compiling at all.
_LONG, _SHORT, _FEW = 1500, 4, 32
#: The most products, and the most lanes, of a small instruction.
_PRODUCTS, _LANES = 16, 4

Stretch = tuple[int, int]
#: The terms of a sum: (first factor, second factor), both cells.
Terms = list[tuple[int, int]]


def stretches(instructions: Sequence[Instruction]) -> list[Stretch]:
    """Return (start, stop) of the stretches of small instructions."""
    found: list[Stretch] = []
    start = 0
    for small, group in itertools.groupby(instructions, is_small):
        count = len(list(group))
        if small and count >= _SHORT:
            edges = [*range(start, start + count, _LONG), start + count]
            found += itertools.pairwise(edges)
        start += count
    return found if sum(last - first for first, last in found) >= _FEW else []


def is_small(instruction: Instruction) -> bool:
    """Return whether an instruction has so few lanes that printing them all pays."""
    if isinstance(instruction, Products):
        return instruction.a.size <= _PRODUCTS
    return isinstance(instruction, Apply | Gather) and size_of(instruction) <= _LANES


def printed(
    instructions: Sequence[Instruction], numbers: dict[int, float], found: Iterable[Stretch]
) -> tuple[IRModule, list[str]]:
    """Return a module with a function for each stretch, and the names of these functions.

    `numbers` maps constant cells to their numbers.
    """
    module, names = IRModule(), []
    for k, (first, last) in enumerate(found):
        names.append(f"straight.{k}")
        body = module.function(names[-1], "ptr noalias %m, ptr %f")
        writer = StraightLineWriter(Emitter(body, inline=False), numbers)
        for instruction in instructions[first:last]:
            writer.write(instruction)
        body.line("ret void")
    return module, names


class StraightLineWriter:
    """Prints instructions; `known` maps cells to registers or constants with their contents."""

    def __init__(self, e: Emitter, known: Mapping[int, Operand]) -> None:
        self.e = e
        self.known = dict(known)

    def write(self, instruction: Instruction) -> None:
        """Print an instruction, lane after lane."""
        out = instruction.out
        if isinstance(instruction, Apply):
            op, _, lanes, operands = instruction
            results: list[Operand] = [
                apply(self.e, op, *(self.cell(x + i) for x in operands))  # type: ignore[arg-type]
                for i in range(lanes)
            ]
        elif isinstance(instruction, Gather):
            results = [self.cell(x) for x in instruction.sources.tolist()]
        else:
            assert isinstance(instruction, Products)
            results = [self.total(start, terms) for start, terms in _sums(instruction)]
        for i, x in enumerate(results):
            self.known[out + i] = x
            self.e.store(x, self._pointer(out + i))

    def _pointer(self, cell: int) -> str:
        return self.e.body.assign(f"getelementptr double, ptr %m, i64 {cell}")

    def cell(self, cell: int) -> Operand:
        """Return a register or constant with the contents of a cell."""
        if cell not in self.known:
            self.known[cell] = self.e.load(self._pointer(cell))
        return self.known[cell]

    def total(self, start: int, terms: Terms) -> Operand:
        """Print a sum of products; a factor of 1 and a start of -0.0 are left out."""
        e, total = self.e, self.cell(start)
        for a, b in terms:
            x, y = self.cell(a), self.cell(b)
            x, y = (y, x) if x == 1.0 else (x, y)
            nothing = isinstance(total, float) and total.hex() == "-0x0.0p+0"
            if nothing:
                total = x if y == 1.0 else e.mul(x, y)
            else:
                total = e.add(total, x) if y == 1.0 else e.fma(x, y, total)
        return total


def _sums(instruction: Products) -> Iterator[tuple[int, Terms]]:
    """Yield the start of each sum, and its terms."""
    _, *tables = instruction
    for start, a, b in zip(*(x.tolist() for x in tables), strict=True):
        yield start, list(zip(a, b, strict=True))
