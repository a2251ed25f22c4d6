"""The interactive stepper: keys move, the current node's place is shown, the terminal survives."""

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
from collections.abc import Iterator

import pytest
from rich.console import Console
from tests.patience import PATIENCE

from scalargrad import Parameter, Value, relu, square
from scalargrad import sum as add_up
from scalargrad.errors import ScalargradError
from scalargrad.show.steps import Walk, explore, keys, walk
from scalargrad.show.steps.keys import keyboard
from scalargrad.show.steps.node_list import in_view

RIGHT, LEFT = "\x1b[C", "\x1b[D"
HOME, END = "\x1b[H", "\x1b[F"


@pytest.fixture
def lecture() -> Walk:
    """Return the walk through (x + y)z at (-2, 5, -4)."""
    x, y, z = Value(-2.0, "x"), Value(5.0, "y"), Value(-4.0, "z")
    q = x + y
    q.label = "q"
    f = q * z
    f.label = "f"
    return walk(f)


def screens(
    steps: Walk, *keys: str | type[BaseException], width: int = 80, height: int = 24
) -> list[list[str]]:
    """Return the lines of every screen drawn while `keys` are typed one by one."""
    console = Console(file=io.StringIO(), width=width, height=height, color_system=None)
    drawn: list[list[str]] = []
    typed: Iterator[str | type[BaseException]] = iter(keys)

    def read_key() -> str:
        assert isinstance(console.file, io.StringIO)
        drawn.append(console.file.getvalue().split("\n"))
        console.file.truncate(0)
        console.file.seek(0)
        key = next(typed)
        if isinstance(key, str):
            return key
        raise key

    explore(steps, console, read_key)
    return drawn


def position(screen: list[str]) -> int:
    """Return which step a screen says it shows."""
    found = re.search(r"step (\d+) of", screen[0])
    assert found is not None
    return int(found[1])


def row(screen: list[str], name: str) -> str:
    """Return the row of a node."""
    return next(line for line in screen if re.match(rf".{{5}}{name} ", line))


def test_keys_move_one_step_at_a_time(lecture: Walk) -> None:
    """Next, previous, last and first."""
    drawn = screens(lecture, RIGHT, "n", "p", END, LEFT, HOME, " ", "q")
    assert [position(screen) for screen in drawn] == [1, 2, 3, 2, 8, 7, 1, 2]


def test_at_either_end_the_step_stays_and_nothing_is_drawn_again(lecture: Walk) -> None:
    """Previous at the first, next at the last, and keys without a meaning."""
    drawn = screens(lecture, LEFT, "x", END, RIGHT, "", "q")
    assert [len(screen) > 1 for screen in drawn] == [True, False, False, True, False, False]


def test_resized_window_is_drawn_again(lecture: Walk, monkeypatch: pytest.MonkeyPatch) -> None:
    """Although no key was pressed."""
    console = Console(file=io.StringIO(), width=80, height=24)
    heights: list[int] = []

    def read_key() -> str:
        assert isinstance(console.file, io.StringIO)
        heights.append(console.file.getvalue().count("\n") + 1)
        console.file.truncate(0)
        console.file.seek(0)
        console.height = 12
        return "q" if len(heights) == 2 else ""

    explore(lecture, console, read_key)
    assert heights == [24, 12]


def test_keys_typed_at_once_all_count(lecture: Walk) -> None:
    """Three arrows in one read are three steps."""
    assert position(screens(lecture, RIGHT * 3, "q")[-1]) == 4


@pytest.mark.parametrize("end", ["q", "\x1b", "\x03", KeyboardInterrupt, EOFError])
def test_every_way_out_ends_quietly(lecture: Walk, end: str | type[BaseException]) -> None:
    """Q, Esc, Ctrl-C, however it arrives, and a keyboard that is gone."""
    assert len(screens(lecture, end)) == 1


def test_screen_shows_the_whole_text_of_the_step(lecture: Walk) -> None:
    """Chain rule, the product under its words, local derivative, pattern, nudge."""
    text = "\n".join(screens(lecture, END, "q")[-1])
    for said in (
        "From q back to x: upstream ∂f/∂q times local ∂q/∂x.",
        "∂f/∂x = ∂f/∂q·∂q/∂x = (−4)·1 = −4",
        "upstream × local = contribution",
        "local: ∂q/∂x = 1",
        "distributor: x receives ∂f/∂q",
        "nudge x by +0.01: f changes by −0.04",
    ):
        assert said in text


def test_values_and_gradients_appear_when_they_are_known(lecture: Walk) -> None:
    """At q = x + y: f has no value yet, nothing has a gradient; at the end everything has both."""
    early, *_, late = screens(lecture, RIGHT, END, "q")[1:]
    assert row(early, "q").split()[-2:] == ["3", "·"]
    assert row(early, "f").split()[-2:] == ["·", "·"]
    assert row(late, "f").split()[-2:] == ["−12", "1"]
    assert row(late, "x").split()[-2:] == ["−2", "−4"]


