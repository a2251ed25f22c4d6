"""Lookup of list entries by an index that may be a Value, and indices of extrema."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from scalargrad.checks.arguments import check_scalars
from scalargrad.checks.numbers import format_data, is_real, is_true_for_all
from scalargrad.engine.recorder import record_lookup, trace_as
from scalargrad.errors import OperandError
from scalargrad.ops.rounding import floor
from scalargrad.ops.selection import eq, ge, le, lt, ne, where
from scalargrad.system.short_repr import format_value

__all__ = ["argmax", "argmin", "take"]


def argmax(values: Iterable[Any]) -> int:
    """Return the index of the largest number, the first one in a tie; a NaN counts as the largest.

    Parameters
    ----------
    values : iterable of n scalars

    Returns
    -------
    int
        From 0 to n - 1; no gradient flows through it. In a compiled function it is a Value, found
        at each call: use `take` to look up the corresponding entry of a list.

    Raises
    ------
    OperandError
        If there are no numbers.

    Examples
    --------
    >>> argmax([0.1, 0.7, 0.2]), take(["cat", "dog", "cow"], argmax([0.1, 0.7, 0.2]))
    (1, 'dog')
    """
    index: int = _index_of(max, values)
    return index


def argmin(values: Iterable[Any]) -> int:
    """Return the index of the smallest number; see `argmax` for ties, NaN and compiled functions.

    Examples
    --------
    >>> argmin([0.1, 0.7, 0.2])
    0
    """
    index: int = _index_of(min, values)
    return index


def _no_numbers_error(best_of: Any) -> OperandError:
    return OperandError(f"arg{best_of.__name__} of no numbers is undefined: give at least one")


def _trace_index_of(best_of: Any, values: Iterable[Any]) -> Any:
    """Return the index of the largest or smallest number as a Value, computed by comparisons."""
    numbers = check_scalars(values, f"the argument of arg{best_of.__name__}")
    if not numbers:
        raise _no_numbers_error(best_of)
    is_as_good = ge if best_of is max else le
    best, index = numbers[0], 0.0
    for i, x in enumerate(numbers):
        is_kept = where(ne(best, best), 1.0, is_as_good(best, x))
        best, index = where(is_kept, best, x), where(is_kept, index, float(i))
    return index


@trace_as(_trace_index_of)
def _index_of(best_of: Any, values: Iterable[Any]) -> Any:
    """Return the index of the largest or smallest number, or of the first nan."""
    numbers = check_scalars(values, f"the argument of arg{best_of.__name__}")
    if not numbers:
        raise _no_numbers_error(best_of)
    nans = [i for i, x in enumerate(numbers) if math.isnan(getattr(x, "data", x))]
    return nans[0] if nans else best_of(range(len(numbers)), key=numbers.__getitem__)


def take(values: Any, index: Any) -> Any:
    """Return ``values[index]`` for an index that may be a Value, such as a token or a class.

    Parameters
    ----------
    values : sequence or array of length n
        Numbers and Values, or rows of them (a table of embeddings).
    index : scalar
        A whole number from -n to n - 1; negative ones count from the end. For a plain number, the
        entry itself is returned. In a compiled function, where every number is a Value, the
        entry is looked up at each call, by one node for any n.

    Raises
    ------
    IndexError
        If the index is out of range, or is not a whole number.

    Notes
    -----
    The gradient flows to the selected entry; the index receives none.

    Examples
    --------
    >>> take([10.0, 20.0, 30.0], 1)
    20.0
    """
    entries = hasattr(values, "__getitem__") and getattr(values, "ndim", 1) != 0
    if not entries or isinstance(values, dict | type):
        raise OperandError(f"take: values is {format_value(values)}; give a list or an array")
    size = len(values)
    if is_real(index):
        if not -size <= index < size or index != int(index):
            raise IndexError(
                f"take: index {format_value(index)} is not a whole number from {-size} to "
                f"{size - 1}"
            )
        return values[int(index)]
    if not is_true_for_all(ge(index, -size) * lt(index, size) * eq(floor(index), index)):
        raise IndexError(
            f"take: index {format_data(index)} is not a whole number from {-size} to {size - 1}"
        )
    return _entry(values, index)


def _entry(values: Any, index: Any) -> Any:
    """Return the entry at an index that is a Value; of a row, each number."""
    first = values[0]
    if getattr(first, "ndim", 0):
        row = first.astype(object)
        row.flat = _entry([x.ravel().tolist() for x in values], index)
        return row
    if isinstance(first, list | tuple):
        _require_equal_lengths(values)
        return [_entry(column, index) for column in zip(*values, strict=True)]
    return _select(values, index)


def _require_equal_lengths(rows: Any) -> None:
    """Raise OperandError unless all rows have the same length."""
    if {len(row) if isinstance(row, list | tuple) else -1 for row in rows} != {len(rows[0])}:
        raise OperandError(
            "take: with a Value as index, all rows must have the same length: pad them, or give "
            "the index as a number"
        )


@trace_as(record_lookup)
def _select(values: Sequence[Any], index: Any) -> Any:
    """Return the number at an index, by comparisons with all indices; compiled code gathers it."""
    selected: Any = math.nan
    for k, value in enumerate(values):
        is_here = eq(index, float(k)) + eq(index, float(k - len(values)))
        selected = where(is_here, value, selected)
    return selected
