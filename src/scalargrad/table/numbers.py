"""Real numbers: the objects that count as such, and the error for those that do not."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from numbers import Number, Rational
from types import FunctionType
from typing import Any

from scalargrad.errors import OperandError
from scalargrad.grad_mode import recorder
from scalargrad.system.attributes import get_attribute, has_attribute
from scalargrad.system.short_repr import format_value

#: The largest integer up to which every integer, of either sign, is a float.
SMALL = 2**53

_NUMBERS = (float, int)  # checked faster than `float | int`, which is built at every call
#: The same as types of objects of no derived class, such as bool.
_TYPES = {*_NUMBERS}
_FLOAT = {float}
#: The size of a float, in bytes.
_BYTES = 8
#: The reflected methods of operators in Python, for a left operand of another class.
_REFLECTED = (
    "__radd__", "__rsub__", "__rmul__", "__rtruediv__", "__rfloordiv__", "__rmod__", "__rpow__",
    "__rmatmul__", "__rand__", "__ror__", "__rxor__",
)  # fmt: skip


def is_real(x: Any) -> bool:
    """Return whether `x` is an int, float, bool, NumPy real scalar or 0-d real array."""
    if isinstance(x, _NUMBERS):
        return True
    if not has_attribute(type(x), "dtype"):  # asked of `x`, a class of a user's may raise any error
        return False
    kind = get_attribute(x.dtype, "kind", "")
    return kind in {"b", "i", "u", "f"} and get_attribute(x, "ndim") == 0


def too_large(where: str) -> OperandError:
    """Return the error for an integer that no float can hold."""
    return OperandError(
        f"{where} is an integer too large for a float (beyond 1.8e308): scale it down"
    )


def as_float(x: Any, where: str) -> float:
    """Return the real number `x` as a float, or raise OperandError saying `where` it stood."""
    if not is_real(x):
        remedy = "take its .data" if has_attribute(type(x), "_apply") else "convert it first"
        if isinstance(x, list | tuple) or (has_attribute(type(x), "ndim") and x.ndim):
            remedy = (
                "take its numbers one by one, as in [f(x) for x in numbers] or vmap(f)(numbers)"
            )
        raise OperandError(
            f"{where} is {format_value(x)}, of type {type(x).__name__}: scalargrad computes with "
            f"Values and real numbers (int, float, bool, NumPy real scalars); {remedy}"
        )
    try:
        return float(x)
    except OverflowError:
        raise too_large(where) from None


def as_floats(xs: Sequence[Any]) -> Sequence[float] | None:
    """Return numbers as floats; None if there are others than of Python's float and int.

    Faster than `as_float` of each, and names no number that is too large: that is None, too.

    Examples
    --------
    >>> as_floats((1.5, 2))
    [1.5, 2.0]
    """
    if xs and type(xs[0]) not in _TYPES:  # most often a node
        return None
    if _FLOAT.issuperset(map(type, xs)):
        return xs
    try:
        return [*map(float, xs)] if _TYPES.issuperset(map(type, xs)) else None
    except OverflowError:
        return None


def float_of(node: Any) -> float:
    """Return the data of a node as a float, which it is from now on.

    Raises
    ------
    OperandError
        If what was assigned to it is no real number.
    """
    data: Any = node.data
    if type(data) is not float:
        number = float(data) if _is_fraction(data) else data
        node.data = data = as_float(number, f"the data of {node.label or 'a Value'}")
    return data  # type: ignore[no-any-return]


def _is_fraction(x: Any) -> bool:
    return isinstance(x, Rational) and not isinstance(x, int)


def format_data(x: Any) -> str:
    """Return the data of a Value for a message, or "…" while a function is compiled.

    A function that is compiled may catch the error; called eagerly, it raises it with the number.
    """
    return "…" if recorder() is not None else f"{x.data:g}"


def defers(x: Any) -> bool:
    """Return whether an operator should leave `x` to its own reflected method.

    True for arrays (their method works element by element) and for foreign classes written
    to meet other numbers, such as a vector or a dual number of a user's; never for built-in types
    nor for Python's own kinds of number, whose message would not name the value.
    """
    kind = type(x)
    if kind.__module__ == "builtins":
        return False
    if has_attribute(kind, "__array_ufunc__") or has_attribute(kind, "_apply"):
        return True
    written = (get_attribute(kind, name).__class__ is FunctionType for name in _REFLECTED)
    return not isinstance(x, Number) and any(written)


def holds(condition: Any) -> bool:
    """Return whether a condition on a number is true; compiled code asks all examples of vmap."""
    for_all = getattr(condition, "_holds", None)
    return bool(condition) if for_all is None else for_all()


def widened(x: Any, kinds: str) -> Any:
    """Return a NumPy number or array of one of these kinds with 64 bits for each number.

    Smaller integers overflow silently, unsigned ones below 0 too, and smaller floats round.
    """
    if not type(x).__module__.startswith("numpy") or not hasattr(x, "dtype"):
        return x
    wide = "f8" if x.dtype.kind == "f" else "i8"
    return x.astype(wide) if x.dtype.kind in kinds and x.dtype.itemsize < _BYTES else x


def json_number(x: float | None) -> float | str | None:
    """Return a number as JSON can hold it: inf and nan as text, from which `float` reads them back.

    None stays None.

    Examples
    --------
    >>> json_number(0.5), json_number(float("inf"))
    (0.5, 'inf')
    """
    return x if x is None or isfinite(x) else str(x)
