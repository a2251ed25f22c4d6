"""Which tests execute a line, and how long they take: recorded once, while all of them run."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from xml.etree import ElementTree as ET

from coverage import CoverageData

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src/scalargrad"
#: The folder of the recorded coverage and of the results of mutants; not committed.
FOUND = ROOT / "fuzz/found"
LINES, SECONDS = FOUND / "coverage", FOUND / "tests.xml"
#: The tests that mutants have to pass: all that are fast and need neither a browser nor processes.
TESTS = [
    *(
        "tests/ops",
        "tests/codegen",
        "tests/opdef",
        "tests/transforms",
        "tests/compiler",
        "tests/optim",
    ),
    *("tests/losses", "tests/nn", "tests/train", "tests/expression", "tests/test_autodiff.py"),
    *("tests/test_graph.py", "tests/sparsity", "tests/test_tree.py", "tests/test_value.py"),
    *("tests/test_grad_mode.py", "tests/test_defaults.py", "tests/test_bad_arguments.py"),
    *("tests/test_numpy.py", "tests/test_random_graphs.py", "tests/test_fuzz.py", "tests/wording"),
    *("tests/show/subgraphs", "tests/show/steps/test_walk.py", "tests/show/steps/test_terminal.py"),
    *("tests/show/graphs", "tests/show/steps/test_document.py", "tests/show/steps/test_markup.py"),
    *("tests/fitting", "tests/solvers", "tests/linalg", "tests/export", "tests/parallel"),
    *("tests/data", "tests/experiments", "tests/cli", "tests/plots", "tests/system"),
    *("tests/test_micrograd_compatibility.py", "tests/lectures", "tests/test_puzzles.py"),
    *("tests/show/steps/test_exactness.py", "tests/show/steps/test_remarks.py"),
    *("tests/show/steps/test_slides.py", "tests/show/training/test_watching.py"),
    *("tests/test_sparse.py", "tests/test_documents.py"),
]


def test_files(path: str) -> list[str]:
    """Return the test files of a folder, or the file itself."""
    if (ROOT / path).is_file():
        return [path]
    return sorted(x.relative_to(ROOT).as_posix() for x in (ROOT / path).rglob("test_*.py"))


def record_coverage(tests: Sequence[str] = TESTS) -> None:
    """Run tests, and let coverage.py and pytest write the lines and the seconds of each."""
    FOUND.mkdir(parents=True, exist_ok=True)
    options = ["-q", "-n", "2", "--cov=scalargrad", "--cov-context=test", f"--junitxml={SECONDS}"]
    subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--cov-report=", "--cov-fail-under=0", *tests],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT}/src", "COVERAGE_FILE": str(LINES)},
        check=False,  # a test that fails is not counted below
    )


class LineCoverage:
    """The tests recorded for each line, and their times."""

    def __init__(self) -> None:
        self._lines = CoverageData(str(LINES))
        self._lines.read()
        #: Seconds of each test that passes.
        self.seconds = {
            f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}": float(
                case.get("time", 0.0)
            )
            for case in ET.parse(SECONDS).iter("testcase")
            if not len(case)
        }

    def tests(self, path: str, line: int) -> set[str] | None:
        """Return the tests that execute a statement; None if importing the package does."""
        recorded = self._lines.contexts_by_lineno(str(PACKAGE / path))
        lines = statement_lines((PACKAGE / path).read_text(encoding="utf-8"), line)
        found = {context.partition("|")[0] for k in lines for context in recorded.get(k, ())}
        return None if "" in found else found

    def choose_tests(
        self, path: str, line: int, nearest: Sequence[str], seconds: float
    ) -> list[str]:
        """Return tests that execute a line, nearest files first, for a number of seconds.

        A line that importing the package executes is tried by tests of the nearest files. These get
        a fifth of the time in any case, because a value that is computed once and then cached is
        executed by one test only. For operations, which are printed once, they get the same time
        again.
        """
        text = (PACKAGE / path).read_text(encoding="utf-8")
        word = re.compile(rf"(?<![a-z]){definition_name(text, line).strip('_')}(?![a-z])")

        def order(test: str) -> tuple[bool, bool, float]:
            file, _, name = test.partition("::")
            return file not in nearest, not word.search(name), self.seconds[test]

        near = {x for x in self.seconds if x.partition("::")[0] in nearest}
        found = self.tests(path, line)
        executing = near if found is None else found & self.seconds.keys()
        chosen = list(self._first(sorted(executing, key=order), seconds))
        rest = seconds if path.startswith("ops/") else seconds / 5
        return [*chosen, *self._first(sorted(near - executing, key=order), rest)]

    def _first(self, tests: Sequence[str], seconds: float) -> Iterator[str]:
        """Yield tests until they take a number of seconds, and at least one."""
        spent = accumulate(self.seconds[x] for x in tests)
        return (x for x, y in zip(tests, spent, strict=True) if y <= seconds or x is tests[0])


def statement_lines(code: str, line: int) -> range:
    """Return the lines of the innermost statement that contains a line, or of its head."""
    found = range(line, line + 1)
    for node in ast.walk(ast.parse(code)):  # outer first
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or 0):
            body = getattr(node, "body", None)
            end = body[0].lineno - 1 if body else node.end_lineno
            found = range(node.lineno, max(node.lineno, end or 0) + 1)
    return found if line in found else range(line, line + 1)


def definition_name(code: str, line: int) -> str:
    """Return the name of the outermost definition that contains a line or is decorated there."""
    for node in ast.parse(code).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            first = min(x.lineno for x in [node, *node.decorator_list])
            if first <= line <= (node.end_lineno or 0):
                return node.name
    return ""
