"""Findings, in the terminal and as a table in a section of a Markdown file."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.measuring import in_units
from scalargrad.system.files import write_atomically

_MARK = {True: "yes", False: "NO", None: ""}
_HEADER = ("figure", "goal", "measured", "met")


class Finding(NamedTuple):
    """One row of the table; `met` is None where a figure has no goal."""

    what: str
    goal: str
    measured: str
    met: bool | None


def duration(what: str, seconds: float, at_most: float | None = None) -> Finding:
    """Return a time as a finding, with a goal if there is one."""
    if at_most is None:
        return Finding(what, "", in_units(seconds), None)
    return Finding(what, f"at most {in_units(at_most)}", in_units(seconds), seconds <= at_most)


def machine() -> str:
    """Return one line about the machine that measured: Python, system and, if known, processor."""
    known = Path("/proc/cpuinfo")
    processors = re.findall(r"model name\s*: (.*)", known.read_text()) if known.exists() else []
    python = f"{platform.python_implementation()} {platform.python_version()}"
    system = f"{platform.system()} {platform.machine()}"
    return ", ".join([python, system, *processors[:1], f"{os.cpu_count()} cores"])


def as_markdown(header: Sequence[str], rows: Iterable[Sequence[str]], remark: str) -> str:
    """Return cells as a Markdown table, and below it the machine and a remark."""
    lines = [header, ("---",) * len(header), *rows]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{table}\n\n{machine()}; {remark}.\n"


def of_findings(findings: Iterable[Finding], remark: str) -> str:
    """Print each finding when it is measured, and return the table of all."""
    rows = []
    for row in findings:
        mark = _MARK[row.met]
        goal = f" ({row.goal}: {mark})" if row.goal else ""
        print(f"{row.what}: {row.measured}{goal}", flush=True)
        rows.append((*row[:3], mark))
    return as_markdown(_HEADER, rows, remark)


def replace_section(path: Path, name: str, text: str) -> None:
    """Put `text` between the comments ``<!-- name -->`` and ``<!-- /name -->`` of a file.

    Raises
    ------
    ValueError
        If the file does not have both comments, in this order and once each.
    """
    before, opening, rest = path.read_text(encoding="utf-8").partition(f"<!-- {name} -->\n")
    _, closing, after = rest.partition(f"<!-- /{name} -->")
    if not closing or opening in rest:
        raise ValueError(
            f"{path}: <!-- {name} --> and <!-- /{name} -->, on lines of their own, mark the place "
            "of the table; add them, once each"
        )
    written = f"{before}{opening}\n{text.strip()}\n\n{closing}{after}"
    write_atomically(path, written.encode())
