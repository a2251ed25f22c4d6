"""Operations on arrays: NumPy code for expressions of the table, and partials as operations.

Both come from the expressions in the table, from which the code of eager evaluation is printed too.
`backend.llvm.operations` prints the same expressions as machine instructions.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

from scalargrad.ops import TABLE
from scalargrad.table.code import expand
from scalargrad.table.operation import Elementwise
from scalargrad.table.printing import Expression
from scalargrad.table.symbol import Symbol, evaluate


class Partial:
    """A partial derivative of an operation, as an operation of its own.

    Attributes
    ----------
    op : Elementwise
        The operation.
    index : int
        The operand with respect to which it is differentiated.
    uses : tuple of int
        What it is computed from: 0 stands for the result of the operation, 1 for its first
        operand, and so on.
    declared, expression : Symbol or float
        The partial as the table declares it, and with composite operations expanded. The former
        is differentiated again, since composite operations declare partials of their own.
    """

    lazy = False

    def __init__(self, op: Elementwise, index: int) -> None:
        self.op = op
        self.index = index
        self.name = f"{op.name}'{index if op.arity > 1 else ''}"
        self.declared = op.partial_expressions[index]
        self.expression = merged(self.declared)
        symbols = (op.result_symbol, *op.operand_symbols)
        found = {x for x in subexpressions(self.expression) if x.op is None}
        self.uses = tuple(i for i, symbol in enumerate(symbols) if symbol in found)
        self.symbols = tuple(symbols[i] for i in self.uses)

    def of_floats_unchecked(self, *operands: float) -> float:
        """Return the partial at a point."""
        bindings: dict[Symbol, Any] = dict(zip(self.symbols, operands, strict=True))
        return float(evaluate(self.expression, bindings))

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return partial, (self.op, self.index)


@functools.cache
def partial(op: Elementwise, index: int) -> Partial:
    """Return the partial of `op` with respect to operand `index`, always the same object."""
    return Partial(op, index)


def merged(expression: Expression) -> Expression:
    """Return an expression with composite operations expanded and equal parts shared."""
    return expand(expression, {})


def subexpressions(expression: Expression) -> Iterator[Symbol]:
    """Yield each part of an expression once, operands before results."""
    seen: set[Symbol] = set()
    stack: list[tuple[Expression, bool]] = [(expression, False)]
    while stack:
        part, ready = stack.pop()
        if not isinstance(part, Symbol) or (part in seen and not ready):
            continue
        if ready:
            yield part
            continue
        seen.add(part)
        stack.append((part, True))
        stack += [(x, False) for x in reversed(part.operands)]


def lane_code(expression: Expression, names: dict[Symbol, str]) -> tuple[list[str], str]:
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


def has_lanes(expression: Expression) -> bool:
    """Return whether all operations of an expression can be written in NumPy."""
    return all(x.op is None or _spelled(x.op) for x in subexpressions(expression))


def _spelled(op: Any) -> bool:
    known = op.lazy or op.comparison or op.python or op.lane
    return bool(known) and TABLE.get(op.name) is op


def expression_of(op: Elementwise | Partial) -> tuple[tuple[Symbol, ...], Expression]:
    """Return the symbols of the operands of an operation or a partial, and its expression."""
    if isinstance(op, Partial):
        return op.symbols, op.expression
    return op.operand_symbols, merged(op.value_expression)
