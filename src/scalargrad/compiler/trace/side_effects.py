"""Detect side effects of what is recorded, which a program would not repeat.

A function can change its arguments and its surroundings: closure variables, defaults and globals.
Both are compared with snapshots from before the recording. Of the function given to vmap, one run
stands for all examples, while a loop over them would have its effects once for each. So whatever
that run changes must be as in a second run, as a cache is.
"""

from __future__ import annotations

import functools
import pickle
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import chain
from typing import Any

from scalargrad.compiler.call.outline import filled, holds_results, outlined
from scalargrad.compiler.guards.caches import CACHES, kept_by
from scalargrad.compiler.guards.held_objects import Place
from scalargrad.compiler.trace.snapshots import Around, Contents, Note, have_advanced, is_unchanged
from scalargrad.compiler.trace.trace import Trace
from scalargrad.compiler.trace.traced import Traced
from scalargrad.errors import TraceError
from scalargrad.transforms.draws import state_of
from scalargrad.value import Value

ELSEWHERE = (
    "{named} was changed by another thread while {compiled!r} was recorded, so it is not known "
    "what its program computes: call it again while nothing changes that, or pass it as an argument"
)


def unchanging(
    run: Callable[[], Any], around: Around, arguments: Any, compiled: Any, notes: list[Note]
) -> Callable[[], Any]:
    """Return `run` with a check for side effects that a program would not repeat.

    An object may be given a new attribute, as a layer that keeps its last output, in which numbers
    of the recording are: it is added to `notes`, and taken away. Any other change of an argument is
    refused, though the function may return it: eager calls would change what the caller holds.

    Parameters
    ----------
    run : callable
        Calls `function`.
    around : Around
        What is around the function before it runs, which must not change.
    arguments : list
        Its arguments.
    compiled : object
        The compiled function, which error messages name.

    Raises
    ------
    TraceError, ChangesError
        When called, if something was changed, which is undone: a program would not change it.
    """

    def checked() -> Any:
        before = Contents(arguments)
        try:
            result = run()
            _require_none_kept(around, compiled)
            notes[:] = before.notes()
            returned = Contents(result).met if notes else {}
            added = (f"a {type(x).__name__} ({name})" for x, name, _ in notes if id(x) in returned)
            for changed in chain(before.changes(), added):
                raise TraceError(
                    f"{compiled!r} changes {changed} among its arguments, which its program would "
                    "not: change a copy, as by copy.deepcopy(x), and return that"
                )
        finally:
            before.put_back()
        for owner, name, x in [*around.notes()]:
            if holds_results(x):
                notes.append((owner, name, x))
                object.__delattr__(owner, name)
        if found := [*around.changes(before.found)]:
            own = found if have_advanced(around.changed()) else made_again(run, around, before)[0]
            raise ChangesError(_refused(compiled, found, own))
        return result

    return checked


def _require_none_kept(around: Around, compiled: Any) -> None:
    """Raise TraceError, and clear the cache, if one keeps a number of the recording.

    Eager calls would find it there.
    """
    for cache in [x for x in around.met.values() if isinstance(x, CACHES)]:
        if any(holds_results(x) for i, x in kept_by(cache).items() if i not in around.met):
            cache.cache_clear()
            raise TraceError(
                f"{compiled!r} computes with Values in {cache.__qualname__}, whose results a cache "
                "keeps, which its program would not: leave out the cache there, as a program "
                "computes anew at each call"
            )


class ChangesError(Exception):
    """A function has changed what is around it; that is taken back."""


def made_again(
    run: Callable[[], Any], around: Around, arguments: Contents
) -> tuple[list[str], set[Place]]:
    """Undo changes, call a function again, and return those that it makes again.

    They are returned as descriptions, and as places. Of the others, which another thread seems to
    have made, all is written again.
    """
    now = around.changed()
    around.put_back()
    again = Around(around.function)
    with suppress(Exception):
        run()
    own, owned = [*again.changes(arguments.found)], again.changed()
    again.put_back()
    around.put_back({place: x for place, x in now.items() if place not in owned})
    return own, {*owned}


