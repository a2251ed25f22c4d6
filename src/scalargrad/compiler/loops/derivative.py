"""The backward pass of a rolled program: loops that send error signals back, last stage first.

An error signal that stays within a loop is kept in a register; one that goes to another loop is
added in memory, and one that goes to a cell all iterations read is summed over all of them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

from scalargrad.compiler.loops.body import Body, simplified
from scalargrad.compiler.loops.loop import Carry, Cells, Loop, LoopTotal, Place, cells_of
from scalargrad.compiler.loops.node_columns import distinct
from scalargrad.compiler.loops.roll import Operand, Own, RolledBlock
from scalargrad.compiler.loops.schedule import Stage
from scalargrad.compiler.loops.signals import Signals
from scalargrad.compiler.passes.lanes import partial
from scalargrad.compiler.trace.detach import DETACH
from scalargrad.ops import add, mul, neg
from scalargrad.table.operation import Elementwise
from scalargrad.table.symbol import Symbol


def leads_back(block: RolledBlock, signals: Signals) -> Loop:
    """Return the steps that pass on the signals that first iterations send to before the loop."""
    body = Body(RolledBlock(block.start, 1, [], []), Stage([], lanes=False), signals.numbers)
    for cell, source in block.sources.items():
        if signals.sent[cell] and signals.active[source]:
            read = body.read(signals.behind_of(Cells(cell)))
            body.increase(signals.signal(Cells(source)), read)
    return body.loop


def backward(block: RolledBlock, stage: Stage, signals: Signals) -> list[Loop]:
    """Return the loops that send back the error signals of a stage."""
    return _Backward(block, stage, signals).run()


class _Backward:
    def __init__(self, block: RolledBlock, stage: Stage, signals: Signals) -> None:
        self.signals = signals
        self.block = block
        self.body = Body(block, stage, signals.numbers, down=not stage.lanes)
        # What a recurrence multiplies by depends on no signal: it is computed before, in lanes.
        self.aside = self.body
        if block.count > 1:
            self.aside = Body(block, Stage([], lanes=True), signals.numbers)
        self.inside: dict[int, int] = {}  # what statements are sent in the same iteration
        self.back: dict[int, list[int]] = defaultdict(list)  # and in the one before
        self.carried: dict[int, int] = {}
        self.outside: dict[Any, tuple[Place, int]] = {}
        self.before: list[Loop] = []

    def run(self) -> list[Loop]:
        body, block, stage = self.body, self.block, self.body.stage
        self._expect()
        summed = {t: part for part in stage.sums for t in part}
        for t in reversed(stage.statements):
            if not self.signals.active[block.cells[t]]:
                continue
            if t not in summed:
                self._statement(t)
            elif t == summed[t][-1]:
                self._sum(summed[t])
        counts = Counter(x for place, _ in self.outside.values() for x in self._arrays(place))
        for place, register in self.outside.values():
            self._send(place, register, alone=all(counts[x] == 1 for x in self._arrays(place)))
        for t in self.carried:
            register = self._added(self.back[t]) if self.back[t] else body.number(0.0)
            onto = self.signals.signal(Cells(block.cells[t] - 1))
            assert isinstance(onto, Cells)
            body.loop.carries.append(Carry(None, register, onto.cell))
        aside = [self.aside.loop] if self.aside is not body else []
        return [*self.before, *aside, body.loop]

    def _expect(self) -> None:
        """Find out what iterations send to earlier ones, in registers and in memory."""
        block, body = self.block, self.body
        for t in body.stage.statements:
            if any(t in part for part in body.stage.sums):
                continue
            for x in simplified(block.body[t])[1]:
                if not isinstance(x, Own) or not x.distance or x.statement not in body.members:
                    continue
                if body.is_carried(x) and self.signals.active[block.cells[x.statement]]:
                    self.carried.setdefault(x.statement, -1)
                elif self.signals.active[block.cells[x.statement]]:
                    self.signals.signals(body.place(x), block.count, alone=False)
        for t in self.carried:
            self.carried[t] = body.carried()

    def _upstream(self, t: int) -> int | None:
        """Return the error signal of a statement, None where nothing is sent."""
        parts = [self.inside[t]] if t in self.inside else []
        if t in self.carried:
            parts.append(self.carried[t])
        if self.signals.is_sent(self.block, t):
            parts.append(self.body.read(self.signals.behind_of(self.body.own(t))))
        return self._added(parts) if parts else None

    def _added(self, registers: list[int]) -> int:
        found = registers[0]
        for x in registers[1:]:
            found = self.body.compute(add, found, x)
        return found

    def _statement(self, t: int) -> None:
        op, operands = simplified(self.block.body[t])
        upstream = self._upstream(t)
        if upstream is None:
            return
        cells = slice(self.block.cells[t], self.block.cells[t] + self.block.count)
        if self.signals.asked[cells].any():
            self.body.write(self.signals.behind_of(self.body.own(t)), upstream)
        if op is DETACH:
            return
        for j, operand in enumerate(operands):
            if self.signals.is_active(self.block, operand):
                self._pass(operand, self._product(t, (op, operands), j, upstream))

    def _product(
        self, t: int, made: tuple[Elementwise, tuple[Operand, ...]], j: int, u: int
    ) -> int:
        """Return the register of upstream · partial."""
        op, operands = made
        local = partial(op, j)
        expression, body = local.expression, self.body
        if not isinstance(expression, Symbol):
            if expression == 1.0:
                return u
            if expression == -1.0:
                return body.compute(neg, u)
            return body.compute(mul, u, body.number(float(expression)))
        where = body if expression.op is None or body.loop.lanes else self.aside
        uses = [
            where.operand(operands[k - 1]) if k else where.read(where.own(t)) for k in local.uses
        ]
        if expression.op is None:
            return body.compute(mul, u, uses[0])
        found = where.compute(local, *uses)
        if where is not body:
            place = self.signals.room(self.block.count)
            where.write(place, found)
            found = body.read(place)
        return body.compute(mul, u, found)

    def _pass(self, operand: Operand, register: int) -> None:
        body = self.body
        if isinstance(operand, Own) and operand.statement in body.members:
            t = operand.statement
            if not operand.distance:
                self.inside[t] = (
                    self._added([self.inside[t], register]) if t in self.inside else register
                )
                return
            if body.is_carried(operand):
                self.back[t].append(register)
                return
        place = body.place(operand)
        key = place if isinstance(place, Cells) else id(place)
        known = self.outside.get(key)
        self.outside[key] = place, register if known is None else self._added([known[1], register])

    def _arrays(self, place: Place) -> list[int]:
        cells = cells_of(place, self.block.count)
        found: list[int] = distinct(self.signals.array(cells)).tolist()
        return found

    def _send(self, place: Place, register: int, *, alone: bool) -> None:
        """Add a signal to those of another loop."""
        body, block = self.body, self.block
        if block.count > 1 and isinstance(place, Cells) and not place.stride:
            cells = self.signals.signal(place)
            assert isinstance(cells, Cells)
            body.loop.totals.append(LoopTotal(((register,),), cells.cell, cells.cell))
            return
        found, fresh = self.signals.signals(place, block.count, alone=alone)
        (body.write if fresh else body.increase)(found, register)

    def _sum(self, part: list[int]) -> None:
        """Send the signal of a sum to each of its terms and to its start."""
        block, body = self.block, self.body
        last = block.cells[part[-1]] + block.count - 1
        if not self.signals.sent[last]:
            return
        read = self.signals.behind_of(Cells(last))
        upstream = body.read(read)
        start = Body(RolledBlock(block.start, 1, [], []), body.stage, self.signals.numbers)
        lead = self.signals.signal(Cells(block.cells[part[-1]] - 1))
        start.increase(lead, start.read(read))
        self.before.append(start.loop)
        for t in part:
            op, operands = simplified(block.body[t])
            for j, x in enumerate(operands):
                inner = isinstance(x, Own) and x.statement in part
                if not inner and self.signals.is_active(block, x):
                    self._pass(x, self._product(t, (op, operands), j, upstream))
