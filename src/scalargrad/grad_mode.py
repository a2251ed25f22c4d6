"""Whether operations on nodes are recorded, per context (thread or task)."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import Any, ParamSpec, TypeVar

from scalargrad.errors import OperandError

P = ParamSpec("P")
R = TypeVar("R")

#: Flags of a code object: generator, coroutine, asynchronous generator (see `inspect`).
_SUSPENDS = 0x20 | 0x80 | 0x200

_recording: ContextVar[bool] = ContextVar("recording", default=True)

#: One entry per context manager in force anywhere. While it is empty, recorded operations
#: need not look at the context variable, which would cost them 5% of their time.
switches: list[None] = []


#: The sets that leaves made here are noted in: one for each derivative being recorded, which
#: thereby tells a leaf its function made from one the function closes over.
new_leaves: ContextVar[tuple[set[Any], ...]] = ContextVar("new_leaves", default=())


def as_leaf(node: R) -> R:
    """Note a leaf just made where derivatives being recorded look for it, and return it."""
    for leaves in new_leaves.get():
        leaves.add(node)
    return node


def is_grad_enabled() -> bool:
    """Return whether operations on Values are being recorded here (as in PyTorch).

    Examples
    --------
    >>> with no_grad():
    ...     is_grad_enabled()
    False
    """
    return _recording.get()


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
    """A switch of recording, counted in `switches`."""

    _variable = _recording

    def __enter__(self) -> None:
        switches.append(None)
        super().__enter__()

    def __exit__(self, *exception: object) -> None:
        super().__exit__(*exception)
        switches.pop()


class no_grad(_RecordingSwitch):  # noqa: N801 - PyTorch's name
    """Compute without recording: results are leaves, no graph is kept.

    Works as a context manager and as a decorator. Only the current thread or task is
    affected.

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
