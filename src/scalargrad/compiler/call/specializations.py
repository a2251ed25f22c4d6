"""Specializations: the recorded paths of one function, by arguments and by what is around it.

A call that takes none of them is recorded, as far as the limits on recordings allow.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Sequence
from itertools import chain
from typing import Any, cast

from scalargrad.compiler.call.arguments import Key, code_in, size_changed
from scalargrad.compiler.call.record_call import CallRecorder, Untaken
from scalargrad.compiler.call.recording_limits import PATHS, RecordingLimits
from scalargrad.compiler.call.specialization import Call, Specialization
from scalargrad.compiler.guards.argument_aliases import require_apart
from scalargrad.compiler.guards.names_read import NamesRead
from scalargrad.compiler.guards.surroundings import Surroundings
from scalargrad.errors import TraceError
from scalargrad.system.short_repr import shown

#: The most nodes of all programs that are kept, and how many each shape of arguments counts as
#: besides: a program of a million nodes takes some hundred megabytes.
MOST, SHAPE = 2**22, 2**12
#: For so many surroundings programs are kept, as for a module's other mode, and what to compare;
#: and of the objects given so many layouts, for each shape.
KEPT = 16


class Guard:
    """The surroundings of a function that is called with some classes and functions.

    Attributes
    ----------
    roots : sequence
        The function, and these.
    """

    def __init__(self, roots: Sequence[Any], names: NamesRead) -> None:
        self.roots, self._names = roots, names
        self._known: list[Surroundings] = []  # the latest first

    def current(self) -> Surroundings:
        """Return the surroundings as they are now."""
        found = next((x for x in self._known if x.unchanged()), None)
        found = found or Surroundings(self.roots, self._names)
        self._known = [found, *[x for x in self._known if x is not found]][:KEPT]
        return found

    def given(self, objects: list[Any]) -> Surroundings:
        """Return the surroundings as they are now, with objects that the function is given."""
        while True:
            around = self.current()
            found = Surroundings(objects, self._names, around)
            if around.count == found.count:
                return found
            self._known = []  # with more names, more is read around as well


class Shape:
    """Calls of one key: what was around the function, and the paths that are valid then.

    Attributes
    ----------
    known : list of (Surroundings, tuple of Specialization)
        The latest first; without objects that are given, only these.
    programs : dict
        The paths by the key of the surroundings, the latest of these last.
    tried : list of tuple of bool
        The outcomes of the last calls that took a way without a program.
    is_followed : bool
        Whether a second such call has been recorded after the first.
    is_valid : callable
        Tells whether the function's own surroundings are as they were.
    """

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self.known: list[Known] = []
        self.programs: dict[Any, tuple[Specialization, ...]] = {}
        self.tried: list[tuple[bool, ...]] = []
        self.is_followed = False
        self._around: Surroundings | None = None
        self.is_valid: Callable[[], bool] = bool  # not before paths were put here

    def put(self, paths: tuple[Specialization, ...], now: Surroundings) -> None:
        """Put the paths here that are valid as long as these are the surroundings."""
        given = self.known if now.around is not now else []
        others = [x for x in given if x[0].key != now.key or len(x[1]) == len(paths)]
        self.known = [(now, paths), *others[: KEPT - 1]]
        self.expect(now.around)

    def keep(self, paths: tuple[Specialization, ...], now: Surroundings) -> None:
        """Keep these paths for whenever these are the surroundings."""
        self.programs.pop(now.key, None)
        self.programs[now.key] = paths
        while len(self.programs) > KEPT:
            del self.programs[next(iter(self.programs))]
        self.put(paths, now)

    def all_paths(self) -> list[Specialization]:
        """Return all paths that are kept, those of the latest surroundings first."""
        return [*chain.from_iterable(reversed(self.programs.values()))]

    def expect(self, around: Surroundings) -> None:
        """Note the function's own surroundings as they are now."""
        self._around, self.is_valid = around, around.are_unchanged

    def given(self, objects: list[Any]) -> Known | None:
        """Return the surroundings and paths for objects that lie as others did, if any do."""
        for k, (then, paths) in enumerate(self.known):
            now = then.of(objects) if then.around is self._around else None
            if now is not None:
                found = now, paths if now is then else tuple([path.bound(now) for path in paths])
                self.known[k] = found
                return found
        return None


#: What is around a function, and the paths that are valid then.
Known = tuple[Surroundings, tuple[Specialization, ...]]


