"""Record the steps of a scan, all but the first few of them at once.

Each step of a scan writes the same nodes as the one before, with other operands. Once two calls of
the step function have done so, from carries of one kind to carries of the same kind, and the second
has changed nothing around it, every further call would do the same. Those steps are written without
calling the function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from scalargrad.compiler.array_types import Integers
from scalargrad.compiler.scan.nesting import Entries, Nesting, built
from scalargrad.compiler.scan.step_state import StepState
from scalargrad.compiler.trace.stretch import Stretch
from scalargrad.compiler.trace.trace import Trace
from scalargrad.compiler.trace.traced import Traced

#: So many nodes must be left to be written: to look at all that a function can reach takes a
#: millisecond and more.
WORTH = 10_000
#: How many steps with as many nodes as the one before are looked at.
_LOOKS = 20
#: All steps have so many nodes at most, which take a minute and some gigabytes.
_MOST = 10_000_000
#: So many steps have their results made at a time.
_AT_A_TIME = 10_000

#: A step function: from the carry and an entry to the carry and a result.
Step = Callable[[Any, Any], tuple[Any, Any]]


class StepCall(NamedTuple):
    """A call of the step function: the first node it wrote, what it was given, what it returned."""

    start: int
    carry: Nesting
    entry: Nesting
    carried: Nesting
    result: Nesting


def recorded(
    trace: Trace, step: Step, f: Any, carry: Any, entries: tuple[Callable[[], Iterable[Any]], int]
) -> tuple[Any, list[Any]]:
    """Call a step function on one entry after the other, or write the steps that are alike.

    Parameters
    ----------
    trace : Trace
        The recording under way.
    step : callable
        Calls `f`, and returns the carry and a result.
    f : callable
        The step function itself, whose surroundings are looked at.
    entries : pair of callable and int
        Returns what the steps are given, in order; how many there are.

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
    left, count, first = iter(entries[0]()), entries[1], len(trace.columns)
    written, looks = 0, _LOOKS if _is_simple(trace) else 0
    last: StepCall | None = None
    while len(ys) < count:
        x, start = next(left), len(trace.columns)
        is_worth = looks > 0 and written * (count - len(ys)) >= WORTH
        given = (Nesting(trace, carry), Nesting(trace, x, is_entry=True)) if is_worth else None
        around = StepState(trace, f) if last and given and _is_alike(last, given) else None
        carry, y = step(carry, x)
        ys.append(y)
        before, written = written, len(trace.columns) - start
        if written * count > _MOST:
            trace.refuse(
                f"a scan or while_loop takes {count:,} steps of {written:,} operations",
                "compile the step alone, and call scan(jit(step), init, xs) outside",
            )
        call = None
        if given and written == before:
            looks -= 1
            call = StepCall(start, *given, Nesting(trace, carry), Nesting(trace, y))
        if around and last and call:
            looks, further = 0, _Further(trace, around, last, call)
            if len(ys) < count and further.is_possible():
                rest = [*islice(entries[0](), len(ys), None)]
                if further.takes(Entries(trace, rest, call.entry)):
                    carry, found = further.written()
                    ys += found
        last = call
    trace.steps.append(range(first, len(trace.columns)))
    return carry, ys


def _is_simple(trace: Trace) -> bool:
    """Return whether nodes are simply written, not those of examples."""
    return not (trace.lanes.are_any() or trace.generators.may_be_fresh)


def _is_alike(last: StepCall, given: tuple[Nesting, Nesting]) -> bool:
    """Return whether a call is given what the last one was given, but for the numbers."""
    return (last.carry.shape, last.entry.shape) == (given[0].shape, given[1].shape)


