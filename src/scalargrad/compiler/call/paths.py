"""The recorded paths of one function; each is valid while what it closes over is unchanged.

A call that takes none of them is recorded, as far as the limits on recordings allow.
"""

from __future__ import annotations

import functools
import os
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from scalargrad.compiler.call.arguments import code_in, made_alike
from scalargrad.compiler.call.eager_replay import Call
from scalargrad.compiler.call.objects import Key
from scalargrad.compiler.call.path import Path
from scalargrad.compiler.call.record_call import CallRecorder, UnrecordedError
from scalargrad.compiler.call.recording_limits import PATHS, RecordingLimits
from scalargrad.compiler.guards.closed_over import ClosedOver
from scalargrad.compiler.guards.names_read import EVERYTHING, AttributesRead
from scalargrad.compiler.trace.refusal import PartingError
from scalargrad.errors import TraceError

#: The most shapes of arguments whose programs are kept, and the most nodes of all these programs:
#: a program of a million nodes takes some hundred megabytes. The oldest are forgotten first.
SHAPES, RECORDED = 1024, 2**22
#: The most shapes kept that differ only in functions and classes made by the same code: what all of
#: them read is compared at each call.
ALIKE = 16
#: The most paths kept that are not valid now, as those of a module's other mode.
ELSEWHERE = 8
#: As many states are remembered of what is closed over, as of a flag that is set to and fro.
EARLIER = 2


class Tried:
    """The last paths through branches that calls of one shape have taken, without a program yet.

    Attributes
    ----------
    outcomes : list of tuple of bool
        Of the comparisons of each path.
    is_followed : bool
        Whether the next recording is to follow one of these, and else to stop where it leaves them.
    """

    def __init__(self) -> None:
        self.outcomes: list[tuple[bool, ...]] = []
        self.is_followed = False


