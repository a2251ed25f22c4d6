"""A partial derivative as an operation of its own, and the expressions behind operations.

The expressions are those of the table, from which the code of eager evaluation is printed, too.
Backends print them as NumPy code (`numpy_runner`) and as machine instructions (`llvm.operations`).
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

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

    def __init__(self, op: Elementwise, index: int) -> None:
        self.op = op
        self.index = index
        self.name = f"{op.name}'{index if op.arity > 1 else ''}"
        self.declared = op.partial_expressions[index]
        self.expression = expand(self.declared, {})
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


def subexpressions(*expressions: Expression) -> Iterator[Symbol]:
    """Yield each part of one or more expressions once, operands before results."""
    seen: set[Symbol] = set()
    stack: list[tuple[Expression, bool]] = [(x, False) for x in reversed(expressions)]
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


@functools.lru_cache(maxsize=1024)
def expression_of(op: Elementwise | Partial) -> tuple[tuple[Symbol, ...], Expression]:
    """Return the symbols of the operands of an operation or a partial, and its expression."""
    if isinstance(op, Partial):
        return op.symbols, op.expression
    return op.operand_symbols, expand(op.value_expression, {})
