"""Walks as tables: plain text for print, colour for a terminal."""

from __future__ import annotations

import io
import re
from typing import Literal

import pytest
from rich.cells import cell_len
from rich.console import Console

from scalargrad import Value, exp, floor, relu
from scalargrad.show.steps import Walk, show, walk


@pytest.fixture
def lecture() -> Walk:
    """Return the walk through (x + y)z at (-2, 5, -4)."""
    x, y, z = Value(-2.0, "x"), Value(5.0, "y"), Value(-4.0, "z")
    q = x + y
    q.label = "q"
    f = q * z
    f.label = "f"
    return walk(f)


def shown(steps: Walk, width: int, colour: bool = False) -> str:
    """Return what `show` prints on a console of that width."""
    colours: Literal["truecolor"] | None = "truecolor" if colour else None
    console = Console(file=io.StringIO(), width=width, color_system=colours)
    show(steps, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_printed_walk_is_an_aligned_table(lecture: Walk) -> None:
    """Three passes, eight numbered steps, formulas that begin in one column."""
    lines = str(lecture).splitlines()
    assert [line.split()[1] for line in lines if line.startswith("──")] == [
        "forward",
        "seed",
        "backward",
    ]
    steps = [line for line in lines[1:] if not line.startswith("──")]
    assert [int(line.split()[0]) for line in steps] == [1, 2, 3, 4, 5, 6, 7, 8]
    column = lines[0].index("chain rule")
    assert [line[column - 2 : column] for line in steps] == ["  "] * 8
    assert steps[4][column:].startswith("∂f/∂z = 1·q = 1·3 = 3  ")
    assert steps[4].endswith("swap multiplier: z receives 1·q")


def test_lecture_s_graph_fits_eighty_columns(lecture: Walk) -> None:
    """Printed or shown, no line of the first example wraps."""
    assert max(map(len, str(lecture).splitlines())) <= 80
    assert len(shown(lecture, 80).splitlines()) == 1 + 3 + 8


def test_columns_stay_aligned_under_wide_and_combining_characters() -> None:
    """Width is counted in cells of a terminal, not in characters."""
    f = Value(2.0, "日本") * Value(3.0, "e\u0301")
    f.label = "f"
    lines = [line for line in str(walk(f)).splitlines() if "swap" in line]
    before = {cell_len(line.split("swap")[0]) for line in lines}
    assert len(before) == 1


def test_gates_without_a_pattern_show_their_local_derivative() -> None:
    """The remark on e^x is its slope."""
    f = exp(Value(0.0, "x"))
    f.label = "f"
    assert str(walk(f)).endswith("∂f/∂x = exp(x) = f = 1")


def test_a_long_formula_does_not_push_all_remarks_away() -> None:
    """It sticks out of its column instead."""
    x = Value(2.0, "x" * 60)
    lines = str(walk(x * 3.0 + Value(1.0, "y"))).splitlines()
    remark = next(line for line in lines if "y receives" in line)
    assert remark.index("distributor") < 140
    assert max(map(len, lines)) > 140


def test_line_breaks_in_labels_do_not_break_the_table() -> None:
    """A hostile label stays on its line."""
    steps = walk(Value(2.0, "a\nb\r\x1b[2J") * 3.0)
    assert len(str(steps).splitlines()) == len(steps) + 4
    assert "\x1b[2J" not in shown(steps, 200)


def test_markup_in_labels_appears_literally() -> None:
    """Rich markup in a label is text."""
    printed = shown(walk(Value(2.0, "[red]x[/red]") * Value(3.0, ":smile:")), 200, colour=True)
    assert "[red]x[/red]" in printed
    assert ":smile:" in printed


def test_shown_walk_has_the_passes_in_colour(lecture: Walk) -> None:
    """Blue numbers forward, orange ones backward."""
    printed = shown(lecture, 100, colour=True)
    assert "\x1b[1;38;2;42;127;208m−12" in printed
    assert "\x1b[1;3;38;2;199;91;18m−4" in printed


def test_narrow_console_stacks_the_remarks(lecture: Walk) -> None:
    """Below the width of the table the remark goes under its formula, and nothing is lost."""
    printed = shown(lecture, 60)
    assert "remark" not in printed
    lines = printed.splitlines()
    formula = next(i for i, line in enumerate(lines) if "1·q = 1·3 = 3" in line)
    assert lines[formula + 1].strip() == "swap multiplier: z receives 1·q"


def test_empty_slice_shows_only_the_headings(lecture: Walk) -> None:
    """There is nothing to go wrong over."""
    assert shown(lecture[3:3], 80).split() == ["step", "at", "chain", "rule", "remark"]
    assert str(lecture[3:3]).split() == ["step", "at", "chain", "rule", "remark"]


def test_show_prints_to_standard_output_by_default(
    lecture: Walk, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a console it behaves as print does."""
    show(lecture)
    assert "f = q·z = 3·(−4) = −12" in capsys.readouterr().out


def test_names_in_the_table_of_a_notebook_have_their_index_below() -> None:
    """In all columns, as in the formulas; other words and numbers stay as they are."""
    w1, x27 = Value(2.0, "w1"), Value(3.0, "x27")
    table = walk(w1 / x27**2 + x27 * 2.0)._repr_html_()
    text = re.sub(r"<math.*?</math>", "", table)
    assert "→ x<sub>27</sub>" in text
    assert "= 1 / v<sub>1</sub>" in text
    assert not re.search(r"\b(w1|x27|v\d)\b", text)
    assert "1 of 2" in text


def test_a_kink_is_named_where_the_gradient_is_complete() -> None:
    """As on the page: that relu(0) receives nothing is a convention; elsewhere nothing is said."""
    x = Value(0.0, "x")
    assert "kink at x = 0" in str(walk(relu(x) + x)[-1:])
    assert "kink" not in str(walk(relu(x) + x)[:-1])
    assert "jumps at x = 0" in str(walk(floor(x)))
    assert "kink" not in str(walk(relu(Value(1.0, "x"))))
