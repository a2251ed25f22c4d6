"""Which tests execute a line, and how long they take: noted once, while all of them run."""

from __future__ import annotations

import ast
import importlib
import itertools
import json
import os
import pkgutil
import sys
import time
from collections.abc import Iterator, Sequence, Set
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src/scalargrad"
#: What was noted; not committed.
LINES, SECONDS = ROOT / "fuzz/found/covered", ROOT / "fuzz/found/seconds.json"
#: The tests that mutants have to pass: all that are fast and need no browser and no other process.
TESTS = [
    *("tests/ops", "tests/table", "tests/transforms", "tests/compiler", "tests/optim"),
    *("tests/losses", "tests/nn", "tests/train", "tests/expression", "tests/test_autodiff.py"),
    *("tests/test_graph.py", "tests/test_sparse.py", "tests/test_tree.py", "tests/test_value.py"),
    *("tests/test_grad_mode.py", "tests/test_defaults.py", "tests/test_bad_arguments.py"),
    *("tests/test_numpy.py", "tests/test_random_graphs.py", "tests/test_by_lecture.py"),
    "tests/test_micrograd_compatibility.py",
]


class Stopwatch:
    """A plugin of pytest that notes the processor time of each test that passes."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a report, of whatever process."""
        if report.when == "call" and report.passed:
            seconds: Any = dict(report.user_properties)["seconds"]
            self.seconds[report.nodeid] = seconds
        elif report.failed:
            self.seconds.pop(report.nodeid, None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Measure a test."""
    begun = time.process_time()
    yield
    item.user_properties.append(("seconds", time.process_time() - begun))


def pytest_collection_finish() -> None:
    """Import what tests import only while they run: no line of it is theirs."""
    import_all()


def import_all() -> None:
    """Import every module of the package of this tree."""
    for found in pkgutil.walk_packages([str(PACKAGE)], "scalargrad."):
        if not found.name.endswith("__main__"):
            with suppress(ImportError):
                importlib.import_module(found.name)
    assert Path(sys.modules["scalargrad"].__file__ or "").parent == PACKAGE


def is_noted() -> bool:
    """Return whether what was noted is younger than every file of the package and the tests."""
    if not SECONDS.exists():
        return False
    files = [path for folder in (PACKAGE, ROOT / "tests") for path in folder.rglob("*.py")]
    return max(path.stat().st_mtime for path in files) < SECONDS.stat().st_mtime


def note() -> None:
    """Run all tests and note, in a process that ends with this."""
    LINES.parent.mkdir(exist_ok=True)
    os.environ["COVERAGE_FILE"] = str(LINES)
    watch = Stopwatch()
    counted = ["--cov=scalargrad", "--cov-context=test", f"--cov-config={os.devnull}"]
    options = ["-q", "-p", "no:cacheprovider", "-p", "fuzz.covering", "-n", "2", "--cov-report="]
    options += ["-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning"]
    pytest.main([*options, *counted, *TESTS], plugins=[watch])
    SECONDS.write_text(json.dumps(watch.seconds), encoding="utf-8")


class Covering:
    """What was noted."""

    def __init__(self) -> None:
        from coverage import CoverageData

        self.seconds: dict[str, float] = json.loads(SECONDS.read_text(encoding="utf-8"))
        self._data = CoverageData(str(LINES))
        self._data.read()
        self._contexts = lru_cache(self._data.contexts_by_lineno)

    def tests(self, path: str, line: int) -> set[str] | None:
        """Return the tests that execute a statement; None if importing the package does."""
        contexts = self._contexts(str(PACKAGE / path))
        code = (PACKAGE / path).read_text(encoding="utf-8")
        found = {x for k in statement(code, line) for x in contexts.get(k, ())}
        if "" in found:
            return None
        return {x.rpartition("|")[0] for x in found} & self.seconds.keys()

    def in_order(self, tests: Set[str], nearest: Sequence[str], most: float) -> list[str]:
        """Return tests of so many seconds: those that execute a line, then all in nearest files.

        These too, as what is computed once for all is executed by one test only. Those in nearest
        files go first, then fast ones.
        """
        near = {x for x in self.seconds if x.partition("::")[0] in nearest}
        order = sorted(tests | near, key=lambda x: (x not in tests, x not in near, self.seconds[x]))
        spent = itertools.accumulate(self.seconds[x] for x in order)
        return [x for x, until in zip(order, spent, strict=True) if until <= most or x is order[0]]


def statement(code: str, line: int) -> range:
    """Return the lines of the innermost statement around a line; of a compound one, its head."""
    found = range(line, line + 1)
    for node in ast.walk(ast.parse(code)):  # outer first
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or 0):
            body = getattr(node, "body", None)
            end = body[0].lineno - 1 if body else node.end_lineno
            found = range(node.lineno, max(node.lineno, end or 0) + 1)
    return found if line in found else range(line, line + 1)
