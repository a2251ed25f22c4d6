"""Scheduled loops as a function of LLVM IR, with the digits of the C function.

Loops are written for single numbers; LLVM's own passes put turns abreast where that changes no
digit. Which turns are independent of one another, the schedule knows and the IR says.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from scalargrad.compiler.backend.llvm.emitter import Emitter, Operand
from scalargrad.compiler.backend.llvm.ir_module import IRModule
from scalargrad.compiler.nests.equations import (
    CLASSES,
    SEQUENTIAL,
    SET,
    Access,
    Arg,
    Array,
    Body,
    Index,
    Loop,
    Step,
    Var,
)
from scalargrad.compiler.nests.plan import Plan
from scalargrad.compiler.nests.printer import Place, Printer, Region, Sum, write


class _Open(NamedTuple):
    """A loop that is being printed: its labels, its counter, and where its phi belongs."""

    head: str
    done: str
    counter: str
    before: str
    phi: int
    group: str  # of the loads and stores that do not meet between turns, or ""
    carried: list[str]  # further lines of the phi


def print_llvm(body: Body, plan: Plan, name: str = "run") -> tuple[str, int]:
    """Return a module of LLVM IR, and the numbers of memory that its function is to be given.

    The function takes a pointer to memory, in which arrays are where `plan` says.
    """
    printer = _LLVMPrinter(plan, name)
    printer.start()
    printer.items(body)
    return printer.text(), printer.cells


class _LLVMPrinter(Printer):
    def __init__(self, plan: Plan, name: str) -> None:
        super().__init__(plan)
        self.module = IRModule()
        self.body = self.module.function(name, "ptr noalias %m")
        self.e, self.e8 = Emitter(self.body), Emitter(self.body, CLASSES)
        self.lanes: dict[Array, str] = {}  # the registers of a block
        self.locals: list[str] = []
        self.metadata: list[str] = []
        self.loops: list[_Open] = []
        self.entry = self.body.reserve()

    def text(self) -> str:
        """Return the finished module."""
        self.body.fill(self.entry, self.locals)
        self.body.line("ret void")
        return "\n".join([self.module.text(), *self.metadata])

    def whole(self, index: Index) -> str:
        held = str(index.base)
        for var, stride in index.terms:
            held = self._plus(held, self._times(self.vars[var], stride))
        if index.via:
            number = self.load(self.cell(index.via))
            held = self._plus(held, self.body.assign(f"fptosi double {number} to i64"))
        return held

    def _plus(self, x: str, y: str) -> str:
        if "0" in {x, y}:
            return y if x == "0" else x
        return self.body.assign(f"add nsw i64 {x}, {y}")

    def _times(self, x: str, stride: int) -> str:
        if stride == 1 or x == "0":
            return x
        return self.body.assign(f"mul nsw i64 {x}, {stride}")

    def joined(self, parts: Sequence[str], sizes: Sequence[int]) -> str:
        place = "0"
        for part, size in zip(parts, sizes, strict=True):
            place = self._plus(self._times(place, size), part)
        return place

    def memory(self, offset: int) -> Region:
        return f"m {offset}"

    def local(self, count: int) -> Region:
        name = f"%{self.body.fresh('s')}"
        self.locals.append(f"{name} = alloca [{count} x double], align 64")
        return name

    def place(self, region: Region, index: str) -> Place:
        base, _, offset = region.partition(" ")
        pointer = "%m" if base == "m" else base
        index = self._plus(index, offset or "0")
        return self.body.assign(f"getelementptr inbounds double, ptr {pointer}, i64 {index}")

    def load(self, place: Place) -> str:
        return self.body.assign(f"load double, ptr {place}, align 8{self._group()}")

    def store(self, x: Operand, place: Place) -> None:
        self.body.line(f"store double {self.e.number(x)}, ptr {place}, align 8{self._group()}")

    def _group(self) -> str:
        group = self.loops[-1].group if self.loops else ""
        return f", !llvm.access.group {group}" if group else ""

    def turn(self, position: tuple[str, str, bool], *, always: bool) -> str:
        var, extent, down = position
        if down:
            last = self.body.assign(f"sub nsw i64 {extent}, 1")
            var = self.body.assign(f"sub nsw i64 {last}, {var}")
        found = self.body.assign(f"and i64 {var}, {CLASSES - 1}")
        if always:
            return found
        is_long = self.body.assign(f"icmp sgt i64 {extent}, {SEQUENTIAL}")
        return self.body.assign(f"select i1 {is_long}, i64 {found}, i64 0")

    def begin(self, extent: str, *, down: bool, independent: bool) -> str:
        b = self.body
        head, inside, done = b.fresh("head"), b.fresh("turn"), b.fresh("done")
        counter, before = f"%{b.fresh('i')}", b.block
        b.line(f"br label %{head}")
        b.begin(head)
        phi = b.reserve()
        goes_on = b.assign(f"icmp slt i64 {counter}, {extent}")
        b.line(f"br i1 {goes_on}, label %{inside}, label %{done}")
        b.begin(inside)
        group = self._metadata("distinct !{}") if independent else ""
        self.loops.append(_Open(head, done, counter, before, phi, group, []))
        if not down:
            return counter
        last = b.assign(f"sub nsw i64 {extent}, 1")
        return b.assign(f"sub nsw i64 {last}, {counter}")

    def end(self) -> None:
        loop, b = self.loops.pop(), self.body
        more = b.assign(f"add nuw nsw i64 {loop.counter}, 1")
        about = ""
        if loop.group:
            accesses = self._metadata(f'!{{!"llvm.loop.parallel_accesses", {loop.group}}}')
            name = f"!{len(self.metadata)}"
            about = f", !llvm.loop {self._metadata(f'distinct !{{{name}, {accesses}}}')}"
        starts = f"[0, %{loop.before}], [{more}, %{b.block}]"
        carried = [line.format(block=b.block) for line in loop.carried]
        b.fill(loop.phi, [f"{loop.counter} = phi i64 {starts}", *carried])
        b.line(f"br label %{loop.head}{about}")
        b.begin(loop.done)

    def _metadata(self, text: str) -> str:
        name = f"!{len(self.metadata)}"
        self.metadata.append(f"{name} = {text}")
        return name

    # Blocks of eight turns as lanes of a vector -----------------------------------------------

    def block_turns(self, loop: Loop, begun: Sequence[Sum], count: int) -> None:
        """Print whole blocks with a lane for each class, whose partial sums stay in registers."""
        places = [self.place(made.region, "0") for made in begun]
        held = [self.e8.load(place) for place in places]
        block = Var("block", Index(count))
        self.vars[block] = self.begin(str(count), down=False, independent=False)
        first = block * CLASSES
        last = loop.var.extent.base - 1
        self.vars[loop.var] = self.whole(last - first if loop.down else first)
        opened = self.loops[-1]
        sums = {made.step: f"%{self.body.fresh('p')}" for made in begun}
        names, self.lanes = list(sums.values()), {}
        for array in self.plan.starts((*self.around, loop)):
            self.lanes[array] = self.e8.number(self.plan.first[array])
        for step in loop.body:
            assert isinstance(step, Step)
            args = [self._lanes_of(x, loop) for x in step.args]
            if step.how == SET:
                self._set_lanes(step, write(self.e8, step.op, *args), loop)
            elif step in sums:
                sums[step] = self._added(step, args, sums[step])
            else:
                new = self._added(step, args, self._lanes_of(step.out, loop))
                self._set_lanes(step, new, loop)
        for name, old, new in zip(names, held, sums.values(), strict=True):
            starts = f"[{old}, %{opened.before}], [{new}, %{{block}}]"
            opened.carried.append(f"{name} = phi {self.e8.type} {starts}")
        self.end()
        for place, made in zip(places, begun, strict=True):
            self.e8.store(names[begun.index(made)], place)

    def _added(self, step: Step, args: Sequence[Operand], held: Operand) -> str:
        if step.op.name == "mul":
            return self.e8.fma(args[0], args[1], held)
        return self.e8.add(held, write(self.e8, step.op, *args))

    def _lanes_of(self, x: Arg, loop: Loop) -> Operand:
        """Return an argument at eight turns."""
        if isinstance(x, float):
            return x
        if x.array in self.lanes:
            return self.lanes[x.array]
        if loop.var not in x.variables:
            return self.e8.spread(self.e.number(self.read(x)))
        if self._stride(x, loop) == 1:
            return self.e8.load(self.cell(x))
        return self.e8.vector([self.load(place) for place in self._each(x, loop)])

    def _set_lanes(self, step: Step, found: str, loop: Loop) -> None:
        if step.out.array in self.plan.registers:
            self.lanes[step.out.array] = found
        elif self._stride(step.out, loop) == 1:
            self.e8.store(found, self.cell(step.out))
        else:
            for k, place in enumerate(self._each(step.out, loop)):
                self.store(self.e8.lane(found, k), place)

    def _stride(self, x: Access, loop: Loop) -> int:
        """Return how far apart in memory neighbouring turns are; 0 if a table decides."""
        found = 0
        for k in self.plan.orders[x.array]:
            index = x.indices[k]
            if index.via:
                return 0
            found = found * x.array.shape[k] + dict(index.terms).get(loop.var, 0)
        return -found if loop.down else found

    def _each(self, x: Access, loop: Loop) -> list[Place]:
        """Return a cell at each of eight turns."""
        first, places = self.vars[loop.var], []
        for k in range(CLASSES):
            self.vars[loop.var] = self._plus(first, str(-k if loop.down else k))
            places.append(self.cell(x))
        self.vars[loop.var] = first
        return places
