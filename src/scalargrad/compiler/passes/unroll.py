"""Unroll lanes: each number of an example becomes a node of its own, as in a loop over examples.

Examples that no loops of nests compute run so, such as those with a user's own operation.
"""

from __future__ import annotations

import math

import numpy as np

from scalargrad.compiler.passes.kinds import (
    ADJOINT,
    BATCH,
    CONSTANT,
    ROW,
    TAKE,
    UNBATCH,
    Held,
    Stacked,
    Total,
)
from scalargrad.compiler.passes.program import Program, Writer
from scalargrad.ops import add, eq, lt, mul, where


def unrolled(program: Program) -> Program:
    """Return a recorded program without lanes; whole arrays are inputs, after the others.

    The lanes of an output are outputs in order.
    """
    made = _Unrolled(program, program.given)
    lanes = made.lanes
    lanes += [[k] for k in range(program.inputs)]
    for node in range(program.inputs, len(program)):
        op, args = program.ops[node], program.args[node]
        if op is CONSTANT:
            lanes.append([made.constant(program.constants[node])])
        elif op is BATCH:
            lanes.append([lanes[x][0] for x in args])
        elif op is UNBATCH:
            of = lanes[args[0]]
            lanes.append([of[int(program.constants[args[1]]) if len(of) > 1 else 0]])
        elif isinstance(op, Held):
            lanes.append([made.constant(float(x)) for x in op.numbers])
        elif isinstance(op, Stacked):
            first, step = (int(program.constants[x]) for x in args)
            lanes.append([program.inputs + first + step * k for k in range(op.lanes)])
        elif isinstance(op, Total):
            lanes.append([made.total(args)])
        else:
            lanes.append([made.write(op, row) for row in made.rows(args)])
    return made.program([x for node in program.outputs for x in lanes[node]])


def lookups_recur(program: Program) -> bool:
    """Return whether a lookup depends on another in as large a table: no one loop makes both."""
    nodes = program.nodes()
    if TAKE not in nodes.table:
        return False
    nodes = nodes.cut_off(nodes.where(lambda op: op is ADJOINT))
    groups: dict[int, list[int]] = {}  # by the size of tables
    for x in nodes.places(TAKE):
        groups.setdefault(len(nodes.args_of(nodes.args_of(x)[1])), []).append(x)
    for group in groups.values():
        on = np.zeros(len(nodes), np.bool_)
        on[group] = True
        later = nodes.depending(on)
        if any(later[y] for x in group for y in nodes.args_of(x)):
            return True
    return False


def with_choices(program: Program) -> Program:
    """Return a program with each lookup written as a choice among the entries."""
    if TAKE not in program.ops:
        return program
    copy = Writer(program, program.inputs, program.stacked)
    copy.new.update(zip(range(program.inputs), range(program.inputs), strict=True))
    for node in range(program.inputs, len(program)):
        op, args = program.ops[node], program.args[node]
        if op is TAKE:
            entries = [copy.operand(x) for x in program.args[args[1]]]
            copy.new[node] = select_entry(copy, copy.operand(args[0]), entries)
        elif op is not ROW and node not in program.constants:
            copy.copy(node)
    return copy.program([copy.operand(x) for x in program.outputs])


def select_entry(copy: Writer, index: int, entries: list[int]) -> int:
    """Write the entry at an index, which counts from the end if it is negative."""
    after = copy.write(add, (index, copy.constant(float(len(entries)))))
    place = copy.write(where, (copy.write(lt, (index, copy.constant(0.0))), after, index))
    found = copy.constant(math.nan)
    for k, entry in enumerate(entries):
        found = copy.write(where, (copy.write(eq, (place, copy.constant(float(k)))), entry, found))
    return found


class _Unrolled(Writer):
    """The program that is written; `lanes` has the new nodes of each old one."""

    def __init__(self, source: Program, inputs: int) -> None:
        super().__init__(source, inputs)
        self.lanes: list[list[int]] = []

    def rows(self, args: tuple[int, ...]) -> list[tuple[int, ...]]:
        """Return the operands of each lane."""
        found = [self.lanes[x] for x in args]
        count = max(map(len, found), default=1)
        return [tuple([x[k] if len(x) > 1 else x[0] for x in found]) for k in range(count)]

    def total(self, args: tuple[int, ...]) -> int:
        """Write a sum of products over lanes."""
        terms = [self.write(mul, row) for row in self.rows(args)]
        found = terms[0]
        for x in terms[1:]:
            found = self.write(add, (found, x))
        return found
