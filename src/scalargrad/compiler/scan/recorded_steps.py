"""Record the steps of a scan, all but the first few of them at once.

Each step of a scan writes the same nodes as the one before, with other operands. So the step
function is called until it has written as many nodes twice, for carries of one structure. The next
call is given copies of its carry and its entry, which shows where each operand comes from. If it
writes what the call before it wrote, and leaves all that is around it as it was, every further call
would do the same: those steps are written without calling the function.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from itertools import cycle
from operator import is_
from typing import Any

import numpy as np

from scalargrad.compiler.array_types import Integers
from scalargrad.compiler.trace.side_effects import AroundExample
from scalargrad.compiler.trace.stretch import Sources, Stretch
from scalargrad.compiler.trace.trace import Trace
from scalargrad.compiler.trace.traced import Traced, TracedParameter
from scalargrad.tree import is_object_array, own_attributes, replaced
from scalargrad.value import Value

#: So many nodes must be left to be written: to look at all that a function can reach takes a
#: millisecond and more.
WORTH = 10_000
#: How many steps with as many nodes as the one before are looked at.
_LOOKS = 20
#: The deepest nesting that is followed.
_DEEPEST = 20
#: Leaves that say all about themselves.
_ATOMS = {int, float, bool, str, np.float64, type(None)}

#: A step function: from the carry and an entry to the carry and a result.
Step = Callable[[Any, Any], tuple[Any, Any]]


def recorded(
    trace: Trace, step: Step, carry: Any, entries: Sequence[Any], f: Any
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

    Returns
    -------
    carry, ys
        The last carry, and the result of each step.
    """
    ys: list[Any] = []
    written, looks, further = -1, _LOOKS if _is_simple(trace) else 0, None
    while len(ys) < len(entries):
        given, start = (carry, entries[len(ys)]), len(trace.columns)
        carry, y = step(*given)
        ys.append(y)
        if further is not None:
            carry, found = further.made(carry, entries[len(ys) :])
            ys += found
            further, looks = None, 0
        before, written = written, len(trace.columns) - start
        left = len(entries) - len(ys)
        if looks and left and written == before and written * left >= WORTH:
            looks -= 1
            now = carry, entries[len(ys)]
            if _Numbers(trace, given).shape == _Numbers(trace, now).shape:
                further = _Further(trace, step, f, now)
    return carry, ys


def _is_simple(trace: Trace) -> bool:
    """Return whether nodes are simply written, not watched one by one, nor those of examples."""
    is_watched = trace.write != trace.columns.write
    return not (is_watched or trace.lanes.are_any() or trace.generators.may_be_fresh)


class _Numbers:
    """A nesting of numbers.

    Attributes
    ----------
    shape
        Equal to that of another nesting which differs in nothing but traced numbers.
    values : list of Value
        All Values in it, in order.
    containers : list
        The lists, dicts and arrays in it that hold traced numbers.
    kept : list
        Those that hold none.
    is_known : bool
        Whether there is nothing else, such as an object that may hold more.
    """

    def __init__(self, trace: Trace, tree: Any) -> None:
        self._trace, self.tree = trace, tree
        self.values: list[Value] = []
        self.traced: list[Traced] = []
        self.containers: list[Any] = []
        self.kept: list[Any] = []
        self.is_known = True
        self.shape = self._shape(tree, 0)

    def _shape(self, x: Any, depth: int) -> Any:
        if isinstance(x, Value):
            self.values.append(x)
            return self._kind(x) if isinstance(x, Traced) else id(x)
        if type(x) in _ATOMS:
            return type(x), repr(x)
        is_container = isinstance(x, list | tuple | dict) and not own_attributes(x)
        if depth == _DEEPEST or not (is_container or is_object_array(x)):
            self.is_known = False
            return object()  # equal to nothing
        keys = [*x] if isinstance(x, dict) else getattr(x, "shape", None)
        items = x.values() if isinstance(x, dict) else x if is_container else x.flat
        before = len(self.traced)
        inner = [self._shape(y, depth + 1) for y in items]
        if len(self.traced) == before:
            self.kept.append(x)
        elif not isinstance(x, tuple):
            self.containers.append(x)
        return type(x), keys, inner

    def _kind(self, x: Traced) -> Any:
        """Return what must be the same of a traced number in the same place."""
        self.traced.append(x)
        is_own = type(x) in {Traced, TracedParameter} and x.trace is self._trace
        self.is_known &= is_own
        if not is_own or self._trace.is_truth(x):  # a copy would be no bool
            return object()
        return type(x), self._trace.plainness.of(x.index)

    @property
    def nodes(self) -> Integers:
        """The nodes of the traced numbers."""
        return np.array([x.index for x in self.traced], np.int64)

    def has_stayed(self) -> bool:
        """Return whether the containers hold what they held, traced numbers included."""
        now = _Numbers(self._trace, self.tree)
        same = len(now.values) == len(self.values) and all(map(is_, now.values, self.values))
        return same and bool(now.shape == self.shape)

    def on(self, rows: Any) -> list[Any]:
        """Return, for each row of other nodes, the nesting with their traced numbers."""
        kinds = cycle(map(type, self.traced))
        numbers = iter(self._trace.standing_for(np.ravel(rows).tolist(), kinds))
        if isinstance(self.tree, Traced):
            return [*numbers]
        return [
            replaced(self.tree, lambda x: next(numbers) if isinstance(x, Traced) else x)
            for _ in rows
        ]

    def copied(self, nodes: Iterable[int]) -> Any:
        """Return the same, in which a container that is in several places is one again."""
        numbers = self._trace.standing_for(nodes, map(type, self.traced))
        memo = {id(x): x for x in (*self.kept, *self.values)}
        memo |= {id(x): y for x, y in zip(self.traced, numbers, strict=True)}
        return copy.deepcopy(self.tree, memo)


