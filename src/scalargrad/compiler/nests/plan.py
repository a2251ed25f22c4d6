"""Where arrays are while scheduled loops run: in registers, or in memory.

One rule decides: an array may be in a register where one step writes it and all who read it name
the cell by the same indices, within the turn of the loops that decides which cell it is. All others
are in memory.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scalargrad.compiler.nests.equations import (
    ADD,
    MAX,
    SET,
    Access,
    Array,
    Body,
    Loop,
    Program,
    Step,
    within_loops,
)


@dataclass(frozen=True)
class Plan:
    """Where arrays are.

    Attributes
    ----------
    registers : dict
        For each array in a register, the loops around the body that it belongs to.
    offsets : dict
        For each array in memory, its first cell; its other cells follow.
    orders : dict
        For each array in memory, its dimensions, of which the last is the fastest.
    first : dict
        What the cells of arrays hold that steps do not just set: 0, or -∞ for a largest.
    cells : int
        The length of memory.
    """

    registers: dict[Array, tuple[Loop, ...]]
    offsets: dict[Array, int]
    orders: dict[Array, tuple[int, ...]]
    first: dict[Array, float]
    cells: int

    def starts(self, loops: tuple[Loop, ...]) -> list[Array]:
        """Return the arrays whose registers begin in a body, with what `first` says."""
        return [a for a, home in self.registers.items() if home == loops and a in self.first]


@dataclass(frozen=True)
class _Use:
    step: Step
    access: Access
    loops: tuple[Loop, ...]


def plan(program: Program, body: Body) -> Plan:
    """Return where the arrays of a program are while `body`, its loops in order, runs."""
    writers: dict[Array, list[_Use]] = {}
    readers: dict[Array, list[_Use]] = {}
    for step, loops in within_loops(body):
        writers.setdefault(step.out.array, []).append(_Use(step, step.out, loops))
        for access in step.reads():
            readers.setdefault(access.array, []).append(_Use(step, access, loops))
        for loop in loops:
            via = loop.var.extent.via
            if via:
                readers.setdefault(via.array, []).append(_Use(step, via, loops))
    registers = {}
    offsets: dict[Array, int] = {}
    orders: dict[Array, tuple[int, ...]] = {}
    first: dict[Array, float] = {}
    cells = 0
    for array in program.arrays:
        writing, reading = writers.get(array, []), readers.get(array, [])
        home = _home(array, writing, reading)
        if home is not None:
            registers[array] = home
        else:
            offsets[array] = cells
            orders[array] = _order(array, [*writing, *reading])
            cells += math.prod(array.shape)
        how = writing[0].step.how if writing else SET
        if how != SET or (home is None and array.kind in {"temp", "out"}):
            first[array] = -math.inf if how == MAX else 0.0
    return Plan(registers, offsets, orders, first, cells)


def _home(
    array: Array, writing: Sequence[_Use], reading: Sequence[_Use]
) -> tuple[Loop, ...] | None:
    """Return the loops of the body that an array in a register belongs to; None for memory."""
    if array.kind != "temp" or len(writing) != 1:
        return None
    step, loops = writing[0].step, writing[0].loops
    decide = step.out.variables
    depth = len(loops)
    if step.how in {ADD, MAX}:
        depth = max((k + 1 for k, loop in enumerate(loops) if loop.var in decide), default=0)
    home = loops[:depth]
    alike = all(use.access == step.out and use.loops[:depth] == home for use in reading)
    is_home = {loop.var for loop in home} == decide and not list(step.out.tables())
    return home if alike and is_home else None


def _order(array: Array, uses: Sequence[_Use]) -> tuple[int, ...]:
    """Return the dimensions of an array, that last along which innermost loops mostly run."""
    order = tuple(range(len(array.shape)))
    if array.kind not in {"const", "temp"} or len(order) < 2:
        return order
    votes = dict.fromkeys(reversed(order), 0)
    for use in uses:
        if use.loops:
            turns = math.prod(max(loop.var.extent.bounds()[1], 0) for loop in use.loops)
            for k, index in enumerate(use.access.indices):
                votes[k] += turns * (dict(index.terms).get(use.loops[-1].var) in {1, -1})
    last = max(votes, key=lambda k: votes[k])
    return (*(k for k in order if k != last), last)
