"""The table that compares features says of each library what the script finds by running it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.features import LIBRARIES
from benchmarks.measuring import in_fresh_process

ROOT = Path(__file__).parents[2]

SCRIPT = """
import json
from benchmarks.features import LIBRARIES
print(json.dumps([[row, cell, bool(holds)] for row, cell, holds in LIBRARIES["{library}"][1]()]))
"""


def table() -> dict[tuple[str, str], str]:
    """Return the cells of the page's first table by row and library."""
    text = (ROOT / "docs" / "explained" / "compared.md").read_text("utf-8")
    lines = text.split("## Features")[1].split("## ")[0].strip().splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "|" in line]
    header, _, *body = rows
    return {
        (row[0], library): cell
        for row in body
        for library, cell in zip(header[1:], row[1:], strict=True)
    }


@pytest.mark.parametrize("library", sorted(LIBRARIES.keys() - {"autograd"}))
def test_what_the_table_says_holds(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each cell that the script knows stands on the page; autograd's by the script alone."""
    pytest.importorskip(LIBRARIES[library][0])
    monkeypatch.chdir(ROOT)
    found = json.loads(in_fresh_process(SCRIPT.format(library=library)).splitlines()[-1])
    cells = table()
    assert len(found) >= 7
    assert [(row, cells[row, library]) for row, *_ in found] == [(r, cell) for r, cell, _ in found]
    assert all(holds for *_, holds in found), [row for row, _, holds in found if not holds]
