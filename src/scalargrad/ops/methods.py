"""Turn operations of the table into methods of Value, such as ``__add__`` and ``tanh``.

`printed` makes a method that builds the node itself, without looking anything up: the fast route,
for operators and the most frequent methods. `method` makes one that calls the operation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scalargrad.errors import OperandError
from scalargrad.system.short_repr import shown
from scalargrad.table.eager import compile_comparison
from scalargrad.table.numbers import defers
from scalargrad.table.operation import Elementwise


def printed(op: Elementwise, *, reflected: bool = False) -> Any:
    """Return a placeholder, replaced by the compiled method when the class around it is made.

    Parameters
    ----------
    op : Elementwise
        Of one operand or two.
    reflected : bool
        Whether the method is for the second operand, as ``__radd__``.
    """
    return _Printed(lambda owner: op.method(owner, reflected))


def compared(op: Elementwise) -> Any:
    """Return a placeholder for the method of a comparison."""
    return _Printed(lambda owner: compile_comparison(op, owner))


class _Printed:
    """The placeholder for a method that is printed once the class of its nodes is known."""

    def __init__(self, method: Callable[[type], Any]) -> None:
        self._method = method

    def __set_name__(self, owner: type, name: str) -> None:
        setattr(owner, name, self._method(owner))


def is_truth(x: Any) -> bool:
    """Return whether `x` is a bool, or the node of an operation that says true or false."""
    op = getattr(x, "op", None)
    if op is not None:
        return bool(op.truth)
    return isinstance(x, bool) or getattr(getattr(x, "dtype", None), "kind", "") == "b"


def method(op: Any) -> Callable[..., Any]:
    """Return an operation as a method that calls it."""

    def called(self: Any, *others: Any, **options: Any) -> Any:
        return op(self, *others, **options)

    called.__name__ = op.name
    called.__doc__ = (op.__doc__ or "").partition("\n")[0]
    return called


def logical_method(op: Elementwise) -> Callable[[Any, Any], Any]:
    """Return the method for &, | or ^ between two truth values; other operands are refused."""

    def joined(self: Any, other: Any) -> Any:
        if getattr(other, "ndim", None) or (not hasattr(other, "_apply") and defers(other)):
            return NotImplemented
        for x in (self, other):
            if not is_truth(x):
                raise OperandError(
                    f"an operand of &, | or ^ is {shown(x)}: they join comparisons, as in "
                    "(a > 0) & (b > 0); for numbers write scalargrad.logical_and(a, b)"
                )
        return self._apply(op, (self, other))

    return joined
