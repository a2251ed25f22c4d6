"""Record the steps of a scan, all but the first few of them at once.

Each step of a scan writes the same nodes as the one before, with other operands. Once two calls of
the step function have done so, from carries of one kind to carries of the same kind, and the second
has changed nothing around it, every further call would do the same. Those steps are written without
calling the function.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from scalargrad.compiler.scan.nesting import Nesting, built
from scalargrad.compiler.scan.surroundings import Surroundings
from scalargrad.compiler.trace.stretch import Stretch
from scalargrad.compiler.trace.trace import Trace
from scalargrad.compiler.trace.traced import Traced

#: So many nodes must be left to be written: to look at all that a function can reach takes a
#: millisecond and more.
WORTH = 10_000
#: How many steps with as many nodes as the one before are looked at.
_LOOKS = 20
#: So many steps have their results made at a time.
_AT_A_TIME = 10_000

#: A step function: from the carry and an entry to the carry and a result.
Step = Callable[[Any, Any], tuple[Any, Any]]


class Call(NamedTuple):
    """A call of the step function: the first node it wrote, what it was given, what it returned."""

    start: int
    carry: Nesting
    entry: Nesting
    carried: Nesting
    result: Nesting


def recorded(
    trace: Trace, step: Step, f: Any, carry: Any, entries: tuple[Iterable[Any], int]
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
    entries : pair of iterable and int
        What each step is given, and how many there are.

    Returns
    -------
    carry, ys
        The last carry, and the result of each step.
    """
    ys: list[Any] = []
    left, count = iter(entries[0]), entries[1]
    written, looks = 0, _LOOKS if _is_simple(trace) else 0
    last: Call | None = None
    while len(ys) < count:
        x, start = next(left), len(trace.columns)
        is_worth = looks > 0 and written * (count - len(ys)) >= WORTH
        given = (Nesting(trace, carry), Nesting(trace, x)) if is_worth else None
        around = Surroundings(trace, f) if last and given and _is_alike(last, given) else None
        carry, y = step(carry, x)
        ys.append(y)
        before, written = written, len(trace.columns) - start
        call = None
        if given and written == before:
            looks -= 1
            call = Call(start, *given, Nesting(trace, carry), Nesting(trace, y))
        if around and last and call:
            looks, rest = 0, [*left]
            further = _Further(trace, around, last, call)
            if further.are_alike([Nesting(trace, x) for x in rest]):
                carry, found = further.written()
                ys += found
            left = iter(rest)
        last = call
    return carry, ys


def _is_simple(trace: Trace) -> bool:
    """Return whether nodes are simply written, not watched one by one, nor those of examples."""
    is_watched = trace.write != trace.columns.write
    return not (is_watched or trace.lanes.are_any() or trace.generators.may_be_fresh)


def _is_alike(last: Call, given: tuple[Nesting, Nesting]) -> bool:
    """Return whether a call is given what the last one was given, but for the numbers."""
    return (last.carry.shape, last.entry.shape) == (given[0].shape, given[1].shape)


class _Further:
    """Writes the steps that follow two alike calls of a step function.

    Parameters
    ----------
    around : Surroundings
        What was around it before the second call.
    last, call : Call
        The two calls.
    """

    def __init__(self, trace: Trace, around: Surroundings, last: Call, call: Call) -> None:
        self._trace, self._around, self._last, self._call = trace, around, last, call
        self._entries: list[Nesting] = []

    def are_alike(self, entries: list[Nesting]) -> bool:
        """Return whether steps on these entries would write the same."""
        self._entries, last, call = entries, self._last, self._call
        if not entries or not self._around.are_seen or self._around.have_changed():
            return False
        if not (call.carry.has_stayed() and call.entry.has_stayed() and self._are_results_new()):
            return False
        if call.carried.shape != call.carry.shape or call.result.shape != last.result.shape:
            return False
        if not (call.result.is_known and self._are_entries_apart()):
            return False
        self._stretch = Stretch(self._trace, call.start, (last.entry.nodes, call.entry.nodes))
        self._carried = self._stretch.moves(call.carry.nodes, call.carried.nodes)
        self._results = self._stretch.moves(last.result.nodes, call.result.nodes)
        return self._stretch.is_repeated and self._results is not None and self._goes_on()

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
        """Return whether entries are of one kind, and nothing else leads to what is in them."""
        call, around = self._call, self._around
        alike = [self._last.entry, call.entry, *self._entries]
        if any(x.shape != call.entry.shape for x in self._entries):
            return False
        nodes = np.array([x.nodes for x in alike], np.int64).reshape(len(alike), -1)
        steady = (nodes[1:] == nodes[0]).all(axis=0)
        if not (steady | (nodes[0] != nodes[1])).all():
            return False
        if any(len({*x.nodes.tolist()}) != len({*map(id, x.traced)}) for x in alike[:2]):
            return False
        self._nodes = nodes[2:]
        found = {*nodes.ravel().tolist()}
        containers = {id(y) for x in alike for y in x.containers}
        return (
            found.isdisjoint(around.nodes)
            and found.isdisjoint(call.carry.nodes.tolist())
            and containers.isdisjoint(around.met)
            and max(found, default=-1) < self._last.start
        )

    def written(self) -> tuple[Any, list[Any]]:
        """Write the nodes of all steps; return the last carry, and the results."""
        call, count = self._call, len(self._entries)
        assert self._carried is not None
        assert self._results is not None
        self._stretch.write(self._nodes)
        every = [
            self._last.entry,
            *self._entries,
            call.carry,
            call.entry,
            call.carried,
            call.result,
        ]
        self._numbers = {x.index: x for nesting in every for x in nesting.traced}
        ys: list[Any] = []
        for low in range(0, count, _AT_A_TIME):
            times = np.arange(low, min(low + _AT_A_TIME, count))
            nodes = self._results.at(times + 1, self._nodes[times])
            numbers = map(self._number, nodes.ravel().tolist())
            for _ in times:
                made: dict[int, Any] = {}
                ys.append(built(call.result.tree, numbers, made))
        carried = self._carried.at(np.array([count]), self._nodes[-1:])
        last = built(call.carried.tree, map(self._number, carried.ravel().tolist()), made)
        return last, ys

    def _number(self, node: int) -> Traced:
        """Return the one traced number of a node."""
        found = self._numbers.get(node)
        if found is None:
            found = self._numbers[node] = self._trace.all_traced([node])[0]
        return found
