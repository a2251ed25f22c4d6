"""Arrays as large as what is read and written of them.

The derivatives by an array that is given have its size, though few of its numbers may be asked for:
the parameters, say, and not the data beside them. On the other hand, a sum that has no terms at
some turns is written there, too, in cells that nobody reads, which may be outside of an array.
"""

from __future__ import annotations

from collections.abc import Iterable

from scalargrad.compiler.nests.equations import (
    SET,
    Access,
    Array,
    Program,
    replaced,
    statements,
)

#: Arrays of fewer numbers stay as they are.
_FEW = 64
#: The least and the greatest index in each dimension.
Box = tuple[tuple[int, int], ...]


def compact(program: Program) -> Program:
    """Return a program whose temporary arrays have room for the cells that are used alone."""
    steps = [*statements(program.body)]
    boxes: dict[Array, Box | None] = {x.array: None for step, _ in steps for x in step.tables()}
    larger: dict[Array, Box] = {}
    for step, around in steps:
        out = step.out
        sums = [v for v in around if v not in out.variables] if step.how != SET else []
        is_known = all(x.array.data is not None for x in out.tables)  # else it is within anyway
        if out.array.kind == "temp" and is_known and any(v.extent.bounds()[0] < 1 for v in sums):
            whole = larger.get(out.array, tuple([(0, n - 1) for n in out.array.shape]))
            larger[out.array] = _union([index.bounds() for index in out.indices], whole)
        for x in (out, *step.reads()):
            if x.indices and x.array.kind == "temp" and boxes.get(x.array, ()) is not None:
                boxes[x.array] = _around(x, boxes.get(x.array))
    others = {
        array: (Array(array.name, tuple(high - low + 1 for low, high in box)), box)
        for array, box in (boxes | larger).items()
        if box and any(_is_other(*ends, n) for ends, n in zip(box, array.shape, strict=True))
    }
    if not others:
        return program

    def moved(x: Access) -> Access:
        found = others.get(x.array)
        if found is None:
            return x
        pairs = zip(x.indices, found[1], strict=True)
        return Access(found[0], tuple(index - low for index, (low, _) in pairs))

    arrays = [others[a][0] if a in others else a for a in program.arrays]
    return Program(arrays, replaced(program.body, lambda step: step.with_cells(moved)))


def _around(x: Access, box: Box | None) -> Box | None:
    """Return a box around another and the cells that an access may be; None if a table decides."""
    if x.tables:
        return None
    bounds = [index.bounds() for index in x.indices]
    return tuple(bounds) if box is None else _union(bounds, box)


def _union(a: Iterable[tuple[int, int]], b: Iterable[tuple[int, int]]) -> Box:
    return tuple([(min(x[0], y[0]), max(x[1], y[1])) for x, y in zip(a, b, strict=True)])


def _is_other(low: int, high: int, size: int) -> bool:
    return low < 0 or high >= size or high - low + 1 < size - _FEW
