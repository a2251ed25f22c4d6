"""Functions of the table, compiled over rows of numbers."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable

import numpy as np

from scalargrad.compiler.array_types import Floats
from scalargrad.compiler.backend.llvm.emitter import Emitter
from scalargrad.compiler.backend.llvm.ir_module import IRModule
from scalargrad.compiler.backend.llvm.machine_code import Code, compile_module
from scalargrad.compiler.backend.llvm.operations import apply
from scalargrad.ops import TABLE
from scalargrad.table.operation import Elementwise

Written = Callable[[Emitter, list[str]], str]


@functools.cache
def compiled(name: str, width: int, arity: int, inline: bool) -> Code:
    """Return an operation compiled for rows of so many numbers at a time."""
    module = IRModule()
    body = module.function("run", "ptr %out, " + ", ".join(f"ptr %x{i}" for i in range(arity)))
    e = Emitter(body, width, inline=inline)
    op = TABLE[name]
    assert isinstance(op, Elementwise)
    e.store(apply(e, op, *(e.load(f"%x{i}") for i in range(arity))), "%out")
    body.line("ret void")
    return compile_module(module)


def applied(name: str, width: int, *rows: list[float], inline: bool = True) -> Floats:
    """Return an operation of each column of equally long rows, so many at a time."""
    code = compiled(name, width, len(rows), inline)
    run = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * (1 + len(rows)))(code.address("run"))
    padded = -len(rows[0]) % width
    operands = [np.array([*row, *row[-1:] * padded]) for row in rows]
    out = np.empty(len(operands[0]))
    for i in range(0, len(out), width):
        run(*(x.ctypes.data + 8 * i for x in (out, *operands)))
    return out[: len(rows[0])]
