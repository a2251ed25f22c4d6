"""Walks in a terminal: printed in colour, and explored by keys; the terminal is restored."""

from __future__ import annotations

import io
import os
import pty
import re
import select
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from typing import Literal

import pytest
from rich.console import Console
from tests.timeouts import TIMEOUT

from scalargrad import Value
from scalargrad.errors import ScalargradError
from scalargrad.show.steps import Step, Walk, explore, show, walk

from .graphs import labelled, lecture

RIGHT, LEFT, HOME, END = "\x1b[C", "\x1b[D", "\x1b[H", "\x1b[F"


def console(width: int = 80, height: int = 24, **options: bool) -> Console:
    """Return a console without colours that writes to memory."""
    return Console(file=io.StringIO(), width=width, height=height, color_system=None, **options)  # type: ignore[arg-type]


def taken(screen: Console) -> str:
    """Return the text drawn since the last call."""
    assert isinstance(screen.file, io.StringIO)
    drawn = screen.file.getvalue()
    screen.file.truncate(0)
    screen.file.seek(0)
    return drawn


def screens(
    steps: Walk, *keys: str | type[BaseException], width: int = 80, height: int = 24
) -> list[list[str]]:
    """Return the lines of every screen drawn while `keys` are typed one by one."""
    screen = console(width, height)
    drawn: list[list[str]] = []
    typed = iter([*keys, "q"])

    def read_key() -> str:
        drawn.append(taken(screen).split("\n"))
        key = next(typed)
        if isinstance(key, str):
            return key
        raise key

    explore(steps, screen, read_key)
    return drawn


def positions(steps: Walk, *keys: str) -> list[int]:
    """Return the steps shown at the beginning and after each key that moves."""
    found = (re.search(r"step (\d+) of", screen[0]) for screen in screens(steps, *keys))
    return [int(match[1]) for match in found if match]


# Keys -------------------------------------------------------------------------------------------


def test_explore_keys_move_one_step_at_a_time() -> None:
    """Next, previous, last and first; three arrows in one read are three steps."""
    keys = [RIGHT, "n", "p", END, LEFT, HOME, " ", RIGHT * 3]
    assert positions(lecture(), *keys) == [1, 2, 3, 2, 8, 7, 1, 2, 5]


@pytest.mark.parametrize(
    ("keys", "position"),
    [
        (["\x1b[C", "\x1bOC", "\x1b[B", "\x1bOB", "n", " ", "\r", "\n", "\xe0M", "\xe0P"], 4),
        (["\x1b[D", "\x1bOD", "\x1b[A", "\x1bOA", "p", "\xe0K", "\xe0H"], 2),
        (["\x1b[H", "\x1bOH", "\x1b[1~", "\x1b[7~", "g", "\xe0G"], 1),
        (["\x1b[F", "\x1bOF", "\x1b[4~", "\x1b[8~", "G", "\xe0O"], 8),
        (["x", "", "\x1b[5~", "\x1b[1;5R", "\x1bOP", "à"], 3),
    ],
)
def test_explore_understands_the_keys_of_terminals(keys: list[str], position: int) -> None:
    """As xterm, the Linux console, rxvt and Windows send them; other keys have no effect."""
    for key in keys:
        assert positions(lecture(), "nn", key)[-1] == position


@pytest.mark.parametrize("end", ["q", "\x03", "\x04", KeyboardInterrupt, EOFError])
def test_explore_ends_quietly(end: str | type[BaseException]) -> None:
    """By q, by Ctrl-C in either form, and if the keyboard is closed."""
    assert len(screens(lecture(), end)) == 1


# Screens ---------------------------------------------------------------------------------------


def test_explore_screen_has_all_texts_of_the_step() -> None:
    """Chain rule, local derivative, pattern, nudge, sentence."""
    steps = lecture()
    for step, screen in zip(steps, screens(steps, *[RIGHT] * 7), strict=False):
        drawn = "\n".join(screen)
        local = [f"local: {step.local_text()}"] if step.parent else []
        for said in (step.sentence(), step.text(), *step.notes(), *local):
            assert said in drawn


@pytest.mark.parametrize(("width", "height"), [(80, 24), (60, 16), (44, 14), (30, 8), (12, 3)])
def test_explore_screen_fits_the_window(width: int, height: int) -> None:
    """It never has more lines or columns than the window."""
    for screen in screens(lecture(), *[RIGHT] * 7, width=width, height=height):
        if len(screen) > 1:
            assert len(screen) == height
            assert max(map(len, screen)) <= width


