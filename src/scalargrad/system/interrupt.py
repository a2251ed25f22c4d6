"""Ctrl-C, deferred until the current step has finished."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupt:
    """Whether Ctrl-C was pressed; a second press does not wait."""

    def __init__(self) -> None:
        self.pressed = False

    def press(self, *signal_and_frame: int | FrameType | None) -> None:  # noqa: ARG002 - given
        """Take note of the first press, and give up waiting on the second."""
        if self.pressed:
            raise KeyboardInterrupt
        self.pressed = True

    def check(self) -> None:
        """Raise KeyboardInterrupt if Ctrl-C was pressed since training began."""
        if self.pressed:
            raise KeyboardInterrupt


@contextmanager
def deferred_interrupt() -> Iterator[Interrupt]:
    """Hold Ctrl-C back until `check` is called, so that no step of training is torn apart.

    Where signals are not ours to handle, in a thread or under another handler, nothing is
    held back.
    """
    interrupt = Interrupt()
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield interrupt
        return
    signal.signal(signal.SIGINT, interrupt.press)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
