"""Arrays no larger than what is read and written of them.

The derivatives by an array that is given have its size, though few of its numbers may be asked for:
the parameters, say, and not the data beside them.
"""

from __future__ import annotations

from scalargrad.compiler.nests.equations import Access, Array, Program, replaced, statements

#: Arrays of fewer numbers stay as they are.
_FEW = 64
#: The least and the greatest index in each dimension.
Box = tuple[tuple[int, int], ...]


def compact(program: Program) -> Program:
    """Return a program whose temporary arrays have room for the cells that are used alone."""
    steps = [step for step, _ in statements(program.body)]
    boxes: dict[Array, Box | None] = {x.array: None for step in steps for x in step.tables()}
    for step in steps:
        for x in (step.out, *step.reads()):
            if x.array.kind == "temp" and boxes.get(x.array, ()) is not None:
                boxes[x.array] = _around(x, boxes.get(x.array))
    smaller = {
        array: (Array(array.name, tuple(high - low + 1 for low, high in box)), box)
        for array, box in boxes.items()
        if box and any(high - low + 1 < n - _FEW for (low, high), n in zip(box, array.shape))  # noqa: B905
    }
    if not smaller:
        return program

    def moved(x: Access) -> Access:
        found = smaller.get(x.array)
        if found is None:
            return x
        pairs = zip(x.indices, found[1], strict=True)
        return Access(found[0], tuple(index - low for index, (low, _) in pairs))

    arrays = [smaller[a][0] if a in smaller else a for a in program.arrays]
    return Program(
        arrays, replaced(program.body, lambda step: step.with_cells(moved)), checks=False
    )


def _around(x: Access, box: Box | None) -> Box | None:
    """Return a box around another and the cells that an access may be; None if a table decides."""
    if x.tables:
        return None
    bounds = [index.bounds() for index in x.indices]
    if box is None:
        return tuple(bounds)
    pairs = zip(bounds, box, strict=True)
    return tuple((min(a[0], b[0]), max(a[1], b[1])) for a, b in pairs)
