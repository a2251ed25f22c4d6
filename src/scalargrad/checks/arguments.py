"""Checks of arguments of public functions, which convert them to float, int or bool.

Every public argument that is a number is checked here. Without a conversion, a NumPy float32 would
reduce the precision of every result that it enters, and a tensor would make results tensors:

>>> check_number(3, "lr", 0.0)
3.0
"""

from __future__ import annotations

import math
import operator
from collections.abc import Collection, Container, Mapping
from typing import Any, TypeVar

from scalargrad.checks.numbers import as_float, format_data, is_real
from scalargrad.errors import DomainError, OperandError
from scalargrad.system.short_repr import format_value

T = TypeVar("T")

#: Maximum size of anything that must fit into memory.
_MAX_SIZE = 1_000_000_000


def check_number(
    x: Any, name: str, low: float = -math.inf, high: float = math.inf, *, finite: bool = True
) -> float:
    """Return a real number as a float.

    Parameters
    ----------
    x : any object
        The argument: an int, a float, or a NumPy real scalar.
    name : str
        Its name in messages.
    low, high : float
        Minimum and maximum.
    finite : bool
        Do not allow infinities. A nan is never allowed.

    Raises
    ------
    OperandError
        If it is not a real number.
    DomainError
        If it is nan, infinite or out of its range.

    Examples
    --------
    >>> check_number(3, "lr", 0.0)
    3.0
    """
    if not is_real(x):
        remedy = ": take its .data" if hasattr(x, "_apply") else ""
        raise OperandError(
            f"{name} is {format_value(x)}, of type {type(x).__name__}; give a number{remedy}"
        )
    try:
        y = float(x)
    except OverflowError:
        raise DomainError(f"{name} is an integer beyond 1.8e308; give a smaller number") from None
    if math.isnan(y) or (finite and math.isinf(y)) or not low <= y <= high:
        raise DomainError(f"{name} is {y:g}; give {_format_range(low, high)}")
    return y or 0.0 if low == 0.0 else y  # -0.0 becomes 0.0: other libraries may not allow it


def _format_range(low: float, high: float) -> str:
    if low == 0.0 and high == math.inf:
        return "a finite number that is not negative"
    if math.isinf(low) and math.isinf(high):
        return "a finite number"
    if high == math.inf:
        return f"a number of at least {low:g}"
    return f"a number from {low:g} to {high:g}"


def check_fraction(x: Any, name: str) -> float:
    """Return a number in [0, 1).

    Raises
    ------
    OperandError
        If it is not a real number.
    DomainError
        If it is not in [0, 1).

    Examples
    --------
    >>> check_fraction(0.5, "momentum")
    0.5
    """
    if not 0.0 <= (y := check_number(x, name)) < 1.0:
        raise DomainError(f"{name} is {y}; it must be at least 0 and less than 1")
    return y


def check_positive(x: Any, name: str, *, finite: bool = True) -> float:
    """Return a real number above 0 as a float.

    Raises
    ------
    OperandError
        If it is not a real number.
    DomainError
        If it is not positive, or infinite although `finite` is True.

    Examples
    --------
    >>> check_positive(2, "eps")
    2.0
    """
    y = check_number(x, name, finite=finite)
    if not y > 0.0:
        raise DomainError(f"{name} is {y:g}; it must be positive")
    return y


def check_scalar(
    x: Any, name: str, low: float = -math.inf, high: float = math.inf, *, finite: bool = True
) -> Any:
    """Return a number as `check_number` does, or a Value, which may be differentiated, unchanged.

    Examples
    --------
    >>> check_scalar(1, "margin")
    1.0
    """
    if not hasattr(x, "_apply"):
        return check_number(x, name, low, high, finite=finite)
    # Compared as a Value, so that a compiled function evaluates the condition at each call.
    if (low > -math.inf and not x >= low) or (high < math.inf and not x <= high):
        raise DomainError(f"{name} is {format_data(x)}; give {_format_range(low, high)}")
    return x


def check_integer(x: Any, name: str, low: int | None = None, high: int | None = None) -> int:
    """Return a whole number as an int.

    Parameters
    ----------
    x : any object
        The argument: an int or a NumPy integer. A float is not allowed, not even 8.0.
    name : str
        Its name in messages.
    low, high : int, optional
        Minimum and maximum.

    Raises
    ------
    OperandError
        If it is not a whole number, or is too small or too large.

    Examples
    --------
    >>> check_integer(8, "batch_size", 1)
    8
    """
    try:
        if isinstance(x, bool):
            raise TypeError
        y = operator.index(x)
    except Exception:  # noqa: BLE001 - a foreign __index__ may raise anything
        raise OperandError(
            f"{name} is {format_value(x)}, of type {type(x).__name__}; give a whole number (int)"
        ) from None
    if low is not None and y < low:
        raise OperandError(f"{name} is {format_value(y)}; give {low} or more")
    if high is not None and y > high:
        raise OperandError(f"{name} is {format_value(y)}; give {high:,} or less")
    return y


