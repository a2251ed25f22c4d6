"""The tables of a page quote what was measured."""

from __future__ import annotations

import pytest

from benchmarks.quoted import measured, refreshed
from benchmarks.reporting import Finding, as_markdown

FIGURES = {"Step: ours, against C": "2 × its time", "Memory": "3 bytes", "Step: ours": "1 µs"}


def test_what_is_measured_is_read_from_the_tables_that_are_written() -> None:
    """A figure with a goal, one without and a missed one come back as they went in."""
    rows = [
        Finding(name, goal, value, met)
        for (name, value), goal, met in zip(
            FIGURES.items(), ("< 3", "", "< 1"), (True, None, False), strict=True
        )
    ]
    read = measured(f"# Title\n\ntext | text\n\n{as_markdown(rows)}\n| a | b |\n")
    assert {name: read[name] for name in FIGURES} == FIGURES


def test_a_row_is_named_by_its_heading_and_its_first_cell() -> None:
    """Old values go; first cells, other tables and everything outside of them stay."""
    readme = (
        "Text\n\n| Step: ours | |\n|---|---|\n| against C | 9 × its time |\n\nText | text\n\n"
        "| what | which |\n|---|---|\n| a | b |\n\n"
        "| | |\n| --- | --- |\n| Memory | |\n| Step: ours | old |\n"
    )
    assert refreshed(readme, FIGURES) == (
        "Text\n\n| Step: ours | |\n|---|---|\n| against C | 2 × its time |\n\nText | text\n\n"
        "| what | which |\n|---|---|\n| a | b |\n\n"
        "| | |\n| --- | --- |\n| Memory | 3 bytes |\n| Step: ours | 1 µs |\n"
    )


def test_a_row_that_names_no_figure_is_refused() -> None:
    """The error says which, so that a renamed benchmark cannot leave an old number behind."""
    with pytest.raises(ValueError, match=r"compared.md quotes 'Step: ours, against Fortran'"):
        refreshed("| Step: ours | |\n|---|---|\n| against Fortran | 1 × |\n", FIGURES)
