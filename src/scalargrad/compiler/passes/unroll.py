"""Expand vectorized programs: one node for each lane, and one select for each gathered entry.

`unrolled` is the fallback for programs of vmap that cannot be compiled as a loop nest, such as
those with a custom operation. `with_choices` replaces gathers by selects. A product of two
examples with one number:

>>> from scalargrad.compiler.passes.kinds import INPUT
>>> from scalargrad.compiler.passes.nodes import Nodes
>>> nodes = Nodes.of([INPUT, INPUT, INPUT, BATCH, mul], [(), (), (), (0, 1), (3, 2)])
>>> program = Program(inputs=3, nodes=nodes, constants={}, outputs=[4])
>>> print(program)
%0 = input
%1 = input
%2 = input
%3 = batch(%0, %1)    2 lanes
%4 = mul(%3, %2)    2 lanes  ←
>>> print(unrolled(program))
%0 = input
%1 = input
%2 = input
%3 = mul(%0, %2)  ←
%4 = mul(%1, %2)  ←
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
    """Return a program without lanes.

    The elements of array arguments become inputs after the present ones. Each output becomes as
    many consecutive outputs as it has lanes.
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
    """Return True if a gather depends on another from a row of equal length.

    One loop cannot compute both.
    """
    nodes = program.nodes()
    if TAKE not in nodes.table:
        return False
    nodes = nodes.cut_off(nodes.where(lambda op: op is ADJOINT))
    groups: dict[int, list[int]] = {}  # gathers by the length of their row
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
    """Return a program in which each gather is a chain of selects, one for each entry."""
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
    """Append selects for the entry at an index; a negative index counts from the end.

    An index out of range selects nan.
    """
    after = copy.write(add, (index, copy.constant(float(len(entries)))))
    place = copy.write(where, (copy.write(lt, (index, copy.constant(0.0))), after, index))
    found = copy.constant(math.nan)
    for k, entry in enumerate(entries):
        found = copy.write(where, (copy.write(eq, (place, copy.constant(float(k)))), entry, found))
    return found


class _Unrolled(Writer):
    """Builder of the expanded program; `lanes` has the new nodes of each old node."""

    def __init__(self, source: Program, inputs: int) -> None:
        super().__init__(source, inputs)
        self.lanes: list[list[int]] = []

    def rows(self, args: tuple[int, ...]) -> list[tuple[int, ...]]:
        """Return the operands of a node, for each lane."""
        found = [self.lanes[x] for x in args]
        count = max(map(len, found), default=1)
        return [tuple([x[k] if len(x) > 1 else x[0] for x in found]) for k in range(count)]

    def total(self, args: tuple[int, ...]) -> int:
        """Append the sum of products over lanes, in order."""
        terms = [self.write(mul, row) for row in self.rows(args)]
        found = terms[0]
        for x in terms[1:]:
            found = self.write(add, (found, x))
        return found
