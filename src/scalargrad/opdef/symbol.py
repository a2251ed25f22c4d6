"""Symbols: placeholders for numbers, with which an operation is traced once.

A function called with symbols instead of numbers returns an expression. All other forms of the
operation, such as Python code, step text and MathML, are generated from it:

>>> x, y = Symbol("x"), Symbol("y")
>>> (x + y) * 2.0
mul(add(x, y), 2.0)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from scalargrad.engine.recorder import is_traced
from scalargrad.errors import OperandError
from scalargrad.opdef.declaration import TABLE, Operation

__all__ = ["TABLE", "NodeInFormulaError", "Symbol", "evaluate"]


class NodeInFormulaError(OperandError):
    """An expression of symbols contains a Value of the function that is being traced."""

    def __init__(self) -> None:
        super().__init__(
            "a formula uses a Value that is not one of its arguments: pass it as an argument"
        )


def _symbolic(name: str, *operands: Symbol | float) -> Symbol:
    """Return an expression: the operation of that name, applied to operands."""
    return Symbol()._apply(TABLE[name], operands)


def _operator(name: str) -> Callable[[Symbol, Symbol | float], Symbol]:
    return lambda x, other: _symbolic(name, x, other)


def _reflected(name: str) -> Callable[[Symbol, float], Symbol]:
    return lambda x, other: _symbolic(name, other, x)


def _sign(name: str) -> Callable[[Symbol], Symbol]:
    return lambda x: _symbolic(name, x)


class Symbol:
    """Placeholder for a number: a named operand, or an operation applied to operands."""

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
        exact = tuple(x if isinstance(x, Symbol) else _constant(x) for x in operands)
        return Symbol(op=op, operands=exact)

    def __repr__(self) -> str:
        if self.op is None:
            return self.name
        return f"{self.op.name}({', '.join(map(repr, self.operands))})"

    def __bool__(self) -> bool:
        raise TypeError("a symbol has no truth value: use where(condition, a, b)")

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


def _constant(x: Any) -> float:
    """Return a number of an expression as a float."""
    if is_traced(x):
        raise NodeInFormulaError
    return float(x)


def _of(op: Operation, operands: Sequence[Any]) -> Any:
    return op.of(*operands, checked=False)


def evaluate(
    expression: Symbol | float,
    known: dict[Symbol, Any],
    apply: Callable[[Operation, Sequence[Any]], Any] = _of,
    decide: Callable[[Any], Any] | None = bool,
) -> Any:
    """Evaluate `expression` for given values of its symbols, without recursion.

    For a lazy operation (``where``), the condition is evaluated first, and then only the selected
    operand, so that an operand outside its domain is not evaluated.

    Parameters
    ----------
    expression : Symbol or float
        The expression.
    known : dict from Symbol
        Values of named symbols; other symbols are left unchanged. Results of subexpressions are
        added to it, so that a shared one is evaluated once.
    apply : function of an Operation and its operands
        Evaluates an operation; by default `Operation.of`, without checks of the domain.
    decide : function of a condition, or None
        Returns True if the first operand is selected; with None, both are evaluated.
    """

    def is_pending(part: Symbol | float) -> bool:
        return isinstance(part, Symbol) and part.op is not None and part not in known

    def value(part: Symbol | float) -> Any:
        return known.get(part, part) if isinstance(part, Symbol) else part

    stack: list[Any] = [expression]
    while stack:
        part = stack[-1]
        if not is_pending(part):
            stack.pop()
            continue
        needed, chosen = part.operands, None
        if part.op.lazy and decide is not None:
            condition, *arms = needed
            chosen = condition if is_pending(condition) else arms[not decide(value(condition))]
            needed = (chosen,)
        if missing := [x for x in needed if is_pending(x)]:
            stack += missing
        else:
            operands = [*map(value, needed)]
            known[part] = apply(part.op, operands) if chosen is None else operands[0]
    return value(expression)