class _Further:
    """Makes the steps that follow the next call of the step function.

    Parameters
    ----------
    given : tuple
        The carry and the entry that it will be given.
    """

    def __init__(self, trace: Trace, step: Step, f: Any, given: tuple[Any, Any]) -> None:
        self._trace, self._step, self._start = trace, step, len(trace.columns)
        self._given, self._noted = _Numbers(trace, given), trace.noted()
        self._around = AroundExample([f, *given], trace)

    def made(self, carry: Any, entries: Sequence[Any]) -> tuple[Any, list[Any]]:
        """Make all steps if they are alike, else none, or the next one."""
        trace, end = self._trace, len(self._trace.columns)
        if not entries or self._has_changed() or not self._around.is_all_seen():
            return carry, []
        carried, first = _Numbers(trace, carry), _Numbers(trace, (carry, entries[0]))
        rows = self._rows(entries)
        if rows is None or first.shape != self._given.shape:
            return carry, []
        given = _Numbers(trace, first.on([trace.copies(first.traced)])[0])
        carry, y = self._step(*given.tree)
        now, result = _Numbers(trace, carry), _Numbers(trace, y)
        stays = not self._has_changed() and given.has_stayed() and now.shape == carried.shape
        if stays and result.is_known and self._are_new(now, result, given):
            stretch = Stretch(trace, end, len(first.traced))
            onward = stretch.sources(now.nodes)
            if self._is_repeated(stretch, onward, first.nodes):
                _carry_on(rows, carried.nodes, onward, (end, len(stretch)))
                return self._written(stretch, rows, _Numbers(trace, (carry, y)), result)
        return carry, [y]

    def _has_changed(self) -> bool:
        """Return whether the step function has changed or noted anything since."""
        return self._trace.noted() != self._noted or not self._around.is_as_it_was()

    def _are_new(self, carried: _Numbers, result: _Numbers, given: _Numbers) -> bool:
        """Return whether no container in a carry and a result must be one that was there before.

        The result may share some with the carry, or with the carry before, but not with both: the
        results of all steps would share them.
        """
        new, old, y = ({*map(id, x.containers)} for x in (carried, given, result))
        shares_both = not (y.isdisjoint(new) or y.isdisjoint(old))
        return not shares_both and self._around.met.keys().isdisjoint(new | y)

    def _is_repeated(self, stretch: Stretch, onward: Sources, given: Integers) -> bool:
        """Return whether a stretch is what the last call wrote, which led to what was given."""
        before = self._given.nodes
        if not stretch.is_repeatable() or not stretch.is_at(self._start, before):
            return False
        written = np.arange(self._start, self._start + len(stretch))
        now = onward.among(np.concatenate([before, written])[np.newaxis])[0]
        return np.array_equal(now, given[: len(now)])

    def _rows(self, entries: Sequence[Any]) -> Integers | None:
        """Return room for the nodes of the carry, and those of each entry if all are alike."""
        every = _Numbers(self._trace, [*entries])
        first, *others = every.shape[-1]
        if any(x != first for x in others):
            return None
        rows = np.zeros((len(entries), len(self._given.traced)), np.int64)
        nodes = every.nodes.reshape(len(entries), -1)
        rows[:, rows.shape[1] - nodes.shape[1] :] = nodes
        return rows

    def _written(
        self, stretch: Stretch, rows: Integers, both: _Numbers, result: _Numbers
    ) -> tuple[Any, list[Any]]:
        """Write the nodes of all steps; return the carry and the results."""
        outputs, last = stretch.sources(result.nodes), stretch.sources(both.nodes)
        ys: list[Any] = []
        for written in stretch.write_instead(rows):
            ys += result.on(outputs.among(written))
        carry, ys[-1] = both.copied(last.among(written[-1:])[0].tolist())
        return carry, ys


def _carry_on(rows: Integers, carry: Integers, onward: Sources, written: tuple[int, int]) -> None:
    """Set the nodes of the carry in each row.

    Parameters
    ----------
    rows : integers
        For each step, room for the nodes of the carry, followed by those of the entry.
    carry : integers
        The nodes of the first carry.
    onward : Sources
        Where a step takes those of the next carry from.
    written : tuple of int
        The first node that the first step writes, and how many each of them writes.
    """
    (start, count), width = written, rows.shape[1]
    rows[0, : len(carry)] = carry
    left = {*range(len(carry))}
    while ready := [k for k in left if onward.places[k] not in left - {k}]:
        for k in ready:
            place = int(onward.places[k])
            if place < 0:
                rows[1:, k] = onward.fixed[k]
            elif place >= width:
                rows[1:, k] = start + place - width + count * np.arange(len(rows) - 1)
            else:
                rows[1:, k] = carry[k] if place == k else rows[:-1, place]
        left.difference_update(ready)
    turning = [*left]  # those that change places with each other
    for k in range(1, len(rows) if turning else 0):
        rows[k, turning] = rows[k - 1, onward.places[turning]]
