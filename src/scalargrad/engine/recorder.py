"""The recorder: the object that records operations while the compiler traces a function.

Without a recorder, an operation on Values makes a node of a graph. While one is active, the engine
calls its methods instead. The active recorder belongs to one thread or task:

>>> recorder() is None
True
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, NoReturn, Protocol, TypeVar, TypeVarTuple

R = TypeVar("R")
Ts = TypeVarTuple("Ts")

#: One entry for each active recorder and each active `no_grad` block, of all threads. While the
#: list is empty, operations build graphs without reading a context variable, which saves 5% of
#: their time. It is a list and not an integer, because threads change it: `append` and `pop` are
#: atomic, and ``+= 1`` is not.
active_modes: list[None] = []


class Counter:
    """A count that other modules can increase."""

    __slots__ = ("count",)

    def __init__(self) -> None:
        self.count = 0


#: Counts the comparisons of a Value with a plain number by ``==`` or ``!=``. The guards of compiled
#: code compare containers by ``==``, where a Value equals a plain number with the same data. If the
#: count has grown meanwhile, one container may have a Value where the other has a number, so that
#: they are not interchangeable.
float_comparisons = Counter()


class Recorder(Protocol):
    """Protocol of the object that records operations while a function is traced.

    The engine calls it instead of building nodes, and wherever Python code would read the number
    of a Value. The engine knows nothing else of the compiler than these methods and
    `float_comparisons`.
    """

    def node(self, op: Any, operands: tuple[Any, ...]) -> Any:
        """Record an operation; at least one operand is a Value."""

    def compared(self, op: Any, x: Any, other: Any) -> Any:
        """Record a comparison by an operator: ``x < other`` if `op` is `lt`."""

    def equal(self, x: Any, other: Any, op: Any) -> Any:
        """Record ``x == other`` or ``x != other``, depending on `op`."""

    def refused(self, question: str) -> NoReturn:
        """Raise TraceError for an action that a compiled program cannot repeat at each call."""

    def take(self, values: Any, index: Any) -> Any:
        """Record a lookup: the entry of `values` at a traced index."""

    def gradients(self, y: Any, xs: list[Any], create_graph: bool, allow_nonfinite: bool) -> Any:
        """Record ∂y/∂x for each x."""

    def run(self, f: Any, argnums: Any, args: Any, kwargs: Any) -> Any:
        """Run a function that is being differentiated, and return its `Evaluation`."""

    def switch_grad(self, enabled: bool) -> None:
        """Enable or disable gradients for the operations recorded from now on."""


active_recorder: ContextVar[Recorder | None] = ContextVar("recorder", default=None)
#: Return the active recorder of this thread or task; None outside of tracing.
recorder = active_recorder.get


def is_traced(x: Any) -> bool:
    """Return True if x is a Value of a function that is being traced, and so has no number yet."""
    return recorder() is not None and hasattr(x, "_apply")


def trace_as(form: Callable[[*Ts], R]) -> Callable[[Callable[[*Ts], R]], Callable[[*Ts], R]]:
    """Declare the traced form of a function: the form that is called while a function is traced.

    A function needs one if it reads the numbers of Values, or if the compiler finds loops more
    easily in other operations. Both forms have the same parameters, passed by position, and give
    the same result.

    Examples
    --------
    >>> def traced_relu(x):
    ...     return where(x > 0.0, x, 0.0)
    >>> @trace_as(traced_relu)
    ... def relu(x):
    ...     return x if x.data > 0.0 else 0.0
    """

    def declare(eager: Callable[[*Ts], R]) -> Callable[[*Ts], R]:
        @functools.wraps(eager, updated=())  # without the attributes of an operation
        def dispatch(*args: *Ts) -> R:
            return (eager if recorder() is None else form)(*args)

        return dispatch

    return declare


def record_lookup(values: Any, index: Any) -> Any:
    """Record a lookup by the active recorder; see `Recorder.take`."""
    current = recorder()
    assert current is not None, "traced form of a lookup"
    return current.take(values, index)


def refuse_if_recorded(question: str) -> None:
    """Raise TraceError for an action that cannot be compiled, if a function is being traced."""
    if (current := recorder()) is not None:
        current.refused(question)
