"""Ctrl-C while the command ``scalargrad`` is loading: it ends with one line, as it does later.

This is imported before all else, even typing: nothing can enclose the imports of the package that
the command line belongs to in a try, and none of them should come before it.
"""

from __future__ import annotations

import os
import signal
import sys

#: The exit status of a command that Ctrl-C has ended.
INTERRUPTED = 130


def is_command() -> bool:
    """Return whether this process is the command, not a program that imports the package."""
    if sys.argv[:1] == ["-m"]:  # what python -m leaves there until it has found the module
        return "scalargrad" in sys.orig_argv
    program = "".join(sys.argv[:1]).replace("\\", "/").rpartition("/")[2]
    return program.partition(".")[0] == "scalargrad"


def _end(*signal_and_frame: object) -> None:  # noqa: ARG001 - given
    os.write(2, b"interrupted\n")
    os._exit(INTERRUPTED)


def loaded() -> None:
    """Let Ctrl-C raise KeyboardInterrupt again."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


if is_command() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, _end)  # a command imports in its main thread
