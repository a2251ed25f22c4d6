"""The answers of Python to the playground's worker: the step page of a formula or of a program."""

from __future__ import annotations

import json
import re
import traceback
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import Any

from pyodide.code import eval_code

from scalargrad import Value, ops, walk
from scalargrad.errors import ScalargradError
from scalargrad.expression import parse_assigned
from scalargrad.puzzles import Verdict
from scalargrad.show.graphs import layout
from scalargrad.show.steps import Walk

_NAME = r"\b[^\W\d]\w*\b"
_PROGRAM = "your program"


def use(lay_out: Callable[[str, str], str]) -> None:
    """Let graphs be laid out by this function of DOT and a format."""
    layout.in_process = lay_out


def answer(kind: str, text: str, given: Sequence[str]) -> str:
    """Return as JSON the page of what was typed, or its error in words; and what was printed."""
    printed = StringIO()
    found: dict[str, Any] = {"inputs": list(given), "notes": []}
    try:
        with redirect_stdout(printed), redirect_stderr(printed):
            if kind == "py":
                steps, found["verdict"] = _walk_of_program(text)
            else:
                found["inputs"], found["notes"] = _completed(text, given)
                root = parse_assigned(text, found["inputs"])
                root.label = root.label or "f"
                steps = walk(root)
            found["page"] = steps.save("page.html").read_text(encoding="utf-8")
    except BaseException as error:  # noqa: BLE001 - a program may raise anything, SystemExit too
        found["error"] = _told(error)
    return json.dumps(found | {"printed": printed.getvalue()})


def _completed(text: str, given: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return an input for each name that a formula reads, and what was changed, in words.

    What is given for no name is left out, so that a formula can be typed over another.
    """
    text = re.sub("#.*", "", text)
    assigned = re.findall(rf"({_NAME})\s*=(?!=)", text)
    read = dict.fromkeys(re.findall(rf"{_NAME}(?!\s*\()", text))
    names = [name for name in read if name not in {*ops.TABLE, "e", "pi", *assigned}]
    stems = {name: name.rstrip("0123456789") for name in names}  # w0 may be an entry of w=2,-3
    kept = [x for x in given if "=" not in x or _name(x) in {*names, *stems.values()}]
    unused = [_name(x) for x in given if x not in kept]
    known, vectors = [_name(x) for x in kept], [_name(x) for x in kept if "," in x]
    missing = [x for x in names if x not in known and stems[x] not in vectors]
    added = [f"{name}={(i + 1) / 2:g}" for i, name in enumerate(missing)]
    notes = []
    if unused:
        notes.append(f"not in the formula, left out: {', '.join(unused)}")
    if added:
        notes.append(f"no value given, begun at: {', '.join(added)}")
    return sorted([*kept, *added], key=lambda x: [*read, _name(x)].index(_name(x))), notes


def _name(given: str) -> str:
    return given.partition("=")[0].strip()


def _walk_of_program(code: str) -> tuple[Walk, dict[str, Any] | None]:
    """Run a program; return the walk through its last line's result, and a puzzle's verdict."""
    result = eval_code(
        code, {"__name__": "__main__"}, return_mode="last_expr_or_assign", filename=_PROGRAM
    )
    if isinstance(result, Walk):
        return result, None
    if isinstance(result, Verdict):
        return walk(result.graph), {"right": result.right, "text": result.text}
    if not isinstance(result, Value):
        raise ScalargradError(
            f"the last line gives no Value, but {type(result).__name__}: end with the name of what "
            "is to be stepped through, such as loss"
        )
    return walk(result), None


def _told(error: BaseException) -> str:
    """Return what is said of an error, with the program's line where it is of one."""
    lines = [x.lineno for x in traceback.extract_tb(error.__traceback__) if x.filename == _PROGRAM]
    if isinstance(error, SyntaxError):
        lines = [error.lineno]
    place = f"line {lines[-1]}: " if lines else ""
    kind = "" if isinstance(error, ScalargradError) else f"{type(error).__name__}: "
    return f"{place}{kind}{error.msg if isinstance(error, SyntaxError) else error}"
