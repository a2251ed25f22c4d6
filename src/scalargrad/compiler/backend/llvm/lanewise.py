"""Lanewise: several operations on the same lanes as one pass over memory.

Arithmetic on lanes takes less time than bringing them from memory and back. Where one instruction
only prepares lanes for the next, both are one function, and what lies between stays in registers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from scalargrad.compiler.backend.llvm.emitter import WIDTH, Emitter, Operand
from scalargrad.compiler.backend.llvm.ir_module import IRModule
from scalargrad.compiler.backend.llvm.loop_nest import Nest
from scalargrad.compiler.backend.llvm.operations import apply
from scalargrad.compiler.passes.instructions import Affine, Apply, Instruction, Products
from scalargrad.compiler.passes.lanes import Partial
from scalargrad.ops import mul
from scalargrad.table.operation import Elementwise


class LaneStep(NamedTuple):
    """One operation on lanes.

    Attributes
    ----------
    op : Elementwise, Partial or None
        None multiplies the first two operands and adds the third, rounded once.
    operands : tuple of int
        Places among what is read, and behind it the results of the steps before.
    """

    op: Elementwise | Partial | None
    operands: tuple[int, ...]


class Lanewise(NamedTuple):
    """Carry out steps in each of ``rows`` × ``columns`` lanes, and keep the last one's result.

    What is read lies side by side along the columns (``inner`` is 1) or is one number a row (0).
    """

    out: int
    rows: int
    columns: int
    steps: tuple[LaneStep, ...]
    reads: tuple[Affine, ...]


class Finished(NamedTuple):
    """Sums of products on which steps are carried out, sum by sum, before they are stored.

    The steps read the sum, and then what stands beside it in other blocks of the same shape.
    """

    out: int
    products: Products
    steps: tuple[LaneStep, ...]
    blocks: tuple[int, ...] = ()


#: What a program for machine code consists of.
Merged = Instruction | Lanewise | Finished


def computed(e: Emitter, steps: Sequence[LaneStep], numbers: Sequence[str]) -> str:
    """Write steps over registers, and return the last one's result."""
    known: list[Operand] = list(numbers)
    for op, operands in steps:
        given = [known[k] for k in operands]
        known.append(e.fma(*given) if op is None else apply(e, op, *given))
    return e.number(known[-1])


def write_lanewise(
    module: IRModule, name: str, steps: tuple[LaneStep, ...], walks: tuple[bool, ...]
) -> None:
    """Write ``out rows columns``, and ``base outer`` of each thing read.

    `walks` says which of them have neighbouring columns; the others are one number a row.
    """
    nest = Nest(module, name)
    e = Emitter(nest.body, WIDTH)
    out, rows, columns, *places = nest.fields(0, 3 + 2 * len(walks))

    def row(i: str, _: list[str]) -> list[str]:
        firsts = [
            nest.cell(base, nest.mul(i, outer))
            for base, outer in zip(places[::2], places[1::2], strict=True)
        ]
        ones = [
            "" if walk else e.spread(nest.one.load(x))
            for walk, x in zip(walks, firsts, strict=True)
        ]
        target = nest.cell(out, nest.mul(i, columns))

        def one(j: str) -> tuple[str, str]:
            read = [
                single or e.load(nest.cell(j, base=x))
                for single, x in zip(ones, firsts, strict=True)
            ]
            return computed(e, steps, read), nest.cell(j, base=target)

        nest.lanes(e, columns, one)
        return []

    nest.loop(rows, row)
    nest.end()


def of_apply(instruction: Apply) -> Lanewise:
    """Return an operation on lanes as one step."""
    op, out, lanes, operands = instruction
    step = LaneStep(op, tuple(range(len(operands))))  # type: ignore[arg-type]
    return Lanewise(out, 1, lanes, (step,), tuple(Affine(x, 0, 1) for x in operands))


def of_product(instruction: Products, *, nothing: bool = False) -> Lanewise:
    """Return single products on lanes as one step; `nothing` says that they start from -0.0."""
    out, rows, columns, start, (run,) = instruction
    if nothing:
        return Lanewise(out, rows, columns, (LaneStep(mul, (0, 1)),), (run.a, run.b))
    return Lanewise(out, rows, columns, (LaneStep(None, (0, 1, 2)),), (run.a, run.b, start))