def count_from_state(x: Any, name: str) -> int:
    """Return a count of steps or epochs from a saved state.

    Raises
    ------
    OperandError
        If it is not a whole number from 0 to 2^53.

    Examples
    --------
    >>> count_from_state(8, "step")
    8
    """
    return check_integer(x, name, 0, 2**53)


def check_size(x: Any, name: str, low: int = 0) -> int:
    """Return the size of something that must fit into memory.

    Raises
    ------
    OperandError
        If it is not a whole number, or is too small or larger than 10^9.

    Examples
    --------
    >>> check_size(8, "in_features")
    8
    """
    return check_integer(x, name, low, _MAX_SIZE)


def check_flag(x: Any, name: str) -> bool:
    """Return True or False, of Python or NumPy, as a bool.

    Raises
    ------
    OperandError
        If it is anything else.

    Examples
    --------
    >>> check_flag(True, "nesterov")
    True
    """
    if isinstance(x, bool):
        return x
    if is_real(x) and getattr(getattr(x, "dtype", None), "kind", "") == "b":
        return bool(x)
    raise OperandError(f"{name} is {format_value(x)}; give True or False")


def is_word(x: Any, among: Container[str]) -> bool:
    """Return True if x is one of the given strings; x may be any object, even an array.

    Examples
    --------
    >>> is_word("min", {"min", "max"}), is_word(["min"], {"min", "max"})
    (True, False)
    """
    return isinstance(x, str) and x in among


def check_choice(x: Any, name: str, among: Collection[str]) -> str:
    """Return a string, which must be one of several.

    Raises
    ------
    DomainError
        If it is anything else.

    Examples
    --------
    >>> check_choice("min", "mode", ["min", "max"])
    'min'
    """
    if is_word(x, among):
        return str(x)
    *others, last = map(repr, among)
    words = f"{', '.join(others)} or {last}" if others else last
    raise DomainError(f"{name} is {format_value(x)}; use {words}")


def check_function(x: Any, name: str, example: str) -> Any:
    """Return x, which must be callable.

    Raises
    ------
    OperandError
        If it is not callable.

    Examples
    --------
    >>> check_function(max, "metric", "max")
    <built-in function max>
    """
    if callable(x):
        return x
    raise OperandError(
        f"{name} is {format_value(x)}, which cannot be called; give a function: {example}"
    )


def check_list(x: Any, name: str, what: str, *, ordered: bool = True) -> list[Any]:
    """Return the items of an iterable as a list.

    Parameters
    ----------
    x : any object
        The argument.
    name : str
        Its name in messages.
    what : str
        Description of the items in messages.
    ordered : bool
        Do not allow sets, whose order differs from process to process.

    Raises
    ------
    OperandError
        If it is not iterable, or is text or a dict.

    Examples
    --------
    >>> check_list((1, 2), "milestones", "whole numbers")
    [1, 2]
    """
    if ordered and isinstance(x, set | frozenset):
        raise OperandError(
            f"{name} is a {type(x).__name__}, which has no fixed order; give a list of {what}"
        )
    try:
        if type(x) is not list and isinstance(x, str | bytes | Mapping):
            raise TypeError
        entries = iter(x)
    except TypeError:
        raise OperandError(f"{name} is {format_value(x)}; give a list of {what}") from None
    return list(entries)


def check_scalars(x: Any, name: str, what: str = "number") -> list[Any]:
    """Return an iterable of numbers as a list of floats and nodes; `what` is one of them."""
    entries = check_list(x, name, f"{what}s")
    return [y if hasattr(y, "_apply") else as_float(y, f"a {what}") for y in entries]


def check_mapping(x: Any, name: str, what: str) -> Mapping[Any, Any]:
    """Return a dict or another mapping.

    Raises
    ------
    OperandError
        If it is anything else.

    Examples
    --------
    >>> check_mapping({"lr": 0.1}, "defaults", "options")
    {'lr': 0.1}
    """
    if isinstance(x, Mapping):
        return x
    raise OperandError(
        f"{name} is {format_value(x)}, of type {type(x).__name__}; give a dict of {what}"
    )


def check_text(x: Any, name: str) -> str:
    """Return text that can be encoded; a lone surrogate cannot.

    Raises
    ------
    OperandError
        If it is not text, or cannot be encoded.

    Examples
    --------
    >>> check_text("moons", "title")
    'moons'
    """
    if isinstance(x, str) and _encodes(x):
        return x
    raise OperandError(f"{name} is {format_value(x)}, of type {type(x).__name__}; give text (str)")


def _encodes(x: str) -> bool:
    try:
        x.encode()
    except UnicodeEncodeError:
        return False
    return True


def check_instance(x: Any, name: str, kind: type[T], what: str) -> T:
    """Return x, which must be an instance of a class.

    Raises
    ------
    OperandError
        If it is not.

    Examples
    --------
    >>> check_instance(1.5, "x", float, "a float, 1.5")
    1.5
    """
    if isinstance(x, kind):
        return x
    raise OperandError(f"{name} is {format_value(x)}, of type {type(x).__name__}; give {what}")
