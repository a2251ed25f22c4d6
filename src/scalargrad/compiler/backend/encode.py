"""Encode: instructions as one row of integers, which the compiled kernel reads.

Every instruction is ``[code, length, …]``; `loops` says what follows for each code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalargrad.compiler.passes.instructions import (
    Affine,
    Apply,
    Copy,
    Gather,
    GatheredProducts,
    Instruction,
    Products,
    Run,
    Scatter,
    Take,
)

#: The codes of the loops, by their names in `loops`.
LOOPS = (
    "copy",
    "gather",
    "gathered_products",
    "spread_tiled",
    "spread",
    "beside",
    "along_tiled",
    "along",
    "along_scaled",
    "anyhow",
    "same",
    "take",
    "scatter",
)
COPY, GATHER, GATHERED, SPREAD_TILED, SPREAD, BESIDE, *_rest = range(len(LOOPS))
ALONG_TILED, ALONG, ALONG_SCALED, ANYHOW, SAME, TAKE, SCATTER = _rest
FIRST_OP = len(LOOPS)

#: Rows and columns of the tiles of the loops that have any.
_TILES = {SPREAD_TILED: (4, 16), ALONG_TILED: (2, 4)}

_LONG = 16
_ADDED = -1  # in place of the cell that sums start from


def encode(instructions: Iterable[Instruction], codes: Mapping[Any, int]) -> NDArray[np.int64]:
    """Return the instructions as integers; `codes` gives the code of each operation."""
    written = [
        np.array([fields[0], len(fields) + 1, *fields[1:]], dtype=np.int64)
        for instruction in instructions
        for fields in _fields(instruction, codes)
    ]
    return np.concatenate(written) if written else np.empty(0, dtype=np.int64)


def _fields(instruction: Instruction, codes: Mapping[Any, int]) -> list[list[int]]:
    if isinstance(instruction, Apply):
        op, out, lanes, operands = instruction
        return [[codes[op], out, lanes, *operands]]
    return _WRITTEN[type(instruction)](instruction)


def _copy(instruction: Copy) -> list[list[int]]:
    out, rows, columns, source = instruction
    return [[COPY, out, rows, columns, *source[:3]]]


def _gather(instruction: Gather) -> list[list[int]]:
    return [[GATHER, instruction.out, len(instruction.sources), *instruction.sources.tolist()]]


def _gathered(instruction: GatheredProducts) -> list[list[int]]:
    out, start, a, b = instruction
    return [[GATHERED, out, start, *a.shape, *a.ravel().tolist(), *b.ravel().tolist()]]


def _take(instruction: Take) -> list[list[int]]:
    out, *tables = instruction
    return [[TAKE, out, len(tables[0]), *np.stack(tables, axis=1).ravel().tolist()]]


def _scatter(instruction: Scatter) -> list[list[int]]:
    """Return the fields of a scatter: row by row its start and size, then its terms."""
    out, start, size, index, values = instruction
    pairs = np.stack([index, values], axis=2).reshape(len(start), -1)
    rows = np.concatenate([start[:, None], size[:, None], pairs], axis=1)
    return [[SCATTER, out, int(size.sum()), *index.shape, *rows.ravel().tolist()]]


def _products(instruction: Products) -> list[list[int]]:
    """Return the fields of each run of a sum: the first sets it, the others add to it."""
    out, rows, columns, start, runs = instruction
    turned = [_turned(columns, run) for run in runs]
    turned.sort(key=lambda found: found[0])
    written = []
    for kind, run in turned:
        for loop, above, some, part in _tiled(kind, rows, columns, start, run):
            place = [loop, out + above * columns, some, columns, start, part.terms]
            written.append([*place, *part.a, *part.b])
        start = _ADDED
    return written


def _tiled(
    kind: int, rows: int, columns: int, start: int, run: Run
) -> list[tuple[int, int, int, Run]]:
    """Return (loop, rows above, rows, run) for the rows that tiles cover, and for the others."""
    tiled = {SPREAD: SPREAD_TILED, ALONG: ALONG_TILED}.get(kind)
    if tiled is None or run.b.outer != 0 or run.a.inner != 0:
        return [(kind, 0, rows, run)]
    height, width = _TILES[tiled]
    overlap = tiled == SPREAD_TILED and start != _ADDED and columns >= width
    covered = rows // height * height if columns % width == 0 or overlap else 0
    below = run.a._replace(base=run.a.base + covered * run.a.outer)
    parts = [(tiled, 0, covered, run), (kind, covered, rows - covered, run._replace(a=below))]
    return [part for part in parts if part[2]]


def _turned(columns: int, run: Run) -> tuple[int, Run]:
    """Return the mode of a run, with its factors in the order the loop expects."""
    found = mode(columns, run.terms, run.a, run.b)
    if found == ANYHOW:
        other = mode(columns, run.terms, run.b, run.a)
        if other != ANYHOW:
            return other, Run(run.terms, run.b, run.a)
    return found, run


def mode(columns: int, terms: int, a: Affine, b: Affine) -> int:
    """Return how to loop over a run: which index runs over neighbouring cells.

    Returns
    -------
    int
        SAME: neither factor depends on the column. SPREAD: one number times neighbouring
        cells. BESIDE: neighbouring cells times neighbouring cells. ALONG: neighbouring terms,
        ALONG_SCALED: times one number. ANYHOW: no such order, or the factors are the other way
        round.
    """
    scaled = ALONG_SCALED if b.term == 0 else ALONG
    along = a.term == 1 and b.term in {0, 1}
    if a.inner == 0 and b.inner == 0:
        return scaled if along and columns == 1 else SAME
    if along and terms >= _LONG and 1 not in {a.inner, b.inner}:
        return scaled
    if a.inner == 0 and b.inner == 1:
        return SPREAD
    if a.inner == 1 and b.inner == 1:
        return BESIDE
    return scaled if along and terms > 1 else ANYHOW


_WRITTEN: dict[type, Callable[[Any], list[list[int]]]] = {
    Copy: _copy,
    Gather: _gather,
    Products: _products,
    GatheredProducts: _gathered,
    Take: _take,
    Scatter: _scatter,
}
