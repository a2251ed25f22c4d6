"""Compute the number of a recorded node, when a condition in the function depends on it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING

from scalargrad.compiler.passes.kinds import ADJOINT, CONSTANT, INPUT, ROW, TAKE, UNBATCH
from scalargrad.compiler.passes.nodes import Nodes
from scalargrad.compiler.passes.program import Program
from scalargrad.compiler.trace.columns import Columns
from scalargrad.table.operation import Operation

if TYPE_CHECKING:
    from scalargrad.compiler.trace.trace import Trace

#: Operations whose numbers are computed by a program, with all that they depend on.
_TOGETHER = {ADJOINT, UNBATCH}


def number_of(trace: Trace, node: int) -> float:
    """Return the number of a node."""
    return trace.known[node] if node in trace.known else compute(trace, [node])[0]


def compute(trace: Trace, nodes: Sequence[int]) -> list[float]:
    """Compute the numbers of nodes together, of those with lanes the largest.

    All that they depend on is computed, and cached: or, if derivatives or lanes are among it,
    computed by one program, and `nodes` and these are cached.
    """
    columns, size, known = trace.columns, trace.lanes.size, trace.known
    through = _not_known(trace, nodes)
    apart = [x for x in through if columns.ops[x] in _TOGETHER]
    if not apart and all(size(x) == 1 for x in through):
        for x in through:
            known[x] = known[x] if x in known else _number(columns, known, x)
        return [known[x] for x in nodes]
    asked = [*nodes, *apart]
    found = iter(_run(trace, through, asked))
    numbers = [max(islice(found, size(x))) for x in asked]
    known.update((x, y) for x, y in zip(asked, numbers, strict=True) if size(x) == 1)
    return numbers[: len(nodes)]


def _number(columns: Columns, known: dict[int, float], x: int) -> float:
    """Return the number of a node whose operands are known."""
    op, args = columns.ops[x], columns.args(x)
    if op is CONSTANT:
        return columns.constants[x]
    if op is ROW:
        return math.nan  # which nothing but a lookup reads
    if op is TAKE:
        entries, number = columns.args(args[1]), known[args[0]]
        is_inside = -len(entries) <= number < len(entries)
        return known[entries[int(number)]] if is_inside else math.nan
    assert isinstance(op, Operation)
    return op.of_floats_unchecked(*[known[y] for y in args])


def _not_known(trace: Trace, nodes: Sequence[int]) -> list[int]:
    """Return what nodes depend on, back to known numbers from which no derivative goes on."""
    known, ops, args = trace.known, trace.ops, trace.columns.args
    lowest, found = len(ops), set[int]()
    while True:
        first, found, ahead = lowest, set(nodes), [*nodes]
        while ahead:
            x = ahead.pop()
            if ops[x] is ADJOINT:
                lowest = min(lowest, args(x)[0])
            for y in args(x):
                if y not in found and (y >= first or y not in known):
                    found.add(y)
                    ahead.append(y)
        if lowest == first:
            return sorted(found)


def _run(trace: Trace, through: Sequence[int], nodes: Sequence[int]) -> list[float]:
    """Run the program of the nodes `through`, given the numbers of those that these read."""
    from scalargrad.compiler.runner import runner_for

    columns = trace.columns
    constants, stacked = columns.constants, columns.stacked
    read = {y for x in through for y in columns.args(x)}.difference(through)
    given = [x for x in sorted(read) if x not in constants]
    given += [x for x in through if columns.ops[x] is INPUT]
    others = sorted({*read, *through}.difference(given))
    place = {x: i for i, x in enumerate([*given, *others])}
    ops = [INPUT] * len(given) + [columns.ops[x] for x in others]
    args = [()] * len(given) + [tuple([place[y] for y in columns.args(x)]) for x in others]
    known = {place[x]: constants[x] for x in others if x in constants}
    outputs = [place[x] for x in nodes]
    program = Program(len(given), Nodes.of(ops, args), known, outputs, len(stacked))
    return runner_for(program, once=True)([trace.known[x] for x in given] + stacked.tolist())
