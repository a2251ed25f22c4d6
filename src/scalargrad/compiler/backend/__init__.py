"""Backends: machine code if llvmlite is installed, otherwise NumPy and Python.

The package `llvm` emits LLVM IR and compiles it.
"""

from __future__ import annotations

import functools
import importlib.util
import logging

from scalargrad.compiler.jit_mode import environment_setting

_log = logging.getLogger("scalargrad")


@functools.cache
def has_llvm() -> bool:
    """Return True if llvmlite is installed and is not disabled by SCALARGRAD_JIT=numpy."""
    return environment_setting() != "numpy" and all(
        importlib.util.find_spec(x) for x in ("llvmlite", "platformdirs")
    )


@functools.cache
def warn_without_llvm() -> None:
    """Log once that llvmlite is missing, unless machine code is disabled."""
    if environment_setting() != "numpy" and not has_llvm():
        _log.warning(
            "compiled functions run by NumPy, many times as slowly as machine code: "
            "python -m pip install llvmlite platformdirs"
        )
