"""Real numbers: the check for them, their conversion to float, and the error for other objects."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, isfinite
from numbers import Number, Rational
from types import FunctionType
from typing import Any

from scalargrad.engine.recorder import is_traced
from scalargrad.errors import OperandError
from scalargrad.system.attributes import get_attribute, has_attribute
from scalargrad.system.short_repr import format_value

#: Largest integer up to which every integer is exactly representable as a float.
SMALL = 2**53

#: Python's number classes, as a tuple: `float | int` would be built at every call.
_NUMBERS = (float, int)
#: The types of plain numbers; unlike `_NUMBERS`, derived classes such as bool are excluded.
_TYPES = {*_NUMBERS}
_FLOAT = {float}
#: Size of a float, in bytes.
_BYTES = 8
#: Names of the methods that Python calls if the left operand does not support an operator.
_REFLECTED = (
    "__radd__", "__rsub__", "__rmul__", "__rtruediv__", "__rfloordiv__", "__rmod__", "__rpow__",
    "__rmatmul__", "__rand__", "__ror__", "__rxor__",
)  # fmt: skip


def is_real(x: Any) -> bool:
    """Return whether `x` is an int, float, bool, NumPy real scalar or 0-d real array."""
    if isinstance(x, _NUMBERS):
        return True
    if not has_attribute(type(x), "dtype"):  # looked up in the type: an instance may raise
        return False
    kind = get_attribute(x.dtype, "kind", "")
    return kind in {"b", "i", "u", "f"} and get_attribute(x, "ndim") == 0


def too_large(where: str) -> OperandError:
    """Return the error for an integer that is too large for a float."""
    return OperandError(
        f"{where} is an integer too large for a float (beyond 1.8e308): scale it down"
    )


def as_float(x: Any, where: str) -> float:
    """Return the real number `x` as a float, or raise OperandError; `where` names it."""
    if not is_real(x):
        remedy = "take its .data" if has_attribute(type(x), "_apply") else "convert it first"
        if isinstance(x, list | tuple) or (has_attribute(type(x), "ndim") and x.ndim):
            remedy = (
                "apply the function to each number, as in [f(x) for x in numbers] or "
                "vmap(f)(numbers)"
            )
        raise OperandError(
            f"{where} is {format_value(x)}, of type {type(x).__name__}: scalargrad computes with "
            f"Values and real numbers (int, float, bool, NumPy real scalars); {remedy}"
        )
    try:
        return float(x)
    except OverflowError:
        raise too_large(where) from None


def nearest_float(x: float) -> float:
    """Return the float nearest to a number, which is infinite for an integer that is too large."""
    try:
        return float(x)
    except OverflowError:
        return inf if x > 0 else -inf


def as_floats(xs: Sequence[Any]) -> Sequence[float] | None:
    """Return numbers as floats; None unless all are of Python's types float and int.

    Faster than `as_float` of each number. An integer that is too large for a float gives None.

    Examples
    --------
    >>> as_floats((1.5, 2))
    [1.5, 2.0]
    """
    if xs and type(xs[0]) not in _TYPES:  # usually a node
        return None
    if _FLOAT.issuperset(map(type, xs)):
        return xs
    try:
        return [*map(float, xs)] if _TYPES.issuperset(map(type, xs)) else None
    except OverflowError:
        return None


def float_of(node: Any) -> float:
    """Return the data of a node, after converting it to a float if it is not one.

    Raises
    ------
    OperandError
        If an object was assigned that is not a real number.
    """
    data: Any = node.data
    if type(data) is not float:
        number = float(data) if _is_fraction(data) else data
        node.data = data = as_float(number, f"the data of {node.label or 'a Value'}")
    return data  # type: ignore[no-any-return]


def _is_fraction(x: Any) -> bool:
    return isinstance(x, Rational) and not isinstance(x, int)


def format_data(x: Any) -> str:
    """Return the data of a Value for a message, or "…" while a function is traced.

    The traced function may catch the error. If it does not, it is called eagerly, and the error
    has the number.
    """
    return "…" if is_traced(x) else f"{x.data:g}"


def defers(x: Any) -> bool:
    """Return True if an operator should leave `x` to its own reflected method.

    That is so for arrays, whose methods work element by element, and for classes that define
    reflected methods, such as a user's vector or dual number. It is not so for built-in types and
    Python's own number classes, whose error would not show the value.
    """
    kind = type(x)
    if kind.__module__ == "builtins":
        return False
    if has_attribute(kind, "__array_ufunc__") or has_attribute(kind, "_apply"):
        return True
    is_defined = (get_attribute(kind, name).__class__ is FunctionType for name in _REFLECTED)
    return not isinstance(x, Number) and any(is_defined)


def is_true_for_all(condition: Any) -> bool:
    """Return True if a condition is true, within vmap for every example."""
    for_all = getattr(condition, "_holds", None)
    return bool(condition) if for_all is None else for_all()


def widen(x: Any, kinds: str) -> Any:
    """Return a NumPy scalar or array of one of these kinds, converted to 64 bits.

    Smaller integers overflow silently, unsigned integers also below 0, and smaller floats round.
    """
    if not type(x).__module__.startswith("numpy") or not hasattr(x, "dtype"):
        return x
    wide = "f8" if x.dtype.kind == "f" else "i8"
    return x.astype(wide) if x.dtype.kind in kinds and x.dtype.itemsize < _BYTES else x


def json_number(x: float | None) -> float | str | None:
    """Return a number for JSON: inf and nan as text, which `float` can parse; None stays None.

    Examples
    --------
    >>> json_number(0.5), json_number(float("inf"))
    (0.5, 'inf')
    """
    return x if x is None or isfinite(x) else str(x)
