"""Copies of given arrays, whose neighbours lie as lanes need them.

The numbers of a matrix that is given lie along its rows. Lanes along a column would be read one by
one, at each turn of the loops outside.
"""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Iterator, Mapping

from scalargrad.compiler.nests.equations import (
    Access,
    Arg,
    Array,
    Body,
    Index,
    Loop,
    Program,
    Step,
    Var,
    as_index,
    within_loops,
)
from scalargrad.compiler.nests.schedule import ScheduledLoop
from scalargrad.ops import TABLE

#: How often each number is read, on average, of an array that is copied.
OFTEN = 4

#: An array, and the dimension along which lanes read it.
Along = tuple[Array, int]


def packed(
    program: Program, body: Body, fastest: Mapping[Array, int]
) -> tuple[Program, Body, dict[Array, int]]:
    """Return a program and its arranged loops where these read copies, made before.

    Where the neighbours of arrays lie is returned with those of copies.
    """
    reads: Counter[Along] = Counter()
    for step, loops in within_loops(body):
        turns = math.prod(loop.var.extent.bounds()[1] for loop in loops)
        reads.update({found: turns for x in step.args for found in _along_lanes(x, loops)})
    copies = {
        (array, k): Array(f"{array} along {k}", array.shape)
        for (array, k), count in reads.items()
        if count >= OFTEN * math.prod(array.shape)
    }
    if not copies:
        return program, body, {**fastest}
    made: Body = [_copied(array, copy) for (array, _), copy in copies.items()]
    arrays = [*program.arrays, *copies.values()]
    along = {copy: k for (_, k), copy in copies.items()}
    whole = [*made, *_reading(body, (), copies)]
    return Program(arrays, whole), whole, {**fastest, **along}


def _along_lanes(x: Arg, loops: tuple[Loop, ...]) -> Iterator[Along]:
    """Yield a given array with the dimension along which lanes read it, if not the last."""
    if isinstance(x, Access) and x.array.kind == "in" and not x.tables:
        for loop in loops:
            if isinstance(loop, ScheduledLoop) and loop.lanes:
                found = [k for k, i in enumerate(x.indices) if loop.var in i.variables]
                if len(found) == 1 and found[0] < len(x.indices) - 1:
                    yield x.array, found[0]


def _copied(array: Array, copy: Array) -> Loop | Step:
    variables = [Var(f"{copy} {k}", Index(n)) for k, n in enumerate(array.shape)]
    at = tuple(map(as_index, variables))
    item: Loop | Step = Step(Access(copy, at), TABLE["identity"], (Access(array, at),))
    for var in reversed(variables):
        item = ScheduledLoop(var, [item])
    return item


def _reading(body: Body, around: tuple[Loop, ...], copies: Mapping[Along, Array]) -> Body:
    def renamed(x: Arg) -> Arg:
        for found in _along_lanes(x, around):
            if found in copies and isinstance(x, Access):
                return Access(copies[found], x.indices)
        return x

    return [
        dataclasses.replace(x, body=_reading(x.body, (*around, x), copies))
        if isinstance(x, Loop)
        else Step(x.out, x.op, tuple(map(renamed, x.args)), x.how)
        for x in body
    ]
