"""Merge instructions so that a program passes over memory less often.

Two rewrites, neither of which changes a digit:

- an elementwise instruction read by one other, lane by lane, is fused into it;
- an elementwise instruction on sums of products is applied to each tile before it is stored.
"""

from __future__ import annotations

from collections.abc import Sequence

from scalargrad.compiler.backend.llvm.encode import adjoin
from scalargrad.compiler.backend.llvm.extents import (
    Extents,
    Interval,
    apart,
    of_affine,
    reads,
    size_of,
)
from scalargrad.compiler.backend.llvm.lanewise import (
    Finished,
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
    joined = _joined(instructions, program)
    if len(joined) < len(instructions):
        program = Extents(joined, outputs)
    return _finished(joined, program)


# Elementwise instructions fused -----------------------------------------------------------------


def _joined(instructions: Sequence[Instruction], program: Extents) -> list[Merged]:
    """Return the program with elementwise instructions fused into their only reader."""
    found: list[Merged | None] = [_lanewise(x) or x for x in instructions]
    for k, x in enumerate(found):
        if not isinstance(x, Lanewise):
            continue
        reader = program.only_reader(k)
        into = None if reader is None else found[reader]
        if reader is None or not isinstance(into, Lanewise):
            continue
        places = [of_affine(place, x.rows, x.columns) for place in x.reads]
        if any(program.is_touched(place, k + 1, reader) for place in places):
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


# Steps applied to sums before they are stored ---------------------------------------------------


def _finished(instructions: Sequence[Merged], program: Extents) -> list[Merged]:
    """Return the program with elementwise instructions on sums applied before these are stored."""
    found: list[Merged | None] = list(instructions)
    early: list[tuple[Interval, Interval]] = []  # blocks, and from when to when they are written
    for k, x in enumerate(found):
        if not isinstance(x, Products) or size_of(x) < LEAST or not adjoin(x):
            continue
        reader = program.only_reader(k)
        after = None if reader is None else found[reader]
        if reader is None or not isinstance(after, Lanewise):
            continue
        together = _after(x, after)
        if together is None or any(
            program.is_touched((first, first + size_of(x)), k + 1, reader)
            for first in together.blocks
        ):
            continue
        target, when = (after.out, after.out + size_of(after)), (k, reader + 1)
        if (
            all(apart(place, target) for place in reads(together))
            and not program.is_touched(target, k + 1, reader, read=True)
            and all(apart(target, cells) or apart(when, then) for cells, then in early)
        ):
            early.append((target, when))
            found[k], found[reader] = together, None
    return [x for x in found if x is not None]


def _after(x: Products, after: Lanewise) -> Finished | None:
    """Return sums with steps to apply, if these read only blocks of the same shape besides."""
    steps, own = _shaped(after, x.rows, x.columns), (x.out, x.out + size_of(x))
    if steps is None or not all(
        _is_block(place, place.base, x.rows, x.columns) for place in steps.reads
    ):
        return None
    read = [place.base for place in steps.reads]
    others = [first for first in read if first != x.out]
    if x.out not in read or not all(apart((y, y + size_of(x)), own) for y in others):
        return None
    numbers = [0 if first == x.out else 1 + others.index(first) for first in read]
    return Finished(
        after.out, x, tuple(_renumbered(steps, numbers, 1 + len(others))), tuple(others)
    )
