"""A packed program as text, an assignment to cells for each instruction: m[8] = exp(m[3])."""

from __future__ import annotations

import numpy as np

from scalargrad.compiler.array_types import Addresses
from scalargrad.compiler.packing.instructions import (
    Apply,
    Gather,
    Instruction,
    Packed,
    Products,
    Take,
)


def listing(packed: Packed) -> str:
    """Return every instruction as an assignment to memory cells; j counts lanes, t terms.

    Examples
    --------
    >>> copied = Gather(100, np.array([3, 1, 2]))
    >>> print(listing(Packed([copied], None, 0, slice(0))))  # type: ignore[arg-type]
    m[100 + j] = m[(3, 1, 2)]    j < 3
    """
    return "\n".join(_written(instruction) for instruction in packed.instructions)


def _written(instruction: Instruction) -> str:
    if isinstance(instruction, Apply):
        op, out, lanes, operands = instruction
        shown = ", ".join(_lane(x, lanes) for x in operands)
        return f"{_lane(out, lanes)} = {op.name}({shown}){_range(lanes)}"
    if isinstance(instruction, Gather):
        lanes = len(instruction.sources)
        return f"{_lane(instruction.out, lanes)} = {_cells(instruction.sources)}{_range(lanes)}"
    if isinstance(instruction, Products):
        out, start, a, b = instruction
        shown = f"Σ(t < {a.shape[1]}) {_cells(a)}·{_cells(b)}"
        if a.shape[1] == 1:
            shown = f"{_cells(a)}·{_cells(b)}"
        return f"{_lane(out, len(a))} = {_cells(start)} + {shown}{_range(len(a))}"
    if isinstance(instruction, Take):
        out, index, base, stride, size = instruction
        entry = f"({_table(base)}) + ({_table(stride)})·{_cells(index)}"
        return f"m[{out} + j] = m[{entry}]{_range(len(size))}"
    row = _table(instruction.out + instruction.start)
    return f"m[({row}) + {_cells(instruction.place)}] += {_cells(instruction.values)}"


def _lane(first: int, lanes: int) -> str:
    return f"m[{first} + j]" if lanes > 1 else f"m[{first}]"


def _cells(cells: Addresses) -> str:
    flat = cells.ravel()
    if (flat == flat[0]).all():
        return f"m[{flat[0]}]"
    is_each_lane = cells.size == len(cells) and (np.diff(flat) == 1).all()
    return f"m[{flat[0]} + j]" if is_each_lane else f"m[({_table(cells)})]"


def _range(lanes: int) -> str:
    return f"    j < {lanes}" if lanes > 1 else ""


def _table(cells: Addresses) -> str:
    flat = cells.ravel().tolist()
    return ", ".join(map(str, flat[:4])) + (", …" if len(flat) > 4 else "")
