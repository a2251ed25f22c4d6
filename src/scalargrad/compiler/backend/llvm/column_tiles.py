"""Transpose a block of examples, so that each column becomes a contiguous row, in tiles of 4 × 4.

Copied number by number, this would take as long as all the rest of a small program.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable

from scalargrad.compiler.array_types import Floats
from scalargrad.compiler.backend.llvm.emitter import Emitter
from scalargrad.compiler.backend.llvm.ir_module import IRModule
from scalargrad.compiler.backend.llvm.long_sums import transposed
from scalargrad.compiler.backend.llvm.loop_nest import Nest
from scalargrad.compiler.backend.llvm.machine_code import compile_module

#: Rows and columns of a tile. If those of the array are not multiples, the last two tiles overlap.
TILE = 4
_FUNCTION = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_int64] * 3)


def copy_columns(store: Floats, first: int, step: int, into: Floats) -> None:
    """Fill the rows of `into` with the columns of an array in `store`, at least four of each.

    Parameters
    ----------
    store : float64, cells
    first : int
        The first cell of the array.
    step : int
        The distance between its rows, in cells.
    into : float64, columns × rows, contiguous
    """
    count, rows = into.shape
    _compiled()(store.ctypes.data + 8 * first, into.ctypes.data, rows, step, count)


@functools.cache
def _compiled() -> Callable[..., None]:
    """Return ``columns(from, to, rows, step, count)``."""
    module = IRModule()
    nest = Nest(module, "columns", "ptr %from, ptr %to, i64 %rows, i64 %step, i64 %count")
    e = Emitter(nest.body, TILE)
    last_row, last_column = nest.sub("%rows", TILE), nest.sub("%count", TILE)

    def along(i: str, _: list[str]) -> list[str]:
        row = nest.least(i, last_row)
        first = nest.mul(row, "%step")

        def across(j: str, _: list[str]) -> list[str]:
            column = nest.least(j, last_column)
            read, write, found = nest.add(first, column), nest.mul(column, "%rows"), []
            for _k in range(TILE):
                found.append(e.load(nest.cell(read, base="%from")))
                read = nest.add(read, "%step")
            for x in transposed(e, found):
                e.store(x, nest.cell(write, row, base="%to"))
                write = nest.add(write, "%rows")
            return []

        nest.loop("%count", across, step=TILE)
        return []

    nest.loop("%rows", along, step=TILE)
    nest.end()
    copy: Callable[..., None] = compile_module(module, level=1).function("columns", _FUNCTION)
    return copy
