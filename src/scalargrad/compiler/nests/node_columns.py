"""The nodes of a program as columns (arrays), in which loops are looked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scalargrad.compiler.array_types import Floats, Integers
from scalargrad.compiler.passes.kinds import ADJOINT, CONSTANT, UNBATCH, Kind, Op, has_lanes
from scalargrad.compiler.passes.nodes import (
    Nodes,
    alike,
    entries,
    numbers_of,
    starts,
    stretches,
)
from scalargrad.compiler.passes.program import Program
from scalargrad.ops import TABLE
from scalargrad.system.cached_property import cached_property

#: Kinds of operands: computed by another node, given (an input or a gradient), or a constant.
COMPUTED, GIVEN, NUMBER = 0, 1, 2

_IDENTITY = TABLE["identity"]
#: A code has a digit for the kind of each of so many operands.
MOST_OPERANDS = 32
_DIGITS = 3 ** np.arange(MOST_OPERANDS + 1)


@dataclass(frozen=True)
class NodeColumns:
    """The computed nodes of a program: first those before its gradients, then those after.

    A node's place is its index in `nodes`, as against its number in the program.

    Attributes
    ----------
    written : Nodes
        All nodes of the program.
    nodes : integers
        The numbers of the computed nodes.
    first : integers, one more than nodes
        Where the operands of each node begin in `operands`, `kinds` and `places`.
    operands, kinds : integers
        The number of each operand in the program, and its kind.
    places : integers
        The place of each computed operand, the number of any other.
    levels : integers
        For each node of the program, 0 if it depends on no gradient; k, if on one of what has
        k - 1, or is that.
    bounds : sequence of int
        How many nodes depend on no gradient, then how many on gradients of these at most, and so
        on.
    sizes : integers
        How many lanes each node of the program has, 1 for a single number.
    table : list of Op
        The operations, once for each number of lanes.
    operations : integers
        For each computed node, the index of its operation and number of lanes in `table`.
    same : integers
        For each node of the program, itself, or the input that it is a copy of.
    """

    program: Program
    written: Nodes
    nodes: Integers
    first: Integers
    operands: Integers
    kinds: NDArray[np.int8]
    places: Integers
    levels: NDArray[np.uint8]
    bounds: list[int]
    sizes: Integers
    table: list[Op]
    operations: Integers
    same: Integers

    def __len__(self) -> int:
        return len(self.nodes)

    @cached_property
    def numbers(self) -> Floats:
        """The number of each constant of the program, by node."""
        return numbers_of(self.program.constants, len(self.program))

    @cached_property
    def lanes(self) -> dict[int, tuple[int, int]]:
        """The nodes that are single lanes, each with the node that it is of, and which lane."""
        nodes = self.written.places(UNBATCH)
        of, which = np.array(self.written.args_with(UNBATCH), np.int64).reshape(-1, 2).T
        pairs = zip(of.tolist(), self.numbers[which].astype(np.int64).tolist(), strict=True)
        return dict(zip(nodes, pairs, strict=True))


def distinct(numbers: Integers) -> Integers:
    """Return the distinct numbers in order; `numpy.unique` would import `numpy.ma`."""
    ordered = np.sort(numbers)
    found: Integers = ordered[np.diff(ordered, prepend=ordered[:1] - 1) != 0]
    return found


def columns(program: Program) -> NodeColumns:
    """Return the columns of a program whose operations are all repeatable."""
    written = program.nodes()
    table, code = written.table, written.codes.astype(np.int64)
    kind = np.zeros(len(table), np.int8)
    for i, op in enumerate(table):
        kind[i] = NUMBER if op is CONSTANT else GIVEN if isinstance(op, Kind) else COMPUTED
    kind_of = kind[code]
    levels = _levels(written)
    same = _without_copies(program, kind_of)
    nodes, bounds = _in_order(kind_of, levels)
    counts = np.diff(written.first)[nodes]
    first = starts(counts)
    operands = same[written.operands[stretches(written.first[nodes], counts)]]
    kinds = kind_of[operands]
    place = np.arange(len(written))
    place[nodes] = np.arange(len(nodes))
    sizes = written.sizes() if has_lanes(table) else np.ones(len(written), np.int64)
    several, which = alike(sizes)
    operations = (code + len(table) * which)[nodes]
    return NodeColumns(
        program,
        written,
        nodes,
        first,
        operands,
        kinds,
        place[operands],
        levels,
        bounds,
        sizes,
        [*table] * len(several),
        operations,
        same,
    )


def _without_copies(program: Program, kind_of: NDArray[np.int8]) -> Integers:
    """Return, for each node, itself, or the input that it is a copy of; copies are given then.

    A copy stays one if other things than operations read it, or if it has a derivative of its own:
    that is the input's where nothing else reads the input, and no example has its own.
    """
    written, same = program.nodes(), np.arange(len(program))
    copies = np.flatnonzero(written.where(lambda op: op is _IDENTITY))
    of = written.operands[written.first[copies]]
    users, by = written.users(), np.zeros(len(written.operands), np.bool_)
    by[written.first[written.places(ADJOINT)]] = True  # with respect to what derivatives are
    reads = np.bincount(written.operands[~by], minlength=len(program))
    kept = np.zeros(len(program), np.bool_)
    kept[program.outputs] = True
    kept[written.operands[~by & (kind_of[users] != COMPUTED)]] = True
    is_point = np.zeros(len(program), np.bool_)
    is_point[written.operands[by]] = True
    kept |= is_point & has_lanes(written.table)
    known = (of < program.inputs) & ~kept[copies] & (~is_point[copies] | (reads[of] == 1))
    same[copies[known]] = of[known]
    kind_of[copies[known]] = GIVEN
    return same


def kinded(codes: Integers, kinds: NDArray[np.int8], first: Integers) -> Integers:
    """Return a code for each node, of that of its operation and of the kinds of its operands."""
    counts = np.diff(first)
    within = np.arange(len(kinds)) - np.repeat(first[:-1], counts)
    found: Integers = codes * _DIGITS[-1]
    if len(kinds):
        found += np.add.reduceat(kinds * _DIGITS[within.clip(max=MOST_OPERANDS)], first[:-1])
    return found


def _in_order(kind_of: NDArray[np.int8], levels: NDArray[np.uint8]) -> tuple[Integers, list[int]]:
    """Return the computed nodes, level by level, and how many are of each or of those before it."""
    computed = np.flatnonzero(kind_of == COMPUTED)
    nodes = computed[np.argsort(levels[computed], kind="stable")]
    of_level = np.bincount(levels[computed], minlength=levels.max(initial=0) + 1)
    return nodes, np.cumsum(of_level).tolist()


def _levels(written: Nodes) -> NDArray[np.uint8]:
    """Return the level of each node; see `NodeColumns`."""
    gradient = written.where(lambda op: op is ADJOINT)
    levels = written.depending(gradient).astype(np.uint8)
    if not levels[written.operands[gradient[written.users()]]].any():
        return levels
    known, first, operands = map(entries, (levels, written.first, written.operands))
    for node in np.flatnonzero(levels).tolist():
        level = max([known[x] for x in operands[first[node] : first[node + 1]]], default=0)
        known[node] = min(level + bool(gradient[node]), 255)
    return levels
