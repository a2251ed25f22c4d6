"""The backend of programs: LLVM, which compiles them to machine code.

`llvm` emits LLVM IR and compiles it; only compiling needs the package llvmlite.
"""

from __future__ import annotations

import functools
import importlib.util


@functools.cache
def has_llvm() -> bool:
    """Return True if the packages that machine code needs are installed."""
    return all(map(importlib.util.find_spec, ("llvmlite", "platformdirs")))
