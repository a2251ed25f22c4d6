"""The kernel: one function, printed from the table and compiled once, that runs every program.

Numba compiles it the first time a machine needs it and keeps the result on disk, under a name
made from its source, so a changed table is another kernel. Programs themselves are data: none
is ever compiled.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from ctypes import byref, c_char, c_int64, create_string_buffer
from types import FunctionType, ModuleType
from typing import Any

from numpy.typing import NDArray

from scalargrad.compiler.backend import loops, tables, vector
from scalargrad.compiler.backend.encode import FIRST_OP, LOOPS, encode
from scalargrad.compiler.backend.machine_code import Function, function
from scalargrad.compiler.passes.expressions import plan_of
from scalargrad.compiler.passes.instructions import Apply, Packed
from scalargrad.compiler.passes.lanes import (
    NUMBA,
    Partial,
    expression_of,
    has_lanes,
    partial,
)
from scalargrad.ops import TABLE
from scalargrad.table.operation import Elementwise
from scalargrad.table.symbol import Symbol

#: What Numba's functions write their result to, which nobody reads: the kernel returns none.
_RETURNED = create_string_buffer(8)

_HEADER = """import math
import numpy as np
from numba import njit
from scalargrad.compiler.backend.register_code import full, load, multiply_add, store

Any = Cells = Code = None
"""

#: How all else is compiled: to the letter.
_EXACT = '@njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)'

#: How sums of products are compiled: they may be reordered and fused, and nothing else.
_SUMS = (
    '@njit(error_model="numpy", fastmath={"reassoc", "contract"}, '
    "no_cpython_wrapper=True, no_cfunc_wrapper=True)"
)

#: So many operations share a function: Numba takes longest where all do, or none.
_SHARING = 12

_OPERATIONS = """
{exact}
def operations_{code}(k, code, pc, m):
    n, out = code[pc + 3], code[pc + 2]
{body}
"""

_RUN = """
@njit(
    "void(CPointer(int64), int64, CPointer(float64))",
    error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True,
)
def run(code, size, m):
    pc = 0
    while pc < size:
        k = code[pc]
{choice}
        pc += code[pc + 1]
"""


class KernelMachine:
    """Memory and an encoded program, run by the kernel.

    Parameters
    ----------
    packed : Packed
        The program; every operation in it has lane code.

    Attributes
    ----------
    memory : float64, cells
        Inputs are written to its first cells before `run`.
    run : callable
        Carries out the instructions in order.
    """

    def __init__(self, packed: Packed) -> None:
        self.memory = packed.memory.copy()
        code = encode(packed.instructions, codes())
        self.run: Callable[[], None] = functools.partial(
            kernel(),
            byref(_RETURNED),
            None,
            _pointer(code),
            c_int64.from_param(len(code)),
            _pointer(self.memory),
        )


def _pointer(array: NDArray[Any]) -> Any:
    """Return an array's address as ctypes passes it on, which keeps the array alive."""
    return byref((c_char * array.nbytes).from_buffer(array.data))


def runs(packed: Packed) -> bool:
    """Return whether the kernel knows every operation of a program."""
    known = codes()
    return all(x.op in known for x in packed.instructions if isinstance(x, Apply))


@functools.cache
def codes() -> dict[Elementwise | Partial, int]:
    """Return the code of every operation and partial that can be printed; equal ones share."""
    found: dict[Elementwise | Partial, int] = {}
    by_text: dict[str, int] = {}
    for op in _printed():
        text = "\n".join(_loop(0, op))
        found[op] = by_text.setdefault(text, FIRST_OP + len(by_text))
    return found


def _printed() -> list[Elementwise | Partial]:
    printed: list[Elementwise | Partial] = []
    for op in TABLE.values():
        if isinstance(op, Elementwise):
            partials = [partial(op, index) for index in range(op.arity)]
            printed += [op, *(x for x in partials if _is_computed(x))]
    return [op for op in printed if has_lanes(expression_of(op)[1]) and not _is_opened(op)]


def _is_opened(op: Elementwise | Partial) -> bool:
    """Return whether programs hold `op` as a sum of products."""
    return isinstance(op, Elementwise) and plan_of(op, op.arity) is not None


def _is_computed(x: Partial) -> bool:
    return isinstance(x.expression, Symbol) and x.expression.op is not None


def source() -> str:
    """Return the kernel as Python source."""
    numbers = [f"{k} = {x!r}" for k, x in vars(vector).items() if isinstance(x, float | int)]
    exact = [f"\n{_EXACT}\n{inspect.getsource(x)}" for x in _functions(vector, tables)]
    sums = [f"\n{_SUMS}\n{inspect.getsource(x)}" for x in _functions(loops)]
    loop_of = {code: _loop(code, op) for op, code in codes().items()}
    ordered = sorted(loop_of)
    parts = [ordered[i : i + _SHARING] for i in range(0, len(ordered), _SHARING)]
    operations = [
        _OPERATIONS.format(
            exact=_EXACT, code=part[0], body=_halving([(x, loop_of[x]) for x in part], " " * 4)
        )
        for part in parts
    ]
    calls = {part[0]: f"operations_{part[0]}(k, code, pc, m)" for part in parts}
    calls |= {code: f"{name}(code, pc, m)" for code, name in enumerate(LOOPS)}
    run = _RUN.format(choice=_halving([(x, [calls[x]]) for x in sorted(calls)], " " * 8))
    return "\n".join([_HEADER, *numbers, *exact, *sums, *operations, run])


def _functions(*modules: ModuleType) -> list[FunctionType]:
    """Return the functions that modules define themselves."""
    return [
        x
        for module in modules
        for x in vars(module).values()
        if isinstance(x, FunctionType) and x.__module__ == module.__name__
    ]


def _loop(code: int, op: Elementwise | Partial) -> list[str]:
    """Return the loop over lanes; its names end in the code, so that none is used twice."""
    symbols, expression = expression_of(op)
    names = {symbol: f"a{i}_{code}" for i, symbol in enumerate(symbols)}
    lines, result = NUMBA.code(expression, names, f"t{code}_")
    operands = list(enumerate(names.values()))
    return [
        *(f"x{name} = code[pc + {4 + i}]" for i, name in operands),
        f"for l{code} in range(n):",
        *(f"    {name} = m[x{name} + l{code}]" for _, name in operands),
        *(f"    {line}" for line in lines),
        f"    m[out + l{code}] = {result}",
    ]


def _halving(known: list[tuple[int, list[str]]], indent: str) -> str:
    """Return code that finds its way to one of the blocks by halving."""
    if len(known) == 1:
        return "\n".join(indent + line for line in known[0][1])
    middle = len(known) // 2
    low = _halving(known[:middle], indent + "    ")
    high = _halving(known[middle:], indent + "    ")
    return f"{indent}if k < {known[middle][0]}:\n{low}\n{indent}else:\n{high}"


@functools.cache
def kernel() -> Function:
    """Return the compiled kernel, from disk where it was compiled before."""
    return function(source())
