"""Tidy loops: remove dead steps and cells, and fuse products of backward loops with their sums.

Forward loops fuse as they are written (`forward`), by what was recorded alone: a value thus has the
same digits with a gradient and without.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import chain, compress

import numpy as np

from scalargrad.compiler.array_types import Flags
from scalargrad.compiler.loops.loop import (
    CarriedOver,
    Clear,
    Compute,
    Fused,
    Increase,
    Loop,
    Looped,
    Read,
    Step,
    Write,
    cells_of,
    registers_read,
    renumbered,
)
from scalargrad.ops import add, mul, neg, sub


def tidy(program: Looped) -> None:
    """Remove what no output depends on, and write fused multiply-adds, in place."""
    prune(program)
    for loop in program.loops:
        if isinstance(loop, Loop) and not loop.is_fused:
            fuse(loop)
    prune(program)


def prune(program: Looped) -> None:
    """Remove steps whose registers and cells are never read, and loops left empty, in place."""
    read = np.zeros(program.cells, np.bool_)
    read[program.outputs] = True
    kept: list[Loop | Clear] = []
    for loop in reversed(program.loops):
        if isinstance(loop, Clear):
            if read[loop.start : loop.start + loop.size].any():
                kept.append(loop)
        elif (found := _pruned(loop, read)) is not None:
            kept.append(found)
    program.loops = kept[::-1]


def _pruned(loop: Loop, read: Flags) -> Loop | None:
    """Return a loop without dead steps, and set `read` for its reads; None if nothing is left."""
    alive = _alive(loop, read)
    totals = [x for x in loop.totals if read[x.cell]]
    for total in totals:
        read[total.start] = True
    if not any(alive):
        return None
    new: list[int] = (np.cumsum(alive) - 1).tolist()
    steps = [*compress(loop.steps, alive)]
    carried = sorted({x.carry for x in steps if isinstance(x, CarriedOver)})
    kept = [loop.carries[k] for k in carried]
    return replace(
        loop,
        steps=[
            CarriedOver(carried.index(x.carry))
            if isinstance(x, CarriedOver)
            else renumbered(x, new)
            for x in steps
        ],
        carries=[x._replace(register=new[x.register]) for x in kept],
        totals=[x.renamed(new) for x in totals],
    )


def _alive(loop: Loop, read: Flags) -> list[bool]:
    """Return which steps are live, given the cells that are read; set `read` for theirs."""
    alive, wanted = [False] * len(loop.steps), set[int]()
    found = -1
    while found < (found := sum(alive)):
        for total in loop.totals:
            if read[total.cell]:
                wanted.update(chain.from_iterable(total.terms))
        for k in range(len(loop.steps) - 1, -1, -1):
            step = loop.steps[k]
            if alive[k] or not (k in wanted or _is_asked(loop, step, read)):
                continue
            alive[k] = True
            wanted.update(registers_read(step))
            if isinstance(step, Read):
                read[cells_of(step.place, loop.count)] = True
            elif isinstance(step, CarriedOver):
                start, register, _ = loop.carries[step.carry]
                wanted.add(register)
                if start is not None:
                    read[start] = True
    return alive


def _is_asked(loop: Loop, step: Step, read: Flags) -> bool:
    """Return whether a step leaves something in a cell that is read."""
    if isinstance(step, CarriedOver):
        onto = loop.carries[step.carry].onto
        return onto is not None and bool(read[onto])
    return isinstance(step, Write | Increase) and bool(read[cells_of(step.place, loop.count)].any())


def fuse(loop: Loop) -> None:
    """Write a·b + c, c - a·b and a·b - c as one step where nothing else reads the product.

    The product itself is left in place, unused; `prune` removes it.
    """
    uses = _uses(loop)
    made: list[Step] = []
    new: list[int] = []

    def product(register: int) -> tuple[int, ...] | None:
        step = loop.steps[register]
        alone = isinstance(step, Compute) and step.op is mul and uses[register] == 1
        return step.operands if alone else None  # type: ignore[union-attr]

    def negative(register: int) -> int:
        made.append(Compute(neg, (register,)))
        return len(made) - 1

    for step in loop.steps:
        found = renumbered(step, new)
        if isinstance(step, Compute) and step.op in {add, sub}:
            x, y = step.operands
            if (factors := product(y)) is not None:
                a, b = (new[k] for k in factors)
                found = Fused((negative(a) if step.op is sub else a, b, new[x]))
            elif (factors := product(x)) is not None:
                a, b = (new[k] for k in factors)
                found = Fused((a, b, negative(new[y]) if step.op is sub else new[y]))
        made.append(found)
        new.append(len(made) - 1)
    loop.steps = made
    loop.carries = [carry._replace(register=new[carry.register]) for carry in loop.carries]
    loop.totals = [
        total._replace(
            terms=tuple([product(t[0]) or t if len(t) == 1 else t for t in total.terms])
        ).renamed(new)
        for total in loop.totals
    ]


def _uses(loop: Loop) -> Counter[int]:
    """Return how often each register is read."""
    uses = Counter(x.register for x in loop.carries)
    uses.update(x for total in loop.totals for term in total.terms for x in term)
    uses.update(x for step in loop.steps for x in registers_read(step))
    return uses
