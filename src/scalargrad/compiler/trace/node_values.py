"""Compute the number of a recorded node, when a condition in the function depends on it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import islice

from scalargrad.compiler.passes.kinds import ADJOINT, CONSTANT, INPUT, ROW, TAKE, UNBATCH
from scalargrad.compiler.passes.program import Program
from scalargrad.compiler.trace.columns import Columns
from scalargrad.compiler.trace.example_lanes import Lanes
from scalargrad.table.operation import Operation


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
        self._cuts: dict[int, tuple[list[int], list[int]]] = {}

    def __getitem__(self, index: int) -> float:
        known, columns = self._known, self._columns
        ahead = [index]
        while ahead:
            x = ahead[-1]
            if x in known:
                ahead.pop()
                continue
            op = columns.ops[x]
            if op is CONSTANT:
                known[x] = columns.constants[x]
                continue
            operands: Sequence[int]
            if op is TAKE:
                operands = self._looked_up(*columns.args(x))
            else:
                operands = columns.args(x) if isinstance(op, Operation) else self._cut(x)[0]
            waiting = [y for y in operands if y not in known]
            if waiting:
                ahead += waiting
            elif isinstance(op, Operation):
                known[x] = op.of_floats_unchecked(*[known[y] for y in operands])
            elif op is TAKE:
                known[x] = known[operands[1]] if len(operands) > 1 else math.nan
            else:
                known[x] = self._by_program(x)
        return known[index]

    def compute(self, nodes: Sequence[int]) -> list[float]:
        """Compute the numbers of nodes together, of those with lanes the largest.

        All that they depend on is computed, and cached: or, if derivatives or lanes are among it,
        computed by one program, and `nodes` are cached.
        """
        columns, size = self._columns, self._lanes.size
        through = self._not_known(nodes)
        if all(columns.ops[x] not in {ADJOINT, UNBATCH} and size(x) == 1 for x in through):
            return [self[x] for x in nodes]
        read = {y for x in through for y in columns.args(x)}.difference(through)
        found = iter(self._run(sorted(read), through, nodes))
        numbers = [max(islice(found, size(x))) for x in nodes]
        self._known.update((x, y) for x, y in zip(nodes, numbers, strict=True) if size(x) == 1)
        return numbers

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

    def _looked_up(self, index: int, row: int) -> tuple[int, ...]:
        """Return an index and, if that is known and in range, the entry of the row."""
        entries, number = self._columns.args(row), self._known.get(index, math.nan)
        is_inside = -len(entries) <= number < len(entries)
        return (index, entries[int(number)]) if is_inside else (index,)

    def _cut(self, index: int) -> tuple[list[int], list[int]]:
        """Return the inputs of a program that computes a derivative or a lane, and its nodes.

        These are the nodes between the roots of the derivative and the variables it is taken with
        respect to; all other numbers are computed by `self[...]` and are inputs.
        """
        if index not in self._cuts:
            through = self._between(index)
            inside = {*through}
            read = {y for x in through for y in self._columns.args(x)} - inside
            self._cuts[index] = sorted(read), through
        return self._cuts[index]

    def _between(self, index: int) -> list[int]:
        """Return the nodes that a node depends on, back to the variables of its derivatives."""
        ops, args, size = self._columns.ops, self._columns.args, self._lanes.size
        first = args(index)[0] if ops[index] is ADJOINT else index
        while True:
            found, ahead, lowest = {index}, [index], first
            while ahead:
                x = ahead.pop()
                if ops[x] is ADJOINT:
                    lowest = min(lowest, args(x)[0])
                for y in args(x):
                    inside = y >= first or size(y) > 1 or ops[y] in {UNBATCH, ROW}
                    if inside and y not in found:
                        found.add(y)
                        ahead.append(y)
            if lowest == first:
                return sorted(found)
            first = lowest

    def _by_program(self, index: int) -> float:
        """Compute a derivative or a lane by differentiating and running a small program."""
        return self._run(*self._cut(index), [index])[0]

    def _run(
        self, read: Sequence[int], through: Sequence[int], nodes: Sequence[int]
    ) -> list[float]:
        """Run the program of the nodes `through`, given the numbers of those that are `read`."""
        from scalargrad.compiler.function import Function

        columns, known, constants = self._columns, self._known, self._columns.constants
        given = [x for x in read if x not in constants]
        given += [x for x in through if columns.ops[x] is INPUT]
        place = {x: i for i, x in enumerate(given)}
        program = Program(len(given), [INPUT] * len(given), [()] * len(given))
        program.stacked = len(columns.stacked)
        for x in sorted({*read, *through}.difference(place)):
            place[x] = len(program)
            program.ops.append(columns.ops[x])
            program.args.append(tuple([place[y] for y in columns.args(x)]))
            if x in constants:
                program.constants[place[x]] = constants[x]
        program.outputs = [place[x] for x in nodes]
        run = Function(program, len(nodes), ()).values
        return run([known[x] for x in given] + columns.stacked.tolist())