def test_active_wire_is_drawn_beside_the_nodes(lecture: Walk) -> None:
    """Forward it enters the gate, backward it leaves it for the operand."""
    forward, backward = (screens(lecture, RIGHT * n, "q")[-1] for n in (2, 5))
    assert [row(forward, name)[:3] for name in "qzf"] == [" ╭─", " ├─", " ╰▶"]
    assert [row(backward, name)[:3] for name in "xqzf"] == ["   ", " ╭▶", " │ ", " ╰─"]


def test_seed_points_at_the_output(lecture: Walk) -> None:
    """It has no wire."""
    assert row(screens(lecture, RIGHT * 3, "q")[-1], "f")[:3] == " ─▶"


def test_wire_with_zero_local_derivative_does_not_arrive() -> None:
    """The gradient stops at a ReLU that is off."""
    x = Value(-1.0, "x")
    screen = screens(walk(relu(x)), END, "q")[-1]
    assert row(screen, "x")[:3] == " ╭x"


def test_local_derivatives_are_kept_as_soon_as_a_gate_is_computed() -> None:
    """The forward step shows them, of many the first four."""
    f = Value(2.0, "x") * Value(3.0, "y")
    f.label = "f"
    text = "\n".join(screens(walk(f), RIGHT, "q")[-1])
    assert "∂f/∂x = y = 3" in text
    assert "∂f/∂y = x = 2" in text
    many = Value(1.0)
    wide = "\n".join(screens(walk(add_up([many * 1.0 for _ in range(9)])), RIGHT * 10, "q")[-1])
    assert "and 5 more" in wide


def test_two_wires_from_one_node_are_told_apart_by_their_operands() -> None:
    """Of x - x, the local derivatives 1 and -1 are both ∂v1/∂x."""
    x = Value(2.0, "x")
    text = "\n".join(screens(walk(x - x), RIGHT, "q")[-1])
    assert "∂v1/∂x as operand 1 = 1" in text
    assert "∂v1/∂x as operand 2 = −1" in text
    assert "this wire" not in text


def test_gradient_that_is_a_sum_counts_its_terms() -> None:
    """Σ 1/2 until complete; parameters are told from inputs."""
    w = Parameter(3.0, "w")
    steps = walk(square(w) + w * Value(2.0, "x"))
    first = next(step.index for step in steps if step.parent is w)
    assert row(screens(steps, RIGHT * first, "q")[-1], "w").split()[-3:] == ["3", "Σ", "1/2"]
    assert row(screens(steps, END, "q")[-1], "w").split() == ["╭▶", "w", "parameter", "3", "8"]


@pytest.mark.parametrize(("width", "height"), [(80, 24), (60, 16), (44, 14), (30, 8), (12, 3)])
def test_every_step_fits_the_window(lecture: Walk, width: int, height: int) -> None:
    """Never more lines or columns than the window has."""
    for screen in screens(lecture, *[RIGHT] * 7, "q", width=width, height=height):
        assert len(screen) == height
        assert max(map(len, screen)) <= width


def test_active_nodes_of_a_large_graph_stay_in_view() -> None:
    """A wire across 300 nodes shows both its ends and what is left out between."""
    x = Value(1.0, "x")
    y: Value = x
    for i in range(300):
        y = y * 1.0
        y.label = f"n{i}"
    f = y + x
    f.label = "f"
    steps = walk(f)
    across = next(step.index for step in steps if step.parent is x)
    screen = screens(steps, RIGHT * across, "q")[-1]
    assert row(screen, "x")[:3] == " ╭▶"
    assert row(screen, "f")[:3] == " ╰─"
    assert any(line.startswith(" ┆   ⋮") for line in screen)


def test_rows_in_view_are_those_around_the_places() -> None:
    """As many as fit, each gap taking a line."""
    assert in_view(3, [], 9) == [0, 1, 2]
    assert in_view(100, [50], 5) == [None, 49, 50, 51, None]
    assert in_view(100, [], 4) == [0, 1, 2, None]
    assert in_view(100, [0, 99], 5) == [0, 1, None, 98, 99]
    assert all(len(in_view(40, [a, b], 8)) <= 8 for a in range(40) for b in range(40))
    assert all({a, b} <= set(in_view(40, [a, b], 5)) for a in range(40) for b in range(40))


def test_a_part_of_a_walk_can_be_explored(lecture: Walk) -> None:
    """The backward pass alone; the forward values are known in it."""
    screen = screens(lecture[4:], "q")[-1]
    assert "step 1 of 4" in screen[0]
    assert row(screen, "f").split()[-2:] == ["−12", "1"]


def test_an_empty_part_has_nothing_to_explore(lecture: Walk) -> None:
    """No key is asked for."""
    assert screens(lecture[3:3]) == []


def test_labels_with_markup_appear_literally() -> None:
    """In the panel's title, the formulas and the list."""
    steps = walk(Value(2.0, "[red]x") * 3.0)
    text = "\n".join(screens(steps, END, "q")[-1])
    assert text.count("[red]x") >= 3


