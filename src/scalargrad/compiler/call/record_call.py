"""Trace one call: run the function with traced numbers in place of those of its arguments.

For ``f(2.0, [1.0, 3.0])`` it runs ``f(%0, [%1, %2])``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NoReturn

from scalargrad.compiler.call.arguments import replaced, types_of_leaves
from scalargrad.compiler.call.specialization import Call
from scalargrad.compiler.generators import REMEDY
from scalargrad.compiler.guards.names_read import NamesRead
from scalargrad.compiler.trace.eager_types import eager_types
from scalargrad.compiler.trace.record import Recording, as_recording, content, recorded
from scalargrad.compiler.trace.side_effects import Snapshot, take_away_notes
from scalargrad.compiler.trace.trace import Trace
from scalargrad.engine.value import Value
from scalargrad.errors import ScalargradError, TraceError
from scalargrad.transforms.evaluation import OF_FLOATS, add_note_once, in_place_advice

_NOTE = (
    "While a compiled function is traced, each number of its arguments is a Value. A plain number "
    "or array that the function needs (an index array, a mask, a key, a size) can be a static "
    "argument, as in jit(f, static_argnames='mask'), or captured; write a function in place of a "
    "method of a number class. " + OF_FLOATS
)

_CHANGING = (
    "{compiled!r} changes {named}, which its program would not do: return the new value, or change "
    "a copy of an argument, as by copy.deepcopy(x); keep logs and counters outside; a cache of "
    "numbers computed from the arguments must be inside"
)
_FRESH = (
    "a random number was drawn from the system, or from a generator that is made without "
    f"a seed, while a compiled function was traced: {REMEDY}"
)


#: What a path is made of: the recording, and the outline of the result.
Found = tuple[Recording, Any]
#: What has been recorded, and what makes of it that of which a path is made.
Attempt = tuple[Trace, Callable[[], Found]]


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
        if not isinstance(self.error, ScalargradError):
            add_note_once(self.error, in_place_advice(self.error) or _NOTE)
        raise self.error

    def refuse(self, compiled: Any) -> NoReturn:
        """Raise TraceError for an error that an eager call does not raise."""
        error = self.error
        if isinstance(error, ScalargradError):
            raise error
        why = f"{compiled!r} raised {type(error).__name__} while it was traced"
        refusal = TraceError(f"{why}, and does not when it is called eagerly: {error}")
        add_note_once(refusal, in_place_advice(error) or _NOTE)
        raise refusal from error


class CallRecorder:
    """Record a call of a function.

    Parameters
    ----------
    call : Call
    names : NamesRead
        What its code is known to read.
    singly : bool
        Whether each number given or returned must have a node of its own.

    Attributes
    ----------
    leaves : list
        The numbers, Values and arrays among the arguments.
    """

    def __init__(self, call: Call, names: NamesRead, *, singly: bool = False) -> None:
        self._names, self._unrolls = names, singly
        self._call = call
        self._compiled, self._args, self._kwargs, _, leaves, _ = call
        self.leaves = leaves if type(leaves) is list else leaves.tolist()  # type: ignore[attr-defined]
        #: Leaves that have a node for each number however large.
        self._apart = {*range(len(self.leaves))} if singly else set[int]()

    def record(self, stays: Callable[[], bool]) -> Attempt:
        """Record the call.

        What the function has changed it must leave alone in a second recording, which is to be the
        same: a memo is kept so, but no counter, and nothing that it only writes. The last output of
        a layer, an attribute that was added, is taken away again.

        Parameters
        ----------
        stays : callable
            Tells whether all that the function reads is as it was before.

        Raises
        ------
        UnrecordedError
            If the function cannot be recorded on these arguments.
        """
        finish, before, trace = self._once()
        is_noticed = not stays()
        if not (is_noticed or before.changed() or trace.generators.may_be_fresh):
            return trace, finish
        found = finish()
        try:
            finish, between, _ = self._once(unrolls=trace.unrolls)
        except UnrecordedError as error:  # it has read what the first has changed
            named = before.labels(before.changed())
            before.undo()
            raise self._refused(named) from error
        again = finish()
        take_away_notes(before, between)
        changed, left = before.changed(), between.changed()
        made = {x for x, _ in left} - before.met.keys()  # by the first recording
        kept = before.keeping_results(changed, made)
        is_memo = content(*found) == content(*again) and (is_noticed or not changed)
        if is_memo and not (left or kept):
            return trace, lambda: again
        before.undo([*left, *kept] if is_memo else None)
        raise self._refused(before.labels(changed) + between.labels(left))

    def _refused(self, changed: list[str]) -> UnrecordedError:
        """Return the refusal of a function that is another when it is called again."""
        named = ", ".join(dict.fromkeys(changed[:3]))
        why = _CHANGING.format(compiled=self._compiled, named=named) if named else _FRESH
        return UnrecordedError(TraceError(why), is_repeatable=False)

    def _once(self, *, unrolls: bool = False) -> tuple[Callable[[], Found], Snapshot, Trace]:
        """Run the call; return what makes a path of it, what was held before, and the trace."""
        trace = Trace(unrolls=unrolls or self._unrolls)
        has_returned = False
        numbers = trace.arguments(self.leaves, self._apart)
        trace.types_of_leaves = lambda: types_of_leaves(self._call)
        function, static = self._compiled.__wrapped__, self._compiled.static
        args, kwargs = replaced(self._args, self._kwargs, static, iter(numbers))
        before = Snapshot([function, *args, *kwargs.values()], self._names)
        trace.generators = before.generators

        def run() -> Any:
            nonlocal has_returned
            result = function(*args, **kwargs)
            if any(isinstance(x, Value) and x.__dict__ for x in numbers):
                trace.refused("attribute")
            has_returned = True
            return result

        failed: Exception | None = None
        try:
            with eager_types(before.namespaces):
                outputs, outline = recorded(trace, run)
        except BaseException as error:
            before.undo()
            if not isinstance(error, Exception):
                raise
            failed = error
        touched = {x.leaf for x in trace.wholes if x.is_touched or failed}
        if touched:  # again, since the function used single numbers of a whole array
            before.undo()
            self._apart |= touched
            return self._once(unrolls=unrolls)
        if failed:
            raise UnrecordedError(failed, not (has_returned or trace.is_final)) from failed
        return lambda: (as_recording(trace, outputs, domains=True), outline), before, trace
