"""Scheduled loops as a function of LLVM IR: lanes are vectors, and what loops carry is in phis.

It is printed as it is to run: no pass over loops, which would take most of the time, improves it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from scalargrad.compiler.backend.llvm.emitter import Emitter, Operand
from scalargrad.compiler.backend.llvm.ir_module import IRModule
from scalargrad.compiler.nests.blocks import Block
from scalargrad.compiler.nests.equations import CLASSES, SEQUENTIAL, Body, Loop, Step, Var
from scalargrad.compiler.nests.plan import Plan
from scalargrad.compiler.nests.printer import Printer
from scalargrad.compiler.nests.registers import Carried

#: How many steps a basic block has at most: LLVM's time for one grows faster than its size.
STRAIGHT = 50


#: A function's name, and how often it is called: if several times, then with the number of a block.
Function = tuple[str, int]


def print_llvm(body: Body, plan: Plan, name: str = "run") -> tuple[IRModule, int, list[Function]]:
    """Return a module of LLVM IR, how many numbers memory has, and its functions in order.

    They take a pointer to memory, which is as `plan` says before the first run. A loop over blocks
    is a function of a block.
    """
    printer = _LLVMPrinter(plan, name)
    printer.start()
    functions: list[Function] = [(name, 1)]
    for item in body:
        if isinstance(item, Loop) and isinstance(item.var, Block):
            printer.finished()
            functions.append((f"block{len(functions)}", item.var.extent.base))
            printer.begin(functions[-1][0], item.var)
            printer.items(item.body)
            printer.finished()
            functions.append((f"{name}{len(functions)}", 1))
            printer.begin(functions[-1][0])
        else:
            printer.items([item])
    return printer.finished(), printer.cells, functions


class _LLVMPrinter(Printer):
    e8: Emitter

    def __init__(self, plan: Plan, name: str) -> None:
        super().__init__(plan)
        self.module = IRModule()
        self.begin(name)

    def begin(self, name: str, block: Var | None = None) -> None:
        """Begin a function, of a block or of what is outside of them."""
        self.block, self.scopes = block, [{}]
        self.at = {block: ("%s", 0)} if block else {}
        self.body = self.module.function(name, f"ptr noalias %m{', i64 %s' * bool(block)}")
        self.e1, self.e8 = Emitter(self.body), Emitter(self.body, CLASSES)
        for k, distance in enumerate(self.plan.distances):
            at = self._next_to("%m", distance.cell)
            self.body.line(f"%d{k} = load i64, ptr {at}")
        self.straight = 0

    def finished(self) -> IRModule:
        """Return the finished module."""
        self.body.line("ret void")
        return self.module

    def _steps(self, step: Step) -> None:
        super()._steps(step)
        self.straight += 1
        if self.straight % STRAIGHT == 0:
            self.body.cut()

    def whole(self, base: int, terms: Sequence[tuple[str, int]]) -> str:
        held = str(base) if base else ""
        for register, k in terms:
            part = register
            if k not in {1, -1}:
                part = self.body.assign(f"mul nsw i64 {register}, {k}")
            if k == -1:
                held = self.body.assign(f"sub nsw i64 {held or 0}, {part}")
            else:
                held = self.body.assign(f"add nsw i64 {held}, {part}") if held else part
        return held or "0"

    def pointer(self, base: int, terms: Sequence[tuple[str, int]]) -> str:
        start, key = "%m", ("pointer", *terms)
        if terms:
            found = self._found(key)
            if found is None:
                found = self.scopes[-1][key] = self._next_to("%m", self.whole(0, terms))
            start = str(found)
        return self._next_to(start, base)

    def _next_to(self, pointer: str, cells: int | str) -> str:
        return self.body.assign(f"getelementptr double, ptr {pointer}, i64 {cells}")

    def truncated(self, number: str) -> str:
        return self.body.assign(f"fptosi double {number} to i64")

    def eighth(self, number: str) -> str:
        return self.body.assign(f"lshr i64 {number}, 3")

    def least(self, number: str, other: int) -> str:
        is_less = self.body.assign(f"icmp slt i64 {number}, {other}")
        return self.body.assign(f"select i1 {is_less}, i64 {number}, i64 {other}")

    def turn_class(self, turn: str, extent: str, *, always: bool) -> str:
        found = self.body.assign(f"and i64 {turn}, {CLASSES - 1}")
        if always:
            return found
        is_long = self.body.assign(f"icmp sgt i64 {extent}, {SEQUENTIAL}")
        return self.body.assign(f"select i1 {is_long}, i64 {found}, i64 0")

    def rounds(
        self,
        count: int | str,
        carried: Sequence[tuple[Operand, bool]],
        body: Callable[[str, Carried], Carried],
    ) -> Carried:
        b = self.body
        head, inside, done = b.fresh("head"), b.fresh("turn"), b.fresh("done")
        turn, phis = f"%{b.fresh('i')}", [f"%{b.fresh('p')}" for _ in carried]
        before = b.block
        b.line(f"br label %{head}")
        b.begin(head)
        place = b.reserve()
        if isinstance(count, str):  # it may be 0
            goes_on = b.assign(f"icmp slt i64 {turn}, {count}")
            b.line(f"br i1 {goes_on}, label %{inside}, label %{done}")
            b.begin(inside)
        found = body(turn, list(phis))
        more = b.assign(f"add nuw nsw i64 {turn}, 1")
        if isinstance(count, str):
            b.line(f"br label %{head}")
        else:
            goes_on = b.assign(f"icmp ult i64 {more}, {count}")
            b.line(f"br i1 {goes_on}, label %{head}, label %{done}")
        starts = [f"{turn} = phi i64 [0, %{before}], [{more}, %{b.block}]"]
        for phi, (start, wide), new in zip(phis, carried, found, strict=True):
            e = self.e8 if wide else self.e1
            ways = f"[{e.number(start)}, %{before}], [{e.number(new)}, %{b.block}]"
            starts.append(f"{phi} = phi {e.type} {ways}")
        b.fill(place, starts)
        b.begin(done)
        return list(phis) if isinstance(count, str) else found

    # Lanes -------------------------------------------------------------------------------------

    def store_lanes(self, x: str, pointer: str, count: int) -> None:
        """Store the first lanes of a vector."""
        kind = self.e8.type
        flags = [kind, "ptr", "i32", self.e8.flag]
        name = self.module.declare("llvm.masked.store.v8f64.p0", "void", flags)
        self.body.line(f"call void @{name}({kind} {x}, ptr {pointer}, i32 8, {self._first(count)})")

    def kept_lanes(self, x: str, other: Operand, count: int) -> str:
        """Return the first lanes of a vector, then those of another."""
        chosen = f"{self.e8.type} {x}, {self.e8.type} {self.e8.number(other)}"
        return self.body.assign(f"select {self._first(count)}, {chosen}")

    def _first(self, count: int) -> str:
        flags = ", ".join(f"i1 {int(k < count)}" for k in range(CLASSES))
        return f"{self.e8.flag} <{flags}>"

    def reversed_lanes(self, x: str) -> str:
        """Return a vector with its lanes in reverse order."""
        order = ", ".join(f"i32 {k}" for k in reversed(range(CLASSES)))
        return self.body.assign(
            f"shufflevector {self.e8.type} {x}, {self.e8.type} poison, <{CLASSES} x i32> <{order}>"
        )