class Paths:
    """The paths of one function.

    Parameters
    ----------
    static : set of int or str
        Positions and names of static arguments.
    fitting : mapping from Key to tuple of Path
        The paths to begin with.
    strict : bool
        Whether to suppress warnings.

    Attributes
    ----------
    fitting : dict from Key to tuple of Path
        The valid paths by key, the latest first.
    now : ClosedOver or None
        What the function closes over, as of the last check.
    lock : RLock
        Held while paths are added.
    limits : RecordingLimits
        Counts recordings and eager calls.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        static: frozenset[int | str],
        fitting: Mapping[Key, tuple[Path, ...]],
        *,
        strict: bool,
    ) -> None:
        self.now: ClosedOver | None = None
        self.lock = threading.RLock()
        self._function, self._static = function, static
        self.limits = RecordingLimits(strict)
        self._elsewhere: list[tuple[Key, Path]] = []
        self._code: dict[int, Any] = {}  # classes and functions in keys, by id
        self._alike: dict[Key, dict[Key, None]] = {}  # shapes that differ in new functions alone
        self._tried: dict[Key, Tried] = {}
        #: What was closed over before the last changes, the paths that fitted, and code in keys.
        self._earlier: list[tuple[ClosedOver, dict[Key, tuple[Path, ...]], dict[int, Any]]] = []
        self.fitting = dict(fitting)
        _known.add(self)

    def current(self, key: Key) -> tuple[Path, ...]:
        """Return the paths for a key that are valid now."""
        now = self.now  # None of a copy, and after unpickling
        is_outdated = bool(self.fitting) if now is None else not now.holds()
        if is_outdated and not self._as_earlier():
            self.look_around()
        return self.fitting.get(key, ())

    def attributes_read(self) -> AttributesRead:
        """Return which attributes of objects the function reads: all while that is not known."""
        return EVERYTHING if self.now is None else self.now.attributes_read

    def look_around_for(self, key: Key) -> None:
        """Read again what is closed over, also by the code in a key, if that is not known."""
        with self.lock:
            self._before(key)

    def record(self, call: Call, *, at_once: bool = False) -> Path | None:
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
        compiled, args, kwargs, key, *_ = call
        if not at_once and self._is_left_eager(key):
            return None
        with self.lock:
            now = self._before(key)
            if now.told_apart is not None:
                now.told_apart.require(compiled, args, kwargs)
            known, tried = self.fitting.get(key, ()), self._tried.get(key, Tried())
            if known or tried.outcomes:
                outcomes = known[0].outcomes if known else tried.outcomes[-1]
                recorder = CallRecorder(self._function, self._static, call)
                parting = functools.partial(recorder.parting_line, outcomes)
                count = max(len(known), len(tried.outcomes))
                self.limits.warn_of_paths(compiled, count, len(outcomes), parting)
            if len(known) >= PATHS:
                return None
            if self.limits.is_changing(compiled, self._changed(key, now)):
                return None
            self.limits.note_start()
            path = self._new(call, now) if at_once else self._recurring(call, now, tried)
            self._tried.pop(key, None)
            if path is None:
                self._tried[key] = tried
                while len(self._tried) > SHAPES:
                    del self._tried[next(iter(self._tried))]
                return None
            self.limits.note(compiled, key, [self._function, *args, *kwargs.values()])
            others = [p for p in self.fitting.get(key, ()) if p.outcomes != path.outcomes]
            now = path.surroundings or now
            alike = self._put(key, (path, *others), now)
            now.prepare()
            self.limits.note_functions(compiled, key, alike)
        return path

    def _is_left_eager(self, key: Key) -> bool:
        """Return whether calls of this shape that take no known path are eager now."""
        known = self.fitting.get(key, ())
        if len(known) >= PATHS:
            return not self.limits.warns_of("paths")
        return bool(known or self._tried) and not self.limits.pays()

    def _recurring(self, call: Call, now: ClosedOver, tried: Tried) -> Path | None:
        """Return the path of a call; None if it has branches and no call has taken it before."""
        known, follows = tried.outcomes, tried.is_followed
        try:
            path = self._new(call, now, along=known if follows else ())
        except UnrecordedError as failed:
            if not isinstance(failed.error, PartingError):
                raise
        else:
            if path.outcomes in known or not path.branches:
                return path
            tried.outcomes = [*known[1 - PATHS :], path.outcomes]
        tried.is_followed = not follows
        self.limits.note_try()
        return None

    def recorded_singly(self, call: Call) -> Path:
        """Return a new path, not kept, in which each number given or returned has its own node.

        Raises
        ------
        UnrecordedError
            If the call cannot be recorded.
        """
        return self._new(call, self.look_around(), singly=True)

    def _new(
        self,
        call: Call,
        now: ClosedOver,
        *,
        singly: bool = False,
        along: Sequence[tuple[bool, ...]] = (),
    ) -> Path:
        compiled, _, _, key, *_ = call
        if now.refusal is not None:
            raise TraceError(f"{compiled!r} {now.refusal}")
        recorder = CallRecorder(self._function, self._static, call, singly=singly, along=along)
        found = recorder.record()
        if not now.holds():  # a cache was filled, a log written, or a counter raised
            before, now = now, self.look_around(key)
            held = {x for c in (before, now) for slot in c.slots.values() for x in slot.values}
            recorder.require_same(found, before.changed(now), now.holds, held)
            now = self.look_around(key)
        elif recorder.notes or recorder.may_be_fresh:
            noted = [f"{type(owner).__name__}.{name}" for owner, name, _ in recorder.notes]
            recorder.require_same(found, noted or None)
        name = getattr(compiled, "__name__", "compiled")
        return Path(*found, name=name, surroundings=now)

    def _before(self, key: Key) -> ClosedOver:
        """Return what is closed over now, before a recording with this key.

        Known paths are checked only if something has changed; otherwise recording many shapes
        would take quadratic time.
        """
        now = self.now
        if now is None or any(id(x) not in self._code for x in code_in(key)):
            return self.look_around(key)
        return now if now.holds() else self.look_around(key)

    def look_around(self, *keys: Key) -> ClosedOver:
        """Read again what is closed over, also by code in these keys, and select valid paths."""
        with self.lock:
            everywhere = [self.fitting, *(fitting for _, fitting, _ in self._earlier)]
            valid = [(key, x) for found in everywhere for key, xs in found.items() for x in xs]
            known = {(key, id(x.function)): (key, x) for key, x in (*self._elsewhere, *valid)[::-1]}
            self._note_earlier()
            self._code = {id(x): x for key in [*self.fitting, *keys] for x in code_in(key)}
            now = ClosedOver([self._function, *self._code.values()])
            fitting: dict[Key, tuple[Path, ...]] = {}
            elsewhere = []
            for key, path in [*known.values()][::-1]:
                rebound = path.rebound(now)
                if rebound is None:
                    elsewhere.append((key, path))
                else:
                    fitting[key] = (*fitting.get(key, ()), rebound)
            self._elsewhere = elsewhere[:ELSEWHERE]
            self.fitting, self.now = fitting, now
        return now

    def _note_earlier(self) -> None:
        """Note what is closed over now and its paths, as it may be the same again."""
        if self.now is not None:
            self._earlier[EARLIER - 1 :] = []
            self._earlier.insert(0, (self.now, self.fitting, self._code))

    def _as_earlier(self) -> bool:
        """Return whether all is as it was some changes ago, and take up what was known then."""
        with self.lock:
            for k, (now, fitting, code) in enumerate(self._earlier):
                if now.holds():
                    del self._earlier[k]
                    self._note_earlier()
                    self.now, self.fitting, self._code = now, fitting, code
                    return True
            return False

    def _changed(self, key: Key, now: ClosedOver) -> list[str]:
        """Return the names of what has changed since the last recording with this key."""
        known = [*self.fitting.get(key, ())] + [path for k, path in self._elsewhere if k == key]
        found = [path.reads.changed(now) for path in known]
        return min(found, key=len, default=[])

    def _put(self, key: Key, paths: tuple[Path, ...], now: ClosedOver) -> int:
        """Keep these paths for a key.

        Returns how many shapes there are that differ in nothing but functions made anew.
        """
        self.fitting[key] = paths
        alike = self._forget_alike(key)
        while len(self.fitting) > SHAPES or (self._nodes() > RECORDED and len(self.fitting) > 1):
            del self.fitting[next(iter(self.fitting))]
        self.now = now
        return alike

    def _forget_alike(self, key: Key) -> int:
        """Forget the oldest shapes that differ from this one in nothing but new functions."""
        made = made_alike(key)
        if made == key:
            return 0
        alike = self._alike.setdefault(made, {})
        alike[key] = None
        while len(alike) > ALIKE:
            oldest = next(iter(alike))
            del alike[oldest]
            self.fitting.pop(oldest, None)
        while len(self._alike) > SHAPES:
            del self._alike[next(iter(self._alike))]
        return len(alike)

    def _nodes(self) -> int:
        """Return how many nodes the valid paths have."""
        return sum(path.recorded for paths in self.fitting.values() for path in paths)


_known: weakref.WeakSet[Paths] = weakref.WeakSet()


def _unlock() -> None:
    """Replace all locks in a child process, as the thread that held one may not exist there."""
    for paths in list(_known):
        paths.lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock)