def _refused(compiled: Any, found: list[str], own: list[str]) -> str:
    """Return the message of changes, given those that the function makes again."""
    named = next((x for x in found if x in own), None)
    if named is None:
        return ELSEWHERE.format(named=found[0], compiled=compiled)
    return (
        f"{compiled!r} changes {named}, which is not an argument, and its program would not: pass "
        "it as an argument, and return what is new"
    )


#: Numbers that stand in the same places, by node.
_Nodes = dict[int, int]
_REMEDY = (
    "one example is recorded for all, where a loop would change it again and again: pass it as an "
    "argument with an entry for each example, or loop over the examples without vmap"
)


class AroundExample(Around):
    """A snapshot of the surroundings of a function and of its arguments: of all it may change.

    What the recording itself started from, and its generators of random numbers, are looked at
    elsewhere.
    """

    def __init__(self, parts: list[Any], trace: Trace) -> None:
        super().__init__(parts)
        self._sources = trace.sources
        states = [(x, state_of(x)) for x in self.met.values() if x not in trace.generators]
        self._states = [(x, repr(state)) for x, state in states if state is not None]

    def differences(self, is_same: Callable[[Any, Any], bool] = is_unchanged) -> Iterator[str]:
        """Yield descriptions of changes; `is_same` tells which contents count as the same."""
        for x, state in self._states:
            if repr(state_of(x)) != state:
                yield f"a {type(x).__name__}"
        changed = self.changed()
        outside = Around(self._sources).found if changed else {}
        for place in [x for x in changed if x not in outside]:
            held, now = self.found[place], changed[place]
            before = held.before
            for key in {**before, **now}:
                if key not in before or key not in now or not is_same(before[key], now[key]):
                    yield held.label(key)


def run_for_all(run: Callable[[], Any], parts: list[Any], trace: Trace) -> Any:
    """Return the result of a function of one example.

    Parameters
    ----------
    run : callable
        Calls it.
    parts : list
        The function and its arguments.
    trace : Trace
        The recording.

    Raises
    ------
    TraceError
        If a second run would find something else than the first, or change it again.
    """
    before, start = AroundExample(parts, trace), len(trace.columns)
    result = run()
    changed = next(before.differences(), None)
    if changed is None:
        return result
    middle, between = len(trace.columns), AroundExample(parts, trace)
    is_same = False
    if not trace.lanes.drawn_for_one:  # the second run would draw, too
        with suppress(Exception):  # as of a list that is emptied
            again = run()
            nodes = _paired(trace, start, middle)
            alike = functools.partial(_are_alike, nodes)
            is_same = alike(result, again) and not any(between.differences(alike))
    if not is_same:
        trace.refuse(f"the function given to vmap changes {changed}", _REMEDY, is_change=True)
    return result


def _paired(trace: Trace, start: int, middle: int) -> _Nodes | None:
    """Return the nodes of the second run by those of the first; None if they are not the same."""
    columns, once = trace.columns, trace.written_once()
    runs = range(start, middle), range(middle, len(columns))
    first, second = ([x for x in run if x not in once] for run in runs)
    if len(first) != len(second):
        return None
    nodes = dict(zip(first, second, strict=True))
    for x, y in nodes.items():
        args = tuple([nodes.get(arg, arg) for arg in columns.args(x)])
        if columns.ops[x] != columns.ops[y] or args != columns.args(y):
            return None
    return nodes


def _are_alike(nodes: _Nodes | None, x: Any, y: Any) -> bool:
    """Return whether two objects differ in nothing but paired numbers."""
    if nodes is None or is_unchanged(x, y):
        return nodes is not None
    try:
        return bool(_content(x, nodes) == _content(y, {}))
    except Exception:  # noqa: BLE001 - what cannot be pickled may be anything
        return False


def _content(x: Any, nodes: _Nodes) -> Any:
    values: list[Value] = []
    outline = outlined(x, values)
    found = [nodes.get(v.index, v.index) if isinstance(v, Traced) else id(v) for v in values]
    return found, pickle.dumps(filled(outline, [0.0] * len(values)))
