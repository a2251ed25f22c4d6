"""Print expressions of the table as NumPy code, which computes them on arrays."""

from __future__ import annotations

from typing import Any

from scalargrad.compiler.passes.partial import subexpressions
from scalargrad.ops import TABLE
from scalargrad.table.printing import Expression
from scalargrad.table.symbol import Symbol


def numpy_code(expression: Expression, names: dict[Symbol, str]) -> tuple[list[str], str]:
    """Return assignments that compute an expression on arrays, and the name of the result."""
    written: dict[Any, str] = dict(names)
    lines: list[str] = []
    for part in subexpressions(expression):
        if part not in written:
            written[part] = f"t{len(lines)}"
            lines.append(f"{written[part]} = {_operation(part, written)}")
    return lines, _name(expression, written)


def _operation(part: Symbol, names: dict[Any, str]) -> str:
    op = part.op
    operands = [_name(x, names) for x in part.operands]
    assert op is not None, f"unbound symbol {part.name}"
    if op.lazy:
        return _CHOICE.format(f"{operands[0]} != 0.0", *operands[1:])
    if op.comparison is not None:
        return _CHOICE.format(op.comparison.template.format(*operands), "1.0", "0.0")
    if op.python is not None:
        return op.python.template.format(*operands)
    assert op.lane is not None, f"{op.name} has no lane code"
    return op.lane.format(*operands)


_CHOICE = "np.where({0}, {1}, {2})"


def _name(x: Expression, names: dict[Any, str]) -> str:
    if isinstance(x, Symbol):
        return names[x]
    if x != x or x in {float("inf"), float("-inf")}:
        return {"nan": "np.nan", "inf": "np.inf", "-inf": "-np.inf"}[str(x)]
    return repr(x) if str(x)[0] != "-" else f"({x!r})"


def has_numpy_code(expression: Expression) -> bool:
    """Return whether all operations of an expression can be written in NumPy."""
    return all(x.op is None or _spelled(x.op) for x in subexpressions(expression))


def _spelled(op: Any) -> bool:
    known = op.lazy or op.comparison or op.python or op.lane
    return bool(known) and TABLE.get(op.name) is op
