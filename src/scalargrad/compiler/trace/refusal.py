"""Refusal: the error for what a compiled program could not repeat."""

from __future__ import annotations

import linecache
import sys
import sysconfig
from pathlib import Path
from typing import NoReturn

from scalargrad.errors import TraceError

_PACKAGE = str(Path(__file__).parents[2])
_LIBRARY = sysconfig.get_path("stdlib")


def _is_library(file: str) -> bool:
    """Return whether a file is scalargrad's or Python's own, so that its caller is to be named."""
    installed = "site-packages" in file or "dist-packages" in file
    return file.startswith((_PACKAGE, "<printed")) or (
        file.startswith((_LIBRARY, "<frozen")) and not installed
    )


def users_line() -> tuple[str, int]:
    """Return the file and the line of the user's program that has led here."""
    frame = sys._getframe(1)
    while frame.f_back and _is_library(frame.f_code.co_filename):
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno


def refuse(what: str, remedy: str) -> NoReturn:
    """Raise TraceError naming the line of the user's program."""
    name, line = users_line()
    code = linecache.getline(name, line).strip()
    shown = f"\n    {code}" if code else ""
    raise TraceError(
        f"{what} while a compiled function is recorded ({name}:{line}): {remedy}{shown}"
    )
