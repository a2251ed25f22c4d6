"""Choose the compiled function that executes an instruction, and encode its arguments.

Functions are compiled for the kind of an instruction. Counts, addresses and strides are not part of
the code; the function reads them from a table. Instructions of one kind therefore share a function,
across programs too, and a longer list needs no new code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from scalargrad.compiler.array_types import Addresses
from scalargrad.compiler.backend.llvm import data_movement
from scalargrad.compiler.backend.llvm.emitter import WIDTH
from scalargrad.compiler.backend.llvm.lanewise import (
    Lanewise,
    of_apply,
    of_products,
    write_lanewise,
)
from scalargrad.compiler.backend.llvm.long_sums import Dots, write_dots
from scalargrad.compiler.backend.llvm.operations import width_of
from scalargrad.compiler.backend.llvm.target import registers
from scalargrad.compiler.backend.llvm.tiled_sums import BEGINS, ENDS, Moves, Tile, write_tiles
from scalargrad.compiler.packing.instructions import (
    Affine,
    Apply,
    Copy,
    Gather,
    GatheredProducts,
    Instruction,
    ProductRun,
    Products,
    Scatter,
    Take,
)
from scalargrad.compiler.passes.kinds import CLASSES, SEQUENTIAL

#: A kind of function: the Python function that prints it, and its arguments.
Kind = tuple[Callable[..., None], tuple[Any, ...]]


class Encoded(NamedTuple):
    """An instruction as the kind of function that executes it and the table this reads."""

    kind: Kind
    fields: Addresses


def encode(instruction: Instruction) -> Encoded:
    """Return the kind of function that executes an instruction, and its table."""
    kind, fields = _ENCODERS[type(instruction)](instruction)
    return Encoded(kind, np.asarray(fields, dtype=np.int64))


def _apply(instruction: Apply) -> tuple[Kind, Addresses]:
    width = width_of(instruction.op, instruction.lanes)  # type: ignore[arg-type]
    return _lanewise(of_apply(instruction), width)


def _copy(instruction: Copy) -> tuple[Kind, Iterable[int]]:
    out, rows, columns, source = instruction
    width = WIDTH if source.inner == 1 and columns > 1 else 1
    return (data_movement.write_copy, (width,)), [out, rows, columns, *source[:3]]


def _gather(instruction: Gather) -> tuple[Kind, Iterable[int]]:
    out, sources = instruction
    return (data_movement.write_gather, ()), [out, len(sources), *sources.tolist()]


def _take(instruction: Take) -> tuple[Kind, Addresses]:
    out, *tables = instruction
    head = [out, len(tables[0])]
    return (data_movement.write_take, ()), np.concatenate([head, np.stack(tables, axis=1).ravel()])


def _scatter(instruction: Scatter) -> tuple[Kind, Addresses]:
    """Return the fields of a scatter: row by row its start and size, then its terms."""
    out, start, size, index, values = instruction
    pairs = np.stack([index, values], axis=2).reshape(len(start), -1)
    rows = np.concatenate([start[:, None], size[:, None], pairs], axis=1)
    head = [out, int(size.sum()), *index.shape]
    return (data_movement.write_scatter, ()), np.concatenate([head, rows.ravel()])


def _gathered(instruction: GatheredProducts) -> tuple[Kind, Addresses]:
    out, start, a, b = instruction
    lanes, terms = a.shape
    width = WIDTH if lanes > 2 else 1
    order = [range(terms)]
    if terms > SEQUENTIAL:
        order = [range(c, terms, CLASSES) for c in range(CLASSES)]
    sorted_terms = [t for part in order for t in part]
    pairs = np.stack([a[:, sorted_terms], b[:, sorted_terms]], axis=2).reshape(lanes, -1)
    rows = np.concatenate([start[:, None], pairs], axis=1)
    padded = np.concatenate([rows, np.repeat(rows[:1], -lanes % width, axis=0)])
    table = padded.reshape(-1, width, rows.shape[1]).transpose(0, 2, 1)
    head = [out, lanes, len(order), *map(len, order)]
    kind = data_movement.write_gathered, (width, terms > SEQUENTIAL)
    return kind, np.concatenate([head, table.ravel()])


def _lanewise(instruction: Lanewise, width: int = WIDTH) -> tuple[Kind, Addresses]:
    out, rows, columns, steps, reads = instruction
    fields = [out, rows, columns, *(x for place in reads for x in place[:2])]
    walks = tuple(place.inner == 1 for place in reads)
    return (write_lanewise, (steps, walks, width)), np.array(fields)


# Sums of products ------------------------------------------------------------------------------


def _products(instruction: Products) -> tuple[Kind, Addresses]:
    out, rows, columns, start, runs = instruction
    runs = tuple(_turned(run, columns) for run in runs)
    many = sum(run.terms for run in runs) > SEQUENTIAL
    if len(runs) == 1 and runs[0].terms == 1 and adjoin(instruction) and columns >= WIDTH:
        return _lanewise(of_products(Products(out, rows, columns, start, runs)))
    walks = [(_walk(x.a, rows, columns), _walk(x.b, rows, columns)) for x in runs]
    head = [out, rows, columns]
    if many and not adjoin(instruction) and neighbouring(instruction):
        return _dots(head, start, runs)
    kinds = tuple(sorted(set(walks)))
    stretches = [
        [kinds.index(walks[k]), mode, run.terms, *run.a, *run.b]
        for k, mode, run in _stretches(runs, many)
    ]
    tile = _tile(instruction._replace(runs=runs), many, kinds)
    fields = [*head, len(stretches), *start[:3], *(x for row in stretches for x in row)]
    return (write_tiles, (tile,)), np.array(fields)


def _dots(head: list[int], start: Affine, runs: tuple[ProductRun, ...]) -> tuple[Kind, Addresses]:
    """Return the function for long sums whose terms are contiguous, and its fields."""
    _, rows, columns = head

    def walk(x: Affine) -> Moves:
        return _walk(x, rows, columns)._replace(terms=x.term != 0)

    walks = [(walk(run.a), walk(run.b)) for run in runs]
    kinds = tuple(sorted(set(walks)))
    fields, before = [*head, len(runs), *start[:3]], 0
    for pair, run in zip(walks, runs, strict=True):
        fields += [kinds.index(pair), before % CLASSES, run.terms, *run.a, *run.b]
        before += run.terms
    dots = Dots(*_of_classes(rows, columns), kinds, start.outer == start.inner == 0)
    return (write_dots, (dots,)), np.array(fields)


def adjoin(instruction: Products) -> bool:
    """Return whether the columns of each factor are contiguous, or one number for all."""
    _, _, columns, start, runs = instruction
    places = [start, *(x for run in runs for x in run[1:])]
    return columns > 1 and all(x.inner in {0, 1} for x in places)


def neighbouring(instruction: Products) -> bool:
    """Return whether the terms of each factor are contiguous, or one number for all."""
    return all(x.term in {0, 1} for run in instruction.runs for x in run[1:])


def _turned(run: ProductRun, columns: int) -> ProductRun:
    """Return a run with its factors exchanged if only the second is the same in all columns."""
    swap = columns > 1 and run.a.inner != 0 and run.b.inner == 0
    return ProductRun(run.terms, run.b, run.a) if swap else run


def _walk(place: Affine, rows: int, columns: int) -> Moves:
    return Moves(rows > 1 and place.outer != 0, columns > 1 and place.inner != 0)


def _stretches(runs: tuple[ProductRun, ...], many: bool) -> list[tuple[int, int, ProductRun]]:
    """Return (index of the run, mode, stretch of the run); long sums are split by class."""
    if not many:
        return [(k, 0, run) for k, run in enumerate(runs)]
    found: list[tuple[int, int, ProductRun]] = []
    for number in range(CLASSES):
        before, parts = 0, []
        for k, (terms, a, b) in enumerate(runs):
            first = (number - before) % CLASSES
            if first < terms:
                count = -(-(terms - first) // CLASSES)
                parts.append((k, ProductRun(count, _every(a, first), _every(b, first))))
            before += terms
        for i, (k, run) in enumerate(parts):
            mode = BEGINS * (i == 0) | ENDS * (i == len(parts) - 1)
            found.append((k, mode, run))
    return found


def _every(place: Affine, first: int) -> Affine:
    """Return every eighth term of a factor, beginning with term `first`."""
    step = place.term
    return place._replace(base=place.base + first * step, term=CLASSES * step)


def _tile(instruction: Products, many: bool, kinds: tuple[tuple[Moves, Moves], ...]) -> Tile:
    _, rows, columns, start, _ = instruction
    walk = _walk(start, rows, columns)
    if not adjoin(instruction):
        height, across = _narrow(rows, columns)
        return Tile(height, across, 1, False, many, walk, kinds)
    vectors = -(-columns // WIDTH)
    lined = all(run.a.outer == 1 < run.a.term for run in instruction.runs)
    height, across, wider = _shape(rows, vectors, lined)
    return Tile(height, across, WIDTH, vectors <= across, many, walk, kinds, wider=wider)


def _shape(rows: int, vectors: int, lined: bool) -> tuple[int, int, bool]:
    """Return the rows and vectors of a tile, and whether some are to be wider by a vector.

    If the rows of the first factor adjoin, and its terms do not, a tile has as many as fit into a
    line of the cache: otherwise each line would be fetched twice.
    """
    height = min(rows, 4)
    if registers() < 32:  # a vector takes two or more: four sums, and what is added to them
        return height, min(vectors, 4 // height), False
    if vectors <= 4:
        return height, vectors, False
    if lined and rows >= WIDTH:
        return WIDTH, 2, vectors % 2 > 0
    across = next((x for x in (4, 3) if vectors % x == 0), 3)
    return height, across, vectors % across > 0 and vectors > 5  # 5 is no sum of threes and fours


def _narrow(rows: int, columns: int) -> tuple[int, int]:
    """Return the rows and columns of a tile of scalars."""
    across = min(columns, 4)
    return min(rows, 4 if across == 1 else 2), across


def _of_classes(rows: int, columns: int) -> tuple[int, int]:
    """Return the rows and columns of a tile of long sums, whose classes are lanes."""
    if registers() < 32:
        height = min(rows, 2 if columns > 1 else 4)
        return height, min(columns, 4 // height)
    across = 8 if columns % 8 == 0 else min(columns, 4)
    most = 16 // across
    return most if rows >= most else min(rows, 4), across


_ENCODERS: dict[type, Callable[[Any], tuple[Kind, Any]]] = {
    Apply: _apply,
    Copy: _copy,
    Gather: _gather,
    Products: _products,
    GatheredProducts: _gathered,
    Take: _take,
    Scatter: _scatter,
}
