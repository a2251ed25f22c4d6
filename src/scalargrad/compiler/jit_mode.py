"""Whether functions are compiled, and with which backend: SCALARGRAD_JIT and `disable_jit`."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from scalargrad.errors import TraceError

_CHOICES = ("", "numpy", "off")
_disabled: ContextVar[bool | None] = ContextVar("disable_jit", default=None)


@functools.cache
def chosen() -> str:
    """Return what the environment variable SCALARGRAD_JIT asks for, as read at first use.

    Raises
    ------
    TraceError
        If it is neither empty nor ``numpy`` nor ``off``.
    """
    choice = os.environ.get("SCALARGRAD_JIT", "")
    if choice not in _CHOICES:
        raise TraceError(
            f"SCALARGRAD_JIT={choice}: set it to numpy, to compile without llvmlite, or to off, to "
            "evaluate everything eagerly, or unset it"
        )
    return choice


def is_jit_disabled() -> bool:
    """Return whether everything is evaluated eagerly in this thread or task."""
    here = _disabled.get()
    return chosen() == "off" if here is None else here


@contextmanager
def disable_jit(disable: bool = True) -> Iterator[None]:
    """Evaluate compiled functions eagerly in the body of a ``with`` statement.

    Parameters
    ----------
    disable : bool
        False compiles even if ``SCALARGRAD_JIT=off`` or an outer `disable_jit` says otherwise.

    Raises
    ------
    TraceError
        By the first call of a compiled function outside such a statement, if the environment
        variable ``SCALARGRAD_JIT``, which is read then, is anything but ``numpy`` or ``off``.

    Notes
    -----
    Functions made by `jit` then run as written: they may print, read ``.data`` and be stepped
    through with a debugger, and what they return has its whole graph. Nothing is recorded, and
    programs recorded before are kept. `train.fit` takes its steps eagerly, also with ``jit=True``.
    For a whole process, set the environment variable ``SCALARGRAD_JIT=off``. Other threads are not
    affected.

    Examples
    --------
    >>> from scalargrad import Value, disable_jit, jit
    >>> @jit
    ... def square(x):
    ...     print("x is", x.data)
    ...     return x * x
    >>> with disable_jit():
    ...     square(Value(3.0)).data
    x is 3.0
    9.0
    """
    before = _disabled.set(disable)
    try:
        yield
    finally:
        _disabled.reset(before)
