"""The progress bar of training, in a terminal and in a notebook."""

from __future__ import annotations

import io
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Column

from scalargrad.system import terminals

_REFRESH = 0.1  # seconds between two pictures of the bar in a notebook
#: In a terminal of fewer columns, there is no room for the bar; in still fewer, for the rate.
_BAR_FROM, _RATE_FROM = 72, 50
_NOTEBOOK = 110  # columns


class ProgressBar:
    """A bar that shows epochs, loss, metrics, examples a second and the time left."""

    def __init__(self, progress: Progress, epochs: int, batches: int, done: int) -> None:
        self.progress = progress
        self.batches = max(batches, 1)
        self.started = time.monotonic()
        self.examples = 0
        self.task = progress.add_task(
            "fit",
            total=epochs * self.batches,
            completed=done * self.batches,
            epoch=done,
            epochs=epochs,
            numbers="",
            rate="",
        )

    def step(self, examples: int) -> None:
        """Move on by one batch."""
        self.examples += examples
        elapsed = max(time.monotonic() - self.started, 1e-9)
        self.progress.update(self.task, advance=1, rate=f"· {self.examples / elapsed:,.0f}/s")

    def epoch(self, row: Mapping[str, float]) -> None:
        """Show what an epoch measured."""
        self.progress.update(self.task, numbers=_numbers(row), epoch=row["epoch"])

    def note(self, text: str) -> None:
        """Print something beside the bar; in a notebook, below it."""
        if isinstance(self.progress, NotebookProgress):  # whose console writes nowhere
            print(text)
        else:
            self.progress.print(text, markup=False, highlight=False)


def _numbers(row: Mapping[str, float]) -> str:
    """Write loss and metrics, each followed by its held-out value after a bar.

    >>> _numbers({"epoch": 3, "loss": 0.5, "accuracy": 0.875, "val_loss": 0.625})
    'loss 0.5|0.625 accuracy 0.875'
    """
    hidden = {"epoch", "gradient_norm", "learning_rate"}
    shown = [name for name in row if name not in hidden and not name.startswith("val_")]
    held_out = {name: f"|{row[f'val_{name}']:.3g}" for name in shown if f"val_{name}" in row}
    return " ".join(f"{name} {row[name]:.3g}{held_out.get(name, '')}" for name in shown)


class Silence:
    """A progress bar that shows nothing."""

    def step(self, examples: int) -> None:
        """Show nothing."""

    def epoch(self, row: Mapping[str, float]) -> None:
        """Show nothing."""

    def note(self, text: str) -> None:
        """Show nothing."""


class NotebookProgress(Progress):
    """A progress bar drawn into the output of a notebook's cell, with no extra package."""

    def __init__(self, *columns: Any) -> None:
        super().__init__(*columns, console=Console(file=io.StringIO()), auto_refresh=False)
        import IPython.display

        notebook: Any = IPython.display
        self._html = notebook.HTML
        self._shown = 0.0
        self._handle = notebook.display(notebook.HTML(""), display_id=True)

    def start(self) -> None:
        """Draw nothing: the first update will."""

    def stop(self) -> None:
        """Draw the last state."""
        self._handle.update(self._html(self.as_html()))

    def update(self, *args: Any, **fields: Any) -> None:
        """Change the bar, and draw it unless it was drawn a moment ago."""
        super().update(*args, **fields)
        if time.monotonic() - self._shown > _REFRESH:
            self._shown = time.monotonic()
            self.stop()

    def as_html(self) -> str:
        """Return the bar as preformatted HTML."""
        console = Console(file=io.StringIO(), record=True, width=_NOTEBOOK, force_jupyter=False)
        console.print(self.get_renderable())
        return console.export_html(inline_styles=True, code_format="<pre>{code}</pre>")


def progress_of(columns: Iterable[ProgressColumn | str], console: Console) -> Progress:
    """Return a bar with these columns, in a console or a notebook."""
    if console.is_jupyter:
        return NotebookProgress(*columns)
    return Progress(*columns, console=console)


@contextmanager
def progress_bar(
    quiet: bool, epochs: int, batches: int, done: int, console: Console | None = None
) -> Iterator[ProgressBar | Silence]:
    """Show a bar of `epochs` × `batches` steps, `done` epochs of which are complete."""
    if quiet:
        yield Silence()
        return
    console = console or terminals.console()
    columns = _columns(_NOTEBOOK if console.is_jupyter else console.width)
    with progress_of(columns, console) as progress:
        yield ProgressBar(progress, epochs, batches, done)


def _columns(width: int) -> Iterator[ProgressColumn]:
    """Yield what a terminal has room for: no digit of a number is cut off for the bar's sake."""
    yield TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}")
    if width >= _BAR_FROM:
        yield BarColumn(bar_width=10)
    wrapped = Column(no_wrap=False, overflow="fold")
    yield TextColumn("{task.fields[numbers]}", markup=False, table_column=wrapped)
    if width >= _RATE_FROM:
        yield TextColumn("{task.fields[rate]}")
    yield TimeRemainingColumn()
