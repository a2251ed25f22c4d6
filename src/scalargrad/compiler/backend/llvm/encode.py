"""Choose the compiled function that executes an instruction, and encode its arguments.

Functions are compiled for the kind of an instruction. Counts and addresses are not part of the
code; the function reads them from a table. Instructions of one kind therefore share a function,
across programs too, and a longer list needs no new code.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from scalargrad.compiler.array_types import Addresses
from scalargrad.compiler.backend.llvm.emitter import WIDTH
from scalargrad.compiler.backend.llvm.instruction_functions import (
    write_apply,
    write_gather,
    write_products,
    write_scatter,
    write_take,
)
from scalargrad.compiler.backend.llvm.operations import width_of
from scalargrad.compiler.packing.instructions import (
    Apply,
    Gather,
    Instruction,
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


def _apply(instruction: Apply) -> tuple[Kind, Iterable[int]]:
    op, out, lanes, operands = instruction
    width = width_of(op, lanes)  # type: ignore[arg-type]
    return (write_apply, (op, len(operands), width)), [out, lanes, *operands]


def _gather(instruction: Gather) -> tuple[Kind, Iterable[int]]:
    out, sources = instruction
    return (write_gather, ()), [out, len(sources), *sources.tolist()]


def _take(instruction: Take) -> tuple[Kind, Addresses]:
    out, *tables = instruction
    head = [out, len(tables[0])]
    return (write_take, ()), np.concatenate([head, np.stack(tables, axis=1).ravel()])


def _scatter(instruction: Scatter) -> tuple[Kind, Addresses]:
    """Return the fields of a scatter: row by row its start and size, then its terms."""
    out, start, size, index, values = instruction
    pairs = np.stack([index, values], axis=2).reshape(len(start), -1)
    rows = np.concatenate([start[:, None], size[:, None], pairs], axis=1)
    head = [out, int(size.sum()), *index.shape]
    return (write_scatter, ()), np.concatenate([head, rows.ravel()])


def _products(instruction: Products) -> tuple[Kind, Addresses]:
    """Return the fields of sums: in groups of lanes, term by term; of a long sum by class."""
    out, start, a, b = instruction
    lanes, terms = a.shape
    width = WIDTH if lanes > 2 else 1
    order = [range(terms)]
    if terms > SEQUENTIAL:
        order = [range(c, terms, CLASSES) for c in range(CLASSES)]
    sorted_terms = [t for part in order for t in part]
    parts = [_in_groups(x, width) for x in (start[:, None], a[:, sorted_terms], b[:, sorted_terms])]
    groups = len(parts[0].table)
    before = [x.table for x in parts if x.side == "next"]
    pairs = [x.table for x in parts[1:] if x.side != "next"]
    listed = [parts[0].table, *before, *([np.concatenate(pairs, axis=2)] if pairs else [])]
    table = np.concatenate([x.reshape(groups, -1) for x in listed], axis=1)
    head = [out, lanes, len(order), *map(len, order)]
    kind = write_products, (width, terms > SEQUENTIAL, tuple([x.side for x in parts]))
    return kind, np.concatenate([head, table.ravel()])


class _Side(NamedTuple):
    """How groups of lanes read starts or factors, and the addresses they need to be told."""

    side: str
    table: Addresses


def _in_groups(addresses: Addresses, width: int) -> _Side:
    """Return how groups of lanes read cells, lanes × terms.

    Their table is groups × terms × 1 where the lanes of each group read one cell at each term, or a
    row of cells; groups × 1 × width where each lane reads cell after cell; else groups × terms ×
    width.
    """
    lanes, terms = addresses.shape
    padded = np.concatenate([addresses, np.repeat(addresses[-1:], -lanes % width, axis=0)])
    groups = padded.reshape(-1, width, terms).transpose(0, 2, 1)
    if (groups == groups[..., :1]).all():
        return _Side("one", groups[..., :1])
    if (groups == groups[..., :1] + np.arange(width)).all():
        return _Side("row", groups[..., :1])
    if 1 < terms <= SEQUENTIAL and (np.diff(groups, axis=1) == 1).all():
        return _Side("next", groups[:, :1])
    return _Side("any", groups)


#: For each kind of instruction, what returns the kind of its function, and its table.
_ENCODERS: dict[type, Callable[[Any], tuple[Kind, Any]]] = {
    Apply: _apply,
    Gather: _gather,
    Products: _products,
    Take: _take,
    Scatter: _scatter,
}
