"""Operations of the table as methods of a class of nodes.

A `printed` method has the construction of the node inline: the hot route, for operators and the
most frequent methods. A `method` takes the route of a call of the operation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from scalargrad.errors import OperandError
from scalargrad.table.eager import compile_operator, compile_reflected
from scalargrad.table.numbers import defers
from scalargrad.table.operation import Elementwise
from scalargrad.table.validation import shown


def printed(op: Elementwise, *, reflected: bool = False) -> Any:
    """Return what becomes a method of the class in whose body it stands, when the class is made.

    Parameters
    ----------
    op : Elementwise
        Of one operand or two.
    reflected : bool
        Whether the method is for the second operand, as ``__radd__``.
    """
    return _Printed(op, compile_reflected if reflected else compile_operator)


class _Printed:
    """A method to be printed once the class of its nodes is known, which then replaces this."""

    def __init__(self, op: Elementwise, compiled: Callable[..., Any]) -> None:
        self._op = op
        self._compiled = compiled

    def __set_name__(self, owner: type, name: str) -> None:
        setattr(owner, name, self._compiled(self._op, owner))


def is_truth(x: Any) -> bool:
    """Return whether `x` is a bool, or the node of an operation that says true or false."""
    op = getattr(x, "op", None)
    if op is not None:
        return bool(op.truth)
    return isinstance(x, bool) or getattr(getattr(x, "dtype", None), "kind", "") == "b"


def method(op: Elementwise) -> Callable[..., Any]:
    """Return an operation as a method that calls it."""

    def called(self: Any, *others: Any) -> Any:
        return self._apply(op, (self, *others))

    called.__name__ = op.name
    called.__doc__ = (op.__doc__ or "").partition("\n")[0]
    return called


def junction(op: Elementwise) -> Callable[[Any, Any], Any]:
    """Return what &, | or ^ do with two truths; numbers have no bits."""

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
