"""The message of a DomainError: the operands, the requirement, and a remedy to copy."""

from __future__ import annotations

import re
from collections.abc import Sequence
from keyword import iskeyword
from typing import Any

from scalargrad.codegen.code_printer import number_code
from scalargrad.codegen.formulas import Fragment, number_text, parenthesise
from scalargrad.opdef.declaration import (
    ATOM,
    POWER,
    PRODUCT,
    SIGN,
    Notation,
    Operation,
    call,
    infix,
)
from scalargrad.opdef.symbol import TABLE, Symbol, evaluate

#: Notations in messages that differ from those of generated code, which must not raise. Equality is
#: a call here, because == and != compare the identity of two Values.
_NOTATIONS = {
    "div": infix("/", PRODUCT),
    "pow": Notation("{0} ** {1}", POWER, (ATOM, SIGN)),
    "eq": call("eq", 2),
    "ne": call("ne", 2),
}
#: Replacements for calls that have one more operand in other libraries, as math.log(x, base).
_WITH_ANOTHER_OPERAND = {"log": "log(x) / log(base)", "softplus": "softplus(beta * x) / beta"}
#: Pattern of the code of a condition x != y, a call, which messages replace by the operator.
_NE = re.compile(r"^ne\((\w+), (\w+)\)$")


def another_operand(op: Operation) -> str:
    """Return the replacement for a call that has one more operand in other libraries, or ""."""
    replacement = _WITH_ANOTHER_OPERAND.get(op.name)
    return f", or {replacement}" if replacement else ""


def domain_message(
    op: Operation, symbols: Sequence[Symbol], operands: Sequence[Any], data: Sequence[float]
) -> str:
    """Return the message, with the operation, its operands and a remedy that works when copied."""
    domain = op.domain
    assert domain.valid is not None
    names = _operand_names(symbols, operands)
    point = ", ".join(
        f"{names[s]} = {number_text(value, 6)}{_origin(x, names[s])}"
        for s, x, value in zip(symbols, operands, data, strict=True)
    )
    needs = domain.needs or _NE.sub(r"\1 != \2", _code(domain.valid(*symbols), names))
    guarded = {symbols[domain.guard]: (domain.remedy or domain.valid)(*symbols)}
    conditions = {s: domain.each(s) for s in symbols} if domain.each else guarded
    safe = _number_fragment(domain.safe)[0]
    guards = {s: f"where({_code(c, names)}, {names[s]}, {safe})" for s, c in conditions.items()}
    application = Symbol("", op, tuple(symbols))
    return (
        f"{_code(application, names)} is undefined at {point}: it needs {needs}. To leave such "
        "points out, guard the operand, not the result: "
        f"{_code(application, {**names, **guards})}"
    )


def _operand_names(symbols: Sequence[Symbol], operands: Sequence[Any]) -> dict[Symbol, str]:
    """Return names for operands: their labels if these are distinct identifiers."""
    labels = [getattr(x, "label", "") for x in operands]
    names = [
        label if label.isidentifier() and not iskeyword(label) and label not in TABLE else s.name
        for s, label in zip(symbols, labels, strict=True)
    ]
    if len(set(names)) < len(names):
        names = [s.name for s in symbols]
    return dict(zip(symbols, names, strict=True))


def _origin(operand: Any, name: str) -> str:
    """Return the label or the operation of an operand in words, unless `name` is its label."""
    label = getattr(operand, "label", "")
    if label:
        return "" if label == name else f" (labelled {label!r})"
    op = getattr(operand, "op", None)
    return "" if op is None else f" (computed by {op.name})"


def _number_fragment(value: float) -> Fragment:
    code, precedence = number_code(value)
    return code.removesuffix(".0"), precedence


def _code(expression: Symbol, names: dict[Symbol, str]) -> str:
    """Return an expression as Python code that a person can copy."""
    known = {symbol: (name, ATOM) for symbol, name in names.items()}
    text: str = evaluate(expression, known, _format_operation, decide=None)[0]
    return text


def _format_operation(op: Operation, operands: Sequence[Fragment | float]) -> Fragment:
    special = _NOTATIONS.get(op.name) if TABLE.get(op.name) is op else None
    notation = special or op.comparison or op.python or call(op.name, len(operands))
    parts = [
        parenthesise(_number_fragment(x) if isinstance(x, float) else x, notation.demand(i))
        for i, x in enumerate(operands)
    ]
    return notation.template.format(*parts), notation.precedence
