"""Nests compiled by gcc and by LLVM, and operations with the digits of compiled code."""

from __future__ import annotations

import ctypes
import struct
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from tests.compiler.interpreter import fma
from tests.compiler.nests import (
    Array,
    Body,
    Emitter,
    FunctionBody,
    IRModule,
    Operand,
    Operation,
    Program,
    machine_code,
    plan,
    print_c,
    print_llvm,
    schedule,
    tiled,
    write,
)

FLAGS = [
    "-march=native", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math",
    "-shared", "-fPIC",
]  # fmt: skip


class CompiledNest:
    """A program as a function of C, with its memory."""

    def __init__(self, program: Program, level: int = 1, *, tiles: bool = True) -> None:
        body, fastest = schedule(program), dict[Array, int]()
        if tiles:
            body, fastest = tiled(body, lanes=isinstance(self, LLVMNest))
        self.plan = plan(program, body, fastest)
        self.build(body, level)
        self.memory = self.plan.initial_memory()
        self._address = self.memory.ctypes.data

    def build(self, body: Body, level: int) -> None:
        """Compile it."""
        self.source = print_c(body, self.plan)
        with tempfile.TemporaryDirectory() as folder:
            source, library = Path(folder, "nest.c"), Path(folder, "nest.so")
            source.write_text(self.source, encoding="utf-8")
            command = ["gcc", f"-O{level}", *FLAGS, str(source), "-o", str(library), "-lm"]
            subprocess.run(command, check=True)
            self._run: Any = ctypes.CDLL(str(library)).run
        self._run.argtypes = [ctypes.c_void_p]

    def view(self, array: Array) -> Any:
        """Return the elements of an array in memory."""
        return self.plan.view(self.memory, array)

    def run(self) -> None:
        """Run the function on its memory."""
        self._run(self._address)

    def __call__(self, given: Mapping[Array, Any]) -> dict[Array, Any]:
        """Return the outputs for these inputs."""
        for array, numbers in given.items():
            self.view(array)[...] = numbers
        self.run()
        return {a: self.view(a).copy() for a in self.plan.offsets if a.kind == "out"}


class _Numbers(FunctionBody):
    """Registers whose contents are numbers."""

    def __init__(self) -> None:
        super().__init__(IRModule(), "")
        self.held: dict[str, Any] = {}

    def keep(self, x: Any) -> str:
        name = f"%{self.fresh()}"
        self.held[name] = x
        return name

    def assign(self, text: str) -> str:
        word = text.replace(",", "").split()
        if word[0] == "sitofp":
            return self.keep(float(self.held[word[2]]))
        assert word[0] == "icmp"
        return self.keep(self.held[word[3]] != int(word[4]))


class _Exact(Emitter):
    """An emitter that computes operations instead of emitting them, with equal rounding."""

    def __init__(self) -> None:
        self.numbers = _Numbers()
        super().__init__(self.numbers)

    def value(self, x: Operand) -> float:
        found: float = self.numbers.held[x] if isinstance(x, str) else x
        return found

    def number(self, x: Operand) -> str:
        return x if isinstance(x, str) else self.numbers.keep(x)

    def _two(self, instruction: str, x: Operand, y: Operand) -> str:
        a, b = np.float64(self.value(x)), np.float64(self.value(y))
        with np.errstate(all="ignore"):
            return self.numbers.keep(_TWO[instruction](a, b))

    def neg(self, x: str) -> str:
        return self.numbers.keep(-self.value(x))

    def intrinsic(self, name: str, *operands: Operand) -> str:
        xs = [self.value(x) for x in operands]
        if name == "fma":
            return self.numbers.keep(fma(float(xs[0]), float(xs[1]), float(xs[2])))
        with np.errstate(all="ignore"):
            return self.numbers.keep(getattr(np, name)(*map(np.float64, xs)))

    def select(self, test: str, x: Operand, y: Operand) -> str:
        return self.numbers.keep(self.value(x) if self.value(test) else self.value(y))

    def either(self, test: str, first: Callable[[], str], second: Callable[[], str]) -> str:
        return first() if self.value(test) else second()

    def integers(self, instruction: str, x: str, y: int | str) -> str:
        a: Any = self.value(x)
        b: Any = y if isinstance(y, int) else self.value(y)
        found = _WHOLE[instruction](a, b) & (2**64 - 1)
        return self.numbers.keep(found - 2**64 if found >= 2**63 else found)

    def bits(self, x: str) -> str:
        return self.numbers.keep(struct.unpack("<q", struct.pack("<d", self.value(x)))[0])

    def of_bits(self, x: str) -> str:
        return self.numbers.keep(struct.unpack("<d", struct.pack("<q", self.value(x)))[0])


_TWO: dict[str, Callable[[Any, Any], Any]] = {
    "fadd": lambda a, b: a + b, "fsub": lambda a, b: a - b, "fmul": lambda a, b: a * b,
    "fdiv": lambda a, b: a / b, "fcmp olt": lambda a, b: a < b, "fcmp ole": lambda a, b: a <= b,
    "fcmp ogt": lambda a, b: a > b, "fcmp oge": lambda a, b: a >= b,
    "fcmp oeq": lambda a, b: a == b, "fcmp une": lambda a, b: a != b,
    "fcmp uge": lambda a, b: not a < b, "fcmp uno": lambda a, b: a != a or b != b,
}  # fmt: skip
_WHOLE: dict[str, Callable[[Any, Any], Any]] = {
    "add": lambda a, b: a + b, "sub": lambda a, b: a - b, "and": lambda a, b: a & b,
    "or": lambda a, b: a | b, "shl": lambda a, b: a << b, "ashr": lambda a, b: a >> b,
    "lshr": lambda a, b: (a & (2**64 - 1)) >> b,
}  # fmt: skip


def exactly(op: Operation, *operands: float) -> float:
    """Apply an operation with the digits of compiled code."""
    e = _Exact()
    return float(e.value(write(e, op, *operands)))


class LLVMNest(CompiledNest):
    """A program as machine code by LLVM."""

    def build(self, body: Body, level: int) -> None:
        """Compile it."""
        printed, _ = print_llvm(body, self.plan)
        kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
        self._run = machine_code(printed.text(), level).function("run", kind)
