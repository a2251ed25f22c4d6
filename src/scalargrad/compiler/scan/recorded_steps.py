"""Record the steps of a scan, all but the first few of them at once.

If the carry and the entry of a step differ from the last ones in numbers alone, the step is given
stand-ins for these. If it changes nothing around it, every further call would write the same nodes:
they are written without calling the function, with other numbers in place of the stand-ins.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain, compress
from typing import Any, NamedTuple

import numpy as np

from scalargrad.compiler.array_types import Integers
from scalargrad.compiler.call.arguments import Fresh, rebuilt
from scalargrad.compiler.call.outline import filler, outlined
from scalargrad.compiler.guards.refused import is_followed
from scalargrad.compiler.passes.kinds import ADJOINT, DIRECTION, LOSS, TAKE, TANGENT
from scalargrad.compiler.trace.example_lanes import walked_alike
from scalargrad.compiler.trace.side_effects import Snapshot
from scalargrad.compiler.trace.trace import Trace
from scalargrad.compiler.trace.traced import Traced, TracedParameter
from scalargrad.errors import TraceError
from scalargrad.opdef.operation import Operation

#: The fewest nodes left to be written for which a search for a repeated step is worth it: to read
#: all that a function can reach takes a millisecond or more.
WORTH = 10_000
#: The most steps after which this search is made.
_LOOKS = 20
#: The most nodes of all steps together, which take a minute and some gigabytes.
_MOST = 10_000_000

#: The types of traced numbers, of most entries, and of what may be changed.
_TRACED, _SINGLE = {Traced, TracedParameter}, {Traced, type(None)}
_MUTABLE = (list, dict, np.ndarray)

#: A step function: from the carry and an entry to the carry and a result.
Step = Callable[[Any, Any], tuple[Any, Any]]


class Nesting(NamedTuple):
    """Traced numbers in lists, tuples, dicts, arrays and dataclasses.

    Attributes
    ----------
    tree
        All of it, or the first of several that are alike.
    numbers : list of Traced
        The numbers, of one after the other, in the order of a walk over arguments.
    form
        Equal to that of another nesting which differs in nothing but traced numbers of one kind.
    """

    tree: Any
    numbers: list[Traced]
    form: Any

    @property
    def nodes(self) -> Integers:
        """The nodes of the numbers."""
        return np.array([x.index for x in self.numbers], np.int64)

    def with_numbers(self, numbers: list[Traced]) -> Any:
        """Return the same with other numbers."""
        return rebuilt([self.tree], Fresh(iter(numbers), {}))[0]


def recorded(
    trace: Trace, step: Step, f: Any, carry: Any, entries: tuple[Callable[[int], Any], int]
) -> tuple[Any, list[Any]]:
    """Call a step function on one entry after the other, or write the steps that are alike.

    Parameters
    ----------
    trace : Trace
        The recording under way.
    step : callable
        Calls `f`, and returns the carry and a result.
    f : callable
        The step function itself, whose surroundings are read.
    entries : pair of callable and int
        Returns what a step is given, by its number; how many steps there are.

    Returns
    -------
    carry, ys
        The last carry, and the result of each step.

    Raises
    ------
    TraceError
        If all steps together have too many operations.
    """
    ys: list[Any] = []
    entry, count = entries
    first, written, looks = len(trace.columns), 0, _LOOKS
    last: Nesting | None = None
    while len(ys) < count:
        start, given = len(trace.columns), (carry, entry(len(ys)))
        around = further = None
        if looks and written * (count - len(ys)) >= WORTH:
            looks -= 1
            before, last = last, _alike(trace, [carry])
            if before and last and before.form == last.form:
                looks = 0
                if further := _further(trace, before, last, given[1]):
                    given = further.given
                    around = _Around(trace, f, given)
        carry, y = step(*given)
        ys.append(y)
        written = len(trace.columns) - start
        if written * count > _MOST:
            trace.refuse(
                f"a scan or while_loop takes {count:,} steps of {written:,} operations",
                "compile only the step, and call scan(jit(step), init, xs) outside",
                is_final=True,
            )
        if around and further and around.is_left((carry, y)):
            rest = [*map(entry, range(len(ys), count))]
            if found := further.copied(carry, y, rest, around.nodes()):
                carry, ys[-1:] = found
    trace.steps.append(range(first, len(trace.columns)))
    return carry, ys


class _Around(Snapshot):
    """A snapshot of all that a step can reach, and of the notes of a recording before it."""

    def __init__(self, trace: Trace, f: Any, given: tuple[Any, Any]) -> None:
        super().__init__([f, given])
        self._trace, self._noted = trace, trace.fingerprint()

    def nodes(self) -> set[int]:
        """Return the nodes of the numbers that the step can reach."""
        held = chain.from_iterable(x.before.values() for x in self.found.values())
        return {x.index for x in held if type(x) in _TRACED}

    def is_left(self, result: Any) -> bool:
        """Return whether a step has surely neither changed nor returned a part of it."""
        held = {place for place, x in self.met.items() if isinstance(x, _MUTABLE)}
        return (
            self._trace.fingerprint() == self._noted
            and all(map(is_followed, self.met.values()))
            and not (self.changed() or self.generators.advanced())
            and held.isdisjoint(Snapshot([result]).met)
        )


def _alike(trace: Trace, trees: list[Any]) -> Nesting | None:
    """Return the traced numbers of trees that differ in nothing but these; None of others."""
    numbers, key = [x for x in trees if x is not None], list[Any]([type(trees[0])])
    if not {*map(type, trees)} <= _SINGLE:
        walks = walked_alike(trees)
        if not walks or any(walk.objects for walk in walks):
            return None
        key, numbers = walks[0].key, [x for walk in walks for x in walk.leaves]
    if not all(type(x) in _TRACED and x.trace is trace for x in numbers):
        return None
    of, nodes = trace.plainness, [x.index for x in numbers]
    #: The properties of a number, besides its value, that decide what is written for it.
    properties = trace.ops.__getitem__, of.age, of.is_truth, trace.is_leaf
    kinds = [*zip(map(type, numbers), *(map(ask, nodes) for ask in properties), strict=True)]
    one = kinds[: len(kinds) // len(trees)]
    return Nesting(trees[0], numbers, (key, one)) if kinds == one * len(trees) else None


def _further(trace: Trace, before: Nesting, carry: Nesting, x: Any) -> _Further | None:
    """Return a step that is given stand-ins; None if later ones could not be copies of it."""
    entry = _alike(trace, [x])
    if entry is None or trace.lanes.sizes or trace.lanes.count or trace.generators.may_be_fresh:
        return None
    nodes = [*carry.nodes, *entry.nodes]
    return _Further(trace, before, carry, entry) if len({*nodes}) == len(nodes) else None


class _Further:
    """A step that is given stand-ins, and all that follow it.

    Parameters
    ----------
    before, carry, entry : Nesting
        The carry that the step before was given, that of this step, and its entry. Numbers of the
        carry that have stayed have no stand-ins.

    Attributes
    ----------
    given : tuple
        The carry and the entry that the step is given. Its nodes follow the stand-ins.
    """

    def __init__(self, trace: Trace, before: Nesting, carry: Nesting, entry: Nesting) -> None:
        self._trace, self._carry, self._entry = trace, carry, entry
        self._moves = before.nodes != carry.nodes
        self._given = np.concatenate([carry.nodes[self._moves], entry.nodes])
        moving = [*compress(carry.numbers, self._moves), *entry.numbers]
        fresh = iter([*map(trace.stand_in, moving)])
        self._first = len(trace.columns)
        pairs = zip(carry.numbers, self._moves, strict=True)
        numbers = [next(fresh) if moves else x for x, moves in pairs]
        self.given = carry.with_numbers(numbers), entry.with_numbers([*fresh])

    def copied(
        self, carry: Any, y: Any, rest: list[Any], reached: set[int]
    ) -> tuple[Any, list[Any]] | None:
        """Write the steps on all other entries; return the last carry, and the results of all.

        None if the result of the step, or another entry, differs in form from its arguments, or if
        the step can reach an entry: it may ask whether it is the last.
        """
        trace = self._trace
        carried, entries = _alike(trace, [carry]), _alike(trace, [self._entry.tree, *rest])
        if not (carried and carried.form == self._carry.form and entries):
            return None
        if not reached.isdisjoint(entries.nodes.tolist()):
            return None
        values: list[Any] = []
        try:
            fill = filler(outlined(y, values))
        except TraceError:  # no result of a program
            return None
        nodes = carried.nodes
        goes_on = np.where(self._moves, nodes >= self._first, nodes == self._carry.nodes).all()
        if not (goes_on and self._can_repeat() and all(type(x) in _TRACED for x in values)):
            return None
        count, wide = 1 + len(rest), len(values)
        self._repeat(nodes[self._moves], entries.nodes.reshape(count, -1))
        known = {x.index: x for x in (*entries.numbers, *values, *carried.numbers)}

        def numbers_of(nodes: Integers) -> list[Traced]:
            wanted = nodes.ravel().tolist()
            unknown = [x for x in wanted if x not in known]
            known.update(zip(unknown, trace.all_traced(unknown), strict=True))
            return [known[x] for x in wanted]

        found = numbers_of(self._at(np.array([x.index for x in values], np.int64)))
        ys = [fill(found[k * wide : (k + 1) * wide]) for k in range(count)]
        return carried.with_numbers(numbers_of(self._at(nodes)[-1])), ys

    def _can_repeat(self) -> bool:
        """Return whether all that was written can be written again."""
        return all(
            isinstance(op, Operation) or op in {ADJOINT, DIRECTION, LOSS, TAKE, TANGENT}
            for op in {*self._trace.columns.ops[self._first :]}
        )

    def _repeat(self, carried: Integers, entries: Integers) -> None:
        """Write the nodes of the step for all entries, the first as if it had read no stand-ins.

        Parameters
        ----------
        carried : integers
            The nodes of the step that the next is given first.
        entries : integers, times × numbers
            What it is given besides: a row for the step itself, then one for each of the others.
        """
        trace, columns, first = self._trace, self._trace.columns, self._first
        length, count, width = len(columns) - first, len(entries), len(carried)
        self._starts = first + length * np.arange(count)[:, np.newaxis]
        moved = self._at(carried, slice(count - 1))
        self._read = np.hstack([np.vstack([self._given[:width], moved]), entries])
        begin = columns.first[first]
        read = self._at(np.array(columns.operands[begin:], np.int64))
        ends = (
            np.array(columns.first[first + 1 :]) + read.shape[1] * np.arange(count)[:, np.newaxis]
        )
        del columns.operands[begin:], columns.first[first + 1 :]
        columns.operands.frombytes(read.astype(np.int32).tobytes())
        columns.first.frombytes(ends.astype(np.int32).tobytes())
        columns.ops += columns.ops[first:] * (count - 1)
        starts = self._starts[1:, 0].tolist()
        finite = [x - first for x in trace.finite if x >= first]
        trace.finite += [at + x for at in starts for x in finite]
        trace.plainness.mark_again(range(first, first + length), starts)

    def _at(self, nodes: Integers, times: slice = slice(None)) -> Integers:
        """Return the nodes in the place of those of the step, a row for each time."""
        found = np.where(nodes >= self._first, nodes - self._first + self._starts[times], nodes)
        start = self._first - len(self._given)
        read = np.flatnonzero((nodes >= start) & (nodes < self._first))
        if len(read):
            found[:, read] = self._read[times, nodes[read] - start]
        return found
