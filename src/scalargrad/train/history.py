"""History: the measurements of training after each epoch, as a table, a file or a plot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scalargrad.checks.arguments import check_integer, check_list, check_text, is_word
from scalargrad.checks.numbers import as_float
from scalargrad.errors import NumericalError, OperandError
from scalargrad.system.files import write_table
from scalargrad.system.short_repr import format_value

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Row = dict[str, float]


@dataclass(repr=False)
class History:
    """The measurements of training, one row per epoch.

    Parameters
    ----------
    rows : list of dicts from str to float
        One per epoch; all have the same columns.
    stopped : str
        The reason why training ended; empty while it runs.
    best_epoch : int, optional
        The epoch, from 1, with the lowest held-out loss, whose weights early stopping restores.

    Raises
    ------
    OperandError
        If a row is not a dict of numbers, or its columns differ from those of the first.

    Attributes
    ----------
    rows, stopped, best_epoch
        The parameters. The columns are documented in `fit`.

    Examples
    --------
    >>> history = History([{"epoch": 1, "loss": 0.5}, {"epoch": 2, "loss": 0.25}])
    >>> history["loss"]
    [0.5, 0.25]
    >>> history
    History(2 epochs, loss 0.25, stopped: not yet)
    """

    rows: list[Row] = field(default_factory=list)
    stopped: str = ""
    best_epoch: int | None = None

    def __post_init__(self) -> None:
        self.rows = [_check_row(row) for row in check_list(self.rows, "rows", "dicts of numbers")]
        if len({tuple(row) for row in self.rows}) > 1:
            raise OperandError(
                "the rows of a history must have the same columns, in the same order"
            )
        check_text(self.stopped, "stopped")
        if self.best_epoch is not None:
            self.best_epoch = check_integer(self.best_epoch, "best_epoch", 1, len(self.rows))

    @property
    def columns(self) -> list[str]:
        """The names of the columns, in display order."""
        return list(self.rows[0]) if self.rows else []

    def __len__(self) -> int:
        return len(self.rows)

    def __contains__(self, column: object) -> bool:
        return column in self.columns

    def __getitem__(self, column: str) -> list[float]:
        if self.rows and not is_word(column, self.columns):
            raise OperandError(
                f"the history has no column {format_value(column)}: it has "
                f"{', '.join(self.columns)}"
            )
        return [row[column] for row in self.rows]

    def __repr__(self) -> str:
        last = f", loss {self.rows[-1]['loss']:.4g}" if "loss" in self.columns else ""
        return f"History({len(self)} epochs{last}, stopped: {self.stopped or 'not yet'})"

    def _format_rows(self) -> list[list[str]]:
        """Format the header and up to ten evenly spread rows, with the first and the last."""
        chosen = [self.rows[i].values() for i in spread(len(self), 10)]
        return [self.columns, *([f"{x:.6g}" for x in row] for row in chosen)]

    def __str__(self) -> str:
        rows = self._format_rows()
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        pairs = [zip(row, widths, strict=True) for row in rows]
        lines = ["  ".join(f"{text:>{width}}" for text, width in row) for row in pairs]
        return "\n".join([*lines, f"{len(self)} epochs, stopped: {self.stopped or 'not yet'}"])

    def _repr_html_(self) -> str:
        """Return the table as HTML, for notebooks and pages."""
        head, *body = self._format_rows()
        rows = [f"<tr><th>{'</th><th>'.join(map(escape, head))}</th></tr>"]
        rows += [f"<tr><td>{'</td><td>'.join(row)}</td></tr>" for row in body]
        return f"<table>{''.join(rows)}</table><p>stopped: {escape(self.stopped) or 'not yet'}</p>"

    def to_csv(self, path: str | Path) -> Path:
        """Write all rows as comma-separated values; floats keep every digit.

        The file is written atomically.

        Returns
        -------
        Path
            `path`.
        """
        return write_table(path, [self.columns, *(row.values() for row in self.rows)])

    def plot(self, ax: Axes | None = None) -> Axes:
        """Plot the loss and the held-out loss of each epoch.

        The first metric of `fit`, such as the accuracy, has its own axis.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            The axes to draw on; by default those of a new pyplot figure.

        Returns
        -------
        matplotlib Axes

        Raises
        ------
        OperandError
            If no epoch was completed.
        """
        from scalargrad.plots import training_curves

        if not self.rows:
            raise OperandError("no epoch was completed, so there is nothing to plot")
        return training_curves({name: self[name] for name in self.columns}, ax=ax)


def attach_history(history: History, error: Exception) -> None:
    """Attach the history to an error that ended training, and add a note about it.

    An error from an inner `fit`, called in a callback, keeps the history of the inner one.
    """
    if "history" in vars(error):
        return
    vars(error)["history"] = history  # works for every exception class
    history.stopped = history.stopped or type(error).__name__
    if history.rows:
        completed = "1 epoch was" if len(history) == 1 else f"{len(history)} epochs were"
        error.add_note(f"{completed} completed; their measurements are in this error's `history`")
    if isinstance(error, NumericalError):
        error.add_note("if the parameters grew from step to step, use a smaller learning rate")


def _check_row(given: Any) -> Row:
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise OperandError(
            f"a row of a history is {format_value(given)}; give a dict of numbers by name"
        )
    for name, x in given.items():
        as_float(x, f"{name} in a history")
    return {name: x if type(x) is int else float(x) for name, x in given.items()}


def spread(count: int, most: int) -> list[int]:
    """Return at most `most` of `count` indices, evenly spread, with the first and the last.

    >>> spread(100, 4)
    [0, 33, 66, 99]
    """
    if count <= most:
        return list(range(count))
    return [i * (count - 1) // (most - 1) for i in range(most)]
