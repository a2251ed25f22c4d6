"""Limit how often a function is recorded, and warn when calls are slow: eager, or recorded anew."""

from __future__ import annotations

import time
import warnings
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate
from operator import and_, is_

from scalargrad.compiler.trace.refusal import at
from scalargrad.compiler.trace.trace import Trace
from scalargrad.errors import JitWarning

#: The most paths through a function's conditions recorded for one shape of arguments.
PATHS = 4
#: After this many recordings because one thing has changed, a warning says so.
CHANGES = 4
#: So many are made at most, if that was given.
SIZES = 16
#: The stack level of the call of the compiled function, as seen from the warning.
_CALLS = 6
#: After this many eager calls in which a loop took more steps than its program, a warning says so.
EXCEEDED = 5
#: After this many operations evaluated eagerly because a number was not finite, a warning says so.
NOT_FINITE = 100_000
#: How many times as long as a recording for nothing calls take before the next: with that they take
#: about one and a half times as long as eager calls alone.
_WAIT = 4


class RecordingLimits:
    """Counts the recordings and eager calls of one function, and warns of each problem once.

    Warnings name the function, which methods are given as `compiled`.
    """

    def __init__(self) -> None:
        #: The problems that were warned of.
        self.told: set[str] = set()
        self._not_finite = 0  # operations
        self._exceeded = 0  # calls
        self._changes: Counter[str] = Counter()
        self._start = self._pays_from = self._wait = 0.0

    def note_start(self) -> None:
        """Note that a path begins to be recorded."""
        self._start = time.perf_counter()

    def note_end(self, *, for_nothing: bool = False) -> None:
        """Note that it is compiled and has run, or was recorded for nothing."""
        now = time.perf_counter()
        self._wait = (now - self._start) * (_WAIT if for_nothing else 1)
        self._pays_from = now + self._wait

    def pays(self) -> bool:
        """Return whether it is long enough since the last recording."""
        return time.perf_counter() >= self._pays_from

    def _is_first(self, problem: str) -> bool:
        """Return whether to warn of a problem now."""
        is_first = problem not in self.told
        self.told.add(problem)
        return is_first

    def warn_of_paths(
        self,
        compiled: object,
        trace: Trace,
        known: Sequence[tuple[bool, ...]],
        tried: Sequence[tuple[bool, ...]],
    ) -> None:
        """Warn if a call takes a path of its own, and there are too many.

        Parameters
        ----------
        trace : Trace
            The recording of the call.
        known, tried : sequence of tuple of bool
            The outcomes of comparisons on the paths that were compiled, and on others.
        """
        outcomes, lines = tuple(trace.guards.values()), trace.lines
        others = (*known, *tried)
        ways = [x for x in others if x[: len(outcomes)] != outcomes]  # after it, domains
        is_new = len(known) >= PATHS or len(ways) == len(others)
        if len(ways) >= PATHS and is_new and self._is_first("paths"):
            alike = [sum(accumulate(map(is_, outcomes, x), and_)) for x in ways]
            line = lines[max(alike)] if alike and max(alike) < len(lines) else None
            place, code = ("", "") if line is None else (f" ({line[0]}:{line[1]})", at(*line))
            _warn(
                f"{compiled!r} takes more than {PATHS} paths through its comparisons{place}: calls "
                "that take yet another are evaluated eagerly. Make the comparisons part of the "
                "computation with where, cond, maximum(*xs) for max(xs), minimum or clip, write a "
                "loop that ends on a condition with while_loop, or compare numbers that are the "
                "same at every call (.detach() does not help: the number still changes)" + code
            )

    def note_left_eager(self, compiled: object, exceeded: Sequence[tuple[str, int] | None]) -> None:
        """Count an eager call that is not worth a recording as yet; warn if such calls recur.

        Parameters
        ----------
        exceeded : sequence of (str, int) or None
            For each known path, the line of the loop that took more steps than it has.
        """
        line = next((x for x in exceeded if x is not None), None)
        self._exceeded += line is not None
        if line is not None and self._exceeded >= EXCEEDED and self._is_first("steps"):
            _warn(
                f"{compiled!r} takes more steps of a loop whose end depends on numbers "
                f"({line[0]}:{line[1]}), as while_loop and solvers.root do, than the calls that it "
                "was compiled for. Such calls are evaluated eagerly until they have taken as long "
                f"as recording and compiling, {self._wait:.2g} s: call it first where it takes "
                "the most steps, begin each search at the last solution, or write a for loop of a "
                "fixed number of Newton's steps" + at(*line)
            )

    def note_not_finite(self, compiled: object, operations: int) -> None:
        """Count an eager call, made since a number was not finite; warn if such calls are slow."""
        self._not_finite += operations
        if self._not_finite >= NOT_FINITE and self._is_first("not finite"):
            _warn(
                f"{compiled!r} is evaluated eagerly where a result or a gradient is inf or nan, "
                "which takes as long as without jit. Called within disable_jit() and "
                "detect_anomaly(), it names the operation. To leave such points out, guard the "
                "operand, not the result: sqrt(where(x > 0, x, 1)); scale what overflows"
            )

    def is_changing(self, compiled: object, changed: Sequence[str], *, given: bool) -> bool:
        """Count changes; return whether something changes again and again.

        Parameters
        ----------
        changed : list of str
            The names of what is another than at the last recording.
        given : bool
            Whether it may have come with the arguments.
        """
        most = SIZES if given else CHANGES
        self._changes.update({*changed})
        often = [name for name in changed if self._changes[name] >= CHANGES]
        if often and self._is_first("changes"):
            later = f", after {most} recordings" if most > CHANGES else ""
            _warn(
                f"{compiled!r} was recorded {CHANGES} times because what it reads or is given has "
                f"changed ({', '.join(often[:4])}): it is part of the program. Calls that find "
                f"another one are evaluated eagerly{later}. Make a number that changes a Value or "
                "an argument: both are read at each call. Make a function once, outside"
            )
        return any(self._changes[name] >= most for name in often)


def _warn(message: str) -> None:
    warnings.warn(message, JitWarning, stacklevel=_CALLS)
