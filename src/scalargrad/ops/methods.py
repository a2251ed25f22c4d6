"""Methods of a class of nodes, printed from the table: operators, and what NumPy calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scalargrad.errors import OperandError
from scalargrad.ops.comparisons import ne
from scalargrad.ops.logic import logical_and, logical_or
from scalargrad.table.eager import compile_operators
from scalargrad.table.numbers import defers
from scalargrad.table.operation import Elementwise
from scalargrad.table.symbol import TABLE

#: Operators by the names of their operations, with Python's where that is another.
_OPERATORS = {
    **{name: name for name in ("add", "sub", "mul", "pow", "neg", "abs")},
    "div": "truediv",
    "floor_divide": "floordiv",
    "remainder": "mod",
}
#: Compiled like operators, because they are called as often.
_UNITS = ("exp", "log", "tanh", "sigmoid", "relu")
_JUNCTIONS = {"and": logical_and, "or": logical_or, "xor": ne}
#: What NumPy calls operations; elsewhere it says arc where the table has a.
_NUMPY = {"degrees": "rad2deg", "fabs": "abs", "radians": "deg2rad"}


def attach_methods(node: Any) -> None:
    """Give a class of nodes its operators, and the methods it declares without a body."""
    for name, python_name in _OPERATORS.items():
        method, *reflected = compile_operators(_elementwise(name), node)
        setattr(node, f"__{python_name}__", method)
        for found in reflected:
            setattr(node, f"__r{python_name}__", found)
    for name in _UNITS:
        setattr(node, name, compile_operators(_elementwise(name), node)[0])
    for sign, op in _JUNCTIONS.items():
        setattr(node, f"__{sign}__", _junction(op))
        setattr(node, f"__r{sign}__", _junction(op))
    for name in node.__annotations__:
        if not hasattr(node, name):
            setattr(node, name, _method(_elementwise(_NUMPY.get(name, name.replace("arc", "a")))))


def is_truth(x: Any) -> bool:
    """Return whether `x` is a bool, or the node of an operation that says true or false."""
    op = getattr(x, "op", None)
    if op is not None:
        return bool(op.truth)
    return isinstance(x, bool) or getattr(getattr(x, "dtype", None), "kind", "") == "b"


def _elementwise(name: str) -> Elementwise:
    op = TABLE[name]
    assert isinstance(op, Elementwise)
    return op


def _method(op: Elementwise) -> Callable[..., Any]:
    def method(self: Any, *others: Any) -> Any:
        return self._apply(op, (self, *others))

    method.__name__ = op.name
    method.__doc__ = (op.__doc__ or "").partition("\n")[0]
    return method


def _junction(op: Elementwise) -> Callable[[Any, Any], Any]:
    """Return what &, | or ^ do with two truths; numbers have no bits."""

    def method(self: Any, other: Any) -> Any:
        if getattr(other, "ndim", None) or (not hasattr(other, "_apply") and defers(other)):
            return NotImplemented
        for x in (self, other):
            if not is_truth(x):
                raise OperandError(
                    f"an operand of &, | or ^ is {x!r:.60}: they join comparisons, as in "
                    "(a > 0) & (b > 0); for numbers write scalargrad.logical_and(a, b)"
                )
        return self._apply(op, (self, other))

    return method
