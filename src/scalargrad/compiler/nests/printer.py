"""Emit scheduled loops as LLVM IR: lanes are vectors, loop-carried values are phis.

Loops are emitted in their final form; LLVM's loop passes, which would take most of the time, do not
run. Sums follow the rule of `equations`: the partial sums of a loop are loop-carried registers, one
for each element. A long sum has eight partial sums: the lanes of a vector, if the loop has lanes,
otherwise scalars in turn:

    add[] += p[i] · p[i]     %p4 = phi <8 x double> [splat (double -0.0), %entry], [%v9, %head0]
                             %v9 = call <8 x double> @llvm.fma.v8f64(… %v8, … %v8, … %p4)
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from scalargrad.compiler.backend.llvm.emitter import Emitter, Operand
from scalargrad.compiler.backend.llvm.ir_module import IRModule
from scalargrad.compiler.backend.llvm.operations import apply
from scalargrad.compiler.nests.blocks import Block
from scalargrad.compiler.nests.contract import SIGNS
from scalargrad.compiler.nests.distances import adds_loop_by_loop
from scalargrad.compiler.nests.equations import (
    CLASSES,
    SEQUENTIAL,
    SET,
    Access,
    Array,
    Body,
    Loop,
    Step,
    within_loops,
)
from scalargrad.compiler.nests.lowering_error import LoweringError
from scalargrad.compiler.nests.plan import Plan
from scalargrad.compiler.nests.registers import Carried, Key, Place, Registers
from scalargrad.compiler.nests.schedule import ScheduledLoop
from scalargrad.compiler.nests.tiles import GATHERED, HOISTED, is_fixed
from scalargrad.compiler.passes.kinds import DETACH
from scalargrad.opdef.operation import FixedArityOperation, Operation
from scalargrad.ops import TABLE

_IDENTITY = TABLE["identity"]
#: The most steps of a basic block: LLVM's time for one grows faster than its size.
STRAIGHT = 50

#: A function's name, and the number of its calls: if more than one, it takes the number of a block.
Function = tuple[str, int]


def write(e: Emitter, op: Operation, *operands: Operand) -> str:
    """Write an operation, a largest or smallest number among them; return its result."""
    if op in SIGNS:
        x, y, z = operands
        sign, of_sum = SIGNS[op]
        x, z = x if sign > 0 else e.neg(e.number(x)), z if of_sum > 0 else e.neg(e.number(z))
        return e.fma(x, y, z)
    if op is DETACH:
        return e.number(operands[0])
    if isinstance(op, FixedArityOperation):
        return apply(e, op, *operands)
    condition = {"maximum": "ogt", "minimum": "olt"}.get(op.name)
    if condition is None:
        raise LoweringError(f"{op.name} of cells: write a loop that adds up")
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


def print_llvm(body: Body, plan: Plan, name: str = "run") -> tuple[IRModule, list[Function]]:
    """Return a module of LLVM IR, and its functions in order.

    They take a pointer to memory, which is as `plan` says before the first run. A loop over blocks
    is a function of a block.
    """
    printer = Printer(plan, name)
    for array in plan.cleared:
        printer.clear(array)
    functions: list[Function] = [(name, 1)]
    for item in body:
        if isinstance(item, Loop) and isinstance(item.var, Block):
            printer.body.line("ret void")
            functions.append((f"block{len(functions)}", item.var.extent.base))
            printer.begin(functions[-1][0], item.var)
            printer.items(item.body)
            printer.body.line("ret void")
            functions.append((f"{name}{len(functions)}", 1))
            printer.begin(functions[-1][0])
        else:
            printer.items([item])
    printer.body.line("ret void")
    return printer.module, functions


class Printer(Registers):
    """Prints the loops of a program."""

    straight = 0  # how many steps are printed

    def __init__(self, plan: Plan, name: str) -> None:
        super().__init__(plan, name)
        self.sums: dict[Step, dict[Key, Sum]] = {}  # of the innermost loop that each has

    def clear(self, array: Array) -> None:
        """Fill an array with 0."""

        def turn(k: str, _: Carried) -> Carried:
            self.e1.store(0.0, self.pointer(self.plan.offsets[array], [(k, 1)]))
            return []

        self._turns(str(math.prod(array.shape)), (), turn)

    def items(self, body: Body) -> None:
        """Print the items of a body."""
        for item in body:
            if isinstance(item, Step):
                self._steps(item)
            else:
                assert isinstance(item, ScheduledLoop)
                self._loop(item)

    def _steps(self, step: Step) -> None:
        """Print a step, at each of the turns that are printed abreast."""
        self.e.inline = bool(self.at) and not self.jammed.keys() - {self.lane}
        for _ in self._abreast():
            self._step(step)
        self.straight += 1
        if self.straight % STRAIGHT == 0:
            self.body.cut()

    def _step(self, step: Step) -> None:
        args = [self._read(x) for x in step.args]
        if step.how == SET:
            self._set(step.out, write(self.e, step.op, *args))
        elif step in self.sums:
            self._accumulate(step, step.op, args)
        elif adds_loop_by_loop(step.out):
            self._set(step.out, self._plus_term(step.op, args, 0.0))
        else:
            held = self._load(step.out)
            self._store(step.out, self._plus_term(step.op, args, held))

    # Loops -------------------------------------------------------------------------------------

    def _position(self, k: str, stride: int, down: bool, extent: str) -> tuple[str, int]:
        """Return the position of a loop at its turn k·stride: a register, plus a number."""
        terms = [(extent, 1), (k, -stride)] if down else [(k, stride)]
        found = self.whole(-down, terms)
        return ("", int(found)) if found.isdigit() else (found, 0)

    def _loop(self, loop: ScheduledLoop) -> None:
        if loop.var.extent.bounds()[0] > 0 and not loop.unrolled:
            self._hoist(loop)
        open_sums = self._begin(loop)
        size = loop.jam * (CLASSES if loop.lanes else 1)
        if loop.unrolled:
            self._unrolled(loop)
        elif size > 1 and not self._adds(loop, size):
            self._in_blocks(loop, size)
        elif loop.lanes:
            self._exactly(loop, open_sums)
        elif any(has_classes(made.step, loop) for made in open_sums):
            self._by_class(loop, open_sums)
        else:
            self._in_turn(loop, open_sums)
        self.at.pop(loop.var, None)
        self._end(open_sums)

    def _hoist(self, loop: ScheduledLoop) -> None:
        """Read before a loop what all its turns read."""
        written = {step.out.array for step, _ in within_loops(loop.body)}
        loads, gathers = HOISTED, GATHERED
        for step, inside in self._instances(loop.body):
            open_ = {loop.var, *(x.var for x in inside)}
            for x in step.args:
                if isinstance(x, float) or x.array in written or x.variables & open_:
                    continue
                if x.tables or self._lookup(self._key(x)) is not None:
                    continue
                gathered = self._is_wide(x) and self._fixed_stride(x) != 1
                if (gathers if gathered else loads) > 0:
                    self._value(x)
                    loads, gathers = loads - (not gathered), gathers - gathered

    def _unrolled(self, loop: ScheduledLoop) -> None:
        turns = range(loop.var.extent.base)
        for k in reversed(turns) if loop.down else turns:
            self.at[loop.var] = "", k
            self.items(loop.body)

    def _in_blocks(self, loop: ScheduledLoop, size: int) -> None:
        """Print blocks of turns that go abreast, on lanes or not, and write to different cells."""
        extent, before = loop.var.extent.base, (self.lane, self.active_lanes)

        def turn(k: str, _: Carried) -> Carried:
            self.at[loop.var] = self._block_position(k, size, extent)
            if loop.lanes:
                self.lane, self.active_lanes = loop.var, min(extent, CLASSES)
            self.items(loop.body)
            self.lane, self.active_lanes = before
            return []

        if loop.jam > 1:
            self.jammed[loop.var] = range(0, size, size // loop.jam)
        if self._is_one_vector(loop):
            turn("0", [])  # in the scope around, so that registers stay
        else:
            self._turns(str(-(-extent // size)), (), turn)
        self.jammed.pop(loop.var, None)

    def _block_position(self, k: str, size: int, extent: int) -> tuple[str, int]:
        """Return the position at which block k of turns begins.

        The last one ends at the extent: it may write again what cells hold already.
        """
        if k.isdigit():
            return "", min(int(k) * size, max(extent - size, 0))
        start, last = self.whole(0, [(k, size)]), extent - size
        if extent % size:
            is_less = self.body.assign(f"icmp slt i64 {start}, {last}")
            start = self.body.assign(f"select i1 {is_less}, i64 {start}, i64 {last}")
        return start, 0

    def _adds(self, loop: Loop, size: int) -> bool:
        """Return whether steps add to what goes on, so that no turn of a block may run again."""
        rest = loop.var.extent.base % size
        return any(
            step in self.sums or (rest and step.how != SET and not adds_loop_by_loop(step.out))
            for step, _ in within_loops(loop.body)
        )

    def _exactly(self, loop: ScheduledLoop, open_sums: Sequence[Sum]) -> None:
        """Print eight turns at once, and then those left, on the first lanes.

        The lanes are the classes of the sums over the loop.
        """
        for made in open_sums:
            made.has_lanes = True
        extent = loop.var.extent.base
        whole, rest = divmod(extent, CLASSES)
        down = loop.down and bool(open_sums)
        self.lane_step = -1 if down else 1

        def turn(k: str, values: Carried) -> Carried:
            self.at[loop.var], self.lane = self._position(k, CLASSES, down, str(extent)), loop.var
            resume(open_sums, values)
            self.items(loop.body)
            self.lane = None
            return [made.held for made in open_sums]

        resume(open_sums, self._turns(str(whole), carried(open_sums), turn))
        if rest:
            self.active_lanes = rest
            last = self._turns("1", carried(open_sums), lambda _, x: turn(str(whole), x))
            resume(open_sums, last)
        self.lane_step, self.active_lanes = 1, CLASSES

    def _in_turn(self, loop: ScheduledLoop, open_sums: Sequence[Sum]) -> None:
        """Print turns in order."""
        extent = self._whole(loop.var.extent)
        n, cells = len(open_sums), self._recurrent(loop)

        def turn(k: str, values: Carried) -> Carried:
            self.at[loop.var] = self._position(k, 1, loop.down, extent)
            resume(open_sums, values[:n])
            self._note_registers(cells, values[n:])
            self.items(loop.body)
            return [*(made.held for made in open_sums), *self._values(cells, loop)]

        if cells:
            self.at[loop.var] = "", loop.var.extent.base - 1 if loop.down else 0
        wide = [place.lane in place.access.variables for place in cells]
        states = list(zip(self._values(cells), wide, strict=True))
        values = self._turns(extent, carried(open_sums) + states, turn)
        resume(open_sums, values[:n])
        if cells:
            self.at[loop.var] = "", -1 if loop.down else loop.var.extent.base
            self._note_registers(cells, values[n:])

    def _by_class(self, loop: ScheduledLoop, open_sums: Sequence[Sum]) -> None:
        """Print the turns of each class of long sums, class after class."""
        if loop.kind == "sequential":
            raise LoweringError(f"{open_sums[0].step} adds up where turns wait for each other")
        extent = self._whole(loop.var.extent)
        count, shift = self._if_long(extent, CLASSES, 1), self._if_long(extent, 3, 0)
        zeros = carried(open_sums)

        def one(c: str, totals: Carried) -> Carried:
            def turn(k: str, values: Carried) -> Carried:
                place = self.whole(0, [(self.e1.integers("shl", k, shift), 1), (c, 1)])
                self.at[loop.var] = self._position(place, 1, loop.down, extent)
                resume(open_sums, values)
                self.items(loop.body)
                return [made.held for made in open_sums]

            last = self.whole(-1, [(extent, 1), (count, 1), (c, -1)])
            turns = self.e1.integers("ashr", last, shift)
            found = self._turns(turns, zeros, turn)
            added: Carried = []
            for made, total, x in zip(open_sums, totals, found, strict=True):
                with self._at_place(made.place):
                    added.append(self._plus_term(_IDENTITY, [x], total))
            return added

        resume(open_sums, self._turns(count, zeros, one))

    def _if_long(self, extent: str, long: int, short: int) -> str:
        """Return a number where a loop is so long that its sums have classes, else another."""
        if extent.isdigit():
            return str(long if int(extent) > SEQUENTIAL else short)
        is_long = self.body.assign(f"icmp sgt i64 {extent}, {SEQUENTIAL}")
        return self.body.assign(f"select i1 {is_long}, i64 {long}, i64 {short}")

    # Sums ---------------------------------------------------------------------------------------

    def _plus_term(self, op: Operation, args: Sequence[Operand], held: Operand) -> str:
        """Return a sum with one more term."""
        e = self.e
        if not isinstance(held, str) and math.copysign(1.0, held) < 0:  # -0, which adds nothing
            return write(e, op, *args)
        if op is TABLE["mul"]:
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
                    raise LoweringError(
                        f"{step} adds to many cells in a loop that it is a sum over"
                    )
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
                    self._accumulate(step, _IDENTITY, [total])
                else:
                    self.sums.pop(step, None)
                    self._set(step.out, self.e.add(0.0, total))

    def _complete(self, x: Access) -> str:
        """Return a cell that is in memory, unless it may be one to which more is added."""
        for step in self.sums:
            if step.out.array is x.array and not _is_elsewhere(x, step.out):
                raise LoweringError(f"{x} is read in a loop that adds to {step.out}")
        return super()._complete(x)

    # Recurrences -------------------------------------------------------------------------------

    def _recurrent(self, loop: ScheduledLoop) -> list[Place]:
        """Return the cells that a turn leaves to the next one in registers.

        In the loop, one step writes to their arrays, a cell at each turn.
        """
        if loop.kind != "sequential" or not is_fixed(loop) or loop.var.extent.base < 1:
            return []
        self.at[loop.var] = "turn", 0
        writers: dict[Array, set[Step]] = {}
        known: set[Key] = set()  # at the end of a turn, if the next one reads it
        read: dict[Key, Place] = {}
        for step, inside in self._instances(loop.body):
            writers.setdefault(step.out.array, set()).add(step)
            hidden = {x.var for x in inside}
            if not hidden & step.out.variables:
                known.add(self._key(step.out))
            for x in step.args:
                if isinstance(x, Access) and loop.var in x.variables and not x.variables & hidden:
                    read[self._key(x)] = self._place_of(x)
        single = {array for array, steps in writers.items() if len(steps) == 1}
        left = {k: p for k, p in read.items() if p.access.array in single and not p.access.tables}
        found: list[Place] = []
        while more := [k for k, p in left.items() if self._next_key(p, loop) in known]:
            found += [left.pop(key) for key in more]
            known.update(more)
        for place in found:
            del place.at[loop.var]
        del self.at[loop.var]
        return found

    def _next_key(self, place: Place, loop: Loop) -> Key:
        with self._at_place(place) as x:
            self._advance(loop)
            return self._key(x)

    def _advance(self, loop: Loop) -> None:
        register, k = self.at[loop.var]
        self.at[loop.var] = register, k - 1 if loop.down else k + 1

    def _values(self, places: Sequence[Place], next_of: Loop | None = None) -> Carried:
        """Return the values of cells, now or at the next turn of a loop."""
        found: Carried = []
        for place in places:
            with self._at_place(place) as x:
                if next_of:
                    self._advance(next_of)
                found.append(self._value(x))
        return found

    def _note_registers(self, places: Sequence[Place], values: Sequence[Operand]) -> None:
        """Note the registers that hold cells."""
        for place, x in zip(places, values, strict=True):
            with self._at_place(place) as cell:
                self.scopes[-1][self._key(cell)] = x


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
