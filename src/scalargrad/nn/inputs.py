"""Checks of the inputs of modules: batch or single example, length, and indices of embeddings."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from scalargrad.checks import numbers
from scalargrad.checks.arguments import check_list
from scalargrad.engine.tree import nesting_error
from scalargrad.engine.value import Value
from scalargrad.errors import DomainError, OperandError
from scalargrad.ops import eq, floor, ge, lt
from scalargrad.system.short_repr import format_value


def is_batch(x: Any) -> bool:
    """Return True if the items of `x` are examples, not the numbers of a single example.

    Examples
    --------
    >>> is_batch([[1.0, 2.0], [3.0, 4.0]]), is_batch([1.0, 2.0]), is_batch([])
    (True, False, False)
    """
    if not isinstance(x, list | tuple):
        return getattr(x, "ndim", 0) > 1
    first = x[0] if x else 0.0
    if isinstance(first, Value | float):
        return False
    return isinstance(first, list | tuple | Mapping) or getattr(first, "ndim", 0) > 0


def as_input_list(x: Any, owner: object) -> list[Any]:
    """Return the input of a module as a list.

    Raises
    ------
    OperandError
        If `x` is not iterable, or is text or a dict.

    Examples
    --------
    >>> as_input_list((1.0, 2.0), "a module")
    [1.0, 2.0]
    """
    if isinstance(x, list | tuple):
        return list(x)
    return check_list(x, f"the input of {owner}", "numbers")


def check_length(x: Any, length: int, owner: object) -> list[Any]:
    """Return the input of a module as a list, which must have this length.

    Raises
    ------
    OperandError
        If the length differs.

    Examples
    --------
    >>> check_length((1.0, 2.0), 2, "a module")
    [1.0, 2.0]
    """
    row = as_input_list(x, owner)
    if len(row) != length:
        raise OperandError(f"{owner} takes {length} inputs, not {len(row)}")
    return row


def map_batch(x: Any, length: int, owner: Any, compute: Callable[[list[Any]], Any]) -> Any:
    """Return `compute` of one example, or the outputs of the module for each of a batch."""
    row = as_input_list(x, owner)
    if is_batch(row):
        try:
            return [owner.forward(x) for x in row]
        except RecursionError as error:
            raise nesting_error([(f"the input of {owner}", row)], error) from None
    return compute(check_length(row, length, owner))


def check_index(index: Any, size: int, owner: object) -> Any:
    """Return `index` as an int in 0 … size - 1, or raise an error.

    A Value is checked and returned, because all numbers are Values while a function is traced.

    Examples
    --------
    >>> check_index(2, 3, "a table")
    2
    """
    if isinstance(index, Value):
        return _check_value_index(index, size, owner)
    try:
        number = operator.index(index)
    except TypeError:
        raise OperandError(
            f"{owner} takes whole numbers as indices, not {format_value(index)}"
        ) from None
    if not 0 <= number < size:
        raise DomainError(f"index {number} of {owner} is out of range: use 0 … {size - 1}")
    return number


def _check_value_index(index: Value, size: int, owner: object) -> Value:
    if not numbers.is_true_for_all(eq(floor(index), index)):
        raise OperandError(
            f"{owner} takes whole numbers as indices, not {numbers.format_data(index)}"
        )
    if not numbers.is_true_for_all(ge(index, 0.0) * lt(index, size)):
        raise DomainError(
            f"index {numbers.format_data(index)} of {owner} is out of range: use 0 … {size - 1}"
        )
    return index
