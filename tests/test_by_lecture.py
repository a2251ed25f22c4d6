"""The pages on the lectures lead everywhere, and say what is so."""

from __future__ import annotations

import doctest
import importlib
import re
from pathlib import Path

import pytest

from scalargrad.cli.train import PROGRAMS

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGE = (DOCS / "by-lecture.md").read_text(encoding="utf-8")
LECTURES = ["Hosseini", "Toronto", "UCSB", "UNC"]


def targets(text: str) -> list[Path]:
    """Return the files a page of the docs links to."""
    found = re.findall(r"\]\(([^()#\s]+)\)", text)
    return [(DOCS / target).resolve() for target in found if "://" not in target]


def test_every_link_leads_to_a_file() -> None:
    """Notebooks, pages and tests are in the repository."""
    assert len(targets(PAGE)) > 100
    for target in targets(PAGE):
        assert target.is_file(), target


def test_every_lecture_and_every_notebook_is_there() -> None:
    """One section for each lecture; no notebook is left out."""
    sections = re.findall(r"^## (\w+)", PAGE, re.MULTILINE)
    assert sections[:4] == LECTURES
    assert {*(ROOT / "notebooks").glob("*.ipynb")} <= {*targets(PAGE)}


def test_every_test_of_the_lectures_is_there() -> None:
    """A test of the lectures that no topic names would not be found."""
    assert {*(ROOT / "tests" / "lectures").glob("test_*.py")} <= {*targets(PAGE)}


def test_every_topic_is_held_by_something() -> None:
    """The last column of each row names a test, or says what holds it instead."""
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "held by" not in line]
    assert len(rows) > 35
    for row in rows:
        last = row.rstrip("|").rsplit("|", 1)[1]
        assert "[test](" in last or "assertions" in last, row


def test_functions_and_programs_named_exist() -> None:
    """What is written as code is the name of a function, or a command that runs."""
    for name in re.findall(r"`((?:plots|optim|losses|graph|parallel)\.\w+)`", PAGE):
        module, attribute = name.split(".")
        assert hasattr(importlib.import_module(f"scalargrad.{module}"), attribute), name
    commands = re.findall(r"`scalargrad train (\w+)`", PAGE)
    assert len(commands) >= 5
    assert {*commands} <= PROGRAMS.keys()


def test_the_slips_name_lecture_place_and_correction() -> None:
    """Every row is complete, and every lecture that has one is named."""
    text = (DOCS / "slips.md").read_text(encoding="utf-8")
    rows = [line.strip("|").split(" | ") for line in text.splitlines() if line.startswith("| ")][1:]
    assert len(rows) == 9
    assert all(len(row) == 4 and all(cell.strip() for cell in row) for row in rows)
    assert {row[0].strip() for row in rows} == set(LECTURES)
    for target in targets(text):
        assert target.is_file(), target


@pytest.mark.parametrize("page", ["losses.md"])
def test_numbers_on_the_page_are_what_is_computed(page: str) -> None:
    """Each Python block is a session that gives the output shown."""
    text = (DOCS / page).read_text(encoding="utf-8")
    session = doctest.DocTestParser().get_doctest(text.replace("```", ""), {}, page, page, 0)
    assert len(session.examples) > 8
    failures: list[str] = []
    doctest.DocTestRunner().run(session, out=failures.append)
    assert not failures, "".join(failures)
