"""Scheduled loops as one function of C99, with the digits of the rule of sums.

Operations are printed with the vocabulary in which they are written once for all printers; compile
with ``-ffp-contract=off``, so that only what is written ``fma`` is fused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from scalargrad.compiler.backend.llvm.emitter import Emitter, Operand
from scalargrad.compiler.backend.llvm.ir_module import FunctionBody, IRModule
from scalargrad.compiler.nests.equations import CLASSES, SEQUENTIAL, Body
from scalargrad.compiler.nests.plan import Plan
from scalargrad.compiler.nests.printer import Printer
from scalargrad.compiler.nests.registers import Carried

#: The beginning of a file. Some variables and parameters of what it has are not read.
HEAD = """\
#include <math.h>
#include <stdint.h>
#include <string.h>
#ifdef __GNUC__
#pragma GCC diagnostic ignored "-Wunused-variable"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#endif
static inline int64_t sg_bits(double x) { int64_t i; memcpy(&i, &x, 8); return i; }
static inline double sg_double(int64_t i) { double x; memcpy(&x, &i, 8); return x; }
"""


class CBody(FunctionBody):
    """The statements of a C function; the instructions of LLVM that have no method are told."""

    def __init__(self) -> None:
        super().__init__(IRModule(), "", "")

    def function(self, head: str) -> str:
        """Return a function of these statements."""
        return "\n".join([f"{head} {{", *self._lines, "}\n"])

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
    """Writes operations as C; a long one outside of loops is a call of a function, written once."""

    def __init__(self, body: CBody, functions: dict[str, str]) -> None:
        super().__init__(body, inline=False)
        self.statements, self.functions = body, functions

    def number(self, x: Operand) -> str:
        """Return an operand as text, a float exactly."""
        return x if isinstance(x, str) else number_text(x)

    def _two(self, instruction: str, x: Operand, y: Operand) -> str:
        name, *condition = instruction.split()
        if condition in (["uge"], ["uno"]):
            test = "!({} < {})" if condition == ["uge"] else "isunordered({}, {})"
            return self.statements.let(test.format(self.number(x), self.number(y)), "int")
        sign = _COMPARED[condition[0]] if condition else _ARITHMETIC[name]
        kind = "int" if condition else "double"
        return self.statements.let(f"{self.number(x)} {sign} {self.number(y)}", kind)

    def load(self, pointer: str) -> str:
        """Return what a number is."""
        return self.statements.let(pointer)

    def store(self, x: Operand, pointer: str) -> None:
        """Change a number."""
        self.statements.line(f"{pointer} = {self.number(x)};")

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

    def shared(self, name: str, write: Callable[..., str], operands: Sequence[Operand]) -> str:
        """Call a function, which `write` prints at its first call."""
        full = "sg_" + re.sub(r"\W", "_", name)
        if full not in self.functions:
            e = CEmitter(CBody(), self.functions)
            names = [f"x{k}" for k in range(len(operands))]
            e.statements.line(f"return {e.number(write(e, *names))};")
            declared = ", ".join(f"double {x}" for x in names)
            self.functions[full] = e.statements.function(f"double {full}({declared})")
        return self.intrinsic(full, *operands)

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
    return repr(float(x)).replace("inf", "INFINITY").replace("nan", "NAN")


def print_c(body: Body, plan: Plan, name: str = "run", *, static: bool = False) -> tuple[str, int]:
    """Return the source of a function of C, and the numbers of memory that it is to be given.

    The function takes a pointer to memory, which is as `plan` says before the first run.
    """
    printer = _CPrinter(plan)
    printer.start()
    printer.items(body)
    main = printer.body.function(f"void {name}(double *restrict m)")
    others = [f"static {x}" for x in printer.e1.functions.values()]
    return "\n".join([HEAD, *others, "static " * static + main]), printer.cells


class _CPrinter(Printer):
    e1: CEmitter

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.body = CBody()
        self.e1 = CEmitter(self.body, {})

    def whole(self, base: int, terms: Sequence[tuple[str, int]]) -> str:
        return self.body.let(_sum(base, terms), "int64_t")

    def pointer(self, base: int, terms: Sequence[tuple[str, int]]) -> str:
        return f"m[{_sum(base, terms)}]"

    def truncated(self, number: str) -> str:
        return self.body.let(f"(int64_t){number}", "int64_t")

    def eighth(self, number: str) -> str:
        return self.body.let(f"{number} / {CLASSES}", "int64_t")

    def least(self, number: str, other: int) -> str:
        return self.body.let(f"{number} < {other} ? {number} : {other}", "int64_t")

    def turn_class(self, turn: str, extent: str, *, always: bool) -> str:
        found = f"{turn} & {CLASSES - 1}"
        text = found if always else f"{extent} > {SEQUENTIAL} ? {found} : 0"
        return self.body.let(text, "int64_t")

    def rounds(
        self,
        count: int | str,
        carried: Sequence[tuple[Operand, bool]],
        body: Callable[[str, Carried], Carried],
    ) -> Carried:
        k = self.body.fresh("i")
        names = [self.body.let(self.e1.number(x)) for x, _ in carried]
        self.body.line(f"for (int64_t {k} = 0; {k} < {count}; {k}++) {{")
        found = [self.body.let(self.e1.number(x)) for x in body(k, list(names))]
        for name, x in zip(names, found, strict=True):
            self.body.line(f"{name} = {x};")
        self.body.line("}")
        return list(names)


def _sum(base: int, terms: Sequence[tuple[str, int]]) -> str:
    parts = [name if k == 1 else f"{k} * {name}" for name, k in terms]
    return " + ".join([*parts, *[str(base)] * bool(base or not parts)])
