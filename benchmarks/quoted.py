"""Write the figures of docs/benchmarks.md into the page that quotes them.

    python -m benchmarks.quoted

Tables of docs/explained/compared.md whose heading has nothing but a first cell quote. A row names a
figure by that cell, if it has text, and its own first one after a comma; what is measured is
copied, so a figure is never typed twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from scalargrad.system.files import write_atomically

_ROOT = Path(__file__).parent.parent
QUOTING = _ROOT / "docs" / "explained" / "compared.md"
BENCHMARKS = _ROOT / "docs" / "benchmarks.md"


def measured(benchmarks: str) -> dict[str, str]:
    """Return what was measured for each figure of the tables that `reporting` wrote."""
    rows = [_cells(line) for line in benchmarks.splitlines() if line.startswith("|")]
    return {row[0]: row[2] for row in rows if len(row) == 4}


def refreshed(page: str, figures: Mapping[str, str]) -> str:
    """Return the page with what was measured in the second cell of every row that quotes.

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
    figures = measured(BENCHMARKS.read_text(encoding="utf-8"))
    written = refreshed(QUOTING.read_text(encoding="utf-8"), figures)
    write_atomically(QUOTING, written.encode())
