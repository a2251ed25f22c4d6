"""Record one call: run the function on traced numbers in place of those of its arguments."""

from __future__ import annotations

import functools
from collections.abc import Callable, Container, Sequence
from typing import Any, NoReturn

from scalargrad.compiler.call.arguments import Copies, rebuilt
from scalargrad.compiler.call.eager_replay import Call
from scalargrad.compiler.trace.randomness import REMEDY, Generators
from scalargrad.compiler.trace.record import Recording, is_same, recorded
from scalargrad.compiler.trace.refusal import PartingError, users_line
from scalargrad.compiler.trace.side_effects import (
    ELSEWHERE,
    ChangesError,
    made_again,
    unchanging,
)
from scalargrad.compiler.trace.snapshots import Around, Contents, Note, have_advanced
from scalargrad.compiler.trace.trace import Trace
from scalargrad.compiler.trace.traced import Traced
from scalargrad.errors import ScalargradError, TraceError
from scalargrad.transforms.evaluation import OF_FLOATS
from scalargrad.value import Value

_NOTE = (
    "While a compiled function is recorded, every number of its arguments is a Value. What has to "
    "be a plain number or array there (an index array, a mask, a key, a size) can be a static "
    "argument, as in jit(f, static_argnames='mask'), or be closed over. " + OF_FLOATS
)

_FRESH = (
    "a random number was drawn from the system, or from a generator that is made without "
    f"a seed, while a compiled function was recorded: {REMEDY}"
)
_CHANGING = (
    "{compiled!r} changes {named}, which its program would not do at the next call: return what is "
    "new, pass what changes as an argument, and keep logs and counters outside"
)

#: What a path is made of: the recording, the outline of the result, the leaves of the arguments.
Found = tuple[Recording, Any, list[Any]]


class UnrecordedError(Exception):
    """A call could not be recorded.

    Attributes
    ----------
    error : Exception
        The reason.
    is_repeatable : bool
        Whether the function itself raised it; an eager call then raises it with more details.
    """

    def __init__(self, error: Exception, is_repeatable: bool) -> None:
        self.error, self.is_repeatable = error, is_repeatable

    def explain(self) -> NoReturn:
        """Raise the reason as the error of the call."""
        error = _explained(self.error)
        if not isinstance(error, ScalargradError):
            error.add_note(_NOTE)
        raise error


def _explained(error: Exception) -> Exception:
    """Return an error; of an attribute that no recorded number has, with what to write."""
    name = error.name if isinstance(error, AttributeError) else None
    if name is None or name.startswith("_") or not isinstance(error.obj, Traced):  # type: ignore[attr-defined]
        return error
    return AttributeError(
        f"a Value has no attribute {name!r}; while a compiled function is recorded each number of "
        "its arguments is a plain Value, also where it was a float or of a class of yours: in "
        f"place of a method write a function, {name}(x), and pass other attributes as arguments of "
        "their own"
    ).with_traceback(error.__traceback__)


