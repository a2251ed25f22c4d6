"""Note which tests are skipped: pytest -p skipped, where SKIPPED names the file to write.

A line for each test, or for each file that is skipped whole, as pytest takes them by @file: long
tests first, lest a worker ends with one alone, then those of pages, because browsers are started
anew after a file that needs none, and all file by file, because two workers report in turns.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

noted: dict[str, tuple[bool, bool, str]] = {}  # each once, with what it is sorted by


def pytest_collectreport(report: Any) -> None:
    """Note a file that is skipped as it is read."""
    note(report)


def pytest_runtest_logreport(report: Any) -> None:
    """Note a test that is skipped; those of workers are reported here as well."""
    note(report)


def note(report: Any) -> None:
    """Note what a report says is skipped."""
    if report.skipped:
        why, file = str(report.longrepr), report.nodeid.partition("::")[0]
        noted[report.nodeid] = "takes many seconds" not in why, "driven in" not in why, file


def pytest_sessionfinish(session: Any) -> None:
    """Write the lines, where the tests were shared out and not in a worker."""
    if not hasattr(session.config, "workerinput"):
        lines = [f"{x}\n" for x in sorted(noted, key=noted.__getitem__)]
        Path(os.environ["SKIPPED"]).write_text("".join(lines), encoding="utf-8")
