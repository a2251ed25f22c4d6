"""The text in a gate: a sign, a name, or a function of x such as ×−1, +1, 1/x, x².

x * y → ×        x.tanh() → tanh        x * -1 → ×−1        1 / x → 1/x
"""

from __future__ import annotations

import re

from scalargrad import ops
from scalargrad.codegen.formulas import MINUS, format_expression
from scalargrad.engine.value import Value
from scalargrad.opdef.operation import FixedArityOperation, Operation
from scalargrad.opdef.symbol import Symbol
from scalargrad.show.max_score import MaxScore, operands_for_display

_SIGNS = {"*": "×", "·": "×", "/": "÷", "-": MINUS, "**": "xʸ"}
_WHOLE_POWER = re.compile(r"x[⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_SIGN_THEN_NUMBER = re.compile(r"x ?([^\w\s^(]) ?\(?([^()]+)\)?")
_NUMBER_THEN_SIGN = re.compile(r"\(?([^()]+?)\)? ?([+·]) ?x")  # only commutative operations

#: Operations whose wires can be exchanged; those of `dot`, if each weight keeps its input.
_SYMMETRIC = {
    *(ops.add, ops.mul, ops.hypot, ops.eq, ops.ne),
    *(ops.sum, ops.mean, ops.dot, ops.logsumexp, ops.maximum, ops.minimum),
}


def gate_name(op: Operation) -> str:
    """Return the name of a gate in a sentence: its sign, or the name of its operation.

    Examples
    --------
    >>> gate_name(ops.mul), gate_name(ops.tanh)
    ('×', 'tanh')
    """
    return _SIGNS.get(op.symbol, op.symbol)


def inlines_constants(node: Value) -> bool:
    """Return True if the constants of a gate are part of its text.

    They are if one operand alone varies, so that the gate is a function of one number. Variadic
    gates (sum, dot, maximum …) have a wire for each operand.

    Examples
    --------
    >>> x = Value(2.0)
    >>> inlines_constants(x * -1), inlines_constants(x * x), inlines_constants(ops.maximum(x, 0.0))
    (True, False, False)
    """
    varying = sum(isinstance(operand, Value) for operand in node.parents)
    return isinstance(node.op, FixedArityOperation) and varying == 1 < len(node.parents)


def boxed_constants(node: Value) -> list[tuple[int, float]]:
    """Return (index, number) for each constant operand of a gate that has a box of its own.

    Examples
    --------
    >>> x = Value(2.0)
    >>> boxed_constants(ops.maximum(x, 0.0)), boxed_constants(x * -1)
    ([(1, 0.0)], [])
    """
    if inlines_constants(node):
        return []
    return [(i, x) for i, x in enumerate(node.parents) if isinstance(x, float)]


def is_symmetric(node: Value) -> bool:
    """Return True if the wires into a gate can be exchanged.

    Examples
    --------
    >>> x, y = Value(2.0), Value(3.0)
    >>> is_symmetric(x + y), is_symmetric(x - y)
    (True, False)
    """
    return node.op in _SYMMETRIC


def gate_text(node: Value) -> str:
    """Return the text in the gate of a node.

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
    if inlines_constants(node) or lone_sign:
        return _abbreviate(_format_function(node.op, operands_for_display(node)))
    return gate_name(node.op)


def _format_function(op: Operation, operands: tuple[Value | float, ...]) -> str:
    """Return a gate as a function of x, such as ``x * -1``."""
    x, maximum = Symbol("x"), Symbol("max")
    arguments = tuple(
        maximum if isinstance(y, MaxScore) else y if isinstance(y, float) else x for y in operands
    )
    return format_expression(Symbol("", op, arguments), {x: "x", maximum: "max"})


def _abbreviate(formula: str) -> str:
    """Omit an x before a sign, and typeset signs and powers: ``x · 2`` becomes ``×2``."""
    if _WHOLE_POWER.fullmatch(formula):
        return formula
    if match := _SIGN_THEN_NUMBER.fullmatch(formula):
        formula = match[1] + _parenthesize(match[1], match[2])
    elif match := _NUMBER_THEN_SIGN.fullmatch(formula):
        formula = match[2] + _parenthesize(match[2], match[1])
    formula = _SIGNS.get(formula[0], formula[0]) + formula[1:]
    return re.sub(r" ([−+/·<>≤≥=≠]) ", r"\1", formula).replace("^x", "ˣ")


def _parenthesize(sign: str, number: str) -> str:
    """Return the number after a sign, in parentheses if it begins with a sign itself."""
    return f"({number})" if sign in "+-−" and number[0] in "-−" else number
