"""Ctrl-C, deferred until a step has finished, and pauses of the garbage collector."""

from __future__ import annotations

import gc
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def collector_paused() -> Iterator[None]:
    """Pause Python's search for cycles.

    Graphs and programs have none and are freed by reference counting, but their many new objects
    would set off the search again and again: a third of the time of a step over a hundred
    examples, a tenth of what compiling one takes.

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
    """A press of Ctrl-C, if there was one; a second press does not wait.

    Parameters
    ----------
    around : Interrupt, optional
        The handler of Ctrl-C before: it takes note of a press, too.
    waits : bool
        Whether the first press waits for `check`.
    """

    def __init__(self, around: Interrupt | None = None, *, waits: bool = True) -> None:
        self.pressed = False
        self._around = around
        self._waits = waits

    def press(self, *signal_and_frame: int | FrameType | None) -> None:  # noqa: ARG002 - given
        """Take note of the first press, and give up waiting on the second."""
        at_once = self.pressed or not self._waits
        self._note()
        if at_once:
            raise KeyboardInterrupt

    def _note(self) -> None:
        self.pressed = True
        if self._around is not None:
            self._around._note()

    def check(self) -> None:
        """Raise KeyboardInterrupt if Ctrl-C was pressed since training began."""
        if self.pressed:
            raise KeyboardInterrupt


@contextmanager
def deferred_interrupt(*, waits: bool = True) -> Iterator[Interrupt]:
    """Hold Ctrl-C back until `check` is called, so that no step of training is torn apart.

    Without `waits` nothing is held back, but a press is noted: a function that is called may end in
    good order at it, as `fit` does, and what it returns is then not whole.

    Where signals are not ours to handle, in a thread or under another handler, neither is done.
    """
    before = signal.getsignal(signal.SIGINT)
    around = getattr(before, "__self__", None)
    around = around if isinstance(around, Interrupt) else None
    main = threading.current_thread() is threading.main_thread()
    if not main or (around is None and before is not signal.default_int_handler):
        yield Interrupt()
        return
    interrupt = Interrupt(around, waits=waits)
    signal.signal(signal.SIGINT, interrupt.press)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, before)
