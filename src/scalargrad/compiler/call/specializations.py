"""The specializations of one function, by the arguments and by captured state.

A call for which there is none is traced, within the limits of `recording_limits`:

    key of (1.0,)      captured: flag = True      branches x > 0, x <= 0
                       captured: flag = False     branch x > 0
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from operator import is_
from typing import Any, NamedTuple

from scalargrad.compiler.call.arguments import (
    Key,
    code_in,
    misread_in,
    require_no_alias,
    size_changed,
)
from scalargrad.compiler.call.record_call import CallRecorder
from scalargrad.compiler.call.recording_limits import PATHS, RecordingLimits
from scalargrad.compiler.call.specialization import Call, Specialization
from scalargrad.compiler.guards.names_read import NamesRead
from scalargrad.compiler.guards.surroundings import Layout, Surroundings
from scalargrad.compiler.trace.trace import Trace
from scalargrad.compiler.trace.watching import Lock
from scalargrad.engine.tree import nesting_error
from scalargrad.errors import TraceError
from scalargrad.system.short_repr import format_value

#: The most nodes of all programs that are kept, and how many each shape of arguments counts as
#: besides: a program of a million nodes takes some hundred megabytes.
MOST, SHAPE = 2**22, 2**12
#: For so many surroundings programs are kept, as for a module's other mode, and what to compare;
#: and of the objects given so many layouts, for each shape.
KEPT = 16


#: Recorded paths, of which a call takes one.
Paths = tuple[Specialization, ...]


class Shape:
    """Calls of one key: what was around the function, and the paths that are valid then.

    Attributes
    ----------
    roots : sequence
        The function, and the classes and functions that it is called with.
    is_valid : callable
        Tells whether the latest that are known are valid still.
    known : list of Known
        The latest first; without objects that are given, only these.
    programs : dict
        The paths by the key of the surroundings, the latest of these last.
    tried : list of tuple of bool
        The outcomes of the last calls that were recorded and took a path without a program.
    probes : int
        How many calls were recorded without being compiled since the last that was.
    is_due : bool
        Whether the next call is compiled if it takes a path that was tried.
    """

    def __init__(self, roots: Sequence[Any]) -> None:
        self.roots = roots
        self.known: list[Known] = []
        self.programs: dict[Any, Paths] = {}
        self.tried: list[tuple[bool, ...]] = []
        self.probes = 0
        self.is_due = False
        self.is_valid: Callable[[], bool] = bool  # not before paths were put here
        self._around: Surroundings | None = None

    def put(self, paths: Paths, now: Surroundings, around: Surroundings | None) -> None:
        """Put the paths here that are valid as long as these are the surroundings.

        Those of the function alone tell how objects lie that it is given.
        """
        self._around = around
        layout = None if around is None else around.layout(now.objects)
        found = Known(now, tuple([x.bound(now, now.values) for x in paths]), layout)
        self.known = [found, *(self.known if now.objects else [])][:KEPT]
        self.is_valid = now.are_unchanged

    def keep(self, paths: Paths, now: Surroundings) -> None:
        """Keep these paths for whenever these are the surroundings."""
        self.programs.pop(now.key, None)
        self.programs[now.key] = paths
        while len(self.programs) > KEPT:
            del self.programs[next(iter(self.programs))]
        self.known = [x for x in self.known if x.now.key != now.key]

    def all_paths(self) -> list[Specialization]:
        """Return all paths that are kept, those of the latest surroundings first."""
        return [*chain.from_iterable(reversed(self.programs.values()))]

    def valid(self, objects: list[Any]) -> Paths | None:
        """Return the paths that are known to be valid now, given these objects or others alike."""
        for now, paths, _ in self.known:
            is_of_these = len(objects) == len(now.objects) and all(map(is_, now.objects, objects))
            if is_of_these and now.are_unchanged():
                return paths
        around = self._around
        if around is not None and around.are_unchanged():
            layout = around.layout(objects)
            for now, paths, then in self.known:
                if layout is not None and then is not None and then[0] == layout[0]:
                    places = dict(zip(map(id, then[1]), layout[1], strict=True))
                    values = [places.get(id(x), x) for x in now.values]
                    return tuple([x.bound(now, values) for x in paths])
        return None


#: The most others that are kept of one key: each is compared whenever Values are bound anew.
_ALIKE = 4


class Known(NamedTuple):
    """Surroundings of a function, the paths valid in them, and the layout of objects given."""

    now: Surroundings
    paths: Paths
    layout: Layout | None


class Specializations(Lock):
    """The paths of one function, which are added while its lock is held.

    Attributes
    ----------
    shapes : dict from Key to Shape
        What was called, the latest last.
    limits : RecordingLimits
        Counts recordings and eager calls.
    names : NamesRead
        What the function reads, and the code that it is called with.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self._function = function
        self.limits = RecordingLimits()
        self.shapes: dict[Key, Shape] = {}
        self.names = NamesRead()
        self._known: list[Surroundings] = []  # the latest first

    def current(self, key: Key, objects: list[Any]) -> Paths:
        """Return the paths for a key, and objects that are given, that are valid now."""
        shape = self.shapes.get(key)
        if shape is not None and not objects and shape.is_valid():
            return shape.known[0].paths
        if shape is not None and objects and (found := shape.valid(objects)) is not None:
            return found
        with self.lock:
            return self._looked_around(key, objects)[1]

    def _looked_around(self, key: Key, objects: list[Any]) -> tuple[Surroundings, Paths]:
        """Return what is around the function now, and the paths that are valid."""
        shape = self.shapes.get(key)
        if shape is None:
            roots = [self._function, *{id(x): x for x in code_in(key)}.values()]
            self._forget_oldest()
            shape = self.shapes[key] = Shape(roots)
        now = self._surroundings(shape.roots, objects)
        paths = shape.programs.get(now.key, ())
        if (paths or not objects) and now not in [x.now for x in shape.known]:
            is_alike = objects and now.aliases is None
            shape.put(paths, now, self._surroundings(shape.roots, []) if is_alike else None)
        return now, next((x.paths for x in shape.known if x.now is now), ())

    def _surroundings(self, roots: Sequence[Any], objects: Sequence[Any]) -> Surroundings:
        """Return what is around the function now, called with code and objects."""
        ids, count = [*map(id, chain(roots, objects))], self.names.count()
        same = (x for x in self._known if x.count == count and [*map(id, x.roots)] == ids)
        found = next((x for x in same if x.are_unchanged()), None)
        found = found or Surroundings(roots, self.names, objects)
        kept = (x for x in self._known if not (x.objects and objects))
        others = [x for x in kept if x is not found]
        alike = [x for x in others if x.key == found.key]  # with other Values
        self._known = [found, *(x for x in others if x not in alike[_ALIKE:])][:KEPT]
        return found

    def record(self, call: Call, *, at_once: bool = False) -> Specialization | None:
        """Record the path that a call takes, and keep it; None if the call is to be made eagerly.

        That is so if there are too many paths, and if a path through comparisons was not taken
        before: to compile one that no other call takes costs many times an eager call.

        Parameters
        ----------
        at_once : bool
            Whether to keep a path that is taken for the first time, too.

        Raises
        ------
        UnrecordedError
            If the call cannot be recorded.
        TraceError
            If the function would tell an argument from its copy.
        """
        compiled, _, _, key, _, objects = call
        latest = self.current(key, objects)
        waits = not at_once and self._waits(key, latest)
        if waits and not self._is_probe(key, latest):
            self.limits.note_left_eager(compiled, [x.exceeded for x in latest])
            return None
        with self.lock:
            now, known = self._looked_around(key, objects)
            if now.aliases is not None:
                require_no_alias(now.aliases, call)
            others = [k for k, x in self.shapes.items() if now.key in x.programs]
            given = bool(objects or others)
            changed = [] if known else self._changed(key, now, others)
            if self.limits.is_changing(compiled, changed, given=given):
                return None
            shape = self.shapes[key]
            tried = shape.tried
            self.limits.note_start()
            trace, made = self._recorded(call, now)
            outcomes = tuple(trace.guards.values())
            without = [x for x in tried if x != outcomes]
            self.limits.warn_of_paths(compiled, trace, [x.outcomes for x in known], tried)
            if len(known) >= PATHS:
                return None
            is_other = trace.branches > 0 and len(without) == len(tried)
            if not at_once and (is_other or waits):
                shape.tried = [*without[1 - PATHS :], outcomes]
                shape.probes += 1
                shape.is_due = not (waits or shape.is_due)
                if not waits:
                    self.limits.note_end(for_nothing=True)
                return None
            shape.tried, shape.probes, shape.is_due = without, 0, False
            path = made()
            _, paths = self._looked_around(key, objects)
            own = path.outcomes, path.types
            paths = path, *[p for p in paths if (p.outcomes, p.types) != own]
            self.shapes[key].keep(paths, path.surroundings)
            self._looked_around(key, objects)
        return path

    def _waits(self, key: Key, known: Paths) -> bool:
        """Return True if a call that takes no known path is not to be compiled now."""
        if len(known) >= PATHS:
            return "paths" in self.limits.told
        shape = self.shapes.get(key)  # another thread may have it forgotten
        if shape is not None and shape.is_due:
            return False
        are_any = bool(known) or any(x.tried for x in [*self.shapes.values()])
        return are_any and not self.limits.pays()

    def _is_probe(self, key: Key, known: Paths) -> bool:
        """Return True if a call that waits is recorded to see how many paths are taken."""
        shape = self.shapes.get(key)
        if shape is None or shape.probes > PATHS or "paths" in self.limits.told:
            return False
        return bool(shape.tried) or any(x.branches for x in known)

    def record_elementwise(self, call: Call) -> Specialization:
        """Return a new path, not kept, in which each number given or returned has its own node.

        Raises
        ------
        UnrecordedError
            If the call cannot be recorded.
        """
        with self.lock:
            now, _ = self._looked_around(call[3], call[5])
            return self._recorded(call, now, singly=True)[1]()

    def _recorded(
        self, call: Call, now: Surroundings, *, singly: bool = False
    ) -> tuple[Trace, Callable[[], Specialization]]:
        """Return what is recorded of a call, and what makes a path of it."""
        compiled, _, _, key, _, objects = call
        refusal = now.refusal or next(misread_in(call), None)
        if refusal is not None:
            raise TraceError(f"{compiled!r} {refusal}")
        recorder = CallRecorder(call, self.names, singly=singly)
        trace, finish = recorder.record(now.are_unchanged)
        now, _ = self._looked_around(key, objects)  # a cache may have been filled
        if (missed := now.missed([x for x, _ in trace.outside])) is not None:
            raise TraceError(
                f"{compiled!r} reads {format_value(missed)}, which cannot be found by names in its "
                "code, so a replacement would not be noticed: pass it as an argument"
            )
        name = getattr(compiled, "__name__", "compiled")

        def made() -> Specialization:
            recording, outline = finish()
            try:
                return Specialization(
                    recording, outline, recorder.leaves, name=name, surroundings=now
                )
            except RecursionError as error:
                raise nesting_error([(f"the result of {name}", outline)], error) from None

        return trace, made

    def _changed(self, key: Key, now: Surroundings, others: list[Key]) -> list[str]:
        """Return the name of what has changed since the last recording with this key.

        `others` are keys of the same surroundings.
        """
        if known := [*self.shapes[key].programs]:
            return now.change_since(known[-1]) if now.key not in known else []
        return size_changed(key, others[-1]) if others else []

    def _forget_oldest(self) -> None:
        """Forget the oldest shapes, if all paths together have too many nodes."""
        total = 0
        for key, shape in reversed([*self.shapes.items()]):
            total += SHAPE + sum(x.recorded for x in shape.all_paths())
            if total > MOST:
                del self.shapes[key]
