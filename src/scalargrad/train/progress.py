"""A progress bar of one line, written anew in a terminal and in a notebook."""

from __future__ import annotations

import shutil
import sys
import time
from datetime import timedelta

from scalargrad.system.terminals import make_tolerant

_REFRESH = 0.1  # seconds between two pictures of the bar
_NOTEBOOK = 110  # columns


class ProgressBar:
    """Shows how many of `total` parts are done, `done` of them before, and the time left.

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
