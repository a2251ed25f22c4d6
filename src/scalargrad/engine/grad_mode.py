"""Gradient modes: whether an operation on Values builds a graph.

An operation makes a node with operands by default, and a leaf within `no_grad`. The mode belongs to
one thread or task:

>>> is_grad_enabled()
True
>>> with no_grad():
...     is_grad_enabled()
False
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextvars import ContextVar, Token, copy_context
from typing import ParamSpec, TypeVar

from scalargrad.engine.recorder import (
    Recorder,
    active_modes,
    active_recorder,
    recorder,
    refuse_if_recorded,
)
from scalargrad.errors import OperandError

P = ParamSpec("P")
R = TypeVar("R")

#: Flags of a code object: generator, coroutine, asynchronous generator (see `inspect`).
_SUSPENDS = 0x20 | 0x80 | 0x200

_grad_enabled: ContextVar[bool] = ContextVar("grad_enabled", default=True)

#: Return True if gradients are enabled here: operations build graphs, or are traced to be
#: differentiated.
builds_graphs = _grad_enabled.get


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
    active_recorder.set(by)
    _grad_enabled.set(True)
    return run()


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
