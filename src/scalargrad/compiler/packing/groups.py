"""Group the nodes that are computed by the same operation from nodes of the same groups.

A Python loop over samples records the same expression for each of them, with different inputs.
Grouping turns each node of the expression into one instruction with a lane per sample.

The terms of long sums are put in order first, those together whose factors are computed alike: the
signals from a gate of all units, say, and then those from another.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import Any, NamedTuple

from scalargrad.compiler.passes.kinds import CONSTANT, INPUT, PRODUCTS, Op
from scalargrad.compiler.passes.program import Program

#: Sums of at most this many terms keep the order in which they were written.
_FEW = 8


class LaneGroup(NamedTuple):
    """Nodes that become the lanes of one instruction.

    Attributes
    ----------
    op : Op
        How each node is computed.
    depth : int
        The length of the longest path from an input, greater than that of any operand.
    nodes : list of int
        The nodes, in the order in which they were recorded.
    operands : tuple of int
        The indices of the groups of the operands; in their order, if they are those of each node.
    """

    op: Op
    depth: int
    nodes: list[int]
    operands: tuple[int, ...] = ()


INPUTS, CONSTANTS = 0, 1


class Grouped(NamedTuple):
    """The groups of a program.

    Attributes
    ----------
    groups : list of LaneGroup
        Operands before results; the first two, of inputs and constants, are left empty.
    numbers : list of int
        For each node, the index of its group.
    program : Program
        The program, with the terms of long sums in order.
    """

    groups: list[LaneGroup]
    numbers: list[int]
    program: Program


def group(program: Program) -> Grouped:
    """Group the nodes of a program.

    All inputs form one group and all constants another. Data recorded as constants thus packs as
    well as data passed as arguments.
    """
    groups = [LaneGroup(PRODUCTS, 0, []), LaneGroup(PRODUCTS, 0, [])]
    numbers = [INPUTS] * program.inputs
    known: dict[object, tuple[int, list[int] | None]] = {}
    canonical: dict[object, int] = {}
    find, first = numbers.__getitem__, program.inputs
    members = [x.nodes for x in groups]
    moved: dict[int, tuple[int, ...]] = {}
    rows = islice(zip(program.ops, program.args, strict=True), first, None)
    for node, (op, args) in enumerate(rows, first):
        if op is CONSTANT or op is INPUT:
            numbers.append(CONSTANTS if op is CONSTANT else INPUTS)
            continue
        shape: tuple[Any, ...] = (op, *map(find, args))
        found = known.get(shape)
        if found is None:
            key, order = _canonical(shape)
            number = canonical.setdefault(key, len(groups))
            found = known[shape] = number, order
            if number == len(groups):
                depth = 1 + max([groups[x].depth for x in shape[1:]], default=0)
                members.append([])
                groups.append(LaneGroup(op, depth, members[-1], shape[1:]))
        number, order = found
        if order is not None:
            moved[node] = tuple([x for k in order for x in args[2 * k : 2 * k + 2]])
        members[number].append(node)
        numbers.append(number)
    if moved:
        program = replace(program, args=[moved.get(k, x) for k, x in enumerate(program.args)])
    return Grouped(groups, numbers, program)


def _canonical(shape: tuple[object, ...]) -> tuple[tuple[object, ...], list[int] | None]:
    """Return the key of a shape, and the order of its terms: of a sum, equal for equal terms."""
    if shape[0] is not PRODUCTS:
        return shape, None
    key = _sorted_pairs(shape)
    order = _order(key)
    return (key if order is None else (key[0], *[key[1 + k] for k in order])), order


def _order(key: tuple[object, ...]) -> list[int] | None:
    """Return the order of the terms of a sum that has those of one kind together, the first first.

    None if they are few, or in order. The key is the operation and a pair of groups for each term.
    """
    if len(key) <= _FEW + 1:
        return None
    pairs = key[1:]
    first = {pair: k for k, pair in reversed([*enumerate(pairs)])}
    order = sorted(range(len(pairs)), key=lambda k: first[pairs[k]])
    return None if order == [*range(len(pairs))] else order


def _sorted_pairs(shape: tuple[object, ...]) -> tuple[object, ...]:
    """Return the shape of a sum with the factors of each term sorted, the same for any order."""
    if len(shape) == 3:  # fast, as a chain of a million nodes has a million such shapes
        op, a, b = shape
        return (op, b, a) if a > b else shape  # type: ignore[operator]
    pairs = zip(shape[1::2], shape[2::2], strict=True)
    return (shape[0], *(tuple(sorted(pair)) for pair in pairs))  # type: ignore[type-var]
