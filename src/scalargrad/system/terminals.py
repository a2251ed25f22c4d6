"""Output to terminals of any encoding and width, and a progress bar."""

from __future__ import annotations

import io
import shutil
import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


#: Error handlers that raise an exception for a character that the encoding cannot represent.
_STRICT = {"strict", "surrogateescape"}

#: Minimum width of a console, in columns; rich prints nothing at a width of 0.
_MIN_WIDTH = 20


def make_tolerant(stream: Any) -> None:
    """Make a text stream print "?" for characters that its encoding cannot represent.

    A stream with another error handler, and one that is not a text file, is not changed.
    """
    if isinstance(stream, io.TextIOWrapper) and stream.errors in _STRICT:
        stream.reconfigure(errors="replace")


def console(**options: Any) -> Console:
    """Return a console of rich that prints any character without an error."""
    from rich.console import Console

    make_tolerant(sys.stderr if options.get("stderr") else sys.stdout)
    made = Console(**options)
    made.width = max(made.width, _MIN_WIDTH)
    return made


#: Time between two updates of the bar, in seconds.
_REFRESH = 0.1
#: Width of the bar in a notebook, in columns.
_NOTEBOOK_WIDTH = 110


class ProgressBar:
    """A progress bar with the number of finished items, their rate, and the time left.

    If the output is a file, the bar is written once, at the end.

    Parameters
    ----------
    total : int
        Number of items.
    done : int
        Number of items that were finished earlier; they do not count for the rate.
    quiet : bool
        Write nothing.
    """

    def __init__(self, total: int, done: int = 0, *, quiet: bool = False) -> None:
        self._total, self._done, self._initial = total, done, done
        self._quiet, self._drawn_at = quiet or sys.stdout is None, 0.0
        self._started = time.monotonic()
        self._texts: tuple[str, ...] = ()
        make_tolerant(sys.stdout)

    def advance(self, count: int, *texts: str) -> None:
        """Add finished items, and redraw the bar with these texts in front if it is due."""
        self._done, self._texts = self._done + count, texts
        if not self._quiet and time.monotonic() - self._drawn_at > _REFRESH:
            self._drawn_at = time.monotonic()
            self._draw()

    def _draw(self) -> None:
        """Write as many whole parts of the line as fit."""
        in_notebook = "ipykernel" in sys.modules
        if in_notebook or sys.stdout.isatty():
            width = _NOTEBOOK_WIDTH if in_notebook else shutil.get_terminal_size().columns - 1
            line = ""
            for part in self._parts():
                line += f"{part}  " if len(line) + len(part) < width else ""
            sys.stdout.write(f"\r{line:{width}.{width}}")
            sys.stdout.flush()

    def _parts(self) -> list[str]:
        share, done = self._done / max(self._total, 1), self._done - self._initial
        rate = done / max(time.monotonic() - self._started, 1e-9)
        left = timedelta(seconds=round((self._total - self._done) / rate) if done else 0)
        return [*self._texts, f"{'━' * round(10 * share):·<10}", f"{rate:,.0f}/s", f"{left}"]

    def close(self) -> None:
        """Write the final state in full, and end the line."""
        if not self._quiet:
            sys.stdout.write("\r" + "  ".join(self._parts()) + "\n")
