"""The recorder of operations: a graph, nothing (`no_grad`), or the compiler while it traces.

The setting holds for one thread or task.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextvars import ContextVar, Token, copy_context
from typing import Any, NamedTuple, NoReturn, ParamSpec, Protocol, TypeVar

from scalargrad.errors import OperandError

P = ParamSpec("P")
R = TypeVar("R")

#: Flags of a code object: generator, coroutine, asynchronous generator (see `inspect`).
_SUSPENDS = 0x20 | 0x80 | 0x200

_recording: ContextVar[bool] = ContextVar("recording", default=True)

#: One entry for each recorder and each `no_grad` in force in any thread. While it is empty,
#: operations build graphs and need not read a context variable, which would take 5% of their time.
switches: list[None] = []

#: The number of comparisons of a Value with a number by ``==``. If the count is the same after two
#: things were found equal, neither has a Value where the other has a number.
numbers_compared = [0]


class Recorder(Protocol):
    """The recorder of operations while a function is compiled, instead of a graph.

    The engine calls it wherever a Value would be asked for its number. These methods, and
    `numbers_compared`, are all that the engine knows of the compiler.
    """

    def node(self, op: Any, operands: tuple[Any, ...]) -> Any:
        """Record an operation; at least one operand is a Value."""

    def compared(self, op: Any, x: Any, other: Any) -> Any:
        """Record a comparison by an operator, ``x < other`` if `op` is lt."""

    def equal(self, x: Any, other: Any, op: Any) -> Any:
        """Record ``x == other`` or ``x != other``, by `op`, for a Value made before."""

    def refused(self, question: str) -> NoReturn:
        """Refuse an action that a program could not repeat at each call."""

    def take(self, values: Any, index: Any) -> Any:
        """Record a lookup: the entry of `values` at an index that is being recorded."""

    def gradients(self, y: Any, xs: list[Any], create_graph: bool, allow_nonfinite: bool) -> Any:
        """Record ∂y/∂x for each x."""

    def run(self, f: Any, argnums: Any, args: Any, kwargs: Any) -> Any:
        """Run a function that is differentiated."""

    def switch_grad(self, enabled: bool) -> None:
        """Let gradients flow through what is recorded from now on, or not."""


_recorder: ContextVar[Recorder | None] = ContextVar("recorder", default=None)
#: Return the recorder in force in this thread or task; None where graphs are built.
recorder = _recorder.get


def refuse_if_recorded(question: str) -> None:
    """Refuse an action that a program could not repeat, where a function is recorded."""
    if (current := recorder()) is not None:
        current.refused(question)


def run_recorded(run: Callable[[], R], by: Recorder | None) -> R:
    """Run a function whose operations a recorder records, or build graphs, with gradients.

    Everything is set in a copy of the context, which ends with the call. Ctrl-C at a bad moment can
    leave at most an entry in `switches`, which costs time only.
    """
    switches.append(None)
    try:
        return copy_context().run(_run_recorded, run, by)
    finally:
        switches.pop()


def _run_recorded(run: Callable[[], R], by: Recorder | None) -> R:
    _recorder.set(by)
    _recording.set(True)
    return run()


class Derivative(NamedTuple):
    """A derivative under way: a function that is differentiated is running.

    Attributes
    ----------
    made : set of Value
        The leaves that the function makes, which tells them from those that it closes over.
    leaves : sequence of Value
        The leaves by which it is differentiated.
    older : set of Value
        Nodes that derivatives inside it have found to be older than they are.
    """

    made: set[Any]
    leaves: Sequence[Any]
    older: set[Any]


#: The derivatives under way, the innermost last.
derivatives: ContextVar[tuple[Derivative, ...]] = ContextVar("derivatives", default=())


def as_leaf(node: R) -> R:
    """Add a new leaf to the sets of the derivatives under way, and return it."""
    for made, _, _ in derivatives.get():
        made.add(node)
    return node


#: Return whether operations on Values build graphs here, or are differentiated in a recording.
builds_graphs = _recording.get


def is_grad_enabled() -> bool:
    """Return whether operations on Values are being recorded here (as in PyTorch).

    A compiled function may ask only within `no_grad` of its own: else the answer would be that of
    its recording, also in calls with another.

    Examples
    --------
    >>> with no_grad():
    ...     is_grad_enabled()
    False
    """
    enabled = builds_graphs()
    if enabled:
        refuse_if_recorded("mode")
    return enabled


class Switch:
    """Give a context variable a setting for the body of a ``with`` statement or a function."""

    _variable: ContextVar[bool]
    _setting: bool

    def __init__(self) -> None:
        self._tokens: list[Token[bool]] = []

    def __enter__(self) -> None:
        self._tokens.append(self._variable.set(self._setting))

    def __exit__(self, *exception: object) -> None:
        self._variable.reset(self._tokens.pop())

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Return `function` with the setting in force while it runs."""
        if getattr(getattr(function, "__code__", None), "co_flags", 0) & _SUSPENDS:
            raise OperandError(
                f"{type(self).__name__} cannot decorate {function.__name__}: a generator or "
                f"coroutine runs after it has returned; write `with {type(self).__name__}():` "
                "inside it"
            )

        @functools.wraps(function)
        def switched(*args: P.args, **kwargs: P.kwargs) -> R:
            with type(self)():
                return function(*args, **kwargs)

        return switched


class _RecordingSwitch(Switch):
    """A switch of recording, counted in `switches` if it is off."""

    _variable = _recording

    def __enter__(self) -> None:
        if not self._setting:
            switches.append(None)
        super().__enter__()
        self._tell_recorder()

    def __exit__(self, *exception: object) -> None:
        super().__exit__(*exception)
        if not self._setting:
            switches.pop()
        self._tell_recorder()

    def _tell_recorder(self) -> None:
        current = recorder()
        if current is not None:
            current.switch_grad(builds_graphs())


class no_grad(_RecordingSwitch):  # noqa: N801 - PyTorch's name
    """Compute without recording: results are leaves, no graph is kept.

    Works as a context manager and as a decorator. Only the current thread or task is
    affected.

    Notes
    -----
    As in PyTorch, a generator that yields inside the block leaves it in force for whoever reads the
    generator, until it goes on: compute inside the block, and yield after it.

    Examples
    --------
    >>> from scalargrad import Value
    >>> x = Value(3.0)
    >>> with no_grad():
    ...     y = x * x
    >>> y.parents
    ()
    """

    _setting = False


class enable_grad(_RecordingSwitch):  # noqa: N801 - PyTorch's name
    """Record again inside a `no_grad` block.

    Examples
    --------
    >>> from scalargrad import Value
    >>> x = Value(3.0)
    >>> with no_grad(), enable_grad():
    ...     y = x * x
    >>> len(y.parents)
    2
    """

    _setting = True
