"""The kernel: one function, printed from the table and compiled once, that runs every program.

Numba compiles it the first time a machine needs it and keeps the result on disk, under a name
made from its source, so a changed table is another kernel. Programs themselves are data: none
is ever compiled.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalargrad.compiler import loops, tables, vector
from scalargrad.compiler.encode import (
    FIRST_OP,
    GATHER,
    GATHERED,
    PRODUCTS,
    SCATTER,
    TAKE,
    encode,
)
from scalargrad.compiler.expressions import plan_of
from scalargrad.compiler.instructions import Apply, Packed
from scalargrad.compiler.lanes import (
    NUMBA,
    Partial,
    expression_of,
    has_lanes,
    partial,
)
from scalargrad.compiler.memory import Floats
from scalargrad.files import write_atomically
from scalargrad.ops import TABLE
from scalargrad.ops.operation import Elementwise
from scalargrad.ops.symbol import Symbol

Run = Callable[[NDArray[np.int64], Floats], None]

_HEADER = '''"""Printed from scalargrad's table of operations; delete freely."""

import math
import numpy as np
from numba import njit

Any = Cells = Code = None
'''

#: How all else is compiled: to the letter.
_EXACT = '@njit(error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)'

#: How sums of products are compiled: they may be reordered and fused, and nothing else.
_SUMS = (
    '@njit(error_model="numpy", fastmath={"reassoc", "contract"}, '
    "no_cpython_wrapper=True, no_cfunc_wrapper=True)"
)

_RUN = """
@njit("void(int64[::1], float64[::1])", error_model="numpy", nogil=True, cache={cached})
def run(code, m):
    pc = 0
    while pc < code.size:
        k = code[pc]
        if k >= {first}:
            n = code[pc + 3]
            out = m[code[pc + 2] : code[pc + 2] + n]
{body}
        elif k == {products}:
            products(code, pc, m)
        elif k == {gathered}:
            gathered_products(code, pc, m)
        elif k == {gather}:
            gather(code, pc, m)
        elif k == {take}:
            take(code, pc, m)
        elif k == {scatter}:
            scatter(code, pc, m)
        else:
            copy(code, pc, m)
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
    """

    def __init__(self, packed: Packed) -> None:
        self.memory = packed.memory.copy()
        self._code = encode(packed.instructions, codes())
        self._kernel = kernel()

    def run(self) -> None:
        """Carry out the instructions in order."""
        self._kernel(self._code, self.memory)


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


def source(cached: bool) -> str:
    """Return the kernel as Python source.

    The loops of all operations stand in one function, which compiles in a fifth of the time
    that a function for each would take.
    """
    numbers = [f"{k} = {x!r}" for k, x in vars(vector).items() if isinstance(x, float | int)]
    exact = [f"\n{_EXACT}\n{inspect.getsource(x)}" for x in _functions(vector, tables)]
    sums = [f"\n{_SUMS}\n{inspect.getsource(x)}" for x in _functions(loops)]
    printed = {code: _loop(code, op) for op, code in codes().items()}
    body = _halving(sorted(printed.items()), " " * 12)
    run = _RUN.format(
        body=body,
        cached=cached,
        first=FIRST_OP,
        products=PRODUCTS,
        gathered=GATHERED,
        gather=GATHER,
        take=TAKE,
        scatter=SCATTER,
    )
    return "\n".join([_HEADER, *numbers, *exact, *sums, run])


def _functions(*modules: ModuleType) -> list[FunctionType]:
    return [x for module in modules for x in vars(module).values() if isinstance(x, FunctionType)]


def _loop(code: int, op: Elementwise | Partial) -> list[str]:
    """Return the loop over lanes; its names end in the code, so that none is used twice."""
    symbols, expression = expression_of(op)
    names = {symbol: f"a{i}_{code}" for i, symbol in enumerate(symbols)}
    lines, result = NUMBA.code(expression, names, f"t{code}_")
    operands = list(enumerate(names.values()))
    return [
        *(f"x{name} = m[code[pc + {4 + i}] : code[pc + {4 + i}] + n]" for i, name in operands),
        f"for l{code} in range(n):",
        *(f"    {name} = x{name}[l{code}]" for _, name in operands),
        *(f"    {line}" for line in lines),
        f"    out[l{code}] = {result}",
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
def kernel() -> Run:
    """Return the compiled kernel, from disk where it was compiled before."""
    text = source(cached=True)
    try:
        path = _written(text)
        run: Run = _imported(path).run
    except OSError:  # nowhere to keep it: compile for this process alone
        namespace: dict[str, Any] = {}
        exec(compile(source(cached=False), "<scalargrad kernel>", "exec"), namespace)
        run = namespace["run"]
    return run


def _written(text: str) -> Path:
    """Write the source where it is kept, whole or not at all, and return its path."""
    import platformdirs

    folder = Path(platformdirs.user_cache_dir("scalargrad"))
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    path = folder / f"kernel_{digest}.py"
    if not path.exists():
        write_atomically(path, text.encode())
    if not os.access(folder, os.W_OK):
        raise PermissionError(f"{folder} cannot be written")
    return path


def _imported(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"scalargrad_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[module.__name__] = module
    spec.loader.exec_module(module)
    return module
