"""Ctrl-C, now and at a line of the package."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any


def press() -> None:
    """Press Ctrl-C."""
    os.kill(os.getpid(), signal.SIGINT)


def is_interrupted(run: Callable[[], object], at: int, within: str = "scalargrad") -> bool:
    """Run, with Ctrl-C pressed at the n-th line of these modules; return if there was one."""
    seen = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal seen
        if not frame.f_globals.get("__name__", "").startswith(within):
            return None
        seen += event == "line"
        if event == "line" and seen == at:
            raise KeyboardInterrupt
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        run()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
    return False
