"""Gradient modes and the recorder: whether an operation on Values makes a node, and which kind.

An operation builds a node of a graph by default, a leaf within `no_grad`, and a node of a program
while the compiler traces a function. Each mode belongs to one thread or task:

>>> is_grad_enabled()
True
>>> with no_grad():
...     is_grad_enabled()
False
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

_grad_enabled: ContextVar[bool] = ContextVar("grad_enabled", default=True)

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


_recorder: ContextVar[Recorder | None] = ContextVar("recorder", default=None)
#: Return the active recorder of this thread or task; None outside of tracing.
recorder = _recorder.get


def refuse_if_recorded(question: str) -> None:
    """Raise TraceError for an action that cannot be compiled, if a function is being traced."""
    if (current := recorder()) is not None:
        current.refused(question)


def run_recorded(run: Callable[[], R], by: Recorder | None) -> R:
    """Run a function with gradients enabled, recorded `by` a recorder or, with None, as a graph.

    All settings are made in a copy of the context, which ends with the call. Ctrl-C at a bad
    moment can at most leave an entry in `active_modes`, which only costs time.
    """
    active_modes.append(None)
    try:
        return copy_context().run(_run_recorded, run, by)
    finally:
        active_modes.pop()


def _run_recorded(run: Callable[[], R], by: Recorder | None) -> R:
    _recorder.set(by)
    _grad_enabled.set(True)
    return run()


class ActiveDerivative(NamedTuple):
    """A derivative whose function is running now.

    Attributes
    ----------
    created : set of Value
        The leaves that the function creates; any other leaf that it reads is closed over.
    leaves : sequence of Value
        The leaves with respect to which it is differentiated.
    older : set of Value
        Nodes known to be older than the derivatives nested in this one.
    """

    created: set[Any]
    leaves: Sequence[Any]
    older: set[Any]


#: Derivatives whose functions are running, the innermost last.
active_derivatives: ContextVar[tuple[ActiveDerivative, ...]] = ContextVar("derivatives", default=())


def register_leaf(node: R) -> R:
    """Add a new leaf to those created within each active derivative, and return it."""
    for created, _, _ in active_derivatives.get():
        created.add(node)
    return node


#: Return True if gradients are enabled here: operations build graphs, or are traced to be
#: differentiated.
builds_graphs = _grad_enabled.get


def is_grad_enabled() -> bool:
    """Return True if operations on Values build graphs here (as in PyTorch).

    In a compiled function this is allowed only within the function's own `no_grad` block:
    elsewhere the result would be that of the traced call, also for calls in another mode.

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
    """Set a context variable for the body of a ``with`` statement or of a function."""

    _variable: ContextVar[bool]
    _setting: bool

    def __init__(self) -> None:
        self._tokens: list[Token[bool]] = []

    def __enter__(self) -> None:
        self._tokens.append(self._variable.set(self._setting))

    def __exit__(self, *exception: object) -> None:
        self._variable.reset(self._tokens.pop())

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Return `function`, wrapped so that it runs with the setting."""
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


class _GradSwitch(Switch):
    """Switch that enables or disables gradients; `active_modes` counts those that disable."""

    _variable = _grad_enabled

    def __enter__(self) -> None:
        if not self._setting:
            active_modes.append(None)
        super().__enter__()
        self._notify_recorder()

    def __exit__(self, *exception: object) -> None:
        super().__exit__(*exception)
        if not self._setting:
            active_modes.pop()
        self._notify_recorder()

    def _notify_recorder(self) -> None:
        current = recorder()
        if current is not None:
            current.switch_grad(builds_graphs())


class no_grad(_GradSwitch):  # noqa: N801 - PyTorch's name
    """Compute without building graphs: results are leaves.

    Works as a context manager and as a decorator. Only the current thread or task is
    affected.

    Notes
    -----
    As in PyTorch, a generator that yields inside the block leaves the mode active for its caller
    until the generator resumes: compute inside the block, and yield after it.

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


class enable_grad(_GradSwitch):  # noqa: N801 - PyTorch's name
    """Build graphs again inside a `no_grad` block.

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
