"""Printer of scheduled loops as functions of LLVM IR: lanes are vectors, carried values are phis.

Loops are printed as they are to run: LLVM's passes over loops, which would take most of the time,
are left out.
"""

from __future__ import annotations

from collections.abc import Sequence

from scalargrad.compiler.backend.llvm.emitter import Operand
from scalargrad.compiler.backend.llvm.ir_module import IRModule
from scalargrad.compiler.nests.blocks import Block
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
from scalargrad.compiler.nests.plan import Plan
from scalargrad.compiler.nests.registers import Carried, Key, Place
from scalargrad.compiler.nests.schedule import ScheduledLoop
from scalargrad.compiler.nests.sums import IDENTITY, Sum, Sums, carried, has_classes, resume, write
from scalargrad.compiler.nests.tiles import GATHERED, HOISTED, is_fixed
from scalargrad.errors import TraceError

#: The most steps of a basic block: LLVM's time for one grows faster than its size.
STRAIGHT = 50

#: A function's name, and the number of its calls: if more than one, it takes the number of a block.
Function = tuple[str, int]


def print_llvm(body: Body, plan: Plan, name: str = "run") -> tuple[IRModule, list[Function]]:
    """Return a module of LLVM IR, and its functions in order.

    They take a pointer to memory, which is as `plan` says before the first run. A loop over blocks
    is a function of a block.
    """
    printer = Printer(plan, name)
    printer.start()
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


class Printer(Sums):
    """Prints the loops of a program."""

    straight = 0  # how many steps are printed

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
        for _ in self._abreast() if self.jammed else _ONCE:
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
            raise TraceError(f"{open_sums[0].step} adds up where turns wait for each other")
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
                    added.append(self._plus_term(IDENTITY, [x], total))
            return added

        resume(open_sums, self._turns(count, zeros, one))

    def _if_long(self, extent: str, long: int, short: int) -> str:
        """Return a number where a loop is so long that its sums have classes, else another."""
        if extent.isdigit():
            return str(long if int(extent) > SEQUENTIAL else short)
        is_long = self.body.assign(f"icmp sgt i64 {extent}, {SEQUENTIAL}")
        return self.body.assign(f"select i1 {is_long}, i64 {long}, i64 {short}")

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


_ONCE = (None,)
