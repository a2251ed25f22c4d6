"""Validate a program that was read from a file: it must be one that could have been exported."""

from __future__ import annotations

from collections.abc import Sequence

from scalargrad.compiler.passes.kinds import (
    BATCH,
    CONSTANT,
    ENTRY,
    INPUT,
    PRODUCTS,
    ROW,
    SCATTER,
    TAKE,
    UNBATCH,
    Op,
    OverLanes,
    Scattered,
)
from scalargrad.compiler.passes.partial import Partial
from scalargrad.compiler.passes.program import Program, size_of
from scalargrad.table.operation import Elementwise


def require_sound(program: Program) -> None:
    """Check that every node has operands, and these have lanes, that its operation accepts.

    Machine code checks nothing while it runs.

    Raises
    ------
    ValueError
        If a node cannot be computed.
    """
    sizes: list[int] = []
    for place, (op, args) in enumerate(zip(program.ops, program.args, strict=True)):
        found = [sizes[x] for x in args]
        if not (_has_operands(op, args, program) and _fit(op, args, found, program)):
            raise ValueError(f"node {place}, {op.name}, has operands that it cannot have")
        sizes.append(size_of(op, args, sizes))
    if any(sizes[x] != 1 or _is_row(program.ops[x]) for x in program.outputs):
        raise ValueError("a result is several numbers")
    one = program.one
    if type(one) is not int or (one != -1 and program.constants.get(one) != 1.0):
        raise ValueError("one is not a constant 1")


def _has_operands(op: Op, args: Sequence[int], program: Program) -> bool:
    """Return whether a node has a valid number of operands, and rows only where it reads them."""
    n, rows = len(args), [k for k, x in enumerate(args) if _is_row(program.ops[x])]
    reading: dict[Op, list[int]] = {TAKE: [1], ENTRY: [0]}
    if rows != reading.get(op, []):
        return False
    if isinstance(op, Partial):
        return n == len(op.uses)
    if isinstance(op, Elementwise):
        return n == op.arity
    if op is SCATTER or isinstance(op, Scattered):
        return n > 2 and n % 2 == 1 and _is_place(0.0, program.constants.get(args[0]))
    if op is PRODUCTS or isinstance(op, OverLanes):
        return n > 0 and n % 2 == 0
    suits: dict[Op, bool] = {
        INPUT: n == 0,
        CONSTANT: n == 0,
        BATCH: n > 0,
        UNBATCH: n == 2,
        ROW: n > 0,
        TAKE: n == 2 and program.ops[args[1]] is ROW,
        ENTRY: op is ENTRY and n == 2 and _names_an_entry(args, program),
    }
    return suits.get(op, False)


def _is_row(op: Op) -> bool:
    return op is ROW or op is SCATTER or isinstance(op, Scattered)


def _names_an_entry(args: Sequence[int], program: Program) -> bool:
    """Return whether a row to which pairs are added has an entry at a place."""
    row, place = args
    size = program.constants.get(program.args[row][0])
    return program.ops[row] is not ROW and _is_place(program.constants.get(place), size)


def _is_place(x: float | None, size: float | None) -> bool:
    """Return whether two constants are a whole number and a size that is greater."""
    if x is None or size is None:
        return False
    return x.is_integer() and size.is_integer() and 0 <= x < size


def _fit(op: Op, args: Sequence[int], sizes: Sequence[int], program: Program) -> bool:
    """Return whether the operands of a node have valid numbers of lanes."""
    if op is BATCH or op is SCATTER:
        return all(size == 1 for size in sizes)
    if op is UNBATCH:
        lane = program.constants.get(args[1], -1.0)
        return sizes[1] == 1 and lane.is_integer() and 0 <= lane < sizes[0]
    if isinstance(op, OverLanes):
        paired = sizes[1:] if isinstance(op, Scattered) else sizes
        terms = zip(paired[::2], paired[1::2], strict=True)
        return all(max(term) == op.lanes and {*term} <= {1, op.lanes} for term in terms)
    return len({*sizes} - {1}) <= 1
