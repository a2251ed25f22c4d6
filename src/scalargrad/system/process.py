"""Deferred handling of Ctrl-C, and pauses of the garbage collector."""

from __future__ import annotations

import gc
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause Python's cyclic garbage collector.

    Graphs and programs have no reference cycles and are freed by reference counting, but creating
    many objects triggers the collector repeatedly. It would take a third of the time of a training
    step over a hundred examples, and a tenth of the time to compile one.

    Examples
    --------
    >>> with collector_paused():
    ...     gc.isenabled()
    False
    """
    running = gc.isenabled()
    try:
        gc.disable()
        yield
    finally:
        if running:
            gc.enable()


class Interrupt:
    """A handler of Ctrl-C, which records a press; a second press interrupts immediately.

    Parameters
    ----------
    previous : Interrupt, optional
        The previous handler of Ctrl-C, which records the press, too.
    waits : bool
        Whether the first press is deferred until `check` is called.
    """

    def __init__(self, previous: Interrupt | None = None, *, waits: bool = True) -> None:
        self.pressed = False
        self._previous = previous
        self._waits = waits

    def press(self, *signal_and_frame: int | FrameType | None) -> None:  # noqa: ARG002 - of a signal handler
        """Record a press; raise KeyboardInterrupt at the second, or if none is deferred."""
        is_immediate = self.pressed or not self._waits
        self._record_press()
        if is_immediate:
            raise KeyboardInterrupt

    def _record_press(self) -> None:
        self.pressed = True
        if self._previous is not None:
            self._previous._record_press()

    def check(self) -> None:
        """Raise KeyboardInterrupt if Ctrl-C was pressed."""
        if self.pressed:
            raise KeyboardInterrupt


@contextmanager
def deferred_interrupt(*, waits: bool = True) -> Iterator[Interrupt]:
    """Defer Ctrl-C until `check` is called, so that no training step is interrupted midway.

    With ``waits=False`` Ctrl-C is not deferred, but recorded. A function called in the block, such
    as `fit`, may handle Ctrl-C itself and return an incomplete result; `check` detects that.

    In a thread, or if another handler is installed, Ctrl-C is neither deferred nor recorded.
    """
    handler = signal.getsignal(signal.SIGINT)
    previous = getattr(handler, "__self__", None)
    previous = previous if isinstance(previous, Interrupt) else None
    main = threading.current_thread() is threading.main_thread()
    if not main or (previous is None and handler is not signal.default_int_handler):
        yield Interrupt()
        return
    interrupt = Interrupt(previous, waits=waits)
    signal.signal(signal.SIGINT, interrupt.press)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, handler)
