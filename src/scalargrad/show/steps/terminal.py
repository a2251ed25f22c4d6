"""A walk in the terminal: a coloured table, or one step at a time, controlled by keys.

Colours have a contrast of at least 4 on light and on dark backgrounds.
"""

from __future__ import annotations

import os
import re
import select
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING, Literal, TypeAlias

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.text import Text

from scalargrad.checks.arguments import check_instance, check_list
from scalargrad.errors import ScalargradError
from scalargrad.show.steps.step import HEADINGS, Step, format_row, row_remarks
from scalargrad.system import terminals

if TYPE_CHECKING:
    from scalargrad.show.steps.walks import Walk

VALUE, GRADIENT, LOCAL = "#2a7fd0", "italic #c75b12", "#8a64cf"
PHASE_STYLES = {"forward": VALUE, "seed": GRADIENT, "backward": GRADIENT}
DIM = "dim"


def colour_result(formula: str, style: str) -> Text:
    """Return a formula with its last number in a style."""
    coloured = Text(formula)
    coloured.stylize(f"bold {style}", formula.rfind(" ") + 1)
    return coloured


#: Minimum height of the panel, enough for most steps, so that the table below does not move.
_PANEL_LINES = 8
#: Minimum height of the table: headings and a few steps.
_MIN_TABLE_LINES = 4
_HELP = " → next   ← back   Home first   End last   q quit"


def render_screen(steps: Sequence[Step], position: int, console: Console) -> RenderableType:
    """Return a screen that fills the console: one step, and below it the table up to that step."""
    step, (width, height) = steps[position], console.size
    explained, room = Group(*_explain_step(step)), height - 2
    inside = console.options.update_width(width - 4)
    needed = max(len(console.render_lines(explained, inside)) + 2, _PANEL_LINES)
    panel = needed if needed <= room - _MIN_TABLE_LINES else room
    box = Panel(
        explained,
        title=Text(step.place, "bold"),
        title_align="left",
        border_style=PHASE_STYLES[step.phase],
        height=panel,
    )
    place = f" step {position + 1} of {len(steps)}  {step.phase}"
    heading, ending = Text(place, f"bold {PHASE_STYLES[step.phase]}"), Text(_HELP, DIM)
    past = steps[max(0, position + 1 - room + panel) : position + 1] if room > panel else []
    rows = [*format_table(past, width).split()][panel - room :] if past else []
    blank = [Text() for _ in range(room - panel - len(rows))]
    for line in (heading, *rows, ending):
        line.no_wrap, line.overflow = True, "ellipsis"
    return Group(heading, box, *rows, *blank, ending)


def _explain_step(step: Step) -> list[Text]:
    """Return the lines of the panel. A low window cuts off the last one, the sentence."""
    formula = colour_result(step.text(), PHASE_STYLES[step.phase])
    formula.stylize("bold")
    local = [Text(f"local: {step.local_text()}", LOCAL)] if step.phase == "backward" else []
    return [formula, *local, *map(Text, step.notes()), Text(step.sentence(), DIM)]


Action: TypeAlias = Literal["next", "previous", "first", "last", "quit"]

#: A function that returns the keys typed since the last call, or "" after a short wait.
ReadKey: TypeAlias = Callable[[], str]

#: Maximum wait for a key, in seconds, before the window size is checked again.
POLL_SECONDS = 0.25

#: Escape sequences of xterm, the Linux console and rxvt; on Windows a special key begins with
#: \xe0.
_KEYS: dict[Action, tuple[str, ...]] = {
    "next": ("\x1b[C", "\x1bOC", "\x1b[B", "\x1bOB", "\xe0M", "\xe0P", "n", " ", "\r", "\n"),
    "previous": ("\x1b[D", "\x1bOD", "\x1b[A", "\x1bOA", "\xe0K", "\xe0H", "p"),
    "first": ("\x1b[H", "\x1bOH", "\x1b[1~", "\x1b[7~", "\xe0G", "g"),
    "last": ("\x1b[F", "\x1bOF", "\x1b[4~", "\x1b[8~", "\xe0O", "G"),
    "quit": ("q", "\x03", "\x04"),
}
_ACTIONS = {key: action for action, keys in _KEYS.items() for key in keys}
_KEY = re.compile("\x1b\\[[0-9;]*[A-Za-z~]|\x1bO[A-Za-z]|\xe0[GHKMOP]|.", re.DOTALL)


def parse_actions(typed: str) -> list[Action]:
    """Return the actions of the keys in `typed`, in order; other keys are ignored.

    Examples
    --------
    >>> parse_actions("n" + chr(27) + "[D" + "?q")
    ['next', 'previous', 'quit']
    """
    return [_ACTIONS[key] for key in _KEY.findall(typed) if key in _ACTIONS]


@contextmanager
def keyboard() -> Iterator[ReadKey]:
    """Yield a function that reads keys unbuffered and without echo; then restore the terminal.

    The terminal remains in this mode throughout. Switching the mode for every key, as click.getchar
    does, drops keys typed while a step is drawn, so a key held down would stutter.
    """
    if sys.platform == "win32":  # pragma: no cover - its console buffers keys by itself
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
        yield lambda: _read_keys(terminal)
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, saved)


