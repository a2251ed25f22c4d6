"""The names of the compiler's nests that tests read: no call reaches nests yet."""

from __future__ import annotations

from scalargrad.compiler.backend.llvm.emitter import Emitter, Operand
from scalargrad.compiler.backend.llvm.ir_module import FunctionBody, IRModule
from scalargrad.compiler.nests.builder import Builder, Cells
from scalargrad.compiler.nests.c_printer import print_c
from scalargrad.compiler.nests.derive import gradient, tangent
from scalargrad.compiler.nests.equations import Array, Body, Index, Program, Var
from scalargrad.compiler.nests.interpreter import fma, interpret
from scalargrad.compiler.nests.llvm_printer import print_llvm
from scalargrad.compiler.nests.numpy_runner import run_numpy
from scalargrad.compiler.nests.packing import packed
from scalargrad.compiler.nests.plan import plan
from scalargrad.compiler.nests.schedule import ScheduledLoop, schedule
from scalargrad.compiler.nests.simplify import simplify
from scalargrad.compiler.nests.sums import write
from scalargrad.compiler.nests.tiles import arranged
from scalargrad.table.operation import Operation

__all__ = [
    "Array",
    "Body",
    "Builder",
    "Cells",
    "Emitter",
    "FunctionBody",
    "IRModule",
    "Index",
    "Operand",
    "Operation",
    "Program",
    "ScheduledLoop",
    "Var",
    "arranged",
    "fma",
    "gradient",
    "interpret",
    "packed",
    "plan",
    "print_c",
    "print_llvm",
    "run_numpy",
    "schedule",
    "simplify",
    "tangent",
    "write",
]
