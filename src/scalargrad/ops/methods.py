"""Convert operations into methods of Value, such as ``__add__`` and ``tanh``.

`operator`, `comparison` and `compile_methods` return methods with generated code that creates the
node itself, without any lookup: fast, for operators and the most frequent methods. `methods`
returns methods that call the operation.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

from scalargrad.checks.numbers import defers
from scalargrad.codegen.eager import compile_comparison
from scalargrad.errors import OperandError
from scalargrad.opdef.operation import FixedArityOperation, Operation
from scalargrad.system.short_repr import format_value

if TYPE_CHECKING:
    from scalargrad.engine.value import Value

_UnaryMethod: TypeAlias = "Callable[[Value], Value]"
_BinaryMethod: TypeAlias = "Callable[[Value, Value | float], Value]"


class _CompiledMethod:
    """Placeholder for a method whose code is generated once the class of its nodes is known."""

    def __init__(self, method: Callable[[type], Any]) -> None:
        self._method = method

    def __set_name__(self, owner: type, name: str) -> None:
        setattr(owner, name, self._method(owner))


def operator(op: FixedArityOperation) -> tuple[_BinaryMethod, _BinaryMethod]:
    """Return an operator and its reflected form, as ``__add__`` and ``__radd__``."""
    reflected = _CompiledMethod(lambda owner: op.method(owner, reflected=True))
    both: Any = _CompiledMethod(op.method), reflected
    return both  # type: ignore[no-any-return]


def comparison(op: FixedArityOperation) -> Callable[[Value, Value | float], bool]:
    """Return the method for a comparison operator, which returns a bool."""
    method: Any = _CompiledMethod(lambda owner: compile_comparison(op, owner))
    return method  # type: ignore[no-any-return]


def compile_methods(*operations: FixedArityOperation) -> tuple[_UnaryMethod, ...]:
    """Return operations of one operand as methods with generated code."""
    placeholders: Any = [_CompiledMethod(op.method) for op in operations]
    return tuple(placeholders)


def is_boolean(x: Any) -> bool:
    """Return True if `x` is a bool, or the node of an operation whose results are 0 or 1."""
    op = getattr(x, "op", None)
    if op is not None:
        return bool(op.is_boolean)
    return isinstance(x, bool) or getattr(getattr(x, "dtype", None), "kind", "") == "b"


def methods(*operations: Operation) -> tuple[Callable[..., Value], ...]:
    """Return methods that call the operations."""
    return tuple(map(_method, operations))


def _method(op: Any) -> Callable[..., Any]:
    def method(self: Any, *others: Any, **options: Any) -> Any:
        return op(self, *others, **options)

    method.__name__ = op.name
    method.__doc__ = (op.__doc__ or "").partition("\n")[0]
    return method


def logical(op: FixedArityOperation, sign: str) -> _BinaryMethod:
    """Return the method for &, | or ^ between two truth values; other operands are refused."""
    use = f"{sign} joins comparisons, as in (a > 0) {sign} (b > 0)"
    if sign == "^":
        remedy = f"a power is written x**2; {use}"
    else:
        remedy = f"{use}; for numbers write scalargrad.{op.name}(a, b)"

    def method(self: Any, other: Any) -> Any:
        if getattr(other, "ndim", None) or (not hasattr(other, "_apply") and defers(other)):
            return NotImplemented
        for x in (self, other):
            if not is_boolean(x):
                raise OperandError(f"an operand of {sign} is {format_value(x)}: {remedy}")
        return self._apply(op, (self, other))

    return method
