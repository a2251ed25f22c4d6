"""Run the examples of a vmap as a loop that keeps the intermediate results of each in registers.

A packed program stores the result of every operation in memory. Where an example is a long chain
of operations on few numbers, this loop is faster: it loads the inputs and stores the outputs only.
"""

from __future__ import annotations

from collections.abc import Sequence

from scalargrad.compiler.loops.body import Body
from scalargrad.compiler.loops.loop import Cells, Loop, Looped, LoopTotal
from scalargrad.compiler.loops.node_columns import is_repeatable
from scalargrad.compiler.loops.roll import RolledBlock
from scalargrad.compiler.loops.schedule import Stage
from scalargrad.compiler.passes.kinds import CLASSES, PRODUCTS, SEQUENTIAL, Op, Total
from scalargrad.compiler.passes.partial import Partial
from scalargrad.compiler.passes.segments import Mapped
from scalargrad.ops import add, mul

#: Longer bodies, and bodies that share more numbers between lanes or sum more of them over lanes,
#: are packed instead: most of these are matrix products, and others take long to compile.
_STEPS, _SINGLES, _TOTALS = 2_000, 64, 24


def fits_registers(part: Mapped) -> bool:
    """Return whether examples should run as a loop over registers rather than packed."""
    program = part.source
    ops = [program.ops[x] for x in part.nodes]
    steps = sum(len(program.args[x]) // 2 or 1 for x in part.nodes)
    few = steps <= _STEPS and len(part.singles) <= _SINGLES and part.totals <= _TOTALS
    return few and all(map(_is_known, ops))


def _is_known(op: Op) -> bool:
    return op is PRODUCTS or isinstance(op, Total | Partial) or is_repeatable(op)


def lane_loop(part: Mapped, bounds: tuple[int, int], partials: int) -> Looped:
    """Return the loop over a range of lanes; its cells are those of the segmented program.

    Parameters
    ----------
    bounds : (int, int)
        The first lane, and the one after the last.
    partials : int
        The first cell for the sums over these lanes.
    """
    return Looped(0, part.cells, [], [_LaneLoop(part, *bounds).run(partials)], slice(0), 0)


class _LaneLoop:
    """Writes the loop over a range of lanes; `registers` maps nodes to registers."""

    def __init__(self, part: Mapped, start: int, stop: int) -> None:
        self.part, self.start = part, start
        block = RolledBlock(0, stop - start, [], [])
        self.body = Body(block, Stage([], lanes=True), None)
        self.registers: dict[int, int] = {}

    def run(self, partials: int) -> Loop:
        part, program, body = self.part, self.part.source, self.body
        for node, cell in zip(part.singles, part.reads.tolist(), strict=True):
            self.registers[node] = body.read(Cells(cell))
        for node, (first, step) in zip(part.stacks, part.columns, strict=True):
            self.registers[node] = body.read(Cells(first + self.start * step, step))
        for node in part.nodes:
            op, args = program.ops[node], program.args[node]
            if op is PRODUCTS:
                self.registers[node] = self._sum(args)
            elif not isinstance(op, Total):
                assert isinstance(op, Partial) or is_repeatable(op)
                operands = [self._register(x) for x in args]
                self.registers[node] = body.compute(op, *operands)  # type: ignore[arg-type]
        for node, cell in zip(part.asked[part.totals :], part.kept, strict=True):
            body.write(Cells(cell + self.start, 1), self.registers[node])
        for k, node in enumerate(part.asked[: part.totals]):
            terms = self._terms(program.args[node])
            body.loop.totals.append(LoopTotal(terms, part.nothing, partials + k))
        return body.loop

    def _register(self, node: int) -> int:
        found = self.registers.get(node)
        return self.body.number(self.part.source.constants[node]) if found is None else found

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
            found = self.body.number(constants[args[2 * k]] * constants[args[2 * k + 1]])
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
                found = term[0] if len(term) == 1 else self.body.compute(mul, *term)
            elif len(term) == 1:
                found = self.body.compute(add, found, *term)
            else:
                found = self.body.fused(term[0], term[1], found)
        assert found is not None
        return found
