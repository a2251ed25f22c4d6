"""Cut data into chunks, and add up the results of these, which are trees of numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

from scalargrad.errors import OperandError
from scalargrad.system.short_repr import shown
from scalargrad.table.numbers import is_real, widened
from scalargrad.table.validation import whole
from scalargrad.tree import like

#: The default number of chunks. It does not depend on the number of workers, as digits would.
CHUNKS = 32


def cut(data: Any, chunks: int | None) -> list[Any]:
    """Return data in chunks whose sizes differ by one at most.

    Parameters
    ----------
    data : sequence, array, or tuple of them
        Cut along the first axis; a tuple part by part.
    chunks : int or None

    Raises
    ------
    OperandError
        If there are no data, parts of a tuple differ in length, or there are more chunks than
        data.
    """
    n = _length(data)
    count = min(n, CHUNKS) if chunks is None else whole(chunks, "chunks")
    if not 1 <= count <= n:
        raise OperandError(f"chunks is {chunks}: give a number from 1 to {n}, the length of data")
    bounds = [n * i // count for i in range(count + 1)]
    return [_stretch(data, a, b) for a, b in pairwise(bounds)]


def _length(data: Any) -> int:
    parts = data if isinstance(data, tuple) else (data,)
    remedy = "give a list, an array, or a tuple of them, as in (X, y)"
    try:
        if any(isinstance(x, str | bytes | Mapping) for x in parts):
            raise TypeError
        lengths = {len(x) for x in parts}
    except TypeError:
        raise OperandError(f"data have no length: {remedy}") from None
    try:
        _stretch(data, 0, 0)
    except (TypeError, LookupError):
        raise OperandError(f"data cannot be cut into slices: {remedy}") from None
    if len(lengths) > 1:
        shown = ", ".join(str(len(x)) for x in parts)
        raise OperandError(f"the parts of data have lengths {shown}: give one length to all")
    if lengths <= {0}:
        raise OperandError("there are no data to sum over: give at least one item")
    return lengths.pop()


def _stretch(data: Any, start: int, stop: int) -> Any:
    if isinstance(data, tuple):
        return tuple(_stretch(x, start, stop) for x in data)
    return getattr(data, "iloc", data)[start:stop]  # of a DataFrame the rows, by number


def owned(tree: Any) -> Any:
    """Return a tree of numbers in containers and arrays of its own, which `f` may use again.

    Integers of fewer than 64 bits become such of 64, as in NumPy's own sums: they would overflow.
    """
    if isinstance(tree, dict):
        return {key: owned(x) for key, x in tree.items()}
    if isinstance(tree, list | tuple):
        items = tree if {*map(type, tree)} <= {float, int} else [owned(x) for x in tree]
        return like(tree, items)
    wide = widened(tree, "iu")
    return wide.copy() if wide is tree and hasattr(getattr(tree, "dtype", None), "kind") else wide


def added(totals: Iterator[Any]) -> Any:
    """Add up trees of numbers, one after the other."""
    total = next(totals)
    _require_numbers(total, "f(params, chunk)")
    for other in totals:
        total = _sum(total, other, "f(params, chunk)")
    return total


def _sum(a: Any, b: Any, where: str) -> Any:
    if isinstance(a, dict) and isinstance(b, dict) and a.keys() == b.keys():
        return {key: _sum(x, b[key], f"{where}[{key!r}]") for key, x in a.items()}
    if isinstance(a, list | tuple) and type(a) is type(b) and len(a) == len(b):
        items = [_sum(x, y, f"{where}[{i}]") for i, (x, y) in enumerate(zip(a, b, strict=True))]
        return like(a, items)
    if _is_number(a) and _is_number(b) and getattr(a, "shape", ()) == getattr(b, "shape", ()):
        return a + b
    raise OperandError(
        f"{where} is {shown(a)} for one chunk and {shown(b)} for another: return numbers in the "
        "same containers for each"
    )


def _require_numbers(tree: Any, where: str) -> None:
    if isinstance(tree, dict):
        for key, x in tree.items():
            _require_numbers(x, f"{where}[{key!r}]")
    elif isinstance(tree, list | tuple):
        for i, x in enumerate(tree):
            _require_numbers(x, f"{where}[{i}]")
    elif not _is_number(tree):
        raise OperandError(
            f"{where} is {shown(tree)}, of type {type(tree).__name__}: return numbers and "
            "arrays of numbers, as value_and_grad does; of a Value, its .data"
        )


def _is_number(x: Any) -> bool:
    """Return whether something is a number, or an array of numbers."""
    return is_real(x) or getattr(getattr(x, "dtype", None), "kind", "") in {"f", "i", "u"}
