"""The backend of programs: machine code where llvmlite is installed, else NumPy and Python.

`llvm` has the vocabulary of LLVM IR and compiles it.
"""

from __future__ import annotations

import functools
import importlib.util
import logging

from scalargrad.compiler.jit_mode import environment_setting

_log = logging.getLogger("scalargrad")


@functools.cache
def has_llvm() -> bool:
    """Return whether llvmlite is installed and wanted; SCALARGRAD_JIT=numpy turns it off."""
    return environment_setting() != "numpy" and all(
        importlib.util.find_spec(x) for x in ("llvmlite", "platformdirs")
    )


@functools.cache
def warn_without_llvm() -> None:
    """Say once what is missing for machine code, if anything is, and if it is wanted."""
    if environment_setting() != "numpy" and not has_llvm():
        _log.warning(
            "compiled functions run by NumPy, many times as slowly as machine code: "
            "python -m pip install llvmlite platformdirs"
        )
