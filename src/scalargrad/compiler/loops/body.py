"""Write the body of a loop, step by step."""

from __future__ import annotations

from typing import Any

from scalargrad.compiler.loops.loop import (
    CarriedOver,
    Cells,
    Compute,
    Computed,
    Fused,
    Increase,
    Loop,
    Number,
    Place,
    Read,
    Step,
    Write,
)
from scalargrad.compiler.loops.roll import Constant, Constants, Operand, Own, RolledBlock, Statement
from scalargrad.compiler.loops.schedule import Stage
from scalargrad.compiler.passes.expressions import IDENTITY
from scalargrad.ops import mul, pow
from scalargrad.table.operation import Elementwise


class Body:
    """The loop of a stage while it is being written.

    Parameters
    ----------
    block : RolledBlock
    stage : Stage
    numbers : callable
        Returns the place of numbers, one for each iteration.
    """

    def __init__(
        self, block: RolledBlock, stage: Stage, numbers: Any, *, down: bool = False
    ) -> None:
        self.block = block
        self.stage = stage
        self.members = set(stage.statements)
        self.loop = Loop(block.count, stage.lanes and block.count > 1, down)
        self._numbers = numbers
        self._known: dict[Any, int] = {}
        self._carries = 0

    def _append(self, step: Step) -> int:
        self.loop.steps.append(step)
        return len(self.loop.steps) - 1

    def _once(self, key: Any, step: Step) -> int:
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._append(step)
        return found

    def number(self, value: float) -> int:
        """Return the register of a number."""
        return self._once(value.hex(), Number(value))

    def read(self, place: Place) -> int:
        """Return a register read from memory."""
        return self._once(place if isinstance(place, Cells) else id(place), Read(place))

    def compute(self, op: Computed, *operands: int) -> int:
        """Return the register of an operation."""
        return self._append(Compute(op, operands))

    def fused(self, a: int, b: int, c: int) -> int:
        """Return the register of a·b + c, rounded once."""
        return self._append(Fused((a, b, c)))

    def write(self, place: Place, register: int) -> None:
        """Write a register to memory."""
        self._append(Write(place, register))

    def increase(self, place: Place, register: int) -> None:
        """Add a register to what is in memory."""
        self._append(Increase(place, register))

    def carried(self) -> int:
        """Return the register of one more carry; carries are declared in this order."""
        self._carries += 1
        return self._append(CarriedOver(self._carries - 1))

    def place(self, operand: Operand) -> Place:
        """Return the place in memory of an operand that is not a constant."""
        if isinstance(operand, Own):
            cell = self.block.cells[operand.statement] - operand.distance
            return Cells(cell, 1 if self.block.count > 1 else 0)
        if isinstance(operand, Constants):
            return self._numbers(operand)  # type: ignore[no-any-return]
        assert not isinstance(operand, Constant)
        return operand

    def operand(self, operand: Operand) -> int:
        """Return the register of an operand that is a constant or in memory."""
        if isinstance(operand, Constant):
            return self.number(operand.value)
        return self.read(self.place(operand))

    def own(self, t: int) -> Cells:
        """Return the cells of a statement of this block."""
        return Cells(self.block.cells[t], 1 if self.block.count > 1 else 0)

    def is_carried(self, operand: Operand) -> bool:
        """Return whether a register carries the operand from one iteration to the next."""
        return (
            isinstance(operand, Own)
            and operand.distance == 1
            and operand.statement in self.members
            and not self.stage.lanes
        )


def simplified(statement: Statement) -> tuple[Elementwise, tuple[Operand, ...]]:
    """Return an operation and its operands, with x² written as x·x and x¹ as x."""
    op, operands = statement
    assert isinstance(op, Elementwise)
    if op is pow and isinstance(operands[1], Constant):
        if operands[1].value == 2.0:
            return mul, (operands[0], operands[0])
        if operands[1].value == 1.0:
            return IDENTITY, operands[:1]  # type: ignore[return-value]
    return op, operands
