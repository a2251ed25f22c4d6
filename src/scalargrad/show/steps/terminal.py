"""A walk in the terminal: shown as a table in colour, or explored step by step with keys."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from scalargrad.errors import ScalargradError
from scalargrad.show.steps import keys, table
from scalargrad.show.steps.keys import Action, ReadKey
from scalargrad.show.steps.sequence import Walk
from scalargrad.show.steps.step import Step
from scalargrad.show.steps.view import PALE, PHASE, result_in_colour
from scalargrad.show.steps.view import drawn as drawn_step
from scalargrad.system import terminals
from scalargrad.table.validation import instance, listed

_GAP = 2


def show(walk: Walk, console: Console | None = None) -> None:
    """Print the steps of a walk as a table in colour.

    Parameters
    ----------
    walk : Walk
        The walk to show.
    console : rich.console.Console, optional
        Where to print; by default standard output.

    Examples
    --------
    >>> from scalargrad import Value
    >>> from scalargrad.show.steps import walk
    >>> x = Value(3.0, "x")
    >>> show(walk(2 * x)[-1:], Console(width=70))  # doctest: +NORMALIZE_WHITESPACE
    step  at      chain rule        remark
                  backward
       4  v1 → x  ∂v1/∂x = 1·2 = 2  swap multiplier: x receives 1·2
    """
    console = _console(console)
    for step in listed(walk, "walk", "steps, such as walk(root)"):
        instance(step, "an entry of walk", Step, "steps, such as walk(root)")
    rows = [table.row(step) for step in walk]
    columns = zip(table.HEADINGS, *rows, strict=True)
    fits = sum(max(map(cell_len, column)) + _GAP for column in columns) - _GAP <= console.width
    headings = table.HEADINGS if fits else table.HEADINGS[:-1]
    grid = Table.grid(padding=(0, _GAP, 0, 0))
    for heading in headings:
        grid.add_column(justify="right" if heading == "step" else "left", overflow="fold")
    grid.add_row(*[Text(heading, "bold underline") for heading in headings])
    phase = ""
    for step, row in zip(walk, rows, strict=True):
        if step.phase != phase:
            phase = step.phase
            grid.add_row("", "", Text(phase, f"bold {PHASE[phase]}"))
        grid.add_row(*_cells(step, row, fits))
    console.print(grid)


def _console(given: Console | None) -> Console:
    return (
        terminals.console() if given is None else instance(given, "console", Console, "a Console")
    )


def _cells(step: Step, row: Sequence[str], fits: bool) -> list[Text]:
    """Return a row in colour; where four columns do not fit, the remark goes under the formula."""
    number, place, formula, remark = row
    written = result_in_colour(formula, PHASE[step.phase])
    cells = [Text(number, PALE), Text(place, PHASE[step.phase]), written]
    if fits:
        return [*cells, Text(remark, PALE)]
    written.append("".join(f"\n{remark}" for remark in table.remarks(step)), PALE)
    return cells


def explore(walk: Walk, console: Console | None = None, read_key: ReadKey | None = None) -> None:
    """Move through a walk with keys, one step at a time, until q is pressed.

    Next: →, ↓, n, space or Enter. Previous: ←, ↑ or p. First: Home or g. Last: End or G.
    Quit: q, Esc or Ctrl-C.

    Parameters
    ----------
    walk : Walk
        The walk to explore.
    console : rich.console.Console, optional
        Where it is drawn; by default standard output.
    read_key : callable, optional
        Returns the next keys typed, as a terminal sends them. By default the keyboard.

    Raises
    ------
    ScalargradError
        If keys are to come from the keyboard and this is not a terminal.
    """
    console = console or terminals.console()
    if read_key is not None:
        _explore(walk, console, read_key)
        return
    _require_terminal(console)
    with keys.keyboard() as read:
        _explore(walk, console, read)


def _require_terminal(console: Console) -> None:
    has_keyboard = sys.stdin is not None and sys.stdin.isatty()
    if not has_keyboard or not console.is_terminal or console.is_dumb_terminal:
        raise ScalargradError(
            "exploring needs a terminal, to read keys from and to draw in: use show(walk) or "
            "print(walk), or leave --interactive out on the command line"
        )


def _explore(walk: Walk, console: Console, read_key: ReadKey) -> None:
    if not len(walk):
        return
    position, drawn = 0, None
    with console.screen() as screen:
        while True:
            if drawn != (position, console.size):
                screen.update(drawn_step(walk, position, console))
                drawn = position, console.size
            for action in _asked(read_key):
                if action == "quit":
                    return
                position = _moved(position, action, len(walk) - 1)


def _asked(read_key: ReadKey) -> list[Action]:
    try:
        return keys.actions(read_key())
    except (KeyboardInterrupt, EOFError):
        return ["quit"]


def _moved(position: int, action: Action, last: int) -> int:
    if action == "next":
        return min(position + 1, last)
    if action == "previous":
        return max(position - 1, 0)
    return 0 if action == "first" else last
