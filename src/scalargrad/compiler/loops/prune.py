"""Remove dead code from loops: steps and cells that no output depends on."""

from __future__ import annotations

from itertools import chain

import numpy as np

from scalargrad.compiler.array_types import Flags
from scalargrad.compiler.loops.loop import (
    CarriedOver,
    Carry,
    Clear,
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
    while True:
        for step, needed in zip(loop.steps, alive, strict=True):
            if needed and isinstance(step, Read):
                read[cells_of(step.place, loop.count)] = True
        for carry in _kept_carries(loop, alive):
            if carry.start is not None:
                read[carry.start] = True
        again = _alive(loop, read)
        if again == alive:
            break
        alive = again
    totals = [x for x in loop.totals if read[x.cell]]
    for total in totals:
        read[total.start] = True
    if not any(alive):
        return None
    new: list[int] = (np.cumsum(alive) - 1).tolist()
    carries = _kept_carries(loop, alive)
    number = {k: i for i, k in enumerate(_carried(loop, alive))}
    return Loop(
        loop.count,
        loop.lanes,
        loop.down,
        [_moved(x, new, number) for x, a in zip(loop.steps, alive, strict=True) if a],
        [Carry(x.start, new[x.register], x.onto) for x in carries],
        [x.renamed(new) for x in totals],
        loop.is_fused,
    )


def _carried(loop: Loop, alive: list[bool]) -> list[int]:
    """Return the indices of the carries that are needed, by live steps or after the loop."""
    found = {
        x.carry for x, a in zip(loop.steps, alive, strict=True) if a and isinstance(x, CarriedOver)
    }
    return sorted(found)


def _kept_carries(loop: Loop, alive: list[bool]) -> list[Carry]:
    return [loop.carries[k] for k in _carried(loop, alive)]


def _alive(loop: Loop, read: Flags) -> list[bool]:
    """Return which steps are live, given the cells that later loops read."""
    alive = [
        isinstance(x, Write | Increase) and bool(read[cells_of(x.place, loop.count)].any())
        for x in loop.steps
    ]
    for total in loop.totals:
        if read[total.cell]:
            for register in chain.from_iterable(total.terms):
                alive[register] = True
    onto = {k for k, x in enumerate(loop.carries) if x.onto is not None and read[x.onto]}
    for k, x in enumerate(loop.steps):
        if isinstance(x, CarriedOver) and x.carry in onto:
            alive[k] = True
    changed = True
    while changed:
        changed = False
        for k in range(len(loop.steps) - 1, -1, -1):
            for operand in _operands(loop, loop.steps[k]) if alive[k] else ():
                if not alive[operand]:
                    alive[operand] = changed = True
    return alive


def _operands(loop: Loop, step: Step) -> tuple[int, ...]:
    if isinstance(step, CarriedOver):
        return (loop.carries[step.carry].register,)
    return registers_read(step)


def _moved(step: Step, new: list[int], carries: dict[int, int]) -> Step:
    if isinstance(step, CarriedOver):
        return CarriedOver(carries[step.carry])
    return renumbered(step, new)
