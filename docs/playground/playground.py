"""The Python side of the playground: the step page of a formula or of a program, as JSON.

`answer` returns the page and the printed output, or an error::

    {"inputs": ["x=-2"], "notes": [], "page": "<!doctype html>…", "printed": ""}
"""

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

_NAME_PATTERN = r"\b[^\W\d]\w*\b"
_PROGRAM_FILE = "your program"


def set_layout_function(lay_out: Callable[[str, str], str]) -> None:
    """Set the function that computes layouts, from DOT and an output format."""
    layout.in_process = lay_out


def answer(kind: str, text: str, given: Sequence[str]) -> str:
    """Return the page of a formula (`kind` "f") or program ("py") as JSON, or its error."""
    printed = StringIO()
    reply: dict[str, Any] = {"inputs": list(given), "notes": []}
    try:
        with redirect_stdout(printed), redirect_stderr(printed):
            if kind == "py":
                steps, reply["verdict"] = _walk_of_program(text)
            else:
                reply["inputs"], reply["notes"] = _complete_inputs(text, given)
                root = parse_assigned(text, reply["inputs"])
                root.label = root.label or "f"
                steps = walk(root)
            reply["page"] = steps.save("page.html").read_text(encoding="utf-8")
    except BaseException as error:  # noqa: BLE001 - a program may raise anything, also SystemExit
        reply["error"] = _format_error(error)
    return json.dumps(reply | {"printed": printed.getvalue()})


def _complete_inputs(text: str, given: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return an input for each name in a formula, and notes on the changes.

    Inputs of other names are dropped, so that a new formula can replace an old one.
    """
    text = re.sub("#.*", "", text)
    assigned = re.findall(rf"({_NAME_PATTERN})\s*=(?!=)", text)
    read = dict.fromkeys(re.findall(rf"{_NAME_PATTERN}(?!\s*\()", text))
    names = [name for name in read if name not in {*ops.TABLE, "e", "pi", *assigned}]
    stems = {name: name.rstrip("0123456789") for name in names}  # w0 may be an entry of w=2,-3
    kept = [x for x in given if "=" not in x or _name_of(x) in {*names, *stems.values()}]
    unused = [_name_of(x) for x in given if x not in kept]
    known, vectors = [_name_of(x) for x in kept], [_name_of(x) for x in kept if "," in x]
    missing = [x for x in names if x not in known and stems[x] not in vectors]
    added = [f"{name}={(i + 1) / 2:g}" for i, name in enumerate(missing)]
    notes = []
    if unused:
        notes.append(f"not in the formula, dropped: {', '.join(unused)}")
    if added:
        notes.append(f"without a value, set to: {', '.join(added)}")
    return sorted([*kept, *added], key=lambda x: [*read, _name_of(x)].index(_name_of(x))), notes


def _name_of(given: str) -> str:
    return given.partition("=")[0].strip()


def _walk_of_program(code: str) -> tuple[Walk, dict[str, Any] | None]:
    """Run a program; return the walk through the result of its last line, and a verdict."""
    result = eval_code(
        code, {"__name__": "__main__"}, return_mode="last_expr_or_assign", filename=_PROGRAM_FILE
    )
    if isinstance(result, Walk):
        return result, None
    if isinstance(result, Verdict):
        return walk(result.graph), {"right": result.right, "text": result.text}
    if not isinstance(result, Value):
        raise ScalargradError(
            f"the last line is of type {type(result).__name__}, not a Value: end with the name of "
            "the Value to step through, such as loss"
        )
    return walk(result), None


def _format_error(error: BaseException) -> str:
    """Return the message of an error, with the line of the program if it has one."""
    lines = [
        x.lineno for x in traceback.extract_tb(error.__traceback__) if x.filename == _PROGRAM_FILE
    ]
    if isinstance(error, SyntaxError):
        lines = [error.lineno]
    place = f"line {lines[-1]}: " if lines else ""
    kind = "" if isinstance(error, ScalargradError) else f"{type(error).__name__}: "
    return f"{place}{kind}{error.msg if isinstance(error, SyntaxError) else error}"
