"""Modes of compiled functions: on, off or checked; SCALARGRAD_JIT and `disable_jit`."""

from __future__ import annotations

import functools
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

from scalargrad.compiler.backend import has_llvm
from scalargrad.errors import JitWarning, TraceError

#: The mode of this thread or task: on, off, or program, for a call that is being checked.
_mode: ContextVar[str] = ContextVar("jit_mode", default="")
#: Modes by the setting of SCALARGRAD_JIT.
_MODES = {"": "on", "off": "off", "check": "check"}


@functools.cache
def _process_mode() -> str:
    """Return the mode of this process, and warn if llvmlite is missing; evaluated at first use.

    Raises
    ------
    TraceError
        If the environment variable SCALARGRAD_JIT is neither empty nor ``off`` or ``check``.
    """
    setting = os.environ.get("SCALARGRAD_JIT", "")
    if setting not in _MODES:
        raise TraceError(
            f"SCALARGRAD_JIT is {setting!r}: set it to off, to evaluate everything eagerly, or to "
            "check, to compare each compiled call with an eager one; or unset it"
        )
    mode = _MODES[setting]
    if mode != "off" and not has_llvm():
        warnings.warn(
            "compiled functions run eagerly, many times more slowly, because llvmlite is not "
            "installed: python -m pip install 'scalargrad-engine[jit]'",
            JitWarning,
            stacklevel=_user_level(),
        )
        return "off"
    return mode


def _user_level() -> int:
    """Return the stack level of the first caller outside this package, as `warnings` counts it."""
    package, level, frame = str(Path(__file__).parents[1]), 1, sys._getframe(1)
    while frame.f_back and frame.f_code.co_filename.startswith(package):
        level, frame = level + 1, frame.f_back
    return level


def mode_here() -> str:
    """Return the mode of compiled functions here: on, off, check or program."""
    return _mode.get() or _process_mode()


def is_jit_disabled() -> bool:
    """Return True if everything is evaluated eagerly in this thread or task."""
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
        False compiles functions even if ``SCALARGRAD_JIT=off`` or an outer `disable_jit` disables
        compilation; without llvmlite, they are evaluated eagerly.

    Raises
    ------
    TraceError
        By the first call of a compiled function outside such a statement, if the environment
        variable ``SCALARGRAD_JIT``, which is read then, is neither empty nor ``off`` or ``check``.

    Notes
    -----
    Functions made by `jit` then run as written: they can print, read ``.data`` and be stepped
    through with a debugger, and their results have complete graphs. Nothing is traced; programs
    traced before are kept. `train.fit` takes eager steps, even with ``jit=True``. For a whole
    process, set the environment variable ``SCALARGRAD_JIT=off``. Other threads are not affected.

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
    with jit_mode("off" if disable or not has_llvm() else "on"):
        yield
