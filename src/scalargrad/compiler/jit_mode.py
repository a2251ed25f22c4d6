"""Modes of compiled functions: on, off or checked; SCALARGRAD_JIT and `disable_jit`."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from scalargrad.errors import TraceError

#: The mode of this thread or task: on, off, or program, for a call being checked.
_mode: ContextVar[str] = ContextVar("jit_mode", default="")


@functools.cache
def environment_setting() -> str:
    """Return the setting of the environment variable SCALARGRAD_JIT, as read at first use.

    Raises
    ------
    TraceError
        If it is neither empty nor ``numpy``, ``off`` or ``check``.
    """
    choice = os.environ.get("SCALARGRAD_JIT", "")
    if choice not in _MODES:
        raise TraceError(
            f"SCALARGRAD_JIT={choice}: set it to numpy, to compile without llvmlite, to off, to "
            "evaluate everything eagerly, or to check, to do both and compare; or unset it"
        )
    return choice


def mode_here() -> str:
    """Return the mode of compiled functions here: on, off, check or program."""
    return _mode.get() or _MODES[environment_setting()]


_MODES = {"": "on", "numpy": "on", "off": "off", "check": "check"}


def is_jit_disabled() -> bool:
    """Return whether everything is evaluated eagerly in this thread or task."""
    return mode_here() == "off"


@contextmanager
def jit_mode(mode: str) -> Iterator[None]:
    """Call compiled functions in a mode in the body of a ``with`` statement."""
    before = _mode.set(mode)
    try:
        yield
    finally:
        _mode.reset(before)


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
        variable ``SCALARGRAD_JIT``, which is read then, is anything but ``numpy``, ``off`` or
        ``check``.

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
    with jit_mode("off" if disable else "on"):
        yield
