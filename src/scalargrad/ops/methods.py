"""Turn operations of the table into methods of Value, such as ``__add__`` and ``tanh``.

`operator`, `comparison` and `printed` make methods that build the node themselves, without looking
anything up: the fast route, for operators and the most frequent methods. `methods` makes those that
call the operation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from scalargrad.errors import OperandError
from scalargrad.system.short_repr import format_value
from scalargrad.table.eager import compile_comparison
from scalargrad.table.numbers import defers
from scalargrad.table.operation import Elementwise, Operation

if TYPE_CHECKING:
    from scalargrad.value import Value

_UnaryMethod: TypeAlias = "Callable[[Value], Value]"
_BinaryMethod: TypeAlias = "Callable[[Value, Value | float], Value]"


class _Printed:
    """The placeholder for a method that is printed once the class of its nodes is known."""

    def __init__(self, method: Callable[[type], Any]) -> None:
        self._method = method

    def __set_name__(self, owner: type, name: str) -> None:
        setattr(owner, name, self._method(owner))


def operator(op: Elementwise) -> tuple[_BinaryMethod, _BinaryMethod]:
    """Return an operator and its reflected form, as ``__add__`` and ``__radd__``."""
    made: Any = _Printed(op.method), _Printed(lambda owner: op.method(owner, reflected=True))
    return made  # type: ignore[no-any-return]


def comparison(op: Elementwise) -> Callable[[Value, Value | float], bool]:
    """Return the operator of a comparison."""
    made: Any = _Printed(lambda owner: compile_comparison(op, owner))
    return made  # type: ignore[no-any-return]


def printed(*operations: Elementwise) -> tuple[_UnaryMethod, ...]:
    """Return operations of one operand as methods."""
    made: Any = [_Printed(op.method) for op in operations]
    return tuple(made)


def is_truth(x: Any) -> bool:
    """Return whether `x` is a bool, or the node of an operation that says true or false."""
    op = getattr(x, "op", None)
    if op is not None:
        return bool(op.truth)
    return isinstance(x, bool) or getattr(getattr(x, "dtype", None), "kind", "") == "b"


def methods(*operations: Operation) -> tuple[Callable[..., Value], ...]:
    """Return operations as methods that call them."""
    return tuple(map(_method, operations))


def _method(op: Any) -> Callable[..., Any]:
    def called(self: Any, *others: Any, **options: Any) -> Any:
        return op(self, *others, **options)

    called.__name__ = op.name
    called.__doc__ = (op.__doc__ or "").partition("\n")[0]
    return called


def logical(op: Elementwise, sign: str) -> _BinaryMethod:
    """Return the method for &, | or ^ between two truth values; other operands are refused."""
    use = f"{sign} joins comparisons, as in (a > 0) {sign} (b > 0)"
    if sign == "^":
        remedy = f"a power is written x**2; {use}"
    else:
        remedy = f"{use}; for numbers write scalargrad.{op.name}(a, b)"

    def joined(self: Any, other: Any) -> Any:
        if getattr(other, "ndim", None) or (not hasattr(other, "_apply") and defers(other)):
            return NotImplemented
        for x in (self, other):
            if not is_truth(x):
                raise OperandError(f"an operand of {sign} is {format_value(x)}: {remedy}")
        return self._apply(op, (self, other))

    return joined