class Specializations:
    """The paths of one function.

    Attributes
    ----------
    shapes : dict from Key to Shape
        What was called, the latest last.
    lock : RLock
        Held while paths are added.
    limits : RecordingLimits
        Counts recordings and eager calls.
    names : NamesRead
        What the function reads, and the code that it is called with.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.lock = threading.RLock()
        self._function = function
        self.limits = RecordingLimits()
        self.shapes: dict[Key, Shape] = {}
        self.names = NamesRead()
        _known.add(self)

    def current(self, key: Key, objects: list[Any]) -> tuple[Specialization, ...]:
        """Return the paths for a key, and objects that are given, that are valid now."""
        shape = self.shapes.get(key)
        if shape is not None and shape.is_valid():
            if not objects:
                return shape.known[0][1]
            if (found := shape.given(objects)) is not None:
                return found[1]
        with self.lock:
            return self._looked_around(key, objects)[1]

    def _looked_around(self, key: Key, objects: list[Any]) -> Known:
        """Return what is around the function now, and the paths that are valid."""
        shape = self.shapes.get(key)
        if shape is None:
            roots = [self._function, *{id(x): x for x in code_in(key)}.values()]
            ids = [*map(id, roots)]
            guards = (x.guard for x in self.shapes.values() if [*map(id, x.guard.roots)] == ids)
            guard = next(guards, None) or Guard(roots, self.names)
            self._forget_oldest()
            shape = self.shapes[key] = Shape(guard)
        now = shape.guard.current()
        if objects:
            shape.expect(now)
            known = shape.given(objects)
            if known is not None:
                return known
            now = shape.guard.given(objects)
        elif shape.known and now is shape.known[0][0]:
            return shape.known[0]
        paths = tuple([x.bound(now) for x in shape.programs.get(now.key, ())])
        if paths or not objects:
            shape.put(paths, now)
        return now, paths

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
        if not at_once and self._is_left_eager(key, objects):
            return None
        with self.lock:
            now, known = self._looked_around(key, objects)
            if now.aliases is not None:
                require_apart(now.aliases, call)
            others = [k for k, x in self.shapes.items() if now.key in x.programs]
            given = bool(objects or others)
            changed = [] if known else self._changed(key, now, others)
            if self.limits.is_changing(compiled, changed, given=given):
                return None
            shape = self.shapes[key]
            tried = shape.tried
            shape.is_followed = bool(tried)
            self.limits.note_start()
            path = self._new(call, now, lambda x: at_once or x in tried)
            before = [*(x.outcomes for x in known), *tried]
            self.limits.warn_of_paths(compiled, max(len(known), len(tried)), path, before)
            is_full = len(known) >= PATHS
            if isinstance(path, Untaken) and not is_full:
                shape.tried = [*tried[1 - PATHS :], path.outcomes]
                self.limits.note_end(for_nothing=True)
                return None
            shape.tried, shape.is_followed = [], False
            if isinstance(path, Untaken) or is_full:
                return None
            _, paths = self._looked_around(key, objects)
            paths = path, *[p for p in paths if p.outcomes != path.outcomes]
            self.shapes[key].keep(paths, path.surroundings)
        return path

    def _is_left_eager(self, key: Key, objects: list[Any]) -> bool:
        """Return whether calls of this shape that take no known path are eager now."""
        known = self.current(key, objects)
        if len(known) >= PATHS:
            return not self.limits.warns_of("paths")
        shape = self.shapes.get(key)  # another thread may have it forgotten
        if shape is not None and shape.tried and not shape.is_followed:
            return False
        are_any = bool(known) or any(x.tried for x in [*self.shapes.values()])
        return are_any and not self.limits.pays()

    def recorded_singly(self, call: Call) -> Specialization:
        """Return a new path, not kept, in which each number given or returned has its own node.

        Raises
        ------
        UnrecordedError
            If the call cannot be recorded.
        """
        with self.lock:
            now, _ = self._looked_around(call[3], call[5])
            return cast("Specialization", self._new(call, now, lambda _: True, singly=True))

    def _new(
        self,
        call: Call,
        now: Surroundings,
        pays: Callable[[Any], bool],
        *,
        singly: bool = False,
    ) -> Specialization | Untaken:
        compiled, _, _, key, _, objects = call
        if now.refusal is not None:
            raise TraceError(f"{compiled!r} {now.refusal}")
        recorder = CallRecorder(call, self.names, singly=singly)
        found = recorder.record(now.unchanged, pays)
        now, _ = self._looked_around(key, objects)  # a cache may have been filled
        if (missed := now.missed(found[0].closed_over)) is not None:
            raise TraceError(
                f"{compiled!r} reads {shown(missed)}, to which no name in its code leads, so that "
                "another one in its place would not be seen: pass it as an argument"
            )
        recording, outline = found
        if isinstance(recording, Untaken):
            return recording
        name = getattr(compiled, "__name__", "compiled")
        return Specialization(recording, outline, recorder.leaves, name=name, surroundings=now)

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


_known: weakref.WeakSet[Specializations] = weakref.WeakSet()


def _unlock() -> None:
    """Replace all locks in a child process, as the thread that held one may not exist there."""
    for paths in list(_known):
        paths.lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock)
