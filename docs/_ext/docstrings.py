"""Docstrings are plain text, read with help(): what would be markup to Sphinx is escaped."""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

_CODE_OR_MARK = re.compile(r"(``.+?``|`[^`]+`)|([|*\\]|(?<=^[A-Z])\.(?= ))")


def escaped(text: str) -> str:
    r"""Escape bars, asterisks, backslashes and initials outside code and examples.

    >>> escaped("|x| for `a|b`")
    '\\\\|x\\\\| for `a|b`'
    """
    lines, example = [], False
    for line in text.split("\n"):
        example = line.strip().startswith(">>>") or (example and bool(line.strip()))
        lines.append(line if example else _CODE_OR_MARK.sub(_escape, line))
    return "\n".join(lines)


def _escape(match: re.Match[str]) -> str:
    return match[1] or f"\\{match[2]}"


def process(
    _app: Sphinx, _kind: str, _name: str, _found: Any, _opts: Any, lines: list[str]
) -> None:
    """Escape a docstring before its sections are read."""
    lines[:] = escaped("\n".join(lines)).split("\n")


def setup(app: Sphinx) -> dict[str, bool]:
    """Come before napoleon, which reads the sections."""
    app.setup_extension("sphinx.ext.autodoc")
    app.connect("autodoc-process-docstring", process, priority=100)
    return {"parallel_read_safe": True}
