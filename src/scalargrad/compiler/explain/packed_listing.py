"""A packed program as text, an assignment to cells for each instruction: m[8] = exp(m[3])."""

from __future__ import annotations

from scalargrad.compiler.packing.instructions import (
    Affine,
    Apply,
    Copy,
    Gather,
    Instruction,
    Packed,
    ProductRun,
    Products,
    Scatter,
    Take,
)


def listing(packed: Packed) -> str:
    """Return every instruction as an assignment to memory cells, with the ranges of its indices.

    Examples
    --------
    >>> from scalargrad.compiler.packing.instructions import Affine
    >>> copied = Copy(100, 2, 3, Affine(0, 1, 2))
    >>> print(listing(Packed([copied], None, 0, slice(0))))  # type: ignore[arg-type]
    m[100 + 3i + j] = m[0 + i + 2j]    i < 2, j < 3
    """
    return "\n".join(_written(instruction) for instruction in packed.instructions)


def _written(instruction: Instruction) -> str:
    if isinstance(instruction, Apply):
        op, out, lanes, operands = instruction
        shown = ", ".join(_cell(Affine(x, 0, int(lanes > 1))) for x in operands)
        return f"{_cell(Affine(out, 0, int(lanes > 1)))} = {op.name}({shown}){_range(1, lanes)}"
    if isinstance(instruction, Copy):
        out, rows, columns, source = instruction
        return f"{_out(out, rows, columns)} = {_cell(source)}{_range(rows, columns)}"
    if isinstance(instruction, Gather):
        cells = instruction.sources.tolist()
        return f"m[{instruction.out} + j] = m[({_table(cells)})]{_range(1, len(cells))}"
    if isinstance(instruction, Products):
        out, rows, columns, start, runs = instruction
        shown = " + ".join([_cell(start), *map(_sum, runs)])
        return f"{_out(out, rows, columns)} = {shown}{_range(rows, columns)}"
    if isinstance(instruction, Take | Scatter):
        return _lookup(instruction)
    a, b = (_table(x.ravel().tolist()) for x in (instruction.a, instruction.b))
    lanes, terms = instruction.a.shape
    begun = _table(instruction.start.tolist())
    first = f"{_cell(Affine(instruction.out, 0, int(lanes > 1)))} = m[({begun})]"
    return f"{first} + Σ(t < {terms}) m[({a})]·m[({b})]{_range(1, lanes)}"


def _lookup(instruction: Take | Scatter) -> str:
    if isinstance(instruction, Take):
        out, index, base, stride, size = instruction
        entry = (
            f"({_table(base.tolist())}) + ({_table(stride.tolist())})·m[({_table(index.tolist())})]"
        )
        return f"m[{out} + j] = m[{entry}]{_range(1, len(size))}"
    out, start = instruction.out, instruction.start
    place, added = (_table(x.ravel().tolist()) for x in (instruction.place, instruction.values))
    return f"m[({_table((out + start).tolist())}) + m[({place})]] += m[({added})]"


def _out(out: int, rows: int, columns: int) -> str:
    return _cell(Affine(out, columns * (rows > 1), int(columns > 1)))


def _cell(place: Affine) -> str:
    parts = [str(place.base)]
    for distance, index in zip(place[1:], "ijt", strict=True):
        if distance:
            parts.append(index if distance == 1 else f"{distance}{index}")
    return f"m[{' + '.join(parts)}]"


def _sum(run: ProductRun) -> str:
    product = f"{_cell(run.a)}·{_cell(run.b)}"
    return product if run.terms == 1 else f"Σ(t < {run.terms}) {product}"


def _range(rows: int, columns: int) -> str:
    shown = [f"{name} < {n}" for name, n in (("i", rows), ("j", columns)) if n > 1]
    return f"    {', '.join(shown)}" if shown else ""


def _table(cells: list[int]) -> str:
    return ", ".join(map(str, cells[:4])) + (", …" if len(cells) > 4 else "")
