"""Mutants that no test can kill because they compute the same results, each with its reason."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_TABLE = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
#: The reason by file, line before and line after.
EQUIVALENT: dict[tuple[str, str, str], str] = {
    (x["path"], x["old"], x["new"]): x["reason"] for x in _TABLE["equivalent"]
}


def equivalence_reason(path: str, before: str, after: str, lines: tuple[str, str]) -> str | None:
    """Return why a changed file computes the same results; None if no reason is known."""
    if (path, *lines) in EQUIVALENT:
        return EQUIVALENT[path, *lines]
    with suppress(SyntaxError):
        if ast.dump(ast.parse(before)) == ast.dump(ast.parse(after)):
            return "another spelling of the same number"
    pairs = enumerate(zip(before, after, strict=False))
    around = list(_enclosing_nodes(before, next((k for k, (x, y) in pairs if x != y), len(after))))
    for node, inner in zip(around, [*around[1:], None], strict=True):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Domain":
            if inner in node.args:
                return "where tests draw operands from"
            if isinstance(inner, ast.keyword) and inner.arg == "smooth":
                return "where tests do not compare with difference quotients"
        if isinstance(node, ast.FunctionDef) and any(
            getattr(decorator, "id", "") == "overload" for decorator in node.decorator_list
        ):
            return "a signature for type checkers, which is never called"
    return None


def _enclosing_nodes(code: str, position: int) -> Iterator[ast.AST]:
    """Yield the nodes that contain a position of a text, from the outermost to the innermost."""
    line = code.count("\n", 0, position) + 1
    column = len(code[code.rfind("\n", 0, position) + 1 : position].encode())
    for node in ast.walk(ast.parse(code)):
        if isinstance(node, ast.expr | ast.stmt | ast.keyword):
            start, end = (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)
            if start <= (line, column) < end:
                yield node
