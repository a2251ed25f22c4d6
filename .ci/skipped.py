"""Note which tests are skipped: pytest -p skipped, where SKIPPED names the file to write.

A line for each test, or for each file that is skipped whole, as pytest takes them by @file.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

noted: dict[str, None] = {}  # in order, each once


def pytest_collectreport(report: Any) -> None:
    """Note a file that is skipped as it is read."""
    if report.skipped:
        noted[report.nodeid] = None


def pytest_runtest_logreport(report: Any) -> None:
    """Note a test that is skipped; those of workers are reported here as well."""
    if report.skipped:
        noted[report.nodeid] = None


def pytest_sessionfinish(session: Any) -> None:
    """Write the lines, where the tests were shared out and not in a worker."""
    if not hasattr(session.config, "workerinput"):
        Path(os.environ["SKIPPED"]).write_text("".join(f"{x}\n" for x in noted), encoding="utf-8")
