"""Scheduled loops as one function of C99, with the digits of the rule of sums.

Operations are printed with the vocabulary in which they are written once for all printers; compile
with ``-ffp-contract=off``, so that only what is written ``fma`` is fused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from scalargrad.compiler.backend.llvm.emitter import Emitter, Operand
from scalargrad.compiler.backend.llvm.ir_module import FunctionBody, IRModule
from scalargrad.compiler.backend.llvm.operations import apply
from scalargrad.compiler.nests.equations import (
    ADD,
    CLASSES,
    MAX,
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
    within_loops,
)
from scalargrad.compiler.nests.plan import Plan
from scalargrad.compiler.nests.schedule import ScheduledLoop, is_unique
from scalargrad.errors import TraceError
from scalargrad.table.operation import Elementwise, Operation

_HEAD = """\
#include <math.h>
#include <stdint.h>
#include <string.h>
static inline int64_t sg_bits(double x) { int64_t i; memcpy(&i, &x, 8); return i; }
static inline double sg_double(int64_t i) { double x; memcpy(&x, &i, 8); return x; }
"""


class CBody(FunctionBody):
    """The statements of a C function; the instructions of LLVM that have no method are told."""

    def __init__(self) -> None:
        super().__init__(IRModule(), "", "")

    def let(self, text: str, kind: str = "double") -> str:
        """Append the definition of a variable; return its name."""
        name = self.fresh()
        self.line(f"{kind} {name} = {text};")
        return name

    def assign(self, text: str) -> str:
        """Append what an instruction of LLVM says."""
        word = text.replace(",", "").split()
        if word[0] == "sitofp":
            return self.let(f"(double){word[2]}")
        if word[0] == "icmp":
            return self.let(f"{word[3]} != {word[4]}", "int")
        if word[0] == "frem":
            return self.let(f"fmod({word[2]}, {word[3]})")
        sign = {"xor": "^", "and": "&"}[word[0]]
        return self.let(f"{word[2]} {sign} {word[3]}", "int")


#: Comparisons that are false for nan, and != that is true.
_COMPARED = {"olt": "<", "ole": "<=", "ogt": ">", "oge": ">=", "oeq": "==", "une": "!="}
_ARITHMETIC = {"fadd": "+", "fsub": "-", "fmul": "*", "fdiv": "/"}
_WHOLE = {"add": "+", "sub": "-", "shl": "<<", "lshr": ">>", "and": "&", "or": "|"}


class CEmitter(Emitter):
    """Writes operations as C."""

    def __init__(self, body: CBody) -> None:
        super().__init__(body)
        self.statements = body

    def number(self, x: Operand) -> str:
        """Return an operand as text, a float exactly."""
        if isinstance(x, str):
            return x
        return number_text(x)

    def _two(self, instruction: str, x: Operand, y: Operand) -> str:
        name, *condition = instruction.split()
        if condition in (["uge"], ["uno"]):
            test = "!({} < {})" if condition == ["uge"] else "isunordered({}, {})"
            return self.statements.let(test.format(self.number(x), self.number(y)), "int")
        sign = _COMPARED[condition[0]] if condition else _ARITHMETIC[name]
        kind = "int" if condition else "double"
        return self.statements.let(f"{self.number(x)} {sign} {self.number(y)}", kind)

    def neg(self, x: str) -> str:
        """Return -x."""
        return self.statements.let(f"-({x})")

    def intrinsic(self, name: str, *operands: Operand) -> str:
        """Call a function of the C library."""
        return self.statements.let(f"{name}({', '.join(map(self.number, operands))})")

    def call(self, function: str, *operands: Operand) -> str:
        """Call a function of the C library."""
        return self.intrinsic(function, *operands)

    def library(self, name: str, *operands: Operand) -> str:
        """Call a function of the C library."""
        return self.intrinsic(name, *operands)

    def shared(self, _: str, write: Callable[..., str], operands: Sequence[Operand]) -> str:
        """Write a function here."""
        return write(self, *map(self.number, operands))

    def select(self, test: str, x: Operand, y: Operand) -> str:
        """Return x where the test holds, else y."""
        return self.statements.let(f"{test} ? {self.number(x)} : {self.number(y)}")

    def either(self, test: str, first: Callable[[], str], second: Callable[[], str]) -> str:
        """Return what `first` prints if a truth value holds, else what `second` prints."""
        found = self.statements.let("0.0")
        for head, write in ((f"if ({test}) {{", first), ("} else {", second)):
            self.statements.line(head)
            self.statements.line(f"{found} = {write()};")
        self.statements.line("}")
        return found

    def integers(self, instruction: str, x: str, y: int | str) -> str:
        """Return the result of an instruction over two integers."""
        if instruction == "ashr":
            return self.statements.let(f"{x} >> {y}", "int64_t")
        text = f"(int64_t)((uint64_t){x} {_WHOLE[instruction]} (uint64_t){y})"
        return self.statements.let(text, "int64_t")

    def bits(self, x: str) -> str:
        """Return the 64 bits of a number as an integer."""
        return self.statements.let(f"sg_bits({x})", "int64_t")

    def of_bits(self, x: str) -> str:
        """Return the number that has these 64 bits."""
        return self.statements.let(f"sg_double({x})")


def number_text(x: float) -> str:
    """Write a number exactly, as C."""
    if x != x:
        return "NAN"
    if math.isinf(x):
        return "INFINITY" if x > 0 else "-INFINITY"
    return x.hex()


def write(e: Emitter, op: Operation, *operands: Operand) -> str:
    """Write an operation, a largest or smallest number among them; return its result."""
    if isinstance(op, Elementwise):
        return apply(e, op, *operands)
    condition = {"maximum": "ogt", "minimum": "olt"}[op.name]
    held = e.number(operands[0])
    for x in map(e.number, operands[1:]):
        other = e.select(e.compare("une", x, x), x, held)
        held = e.select(e.compare(condition, x, held), x, other)
    return held


@dataclass(eq=False)
class _Sum:
    """The partial sums of a step over a loop: a class each, for each cell of the loops inside."""

    step: Step
    lanes: list[Loop]
    name: str
    size: int
    classes: int
    turn: str  # which class is added to at a turn

    def place(self, which: str | int, at: Sequence[str]) -> str:
        """Return a partial sum as C, `at` the numbers of the loops inside."""
        index = f"{which}"
        for loop, x in zip(self.lanes, at, strict=True):
            index = f"({index}) * {loop.var.extent.bounds()[1]} + ({x})"
        return f"{self.name}[{index}]"

    def total(self, at: Sequence[str]) -> str:
        """Return the sum of the classes, in order."""
        return " + ".join(self.place(c, at) for c in range(self.classes))


def print_c(body: Body, plan: Plan, name: str = "run") -> tuple[str, int]:
    """Return the source of a function of C, and the numbers of memory that it is to be given.

    The function takes a pointer to memory, in which arrays are where `plan` says.
    """
    printer = _Printer(plan)
    printer.items(body, ())
    lines = "\n".join(printer.body.lines().split("\n")[1:])
    text = f"{_HEAD}void {name}(double *restrict m) {{\n{lines}\n}}\n"
    return text, printer.cells


class _Printer:
    def __init__(self, plan: Plan) -> None:
        self.plan, self.cells = plan, plan.cells
        self.body = CBody()
        self.e = CEmitter(self.body)
        self.vars: dict[Var, str] = {}
        self.registers: dict[Array, str] = {}
        self.sums: dict[Step, list[_Sum]] = {}  # that are open, outermost first
        for array, x in plan.first.items():
            if array in plan.offsets:
                self._fill(f"m + {plan.offsets[array]}", math.prod(array.shape), x)

    def _fill(self, start: str, count: int, x: float) -> None:
        self.body.line(f"for (int64_t q = 0; q < {count}; q++) ({start})[q] = {number_text(x)};")

    # Cells -------------------------------------------------------------------------------------

    def index(self, index: Index) -> str:
        """Return an index as C."""
        parts = [f"{k} * {self.vars[v]}" if k != 1 else self.vars[v] for v, k in index.terms]
        parts += [f"(int64_t){self.cell(index.via)}"] if index.via else []
        parts += [str(index.base)] if index.base or not parts else []
        return " + ".join(parts)

    def cell(self, x: Access) -> str:
        """Return where a cell is, as C."""
        if x.array in self.registers:
            return self.registers[x.array]
        place = ""
        for index, size in zip(x.indices, x.array.shape, strict=True):
            place = f"({place}) * {size} + {self.index(index)}" if place else self.index(index)
        return f"m[{self.plan.offsets[x.array]}{' + ' * bool(place)}{place}]"

    def read(self, x: Arg) -> Operand:
        """Return an argument; of a cell whose sum goes on, what is added up so far."""
        if isinstance(x, float):
            return x
        for step, sums in self.sums.items():
            if step.out.array is x.array and sums and not _is_elsewhere(x, step.out, sums[0].lanes):
                if len(sums) > 1 or not step.out.is_plain():
                    raise TraceError(f"{x} is read while several loops add to it")
                at = [self._number_of(loop.var, step.out, x) for loop in sums[0].lanes]
                return self.body.let(f"{self.cell(x)} + ({sums[0].total(at)})")
        return self.body.let(self.cell(x))

    def _number_of(self, var: Var, out: Access, x: Access) -> str:
        """Return which number of a loop writes, by `out`, the cell `x`."""
        return next(self.index(i) for i, mine in zip(x.indices, out.indices, strict=True)
                    if var in mine.variables)  # fmt: skip

    # Steps and loops ---------------------------------------------------------------------------

    def items(self, body: Body, around: tuple[Loop, ...]) -> None:
        """Print what is in a body."""
        for array in self.plan.starts(around):
            self.registers[array] = self.body.let(number_text(self.plan.first[array]))
        for item in body:
            if isinstance(item, Step):
                self._step(item)
            else:
                self._loop(item, around)

    def _step(self, step: Step) -> None:
        args = [self.read(x) for x in step.args]
        if step.how == SET:
            found = write(self.e, step.op, *args)
            if step.out.array in self.plan.registers:
                self.registers[step.out.array] = self.body.let(found)
            else:
                self.body.line(f"{self.cell(step.out)} = {found};")
            return
        to = self._target(step, self.sums.get(step, []))
        if step.how == MAX:
            found = write(self.e, step.op, *args)
            self.body.line(f"if ({found} > {to} || {found} != {found}) {to} = {found};")
        elif step.op.name == "mul":
            self.body.line(f"{to} = fma({', '.join(map(self.e.number, args))}, {to});")
        else:
            self.body.line(f"{to} = {to} + {write(self.e, step.op, *args)};")

    def _target(self, step: Step, sums: Sequence[_Sum]) -> str:
        """Return what a step adds to: the innermost of partial sums, or else the cell."""
        if not sums:
            return self.cell(step.out)
        return sums[-1].place(sums[-1].turn, [self.vars[loop.var] for loop in sums[-1].lanes])

    def _loop(self, loop: Loop, around: tuple[Loop, ...]) -> None:
        var = loop.var
        name = self.vars[var] = self.body.fresh("i")
        extent = self.body.let(self.index(var.extent), "int64_t")
        begun = [self._begun(loop, extent, x, inside) for x, inside in self._summed(loop)]
        if isinstance(loop, ScheduledLoop) and _is_independent(loop):
            self.body.line("#pragma GCC ivdep")
        up = f"for (int64_t {name} = 0; {name} < {extent}; {name}++) {{"
        down = f"for (int64_t {name} = {extent} - 1; {name} >= 0; {name}--) {{"
        self.body.line(down if loop.down else up)
        self.items(loop.body, (*around, loop))
        self.body.line("}")
        del self.vars[var]
        for made in begun:
            self._end(made)

    def _summed(self, loop: Loop) -> list[tuple[Step, tuple[Loop, ...]]]:
        """Return the steps of which a loop is a sum, with the loops inside it."""
        return [
            (step, inside)
            for step, inside in within_loops(loop.body)
            if step.how == ADD and loop.var not in step.out.variables
        ]

    def _begun(self, loop: Loop, extent: str, step: Step, inside: Sequence[Loop]) -> _Sum:
        """Begin the partial sums of a step, at -0."""
        lanes = [x for x in inside if x.var in step.out.variables]
        size = math.prod(x.var.extent.bounds()[1] for x in lanes)
        low, most = loop.var.extent.bounds()
        classes = CLASSES if most > SEQUENTIAL else 1
        i = self.vars[loop.var]
        position = f"({extent} - 1 - {i})" if loop.down else i
        turn = f"({position} & {CLASSES - 1})"
        if low <= SEQUENTIAL:
            turn = f"({extent} > {SEQUENTIAL} ? {turn} : 0)"
        name = self.body.fresh("s")
        if lanes:
            self.body.line(f"double *const {name} = m + {self.cells};")
            self.cells += classes * size
        else:
            self.body.line(f"double {name}[{classes}];")
        self._fill(name, classes * size, -0.0)
        made = _Sum(step, lanes, name, size, classes, turn if classes > 1 else "0")
        self.sums.setdefault(step, []).append(made)
        return made

    def _end(self, made: _Sum) -> None:
        """Add partial sums to those of the loop outside, or to the cells."""
        self.sums[made.step].pop()
        with self._lanes(made):
            at = [self.vars[x.var] for x in made.lanes]
            to = self._target(made.step, self.sums[made.step])
            self.body.line(f"{to} = {to} + ({made.total(at)});")

    @contextmanager
    def _lanes(self, made: _Sum) -> Iterator[None]:
        """Print loops over the cells of a sum, as far as any turn of its loop may reach."""
        for lane in made.lanes:
            extent = lane.var.extent
            if extent.via:
                extent = Index(extent.bounds()[1])
            while hidden := [v for v in extent.variables if v not in self.vars]:
                extent = extent.substituted({v: v.extent - 1 for v in hidden})
            end = self.index(extent)
            name = self.vars[lane.var] = self.body.fresh("i")
            self.body.line(f"for (int64_t {name} = 0; {name} < {end}; {name}++) {{")
        yield
        self.body.line("}" * len(made.lanes))
        for lane in made.lanes:
            del self.vars[lane.var]


def _is_elsewhere(x: Access, out: Access, lanes: Sequence[Loop]) -> bool:
    """Return whether a cell is none of those that partial sums, of `lanes`, are of now."""
    inside = {loop.var for loop in lanes}
    for index, mine in zip(x.indices, out.indices, strict=True):
        apart = index - mine if not (index.via or mine.via) else Index()
        if not mine.variables & inside and not apart.terms and apart.base:
            return True
    return False


def _is_independent(loop: ScheduledLoop) -> bool:
    """Return whether turns may be vectorised: none reads or adds to what another writes."""
    steps = [item for item in loop.body if isinstance(item, Step)]
    return (
        loop.kind == "vector"
        and len(steps) == len(loop.body)
        and all(loop.var in x.out.variables and is_unique(x.out.indices) for x in steps)
    )
