"""Tables of findings, and the section of a file they are put into."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.reporting import Finding, as_markdown, as_table, machine, replace_section

ROWS = [
    Finding("fast", "< 2", "1", met=True),
    Finding("slow", "< 2", "3", met=False),
    Finding("plain", "", "4", met=None),
]


def test_markdown_table() -> None:
    """One line per row under a header, a missed goal standing out, then machine and remark."""
    assert as_markdown(ROWS, "pinned").splitlines() == [
        "| figure | goal | measured | met |",
        "| --- | --- | --- | --- |",
        "| fast | < 2 | 1 | yes |",
        "| slow | < 2 | 3 | NO |",
        "| plain |  | 4 |  |",
        "",
        f"{machine()}; pinned.",
    ]


def test_terminal_table() -> None:
    """The table in the terminal has every row."""
    console = Console(width=100)
    with console.capture() as captured:
        console.print(as_table(ROWS))
    assert all(row.what in captured.get() for row in ROWS)


def test_a_section_is_replaced_as_often_as_one_likes(tmp_path: Path) -> None:
    """The second time leaves the same file, and what stands around is not touched."""
    path = tmp_path / "figures.md"
    path.write_text("a\n<!-- x -->\nold\n<!-- /x -->\nb\n<!-- y -->\nkept\n<!-- /y -->\n")
    for _ in range(2):
        replace_section(path, "x", "new\n")
        assert path.read_text() == (
            "a\n<!-- x -->\n\nnew\n\n<!-- /x -->\nb\n<!-- y -->\nkept\n<!-- /y -->\n"
        )
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "content",
    ["", "<!-- x -->\n", "<!-- /x -->\n<!-- x -->\n", "<!-- x -->\n<!-- x -->\n<!-- /x -->\n"],
)
def test_a_file_without_the_section_is_left_alone(tmp_path: Path, content: str) -> None:
    """The error says which comments are missing."""
    path = tmp_path / "figures.md"
    path.write_text(content)
    with pytest.raises(ValueError, match=r"<!-- x --> and <!-- /x -->.*add them"):
        replace_section(path, "x", "new")
    assert path.read_text() == content
