"""Documents are true: every block of the README and every page of the site runs."""

from __future__ import annotations

import ast
import doctest
import importlib
import os
import re
import shlex
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.inner import WHOLE_TABLE as TABLE

from benchmarks.quoted import QUOTING, read_figures, update_quotes
from examples import experiments
from scalargrad import gradcheck, ops

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text(encoding="utf-8")
BY_LECTURE = (DOCS / "by-lecture.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    """Return the fenced code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def assert_session_prints_its_output(typed: list[str], name: str) -> None:
    """Run blocks one after another; each prints exactly the output shown."""
    parser, namespace = doctest.DocTestParser(), {"__name__": "__main__"}
    session = parser.get_doctest("\n".join(typed), namespace, name, name, 0)
    assert session.examples
    failures: list[str] = []
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    doctest.DocTestRunner(optionflags=flags).run(session, out=failures.append)
    assert not failures, "".join(failures)


def test_readme_python_blocks_print_the_output_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every block is in a language that these tests run."""
    monkeypatch.chdir(tmp_path)
    kinds = re.findall(r"^```(\w*)\n", README, re.MULTILINE)[::2]
    run = {kind: len(blocks(README, kind)) for kind in ("sh", "python", "console")}
    assert dict(Counter(kinds)) == run
    assert_session_prints_its_output(blocks(README, "python"), "README")


@pytest.mark.parametrize(
    "block", blocks(README, "console"), ids=lambda block: block.partition("\n")[0]
)
def test_readme_console_blocks_print_the_output_shown(block: str, tmp_path: Path) -> None:
    """Each command succeeds and prints the lines shown below it."""
    commands = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    assert commands
    for command in commands:
        line, _, shown = command.partition("\n")
        program, *arguments = shlex.split(line)
        assert program == "scalargrad"
        done = subprocess.run(
            [sys.executable, "-c", "from scalargrad.cli import main; main()", *arguments],
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=True,
            cwd=tmp_path,
            env={**os.environ, "COLUMNS": "100", "PYTHONIOENCODING": "utf-8"},
            timeout=600,
        )
        printed = [printed_line.strip() for printed_line in done.stdout.splitlines()]
        for expected in filter(None, map(str.strip, shown.splitlines())):
            assert expected in printed, f"{line} did not print {expected!r}:\n{done.stdout}"


def test_readme_has_two_set_up_lines() -> None:
    """One line installs and runs the demo, one installs and runs the tests."""
    (block,) = blocks(README, "sh")
    demo, tests = block.splitlines()
    for line in (demo, tests):
        assert line.startswith("python3 -m venv .venv && .venv/bin/python -m pip install ")
    assert demo.endswith("&& .venv/bin/scalargrad demo")
    assert tests.endswith("&& .venv/bin/python -m pytest -n auto")
    assert "<!-- set-up -->\n```sh\n" in README  # read by .ci/run
    assert len(README.split()) <= 900  # five minutes


#: Pages that need packages beyond the development tools, or train for long.
WIDE = {"errors", "export", "fast", "sympy"}


def case(page: Path) -> Any:
    """Return a page as a test parameter with its marks."""
    return pytest.param(page, id=page.stem, marks=[pytest.mark.wide] * (page.stem in WIDE))


SESSIONS = [
    page
    for page in sorted(DOCS.rglob("*.md"))
    if "```python" in page.read_text(encoding="utf-8") and "_build" not in page.parts
]


@pytest.mark.parametrize("page", list(map(case, SESSIONS)))
def test_page_python_blocks_print_the_output_shown(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The Python blocks of a page, run one after another, print the output shown."""
    for package in {"errors": ["sympy"], "export": ["networkx", "sympy", "torch", "jax"]}.get(
        page.stem, []
    ):
        pytest.importorskip(package)
    if page.stem == "sympy":
        pytest.importorskip("sympy")
    monkeypatch.chdir(tmp_path)
    found = blocks(page.read_text(encoding="utf-8"), "python")
    for block in found:
        if not block.startswith(">>>"):
            ast.parse(block)
    assert_session_prints_its_output([x for x in found if x.startswith(">>>")], page.stem)


DOCUMENTS = [*ROOT.glob("*.md"), *DOCS.rglob("*.md"), *ROOT.glob("notebooks/*.ipynb")]


def targets(path: Path) -> list[Path]:
    """Return the files that a document links to."""
    found = re.findall(r"\]\(([^()#\s]+)\)", path.read_text(encoding="utf-8"))
    return [(path.parent / target).resolve() for target in found if "://" not in target]


def test_document_links_lead_to_files_that_exist() -> None:
    """Every relative link and picture is in the repository."""
    assert [(path, x) for path in DOCUMENTS for x in targets(path) if not x.exists()] == []


def test_decisions_index_lists_every_decision() -> None:
    """The index has a line with the heading of each decision."""
    index = (DOCS / "decisions" / "index.md").read_text(encoding="utf-8")
    paths = [*(DOCS / "decisions").glob("0*.md")]
    titles = [x.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ") for x in paths]
    lines = [f"- [{title}]({path.name})" for title, path in zip(titles, paths, strict=True)]
    assert [line for line in lines if line not in index] == []


def test_quoted_benchmark_figures_are_those_of_the_last_run() -> None:
    """Each quoting row agrees with docs/benchmarks.md; one command refreshes them."""
    page = QUOTING.read_text(encoding="utf-8")
    found = read_figures((DOCS / "benchmarks.md").read_text(encoding="utf-8"))
    assert update_quotes(page, found) == page, "run python -m benchmarks.quoted"
    assert page.count(" µs") > 5


def test_contributing_example_declares_a_working_operation() -> None:
    """Softsign, pasted as shown, has the value and slope of its closed form."""
    (example,) = blocks((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"), "python")
    namespace, before = dict(vars(ops.activations)), dict(TABLE)
    try:
        exec(example, namespace)
        softsign: Any = TABLE["softsign"]
        assert softsign.of(3.0) == 0.75
        assert gradcheck(softsign.of, -2.0)
    finally:
        TABLE.clear()
        TABLE.update(before)


LECTURES = ["Hosseini", "Toronto", "UCSB", "UNC"]


def test_by_lecture_page_links_every_notebook_and_lecture_test() -> None:
    """The page has one section for each lecture."""
    linked = {*targets(DOCS / "by-lecture.md")}
    assert re.findall(r"^## (\w+)", BY_LECTURE, re.MULTILINE)[:4] == LECTURES
    assert {*(ROOT / "notebooks").glob("*.ipynb")} <= linked
    assert {*(ROOT / "tests" / "lectures").glob("test_*.py")} <= linked


def test_by_lecture_page_names_a_test_for_every_topic() -> None:
    """The last column of each row names a test or assertions; every name on the page exists."""
    rows = [x for x in BY_LECTURE.splitlines() if x.startswith("| ") and "tested by" not in x]
    assert len(rows) > 35
    for row in rows:
        last = row.rstrip("|").rsplit("|", 1)[1]
        assert "[test](" in last or "assertions" in last, row
    for name in re.findall(r"`((?:plots|optim|losses|graph|parallel)\.\w+)`", BY_LECTURE):
        module, attribute = name.split(".")
        assert hasattr(importlib.import_module(f"scalargrad.{module}"), attribute), name
    programs = {*re.findall(r"`experiments\.(\w+)`", BY_LECTURE)}
    assert len(programs) >= 5
    assert programs <= {*experiments.__all__}
