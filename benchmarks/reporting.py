"""Findings as a table, in the terminal and in a section of a Markdown file."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from scalargrad.system.files import write_atomically

_MARK = {True: "yes", False: "NO", None: ""}
_HEADER = ("figure", "goal", "measured", "met")


class Finding(NamedTuple):
    """One row of the table; `met` is None where a figure has no goal."""

    what: str
    goal: str
    measured: str
    met: bool | None


def _cells(finding: Finding) -> tuple[str, str, str, str]:
    return finding.what, finding.goal, finding.measured, _MARK[finding.met]


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


def as_table(rows: Sequence[Finding]) -> Table:
    """Return the findings as a table for the terminal."""
    table = Table(*_HEADER, title=machine())
    for row in rows:
        table.add_row(*_cells(row), style="red" if row.met is False else "")
    return table


def as_markdown(rows: Sequence[Finding], remark: str = "") -> str:
    """Return the findings as a Markdown table, and below it the machine and a remark."""
    lines = [_HEADER, ("---",) * len(_HEADER), *map(_cells, rows)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    return f"{table}\n\n{machine()}{f'; {remark}' if remark else ''}.\n"


def gathered(findings: Iterable[Finding]) -> list[Finding]:
    """Print each finding as it is made, then the table, and return all."""
    console = Console()
    rows: list[Finding] = []
    with console.status("measuring …"):
        for row in findings:
            console.print(f"{row.what}: {row.measured}", highlight=False)
            rows.append(row)
    console.print(as_table(rows))
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
