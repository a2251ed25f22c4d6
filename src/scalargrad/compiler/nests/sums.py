"""Sums by the rule of `interpreter`, in registers wherever that is possible.

The partial sums of a loop are in registers that its turns carry on, one for each cell. A long sum
has eight classes: the lanes of a vector, if the loop has lanes, else one after another.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from scalargrad.compiler.backend.llvm.emitter import Emitter, Operand
from scalargrad.compiler.backend.llvm.operations import apply
from scalargrad.compiler.nests.contract import Fused
from scalargrad.compiler.nests.distances import adds_loop_by_loop
from scalargrad.compiler.nests.equations import (
    ADD,
    CLASSES,
    MAX,
    SEQUENTIAL,
    SET,
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
    if isinstance(op, Fused):
        x, y, z = operands
        sign, of_sum = op.signs
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
    """The partial sums of a step over a loop.

    Attributes
    ----------
    places : dict
        The cells that are added to.
    held : dict
        What each one's sum is so far.
    over_lanes : str
        ``"classes"`` where the loop has lanes, which are the classes; ``"in order"`` where the sum
        is short, so that lanes are added one after another.
    """

    step: Step
    places: dict[Key, Place] = field(default_factory=dict)
    held: dict[Key, Operand] = field(default_factory=dict)
    over_lanes: str = ""

    def is_wide(self, key: Key) -> bool:
        """Return whether a cell's sum is a vector."""
        return self.over_lanes == "classes" or self.places[key].lane is not None


class Running:
    """Partial sums that the turns of a loop carry on in registers."""

    def __init__(self, begun: Sequence[Sum]) -> None:
        self.cells = [(made, key) for made in begun for key in made.held]
        self.wide = [made.is_wide(key) for made, key in self.cells]

    def now(self) -> Carried:
        """Return what the sums are so far."""
        return [made.held[key] for made, key in self.cells]

    def take(self, values: Sequence[Operand]) -> None:
        """Have the sums go on from others."""
        for (made, key), x in zip(self.cells, values, strict=True):
            made.held[key] = x


class Sums(Registers):
    """Prints what is added to cells."""

    def __init__(self, plan: Plan, name: str) -> None:
        super().__init__(plan, name)
        self.sums: dict[Step, list[Sum]] = {}  # that are open, outermost first

    def start(self) -> None:
        """Fill the arrays that are to be filled at each run."""
        for array in self.plan.cleared:
            self._fill(array, self.plan.first.get(array, 0.0))

    def _fill(self, array: Array, x: float) -> None:
        """Fill an array."""

        def turn(k: str, _: Carried) -> Carried:
            self.e1.store(x, self.pointer(self.plan.offsets[array], [(k, 1)]))
            return []

        self._turns(math.prod(array.shape), (), turn)

    def _joined(self, how: str, op: Operation, args: Sequence[Operand], held: Operand) -> str:
        """Return what a sum, or the largest number, is with one more term."""
        e = self.e
        if how == MAX:
            new = write(e, op, *args)
            if held == -math.inf:
                return new
            other = e.select(e.compare("une", new, new), new, held)
            return e.select(e.compare("ogt", new, held), new, other)
        if not isinstance(held, str) and math.copysign(1.0, held) < 0:  # -0, which adds nothing
            return write(e, op, *args)
        if op.name == "mul":
            return e.fma(args[0], args[1], held)
        return e.add(held, write(e, op, *args))

    def _add_up(self, made: Sum, op: Operation, args: Sequence[Operand]) -> None:
        """Add a term to a partial sum."""
        how = made.step.how
        key = self._key(made.step.out)
        if made.over_lanes == "in order":
            made.held[key] = self._joined_lanes(write(self.e, op, *args), made.held[key])
            return
        new = self._joined(how, op, args, made.held[key])
        if self.valid < CLASSES and made.over_lanes:
            new = self.e8.first(new, made.held[key], self.valid)
        made.held[key] = new

    def _joined_lanes(self, terms: str, held: Operand) -> Operand:
        """Return what a sum is with the terms on lanes, one after another."""
        for k in range(self.valid):
            term = self.e8.lane(terms, k)
            held = self.e1.add(held, term) if isinstance(held, str) else term  # else -0
        return held

    def _begin(self, loop: ScheduledLoop) -> list[Sum]:
        """Begin the partial sums over a loop."""
        found: dict[Step, Sum] = {}
        lane = self.lane
        for step, inside in self._instances(loop.body):
            if has_partial_sums(step, loop):
                if any(x.var in step.out.variables for x in inside):
                    raise TraceError(f"{step} adds to many cells in a loop that it is a sum over")
                made, key = found.setdefault(step, Sum(step)), self._key(step.out)
                place = self._here(step.out)
                made.places[key] = place if self._is_wide(step.out) else place._replace(lane=lane)
                made.held[key] = _start(step.how)
        for made in found.values():
            self.sums.setdefault(made.step, []).append(made)
        return list(found.values())

    def _end(self, begun: Sequence[Sum]) -> None:
        """Add partial sums to those of the loop outside, or to the cells."""
        for made in begun:
            self.sums[made.step].pop()
            if not self.sums[made.step]:
                del self.sums[made.step]
            for key, place in made.places.items():
                with self._standing(place):
                    self._end_one(made.step, self._held(made, key))

    def _held(self, made: Sum, key: Key) -> Operand:
        """Return the sum of a cell so far."""
        if made.over_lanes == "classes":
            lanes = [self.e8.lane(str(made.held[key]), k) for k in range(CLASSES)]
            return self._in_order(made.step.how, lanes)
        return made.held[key]

    def _in_order(self, how: str, classes: Sequence[str]) -> str:
        """Return the sum of classes, or the largest of them."""
        return functools.reduce(lambda x, y: self._joined(how, IDENTITY, [y], x), classes)

    def _end_one(self, step: Step, total: Operand) -> None:
        """Add a sum to that of the loop outside, or to the cell."""
        if step in self.sums:
            self._add_up(self.sums[step][-1], IDENTITY, [total])
        else:
            is_sum = step.how == ADD
            self._set(step.out, self.e.add(0.0, total) if is_sum else self.e.number(total))


def _start(how: str) -> float:
    """Return what sums, or largest numbers, start at."""
    return -0.0 if how == ADD else -math.inf


def has_partial_sums(step: Step, loop: Loop) -> bool:
    """Return whether turns of a loop are added up by themselves."""
    is_sum = step.how != SET and loop.var not in step.out.variables
    return is_sum and adds_loop_by_loop(step.out)


def has_classes(step: Step, loop: Loop) -> bool:
    """Return whether sums over a loop have classes, if only at its longest."""
    return step.how != SET and loop.var.extent.bounds()[1] > SEQUENTIAL
