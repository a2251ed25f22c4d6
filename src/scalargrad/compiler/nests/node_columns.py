"""The nodes of a program as columns (arrays), in which loops are looked for."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from scalargrad.compiler.array_types import Floats, Integers
from scalargrad.compiler.nests.finder.recording import COMPUTED, GIVEN, NUMBER, Recording
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

_IDENTITY = TABLE["identity"]


class NodeColumns:
    """What is known of each node of a program whose operations are all repeatable.

    Attributes
    ----------
    written : Nodes
        The nodes.
    kinds : integers
        What each is to those that read it.
    operands : integers
        The operands of all nodes, one node after the other, copies of inputs replaced by these.
    same : integers
        The node itself, or the input that it is a copy of.
    levels : integers
        0 if it depends on no gradient; k, if on one of what has k - 1, or is that.
    sizes : integers
        How many lanes it has, 1 for a single number.
    table : list of Op
        The operations, once for each number of lanes.
    codes : integers
        The index of its operation and number of lanes in `table`.
    """

    def __init__(self, program: Program) -> None:
        self.program, self.written = program, program.nodes()
        written, table = self.written, self.written.table
        kinds = [
            NUMBER if op is CONSTANT else GIVEN if isinstance(op, Kind) else COMPUTED
            for op in table
        ]
        self.kinds = np.array(kinds, np.int8)[written.codes]
        self.levels = _levels(written)
        self.same = _without_copies(program, self.kinds)
        self.operands: Integers = self.same[written.operands]
        self.sizes = written.sizes() if has_lanes(table) else np.ones(len(written), np.int64)
        several, which = alike(self.sizes)
        self.table: list[Op] = [*table] * len(several)
        self.codes: Integers = written.codes.astype(np.int64) + len(table) * which

    def computed(self, level: int) -> Integers:
        """Return the computed nodes of a level, in order."""
        found: Integers = np.flatnonzero((self.kinds == COMPUTED) & (self.levels == level))
        return found

    def read_by(self, nodes: Integers) -> Integers:
        """Return the operands of some nodes, one node after the other."""
        first, counts = self.written.first[nodes], np.diff(self.written.first)[nodes]
        found: Integers = self.operands[stretches(first, counts)]
        return found

    def recording(self, nodes: Integers, number: Integers) -> Recording:
        """Return some nodes as a recording.

        Parameters
        ----------
        nodes : integers
        number : integers
            Which input of the recording each node of the program is; -1 if it is not given.
        """
        operands, place = self.read_by(nodes), np.zeros(len(self.program), np.int64)
        place[nodes] = np.arange(len(nodes))
        kinds = np.where(number[operands] >= 0, GIVEN, COMPUTED)
        kinds = np.where(self.kinds[operands] == NUMBER, NUMBER, kinds)
        places = np.where(kinds == GIVEN, number[operands], place[operands])
        bits = self.numbers.view(np.int64)[operands]
        return Recording(
            self.table,
            self.codes[nodes],
            starts(np.diff(self.written.first)[nodes]),
            kinds.astype(np.int8),
            np.where(kinds == NUMBER, bits, places),
        )

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
