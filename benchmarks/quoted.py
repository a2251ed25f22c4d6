"""Write the figures of docs/benchmarks.md into the page that quotes them.

    python -m benchmarks.quoted

A table of docs/explained/compared.md quotes figures if its heading has text in the first cell only
or no text. A row names a figure: the text of that cell, if any, a comma, and the row's own first
cell. The measurement is copied, so no figure is typed twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from scalargrad.system.files import write_atomically

_ROOT = Path(__file__).parent.parent
QUOTING = _ROOT / "docs" / "explained" / "compared.md"
BENCHMARKS = _ROOT / "docs" / "benchmarks.md"


def read_figures(benchmarks: str) -> dict[str, str]:
    """Return the measurement of each figure in the tables that `reporting` wrote."""
    rows = [_cells(line) for line in benchmarks.splitlines() if line.startswith("|")]
    return {row[0]: row[2] for row in rows if len(row) == 4}


def update_quotes(page: str, figures: Mapping[str, str]) -> str:
    """Return the page with the measurement in the second cell of every row that quotes a figure.

    Raises
    ------
    KeyError
        If a row names no figure.
    """
    lines: list[str] = []
    heading: list[str] = []
    for line in page.splitlines(keepends=True):
        cells = _cells(line)
        if not line.startswith("|"):
            heading = []
        elif not heading:
            heading = cells
        elif not any(heading[1:]) and not cells[0].startswith("--"):
            figure = figures[", ".join(filter(None, (heading[0], cells[0])))]
            line = f"| {cells[0]} | {figure} |\n"
        lines.append(line)
    return "".join(lines)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


if __name__ == "__main__":
    figures = read_figures(BENCHMARKS.read_text(encoding="utf-8"))
    written = update_quotes(QUOTING.read_text(encoding="utf-8"), figures)
    write_atomically(QUOTING, written.encode())
