"""A loop body under construction: methods that append one step and return its register."""

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
    """Builds the loop of one stage; equal constants and equal reads share a register.

    Parameters
    ----------
    numbers : callable
        Stores `Constants` in memory, one number per iteration, and returns their place.
    down : bool
        Whether the loop runs from the last iteration to the first.
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

    @classmethod
    def once(cls, numbers: Any) -> Body:
        """Return a loop of one iteration, of no block."""
        return cls(RolledBlock(0, 1, [], []), Stage([], lanes=False), numbers)

    def _append(self, step: Step) -> int:
        self.loop.steps.append(step)
        return len(self.loop.steps) - 1

    def _once(self, key: Any, step: Step) -> int:
        found = self._known.get(key)
        if found is None:
            found = self._known[key] = self._append(step)
        return found

    def number(self, value: float) -> int:
        """Return a register that holds a constant."""
        return self._once(value.hex(), Number(value))

    def read(self, place: Place) -> int:
        """Return a register loaded from memory."""
        return self._once(place if isinstance(place, Cells) else id(place), Read(place))

    def compute(self, op: Computed, *operands: int) -> int:
        """Append an operation and return its register."""
        return self._append(Compute(op, operands))

    def fused(self, a: int, b: int, c: int) -> int:
        """Append a fused multiply-add, a·b + c rounded once, and return its register."""
        return self._append(Fused((a, b, c)))

    def write(self, place: Place, register: int) -> None:
        """Store a register in memory."""
        self._append(Write(place, register))

    def increase(self, place: Place, register: int) -> None:
        """Add a register to the number in memory."""
        self._append(Increase(place, register))

    def carried(self) -> int:
        """Return the register of a new carry.

        The caller adds the matching entries to ``loop.carries`` in the order of these calls.
        """
        self._carries += 1
        return self._append(CarriedOver(self._carries - 1))

    def place(self, operand: Operand) -> Place:
        """Return where an operand other than a shared constant lies in memory."""
        if isinstance(operand, Own):
            cell = self.block.cells[operand.statement] - operand.distance
            return Cells(cell, 1 if self.block.count > 1 else 0)
        if isinstance(operand, Constants):
            return self._numbers(operand)  # type: ignore[no-any-return]
        assert not isinstance(operand, Constant)
        return operand

    def operand(self, operand: Operand) -> int:
        """Return a register with an operand, loaded from memory unless it is a constant."""
        if isinstance(operand, Constant):
            return self.number(operand.value)
        return self.read(self.place(operand))

    def own(self, t: int) -> Cells:
        """Return the cells that hold the results of statement `t`, one per iteration."""
        return Cells(self.block.cells[t], 1 if self.block.count > 1 else 0)

    def is_carried(self, operand: Operand) -> bool:
        """Return whether a register carries the operand over from the previous iteration."""
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
