"""Fail where a test is skipped that should not be: pytest -p skipped, MAY_SKIP=people.

The variable names the markers of tests that may be skipped; another run has what they need.
"""

from __future__ import annotations

import os
from typing import Any

MAY_SKIP = set(os.environ.get("MAY_SKIP", "").split(","))
noted: set[str] = set()


def note(report: Any) -> None:
    """Note what a report says is skipped, but for what may be."""
    if report.skipped and MAY_SKIP.isdisjoint(report.keywords):
        noted.add(f"{report.nodeid}: {report.longrepr}")


pytest_collectreport = pytest_runtest_logreport = note  # those of workers are reported here as well


def pytest_sessionfinish(session: Any) -> None:
    """Name what was skipped, and fail; where the tests were shared out and not in a worker."""
    if noted and not hasattr(session.config, "workerinput"):
        print("\nskipped, and may not be:", *sorted(noted), sep="\n  ")
        session.exitstatus = 1
