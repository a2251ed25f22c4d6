"""The documents say what is so: every block of the README and CONTRIBUTING runs."""

from __future__ import annotations

import doctest
import os
import re
import shlex
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.quoted import QUOTING, measured, refreshed

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
BENCHMARKS = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")


def blocks(text: str, language: str) -> list[str]:
    """Return the fenced code blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_every_readme_block_is_of_a_kind_that_is_run() -> None:
    """No block escapes the tests below by being written in another language."""
    kinds = re.findall(r"^```(\w*)\n", README, re.MULTILINE)[::2]
    run = {kind: len(blocks(README, kind)) for kind in ("sh", "python", "console")}
    assert dict(Counter(kinds)) == run


def test_python_blocks_of_the_readme_print_what_they_show(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Typed in one after the other, they give exactly the output shown."""
    monkeypatch.chdir(tmp_path)
    typed = "\n".join(blocks(README, "python"))
    session = doctest.DocTestParser().get_doctest(typed, {}, "README", "README.md", 0)
    assert session.examples
    failures: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    runner.run(session, out=failures.append)
    assert not failures, "".join(failures)


@pytest.mark.parametrize("block", blocks(README, "console"))
def test_console_blocks_of_the_readme_print_what_they_show(block: str, tmp_path: Path) -> None:
    """Each command succeeds and prints the lines shown below it."""
    commands = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    assert commands
    for command in commands:
        line, _, shown = command.partition("\n")
        program, *arguments = shlex.split(line)
        assert program == "scalargrad"
        done = subprocess.run(
            [sys.executable, "-c", "from scalargrad.cli.main import main; main()", *arguments],
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


def test_the_readme_has_exactly_two_set_up_lines_and_ci_runs_them() -> None:
    """One line installs and runs the demo, one installs and passes the tests."""
    (block,) = blocks(README, "sh")
    demo, tests = block.splitlines()
    for line in (demo, tests):
        assert line.startswith("python3 -m venv .venv && .venv/bin/python -m pip install ")
    assert demo.endswith("&& .venv/bin/scalargrad demo")
    assert tests.endswith("&& .venv/bin/python -m pytest -n auto")
    assert "<!-- set-up -->\n```sh\n" in README
    assert "README.md | grep '^python3'" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("notebooks/*.ipynb")]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_of_the_documents_lead_to_files_that_exist(path: Path) -> None:
    """Every relative link and picture is in the repository."""
    text = path.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^()#\s]+)\)", text):
        if "://" not in target:
            assert (path.parent / target).exists(), target


def test_every_decision_is_listed_under_its_title() -> None:
    """The index has a line for each, with its heading."""
    folder = ROOT / "docs" / "decisions"
    index = (folder / "index.md").read_text(encoding="utf-8")
    for path in folder.glob("0*.md"):
        title = path.read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
        assert f"- [{title}]({path.name})" in index


def test_the_figures_quoted_are_those_of_the_last_run() -> None:
    """Each row that quotes is what docs/benchmarks.md has; the remedy is one command."""
    page = QUOTING.read_text(encoding="utf-8")
    assert refreshed(page, measured(BENCHMARKS)) == page, "run python -m benchmarks.quoted"
    assert page.count(" µs") > 5


def test_the_readme_is_read_in_five_minutes() -> None:
    """At most 900 words, code included."""
    assert len(README.split()) <= 900


def test_the_worked_example_of_contributing_declares_an_operation_that_works() -> None:
    """Softsign, pasted as shown into the file it names, has its closed form's value and slope."""
    from scalargrad import gradcheck
    from scalargrad.ops import activations
    from scalargrad.table.symbol import TABLE

    (example,) = blocks(CONTRIBUTING, "python")
    namespace = dict(vars(activations))
    before = dict(TABLE)
    try:
        exec(example, namespace)
        softsign = TABLE["softsign"]
        assert softsign.of(3.0) == 0.75
        assert gradcheck(softsign.of, -2.0)
    finally:
        TABLE.clear()
        TABLE.update(before)
