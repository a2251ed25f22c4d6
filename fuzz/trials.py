"""Mutants tried in forks of one process in which all tests are collected.

A fork exchanges the code of functions that are there already, so that nothing is imported again.
"""

from __future__ import annotations

import gc
import os
import resource
import signal
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from inspect import CO_OPTIMIZED
from itertools import pairwise
from types import CodeType, FunctionType
from typing import NoReturn

import pytest

from fuzz.covering import PACKAGE, functions, import_all

#: The processor seconds a test may take, besides twenty times those it took without a change.
PATIENCE = 10


class Trials:
    """A plugin of pytest that, instead of running the tests collected, calls `work`.

    Parameters
    ----------
    work : function of this
    seconds : dict from str to float
        How long each test takes.
    """

    def __init__(self, work: Callable[[Trials], None], seconds: dict[str, float]) -> None:
        self._work = work
        self._seconds = seconds
        self._items: dict[str, pytest.Item] = {}
        self._functions: dict[str, list[FunctionType]] = defaultdict(list)
        self._sound: set[str] = set()  # tests seen to pass without a change

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Note what there is, and work."""
        import_all()
        self._items = {item.nodeid: item for item in session.items}
        for x in functions():
            self._functions[x.__code__.co_filename].append(x)
        gc.freeze()  # forks share what they do not touch
        self._work(self)
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """End a fork at the first failure."""
        if report.failed:
            os._exit(1)

    @property
    def tests(self) -> list[str]:
        """All tests there are, by name."""
        return list(self._items)

    def killer(self, path: str, code: str, tests: Sequence[str]) -> str | None:
        """Return the first of the tests that fails after a change; None if all pass.

        Raises
        ------
        ValueError
            If the code differs in more than what functions do.
        """
        before = (PACKAGE / path).read_text(encoding="utf-8")
        changes = exchanged(path, before, code)
        left = [test for test in tests if test in self._items]
        while (test := self._first_failure(path, changes, left)) is not None:
            run = left[: left.index(test) + 1]
            if test in self._sound or self._first_failure(path, {}, run) is None:
                self._sound.update(run)
                return test
            left.remove(test)  # it fails in this order without a change, too
        return None

    def _first_failure(
        self, path: str, changes: dict[object, CodeType], tests: Sequence[str]
    ) -> str | None:
        """Run tests in a fork until one fails, takes too long or ends the process."""
        read, write = os.pipe()
        process = os.fork()
        if process == 0:
            self._run(path, changes, tests, write)
        os.close(write)
        with os.fdopen(read) as pipe:
            begun = pipe.read().splitlines()
        _, status = os.waitpid(process, 0)
        return begun[-1] if status else None

    def _run(
        self, path: str, changes: dict[object, CodeType], tests: Sequence[str], log: int
    ) -> NoReturn:
        """Run tests in this process and end it; write the name of each before it begins."""
        try:
            resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, 1)
            os.dup2(nothing, 2)
            for function in self._functions[str(PACKAGE / path)]:
                function.__code__ = changes.get(place(function.__code__), function.__code__)
            items = [self._items[test] for test in tests]
            for item, following in pairwise([*items, None]):
                assert item is not None
                os.write(log, f"{item.nodeid}\n".encode())
                limit = PATIENCE + int(20 * self._seconds.get(item.nodeid, 0.0))
                until = int(time.process_time()) + limit
                resource.setrlimit(resource.RLIMIT_CPU, (until, resource.RLIM_INFINITY))
                signal.alarm(30 * limit)  # for what waits for ever
                item.ihook.pytest_runtest_protocol(item=item, nextitem=following)
        except BaseException:  # noqa: BLE001 - pytest itself fails
            os._exit(1)
        os._exit(0)


def exchanged(path: str, before: str, after: str) -> dict[object, CodeType]:
    """Return the new code of all functions of a file, by the places of the old."""
    file = str(PACKAGE / path)
    pairs = [(compile(before, file, "exec"), compile(after, file, "exec"))]
    found: dict[object, CodeType] = {}
    while pairs:
        old, new = pairs.pop()
        same = _plain(old) == _plain(new)
        if len(old.co_freevars) != len(new.co_freevars) or not (same or _is_function(old)):
            raise ValueError(f"{old.co_qualname} cannot be exchanged")
        inner = ([x for x in y.co_consts if isinstance(x, CodeType)] for y in (old, new))
        pairs += zip(*inner, strict=True)
        found[place(old)] = new
    return found


def _is_function(code: CodeType) -> bool:
    return bool(code.co_flags & CO_OPTIMIZED)


def _plain(code: CodeType) -> list[object]:
    """Return what code does, apart from that of functions in it."""
    numbers = [repr(x) for x in code.co_consts if not isinstance(x, CodeType)]
    return [code.co_code, code.co_names, numbers]


def place(code: CodeType) -> object:
    """Return what tells functions of a file apart, those of one line too."""
    # From 3.12 on, all that returns a number may stand at the whole line.
    numbers = tuple(repr(x) for x in code.co_consts if not isinstance(x, CodeType))
    return code.co_qualname, tuple(code.co_positions()), numbers
