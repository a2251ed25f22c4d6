"""Whether operations on nodes are recorded, per context (thread or task)."""

from __future__ import annotations

from contextlib import ContextDecorator
from contextvars import ContextVar, Token

_recording: ContextVar[bool] = ContextVar("recording", default=True)

#: One entry per context manager in force anywhere. While it is empty, recorded operations
#: need not look at the context variable, which would cost them 5% of their time.
switches: list[None] = []


def is_grad_enabled() -> bool:
    """Return whether operations on Values are being recorded here (as in PyTorch).

    Examples
    --------
    >>> with no_grad():
    ...     is_grad_enabled()
    False
    """
    return _recording.get()


class _Switch(ContextDecorator):
    """Set recording on or off for the body of a ``with`` statement or a function."""

    _enabled: bool

    def __init__(self) -> None:
        self._tokens: list[Token[bool]] = []

    def __enter__(self) -> None:
        switches.append(None)
        self._tokens.append(_recording.set(self._enabled))

    def __exit__(self, *exception: object) -> None:
        _recording.reset(self._tokens.pop())
        switches.pop()

    def _recreate_cm(self) -> _Switch:
        return type(self)()


class no_grad(_Switch):  # noqa: N801 - PyTorch's name
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

    _enabled = False


class enable_grad(_Switch):  # noqa: N801 - PyTorch's name
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

    _enabled = True
