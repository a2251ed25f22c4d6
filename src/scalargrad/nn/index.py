"""Check an index into a table of parameters."""

from __future__ import annotations

import operator
from typing import Any, overload

from scalargrad.errors import DomainError, OperandError
from scalargrad.ops import eq, floor, ge, lt
from scalargrad.system.short_repr import shown
from scalargrad.table import numbers
from scalargrad.value import Value


@overload
def checked_index(index: int, size: int, owner: object) -> int: ...
@overload
def checked_index(index: int | Value, size: int, owner: object) -> int | Value: ...
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
    if not numbers.holds(eq(floor(index), index)):
        raise OperandError(f"{owner} takes whole numbers as indices, not {index.data:g}")
    if not numbers.holds(ge(index, 0.0) * lt(index, size)):
        raise DomainError(f"{owner} was given index {index.data:g}; it has 0 … {size - 1}")
    return index