class _Further:
    """Writes the steps that follow two alike calls of a step function.

    Parameters
    ----------
    around : StepState
        What was around it before the second call.
    last, call : StepCall
        The two calls.
    """

    def __init__(self, trace: Trace, around: StepState, last: StepCall, call: StepCall) -> None:
        self._trace, self._around, self._last, self._call = trace, around, last, call

    def is_possible(self) -> bool:
        """Return whether another call would write the same, given what is like the last entry."""
        last, call, around = self._last, self._call, self._around
        if not around.are_seen or around.have_changed():
            return False
        if not (call.carry.has_stayed() and call.entry.has_stayed() and self._are_results_new()):
            return False
        if call.carried.shape != call.carry.shape or call.result.shape != last.result.shape:
            return False
        self._stretch = Stretch(self._trace, call.start, (last.entry.nodes, call.entry.nodes))
        self._carried = self._stretch.moves(call.carry.nodes, call.carried.nodes)
        self._results = self._stretch.moves(last.result.nodes, call.result.nodes)
        are_clear = self._stretch.is_repeated and self._results is not None and self._goes_on()
        return are_clear and call.result.is_known

    def takes(self, entries: Entries) -> bool:
        """Return whether steps on these entries are alike."""
        self._entries = entries
        return entries.are_alike and self._are_entries_apart()

    def _goes_on(self) -> bool:
        """Return whether all that is carried is computed in a step, or stays as it is."""
        carried = self._carried
        if carried is None or (carried.places >= 0).any():
            return False
        return bool(((carried.steps == 0) | (carried.nodes >= self._call.start)).all())

    def _are_results_new(self) -> bool:
        """Return whether all containers that a call returned were made by it."""
        call = self._call
        known = {*self._around.met, *map(id, (*call.carry.containers, *call.entry.containers))}
        return known.isdisjoint(map(id, (*call.carried.containers, *call.result.containers)))

    def _are_entries_apart(self) -> bool:
        """Return whether it is clear which numbers are those of an entry, and nothing else is."""
        last, call, around = self._last, self._call, self._around
        first = [last.entry.nodes], [call.entry.nodes]
        self._nodes = self._entries.nodes
        nodes = np.concatenate([*first, self._nodes])
        steady = (nodes == nodes[0]).all(axis=0)
        found = {*nodes.ravel().tolist()}
        met = [*self._entries.containers, *last.entry.containers, *call.entry.containers]
        return (
            bool((steady | (nodes[0] != nodes[1])).all())
            and all(len({*x.nodes.tolist()}) == x.distinct for x in (last.entry, call.entry))
            and found.isdisjoint(around.nodes)
            and found.isdisjoint(call.carry.nodes.tolist())
            and around.met.keys().isdisjoint(map(id, met))
            and max(found, default=-1) < last.start
        )

    def written(self) -> tuple[Any, list[Any]]:
        """Write the nodes of all steps; return the last carry, and the results."""
        call, count = self._call, len(self._entries)
        assert self._carried is not None
        assert self._results is not None
        self._stretch.write(self._nodes)
        every = self._entries, self._last.entry, *call[1:]
        self._numbers = {x.index: x for known in every for x in known.traced}
        ys: list[Any] = []
        for low in range(0, count, _AT_A_TIME):
            times = np.arange(low, min(low + _AT_A_TIME, count))
            nodes = self._results.at(times + 1, self._nodes[times])
            numbers = iter(self._numbers_of(nodes))
            made: dict[int, Any] = {}
            if isinstance(call.result.tree, Traced):
                ys += numbers
                continue
            if call.result.tree is None:
                ys += [None] * len(times)
                continue
            for _ in times:
                made = {}
                ys.append(built(call.result.tree, numbers, made))
        carried = self._carried.at(np.array([count]), self._nodes[-1:])
        last = built(call.carried.tree, iter(self._numbers_of(carried)), made)
        return last, ys

    def _numbers_of(self, nodes: Integers) -> list[Traced]:
        """Return the traced numbers of nodes, one for each node."""
        asked, known = nodes.ravel().tolist(), self._numbers
        unknown = [node for node in asked if node not in known]
        known.update(zip(unknown, self._trace.all_traced(unknown), strict=True))
        return [known[node] for node in asked]
