"""Compute the rows of a Jacobian or Hessian as the lanes of one backward sweep.

Each row is a sweep of its own from another root. Where they pass through the same nodes, one sweep
from all roots does, with a lane for each row: its seeds are 1 in the lane of their root and 0
elsewhere. It is written once, not once for each row.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scalargrad.compiler.passes.differentiate import Dependents, differentiate, is_detached
from scalargrad.compiler.passes.kinds import (
    ADJOINT,
    CONSTANT,
    PRODUCTS,
    SCATTER,
    TAKE,
    UNBATCH,
    Held,
    has_lanes,
)
from scalargrad.compiler.passes.program import Program
from scalargrad.ops import div

#: The fewest rows that become lanes, as many as a register of the processor holds.
_LEAST = 8
#: The least share of the derivatives that are not 0 whatever the numbers.
_DENSE = 0.5
#: What may read derivatives: of nan it makes nan, where a comparison would make 0.
_PASS_ON = {ADJOINT, PRODUCTS, div}


def rows_as_lanes(program: Program) -> Program:
    """Return a program, its sums gathered already, with the sweeps of many roots as one.

    Rows most of whose entries are 0, as of states that only neighbours read, stay sweeps of their
    own, and so do those that further derivatives are taken of. An infinite slope in one row makes
    others nan, with which a call is made eagerly: so what reads a derivative must pass nan on.
    """
    if len(_rows(program)) < _LEAST or has_lanes(program.ops) or {TAKE, SCATTER} & {*program.ops}:
        return program
    sweeps = {program.args[row[0]][1:] for row in _rows(program).values()}
    inner = differentiate(program, leaving=sweeps)
    rows = _rows(inner)
    wrt = sorted({inner.args[x][0] for row in rows.values() for x in row})
    below = _below(inner, wrt, [*rows])
    first = min(row[0] for row in rows.values())
    found = sum(x.bit_count() for x in below)
    entries = [x for row in rows.values() for x in row]
    reads = Dependents(inner, entries, beyond=lambda _: False).up_to(len(inner) - 1)
    hides_nan = not {op for op, read in zip(inner.ops, reads, strict=True) if read} <= _PASS_ON
    if hides_nan or found < _DENSE * len(rows) * len(wrt) or max(rows) >= first:
        return inner
    return _joined(inner, rows, wrt, below)


def _rows(program: Program) -> dict[int, list[int]]:
    """Return the derivatives of each single root with seed 1, if no further ones are taken."""
    nodes = program.nodes()
    places, all_args = nodes.places(ADJOINT), nodes.args_with(ADJOINT)
    inner = nodes.needed(x for args in all_args for x in args)
    rows: dict[int, list[int]] = {}
    for node, (_, root, seed, *others) in zip(places, all_args, strict=True):
        if not others and program.constants.get(seed) == 1.0 and not inner[node]:
            rows.setdefault(root, []).append(node)
    return rows


def _below(program: Program, wrt: Sequence[int], roots: Sequence[int]) -> list[int]:
    """Return, for each root, a number with a bit for each node of `wrt` that it depends on."""
    found = [0] * (max(roots) + 1)
    bits = {x: 1 << k for k, x in enumerate(wrt)}
    for node in range(len(found)):
        if not is_detached(program.ops[node]):
            bit = bits.get(node, 0)
            for x in program.args[node]:
                bit |= found[x]
            found[node] = bit
    return [found[root] for root in roots]


def _joined(
    program: Program, rows: dict[int, list[int]], wrt: Sequence[int], below: Sequence[int]
) -> Program:
    """Return the program with one sweep in place of all rows."""
    lanes, first = len(rows), min(row[0] for row in rows.values())
    made = Program(
        program.inputs,
        program.ops[:first],
        program.args[:first],
        {x: number for x, number in program.constants.items() if x < first},
        one=program.one,
        stacked=program.stacked,
    )
    seeds = made.add([Held(row.tobytes()) for row in np.eye(lanes)], [()] * lanes)
    roots = tuple([x for pair in zip(rows, seeds, strict=True) for x in pair])
    swept = made.add([ADJOINT] * len(wrt), [(x, *roots) for x in wrt])
    numbers = made.add([CONSTANT] * lanes, [()] * lanes)
    made.constants |= {x: float(k) for k, x in enumerate(numbers)}
    entry: dict[int, tuple[int, int]] = {}
    place = {x: k for k, x in enumerate(wrt)}
    for lane, row in enumerate(rows.values()):
        entry |= {x: (lane, place[program.args[x][0]]) for x in row}
    new = [*range(first)]
    for node in range(first, len(program)):
        op, args = program.ops[node], tuple([new[x] for x in program.args[node]])
        if node in entry:
            lane, k = entry[node]
            if not below[lane] >> k & 1:  # 0 whatever the numbers
                new.append(numbers[0])
                continue
            op, args = UNBATCH, (swept[k], numbers[lane])
        new.append(len(made))
        made.add([op], [args])
        if node in program.constants:
            made.constants[new[node]] = program.constants[node]
    made.outputs = [new[x] for x in program.outputs]
    return made
