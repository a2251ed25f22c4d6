"""The message of a DomainError: the operands, what the operation needs, and a remedy to paste."""

from __future__ import annotations

import re
from collections.abc import Sequence
from keyword import iskeyword
from typing import Any

from scalargrad.table.code import number_code
from scalargrad.table.declaration import (
    ATOM,
    POWER,
    PRODUCT,
    SIGN,
    Notation,
    Operation,
    call,
    infix,
)
from scalargrad.table.printing import Fragment, number_text, parenthesise
from scalargrad.table.symbol import TABLE, Symbol, evaluate

#: The notation in messages, where the printer's is another since its code must not raise. Between
#: two Values == and != go by identity, so equality is written as a call.
_WRITTEN = {
    "div": infix("/", PRODUCT),
    "pow": Notation("{0} ** {1}", POWER, (ATOM, SIGN)),
    "eq": call("eq", 2),
    "ne": call("ne", 2),
}
#: Replacements for operations that take a further operand elsewhere, such as math.log(x, base).
_WITH_ANOTHER = {"log": "log(x) / log(base)", "softplus": "softplus(beta * x) / beta"}
#: The code of a condition x != y, a call; messages write the operator.
_NE = re.compile(r"^ne\((\w+), (\w+)\)$")


def another_operand(op: Operation) -> str:
    """Return advice on an operation that takes a further operand elsewhere; "" on any other."""
    written = _WITH_ANOTHER.get(op.name)
    return f", or {written}" if written else ""


def domain_message(
    op: Operation, symbols: Sequence[Symbol], operands: Sequence[Any], data: Sequence[float]
) -> str:
    """Name the operation, its operands and a remedy that works when pasted."""
    domain = op.domain
    assert domain.valid is not None
    names = _names(symbols, operands)
    shown = ", ".join(
        f"{names[s]} = {number_text(value, 6)}{_origin(x, names[s])}"
        for s, x, value in zip(symbols, operands, data, strict=True)
    )
    needs = domain.needs or _NE.sub(r"\1 != \2", _code(domain.valid(*symbols), names))
    guarded = {symbols[domain.guard]: (domain.remedy or domain.valid)(*symbols)}
    conditions = {s: domain.each(s) for s in symbols} if domain.each else guarded
    safe = _number(domain.safe)[0]
    guards = {s: f"where({_code(c, names)}, {names[s]}, {safe})" for s, c in conditions.items()}
    written = Symbol("", op, tuple(symbols))
    return (
        f"{_code(written, names)} is undefined at {shown}: it needs {needs}. To leave such "
        "points out, guard the operand, not the result: "
        f"{_code(written, {**names, **guards})}"
    )


def _names(symbols: Sequence[Symbol], operands: Sequence[Any]) -> dict[Symbol, str]:
    """Call operands by their labels, where these can stand in code and tell them apart."""
    labels = [getattr(x, "label", "") for x in operands]
    names = [
        label if label.isidentifier() and not iskeyword(label) and label not in TABLE else s.name
        for s, label in zip(symbols, labels, strict=True)
    ]
    if len(set(names)) < len(names):
        names = [s.name for s in symbols]
    return dict(zip(symbols, names, strict=True))


def _origin(operand: Any, name: str) -> str:
    """Return the label or the operation of an operand, in words, where `name` is not its label."""
    label = getattr(operand, "label", "")
    if label:
        return "" if label == name else f" (labelled {label!r})"
    op = getattr(operand, "op", None)
    return "" if op is None else f" (computed by {op.name})"


def _number(value: float) -> Fragment:
    written, precedence = number_code(value)
    return written.removesuffix(".0"), precedence


def _code(expression: Symbol, names: dict[Symbol, str]) -> str:
    """Write an expression as Python a person can paste."""
    known = {symbol: (name, ATOM) for symbol, name in names.items()}
    text: str = evaluate(expression, known, _applied, decide=None)[0]
    return text


def _applied(op: Operation, operands: Sequence[Fragment | float]) -> Fragment:
    written = _WRITTEN.get(op.name) if TABLE.get(op.name) is op else None
    notation = written or op.comparison or op.python or call(op.name, len(operands))
    parts = [
        parenthesise(_number(x) if isinstance(x, float) else x, notation.demand(i))
        for i, x in enumerate(operands)
    ]
    return notation.template.format(*parts), notation.precedence
