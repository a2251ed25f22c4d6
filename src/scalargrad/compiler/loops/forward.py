"""Forward: the loop of a stage, which computes what its statements say."""

from __future__ import annotations

from typing import Any

from scalargrad.compiler.loops.body import Body, simplified
from scalargrad.compiler.loops.loop import Carry, Cells, Loop, Total
from scalargrad.compiler.loops.roll import Block, Operand, Own
from scalargrad.compiler.loops.schedule import Stage
from scalargrad.compiler.passes.expressions import IDENTITY
from scalargrad.compiler.trace.detach import DETACH
from scalargrad.ops import add, neg, sub


def forward(block: Block, stage: Stage, numbers: Any) -> Loop:
    """Return the loop that computes the statements of a stage, and writes them to memory."""
    return _Forward(block, stage, numbers).run()


def leads(block: Block, stage: Stage, numbers: Any) -> Loop:
    """Return the steps that bring together what first iterations read of earlier ones."""
    body = Body(Block(block.start, 1, [], []), stage, numbers)
    for cell, source in block.sources.items():
        body.write(Cells(cell), body.read(Cells(source)))
    return body.loop


class _Forward:
    def __init__(self, block: Block, stage: Stage, numbers: Any) -> None:
        self.body = Body(block, stage, numbers)
        self.registers: dict[int, int] = {}
        self.carried: dict[int, int] = {}

    def run(self) -> Loop:
        body, block = self.body, self.body.block
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
                self.registers[t] = body.compute(op, *registers)
            body.write(body.own(t), self.registers[t])
        for t in self.carried:
            body.loop.carries.append(Carry(block.cells[t] - 1, self.registers[t], None))
        return body.loop

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
        term = -1
        for t in part:
            op, operands = simplified(block.body[t])
            (x,) = [x for x in operands if not (isinstance(x, Own) and x.statement in part)]
            register = self._operand(x)
            if op is sub:
                register = body.compute(neg, register)
            term = register if term < 0 else body.compute(add, term, register)
        first = block.cells[part[-1]]
        body.loop.totals.append(Total(term, first - 1, first + block.count - 1))