def test_explore_table_ends_with_the_current_step() -> None:
    """With 300 nodes; later steps are hidden."""
    y = Value(1.0, "x")
    for i in range(300):
        y = labelled(y * 1.0, f"n{i}")
    steps = walk(y)
    for position in range(1, len(steps), 37):
        step, screen = steps[position], screens(steps, RIGHT * position)[-1]
        numbers = [int(found[1]) for x in screen if (found := re.match(r" *(\d+)  ", x))]
        assert numbers[-1] == position + 1
        assert "\n".join(screen).count(step.text()) >= 2


def test_explore_and_show_print_markup_in_labels_literally() -> None:
    """In the title of the panel, the formulas, the list and the table."""
    steps = walk(Value(2.0, "[red]x[/red]") * Value(3.0, ":smile:"))
    assert "\n".join(screens(steps, END)[-1]).count("[red]x") >= 3
    printed = shown(steps, 200, "truecolor")
    assert "[red]x[/red]" in printed
    assert ":smile:" in printed


# The table in colour ----------------------------------------------------------------------------


def shown(steps: Sequence[Step], width: int, colours: Literal["truecolor"] | None = None) -> str:
    """Return the output of `show` on a console of this width."""
    screen = Console(file=io.StringIO(), width=width, color_system=colours)
    show(steps, screen)
    return taken(screen)


def test_show_colours_numbers_by_phase() -> None:
    """Blue forward, orange backward."""
    printed = shown(lecture(), 100, "truecolor")
    assert "\x1b[1;38;2;42;127;208m−12" in printed
    assert "\x1b[1;3;38;2;199;91;18m−4" in printed
    assert len(shown(lecture(), 80).splitlines()) == 1 + 3 + 8
    assert shown(lecture()[3:3], 80).split() == ["step", "at", "chain", "rule", "remark"]


# A real terminal --------------------------------------------------------------------------------


@pytest.fixture
def line(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """Make standard input one end of a pseudo-terminal; return both ends, ours first."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield ours, theirs
    os.close(ours)


def test_explore_keeps_keys_typed_before_the_first_screen(line: tuple[int, int]) -> None:
    """No key is dropped, and the terminal echoes again afterwards."""
    ours, theirs = line
    before = termios.tcgetattr(theirs)
    os.write(ours, (RIGHT * 2 + "q").encode())
    screen = console(force_terminal=True)
    explore(lecture(), screen)
    assert "step 1 of 8" in taken(screen)
    assert termios.tcgetattr(theirs) == before


@pytest.mark.parametrize("missing", ["keyboard", "screen"])
def test_explore_refuses_input_or_output_without_a_terminal(
    missing: str, line: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files and pipes have no keys, and a dumb terminal cannot be drawn on."""
    if missing == "keyboard":
        monkeypatch.setattr(sys, "stdin", io.StringIO("q"))
    with pytest.raises(ScalargradError, match="terminal"):
        explore(lecture(), console(force_terminal=missing == "keyboard"))


PROGRAM = """
from scalargrad import Value
from scalargrad.show.steps import explore, walk
x, y, z = Value(-2.0, "x"), Value(5.0, "y"), Value(-4.0, "z")
explore(walk((x + y) * z))
print("left")
"""


def test_explore_in_a_real_terminal_restores_it_after_ctrl_c() -> None:
    """Arrow keys, End and Home move."""
    ours, theirs = pty.openpty()
    before = termios.tcgetattr(theirs)
    program = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"},
    )
    try:
        for keys, expected in (
            ("", r"\x1b\[\?1049h.*step 1 of 8"),
            (RIGHT, r"step 2 of 8"),
            (END, r"step 8 of 8"),
            (HOME + RIGHT * 4, r"step 5 of 8"),
            ("\x03", r"\x1b\[\?1049l.*left"),
        ):
            os.write(ours, keys.encode())
            seen, deadline = "", time.monotonic() + TIMEOUT
            while not re.search(expected, seen, re.DOTALL):
                assert time.monotonic() < deadline, seen
                if select.select([ours], [], [], 0.1)[0]:
                    seen += os.read(ours, 65536).decode("utf-8", "replace")
        assert program.wait(TIMEOUT) == 0
        assert termios.tcgetattr(theirs) == before
    finally:
        program.kill()
        program.wait()
        os.close(ours)
        os.close(theirs)
