"""Telling a batch of examples from a single one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from scalargrad.errors import OperandError
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


def each_row(x: Iterable[Any], forward: Callable[[Any], Any]) -> list[Any]:
    """Return what a module makes of each example of a batch, or of a batch of batches.

    Raises
    ------
    OperandError
        If lists contain themselves, or are nested more deeply than Python recurs.

    Examples
    --------
    >>> each_row([[1.0, 2.0], [3.0, 4.0]], sum)
    [3.0, 7.0]
    """
    try:
        return [forward(row) for row in x]
    except RecursionError as error:
        raise OperandError(
            "what a module was given contains itself, or is nested too deeply"
        ) from error
