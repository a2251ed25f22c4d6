"""Inputs of modules: a batch told from a single example, their length, indices of tables."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from scalargrad.errors import DomainError, OperandError
from scalargrad.ops import eq, floor, ge, lt
from scalargrad.system.short_repr import shown
from scalargrad.table import numbers
from scalargrad.table.validation import listed
from scalargrad.tree import nesting_error
from scalargrad.value import Value


def are_rows(x: Any) -> bool:
    """Return whether the items of `x` are examples of their own, not the numbers of one.

    Examples
    --------
    >>> are_rows([[1.0, 2.0], [3.0, 4.0]]), are_rows([1.0, 2.0]), are_rows([])
    (True, False, False)
    """
    if not isinstance(x, list | tuple):
        return getattr(x, "ndim", 0) > 1
    first = x[0] if x else 0.0
    if isinstance(first, Value | float):
        return False
    return isinstance(first, list | tuple | Mapping) or getattr(first, "ndim", 0) > 0


def listed_inputs(x: Any, owner: object) -> list[Any]:
    """Return the input of a module as a list; text and dicts, whose keys would be taken, are none.

    Raises
    ------
    OperandError
        If it is no list or other iterable of inputs.

    Examples
    --------
    >>> listed_inputs((1.0, 2.0), "a module")
    [1.0, 2.0]
    """
    if isinstance(x, list | tuple):
        return list(x)
    return listed(x, f"the input of {owner}", "numbers")


def of_length(x: Any, length: int, owner: object) -> list[Any]:
    """Return the inputs of a module as a list of that length.

    Raises
    ------
    OperandError
        If there are others.

    Examples
    --------
    >>> of_length((1.0, 2.0), 2, "a module")
    [1.0, 2.0]
    """
    row = listed_inputs(x, owner)
    if len(row) != length:
        raise OperandError(f"{owner} has {length} inputs but was given {len(row)}")
    return row


def by_row(x: Any, length: int, owner: Any, compute: Callable[[list[Any]], Any]) -> Any:
    """Return the output for one example, by `compute`, or the module's outputs for a batch."""
    row = listed_inputs(x, owner)
    if are_rows(row):
        try:
            return [owner.forward(x) for x in row]
        except RecursionError as error:
            raise nesting_error([(f"what {owner} is given", row)], error) from None
    return compute(of_length(row, length, owner))


def checked_index(index: Any, size: int, owner: object) -> Any:
    """Return `index` as an int in 0 … size - 1, or say what is wrong with it.

    A Value, as every number is in a compiled function, stays one.

    Examples
    --------
    >>> checked_index(2, 3, "a table")
    2
    """
    if isinstance(index, Value):
        return _checked_value(index, size, owner)
    try:
        number = operator.index(index)
    except TypeError:
        raise OperandError(f"{owner} takes whole numbers as indices, not {shown(index)}") from None
    if not 0 <= number < size:
        raise DomainError(f"{owner} was given index {number}; it has 0 … {size - 1}")
    return number


def _checked_value(index: Value, size: int, owner: object) -> Value:
    if not numbers.is_true_for_all(eq(floor(index), index)):
        raise OperandError(
            f"{owner} takes whole numbers as indices, not {numbers.format_data(index)}"
        )
    if not numbers.is_true_for_all(ge(index, 0.0) * lt(index, size)):
        raise DomainError(
            f"{owner} was given index {numbers.format_data(index)}; it has 0 … {size - 1}"
        )
    return index
