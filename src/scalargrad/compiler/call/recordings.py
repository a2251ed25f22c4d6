"""Record and run calls that follow none of the paths recorded so far."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from scalargrad.compiler.call.eager_replay import Call
from scalargrad.compiler.call.path import Path
from scalargrad.compiler.call.paths import Paths
from scalargrad.compiler.call.record_call import CallRecorder, UnrecordedError
from scalargrad.compiler.call.recording_limits import PATHS, RecordingLimits
from scalargrad.compiler.guards.closed_over import ClosedOver
from scalargrad.system.collector import collector_paused


class Recordings:
    """Records the calls of one function, and keeps the paths.

    Parameters
    ----------
    static : set of int or str
        Positions and names of static arguments.
    kept : Paths
        Where the paths are kept.
    strict : bool
        Whether to refuse a function each call of which changes something that it reads, a log as
        well, and to suppress warnings.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        static: frozenset[int | str],
        kept: Paths,
        *,
        strict: bool,
    ) -> None:
        self._function, self._static, self._kept = function, static, kept
        self._limits = RecordingLimits(strict)
        self._strict = strict

    def run(self, call: Call) -> Any:
        """Record a path and run it; return both, or None if the call must be made eagerly.

        That is the case if there are too many paths, or if a comparison is so close that rounding
        makes the program decide otherwise than the recording. If the function raises an error, it
        is called eagerly for the error with its full message.
        """
        with collector_paused():  # a single pause: else there is a search after each pass
            try:
                path = self.record(call)
            except UnrecordedError as failed:
                unrecorded = failed
            else:
                run = None if path is None else path.run(call)
                return None if run is None else (path, run)
        if unrecorded.is_repeatable:
            _, args, kwargs, *_ = call
            self._function(*args, **kwargs)
        return unrecorded.explain()

    def record(self, call: Call) -> Path | None:
        """Record the path that a call takes, and keep it; None if there are too many.

        Raises
        ------
        UnrecordedError
            If the call cannot be recorded.
        """
        compiled, args, kwargs, key, *_ = call
        with self._kept.lock:
            now = self._kept.before(key)
            known = self._kept.fitting.get(key, ())
            if len(known) >= PATHS:
                recorder = CallRecorder(self._function, self._static, call)
                parting = functools.partial(recorder.parting_line, known[0].outcomes)
                self._limits.warn_of_paths(compiled, parting)
                return None
            if self._limits.is_changing(compiled, self._kept.changed(key, now)):
                return None
            path = self._record(call, now)
            self._limits.note(compiled, key, [self._function, *args, *kwargs.values()])
            others = [p for p in self._kept.fitting.get(key, ()) if p.outcomes != path.outcomes]
            alike = self._kept.put(key, (path, *others), path.surroundings or now)
            self._limits.note_functions(compiled, key, alike)
        return path

    def record_singly(self, call: Call) -> Path:
        """Record a path, not kept, in which each number given or returned has a node of its own.

        Raises
        ------
        UnrecordedError
            If the call cannot be recorded.
        """
        return self._record(call, self._kept.look_around(), singly=True)

    def _record(self, call: Call, now: ClosedOver, *, singly: bool = False) -> Path:
        compiled, _, _, key, *_ = call
        recorder = CallRecorder(self._function, self._static, call, singly=singly)
        found = recorder.record()
        now.watch(now.slots)
        if not now.holds():  # a cache was filled, a log written, or a counter raised
            before, now = now, self._kept.look_around(key)
            now.watch(now.slots)
            recorder.require_same(found, before.changed(now), now.holds if self._strict else None)
            now = self._kept.look_around(key)
        elif recorder.notes or recorder.may_be_fresh:
            noted = [f"{type(owner).__name__}.{name}" for owner, name, _ in recorder.notes]
            recorder.require_same(found, noted or None)
        name = getattr(compiled, "__name__", "compiled")
        return Path(*found, name=name, surroundings=now)
