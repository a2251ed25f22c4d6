"""Which tests execute a line, and how long they take: noted once, while all of them run.

Lines are noted by `sys.monitoring` (Python 3.12), which asks once for each line and test. What is
noted of a file of tests holds until that file, what tests share, or the package is edited.
"""

from __future__ import annotations

import ast
import gc
import hashlib
import importlib
import itertools
import json
import os
import pkgutil
import re
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence, Set
from contextlib import suppress
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src/scalargrad"
#: What was noted, a file for each file of tests; not committed.
NOTES = ROOT / "fuzz/found/covered"
#: The tests that mutants have to pass: all that are fast and need no browser and no other process.
TESTS = [
    *("tests/ops", "tests/table", "tests/transforms", "tests/compiler", "tests/optim"),
    *("tests/losses", "tests/nn", "tests/train", "tests/expression", "tests/test_autodiff.py"),
    *("tests/test_graph.py", "tests/test_sparse.py", "tests/test_tree.py", "tests/test_value.py"),
    *("tests/test_grad_mode.py", "tests/test_defaults.py", "tests/test_bad_arguments.py"),
    *("tests/test_numpy.py", "tests/test_random_graphs.py"),
    "tests/test_micrograd_compatibility.py",
]


#: The seconds a test is thought to take of which nothing is noted.
_LIKELY = 0.1
#: What looks at lines; Python 3.11 has none.
monitoring: Any = getattr(sys, "monitoring", None)


class Watch:
    """A plugin of pytest that notes the lines and the processor seconds of each test.

    A test that fails is not noted: no mutant is tried by it.
    """

    def __init__(self) -> None:
        self._now: set[tuple[str, int]] = set()
        self._tests: dict[str, float] = {}
        self._lines: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        self._passed = False
        monitoring.use_tool_id(monitoring.COVERAGE_ID, "fuzz.covering")
        monitoring.register_callback(monitoring.COVERAGE_ID, monitoring.events.LINE, self._executed)
        monitoring.set_events(monitoring.COVERAGE_ID, monitoring.events.LINE)

    def _executed(self, code: CodeType, line: int) -> object:
        if code.co_filename.startswith(str(PACKAGE)):
            self._now.add((code.co_filename[len(str(PACKAGE)) + 1 :], line))
        return monitoring.DISABLE

    def pytest_collection_finish(self) -> None:
        """Note what importing every module executes; from now on, look at its functions only.

        Modules that tests import only while they run are imported, too: no line of them is theirs.
        """
        import_all()
        monitoring.set_events(monitoring.COVERAGE_ID, 0)
        self._add("")
        self._write("")
        for code in {code for function in functions() for code in _nested(function.__code__)}:
            monitoring.set_local_events(monitoring.COVERAGE_ID, code, monitoring.events.LINE)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(
        self, item: pytest.Item, nextitem: pytest.Item | None
    ) -> Iterator[None]:
        """Note a test, and write what is noted after the last one of its file."""
        self._passed = False
        self._now.clear()
        monitoring.restart_events()
        begun = time.process_time()
        result = yield
        if self._passed:
            self._add(item.nodeid, time.process_time() - begun)
        if nextitem is None or _file(nextitem.nodeid) != _file(item.nodeid):
            self._write(_file(item.nodeid))
        return result

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Tell whether a test passes."""
        self._passed = report.passed and (self._passed or report.when == "call")

    def pytest_sessionfinish(self) -> None:
        """Look no longer: the interpreter runs more of the package while it ends."""
        monitoring.register_callback(monitoring.COVERAGE_ID, monitoring.events.LINE, None)

    def _add(self, test: str, seconds: float = 0.0) -> None:
        for path, line in self._now:
            self._lines[path][line].append(len(self._tests))
        self._tests[test] = seconds

    def _write(self, file: str) -> None:
        write_note(file, self._tests, self._lines)
        self._tests.clear()
        self._lines.clear()


def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Look at lines from before the first import of the package."""
    early_config.pluginmanager.register(Watch())


def functions() -> list[FunctionType]:
    """Return all functions of the package that there are."""
    return [
        x
        for x in gc.get_objects()
        if isinstance(x, FunctionType) and x.__code__.co_filename.startswith(str(PACKAGE))
    ]


def _nested(code: CodeType) -> Iterator[CodeType]:
    yield code
    for x in code.co_consts:
        if isinstance(x, CodeType):
            yield from _nested(x)


def import_all() -> None:
    """Import every module of the package of this tree."""
    for found in pkgutil.walk_packages([str(PACKAGE)], "scalargrad."):
        if not found.name.endswith("__main__"):
            with suppress(ImportError):
                importlib.import_module(found.name)
    assert Path(sys.modules["scalargrad"].__file__ or "").parent == PACKAGE


def _file(test: str) -> str:
    return test.partition("::")[0]


def test_files(path: str) -> list[str]:
    """Return the files of tests of a folder, or the file itself."""
    if (ROOT / path).is_file():
        return [path]
    return sorted(x.relative_to(ROOT).as_posix() for x in (ROOT / path).rglob("test_*.py"))


@cache
def _digest(file: str) -> str:
    """Return what changes as soon as a file of tests may execute other lines."""
    found = hashlib.sha256(sys.version.encode())
    shared = [x for x in (ROOT / "tests").rglob("*.py") if not x.name.startswith("test_")]
    for path in [*sorted(PACKAGE.rglob("*.py")), *sorted(shared), *([ROOT / file] if file else [])]:
        found.update(path.read_bytes())
    return found.hexdigest()