class CallRecorder:
    """Record a call of a function.

    Parameters
    ----------
    static : set of int or str
        Positions and names of static arguments.
    call : Call
        Error messages name the compiled function in it.
    singly : bool
        Whether each number given or returned must have a node of its own.
    along : sequence of tuple of bool
        The outcomes of comparisons, of which the recording is to have one.

    Attributes
    ----------
    may_be_fresh : bool
        Whether what was recorded names a source of randomness without a seed.
    notes : list of Note
        The attributes that the function has added to objects, which its program does not. They
        have been taken away again.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        static: frozenset[int | str],
        call: Call,
        *,
        singly: bool = False,
        along: Sequence[tuple[bool, ...]] = (),
    ) -> None:
        self._function, self._static, self._singly = function, static, singly
        self._along = along
        self._compiled, self._args, self._kwargs, _, leaves, _ = call
        self._leaves = leaves if leaves.__class__ is list else leaves.tolist()  # type: ignore[attr-defined]
        self.may_be_fresh = False
        self.notes: list[Note] = []
        self._is_unchanged = False  # what is around the function, by a recording that failed

    def record(self, notes: Sequence[Note] = ()) -> Found:
        """Record the call, and return what a path is made of.

        Parameters
        ----------
        notes : sequence of Note
            Attributes that an earlier recording has added.

        Raises
        ------
        UnrecordedError
            If the function cannot be recorded on these arguments.
        """
        apart: set[int] = set()
        sources = self._function, self._args, self._kwargs
        generators, self._around = Generators(sources), Around(self._function)
        while True:  # again if the function used single numbers of a whole array
            self._is_unchanged = False
            trace = Trace(sources, singly=self._singly, generators=generators)
            trace.along = self._along
            failed: UnrecordedError | None = None
            try:
                found = self._record_by(trace, apart, notes)
            except UnrecordedError as error:
                failed = error
            touched = {x.leaf for x in trace.wholes if x.is_touched}
            touched = touched or {x.leaf for x in trace.wholes if failed}
            if not touched and failed:
                raise failed
            if not touched:
                self.may_be_fresh = trace.generators.may_be_fresh
                return found
            apart |= touched
            if not self._is_unchanged:
                generators, self._around = Generators(sources), Around(self._function)

    def require_same(
        self,
        found: Found,
        changed: Sequence[str] | None,
        stays: Callable[[], bool] | None = None,
        held: Container[Value] = (),
    ) -> None:
        """Record the call again, after it has changed what it reads or drawn numbers, and compare.

        Attributes that it has added to its arguments are there, as they are in eager evaluation.

        A cache that was filled makes no difference; a counter does, and so does a draw from a
        source without a seed.

        Parameters
        ----------
        found : tuple
            What was recorded.
        changed : list of str or None
            The names of what has changed, for a message; None if nothing has.
        stays : callable, optional
            Tells whether all is still as the first recording has left it, which is asked, too: a
            cache is, and a log is not.
        held : container of Value
            What names led to before the first recording, or lead to now.

        Raises
        ------
        UnrecordedError
            If the recording is another by now.
        """
        before, once = self._around, Around(self._function)
        known = before.changed().keys()
        try:
            again = self.record(self.notes)
            read = zip(found[0].closed_over, again[0].closed_over, strict=False)
            is_other = not is_same(found[:2], again[:2]) or any(
                x is not y and (x in held or y in held) for x, y in read
            )
            is_left_alone = stays is None or stays()
        except UnrecordedError:
            is_other, is_left_alone = True, False  # it has read what the first has noted
        finally:
            # a log has one entry; what has changed only now, another thread has changed
            once.put_back(once.before(known & once.changed().keys()))
        seen = before.changed().keys()
        if not is_other and (is_left_alone or not seen):
            return
        once_more: list[Found] = []
        run = lambda: once_more.append(self.record(self.notes))  # noqa: E731
        _, own = made_again(run, before, Contents([]))
        is_others = bool(seen and once_more) and seen.isdisjoint(own)
        if is_others and not is_other:
            return  # another thread writes what the program does not depend on
        why = _FRESH
        if changed is not None:
            named = ", ".join(dict.fromkeys(changed[:3])) or "what it reads"
            why = (ELSEWHERE if is_others else _CHANGING).format(
                compiled=self._compiled, named=named
            )
        raise UnrecordedError(TraceError(why), is_repeatable=False)

    def parting_line(self, outcomes: Sequence[bool]) -> tuple[str, int] | None:
        """Record the call as far as its comparisons have these outcomes.

        Returns
        -------
        (str, int) or None
            The file and line of the first comparison that comes out otherwise; None if the
            recording ends in another way.
        """
        trace = Trace((self._function, self._args, self._kwargs), singly=True)
        trace.along = [tuple(outcomes)]
        self._around = Around(self._function)
        try:
            self._record_by(trace, set())
        except UnrecordedError as failed:
            error = failed.__cause__
            return users_line(error.__traceback__) if isinstance(error, PartingError) else None
        finally:
            self._around.put_back()  # the call itself is still to come
        return None

    def _record_by(self, trace: Trace, apart: set[int], notes: Sequence[Note] = ()) -> Found:
        """Record the call; the leaves `apart` have a node for each number however large."""
        leaves = self._leaves
        copies: Copies = {}
        call, traced = self._replaced(trace.arguments(leaves, apart), copies)
        found: list[Note] = []

        has_returned = False

        def run_on_noted() -> Any:
            nonlocal has_returned
            for owner, name, x in notes:
                _, now = copies.get(id(owner), (owner, owner))
                object.__setattr__(now, name, x)
            result = call()
            has_returned = True
            return result

        around = self._around
        try:
            run = unchanging(run_on_noted, around, traced, self._compiled, found)
            recording, outline = recorded(trace, run, domains=True)
            if trace.has_parted:  # and the function has caught that
                raise PartingError
        except ChangesError as error:
            raise UnrecordedError(TraceError(*error.args), is_repeatable=False) from error
        except Exception as error:
            changed = around.changed()
            self._is_unchanged = not changed
            is_change = trace.refusal is not None and trace.refusal.is_change
            is_repeatable = not (has_returned or is_change or have_advanced(changed))
            if changed and not have_advanced(changed):  # an eager call is to find what it found
                again = functools.partial(trace.record, run_on_noted)
                made_again(again, around, Contents(traced))
                trace.generators.rewind()
            raise UnrecordedError(error, is_repeatable) from error
        originals = {id(copied): x for x, copied in copies.values()}
        self.notes = [(originals.get(id(owner), owner), name, x) for owner, name, x in found]
        return recording, outline, leaves

    def _replaced(self, numbers: Sequence[Value], copies: Copies) -> tuple[Any, list[Any]]:
        """Return the call with these numbers in its arguments, and these."""
        remaining = iter(numbers)
        replaced = {
            name: x if name in self._static else rebuilt(x, remaining, copies)
            for name, x in [*enumerate(self._args), *self._kwargs.items()]
        }
        traced = [x for name, x in replaced.items() if name not in self._static]
        positional = [replaced[i] for i in range(len(self._args))]
        keywords = {name: replaced[name] for name in self._kwargs}
        return functools.partial(self._function, *positional, **keywords), traced
