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

#: The fewest rows that become lanes.
_LEAST = 4
#: The least share of the nodes of all sweeps together that a sweep passes, on average.
_SHARED = 0.25
#: What may read derivatives: of nan it makes nan, where a comparison would make 0.
_PASS_ON = {ADJOINT, PRODUCTS, div}


def rows_as_lanes(program: Program) -> Program:
    """Return a program, its sums gathered already, with the sweeps of many roots as one.

    Rows that share few nodes, as of residuals or of states that only neighbours read, stay sweeps
    of their own, and so do those that further derivatives are taken of. An infinite slope in one
    row makes others nan, with which a call is made eagerly: so what reads a derivative must pass
    nan on.
    """
    rows = _rows(program)
    if len(rows) < _LEAST or has_lanes(program.ops) or {TAKE, SCATTER} & {*program.ops}:
        return program
    sweeps = {program.args[row[0]][1:] for row in rows.values()}
    inner = differentiate(program, leaving=sweeps)
    rows = _rows(inner)
    if len(rows) < _LEAST:  # others have become constants, or equal ones
        return inner
    wrt = sorted({inner.args[x][0] for row in rows.values() for x in row})
    passed = _passed(inner, wrt, [*rows])
    first = min(row[0] for row in rows.values())
    found = sum(x.bit_count() for x in passed.values())
    entries = [x for row in rows.values() for x in row]
    reads = Dependents(inner, entries, beyond=lambda _: False).up_to(len(inner) - 1)
    hides_nan = not {op for op, read in zip(inner.ops, reads, strict=True) if read} <= _PASS_ON
    if hides_nan or found < _SHARED * len(rows) * len(passed) or max(rows) >= first:
        return inner
    return _joined(inner, rows, wrt, passed)


def _rows(program: Program) -> dict[int, list[int]]:
    """Return the derivatives of each single root with seed 1, if no further ones are taken.

    Of fewer roots than can become lanes there is none: most programs have one.
    """
    both = zip(program.ops, program.args, strict=True)
    if len({args[1] for op, args in both if op is ADJOINT}) < _LEAST:
        return {}
    nodes = program.nodes()
    places, all_args = nodes.places(ADJOINT), nodes.args_with(ADJOINT)
    inner = nodes.needed(x for args in all_args for x in args)
    rows: dict[int, list[int]] = {}
    for node, (_, root, seed, *others) in zip(places, all_args, strict=True):
        if not others and program.constants.get(seed) == 1.0 and not inner[node]:
            rows.setdefault(root, []).append(node)
    return rows


def _passed(program: Program, wrt: Sequence[int], roots: Sequence[int]) -> dict[int, int]:
    """Return, for each node that sweeps pass, a number with a bit for each root they start at."""
    top = max(roots)
    moving = Dependents(program, wrt, beyond=is_detached).up_to(top)
    found = [0] * (top + 1)
    for k, root in enumerate(roots):
        found[root] |= 1 << k
    for node in range(top, -1, -1):
        if found[node] and moving[node] and not is_detached(program.ops[node]):
            for x in program.args[node]:
                found[x] |= found[node]
    return {node: bits for node, bits in enumerate(found) if bits and moving[node]}


def _joined(
    program: Program, rows: dict[int, list[int]], wrt: Sequence[int], passed: dict[int, int]
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
            if not passed.get(wrt[k], 0) >> lane & 1:  # 0 whatever the numbers
                new.append(numbers[0])
                continue
            op, args = UNBATCH, (swept[k], numbers[lane])
        new.append(len(made))
        made.add([op], [args])
        if node in program.constants:
            made.constants[new[node]] = program.constants[node]
    made.outputs = [new[x] for x in program.outputs]
    return made
