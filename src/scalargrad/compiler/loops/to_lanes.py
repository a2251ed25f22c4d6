"""Write a rolled program with lanes: what a loop computes for each iteration alone, as vmap does.

A body that carries nothing from iteration to iteration, however long, becomes one node for each
of its statements, with a lane for each iteration. So no later pass walks over all of them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from scalargrad.compiler.loops.loop import Cells, CellTable
from scalargrad.compiler.loops.node_columns import COMPUTED, NodeColumns
from scalargrad.compiler.loops.roll import Constants, Operand, Own, Rolled, RolledBlock, spans
from scalargrad.compiler.passes.kinds import ADJOINT, BATCH, CONSTANT, INPUT, UNBATCH, Op
from scalargrad.compiler.passes.nodes import Integers
from scalargrad.compiler.passes.program import Program

#: Shorter bodies and fewer iterations stay as they are, as do programs of fewer nodes.
_STATEMENTS, _ITERATIONS, _NODES = 16, 8, 2_000
#: At least this share of all nodes have to become lanes. Of the statements of a body at most one
#: in so many reads another number in each iteration: it is a function of an example.
_SHARE, _EACH = 0.8, 8


class _Examples(NamedTuple):
    """A block, and those of its statements that get a lane for each iteration."""

    block: RolledBlock
    statements: list[int]

    @property
    def lanes(self) -> int:
        """How many lanes there are in all."""
        return self.block.count * len(self.statements)

    def places(self, t: int) -> slice:
        """Return where a statement is in all iterations."""
        return slice(self.block.start + t, self.block.end, len(self.block.cells))


def in_lanes(rolled: Rolled) -> Program | None:
    """Return a rolled program with lanes; None where most of it would have none.

    Its digits are those of the same function under vmap.
    """
    columns = rolled.columns
    if len(columns) < _NODES:
        return None
    chosen = _chosen(rolled)
    if sum(x.lanes for x in chosen) < _SHARE * len(columns) or _differentiates(columns, chosen):
        return None
    return _Writer(columns, chosen).run()


def _chosen(rolled: Rolled) -> list[_Examples]:
    """Return what gets lanes: long bodies, and those as often repeated."""
    columns, found = rolled.columns, list[_Examples]()
    free, counts = 0, {block.count for block in rolled.blocks if _is_of_examples(block)}
    for block in rolled.blocks:
        if block.start >= columns.before:
            free = max(free, columns.before)
        if block.count in counts:
            examples = _with_first(columns, _Examples(block, _alone(block)), free)
            counts.add(examples.block.count)
            found += [examples] if examples.statements else []
            free = block.end
    return found


def _with_first(columns: NodeColumns, examples: _Examples, free: int) -> _Examples:
    """Return examples and the one before them, if that differs in other statements only.

    The first addition to a total that starts from a number differs from the others.
    """
    block, statements = examples
    start, period = block.start - len(block.cells), len(block.cells)
    if start < free:
        return examples
    counts = np.diff(columns.first[start : block.start + period + 1])
    codes = columns.codes[start:][statements], columns.codes[block.start :][statements]
    longer = _Examples(replace(block, start=start, count=block.count + 1), statements)
    alike = np.array_equal(*codes) and np.array_equal(counts[:period], counts[period:])
    return longer if alike and _reads_itself_or_older(columns, longer) else examples


def _reads_itself_or_older(columns: NodeColumns, examples: _Examples) -> bool:
    """Return whether the first of examples reads of them what the others read, or itself."""
    block = examples.block
    for t in examples.statements:
        for x, (kind, span) in zip(block.body[t].operands, spans(columns, block, t), strict=True):
            places = columns.places[span]
            if isinstance(x, Own):
                if places[1] - places[0] != len(block.cells):
                    return False
            elif kind == COMPUTED and places.max() >= block.start:
                return False
    return True


def _is_of_examples(block: RolledBlock) -> bool:
    """Return whether iterations are long and differ in few numbers that they read."""
    if block.count < _ITERATIONS or len(block.body) < _STATEMENTS:
        return False
    operands = {x for statement in block.body for x in map(_varying, statement.operands)}
    return len(block.body) >= _EACH * len(operands - {None})


def _varying(operand: Operand) -> Cells | bytes | None:
    """Return what tells an operand, which each iteration finds elsewhere, from others."""
    if isinstance(operand, Constants):
        return operand.values.tobytes()
    if isinstance(operand, CellTable):
        return operand.cells.tobytes()
    return operand if isinstance(operand, Cells) and operand.stride else None


def _alone(block: RolledBlock) -> list[int]:
    """Return the statements that depend on no other iteration."""
    waiting: set[int] = set()
    for t, statement in enumerate(block.body):
        own = [x for x in statement.operands if isinstance(x, Own)]
        if any(x.distance or x.statement in waiting for x in own):
            waiting.add(t)
    return [t for t in range(len(block.body)) if t not in waiting]


def _differentiates(columns: NodeColumns, chosen: list[_Examples]) -> bool:
    """Return whether a gradient with respect to a single iteration's number is asked for."""
    asked = np.zeros(len(columns.written), np.bool_)
    asked[[columns.written.args_of(x)[0] for x in columns.gradients]] = True
    return any(asked[columns.nodes[x.block.start : x.block.end]].any() for x in chosen)