def test_without_a_keyboard_the_error_names_the_way_round(
    lecture: Walk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Standard input from a file or a pipe cannot be explored with."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("q"))
    with pytest.raises(ScalargradError, match=r"needs a terminal.*show\(walk\)"):
        explore(lecture, Console(force_terminal=True))


def test_without_a_screen_the_error_is_the_same(
    lecture: Walk, keyboard_line: tuple[int, int]
) -> None:
    """Output to a file or a dumb terminal cannot be drawn on."""
    with pytest.raises(ScalargradError, match="needs a terminal"):
        explore(lecture, Console(file=io.StringIO()))


# A real terminal ------------------------------------------------------------------------------


@pytest.fixture
def keyboard_line(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """Make standard input one end of a pseudo-terminal; return both ends, ours first."""
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield ours, theirs
    os.close(ours)


def test_keys_typed_before_the_first_screen_count(
    lecture: Walk, keyboard_line: tuple[int, int]
) -> None:
    """Nothing typed is dropped, and the line echoes again afterwards."""
    ours, theirs = keyboard_line
    before = termios.tcgetattr(theirs)
    os.write(ours, (RIGHT * 2 + "q").encode())
    console = Console(file=io.StringIO(), width=80, height=24, force_terminal=True)
    explore(lecture, console)
    assert isinstance(console.file, io.StringIO)
    assert "step 1 of 8" in console.file.getvalue()
    assert termios.tcgetattr(theirs) == before


def test_keyboard_reads_what_is_there_and_does_not_wait_for_more(
    keyboard_line: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing after a short wait; an escape alone is the key Esc."""
    ours, _ = keyboard_line
    with keyboard() as read:
        assert read() == ""
        monkeypatch.setattr(keys, "NOTICE_RESIZING", PATIENCE)
        os.write(ours, b"n\x1b")
        assert read() == "n\x1b"
        monkeypatch.setattr(os, "read", lambda terminal, count: b"")
        os.write(ours, b"x")
        assert read() == "\x04"


@pytest.mark.parametrize("parts", [(b"\x1b", b"[C"), (b"\x1b[", b"C"), (b"\x1b", b"[", b"C")])
def test_key_that_arrives_in_parts_is_one_key(
    parts: tuple[bytes, ...], keyboard_line: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Escape sequences can be cut in two or three by a slow line."""
    ours, _ = keyboard_line
    line, is_waiting = iter(parts), keys.is_waiting

    def deliver_next(terminal: int, seconds: float) -> bool:
        os.write(ours, next(line, b""))
        return is_waiting(terminal, PATIENCE)

    monkeypatch.setattr(keys, "is_waiting", deliver_next)
    with keyboard() as read:
        assert read() == RIGHT
    assert not [*line]


PROGRAM = """
from scalargrad import Value
from scalargrad.show.steps import explore, walk
x, y, z = Value(-2.0, "x"), Value(5.0, "y"), Value(-4.0, "z")
explore(walk((x + y) * z))
print("left")
"""


class Terminal:
    """A program in a pseudo-terminal: what it draws, and keys to type."""

    def __init__(self) -> None:
        self.ours, theirs = pty.openpty()
        self.before = termios.tcgetattr(theirs)
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"},
        )
        self.theirs = theirs
        self.seen = ""

    def expect(self, pattern: str) -> None:
        """Read until what was drawn since the last call matches."""
        deadline = time.monotonic() + PATIENCE
        while not re.search(pattern, self.seen, re.DOTALL):
            assert time.monotonic() < deadline, self.seen
            if select.select([self.ours], [], [], 0.1)[0]:
                self.seen += os.read(self.ours, 65536).decode("utf-8", "replace")
        self.seen = ""

    def type(self, keys: str) -> None:
        """Send keys as a terminal does."""
        os.write(self.ours, keys.encode())


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """Return a terminal in which a walk is being explored."""
    opened = Terminal()
    yield opened
    opened.process.kill()
    opened.process.wait()
    os.close(opened.ours)
    os.close(opened.theirs)


@pytest.mark.parametrize("leave", ["q", "\x03", "\x1b"])
def test_a_real_terminal_is_stepped_through_and_given_back(terminal: Terminal, leave: str) -> None:
    """Arrow keys, End and Home move; the terminal is left as it was."""
    terminal.expect(r"\x1b\[\?1049h.*step 1 of 8")
    terminal.type(RIGHT)
    terminal.expect(r"step 2 of 8")
    terminal.type(RIGHT)
    terminal.expect(r"step 3 of 8")
    terminal.type(END)
    terminal.expect(r"step 8 of 8")
    terminal.type(HOME + RIGHT * 4)
    terminal.expect(r"step 5 of 8")
    terminal.type(leave)
    terminal.expect(r"\x1b\[\?1049l.*left")
    assert terminal.process.wait(PATIENCE) == 0
    assert termios.tcgetattr(terminal.theirs) == terminal.before
