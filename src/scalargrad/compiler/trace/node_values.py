"""Compute the number of a recorded node, when a condition in the function depends on it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import count, islice

from scalargrad.compiler.passes.kinds import ADJOINT, CONSTANT, INPUT, ROW, TAKE, UNBATCH, Op
from scalargrad.compiler.passes.nodes import Nodes
from scalargrad.compiler.passes.program import Program
from scalargrad.compiler.trace.columns import Columns
from scalargrad.compiler.trace.example_lanes import Lanes
from scalargrad.table.operation import Operation

#: Operations whose numbers are computed by a program, with all that they depend on.
_TOGETHER = {ADJOINT, UNBATCH}


class NodeValues:
    """The numbers of nodes, computed on demand and cached.

    Parameters
    ----------
    columns : Columns
        The nodes.
    lanes : Lanes
        Which of them have lanes.
    known : dict from int to float
        The cache; it begins with the inputs.
    """

    def __init__(self, columns: Columns, lanes: Lanes, known: dict[int, float]) -> None:
        self._columns, self._lanes, self._known = columns, lanes, known

    def __getitem__(self, index: int) -> float:
        return self._known[index] if index in self._known else self.compute([index])[0]

    def compute(self, nodes: Sequence[int]) -> list[float]:
        """Compute the numbers of nodes together, of those with lanes the largest.

        All that they depend on is computed, and cached: or, if derivatives or lanes are among it,
        computed by one program, and `nodes` and these are cached.
        """
        columns, size, known = self._columns, self._lanes.size, self._known
        through = self._not_known(nodes)
        apart = [x for x in through if columns.ops[x] in _TOGETHER]
        if not apart and all(size(x) == 1 for x in through):
            for x in through:
                known[x] = known[x] if x in known else self._number(x)
            return [known[x] for x in nodes]
        asked = [*nodes, *apart]
        read = {y for x in through for y in columns.args(x)}.difference(through)
        found = iter(self._run(sorted(read), through, asked))
        numbers = [max(islice(found, size(x))) for x in asked]
        known.update((x, y) for x, y in zip(asked, numbers, strict=True) if size(x) == 1)
        return numbers[: len(nodes)]

    def _number(self, x: int) -> float:
        """Return the number of a node whose operands are known."""
        columns, known = self._columns, self._known
        op, args = columns.ops[x], columns.args(x)
        if op is CONSTANT:
            return columns.constants[x]
        if op is ROW:
            return math.nan  # which nothing but a lookup reads
        if op is TAKE:
            entries, number = columns.args(args[1]), known[args[0]]
            is_inside = -len(entries) <= number < len(entries)
            return known[entries[int(number)]] if is_inside else math.nan
        assert isinstance(op, Operation)
        return op.of_floats_unchecked(*[known[y] for y in args])

    def _not_known(self, nodes: Sequence[int]) -> list[int]:
        """Return what nodes depend on, back to known numbers from which no derivative goes on."""
        known, ops, args = self._known, self._columns.ops, self._columns.args
        lowest, found = len(ops), set[int]()
        while True:
            first, found, ahead = lowest, set(nodes), [*nodes]
            while ahead:
                x = ahead.pop()
                if ops[x] is ADJOINT:
                    lowest = min(lowest, args(x)[0])
                for y in args(x):
                    if y not in found and (y >= first or y not in known):
                        found.add(y)
                        ahead.append(y)
            if lowest == first:
                return sorted(found)

    def _run(
        self, read: Sequence[int], through: Sequence[int], nodes: Sequence[int]
    ) -> list[float]:
        """Run the program of the nodes `through`, given the numbers of those that are `read`."""
        from scalargrad.compiler.runner import runner_for

        columns, constants = self._columns, self._columns.constants
        given = [x for x in read if x not in constants]
        given += [x for x in through if columns.ops[x] is INPUT]
        place = {x: i for i, x in enumerate(given)}
        ops: list[Op] = [INPUT] * len(given)
        args: list[tuple[int, ...]] = [()] * len(given)
        others = sorted({*read, *through}.difference(place))
        place.update(zip(others, count(len(given))))
        ops += [columns.ops[x] for x in others]
        args += [tuple([place[y] for y in columns.args(x)]) for x in others]
        known = {place[x]: constants[x] for x in others if x in constants}
        outputs, stacked = [place[x] for x in nodes], len(columns.stacked)
        program = Program(len(given), Nodes.of(ops, args), known, outputs, stacked)
        numbers = [self._known[x] for x in given] + columns.stacked.tolist()
        return runner_for(program, once=True)(numbers)
