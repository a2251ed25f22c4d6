"""Transpose a block of examples, so that each column becomes a contiguous row, in tiles of 4 × 4.

Copied number by number, this would take as long as all the rest of a small program.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Iterator

from scalargrad.compiler.array_types import Floats
from scalargrad.compiler.backend.llvm.ir_module import IRModule
from scalargrad.compiler.backend.llvm.machine_code import compile_module

#: Rows and columns of a tile. If those of the array are not multiples, the last two tiles overlap.
TILE = 4
_FUNCTION = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, *[ctypes.c_int64] * 3)
_VECTOR = "<4 x double>"
#: The shuffles of two vectors that transpose a tile: first pairs are exchanged, then halves.
_EVEN, _ODD = (0, 4, 2, 6), (1, 5, 3, 7)
_LOW, _HIGH = (0, 1, 4, 5), (2, 3, 6, 7)


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
    module = IRModule()
    body = module.function("columns", "ptr %from, ptr %to, i64 %rows, i64 %step, i64 %count")
    for label, lines in _blocks():
        if label:
            body.begin(label)
        for line in lines:
            body.line(line)
    copy: Callable[..., None] = compile_module(module, level=1).function("columns", _FUNCTION)
    return copy


def _blocks() -> Iterator[tuple[str, list[str]]]:
    """Yield the basic blocks of the function: an outer loop over rows, an inner over columns."""
    yield (
        "",
        [
            f"%last.row = sub i64 %rows, {TILE}",
            f"%last.column = sub i64 %count, {TILE}",
            "br label %along",
        ],
    )
    yield (
        "along",
        [
            "%i = phi i64 [0, %entry], [%i.next, %next]",
            "%i.over = icmp ugt i64 %i, %last.row",
            "%row = select i1 %i.over, i64 %last.row, i64 %i",
            "%read = mul i64 %row, %step",
            "br label %across",
        ],
    )
    yield (
        "across",
        [
            "%j = phi i64 [0, %along], [%j.next, %across]",
            "%j.over = icmp ugt i64 %j, %last.column",
            "%column = select i1 %j.over, i64 %last.column, i64 %j",
            *_tile(),
            f"%j.next = add i64 %j, {TILE}",
            "%j.more = icmp ult i64 %j.next, %count",
            "br i1 %j.more, label %across, label %next",
        ],
    )
    yield (
        "next",
        [
            f"%i.next = add i64 %i, {TILE}",
            "%i.more = icmp ult i64 %i.next, %rows",
            "br i1 %i.more, label %along, label %done",
        ],
    )
    yield "done", ["ret void"]


def _tile() -> list[str]:
    """Return the instructions for one tile: load four rows, transpose, store four columns."""
    lines = ["%read.0 = add i64 %read, %column"]
    lines += ["%written = mul i64 %column, %rows", "%write.0 = add i64 %written, %row"]
    for k in range(TILE):
        if k:
            lines.append(f"%read.{k} = add i64 %read.{k - 1}, %step")
            lines.append(f"%write.{k} = add i64 %write.{k - 1}, %rows")
        lines.append(f"%from.{k} = getelementptr double, ptr %from, i64 %read.{k}")
        lines.append(f"%to.{k} = getelementptr double, ptr %to, i64 %write.{k}")
        lines.append(f"%x.{k} = load {_VECTOR}, ptr %from.{k}, align 8")
    pairs = [("x.0", "x.1", _EVEN), ("x.2", "x.3", _EVEN)]
    pairs += [("x.0", "x.1", _ODD), ("x.2", "x.3", _ODD)]
    lines += [_shuffled(f"p.{k}", *pair) for k, pair in enumerate(pairs)]
    halves = [("p.0", "p.1", _LOW), ("p.2", "p.3", _LOW)]
    halves += [("p.0", "p.1", _HIGH), ("p.2", "p.3", _HIGH)]
    lines += [_shuffled(f"y.{k}", *half) for k, half in enumerate(halves)]
    return [*lines, *(f"store {_VECTOR} %y.{k}, ptr %to.{k}, align 8" for k in range(TILE))]


def _shuffled(name: str, a: str, b: str, taken: tuple[int, ...]) -> str:
    mask = ", ".join(f"i32 {k}" for k in taken)
    return f"%{name} = shufflevector {_VECTOR} %{a}, {_VECTOR} %{b}, <4 x i32> <{mask}>"
