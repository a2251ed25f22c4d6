"""Write a rolled program with lanes, as if vmap had recorded the body of its loop.

If iterations do not depend on one another, each statement of the body becomes a single node with a
lane for each iteration. Later passes then see the body once, however often it is repeated.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scalargrad.compiler.array_types import Integers
from scalargrad.compiler.loops.loop import Cells, CellTable
from scalargrad.compiler.loops.node_columns import NodeColumns
from scalargrad.compiler.loops.roll import Constants, Operand, Own, Rolled, RolledBlock
from scalargrad.compiler.passes.expressions import FixedArity
from scalargrad.compiler.passes.kinds import ADJOINT, BATCH, UNBATCH
from scalargrad.compiler.passes.program import PartCopy, Program

#: The shortest body, the fewest iterations, and the fewest nodes of a program for which it pays.
_STATEMENTS, _ITERATIONS, _NODES = 16, 8, 2_000
#: The least share of all nodes that must become lanes; and of so many statements of a body, at most
#: one may read a different number in each iteration, as in a function of one example.
_SHARE, _EACH = 0.8, 8


class _Examples(NamedTuple):
    """A block, and the statements of it that get a lane for each iteration."""

    block: RolledBlock
    statements: list[int]

    @property
    def lanes(self) -> int:
        """The number of lanes."""
        return self.block.count * len(self.statements)

    def places(self, t: int) -> slice:
        """Return the places of statement `t` in all iterations."""
        return slice(self.block.start + t, self.block.end, len(self.block.cells))


def in_lanes(rolled: Rolled) -> Program | None:
    """Return a rolled program with lanes; None if most of it would have none.

    Each iteration has the digits of the same function under vmap; sums over them may not.
    """
    columns = rolled.columns
    if len(columns) < _NODES:
        return None
    chosen = _chosen(rolled)
    if sum(x.lanes for x in chosen) < _SHARE * len(columns) or _differentiates(columns, chosen):
        return None
    return _LanesWriter(columns, chosen).run()


def _chosen(rolled: Rolled) -> list[_Examples]:
    """Return the blocks that get lanes: those with long bodies, and others repeated as often."""
    counts = {block.count for block in rolled.blocks if _is_of_examples(block)}
    found = [_Examples(block, _alone(block)) for block in rolled.blocks if block.count in counts]
    return [examples for examples in found if examples.statements]


def _is_of_examples(block: RolledBlock) -> bool:
    """Return whether iterations are long, and differ in few of the numbers that they read."""
    if block.count < _ITERATIONS or len(block.body) < _STATEMENTS:
        return False
    operands = {x for statement in block.body for x in map(_varying, statement.operands)}
    return len(block.body) >= _EACH * len(operands - {None})


def _varying(operand: Operand) -> Cells | bytes | None:
    """Return a key for an operand that differs from iteration to iteration; None for others."""
    if isinstance(operand, Constants):
        return operand.values.tobytes()
    if isinstance(operand, CellTable):
        return operand.cells.tobytes()
    return operand if isinstance(operand, Cells) and operand.stride else None


def _alone(block: RolledBlock) -> list[int]:
    """Return the statements that do not depend on other iterations."""
    waiting: set[int] = set()
    for t, statement in enumerate(block.body):
        own = [x for x in statement.operands if isinstance(x, Own)]
        if any(x.distance or x.statement in waiting for x in own):
            waiting.add(t)
    return [t for t in range(len(block.body)) if t not in waiting]


def _differentiates(columns: NodeColumns, chosen: list[_Examples]) -> bool:
    """Return whether a gradient with respect to a number of a single iteration is wanted."""
    asked = np.zeros(len(columns.written), np.bool_)
    asked[[args[0] for args in columns.written.args_with(ADJOINT)]] = True
    return any(asked[columns.nodes[x.block.start : x.block.end]].any() for x in chosen)


class _LanesWriter:
    """Writes the program with lanes.

    For each recorded node, `new` is the node of the new program, or `source` and `lane` say of
    which node it is a lane (-1 for none). `recorded` holds the recorded nodes of each node's lanes,
    `sizes` how many lanes a node has that has any.
    """

    def __init__(self, columns: NodeColumns, chosen: list[_Examples]) -> None:
        old = columns.program
        self.columns, self.chosen = columns, chosen
        self.made = PartCopy(old, old.inputs)
        self.made.program.stacked = old.stacked
        self.sizes: dict[int, int] = {}
        self.new, self.source, self.lane = np.full((3, len(old)), -1)
        self.new[: old.inputs] = np.arange(old.inputs)
        self.recorded: dict[int, Integers] = {}

    def run(self) -> Program:
        count, at = len(self.columns), 0
        has_lane = np.zeros(count, np.bool_)
        for examples in self.chosen:
            for t in examples.statements:
                has_lane[examples.places(t)] = True
        for examples in self.chosen:
            self._singles(at, examples.block.start, has_lane)
            for t in examples.statements:
                self._lanes(examples, t)
            at = examples.block.start
        self._singles(at, count, has_lane)
        made = self.made.program
        made.outputs = [self._node(x) for x in self.columns.program.outputs]
        return made

    def _lanes(self, examples: _Examples, t: int) -> None:
        """Write a statement for all iterations; without lanes if it is the same in all."""
        columns, places = self.columns, examples.places(t)
        read = examples.block.spans[t]
        args = tuple([self._operand(columns.operands[span]) for _, span in read])
        size = max([self.sizes.get(x, 1) for x in args])
        node, old = self._append(places.start, args), columns.nodes[places]
        if size == 1:
            self.new[old] = node
        else:
            self.source[old], self.lane[old] = node, np.arange(size)
            self.recorded[node], self.sizes[node] = old, size

    def _operand(self, old: Integers) -> int:
        """Return the node whose lanes are these recorded nodes; a single number if all are one."""
        first = int(old[0])
        if old[-1] == first and (old == first).all():
            return self._node(first)
        source = int(self.source[first])
        if source >= 0:
            lanes = self.recorded[source]
            if len(old) == len(lanes) and (old == lanes).all():
                return source
        new = [self._node(x) for x in old.tolist()]
        if new.count(new[0]) == len(new):  # equal constants, of which there is one
            return new[0]
        batch = self.made.append(BATCH, tuple(new))
        self.sizes[batch] = len(new)
        return batch

    def _singles(self, start: int, stop: int, has_lane: NDArray[np.bool_]) -> None:
        """Write the nodes at these places that are not lanes."""
        columns = self.columns
        for place in (np.flatnonzero(~has_lane[start:stop]) + start).tolist():
            args = columns.operands[columns.first[place] : columns.first[place + 1]].tolist()
            node = self._append(place, tuple([self._node(x) for x in args]))
            self.new[columns.nodes[place]] = node

    def _append(self, place: int, args: tuple[int, ...]) -> int:
        """Write a node with the operation that was recorded at a place."""
        op = self.columns.op(place)
        return self.made.append(op.reduction if isinstance(op, FixedArity) else op, args)

    def _node(self, old: int) -> int:
        """Return the node for a recorded one, a single number."""
        if self.new[old] < 0:
            self.new[old] = self._written(old)
        return int(self.new[old])

    def _written(self, old: int) -> int:
        """Write a node that is in no block: a constant, a single lane, or a gradient."""
        columns = self.columns
        if old in columns.program.constants:
            return self.made.constant(columns.program.constants[old])
        if self.source[old] >= 0:
            lane = self.made.constant(float(self.lane[old]))
            return self.made.append(UNBATCH, (int(self.source[old]), lane))
        args = columns.written.args_of(old)
        return self.made.append(ADJOINT, tuple([self._node(x) for x in args]))
