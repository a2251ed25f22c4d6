"""Sums by the rule of `interpreter`, in registers wherever that is possible.

The partial sums of a loop are in registers that its turns carry on, one for each cell. A long sum
has eight classes: the lanes of a vector, if the loop has lanes, else one after another.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from scalargrad.compiler.backend.llvm.emitter import Emitter, Operand
from scalargrad.compiler.backend.llvm.operations import apply
from scalargrad.compiler.nests.contract import SIGNS
from scalargrad.compiler.nests.distances import adds_loop_by_loop
from scalargrad.compiler.nests.equations import (
    CLASSES,
    SEQUENTIAL,
    SET,
    Access,
    Array,
    Loop,
    Step,
)
from scalargrad.compiler.nests.plan import Plan
from scalargrad.compiler.nests.registers import Carried, Key, Place, Registers
from scalargrad.compiler.nests.schedule import ScheduledLoop
from scalargrad.compiler.passes.kinds import DETACH
from scalargrad.errors import TraceError
from scalargrad.ops import TABLE
from scalargrad.table.operation import Elementwise, Operation

IDENTITY = TABLE["identity"]


def write(e: Emitter, op: Operation, *operands: Operand) -> str:
    """Write an operation, a largest or smallest number among them; return its result."""
    if op in SIGNS:
        x, y, z = operands
        sign, of_sum = SIGNS[op]
        x, z = x if sign > 0 else e.neg(e.number(x)), z if of_sum > 0 else e.neg(e.number(z))
        return e.fma(x, y, z)
    if op is DETACH:
        return e.number(operands[0])
    if isinstance(op, Elementwise):
        return apply(e, op, *operands)
    condition = {"maximum": "ogt", "minimum": "olt"}.get(op.name)
    if condition is None:
        raise TraceError(f"{op.name} of cells: write a loop that adds up")
    held = e.number(operands[0])
    for x in map(e.number, operands[1:]):
        other = e.select(e.compare("une", x, x), x, held)
        held = e.select(e.compare(condition, x, held), x, other)
    return held


@dataclass(eq=False)
class Sum:
    """The partial sum of a cell over a loop.

    Attributes
    ----------
    step : Step
    key : tuple
    place : Place
        The cell that is added to.
    held : str or float
        The sum so far.
    outer : Sum or None
        That of a loop outside, to which it is added.
    has_lanes : bool
        Whether it has its classes on the lanes of the loop.
    """

    step: Step
    key: Key
    place: Place
    held: Operand
    outer: Sum | None
    has_lanes: bool = False

    @property
    def is_wide(self) -> bool:
        """True for a vector."""
        return self.has_lanes or self.place.lane is not None


def resume(sums: Sequence[Sum], values: Sequence[Operand]) -> None:
    """Have partial sums, which the turns of a loop carry on in registers, go on from others."""
    for made, x in zip(sums, values, strict=True):
        made.held = x


def carried(sums: Sequence[Sum]) -> list[tuple[Operand, bool]]:
    """Return the registers of partial sums, each with whether it is a vector."""
    return [(made.held, made.is_wide) for made in sums]


class Sums(Registers):
    """Printer of sums."""

    def __init__(self, plan: Plan, name: str) -> None:
        super().__init__(plan, name)
        self.sums: dict[Step, dict[Key, Sum]] = {}  # of the innermost loop that each has

    def start(self) -> None:
        """Fill the arrays that are to be filled at each run."""
        for array in self.plan.cleared:
            self._fill(array, 0.0)

    def _fill(self, array: Array, x: float) -> None:
        """Fill an array."""

        def turn(k: str, _: Carried) -> Carried:
            self.e1.store(x, self.pointer(self.plan.offsets[array], [(k, 1)]))
            return []

        self._turns(str(math.prod(array.shape)), (), turn)

    def _plus_term(self, op: Operation, args: Sequence[Operand], held: Operand) -> str:
        """Return a sum with one more term."""
        e = self.e
        if not isinstance(held, str) and math.copysign(1.0, held) < 0:  # -0, which adds nothing
            return write(e, op, *args)
        if op.name == "mul":
            return e.fma(args[0], args[1], held)
        return e.add(held, write(e, op, *args))

    def _accumulate(self, step: Step, op: Operation, args: Sequence[Operand]) -> None:
        """Add a term to a partial sum."""
        made = self.sums[step][self._key(step.out)]
        new = self._plus_term(op, args, made.held)
        if self.active_lanes < CLASSES and made.has_lanes:
            new = self.e8.first(new, made.held, self.active_lanes)
        made.held = new

    def _begin(self, loop: ScheduledLoop) -> list[Sum]:
        """Begin the partial sums over a loop."""
        found: dict[tuple[Step, Key], Sum] = {}
        lane = self.lane
        for step, inside in self._instances(loop.body):
            if has_partial_sums(step, loop):
                if any(x.var in step.out.variables for x in inside):
                    raise TraceError(f"{step} adds to many cells in a loop that it is a sum over")
                key, place = self._key(step.out), self._place_of(step.out)
                if not self._is_wide(step.out):
                    place = place._replace(lane=lane)
                outer = self.sums.get(step, {}).get(key)
                found[step, key] = Sum(step, key, place, -0.0, outer)
        for (step, key), made in found.items():
            self.sums.setdefault(step, {})[key] = made
        return list(found.values())

    def _end(self, open_sums: Sequence[Sum]) -> None:
        """Add partial sums to those of the loop outside, or to the cells."""
        for made in open_sums:
            step, total = made.step, made.held
            with self._at_place(made.place):
                if made.has_lanes:
                    lanes = [self.e8.lane(str(total), k) for k in range(CLASSES)]
                    total = functools.reduce(self.e.add, lanes)
                if made.outer:
                    self.sums[step][made.key] = made.outer
                    self._accumulate(step, IDENTITY, [total])
                else:
                    self.sums.pop(step, None)
                    self._set(step.out, self.e.add(0.0, total))

    def _complete(self, x: Access) -> str:
        """Return a cell that is in memory, unless it may be one to which more is added."""
        for step in self.sums:
            if step.out.array is x.array and not _is_elsewhere(x, step.out):
                raise TraceError(f"{x} is read in a loop that adds to {step.out}")
        return super()._complete(x)


def _is_elsewhere(x: Access, out: Access) -> bool:
    """Return whether a cell is another than the one that is added to, wherever loops stand."""
    pairs = zip(x.indices, out.indices, strict=True)
    differences = (index - mine for index, mine in pairs if index != mine)
    return any(not (d.variables or d.via) for d in differences)


def has_partial_sums(step: Step, loop: Loop) -> bool:
    """Return whether turns of a loop are added up by themselves."""
    is_sum = step.how != SET and loop.var not in step.out.variables
    return is_sum and adds_loop_by_loop(step.out)


def has_classes(step: Step, loop: Loop) -> bool:
    """Return whether sums over a loop have classes, if only at its longest."""
    return step.how != SET and loop.var.extent.bounds()[1] > SEQUENTIAL
