"""Group the nodes that are computed by the same operation from nodes of the same groups.

A Python loop over samples records the same expression for each of them, with different inputs.
Grouping turns each node of the expression into one instruction with a lane per sample.
"""

from __future__ import annotations

from typing import NamedTuple

from scalargrad.compiler.passes.kinds import CONSTANT, PRODUCTS, Op, Total
from scalargrad.compiler.passes.program import Program


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
    """

    op: Op
    depth: int
    nodes: list[int]


INPUTS, CONSTANTS = 0, 1


def group(program: Program) -> tuple[list[LaneGroup], list[int]]:
    """Return the groups, operands before results, and the number of each node's group.

    All inputs form one group and all constants another. Data recorded as constants thus packs as
    well as data passed as arguments.

    Returns
    -------
    groups : list of LaneGroup
        The first two, of inputs and constants, are left empty.
    numbers : list of int
        For each node, the index of its group.
    """
    groups = [LaneGroup(PRODUCTS, 0, []), LaneGroup(PRODUCTS, 0, [])]
    numbers = [INPUTS] * program.inputs
    by_shape: dict[object, int] = {}
    canonical: dict[object, int] = {}
    find, first = numbers.__getitem__, program.inputs
    members = [x.nodes for x in groups]
    rows = zip(program.ops[first:], program.args[first:], strict=True)
    for node, (op, args) in enumerate(rows, first):
        if op is CONSTANT:
            numbers.append(CONSTANTS)
            continue
        shape = (op, *map(find, args))
        number = by_shape.get(shape)
        if number is None:
            key = _sorted_pairs(shape) if op is PRODUCTS or isinstance(op, Total) else shape
            number = by_shape[shape] = canonical.setdefault(key, len(groups))
            if number == len(groups):
                depth = 1 + max([groups[x].depth for x in shape[1:]], default=0)  # type: ignore[index]
                members.append([])
                groups.append(LaneGroup(op, depth, members[-1]))
        members[number].append(node)
        numbers.append(number)
    return groups, numbers


def _sorted_pairs(shape: tuple[object, ...]) -> tuple[object, ...]:
    """Return the shape of a sum with the factors of each term sorted, the same for any order."""
    if len(shape) == 3:  # fast, as a chain of a million nodes has a million such shapes
        op, a, b = shape
        return (op, b, a) if a > b else shape  # type: ignore[operator]
    pairs = zip(shape[1::2], shape[2::2], strict=True)
    return (shape[0], *(tuple(sorted(pair)) for pair in pairs))  # type: ignore[type-var]
