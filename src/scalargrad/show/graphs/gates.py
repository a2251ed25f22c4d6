"""The text in a gate: a sign, a name, or a function of x such as ×−1, +1, 1/x, x²."""

from __future__ import annotations

import re

from scalargrad import ops
from scalargrad.codegen.formulas import MINUS, text
from scalargrad.engine.value import Value
from scalargrad.opdef.operation import Elementwise, Operation
from scalargrad.opdef.symbol import Symbol
from scalargrad.show.max_score import MaxScore, shown_operands

_SIGNS = {"*": "×", "·": "×", "/": "÷", "-": MINUS, "**": "xʸ"}
_WHOLE_POWER = re.compile(r"x[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_SIGN_THEN_NUMBER = re.compile(r"x ?([^\w\s^(]) ?\(?([^()]+)\)?")
_NUMBER_THEN_SIGN = re.compile(r"\(?([^()]+?)\)? ?([+·]) ?x")  # only what commutes

#: Operations that mean the same when their wires change places; `dot` does as long as each
#: weight keeps its input.
_SYMMETRIC = {
    *(ops.add, ops.mul, ops.hypot, ops.eq, ops.ne),
    *(ops.sum, ops.mean, ops.dot, ops.logsumexp, ops.maximum, ops.minimum),
}


def gate_sign(op: Operation) -> str:
    """Return what a gate is called in a sentence: its sign as it is printed, or its name.

    Examples
    --------
    >>> gate_sign(ops.mul), gate_sign(ops.tanh)
    ('×', 'tanh')
    """
    return _SIGNS.get(op.symbol, op.symbol)


def folds(node: Value) -> bool:
    """Return whether the constants of a gate are written into it.

    They are if only one operand is not constant, so that the gate is a function of one number.
    Gates with any number of operands (sum, dot, maximum …) keep a wire for each.

    Examples
    --------
    >>> x = Value(2.0)
    >>> folds(x * -1), folds(x * x), folds(ops.maximum(x, 0.0))
    (True, False, False)
    """
    varying = sum(isinstance(operand, Value) for operand in node.parents)
    return isinstance(node.op, Elementwise) and varying == 1 < len(node.parents)


def boxed_constants(node: Value) -> list[tuple[int, float]]:
    """Return (index, number) for each constant operand of a gate that gets a box of its own.

    Examples
    --------
    >>> x = Value(2.0)
    >>> boxed_constants(ops.maximum(x, 0.0)), boxed_constants(x * -1)
    ([(1, 0.0)], [])
    """
    if folds(node):
        return []
    return [(i, x) for i, x in enumerate(node.parents) if isinstance(x, float)]


def is_symmetric(node: Value) -> bool:
    """Return whether the wires into a gate may be exchanged.

    Examples
    --------
    >>> x, y = Value(2.0), Value(3.0)
    >>> is_symmetric(x + y), is_symmetric(x - y)
    (True, False)
    """
    return node.op in _SYMMETRIC


def gate_text(node: Value) -> str:
    """Return what the gate of `node` shows.

    Examples
    --------
    >>> x, y = Value(2.0), Value(3.0)
    >>> [gate_text(node) for node in (x + y, x * y, x / y, x**y, x.tanh())]
    ['+', '×', '÷', 'xʸ', 'tanh']
    >>> [gate_text(node) for node in (x * -1, 1 + x, x / 2, 1 / x, x**2, 2 - x, -x, x - -1)]
    ['×−1', '+1', '÷2', '1/x', 'x²', '2−x', '−x', '−(−1)']
    """
    assert node.op is not None
    lone_sign = len(node.parents) == 1 and node.op.symbol in _SIGNS  # −x must not look like x − y
    if folds(node) or lone_sign:
        return _shortened(_as_function_of_x(node.op, shown_operands(node)))
    return gate_sign(node.op)


def _as_function_of_x(op: Operation, operands: tuple[Value | float, ...]) -> str:
    x, largest = Symbol("x"), Symbol("max")
    written = tuple(
        largest if isinstance(y, MaxScore) else y if isinstance(y, float) else x for y in operands
    )
    return text(Symbol("", op, written), {x: "x", largest: "max"})


def _shortened(written: str) -> str:
    """Omit an x before a sign, and typeset signs and powers."""
    if _WHOLE_POWER.fullmatch(written):
        return written
    if match := _SIGN_THEN_NUMBER.fullmatch(written):
        written = match[1] + _enclosed(match[1], match[2])
    elif match := _NUMBER_THEN_SIGN.fullmatch(written):
        written = match[2] + _enclosed(match[2], match[1])
    written = _SIGNS.get(written[0], written[0]) + written[1:]
    return re.sub(r" ([−+/·<>≤≥=≠]) ", r"\1", written).replace("^x", "ˣ")


def _enclosed(sign: str, number: str) -> str:
    """Return a number after a sign, in parentheses if it begins with a sign itself."""
    return f"({number})" if sign in "+-−" and number[0] in "-−" else number
