"""Elementwise instructions: one or several operations on the same lanes in one pass over memory.

An operation of neighbouring cells is such, and a sum of a few products of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from scalargrad.compiler.backend.llvm.emitter import Emitter, Operand
from scalargrad.compiler.backend.llvm.ir_module import IRModule
from scalargrad.compiler.backend.llvm.loop_nest import Nest
from scalargrad.compiler.backend.llvm.operations import apply
from scalargrad.compiler.packing.instructions import Affine, Apply, Products
from scalargrad.compiler.passes.partial import Partial
from scalargrad.table.operation import Elementwise


class LaneStep(NamedTuple):
    """One operation on lanes.

    Attributes
    ----------
    op : Elementwise, Partial or None
        None stands for a fused multiply-add of three operands.
    operands : tuple of int
        Indices into the numbers read, followed by the results of the steps before.
    """

    op: Elementwise | Partial | None
    operands: tuple[int, ...]


class Lanewise(NamedTuple):
    """Run steps in each of ``rows`` × ``columns`` lanes, and store the result of the last step.

    The columns of what is read are contiguous (``inner`` is 1), or one number per row (0).
    """

    out: int
    rows: int
    columns: int
    steps: tuple[LaneStep, ...]
    reads: tuple[Affine, ...]


def computed(e: Emitter, steps: Sequence[LaneStep], numbers: Sequence[str]) -> str:
    """Print steps over registers, and return the result of the last."""
    known: list[Operand] = list(numbers)
    for op, operands in steps:
        given = [known[k] for k in operands]
        known.append(e.fma(*given) if op is None else apply(e, op, *given))
    return e.number(known[-1])


def write_lanewise(
    module: IRModule, name: str, steps: tuple[LaneStep, ...], walks: tuple[bool, ...], width: int
) -> None:
    """Print a `Lanewise` as a function, ``out rows columns`` and ``base outer`` of each read.

    `walks` tells which reads have contiguous columns; the others are one number per row. Of the
    columns, `width` are computed at a time; lanes beyond the last are not stored.
    """
    nest = Nest(module, name)
    e = Emitter(nest.body, width)
    out, rows, columns, *places = nest.fields(0, 3 + 2 * len(walks))

    def row(i: str, _: list[str]) -> list[str]:
        firsts = [
            nest.cell(base, nest.mul(i, outer))
            for base, outer in zip(places[::2], places[1::2], strict=True)
        ]
        ones = ["" if walk else nest.one.load(x) for walk, x in zip(walks, firsts, strict=True)]
        target = nest.cell(out, nest.mul(i, columns))

        def one(e: Emitter, j: str) -> tuple[str, str]:
            read = [
                e.spread(single) if single else e.load(nest.cell(j, base=x))
                for single, x in zip(ones, firsts, strict=True)
            ]
            return computed(e, steps, read), nest.cell(j, base=target)

        nest.lanes(e, columns, one)
        return []

    nest.loop(rows, row)
    nest.end()


def of_apply(instruction: Apply) -> Lanewise:
    """Return an elementwise instruction as a `Lanewise` of one step."""
    op, out, lanes, operands = instruction
    step = LaneStep(op, tuple(range(len(operands))))  # type: ignore[arg-type]
    return Lanewise(out, 1, lanes, (step,), tuple(Affine(x, 0, 1) for x in operands))


def of_products(instruction: Products) -> Lanewise:
    """Return sums of a product of each run as a `Lanewise`, with a step for each."""
    out, rows, columns, start, runs = instruction
    reads = [start, *(place for run in runs for place in run[1:])]
    steps = [LaneStep(None, (1, 2, 0))]
    steps += [
        LaneStep(None, (2 * k + 1, 2 * k + 2, len(reads) + k - 1)) for k in range(1, len(runs))
    ]
    return Lanewise(out, rows, columns, tuple(steps), tuple(reads))
