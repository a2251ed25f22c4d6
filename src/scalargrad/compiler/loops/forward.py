"""The forward pass of a rolled program: for each stage, the loop that computes its statements."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from scalargrad.compiler.loops.body import Body, simplified
from scalargrad.compiler.loops.loop import Carry, Cells, Compute, Computed, Loop, LoopTotal
from scalargrad.compiler.loops.roll import Operand, Own, RolledBlock
from scalargrad.compiler.loops.schedule import Stage
from scalargrad.compiler.passes.expressions import IDENTITY
from scalargrad.compiler.passes.kinds import DETACH
from scalargrad.ops import add, mul, neg, sub


def copy_history(block: RolledBlock, numbers: Any) -> Loop:
    """Return the steps that copy what the first iterations read into the history of the block."""
    body = Body.once(numbers)
    for cell, source in block.sources.items():
        body.write(Cells(cell), body.read(Cells(source)))
    return body.loop


class Forward:
    """Writes the loop that computes the statements of a stage and stores their results.

    Parameters
    ----------
    numbers : callable
        Stores `Constants` in memory, one number per iteration, and returns their place.
    alone : collection of int
        The statements whose result is read exactly once: a product among them can be fused with
        the sum that reads it.
    """

    def __init__(
        self, block: RolledBlock, stage: Stage, numbers: Any, alone: Collection[int]
    ) -> None:
        self.body = Body(block, stage, numbers)
        self.alone = alone
        self.registers: dict[int, int] = {}
        self.carried: dict[int, int] = {}

    def run(self) -> Loop:
        """Return the loop."""
        body, block = self.body, self.body.block
        body.loop.is_fused = True
        summed = {t: part for part in body.stage.sums for t in part}
        for t in body.stage.statements:
            if t in summed:
                if t == summed[t][-1]:
                    self._total(summed[t])
                continue
            op, operands = simplified(block.body[t])
            registers = [self._operand(x) for x in operands]
            if op is IDENTITY or op is DETACH:
                self.registers[t] = registers[0]
            else:
                self.registers[t] = self._computed(op, operands, registers)
            body.write(body.own(t), self.registers[t])
        for t in self.carried:
            body.loop.carries.append(Carry(block.cells[t] - 1, self.registers[t], None))
        return body.loop

    def _computed(self, op: Computed, operands: Sequence[Operand], registers: list[int]) -> int:
        """Return the register of an operation; a sum with a product is a fused multiply-add."""
        body = self.body
        if op is add or op is sub:
            (x, y), (first, second) = operands, registers
            if (factors := self._factors(y)) is not None:
                a, b = factors
                return body.fused(body.compute(neg, a) if op is sub else a, b, first)
            if (factors := self._factors(x)) is not None:
                return body.fused(*factors, body.compute(neg, second) if op is sub else second)
        return body.compute(op, *registers)

    def _factors(self, operand: Operand) -> tuple[int, int] | None:
        """Return the factors if an operand is a product of this iteration read nowhere else."""
        if not isinstance(operand, Own) or operand.distance or operand.statement not in self.alone:
            return None
        register = self.registers.get(operand.statement)
        step = None if register is None else self.body.loop.steps[register]
        if not isinstance(step, Compute) or step.op is not mul:
            return None
        return step.operands[0], step.operands[1]

    def _operand(self, operand: Operand) -> int:
        body = self.body
        if isinstance(operand, Own):
            t = operand.statement
            if not operand.distance and t in self.registers:
                return self.registers[t]
            if body.is_carried(operand):
                if t not in self.carried:
                    self.carried[t] = body.carried()
                return self.carried[t]
        return body.operand(operand)

    def _total(self, part: list[int]) -> None:
        body, block = self.body, self.body.block
        terms: list[tuple[int, ...]] = []
        for t in part:
            op, operands = simplified(block.body[t])
            (x,) = [x for x in operands if not (isinstance(x, Own) and x.statement in part)]
            term = self._factors(x) or (self._operand(x),)
            terms.append((body.compute(neg, term[0]), *term[1:]) if op is sub else term)
        first = block.cells[part[-1]]
        body.loop.totals.append(LoopTotal(tuple(terms), first - 1, first + block.count - 1))
