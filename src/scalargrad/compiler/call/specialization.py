"""Specialization: the program of one branch of a function, and how to run it.

``jit(lambda x: x if x > 0.0 else -x)`` has two, one for each outcome of the comparison.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Sequence
from contextlib import suppress
from itertools import accumulate
from math import isfinite
from typing import Any

import numpy as np

from scalargrad.compiler.array_types import Floats
from scalargrad.compiler.backend.callbacks import CallbackError
from scalargrad.compiler.call.arguments import (
    FLOAT64,
    Key,
    number_of,
    require_no_alias,
    types_of_leaves,
)
from scalargrad.compiler.call.outline import filler, has_arrays
from scalargrad.compiler.call.output import Result, ResultNodes, Run
from scalargrad.compiler.function import Function
from scalargrad.compiler.generators import Draw, rows_of
from scalargrad.compiler.guards.surroundings import Surroundings
from scalargrad.compiler.runner import Inputs
from scalargrad.compiler.trace.record import Recording
from scalargrad.compiler.trace.watching import data_of
from scalargrad.engine.draws import rewind, state_of
from scalargrad.engine.grad_mode import builds_graphs
from scalargrad.engine.graph import topological_order
from scalargrad.engine.multi_output import Intermediate
from scalargrad.engine.value import Value

#: One call: the compiled function (a Jitted), its arguments, the key of its program, the numbers of
#: its arguments, and the Values that objects among them hold. A tuple, since every call makes one.
Call = tuple[Any, tuple[Any, ...], dict[str, Any], Key, list[Any], list[Any]]
#: Up to this many numbers are given to a program in a list, even if some of them lie in arrays.
_FEW = 64


class RandomInputs:
    """The random draws of a recording, in order, to be made again at each call.

    Under vmap, all examples make the same draw; equal draws in a row are made at once.
    """

    def __init__(self, draws: Sequence[Draw]) -> None:
        self._rows = [(row[0], len(row)) for row in rows_of(draws)]
        self._sources = {id(draw.source): draw.source for draw, _ in self._rows}.values()

    def numbers(self) -> Floats:
        """Draw all numbers."""
        found = [draw.many(count) for draw, count in self._rows]
        return np.concatenate(found, dtype=np.float64)

    def listed(self) -> list[float]:
        """Draw all numbers, as a list, which is faster for few."""
        return [float(x) for draw, count in self._rows for x in draw.many(count)]

    def states(self) -> list[tuple[Any, Any]]:
        """Return the generators, with their states."""
        return [(x, state_of(x)) for x in self._sources]


class Specialization:
    """A recorded path, ready to be run.

    Parameters
    ----------
    outline
        The result, with places for the outputs of the program.
    leaves : list
        The numbers, Values and arrays among the arguments of the recording.
    name : str
        The name of the function.
    surroundings : Surroundings
        What the function closes over, as it was before the recording.
    """

    def __init__(
        self,
        recording: Recording,
        outline: Any,
        leaves: list[Any],
        *,
        name: str,
        surroundings: Surroundings,
    ) -> None:
        self.name = name
        self.outline = outline
        self.recorded = len(recording.program)
        self.outcomes = recording.outcomes
        self._expected = [*map(float, self.outcomes)]
        self._loops = recording.loops
        #: The line of the loop that took more steps in the last call that took another path.
        self.exceeded: tuple[str, int] | None = None
        self.is_checked = recording.is_checked
        #: Whether it compares numbers: of nan, NumPy's max and clip decide otherwise.
        self.compares = len(self.outcomes) > self.is_checked
        #: Whether Python's own ``if`` asked for one, which other calls may answer otherwise.
        self.branches = recording.branches > 0
        self.types = recording.types
        self.draws = RandomInputs(recording.draws) if recording.draws else None
        self.surroundings = surroundings
        self.closed_over = tuple(recording.closed_over)
        among = {id(x): k for k, x in enumerate(surroundings.values)}
        #: Which Values around the function these are; others it reads at each call.
        self._places = [among.get(id(x)) for x in self.closed_over]
        self.values_at = tuple(i for i, x in enumerate(leaves) if isinstance(x, Value))
        self.has_arrays = any(hasattr(x, "ravel") for x in leaves)
        self.all_values = len(self.values_at) == len(leaves) and not recording.draws
        self.whole = recording.whole
        program = recording.program
        drawn = [np.empty(len(recording.draws))] if self.draws else []
        row = self._row(leaves, drawn, self.closed_over)
        #: Which of all that is read are arrays, and the cells of each part.
        self._arrays = [k for k, x in enumerate(row) if hasattr(x, "ravel")]
        self.cells = _cells_of(row)
        self._is_short = sum(getattr(x, "size", 1) for x in leaves) <= _FEW
        #: Whether arrays are given to a program as they are; among many floats, in a row of all.
        self._in_blocks = self.has_arrays and len(leaves) <= _FEW
        wrt = (*value_cells(row),)
        #: Whether some node stands for several numbers of the arguments or the result.
        self.is_whole = bool(self.whole) or len(program.outputs) < recording.results
        self.function = Function(program, recording.results, wrt)
        self.results = recording.results
        self.apart = tuple([k for k, cell in enumerate(wrt) if cell in recording.differentiated])
        found = zip(self.function.reached(), recording.plain, strict=True)
        reached = tuple([moves and not plain for moves, plain in found])
        self.nodes = ResultNodes(reached, self.function)
        self.truths = recording.truths
        self.differentiable = bool(wrt)
        self.returns_arrays = has_arrays(outline)
        self.in_arrays = not (wrt or self.truths) and (self.has_arrays or self.returns_arrays)
        #: Makes the result of a call from what `run` has found.
        self.result = filler(self.outline, of_array=self.in_arrays and self.returns_arrays)

    def bound(self, now: Surroundings, values: Sequence[Value]) -> Specialization:
        """Return this path with these Values, in surroundings of the same key that hold them."""
        if now is self.surroundings and values is now.values:
            return self
        pairs = zip(self._places, self.closed_over, strict=True)
        closed_over = tuple([x if k is None else values[k] for k, x in pairs])
        path = object.__new__(Specialization)
        path.__dict__ = {**self.__dict__, "closed_over": closed_over, "surroundings": now}
        return path

    def run(self, call: Call) -> tuple[Sequence[Any], bool] | None:
        """Run the program on the numbers of a call; None if it takes another path.

        Returns
        -------
        found : list of Value or float, or array
            The numbers and Values from which `result` makes the result.
        finite : bool
            Whether all of them are finite, and gradients are taken as in eager evaluation.

        Notes
        -----
        Random generators advance, unless the program takes another path or a number is not finite,
        as the call is then made in another way.

        Raises
        ------
        TraceError
            If the function would tell an argument from its copy.
        CallbackError
            If a custom operation fails; generators are restored.
        """
        if self.types is not None and self.types != types_of_leaves(call):
            return None
        if self.surroundings.aliases is not None:
            require_no_alias(self.surroundings.aliases, call)
        states = self.draws.states() if self.draws else []
        try:
            run = self._run(call)
        except (struct.error, TypeError, OverflowError):  # what was assigned as data is no float
            for x in [y for y in (*call[4], *self.closed_over) if isinstance(y, Value)]:
                data_of(x)
            raise
        except CallbackError:
            rewind(states)
            raise
        if run is None or not run[1]:
            rewind(states)
        return run

    def fits(self, call: Call) -> bool:
        """Return whether a call takes this path; generators do not advance."""
        states = self.draws.states() if self.draws else []
        with suppress(CallbackError):  # a call is then made eagerly, as by any other path
            run = self.run(call)
            rewind(states)
            return run is not None
        return True

    def _run(self, call: Call) -> tuple[Sequence[Any], bool] | None:
        leaves = call[4]
        if self.in_arrays:
            return self._run_in_arrays(leaves)
        function, n = self.function, self.results
        recording = self.differentiable and builds_graphs()
        along, runner = function.along if recording else (None, function.values)
        foreign = self.closed_over
        if self.all_values:  # the common case, in one comprehension
            parents = (*leaves, *foreign) if len(leaves) else foreign
            inputs: Inputs = [x.data for x in parents]
        else:
            at = self.values_at
            parents = (*[leaves[i] for i in at], *foreign) if at else foreign
            inputs = self.inputs(leaves, foreign)
        numbers = runner(inputs)
        if self.outcomes and numbers[n : n + len(self.outcomes)] != self._expected:
            outcomes = tuple([x != 0.0 for x in numbers[n : n + len(self.outcomes)]])
            if outcomes != self.outcomes:
                return self._otherwise(outcomes, numbers[:n], [inputs])
        for k in self.truths:
            numbers[k] = numbers[k] != 0.0
        found = numbers if len(numbers) == n else numbers[:n]
        finite = isfinite(sum(numbers)) or all(map(isfinite, numbers))  # the gradient behind, too
        if finite and (self.apart or self.compares):  # otherwise than eager code
            are_apart = not self.apart or are_independent(parents, self.apart)
            finite = are_apart and not (self.compares and has_nan(inputs))
        if not self.differentiable:
            return found, finite
        if not recording:
            return self.nodes.leaves(numbers, parents), finite
        row = None if along is None else (along, tuple(numbers[n + len(self.outcomes) :]))
        made = self.name, function, inputs, parents, row
        if self.nodes.is_single:  # the common case, without a further call
            return [Result(numbers[0], 0, made, parents)], finite
        return self.nodes.outputs(numbers, Run(*made)), finite

    def _run_in_arrays(self, leaves: list[Any]) -> tuple[Sequence[Any], bool] | None:
        """Run the program with its inputs and outputs in arrays rather than lists of floats."""
        runner, n = self.function.values, self.results
        if self._in_blocks:
            row, cells = self._row(leaves, self._drawn(), ()), self.cells
            blocks = [x if type(x) is float else _block_of(x) for x in row]
        else:
            blocks = [self.inputs(leaves, ())]
            cells = (slice(0, runner.nests.inputs),)
        numbers, finite = runner.on_blocks(cells, blocks)
        if self.outcomes:
            outcomes = tuple((numbers[n:] != 0.0).tolist())
            if outcomes != self.outcomes:
                return self._otherwise(outcomes, numbers[:n], blocks)
            finite = finite and not (self.compares and any(map(has_nan, blocks)))
            numbers = numbers[:n]
        found: Any = numbers if self.returns_arrays else numbers.tolist()
        return found, finite

    def _otherwise(
        self, outcomes: tuple[bool, ...], numbers: Any, inputs: Sequence[Any]
    ) -> tuple[Sequence[Any], bool] | None:
        """Return the result of `run` if a guard came out otherwise.

        If it is the guard of domains, or a nan is compared, the result counts as not finite; else
        the path is another.
        """
        if self._loops:
            pairs = zip(outcomes, self.outcomes, strict=True)
            self.exceeded = self._loops.get(next(k for k, (x, y) in enumerate(pairs) if x != y))
        left_domain = self.is_checked and outcomes[:-1] == self.outcomes[:-1]
        return (numbers, False) if left_domain or any(map(has_nan, inputs)) else None

    def _row(
        self, leaves: list[Any], drawn: Sequence[Floats], foreign: Sequence[Value]
    ) -> list[Any]:
        """Return all that is read.

        First the numbers of the arguments, then those drawn, those closed over, and those of whole
        arrays, which have no nodes.
        """
        nodes = [x for k, x in enumerate(leaves) if k not in self.whole] if self.whole else leaves
        return [*nodes, *drawn, *foreign, *[leaves[k] for k in self.whole]]

    def _drawn(self) -> Sequence[Floats]:
        """Return the numbers drawn for a call, if there are draws."""
        return [self.draws.numbers()] if self.draws else []

    def inputs(self, leaves: list[Any], foreign: Sequence[Value]) -> Inputs:
        """Return the inputs of the program."""
        if self.has_arrays:
            take = _in_a_list if self._is_short else _in_a_row
            return take(self._row(leaves, self._drawn(), foreign), self._arrays)
        drawn = self.draws.listed() if self.draws else []
        if self.values_at:
            leaves = [x if type(x) is float else x.data for x in leaves]
        if not (drawn or foreign):
            return leaves
        row = leaves if type(leaves) is list else leaves.tolist()  # type: ignore[attr-defined]
        return [*row, *drawn, *[x.data for x in foreign]]


def are_independent(values: Sequence[Value], places: Sequence[int]) -> bool:
    """Return whether no other of these Values is one at these places, or was computed from it.

    A program differentiates by its inputs as if that were so.
    """
    chosen = {values[k] for k in places}
    if sum([x in chosen for x in values]) > len(chosen):
        return False
    made = {_operands(x) for x in chosen}  # what has the same operands is computed side by side
    others = [x for x in values if len(made) > 1 or _operands(x) not in made]
    operands = [x for value in others for x in value.parents if isinstance(x, Value)]
    order = topological_order(*operands) if len(values) > 1 else []
    results = [x for x in chosen if isinstance(x, Intermediate)]
    return chosen.isdisjoint(order) and not any(x.is_read_by([*values, *order]) for x in results)


def _operands(x: Value) -> int:
    """Return what tells the operands of a node from those of others."""
    return id(x.parents[0]) if len(x.parents) == 1 else id(x.parents)


def has_nan(x: Any) -> bool:
    """Return whether a number is nan, or one in a list or array, or inf and -inf are among them."""
    total = x if type(x) is float else sum(x) if type(x) is list else np.add.reduce(x)
    return bool(total != total)


def _in_a_list(row: list[Any], arrays: Sequence[int]) -> list[float]:
    """Return the numbers of leaves as a list, which is faster for few."""
    for k in reversed(arrays):
        row[k : k + 1] = np.asarray(_block_of(row[k]), FLOAT64).ravel().tolist()
    return [x if type(x) is float else x.data for x in row]


def _in_a_row(leaves: Sequence[Any], arrays: Sequence[int]) -> Floats:
    """Return the numbers of leaves as one array; those with these indices are arrays."""
    parts: list[Any] = []
    first = 0
    for k in [*arrays, len(leaves)]:
        numbers = [x if type(x) is float else x.data for x in leaves[first:k]]
        parts += [array("d", numbers), *map(_block_of, leaves[k : k + 1])]
        first = k + 1
    return np.concatenate(parts)


def _block_of(x: Any) -> Any:
    """Return a leaf as a number, or as a flat array of its numbers."""
    if type(x) is np.ndarray and x.dtype is FLOAT64:
        return x if x.ndim == 1 else x.ravel()
    number = number_of(x)
    return np.ravel(number) if hasattr(number, "ravel") else number


def _cells_of(leaves: Sequence[Any]) -> tuple[int | slice, ...]:
    """Return the cell of each number, and the slice of cells of each array."""
    ends = accumulate(x.size if hasattr(x, "ravel") else 1 for x in leaves)
    pairs = zip(leaves, ends, strict=True)
    return tuple([slice(k - x.size, k) if hasattr(x, "ravel") else k - 1 for x, k in pairs])


def value_cells(leaves: Sequence[Any]) -> list[int]:
    """Return the inputs that are Values; an array has an input for each of its numbers."""
    cells = zip(leaves, _cells_of(leaves), strict=True)
    return [cell for x, cell in cells if isinstance(x, Value) and isinstance(cell, int)]
