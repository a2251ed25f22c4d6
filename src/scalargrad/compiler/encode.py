"""Encode: instructions as one row of integers, which the compiled kernel reads.

Every instruction is ``[code, length, …]``; `loops` says what follows for each code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scalargrad.compiler.instructions import (
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

COPY, GATHER, PRODUCTS, GATHERED, TAKE, SCATTER, FIRST_OP = range(7)

#: How the loops of one run of products go: see `mode`.
SAME, SPREAD, BESIDE, ALONG, ANY = range(5)

_LONG = 16


def encode(instructions: Iterable[Instruction], codes: Mapping[Any, int]) -> NDArray[np.int64]:
    """Return the instructions as integers; `codes` gives the code of each operation."""
    written: list[Any] = []
    for instruction in instructions:
        fields = _fields(instruction, codes)
        written.append(np.array([fields[0], len(fields) + 1, *fields[1:]], dtype=np.int64))
    return np.concatenate(written) if written else np.empty(0, dtype=np.int64)


def _fields(instruction: Instruction, codes: Mapping[Any, int]) -> list[int]:
    if isinstance(instruction, Apply):
        op, out, lanes, operands = instruction
        return [codes[op], out, lanes, *operands]
    return _WRITTEN[type(instruction)](instruction)


def _copy(instruction: Copy) -> list[int]:
    out, rows, columns, source = instruction
    return [COPY, out, rows, columns, *source[:3]]


def _gather(instruction: Gather) -> list[int]:
    return [GATHER, instruction.out, len(instruction.sources), *instruction.sources.tolist()]


def _gathered(instruction: GatheredProducts) -> list[int]:
    out, start, a, b = instruction
    return [GATHERED, out, start, *a.shape, *a.ravel().tolist(), *b.ravel().tolist()]


def _take(instruction: Take) -> list[int]:
    out, *tables = instruction
    return [TAKE, out, len(tables[0]), *np.stack(tables, axis=1).ravel().tolist()]


def _scatter(instruction: Scatter) -> list[int]:
    """Return the fields of a scatter: row by row its start and size, then its terms."""
    out, start, size, index, values = instruction
    pairs = np.stack([index, values], axis=2).reshape(len(start), -1)
    rows = np.concatenate([start[:, None], size[:, None], pairs], axis=1)
    return [SCATTER, out, int(size.sum()), *index.shape, *rows.ravel().tolist()]


def _products(instruction: Products) -> list[int]:
    """Return the fields of a sum; runs that are the same in a whole row come first."""
    out, rows, columns, start, runs = instruction
    turned = [_turned(columns, run) for run in runs]
    turned.sort(key=lambda found: found[0])
    fields = [PRODUCTS, out, rows, columns, start, len(runs)]
    for kind, run in turned:
        fields += (kind, run.terms, *run.a, *run.b)
    return fields


def _turned(columns: int, run: Run) -> tuple[int, Run]:
    """Return the mode of a run, with its factors in the order the loop expects."""
    found = mode(columns, run.terms, run.a, run.b)
    if found == ANY:
        other = mode(columns, run.terms, run.b, run.a)
        if other != ANY:
            return other, Run(run.terms, run.b, run.a)
    return found, run


def mode(columns: int, terms: int, a: Affine, b: Affine) -> int:
    """Return how to loop over a run: which index runs over neighbouring cells.

    Returns
    -------
    int
        SAME: neither factor depends on the column. SPREAD: one number times neighbouring
        cells. BESIDE: neighbouring cells times neighbouring cells. ALONG: neighbouring terms.
        ANY: no such order, or the factors are the other way round.
    """
    along = a.term == 1 and b.term in {0, 1}
    if a.inner == 0 and b.inner == 0:
        return ALONG if along and columns == 1 else SAME
    if along and terms >= _LONG and 1 not in {a.inner, b.inner}:
        return ALONG
    if a.inner == 0 and b.inner == 1:
        return SPREAD
    if a.inner == 1 and b.inner == 1:
        return BESIDE
    return ALONG if along and 0 not in {terms, terms - 1} else ANY


_WRITTEN: dict[type, Callable[[Any], list[int]]] = {
    Copy: _copy,
    Gather: _gather,
    Products: _products,
    GatheredProducts: _gathered,
    Take: _take,
    Scatter: _scatter,
}
