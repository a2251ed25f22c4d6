"""Indices into tables of parameters."""

from __future__ import annotations

import operator
from typing import Any

from scalargrad.errors import DomainError, OperandError


def checked_index(index: Any, size: int, owner: object) -> int:
    """Return `index` as an int in 0 … size - 1, or say what is wrong with it.

    Examples
    --------
    >>> checked_index(2, 3, "a table")
    2
    """
    try:
        number = operator.index(index)
    except TypeError:
        raise OperandError(f"{owner} takes whole numbers as indices, not {index!r:.60}") from None
    if not 0 <= number < size:
        raise DomainError(f"{owner} was given index {number}; it has 0 … {size - 1}")
    return number