class _Writer:
    """One walk over the nodes.

    `new` says which node stands for each recorded one, `source` and `lane` of which node it is a
    lane, -1 where none does, and `recorded` which ones are the lanes of a node.
    """

    def __init__(self, columns: NodeColumns, chosen: list[_Examples]) -> None:
        old = columns.program
        self.columns, self.chosen = columns, chosen
        self.made = Program(old.inputs, [INPUT] * old.inputs, [()] * old.inputs)
        self.sizes = [1] * old.inputs
        self.new, self.source, self.lane = np.full((3, len(old)), -1)
        self.new[: old.inputs] = np.arange(old.inputs)
        self.recorded: dict[int, Integers] = {}
        self.numbers: dict[str, int] = {}

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
        self.made.outputs = [self._node(x) for x in self.columns.program.outputs]
        return self.made

    def _lanes(self, examples: _Examples, t: int) -> None:
        """Write a statement for all iterations, once if it is the same in all."""
        columns, places = self.columns, examples.places(t)
        read = spans(columns, examples.block, t)
        args = tuple([self._operand(columns.operands[span]) for _, span in read])
        size = max([self.sizes[x] for x in args])
        node, old = self._append(columns.op(places.start), args, size), columns.nodes[places]
        if size == 1:
            self.new[old] = node
        else:
            self.source[old], self.lane[old] = node, np.arange(size)
            self.recorded[node] = old

    def _operand(self, old: Integers) -> int:
        """Return the node whose lanes are recorded ones, or a single one if they are the same."""
        first = int(old[0])
        if old[-1] == first and (old == first).all():
            return self._node(first)
        source = int(self.source[first])
        if source >= 0 and np.array_equal(old, self.recorded[source]):
            return source
        new = [self._node(x) for x in old.tolist()]
        same = new.count(new[0]) == len(new)  # equal constants, of which there is one
        return new[0] if same else self._append(BATCH, tuple(new), len(new))

    def _singles(self, start: int, stop: int, has_lane: NDArray[np.bool_]) -> None:
        """Write the nodes at these places that have no lane."""
        columns = self.columns
        for place in (np.flatnonzero(~has_lane[start:stop]) + start).tolist():
            args = columns.operands[columns.first[place] : columns.first[place + 1]].tolist()
            node = self._append(columns.op(place), tuple([self._node(x) for x in args]))
            self.new[columns.nodes[place]] = node

    def _node(self, old: int) -> int:
        """Return the single node that stands for a recorded one."""
        if self.new[old] < 0:
            self.new[old] = self._written(old)
        return int(self.new[old])

    def _written(self, old: int) -> int:
        """Write what is in no block: constants, single lanes, and gradients once they are read."""
        columns = self.columns
        if old in columns.program.constants:
            return self._number(columns.program.constants[old])
        if self.source[old] >= 0:
            lane = self._number(float(self.lane[old]))
            return self._append(UNBATCH, (int(self.source[old]), lane))
        args = columns.written.args_of(old)
        return self._append(ADJOINT, tuple([self._node(x) for x in args]))

    def _number(self, number: float) -> int:
        key = number.hex()
        if key not in self.numbers:
            self.numbers[key] = self._append(CONSTANT, ())
            self.made.constants[self.numbers[key]] = number
        return self.numbers[key]

    def _append(self, op: Op, args: tuple[int, ...], size: int = 1) -> int:
        self.sizes.append(size)
        self.made.ops.append(op)
        self.made.args.append(args)
        return len(self.sizes) - 1
