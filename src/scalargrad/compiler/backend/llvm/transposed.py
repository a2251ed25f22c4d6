"""Store sums of products transposed where they are only read transposed.

Then the instruction that reads them finds its columns contiguous in memory.
"""

from __future__ import annotations

from collections.abc import Sequence

from scalargrad.compiler.backend.llvm.extents import Extents, apart, of_affine, size_of
from scalargrad.compiler.packing.instructions import Affine, Instruction, ProductRun, Products


def stored_transposed(
    instructions: Sequence[Instruction], program: Extents, least: int
) -> list[Instruction]:
    """Return the program with sums stored transposed where their reader wants them so.

    Blocks of fewer than `least` cells are left alone. The extents `program` stay as they are.
    """
    found = list(instructions)
    for k, x in enumerate(found):
        if not isinstance(x, Products) or min(x.rows, x.columns) == 1 or size_of(x) < least:
            continue
        reader = program.only_reader(k)
        if reader is None:
            continue
        turned = _reading_columns(found[reader], x)
        if turned is not None:
            found[k] = _transposed(x)
            found[reader] = turned
    return found


def _transposed(x: Products) -> Products:
    runs = tuple(ProductRun(run.terms, _turned(run.a), _turned(run.b)) for run in x.runs)
    return Products(x.out, x.columns, x.rows, _turned(x.start), runs)


def _turned(place: Affine) -> Affine:
    return place._replace(outer=place.inner, inner=place.outer)


def _reading_columns(reader: Instruction, x: Products) -> Products | None:
    """Return a reader of sums, changed to find them transposed; None if it reads them otherwise."""
    if not isinstance(reader, Products) or (reader.rows, reader.columns) != (x.columns, x.rows):
        return None
    block = (x.out, x.out + size_of(x))
    wanted, new = Affine(x.out, 1, x.columns), Affine(x.out, x.rows, 1)

    def place(at: Affine, terms: int) -> Affine | None:
        if terms == 1 and at._replace(term=0) == wanted:
            return new
        return at if apart(of_affine(at, reader.rows, reader.columns, terms), block) else None

    start = place(reader.start, 1)
    runs = [(run.terms, place(run.a, run.terms), place(run.b, run.terms)) for run in reader.runs]
    if start is None or any(a is None or b is None for _, a, b in runs):
        return None
    told = tuple(ProductRun(terms, a, b) for terms, a, b in runs if a is not None and b is not None)
    return reader._replace(start=start, runs=told)