def _read_keys(terminal: int) -> str:
    """Return the keys typed, or "" after a while, to notice a change of the window size."""
    waiting, *_ = select.select([terminal], [], [], POLL_SECONDS)
    if not waiting:
        return ""
    return os.read(terminal, 1024).decode("utf-8", "replace") or "\x04"  # the terminal was closed


#: Space between columns, length of a rule, and maximum width of the formula column, in characters.
_GAP, _RULE, _MAX_FORMULA_WIDTH = 2, 78, 60


def format_table(steps: Sequence[Step], width: int | None = None) -> Text:
    """Return steps as aligned columns, with a rule before each phase.

    A few very long formulas overflow their column instead of widening it for all. Where four
    columns exceed the `width`, row_remarks stand below formulas.
    """
    rows = [format_row(step) for step in steps]
    widths = [max(map(cell_len, column)) for column in zip(HEADINGS, *rows, strict=True)]
    is_narrow = width is not None and sum(widths) + 3 * _GAP > width
    widths[2] = min(widths[2], _MAX_FORMULA_WIDTH)
    headings = HEADINGS[:3] if is_narrow else HEADINGS
    lines, phase = [_format_line([Text(x, "underline bold") for x in headings], widths)], ""
    indent = " " * (sum(widths[:2]) + 2 * _GAP)
    for step, (position, place, formula, remark) in zip(steps, rows, strict=True):
        colour = PHASE_STYLES[step.phase]
        if step.phase != phase:
            phase = step.phase
            rule = f"── {phase} ".ljust(min(_RULE, width or _RULE), "─")
            lines.append(Text(rule, f"bold {colour}"))
        cells = [Text(position, DIM), Text(place, colour), colour_result(formula, colour)]
        if is_narrow:
            lines.append(_format_line(cells, widths))
            lines += [Text(f"{indent}{note}", DIM) for note in row_remarks(step)]
        else:
            lines.append(_format_line([*cells, Text(remark, DIM)], widths))
    return Text("\n").join(lines)


def _format_line(cells: Sequence[Text], widths: Sequence[int]) -> Text:
    """Return a line of cells: the first aligned right, the others left, without trailing spaces."""
    cells[0].pad_left(widths[0] - cells[0].cell_len)
    for cell, width in zip(cells[1:], widths[1:], strict=False):
        cell.pad_right(max(0, width - cell.cell_len))
    line = Text(" " * _GAP).join(cells)
    line.rstrip()
    return line


def show(walk: Sequence[Step], console: Console | None = None) -> None:
    """Print the steps of a walk as a coloured table.

    Parameters
    ----------
    walk : sequence of Step
        The walk, or a part of it.
    console : rich.console.Console, optional
        The console to print on; by default standard output.

    Examples
    --------
    >>> from scalargrad import Value
    >>> from scalargrad.show.steps import walk
    >>> x = Value(3.0, "x")
    >>> show(walk(2 * x)[-1:], Console(width=70))
    step  at      chain rule        remark
    ── backward ──────────────────────────────────────────────────────────
       4  v1 → x  ∂v1/∂x = 1·2 = 2  swap multiplier: x receives 1·2
    """
    console = terminals.console() if console is None else console
    check_instance(console, "console", Console, "a Console")
    for step in check_list(walk, "walk", "steps, such as walk(root)"):
        check_instance(step, "an entry of walk", Step, "steps, such as walk(root)")
    console.print(format_table(walk, console.width))


def explore(walk: Walk, console: Console | None = None, read_key: ReadKey | None = None) -> None:
    """Explore a walk with keys, one step at a time, until q is pressed.

    Next: →, ↓, n, space or Enter. Previous: ←, ↑ or p. First: Home or g. Last: End or G.
    Quit: q or Ctrl-C.

    Parameters
    ----------
    walk : Walk
        The walk to explore.
    console : rich.console.Console, optional
        The console to draw on; by default standard output.
    read_key : callable, optional
        A function that returns the next keys, as a terminal sends them; by default the keyboard.

    Raises
    ------
    ScalargradError
        If `read_key` is not given and there is no terminal to read keys from.
    """
    console = console or terminals.console()
    if read_key is None:
        _require_terminal(console)
    position, last, drawn = 0, len(walk) - 1, None
    keys = keyboard() if read_key is None else nullcontext(read_key)
    with keys as read, suppress(KeyboardInterrupt, EOFError), console.screen() as screen:
        while True:
            if drawn != (position, console.size):
                screen.update(render_screen(walk, position, console))
                drawn = position, console.size
            for action in parse_actions(read()):
                if action == "quit":
                    return
                ends = {"first": 0, "last": last}
                steps = {"next": min(position + 1, last), "previous": max(position - 1, 0)}
                position = (ends | steps)[action]


def _require_terminal(console: Console) -> None:
    has_keyboard = sys.stdin is not None and sys.stdin.isatty()
    if not has_keyboard or not console.is_terminal or console.is_dumb_terminal:
        raise ScalargradError(
            "exploring needs a terminal for keys and drawing: use show(walk) or print(walk), or "
            "omit --interactive on the command line"
        )
