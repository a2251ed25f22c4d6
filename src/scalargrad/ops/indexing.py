"""Look up entries of a list by a computed index."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, cast

from scalargrad.errors import OperandError
from scalargrad.grad_mode import recorder
from scalargrad.ops.rounding import floor
from scalargrad.ops.selection import eq, ge, le, lt, ne, where
from scalargrad.system.short_repr import format_value
from scalargrad.table.numbers import format_data, holds, is_real
from scalargrad.table.validation import scalars

__all__ = ["argmax", "argmin", "take"]


def argmax(values: Iterable[Any]) -> int:
    """Return the index of the largest number, the first of equals; a NaN counts as the largest.

    Parameters
    ----------
    values : iterable of n scalars

    Returns
    -------
    int
        From 0 to n - 1, through which no gradient flows. In a compiled function, which looks at
        each call, it is a Value: look up what belongs to it by `take`.

    Raises
    ------
    OperandError
        If there are no numbers.

    Examples
    --------
    >>> argmax([0.1, 0.7, 0.2]), take(["cat", "dog", "cow"], argmax([0.1, 0.7, 0.2]))
    (1, 'dog')
    """
    return cast("int", _arg_best(values, "argmax", max, ge))


def argmin(values: Iterable[Any]) -> int:
    """Return the index of the smallest number, the first of equals; otherwise as `argmax`.

    Examples
    --------
    >>> argmin([0.1, 0.7, 0.2])
    0
    """
    return cast("int", _arg_best(values, "argmin", min, le))


def _arg_best(values: Iterable[Any], name: str, best_of: Any, holds_against: Any) -> Any:
    """Return the index of the best of some numbers; by operations, if a function is recorded."""
    found = scalars(values, f"what {name} is given")
    if not found:
        raise OperandError(f"{name} of no numbers is undefined: give at least one")
    if recorder() is None:
        nans = (i for i, x in enumerate(found) if math.isnan(getattr(x, "data", x)))
        first = next(nans, None)
        return best_of(range(len(found)), key=found.__getitem__) if first is None else first
    best, place = found[0], 0.0
    for i, x in enumerate(found):
        stays = where(ne(best, best), 1.0, holds_against(best, x))
        best, place = where(stays, best, x), where(stays, place, float(i))
    return place


def take(values: Any, index: Any) -> Any:
    """Return ``values[index]`` for an index that may be computed: a token, a class.

    Parameters
    ----------
    values : sequence or array of length n
        Numbers and Values, or rows of them (a table of embeddings).
    index : scalar
        A whole number from -n to n - 1; a negative one counts from the end. With a number, the
        entry itself is returned. In a compiled function, where every number is a Value, the
        entry is looked up at each call: one node, whatever n is.

    Raises
    ------
    IndexError
        If the index is out of range, or is not a whole number.

    Notes
    -----
    The gradient goes to the entry chosen; none goes to the index.

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
    if not holds(ge(index, -size) * lt(index, size) * eq(floor(index), index)):
        raise IndexError(
            f"take: index {format_data(index)} is not a whole number from {-size} to {size - 1}"
        )
    return _entry(values, index)


def _entry(values: Any, index: Any) -> Any:
    """Return the entry at a computed index, a row number by number."""
    first = values[0]
    if getattr(first, "ndim", 0):
        row = first.astype(object)
        row.flat = _entry([x.ravel().tolist() for x in values], index)
        return row
    if isinstance(first, list | tuple):
        _require_even(values)
        return [_entry(column, index) for column in zip(*values, strict=True)]
    return _choice(values, index)


def _require_even(rows: Any) -> None:
    """Raise OperandError unless all rows have the length of the first."""
    if {len(row) if isinstance(row, list | tuple) else -1 for row in rows} != {len(rows[0])}:
        raise OperandError(
            "take: a computed index chooses among rows of one length; these differ: pad them, "
            "or give the index as a number"
        )


def _choice(values: Sequence[Any], index: Any) -> Any:
    """Return one of several numbers; compiled code looks it up instead."""
    current = recorder()
    if current is not None:
        return current.take(values, index)
    chosen: Any = math.nan
    for k, value in enumerate(values):
        here = eq(index, float(k)) + eq(index, float(k - len(values)))
        chosen = where(here, value, chosen)
    return chosen
