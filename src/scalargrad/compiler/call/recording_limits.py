"""Limits on how often a function is traced, and warnings of slow calls: eager, or traced again."""

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

#: Maximum number of branches of a function that are traced for one structure of arguments.
PATHS = 4
#: Number of traces because of one change, after which there is a warning.
CHANGES = 4
#: Maximum number of traces because of one change among the arguments.
SIZES = 16
#: Stack level of the call of the compiled function, counted from the warning.
_CALLS = 6
#: Number of eager calls in which a loop takes more steps than its program, before a warning.
EXCEEDED = 5
#: Number of operations evaluated eagerly because a number is not finite, before a warning.
NOT_FINITE = 100_000
#: Time of calls before the next trace, relative to the time of a trace that was not compiled. Calls
#: then take about one and a half times as long as eager calls alone.
_WAIT = 4


class RecordingLimits:
    """Counts the traces and eager calls of one function, and warns of each problem once.

    Warnings name the function, the argument `compiled` of methods.
    """

    def __init__(self) -> None:
        #: Problems of which a warning was issued.
        self.told: set[str] = set()
        self._not_finite = 0  # operations
        self._exceeded = 0  # calls
        self._changes: Counter[str] = Counter()
        self._start = self._pays_from = self._wait = 0.0

    def note_start(self) -> None:
        """Record the start of a trace."""
        self._start = time.perf_counter()

    def note_end(self, *, for_nothing: bool = False) -> None:
        """Record that it was compiled and has run, or was traced without being compiled."""
        now = time.perf_counter()
        self._wait = (now - self._start) * (_WAIT if for_nothing else 1)
        self._pays_from = now + self._wait

    def pays(self) -> bool:
        """Return True if enough time has passed since the last trace."""
        return time.perf_counter() >= self._pays_from

    def _is_first(self, problem: str) -> bool:
        """Return True if this is the first time that a problem occurs."""
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
        """Warn if a call takes a new branch, and there are too many.

        Parameters
        ----------
        trace : Trace
            The trace of the call.
        known, tried : sequence of tuple of bool
            The outcomes of comparisons of the branches that were compiled, and of others.
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
                f"{compiled!r} takes more than {PATHS} branches of its comparisons{place}: calls "
                "that take another one are evaluated eagerly. Make the comparisons part of the "
                "computation with where, cond, maximum(*xs) for max(xs), minimum or clip, write a "
                "loop that ends on a condition with while_loop, or compare numbers that are equal "
                "in all calls (.detach() does not help: the number still changes)" + code
            )

    def note_left_eager(self, compiled: object, exceeded: Sequence[tuple[str, int] | None]) -> None:
        """Count an eager call that is not yet worth a trace; warn if such calls recur.

        Parameters
        ----------
        exceeded : sequence of (str, int) or None
            For each specialization, the line of the loop that took more steps than it has.
        """
        line = next((x for x in exceeded if x is not None), None)
        self._exceeded += line is not None
        if line is not None and self._exceeded >= EXCEEDED and self._is_first("steps"):
            _warn(
                f"{compiled!r} takes more steps of a loop whose end depends on numbers "
                f"({line[0]}:{line[1]}), such as while_loop and solvers.root, than the calls for "
                "which it was compiled. Such calls are evaluated eagerly until they have taken as "
                f"long as tracing and compiling, {self._wait:.2g} s: call it first where it takes "
                "the most steps, start each search at the last solution, or write a for loop with "
                "a fixed number of Newton steps" + at(*line)
            )

    def note_not_finite(self, compiled: object, operations: int) -> None:
        """Count an eager call because of a number that is not finite; warn if these are slow."""
        self._not_finite += operations
        if self._not_finite >= NOT_FINITE and self._is_first("not finite"):
            _warn(
                f"{compiled!r} is evaluated eagerly where a result or a gradient is inf or nan, "
                "which takes as long as without jit. Within disable_jit() and detect_anomaly(), an "
                "error names the operation. To avoid such points, guard the operand, not the "
                "result: sqrt(where(x > 0, x, 1)); scale numbers that overflow"
            )

    def is_changing(self, compiled: object, changed: Sequence[str], *, given: bool) -> bool:
        """Count changes; return True if something changes again and again.

        Parameters
        ----------
        changed : list of str
            The names of the state that has changed since the last trace.
        given : bool
            Whether it may be part of the arguments.
        """
        most = SIZES if given else CHANGES
        self._changes.update({*changed})
        often = [name for name in changed if self._changes[name] >= CHANGES]
        if often and self._is_first("changes"):
            later = f", after {most} traces" if most > CHANGES else ""
            _warn(
                f"{compiled!r} was traced {CHANGES} times because captured state or an argument "
                f"has changed that is part of the program: {', '.join(often[:4])}. Further calls "
                f"after a change are evaluated eagerly{later}. A number that changes should be a "
                "Value or an argument, which are read at each call; create functions once, outside"
            )
        return any(self._changes[name] >= most for name in often)


def _warn(message: str) -> None:
    warnings.warn(message, JitWarning, stacklevel=_CALLS)