def _note_of(file: str) -> Path:
    return NOTES / f"{file.replace('/', '.') or 'import'}.json"


def write_note(file: str, tests: dict[str, float], lines: dict[str, dict[int, list[int]]]) -> None:
    """Write the seconds of tests of a file, and which of them execute each line."""
    part = _note_of(file).with_suffix(f".{os.getpid()}")
    noted = {"of": _digest(file), "tests": tests, "lines": lines}
    part.write_text(json.dumps(noted, separators=(",", ":")), encoding="utf-8")
    part.replace(_note_of(file))


def read_note(file: str) -> dict[str, Any] | None:
    """Return what is noted of a file; None if nothing is that still holds."""
    if not _note_of(file).exists():
        return None
    noted: dict[str, Any] = json.loads(_note_of(file).read_text(encoding="utf-8"))
    return noted if noted["of"] == _digest(file) else None


def files_to_note() -> list[str]:
    """Return the files of tests of which nothing is noted that holds."""
    files = [file for path in TESTS for file in test_files(path)]
    return [file for file in files if read_note(file) is None]


def note(files: Sequence[str]) -> None:
    """Run files of tests and note, in a process that ends with this."""
    if monitoring is None:
        raise SystemExit("fuzz.mutants: needs Python 3.12 or later, which tells executed lines")
    NOTES.mkdir(parents=True, exist_ok=True)
    options = ["-q", "-p", "no:cacheprovider", "-p", "fuzz.covering", "-n", "2"]
    options += ["-W", "ignore:Module already imported:pytest.PytestAssertRewriteWarning"]
    if pytest.main([*options, "--dist", "loadfile", *files]) in {0, 1}:
        for file in files:
            if read_note(file) is None:  # all its tests are left out
                write_note(file, {}, {})


class Covering:
    """What was noted."""

    def __init__(self) -> None:
        files = ["", *(file for path in TESTS for file in test_files(path))]
        self._notes = {file: read_note(file) or {"tests": {}, "lines": {}} for file in files}
        self._unnoted: dict[str, float] = {}
        self.seconds: dict[str, float] = {}
        for file, noted in self._notes.items():
            if file:
                self.seconds.update(noted["tests"])

    @property
    def files(self) -> list[str]:
        """The files of tests of which something is noted."""
        return [file for file, noted in self._notes.items() if file and noted["tests"]]

    def add(self, tests: Iterable[str]) -> None:
        """Count tests of which nothing is noted as executing all lines that they are nearest to."""
        self._unnoted = dict.fromkeys([x for x in tests if x not in self.seconds], _LIKELY)
        self.seconds |= self._unnoted

    def tests(self, path: str, line: int) -> set[str] | None:
        """Return the tests that execute a statement; None if importing the package does."""
        lines = statement((PACKAGE / path).read_text(encoding="utf-8"), line)
        found: set[str] = set()
        for noted in self._notes.values():
            there = noted["lines"].get(path, {})
            if numbers := {x for k in lines for x in there.get(str(k), ())}:
                names = list(noted["tests"])
                found.update(names[k] for k in numbers)
        return None if "" in found else found

    def in_order(self, tests: Set[str], nearest: Sequence[str], most: float) -> list[str]:
        """Return tests of so many seconds: those that execute a line, then some in nearest files.

        These too, as what is computed once for all is executed by one test only; but for a fifth
        of the time. Those in nearest files go first, then fast ones.
        """
        places = {file: place for place, file in enumerate(nearest)}
        near = {x for x in self.seconds if _file(x) in places}
        tests = tests | (near & self._unnoted.keys())
        order = sorted(
            tests,
            key=lambda x: (x not in near, self.seconds[x], places.get(_file(x), 0), x),
        )
        rest = sorted(near - tests, key=self.seconds.__getitem__)
        return [*self._first(order, most), *self._first(rest, most / 5)]

    def nearest(self, files: Sequence[str], name: str, most: float) -> list[str]:
        """Return tests of files, so many seconds; those named like what is tested go first."""
        near = [x for x in self.seconds if _file(x) in files]
        word = re.compile(rf"(?<![a-z]){name.strip('_')}(?![a-z])")
        near.sort(key=lambda x: (not word.search(x.partition("::")[2]), self.seconds[x]))
        return self._first(near, most)

    def _first(self, order: Sequence[str], most: float) -> list[str]:
        spent = itertools.accumulate(self.seconds[x] for x in order)
        return [x for x, y in zip(order, spent, strict=True) if y <= most or x is order[0]]


def statement(code: str, line: int) -> range:
    """Return the lines of the innermost statement around a line; of a compound one, its head."""
    found = range(line, line + 1)
    for node in ast.walk(ast.parse(code)):  # outer first
        if isinstance(node, ast.stmt) and node.lineno <= line <= (node.end_lineno or 0):
            body = getattr(node, "body", None)
            end = body[0].lineno - 1 if body else node.end_lineno
            found = range(node.lineno, max(node.lineno, end or 0) + 1)
    return found if line in found else range(line, line + 1)


def definition(code: str, line: int) -> str:
    """Return the name of the outermost definition around a line, decorators included."""
    for node in ast.parse(code).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            first = min(x.lineno for x in [node, *node.decorator_list])
            if first <= line <= (node.end_lineno or 0):
                return node.name
    return ""
