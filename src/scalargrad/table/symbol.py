"""Symbols: placeholders for numbers, with which an operation is traced once.

Calling the table's functions on symbols instead of numbers leaves an expression behind;
every other form of the operation (float code, step text, MathML) is printed from it.
"""

from __future__ import annotations

from typing import Any, TypeVar

from scalargrad.table.declaration import TABLE, Operation

__all__ = ["TABLE", "Symbol", "evaluate"]

N = TypeVar("N")


class Symbol:
    """A number yet to be known: a named operand, or an operation applied to operands."""

    __slots__ = ("name", "op", "operands")

    def __init__(
        self,
        name: str = "",
        op: Operation | None = None,
        operands: tuple[Symbol | float, ...] = (),
    ) -> None:
        self.name = name
        self.op = op
        self.operands = operands

    def _apply(self, op: Operation, operands: tuple[Any, ...], _checked: bool = True, /) -> Symbol:
        exact = tuple(x if isinstance(x, Symbol) else float(x) for x in operands)
        return Symbol(op=op, operands=exact)

    def __repr__(self) -> str:
        if self.op is None:
            return self.name
        return f"{self.op.name}({', '.join(map(repr, self.operands))})"

    def __bool__(self) -> bool:
        raise TypeError("a symbol has no truth value yet: use where(condition, a, b)")

    def __add__(self, other: Symbol | float) -> Symbol:
        return _symbolic("add", self, other)

    def __radd__(self, other: float) -> Symbol:
        return _symbolic("add", other, self)

    def __sub__(self, other: Symbol | float) -> Symbol:
        return _symbolic("sub", self, other)

    def __rsub__(self, other: float) -> Symbol:
        return _symbolic("sub", other, self)

    def __mul__(self, other: Symbol | float) -> Symbol:
        return _symbolic("mul", self, other)

    def __rmul__(self, other: float) -> Symbol:
        return _symbolic("mul", other, self)

    def __truediv__(self, other: Symbol | float) -> Symbol:
        return _symbolic("div", self, other)

    def __rtruediv__(self, other: float) -> Symbol:
        return _symbolic("div", other, self)

    def __pow__(self, other: Symbol | float) -> Symbol:
        return _symbolic("pow", self, other)

    def __rpow__(self, other: float) -> Symbol:
        return _symbolic("pow", other, self)

    def __floordiv__(self, other: Symbol | float) -> Symbol:
        return _symbolic("floor_divide", self, other)

    def __rfloordiv__(self, other: float) -> Symbol:
        return _symbolic("floor_divide", other, self)

    def __mod__(self, other: Symbol | float) -> Symbol:
        return _symbolic("remainder", self, other)

    def __rmod__(self, other: float) -> Symbol:
        return _symbolic("remainder", other, self)

    def __neg__(self) -> Symbol:
        return _symbolic("neg", self)

    def __abs__(self) -> Symbol:
        return _symbolic("abs", self)

    def __lt__(self, other: Symbol | float) -> Symbol:
        return _symbolic("lt", self, other)

    def __le__(self, other: Symbol | float) -> Symbol:
        return _symbolic("le", self, other)

    def __gt__(self, other: Symbol | float) -> Symbol:
        return _symbolic("gt", self, other)

    def __ge__(self, other: Symbol | float) -> Symbol:
        return _symbolic("ge", self, other)

    def __eq__(self, other: object) -> Any:
        return _symbolic("eq", self, other) if isinstance(other, float | int) else self is other

    def __ne__(self, other: object) -> Any:
        return _symbolic("ne", self, other) if isinstance(other, float | int) else self is not other

    __hash__ = object.__hash__


def _symbolic(name: str, *operands: Symbol | float) -> Symbol:
    """Record the operation of that name."""
    return Symbol()._apply(TABLE[name], operands)


def evaluate(expression: Symbol | float, bindings: dict[Symbol, N | float]) -> N | float:
    """Compute `expression` with its named symbols bound to floats or nodes, without checks.

    A lazy operation (``where``) evaluates its condition first and then only the arm chosen,
    so an arm outside its domain is never touched. Results are kept in `bindings`, so a shared
    subexpression is computed once.
    """
    if not isinstance(expression, Symbol):
        return expression
    if expression in bindings:
        return bindings[expression]
    op, operands = expression.op, expression.operands
    assert op is not None, f"unbound symbol {expression.name}"
    result: N | float
    if op.lazy:
        condition = evaluate(operands[0], bindings)
        result = evaluate(operands[1] if condition else operands[2], bindings)
    else:
        result = op.of(*(evaluate(x, bindings) for x in operands), checked=False)
    bindings[expression] = result
    return result
