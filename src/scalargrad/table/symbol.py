"""Symbols: placeholders for numbers, to trace an operation once.

Calling the table's functions on symbols instead of numbers leaves an expression behind;
every other form of the operation (float code, step text, MathML) is printed from it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from scalargrad.errors import OperandError
from scalargrad.grad_mode import recorder
from scalargrad.table.declaration import TABLE, Operation

__all__ = ["TABLE", "NodeInFormulaError", "Symbol", "evaluate"]


class NodeInFormulaError(OperandError):
    """A formula of symbols computes with a Value of the function that is being compiled."""

    def __init__(self) -> None:
        super().__init__(
            "a formula computes with a Value that is not among its arguments: give it as one"
        )


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
        exact = tuple(x if isinstance(x, Symbol) else _number(x) for x in operands)
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


def _number(x: Any) -> float:
    """Return a number in a formula as a float."""
    if recorder() is not None and hasattr(x, "_apply"):
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
    """Compute `expression` from what is known of its symbols: its parts first, without recursion.

    A lazy operation (``where``) evaluates its condition first and then only the arm chosen,
    so an arm outside its domain is never touched.

    Parameters
    ----------
    expression : Symbol or float
        What to compute.
    known : dict from Symbol
        What each named symbol stands for; others stand for themselves. Results are kept in it, so a
        shared part is computed once.
    apply : function of an Operation and its operands
        Computes a part; by default the operation does, without checks.
    decide : function of a condition, or None
        Says which arm is chosen; with None, all are computed.
    """

    def is_ahead(part: Symbol | float) -> bool:
        return isinstance(part, Symbol) and part.op is not None and part not in known

    def value(part: Symbol | float) -> Any:
        return known.get(part, part) if isinstance(part, Symbol) else part

    stack: list[Any] = [expression]
    while stack:
        part = stack[-1]
        if not is_ahead(part):
            stack.pop()
            continue
        needed, chosen = part.operands, None
        if part.op.lazy and decide is not None:
            condition, *arms = needed
            chosen = condition if is_ahead(condition) else arms[not decide(value(condition))]
            needed = (chosen,)
        if missing := [x for x in needed if is_ahead(x)]:
            stack += missing
        else:
            found = [*map(value, needed)]
            known[part] = apply(part.op, found) if chosen is None else found[0]
    return value(expression)
