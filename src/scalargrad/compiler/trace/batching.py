"""Batch examples while a function is recorded: many become one, whose results are many.

Each number of an example becomes one node whose operands are that number in every example; a
function run once on such nodes computes all examples.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from scalargrad.compiler.call.objects import like
from scalargrad.compiler.passes.kinds import BATCH, UNBATCH, OverLanes, makes_lanes, stacked_of
from scalargrad.compiler.trace.taken_together import Taken
from scalargrad.compiler.trace.tape import Tape
from scalargrad.compiler.trace.traced import Traced
from scalargrad.compiler.trace.whole_arrays import WholeArray
from scalargrad.ops import identity
from scalargrad.table.numbers import is_real
from scalargrad.transforms.draws import Draw, made_by
from scalargrad.value import Value


class UnlikeError(Exception):
    """Examples differ in more than numbers, so that each has to be computed by itself."""


class Lanes:
    """Which nodes of a recording have lanes.

    Parameters
    ----------
    trace : Tape
        The recording.

    Attributes
    ----------
    count : int
        How many examples the function stands for that is running; 0 where none is.
    taken : list of Taken
        The nodes of single lanes, all of one node.
    """

    def __init__(self, trace: Tape) -> None:
        self.count = 0
        self.taken: list[Taken] = []
        self._trace = trace
        self._seen = 0
        self._is_closed = False
        self._counts: list[int] = []
        self._drawn: list[tuple[Draw, list[int]]] = []
        self._map_of: dict[int, int] = {}

    @contextmanager
    def one_example(self, count: int) -> Iterator[None]:
        """Note that what is made meanwhile belongs to one example of `count`."""
        self._look()
        self._counts.append(count)
        self.count = count
        try:
            yield
            self._draw_for_others()
        finally:
            self._look()  # also at what is given up, should it be used outside
            self._drawn.clear()
            self.count = 0

    def drawn(self, draw: Draw, first: Traced) -> Traced:
        """Return what stands for a number drawn by each example; `first` is the first one's."""
        others = [self._trace.drawn_input(0.0) for _ in range(self.count - 1)]
        self._drawn.append((draw, [x.index for x in others]))
        return self.batch([first, *others])

    def _draw_for_others(self) -> None:
        """Draw for one example after the other, as a loop over them does."""
        trace, often = self._trace, self.count - 1
        with made_by(None):
            if len(self._drawn) == 1:
                ((draw, leaves),) = self._drawn
                trace.known.update(zip(leaves, map(float, draw.many(often)), strict=True))
                trace.draws += [(draw, x) for x in leaves]
                return
            for k in range(often if self._drawn else 0):
                for draw, leaves in self._drawn:
                    trace.known[leaves[k]] = float(draw())
                    trace.draws.append((draw, leaves[k]))

    def size(self, index: int) -> int:
        """Return for how many numbers a node stands, one of every example or just one."""
        if not self._counts:
            return 1
        if not self._is_closed:
            self._look()
        return self._counts[self._map_of[index]] if index in self._map_of else 1

    def require_none(self, outputs: Iterable[int]) -> None:
        """Raise TraceError if a node inside an example is a result of the whole function."""
        self._look()
        if not self._map_of.keys().isdisjoint(outputs):
            self._trace.refused("stray example")

    def close(self) -> None:
        """Look at the last nodes: what is written from now on belongs to no function."""
        self._look()
        self._is_closed = True

    def _look(self) -> None:
        """Look at the nodes made since the last time."""
        ops, args, known = self._trace.ops, self._trace.columns.args, self._map_of
        first, self._seen = self._seen, len(ops)
        if not self._counts:
            return
        if not self.count:
            self._require_none_read(first)
            return
        for x in range(first, self._seen):
            if makes_lanes(ops[x]):
                known[x] = len(self._counts) - 1
            elif ops[x] is not UNBATCH and not isinstance(ops[x], OverLanes):
                maps = {known[y] for y in args(x) if y in known}
                if maps:
                    self._place(x, maps)

    def _require_none_read(self, first: int) -> None:
        """Refuse nodes from one on, written outside of examples, that read what has lanes."""
        columns, stop = self._trace.columns, self._seen
        own = np.zeros(stop, np.bool_)
        own[[*self._map_of]] = True
        reads = np.zeros(stop - first, np.bool_)
        for operands in (columns.left[first:stop], columns.right[first:stop]):
            read = np.array(operands, np.int64)
            reads |= (read >= 0) & own[read]
        wide = (x for x in reversed(columns.wide) if x >= first)
        found = [first + x for x in np.flatnonzero(reads).tolist()]
        found += [x for x in wide if not self._map_of.keys().isdisjoint(columns.wide[x])]
        ops = self._trace.ops
        if any(not (ops[x] is UNBATCH or isinstance(ops[x], OverLanes)) for x in found):
            self._trace.refused("stray example")

    def _place(self, node: int, maps: set[int]) -> None:
        newest = len(self._counts) - 1
        if not self.count or maps != {newest}:
            self._trace.refused("stray example")
        self._map_of[node] = newest

    def example(self, examples: Any) -> Any:
        """Return one example whose numbers stand for those of all.

        Raises
        ------
        UnlikeError
            If the examples differ in more than numbers.
        """
        if isinstance(examples, WholeArray):
            return examples.examples(self._stacked)
        return self.batched([examples[k] for k in range(len(examples))])

    def _stacked(self, lanes: int, first: int, step: int) -> Traced:
        """Write the node whose lanes are numbers of an array that is whole."""
        trace = self._trace
        made = trace.append(
            stacked_of(lanes), (trace.constant(float(first)), trace.constant(float(step)))
        )
        trace.plainness.mark(made.index, True)
        return made

    def batched(self, examples: Sequence[Any]) -> Any:
        """Return one example whose numbers stand for those of all `examples`.

        Raises
        ------
        UnlikeError
            If the examples differ in more than numbers.
        """
        first = examples[0]
        if all(x is first for x in examples):
            return first
        if _is_number(first):
            return self._batched_numbers(examples)
        if hasattr(first, "dtype") and hasattr(first, "ravel"):
            return self._batched_arrays(examples)
        if any(type(x) is not type(first) for x in examples):
            raise UnlikeError
        if isinstance(first, dict):
            if any(list(x) != list(first) for x in examples):
                raise UnlikeError
            return like(first, [self.batched([x[key] for x in examples]) for key in first])
        if isinstance(first, list | tuple):
            if any(len(x) != len(first) for x in examples):
                raise UnlikeError
            items = [self.batched(column) for column in zip(*examples, strict=True)]
            return type(first)(*items) if hasattr(first, "_fields") else type(first)(items)
        if any(x != first for x in examples):
            raise UnlikeError
        return first

    def _batched_numbers(self, numbers: Sequence[Any]) -> Any:
        if not all(map(_is_number, numbers)):
            raise UnlikeError
        if not any(isinstance(x, Value) for x in numbers):
            first = float(numbers[0]).hex()
            if all(float(x).hex() == first for x in numbers):
                return numbers[0]
        return self.batch(numbers)

    def _batched_arrays(self, arrays: Sequence[Any]) -> Any:
        if any(getattr(x, "shape", None) != arrays[0].shape for x in arrays):
            raise UnlikeError
        columns = np.array([x.ravel() for x in arrays]).T.tolist()
        found = np.empty(len(columns), dtype=object)
        found[:] = [self.batched(column) for column in columns]
        varies = any(isinstance(x, Value) for x in found)
        return found.reshape(arrays[0].shape) if varies else arrays[0]

    def batch(self, numbers: Sequence[Any]) -> Traced:
        """Write the node whose lanes are `numbers`.

        Numbers alone get a node among them, so that examples are never folded.
        """
        trace = self._trace
        nodes = [trace.refer(x, identity) for x in numbers]
        if all(x in trace.columns.constants for x in nodes):
            nodes[0] = trace.write(identity, (nodes[0],))
        return trace.append(BATCH, tuple(nodes))

    def unbatch(self, node: Traced, lanes: int) -> list[Traced]:
        """Write the nodes that are the lanes of another, one after the other."""
        trace, columns = self._trace, self._trace.columns
        numbers = columns.whole_numbers(lanes)
        self._look()
        run = Taken(len(columns), node.index, lanes)
        self.taken.append(run)
        columns.write_all(UNBATCH, node.index, numbers)
        self._seen = len(columns)
        if trace.is_truth(node):
            for x in run.nodes:
                trace.plainness.mark_truth(x)
        found = trace.all_traced(run.nodes)
        return [trace.detach(x) for x in found] if trace.is_detaching else found


def _is_number(x: Any) -> bool:
    return isinstance(x, Value) or (is_real(x) and not isinstance(x, bool))
