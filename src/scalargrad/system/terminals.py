"""Output to terminals, which may lack characters or columns, and a progress bar."""

from __future__ import annotations

import io
import shutil
import sys
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


#: The handlers of errors that fail at a character which an encoding lacks, or at half of one.
_STRICT = {"strict", "surrogateescape"}

#: The fewest columns of a console: rich prints nothing at all where there are none.
_NARROWEST = 20


def make_tolerant(stream: Any) -> None:
    """Let a text stream print "?" for characters that its encoding lacks, instead of failing.

    A stream that replaces them in its own way, and one that is not a text file, stay as they are.
    """
    if isinstance(stream, io.TextIOWrapper) and stream.errors in _STRICT:
        stream.reconfigure(errors="replace")


def console(**options: Any) -> Console:
    """Return a console of Rich's, over a stream that takes every character."""
    from rich.console import Console

    make_tolerant(sys.stderr if options.get("stderr") else sys.stdout)
    found = Console(**options)
    found.width = max(found.width, _NARROWEST)
    return found


_REFRESH = 0.1  # seconds between two pictures of the bar
_NOTEBOOK = 110  # columns


class ProgressBar:
    """A bar of the parts done of `total`, with `done` of them from before, and of the time left.

    Where the output is a file, the bar is written once, at the end. With `quiet`, never.
    """

    def __init__(self, total: int, done: int = 0, *, quiet: bool = False) -> None:
        self._total, self._done, self._before = total, done, done
        self._quiet, self._shown = quiet or sys.stdout is None, 0.0
        self._started = time.monotonic()
        self._texts: tuple[str, ...] = ()
        make_tolerant(sys.stdout)

    def advance(self, count: int, *texts: str) -> None:
        """Count further parts; show the bar after these texts, unless it was shown just now."""
        self._done, self._texts = self._done + count, texts
        if not self._quiet and time.monotonic() - self._shown > _REFRESH:
            self._shown = time.monotonic()
            self._draw()

    def _draw(self) -> None:
        """Write the line as far as there is room: no number is cut off."""
        in_notebook = "ipykernel" in sys.modules
        if in_notebook or sys.stdout.isatty():
            width = _NOTEBOOK if in_notebook else shutil.get_terminal_size().columns - 1
            line = ""
            for part in self._parts():
                line += f"{part}  " if len(line) + len(part) < width else ""
            sys.stdout.write(f"\r{line:{width}.{width}}")
            sys.stdout.flush()

    def _parts(self) -> list[str]:
        share, done = self._done / max(self._total, 1), self._done - self._before
        rate = done / max(time.monotonic() - self._started, 1e-9)
        left = timedelta(seconds=round((self._total - self._done) / rate) if done else 0)
        return [*self._texts, f"{'━' * round(10 * share):·<10}", f"{rate:,.0f}/s", f"{left}"]

    def close(self) -> None:
        """Write the last state, whole, and end the line."""
        if not self._quiet:
            sys.stdout.write("\r" + "  ".join(self._parts()) + "\n")
