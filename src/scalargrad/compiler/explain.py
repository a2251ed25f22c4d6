"""Explain: what a compiled function became, as text."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from scalargrad.compiler.instructions import (
    Apply,
    Copy,
    Gather,
    GatheredProducts,
    Instruction,
    Products,
)
from scalargrad.compiler.machine import has_kernel
from scalargrad.compiler.pack import Packed
from scalargrad.compiler.path import Path


def explain(path: Path) -> str:
    """Return the sizes after each pass, and the instructions, widest first."""
    function = path.function
    lines = [
        f"{path.name}: {path.recorded} nodes recorded, {len(function.program)} after flattening"
    ]
    lines += _program("forward", function.values.packed)
    if path.moving is not None:
        lines += _program("forward and backward", function.values_and_row.packed)
    return "\n".join([*lines, f"run by {'the compiled kernel' if has_kernel() else 'NumPy'}"])


def _program(name: str, packed: Packed) -> list[str]:
    gathers = sum(isinstance(x, Gather | GatheredProducts) for x in packed.instructions)
    head = (
        f"{name}: {len(packed.instructions)} instructions, {gathers} of them gathers, "
        f"{packed.memory.nbytes} bytes"
    )
    return [head, *_table(packed.instructions)]


def _table(instructions: Iterable[Instruction]) -> list[str]:
    """Return one line for each kind of instruction: how many, over how many lanes."""
    count: Counter[str] = Counter()
    lanes: Counter[str] = Counter()
    for instruction in instructions:
        name, width = _described(instruction)
        count[name] += 1
        lanes[name] += width
    return [f"  {count[name]:4} × {name}, {total} lanes" for name, total in lanes.most_common()]


def _described(instruction: Instruction) -> tuple[str, int]:
    """Return the kind of an instruction, and its lanes."""
    if isinstance(instruction, Apply):
        return instruction.op.name, instruction.lanes
    if isinstance(instruction, Copy):
        return "copy", instruction.rows * instruction.columns
    if isinstance(instruction, Gather):
        return "gather", len(instruction.sources)
    if isinstance(instruction, Products):
        return "sum of products", instruction.rows * instruction.columns
    return "sum of gathered products", len(instruction.a)
