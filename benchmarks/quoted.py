"""Write the figures of docs/benchmarks.md into the page that quotes them.

    python -m benchmarks.quoted

Tables of docs/explained/compared.md whose heading has nothing but a first cell quote. A row names a
figure by that cell, if it has text, and its own first one after a comma; what is measured is
copied, so a figure is never typed twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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
    ValueError
        If a row names no figure.
    """
    return "".join(_refreshed_lines(page, figures))


def _refreshed_lines(page: str, figures: Mapping[str, str]) -> Iterator[str]:
    heading: str | None = None
    quotes = False
    for line in page.splitlines(keepends=True):
        if not line.startswith("|"):
            heading = None
        elif heading is None:
            heading, *others = _cells(line)
            quotes = not any(others)
        elif quotes and not line.startswith(("|--", "| --")):
            first = _cells(line)[0]
            yield f"| {first} | {_measured_of(heading, first, figures)} |\n"
            continue
        yield line


def _measured_of(heading: str, row: str, figures: Mapping[str, str]) -> str:
    figure = f"{heading}, {row}" if heading else row
    if figure not in figures:
        raise ValueError(
            f"compared.md quotes {figure!r}, which docs/benchmarks.md does not have; name one of "
            "its figures by heading and row, or remove the row"
        )
    return figures[figure]


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def main() -> None:
    """Refresh the page in place."""
    figures = measured(BENCHMARKS.read_text(encoding="utf-8"))
    written = refreshed(QUOTING.read_text(encoding="utf-8"), figures)
    write_atomically(QUOTING, written.encode())


if __name__ == "__main__":
    main()
