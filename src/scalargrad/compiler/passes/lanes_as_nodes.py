"""Write each lane of a program as a node, where more is computed outside its examples than in them.

A loss over all pairs of the results of a vmap, or a state carried from one result to the next, is
recorded node by node. Loops are found only in programs of single numbers: so the examples become
single numbers, too.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain

from scalargrad.compiler.passes.expressions import ADD, MUL
from scalargrad.compiler.passes.kinds import (
    ADJOINT,
    BATCH,
    CONSTANT,
    INPUT,
    UNBATCH,
    Held,
    OfLanes,
    Op,
    Stacked,
    Total,
    has_lanes,
)
from scalargrad.compiler.passes.program import PartCopy, Program

#: Fewer operations on single numbers are packed in a moment.
FEWEST = 2000
#: The most lanes for each of these operations, since each lane becomes a node.
_MOST = 8


def lanes_as_nodes(program: Program) -> Program | None:
    """Return a recorded program without lanes; None if it has none, or too many or other ones.

    What follows the inputs, for `Stacked` nodes to read, becomes inputs.
    """
    if not has_lanes(program.ops):
        return None
    sizes, free = program.sizes(), {CONSTANT, INPUT, UNBATCH, ADJOINT}
    single = sum(n == 1 and op not in free for n, op in zip(sizes, program.ops, strict=True))
    if single < FEWEST or sum(sizes) - sizes.count(1) > _MOST * single:
        return None
    copy = _Lanes(program, program.given)
    if not all(map(copy.write, range(program.inputs, len(program)), sizes[program.inputs :])):
        return None
    copy.program.outputs = [*chain.from_iterable(map(copy.lanes, program.outputs))]
    return copy.program


class _Lanes(PartCopy):
    """A copy in which a node of the source with lanes has a list of nodes, one for each."""

    def __init__(self, source: Program, inputs: int) -> None:
        super().__init__(source, inputs)
        self.new = {x: x for x in range(source.inputs)}
        self._rows: dict[int, list[int]] = {}

    def lanes(self, node: int) -> list[int]:
        """Return the copies of the lanes of a node, or that of a single number."""
        return self._rows.get(node) or [self.new[node]]

    def write(self, node: int, size: int) -> bool:
        """Write a node; return whether this is possible."""
        op, args = self.source.ops[node], self.source.args[node]
        if op is ADJOINT and (
            self.source.ops[args[0]] is UNBATCH or not self._rows.keys().isdisjoint(args)
        ):
            return False  # by a lane, which is to be the node of what it was taken from
        if size > 1:
            self._rows[node] = self._written(op, args, size)
        elif op is CONSTANT:
            self.new[node] = self.constant(self.source.constants[node])
        elif op is UNBATCH:
            self.new[node] = self.lanes(args[0])[int(self.source.constants[args[1]])]
        elif isinstance(op, Total):
            self.new[node] = self._total(op, args)
        elif isinstance(op, OfLanes):
            return False
        else:
            new = self.new
            new[node] = self.append(op, tuple([new[x] for x in args]))
        return True

    def _written(self, op: Op, args: tuple[int, ...], size: int) -> list[int]:
        """Write the lanes of a node."""
        if isinstance(op, Held):
            return [*map(self.constant, op.numbers.tolist())]
        if isinstance(op, Stacked):
            first, step = (int(self.source.constants[x]) for x in args)
            return [self.source.inputs + first + k * step for k in range(size)]
        if op is BATCH:
            return [self.new[x] for x in args]
        return [self.append(op, x) for x in self._by_lane(args, size)]

    def _by_lane(self, nodes: Sequence[int], size: int) -> Iterable[tuple[int, ...]]:
        """Return the copies of nodes lane by lane; a single number is the same in all lanes."""
        return zip(*[self._rows.get(x) or [self.new[x]] * size for x in nodes], strict=True)

    def _total(self, op: Total, args: tuple[int, ...]) -> int:
        """Write a sum over lanes, term by term."""
        total = self.constant(0.0)
        for pair in zip(args[::2], args[1::2], strict=True):
            for x in self._by_lane(pair, op.lanes):
                total = self.append(ADD, (total, self.append(MUL, x)))
        return total
