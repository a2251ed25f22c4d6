"""Symbols: placeholders for numbers, with which an operation is traced once.

Calling the table's functions on symbols instead of numbers leaves an expression behind;
every other form of the operation (float code, step text, MathML) is printed from it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from scalargrad.table.declaration import TABLE, Operation

__all__ = ["TABLE", "Symbol", "evaluate"]

N = TypeVar("N")


def _symbolic(name: str, *operands: Symbol | float) -> Symbol:
    """Record the operation of that name."""
    return Symbol()._apply(TABLE[name], operands)


def _operator(name: str) -> Callable[[Symbol, Symbol | float], Symbol]:
    return lambda x, other: _symbolic(name, x, other)


def _reflected(name: str) -> Callable[[Symbol, float], Symbol]:
    return lambda x, other: _symbolic(name, other, x)


def _sign(name: str) -> Callable[[Symbol], Symbol]:
    return lambda x: _symbolic(name, x)


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

    __add__, __radd__ = _operator("add"), _reflected("add")
    __sub__, __rsub__ = _operator("sub"), _reflected("sub")
    __mul__, __rmul__ = _operator("mul"), _reflected("mul")
    __truediv__, __rtruediv__ = _operator("div"), _reflected("div")
    __pow__, __rpow__ = _operator("pow"), _reflected("pow")
    __floordiv__, __rfloordiv__ = _operator("floor_divide"), _reflected("floor_divide")
    __mod__, __rmod__ = _operator("remainder"), _reflected("remainder")
    __neg__, __abs__ = _sign("neg"), _sign("abs")
    __lt__, __le__ = _operator("lt"), _operator("le")
    __gt__, __ge__ = _operator("gt"), _operator("ge")

    def __eq__(self, other: object) -> Any:
        return _symbolic("eq", self, other) if isinstance(other, float | int) else self is other

    def __ne__(self, other: object) -> Any:
        return _symbolic("ne", self, other) if isinstance(other, float | int) else self is not other

    __hash__ = object.__hash__


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
