"""Lanes of nodes: the examples of a vmap side by side, and all that is computed from them.

A function of one example is recorded once, on a node whose lane k is the number of example k. What
it computes from that has as many lanes; afterwards, single lanes are the results.
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from scalargrad.compiler.array_types import Floats
from scalargrad.compiler.call.arguments import Fresh, Walk, float_from, is_leaf, number_of, rebuilt
from scalargrad.compiler.generators import Draw
from scalargrad.compiler.passes.kinds import BATCH, UNBATCH, Held, Stacked, makes_lanes
from scalargrad.compiler.trace.traced import Traced
from scalargrad.compiler.trace.whole_arrays import WholeArray
from scalargrad.engine.draws import made_by
from scalargrad.engine.value import Value
from scalargrad.errors import OperandError, TraceError
from scalargrad.ops import identity

if TYPE_CHECKING:
    from scalargrad.compiler.trace.trace import Trace

#: The fewest examples whose results are returned together.
FEWEST = 256


class Lanes:
    """The lanes of the nodes of a recording, and the methods that write them.

    Parameters
    ----------
    trace : Trace
        The recording.

    Attributes
    ----------
    count : int
        The number of examples of the vmap under way; 0 outside.
    sizes : dict from int to int
        For each node seen so far that has lanes, their number.
    taken : dict from int to (int, int)
        For the first of the nodes that are the single lanes of another, that one, and how many.
    drawn_for_one : list of (Draw, list of int)
        The draws of the example under way, and the inputs that stand for those of the others.
    shared : set of int
        The nodes that are the result of each example of a vmap, where eager code has one for each.
    """

    def __init__(self, trace: Trace) -> None:
        self.count = 0
        self.taken: dict[int, tuple[int, int]] = {}
        self._trace: Trace = weakref.proxy(trace)  # which holds this
        self.sizes: dict[int, int] = {}
        self._seen = self._first = 0  # of all nodes, and of this vmap
        self.drawn_for_one: list[tuple[Draw, list[int]]] = []
        self.shared: set[int] = set()
        self._batches: dict[tuple[int, ...], Traced] = {}  # of the vmap under way

    @contextmanager
    def one_example(self, count: int) -> Iterator[None]:
        """Within the ``with`` block, record a function that stands for `count` examples."""
        self.look()
        trace, self.count = self._trace, count
        self._first = self._seen = len(trace.ops)
        try:
            yield
            with made_by(None):  # in the order of a loop over examples
                for k in range(count - 1 if self.drawn_for_one else 0):
                    for draw, leaves in self.drawn_for_one:
                        trace.known[leaves[k]] = float(draw())
                        trace.draws.append((draw, leaves[k]))
        finally:
            self.look()  # after an error too, should a node be used outside
            self.drawn_for_one.clear()
            self._batches.clear()
            self.count = 0

    def drawn(self, draw: Draw, first: Traced) -> Traced:
        """Return a node with a random number for each example; `first` is that of the first."""
        others = self._trace.inputs([0.0] * (self.count - 1))
        self.drawn_for_one.append((draw, [x.index for x in others]))
        return self.batch([first, *others])

    def size(self, index: int) -> int:
        """Return the number of lanes of a node, 1 for a single number."""
        self.look()
        return self.sizes.get(index, 1)

    def look(self) -> None:
        """Find which of the nodes written since the last call have lanes, and check their use.

        What is written when the function has returned is none of its own.
        """
        trace, sizes = self._trace, self.sizes
        if not ((sizes or self.count) and trace.is_open):
            return
        first, self._seen = self._seen, len(trace.ops)
        for x in range(first, self._seen):
            wide = [y for y in trace.columns.args(x) if y in sizes]
            if wide and not (self.count and min(wide) >= self._first):
                trace.refused("stray example")
            if wide or makes_lanes(trace.ops[x]):
                sizes[x] = self.count

    def batch(self, numbers: Sequence[Any]) -> Traced:
        """Write the node whose lanes are `numbers`."""
        trace = self._trace
        key = tuple([trace.refer(x, identity) for x in numbers])
        if key not in self._batches:  # where examples hold a number twice, it is one
            self._batches[key] = trace.traced(BATCH, key)
        return self._batches[key]

    def unbatch(self, node: Traced, lanes: int) -> list[Traced]:
        """Return the single lanes of a node, in order: numbers of examples as they were given."""
        trace, columns = self._trace, self._trace.columns
        if columns.ops[node.index] is BATCH:
            return trace.all_traced(columns.args(node.index))
        places = [columns.constant(float(k)) for k in range(lanes)]
        self.look()
        self.taken[len(columns)] = node.index, lanes
        nodes = trace.write_all(UNBATCH, [(node.index, place) for place in places])
        self._seen = len(columns)
        if trace.is_truth(node):
            for x in nodes:
                trace.plainness.mark_truth(x)
        found = trace.all_traced(nodes)
        return [trace.detach(x) for x in found] if trace.is_detaching else found

    def returned_together(self, outputs: Sequence[int]) -> list[tuple[int, int]]:
        """Return the outputs as (node, lanes), all lanes of a node in order as that node."""
        found: list[tuple[int, int]] = []
        at = 0
        while at < len(outputs):
            first = outputs[at]
            source, lanes = self.taken.get(first, (first, 1))
            if lanes < FEWEST or outputs[at : at + lanes] != [*range(first, first + lanes)]:
                source, lanes = first, 1
            found.append((source, lanes))
            at += lanes
        return found


# The examples of vmap ----------------------------------------------------------------------


class UnlikeError(Exception):
    """Examples differ in more than their numbers, so they cannot share one recording."""


def example(trace: Trace, examples: Any) -> Any:
    """Return an example whose numbers have a lane for each of the examples.

    Raises
    ------
    UnlikeError
        If the examples differ in more than their numbers.
    """
    if isinstance(examples, WholeArray):
        return examples.examples(functools.partial(_stacked, trace))
    if type(examples) is np.ndarray and examples.dtype.kind in "fiu":
        return rebuilt([examples[0]], Fresh(iter(_lanes(trace, examples)), {}))[0]
    examples = [examples[k] for k in range(len(examples))]
    first = examples[0]
    if all(map(is_leaf, examples)):
        return _lanes(trace, examples)[0]
    walks = walked_alike(examples)
    if not walks:
        if all(x is first for x in examples):
            return first
        raise UnlikeError
    columns = zip(*[walk.leaves for walk in walks], strict=True)
    numbers = chain.from_iterable(_lanes(trace, column) for column in columns)
    return rebuilt([first], Fresh(numbers, {}))[0]


def _stacked(trace: Trace, lanes: int, first: int, step: int) -> Traced:
    """Write a node whose lanes are numbers of a `WholeArray`, `step` apart."""
    made = trace.traced(Stacked(lanes), (trace.constant(float(first)), trace.constant(float(step))))
    trace.plainness.mark(made.index, plain=True)
    return made


def walked_alike(trees: Sequence[Any]) -> list[Walk]:
    """Return the walks over trees that differ in nothing but numbers; none of others."""
    walks = [Walk() for _ in trees]
    try:
        for walk, x in zip(walks, trees, strict=True):
            walk.take_one(x)
    except (TraceError, OperandError, RecursionError):  # what is no argument
        return []
    return walks if all(walk.key == walks[0].key for walk in walks) else []


def _lanes(trace: Trace, leaves: Any) -> list[Any]:
    """Return what takes the place of a number, or of each number of an array, of the examples."""
    first = leaves[0]
    if all(x is first for x in leaves):
        return [first]
    if isinstance(first, np.ndarray):
        columns = np.reshape(leaves, (len(leaves), -1)).T
        found = [_held(trace, _floats(column), column[0].item()) for column in columns]
        return found if any(isinstance(x, Value) for x in found) else [first]
    if any(isinstance(x, Value) for x in leaves):
        return [trace.lanes.batch(leaves)]
    return [_held(trace, _floats(leaves), first)]


def _held(trace: Trace, numbers: Floats, first: Any) -> Any:
    """Write a node with these lanes, unless they are the same number."""
    bits = numbers.tobytes()
    if bits == bits[:8] * len(numbers):
        return first
    made = trace.traced(Held(bits), ())
    trace.plainness.mark(made.index, plain=True)
    return made


def _floats(numbers: Any) -> Floats:
    """Return numbers as floats.

    Raises
    ------
    UnlikeError
        If an integer among them equals no float.
    """
    try:
        if isinstance(numbers, np.ndarray):
            return np.asarray(number_of(numbers), np.float64)
        return np.array([*map(float_from, numbers)])
    except (TraceError, OperandError):
        raise UnlikeError from None
