"""Nests compiled by gcc and by LLVM, and operations with the digits that they have there."""

from __future__ import annotations

import ctypes
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.compiler.nests import (
    Array,
    Body,
    Program,
    arranged,
    machine,
    packed,
    plan,
    print_c,
    print_llvm,
    schedule,
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
            program, body, fastest = packed(program, *arranged(body))
        self.plan = plan(program, body, fastest)
        self.memory = self.plan.begun(self.build(body, level))
        self._address = self.memory.ctypes.data

    def build(self, body: Body, level: int) -> int:
        """Compile it; return how many numbers memory has."""
        self.source, cells = print_c(body, self.plan)
        with tempfile.TemporaryDirectory() as folder:
            source, library = Path(folder, "nest.c"), Path(folder, "nest.so")
            source.write_text(self.source, encoding="utf-8")
            command = ["gcc", f"-O{level}", *FLAGS, str(source), "-o", str(library), "-lm"]
            subprocess.run(command, check=True)
            self._run: Any = ctypes.CDLL(str(library)).run
        self._run.argtypes = [ctypes.c_void_p]
        return cells

    def view(self, array: Array) -> Any:
        """Return the cells of an array in memory."""
        return self.plan.view(self.memory, array)

    def run(self) -> None:
        """Run it on what memory holds."""
        self._run(self._address)

    def __call__(self, given: Mapping[Array, Any]) -> dict[Array, Any]:
        """Return the outputs for what is given."""
        for array, numbers in given.items():
            self.view(array)[...] = numbers
        self.run()
        return {a: self.view(a).copy() for a in self.plan.offsets if a.kind == "out"}


class LLVMNest(CompiledNest):
    """A program as machine code by LLVM."""

    def build(self, body: Body, level: int) -> int:
        """Compile it; return how many numbers memory has."""
        import llvmlite.binding as llvm

        printed, cells = print_llvm(body, self.plan)
        self.source = printed.text()
        module = llvm.parse_assembly(self.source)
        target = machine(level)
        module.triple, module.data_layout = target.triple, str(target.target_data)
        self._engine = llvm.create_mcjit_compiler(module, target)
        self._engine.finalize_object()
        self._run = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(
            self._engine.get_function_address("run")
        )
        return cells
