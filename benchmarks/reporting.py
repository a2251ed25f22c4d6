"""Findings, in the terminal and as a table in a section of a Markdown file."""

from __future__ import annotations

import os
import platform
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
    """Say in one line where the figures were taken."""
    return (
        f"{platform.python_implementation()} {platform.python_version()}, {platform.system()} "
        f"{platform.machine()}, {_processor()}{os.cpu_count()} cores"
    )


def _processor() -> str:
    """Return the processor's name and a comma where the system tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    found = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{found[0]}, " if found else ""


def as_markdown(rows: Sequence[Finding], remark: str) -> str:
    """Return the findings as a Markdown table, and below it the machine and a remark."""
    lines = [_HEADER, ("---",) * len(_HEADER), *((*row[:3], _MARK[row.met]) for row in rows)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{table}\n\n{machine()}; {remark}.\n"


def gathered(findings: Iterable[Finding]) -> list[Finding]:
    """Print each finding as it is made, and return all."""
    rows = []
    for row in findings:
        goal = f" ({row.goal}: {_MARK[row.met]})" if row.goal else ""
        print(f"{row.what}: {row.measured}{goal}", flush=True)
        rows.append(row)
    return rows


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
            f"{path}: <!-- {name} --> and <!-- /{name} -->, on lines of their own, say where the "
            "table goes; add them, once each"
        )
    written = f"{before}{opening}\n{text.strip()}\n\n{closing}{after}"
    write_atomically(path, written.encode())
