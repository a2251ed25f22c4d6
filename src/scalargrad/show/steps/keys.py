"""Read the keys of the interactive stepper, and translate them into commands."""

from __future__ import annotations

import os
import re
import select
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Literal, TypeAlias

Action: TypeAlias = Literal["next", "previous", "first", "last", "quit"]

#: Returns what was typed since the last call, or nothing after a short wait.
ReadKey: TypeAlias = Callable[[], str]

NOTICE_RESIZING = 0.25  # seconds
_REST_OF_A_KEY = 0.05

#: Escape sequences as xterm, the Linux console and rxvt send them; \xe0 is how Windows' console
#: announces a special key.
_KEYS: dict[Action, tuple[str, ...]] = {
    "next": ("\x1b[C", "\x1bOC", "\x1b[B", "\x1bOB", "\xe0M", "\xe0P", "n", " ", "\r", "\n"),
    "previous": ("\x1b[D", "\x1bOD", "\x1b[A", "\x1bOA", "\xe0K", "\xe0H", "p"),
    "first": ("\x1b[H", "\x1bOH", "\x1b[1~", "\x1b[7~", "\xe0G", "g"),
    "last": ("\x1b[F", "\x1bOF", "\x1b[4~", "\x1b[8~", "\xe0O", "G"),
    "quit": ("q", "\x1b", "\x03", "\x04"),
}
_ACTIONS = {key: action for action, keys in _KEYS.items() for key in keys}
_KEY = re.compile("\x1b\\[[0-9;]*[A-Za-z~]|\x1bO[A-Za-z]|\xe0[GHKMOP]|.", re.DOTALL)
_UNFINISHED = (b"\x1b", b"\x1b[", b"\x1bO")


def actions(typed: str) -> list[Action]:
    """Return the commands of the keys in `typed`, in order; other keys are ignored.

    Examples
    --------
    >>> actions("n" + chr(27) + "[D" + "?q")
    ['next', 'previous', 'quit']
    """
    return [_ACTIONS[key] for key in _KEY.findall(typed) if key in _ACTIONS]


@contextmanager
def keyboard() -> Iterator[ReadKey]:
    """Give a function that reads keys as they are pressed, unechoed; restore the terminal after.

    The terminal stays in this mode throughout. Switching it for every key, as click.getchar
    does, drops what is typed while a step is being drawn: a key held down would stutter.
    """
    if sys.platform == "win32":  # pragma: no cover - its console keeps what is typed meanwhile
        import click

        yield click.getchar
        return
    import termios

    terminal = sys.stdin.fileno()
    saved = termios.tcgetattr(terminal)
    quiet = termios.tcgetattr(terminal)
    quiet[3] &= ~(termios.ICANON | termios.ECHO | termios.ISIG | termios.IEXTEN)
    termios.tcsetattr(terminal, termios.TCSADRAIN, quiet)
    try:
        yield lambda: _read(terminal)
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, saved)


def _read(terminal: int) -> str:
    """Return the keys waiting; a slow line may deliver one key in parts."""
    if not is_waiting(terminal, NOTICE_RESIZING):
        return ""
    typed = os.read(terminal, 1024)
    if not typed:
        return "\x04"  # the terminal was closed
    while typed.endswith(_UNFINISHED) and is_waiting(terminal, _REST_OF_A_KEY):
        typed += os.read(terminal, 1024)
    return typed.decode("utf-8", "replace")


def is_waiting(terminal: int, seconds: float) -> bool:
    """Return whether something was typed, after at most so many seconds."""
    return bool(select.select([terminal], [], [], seconds)[0])
