"""Merge instructions so that a program passes over memory less often.

An elementwise instruction that one other reads, lane by lane, is fused into it. No digit changes.
"""

from __future__ import annotations

from collections.abc import Sequence

from scalargrad.compiler.backend.llvm.extents import Extents, apart, of_affine, size_of
from scalargrad.compiler.backend.llvm.lanewise import (
    LaneStep,
    Lanewise,
    Merged,
    of_apply,
    of_products,
)
from scalargrad.compiler.backend.llvm.operations import is_long, width_of
from scalargrad.compiler.packing.instructions import Affine, Apply, Instruction, Products

#: The fewest lanes worth it: every fused kind of function is one more to compile at a first call.
LEAST = 256
#: The longest program to merge: longer ones are irregular, and the search would take too long.
MOST = 2000
#: The most steps and reads of a fused instruction, lest it run out of registers.
_STEPS, _READS = 8, 6
#: The most products of a sum that counts as elementwise.
_RUNS = 2


def merged(instructions: Sequence[Instruction], outputs: slice) -> list[Merged]:
    """Return the instructions of a program, merged where that saves passes over memory."""
    if len(instructions) > MOST or not any(size_of(x) >= LEAST for x in instructions):
        return list(instructions)
    program = Extents(instructions, outputs)
    found: list[Merged | None] = [_lanewise(x) or x for x in instructions]
    for k, x in enumerate(found):
        if not isinstance(x, Lanewise):
            continue
        reader = program.only_reader(k)
        into = None if reader is None else found[reader]
        if reader is None or not isinstance(into, Lanewise):
            continue
        places = [of_affine(place, x.rows, x.columns) for place in x.reads]
        if any(program.is_written(place, k + 1, reader) for place in places):
            continue
        together = _together(x, into)
        if together is not None:
            found[k], found[reader] = None, together
    kept = [x for x in found if x is not None]
    return [_plain(x) if isinstance(x, Lanewise) else x for x in kept]


def _lanewise(x: Instruction) -> Lanewise | None:
    """Return an elementwise instruction as a `Lanewise`; None if it is too long or too small."""
    if size_of(x) < LEAST:
        return None
    if isinstance(x, Apply):
        short = width_of(x.op, x.lanes) > 1 and not is_long(x.op)  # type: ignore[arg-type]
        return of_apply(x) if short else None
    if (
        isinstance(x, Products)
        and len(x.runs) <= _RUNS
        and all(run.terms == 1 for run in x.runs)
        and x.columns > 1
    ):
        found = of_products(x)
        return found if all(place.inner in {0, 1} for place in found.reads) else None
    return None


def _plain(x: Lanewise) -> Lanewise:
    """Return a `Lanewise` as a single row, if the rows of everything it reads are contiguous."""
    if x.rows == 1 or not all(_follows(place, x.columns) for place in x.reads):
        return x
    return x._replace(rows=1, columns=x.rows * x.columns)


def _follows(place: Affine, columns: int) -> bool:
    return (place.outer, place.inner) in {(columns, 1), (0, 0)}


def _shaped(x: Lanewise, rows: int, columns: int) -> Lanewise | None:
    """Return a `Lanewise` with other rows and columns, if everything it reads allows that."""
    if (x.rows, x.columns) == (rows, columns):
        return x
    if x.rows != 1 or x.columns != rows * columns:
        return None
    reads = tuple(place._replace(outer=columns * place.inner) for place in x.reads)
    return x._replace(rows=rows, columns=columns, reads=reads)


def _together(x: Lanewise, into: Lanewise) -> Lanewise | None:
    """Return two `Lanewise` as one, if the second reads the lanes of the first in order."""
    rows, columns = max((x.rows, x.columns), (into.rows, into.columns))
    first, second = _shaped(x, rows, columns), _shaped(into, rows, columns)
    if first is None or second is None:
        return None
    block = (x.out, x.out + rows * columns)
    handed = {place for place in second.reads if _is_block(place, x.out, rows, columns)}
    others = [place for place in second.reads if place not in handed]
    if not handed or not all(apart(of_affine(p, rows, columns), block) for p in others):
        return None
    places = list(dict.fromkeys([*first.reads, *others]))
    target = (into.out, into.out + rows * columns)
    if not all(
        _is_block(p, into.out, rows, columns) or apart(of_affine(p, rows, columns), target)
        for p in places
    ):
        return None
    steps = [
        *_renumbered(first, [places.index(x) for x in first.reads], len(places)),
        *_renumbered(
            second,
            [
                len(places) + len(first.steps) - 1 if x in handed else places.index(x)
                for x in second.reads
            ],
            len(places) + len(first.steps),
        ),
    ]
    if len(steps) > _STEPS or len(places) > _READS:
        return None
    return Lanewise(into.out, rows, columns, tuple(steps), tuple(places))


def _renumbered(x: Lanewise, reads: list[int], first: int) -> list[LaneStep]:
    """Return the steps of a `Lanewise` with new indices for its reads and results."""
    numbers = [*reads, *range(first, first + len(x.steps))]
    return [LaneStep(op, tuple(numbers[k] for k in operands)) for op, operands in x.steps]


def _is_block(place: Affine, out: int, rows: int, columns: int) -> bool:
    """Return whether an operand reads exactly the lanes of a block, in order."""
    return place.base == out and place.inner == 1 and (rows == 1 or place.outer == columns)
