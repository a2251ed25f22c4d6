"""Run the examples of a vmap as a loop that keeps the intermediate results of each in registers.

A packed program stores the result of every operation in memory. Where an example is a long chain
of operations on few numbers, this loop is faster: it loads the inputs and stores the outputs only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from scalargrad.compiler.nests.node_columns import is_repeatable
from scalargrad.compiler.passes.kinds import CLASSES, PRODUCTS, SEQUENTIAL, Op, Total
from scalargrad.compiler.passes.partial import Partial
from scalargrad.compiler.passes.segments import Mapped
from scalargrad.ops import add, mul
from scalargrad.table.operation import Elementwise

#: How many lanes are computed at a time.
LANES = 8
#: Longer bodies, and bodies that share more numbers between lanes or sum more of them over lanes,
#: are packed instead: most of these are matrix products, and others take long to compile.
_STEPS, _SINGLES, _TOTALS = 2_000, 64, 24


class Cells(NamedTuple):
    """The cell ``cell + stride · i`` for lane i."""

    cell: int
    stride: int = 0


class Number(NamedTuple):
    """A register that holds a constant."""

    value: float


class Read(NamedTuple):
    """A register read from memory."""

    place: Cells


class Compute(NamedTuple):
    """A register computed from others."""

    op: Elementwise | Partial
    operands: tuple[int, ...]


class Fused(NamedTuple):
    """A register that is a·b + c of three others, rounded once."""

    operands: tuple[int, ...]


class Write(NamedTuple):
    """Write a register to memory."""

    place: Cells
    register: int


Step = Number | Read | Compute | Fused | Write


class LoopTotal(NamedTuple):
    """A sum over all lanes, added to the number in a cell.

    Up to 64 terms are added one after the other. More are split into eight sums, each over every
    eighth lane, which are then added in order.

    Attributes
    ----------
    terms : tuple of tuple of int
        What a lane adds, in order: a register, or two registers whose product is added by a fused
        multiply-add.
    start, cell : int
        The cell with the initial value, and the cell where the sum is stored.
    """

    terms: tuple[tuple[int, ...], ...]
    start: int
    cell: int


@dataclass
class LaneLoop:
    """A body of steps, run for `count` lanes; a register is the index of the step that sets it.

    Attributes
    ----------
    count : int
    cells : int
        The number of cells that it reads and keeps.
    steps : list of Step
    totals : list of LoopTotal
    """

    count: int
    cells: int
    steps: list[Step] = field(default_factory=list)
    totals: list[LoopTotal] = field(default_factory=list)

    def is_sequential(self, total: LoopTotal) -> bool:
        """Return whether the terms of a total are added one after the other, not in eight sums."""
        return self.count == 1 or self.count * len(total.terms) <= SEQUENTIAL


def fits_registers(part: Mapped) -> bool:
    """Return whether examples should run as a loop over registers rather than packed."""
    program = part.source
    ops = [program.ops[x] for x in part.nodes]
    steps = sum(len(program.args[x]) // 2 or 1 for x in part.nodes)
    few = steps <= _STEPS and len(part.singles) <= _SINGLES and part.totals <= _TOTALS
    return few and all(map(_is_known, ops))


def _is_known(op: Op) -> bool:
    return op is PRODUCTS or isinstance(op, Total | Partial) or is_repeatable(op)


def lane_loop(part: Mapped, bounds: tuple[int, int], partials: int) -> LaneLoop:
    """Return the loop over a range of lanes; its cells are those of the segmented program.

    Parameters
    ----------
    bounds : (int, int)
        The first lane, and the one after the last.
    partials : int
        The first cell for the sums over these lanes.
    """
    return _Writer(part, *bounds).run(partials)


class _Writer:
    """Writes the loop over a range of lanes.

    `registers` maps nodes to registers; equal constants and equal reads share one.
    """

    def __init__(self, part: Mapped, start: int, stop: int) -> None:
        self.part, self.start = part, start
        self.loop = LaneLoop(stop - start, part.cells)
        self.registers: dict[int, int] = {}
        self._known: dict[Any, int] = {}

    def run(self, partials: int) -> LaneLoop:
        part, program = self.part, self.part.source
        for node, cell in zip(part.singles, part.reads.tolist(), strict=True):
            self.registers[node] = self._once(Read(Cells(cell)))
        for node, (first, step) in zip(part.stacks, part.columns, strict=True):
            place = Cells(first + self.start * step, step)
            self.registers[node] = self._once(Read(place))
        for node in part.nodes:
            op, args = program.ops[node], program.args[node]
            if op is PRODUCTS:
                self.registers[node] = self._sum(args)
            elif not isinstance(op, Total):
                assert isinstance(op, Partial | Elementwise)
                self.registers[node] = self._append(Compute(op, tuple(map(self._register, args))))
        for node, cell in zip(part.asked[part.totals :], part.kept, strict=True):
            self._append(Write(Cells(cell + self.start, 1), self.registers[node]))
        for k, node in enumerate(part.asked[: part.totals]):
            terms = self._terms(program.args[node])
            self.loop.totals.append(LoopTotal(terms, part.nothing, partials + k))
        return self.loop

    def _append(self, step: Step) -> int:
        self.loop.steps.append(step)
        return len(self.loop.steps) - 1

    def _once(self, step: Number | Read) -> int:
        key = step.value.hex() if isinstance(step, Number) else step
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._append(step)
        return found

    def _register(self, node: int) -> int:
        found = self.registers.get(node)
        return self._once(Number(self.part.source.constants[node])) if found is None else found

    def _terms(self, args: Sequence[int]) -> tuple[tuple[int, ...], ...]:
        """Return the two registers of each product, or one where the other factor is 1."""
        one = self.part.source.one
        return tuple(
            [
                (self._register(a),) if b == one else (self._register(a), self._register(b))
                for a, b in zip(args[::2], args[1::2], strict=True)
            ]
        )

    def _sum(self, args: Sequence[int]) -> int:
        """Write a sum of products in the order of packed ones, as rows of fused multiply-adds."""
        k, constants, found = self.part.source.start_of(args), self.part.source.constants, None
        if k is not None:
            found = self._once(Number(constants[args[2 * k]] * constants[args[2 * k + 1]]))
            args = [*args[: 2 * k], *args[2 * k + 2 :]]
        terms = self._terms(args)
        if len(terms) <= SEQUENTIAL:
            return self._added(found, terms)
        rows = [self._added(None, terms[k::CLASSES]) for k in range(CLASSES)]
        return self._added(found, [(x,) for x in rows])

    def _added(self, found: int | None, terms: Sequence[tuple[int, ...]]) -> int:
        """Add terms to a register, if there is one, one after the other."""
        for term in terms:
            if found is None:
                found = term[0] if len(term) == 1 else self._append(Compute(mul, term))
            elif len(term) == 1:
                found = self._append(Compute(add, (found, *term)))
            else:
                found = self._append(Fused((*term, found)))
        assert found is not None
        return found
