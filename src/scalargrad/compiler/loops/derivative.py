"""The backward pass of a rolled program: for each forward loop, the loops of its error signals.

A signal to a statement of the same loop stays in a register. A signal to another loop is added to
memory. A signal to a cell that every iteration reads is summed over the iterations.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import numpy as np

from scalargrad.compiler.loops.body import Body, simplified
from scalargrad.compiler.loops.loop import (
    Carry,
    Cells,
    CellTable,
    Compute,
    Loop,
    LoopTotal,
    Number,
    Place,
    cells_of,
)
from scalargrad.compiler.loops.node_columns import distinct
from scalargrad.compiler.loops.roll import Constants, Operand, Own, RolledBlock
from scalargrad.compiler.loops.schedule import Stage
from scalargrad.compiler.loops.signals import Signals, is_active
from scalargrad.compiler.passes.kinds import DETACH
from scalargrad.compiler.passes.partial import partial
from scalargrad.ops import add, mul, neg
from scalargrad.table.operation import Elementwise
from scalargrad.table.symbol import Symbol


def history_signals(block: RolledBlock, signals: Signals) -> Loop:
    """Return the steps that add the signals of a block's history to the cells it was copied from.

    It is the reverse of `forward.copy_history`.
    """
    body = Body.once(signals.numbers)
    for cell, source in block.sources.items():
        if signals.sent[cell] and signals.active[source]:
            read = body.read(signals.cells_for(Cells(cell)))
            body.increase(signals.signal(Cells(source)), read)
    return body.loop


class Backward:
    """Writes the loops that compute the error signals of a stage and send them to its operands.

    The partials of a recurrence depend on no signal, so a loop over lanes, `aside`, computes them
    before the sequential loop, `body`, multiplies the signals by them.
    """

    def __init__(self, block: RolledBlock, stage: Stage, signals: Signals) -> None:
        self.signals = signals
        self.block = block
        self.body = Body(block, stage, signals.numbers, down=not stage.lanes)
        self.aside = self.body
        if block.count > 1:
            self.aside = Body(block, Stage([], lanes=True), signals.numbers)
        # Registers with signals to statements of this loop, by statement: to the same iteration,
        # to the previous one, and those received from the next one.
        self.inside: dict[int, list[int]] = defaultdict(list)
        self.back: dict[int, list[int]] = defaultdict(list)
        self.carried: dict[int, int] = {}
        # The cells with the first of the signals received so; where there is none, they begin as 0.
        self.first: dict[int, int] = {}
        # Registers with signals to other loops, and the cells they are for.
        self.outside: dict[Any, tuple[Place, int]] = {}
        self.before: list[Loop] = []
        self.after: list[Loop] = []

    def run(self) -> list[Loop]:
        """Return the loops."""
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
            body.loop.carries.append(Carry(self.first.get(t), register, onto.cell))
        aside = [self.aside.loop] if self.aside is not body else []
        return [*self.before, *aside, body.loop, *self.after]

    def _expect(self) -> None:
        """Prepare for signals to earlier iterations: a carry for distance 1, else memory."""
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
        """Return a register with the error signal of statement `t`; None if it gets none.

        Signals of this iteration are added last, as a recurrence waits for them longest.
        """
        parts = [self.carried[t]] if t in self.carried else []
        if self.signals.is_sent(self.block, t):
            place = self.signals.cells_for(self.body.own(t))
            if t in self.carried and not self.signals.is_sent(self.block, t, before_last=True):
                self.first[t] = int(cells_of(place, self.block.count)[-1])
            else:
                parts.append(self.body.read(place))
        parts += self.inside[t]
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
            self.body.write(self.signals.cells_for(self.body.own(t)), upstream)
        if op is DETACH:
            return
        for j, operand in enumerate(operands):
            if is_active(self.signals.active, self.block, operand):
                self._pass(operand, self._product(t, (op, operands), j, upstream))

    def _product(
        self, t: int, made: tuple[Elementwise, tuple[Operand, ...]], j: int, u: int
    ) -> int:
        """Return a register with upstream · partial; `u` is the upstream signal."""
        op, operands = made
        local = partial(op, j)
        expression, body = local.expression, self.body
        if not isinstance(expression, Symbol):
            if expression == 1.0:
                return u
            if expression == -1.0:
                return body.compute(neg, u)
            return self._times(u, body.number(float(expression)))
        where = body if expression.op is None or body.loop.lanes else self.aside
        uses = [
            where.operand(operands[k - 1]) if k else where.read(where.own(t)) for k in local.uses
        ]
        if expression.op is None:
            return self._times(u, uses[0])
        found = where.compute(local, *uses)
        if where is not body:
            place = self.signals.room(self.block.count)
            where.write(place, found)
            found = body.read(place)
        return body.compute(mul, u, found)

    def _times(self, upstream: int, factor: int) -> int:
        """Return a register with a product; a constant takes the sign, so that nothing waits."""
        signal, number = self.body.loop.steps[upstream], self.body.loop.steps[factor]
        if isinstance(signal, Compute) and signal.op is neg and isinstance(number, Number):
            (upstream,), factor = signal.operands, self.body.number(-number.value)
        return self.body.compute(mul, upstream, factor)

    def _pass(self, operand: Operand, register: int) -> None:
        """Send a signal to an operand."""
        body = self.body
        if isinstance(operand, Own) and operand.statement in body.members:
            t = operand.statement
            if not operand.distance:
                self.inside[t].append(register)
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
        """Add a signal to those in memory; `alone` says that no other signal of this loop is."""
        body, block = self.body, self.block
        if block.count > 1 and isinstance(place, Cells) and not place.stride:
            cells = self.signals.signal(place)
            assert isinstance(cells, Cells)
            start, cell = cells.cell, cells.cell
            if not alone and self._is_increased(place.cell):
                start, cell = self._apart(cells)
            body.loop.totals.append(LoopTotal(((register,),), start, cell))
            return
        found, fresh = self.signals.signals(place, block.count, alone=alone)
        (body.write if fresh else body.increase)(found, register)

    def _is_increased(self, cell: int) -> bool:
        """Return whether what goes to another cell in each iteration goes to this one in some."""
        places = [x for x, _ in self.outside.values() if isinstance(x, CellTable) or x.stride]
        return any((cells_of(x, self.block.count) == cell).any() for x in places)

    def _apart(self, onto: Cells) -> tuple[int, int]:
        """Return where a total begins, at -0.0, and a cell for it that is added to `onto` later.

        Meanwhile the loop adds other signals to the number that is in `onto`.
        """
        zero = self.signals.numbers(Constants(np.array([-0.0])))
        cells, signals = self.signals.room(1), self.signals
        assert isinstance(zero, Cells)
        body = Body.once(signals.numbers)
        body.increase(onto, body.read(cells))
        self.after.append(body.loop)
        return zero.cell, cells.cell

    def _sum(self, part: list[int]) -> None:
        """Send the signal of a sum over all iterations to its terms and to its initial value."""
        block, body = self.block, self.body
        last = block.cells[part[-1]] + block.count - 1
        if not self.signals.sent[last]:
            return
        read = self.signals.cells_for(Cells(last))
        upstream = body.read(read)
        start = Body.once(self.signals.numbers)
        initial = self.signals.signal(Cells(block.cells[part[-1]] - 1))
        start.increase(initial, start.read(read))
        self.before.append(start.loop)
        for t in part:
            op, operands = simplified(block.body[t])
            for j, x in enumerate(operands):
                inner = isinstance(x, Own) and x.statement in part
                if not inner and is_active(self.signals.active, block, x):
                    self._pass(x, self._product(t, (op, operands), j, upstream))
