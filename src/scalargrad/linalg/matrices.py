"""Matrices and vectors as lists, read from arguments and returned as these were given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scalargrad.errors import DomainError, OperandError
from scalargrad.grad_mode import recorder
from scalargrad.ops import dot, where
from scalargrad.system.short_repr import counted, shown
from scalargrad.table.numbers import as_float
from scalargrad.tree import flatten, is_array
from scalargrad.value import Value

Vector = list[Any]
Matrix = list[list[Any]]


def vector(x: Any, name: str, count: int | None = None) -> Vector:
    """Return the numbers of a vector as a new list.

    Parameters
    ----------
    x : list, tuple or array of n numbers
    name : str
        What it is called in messages.
    count : int, optional
        The n it must have.

    Raises
    ------
    OperandError
        If it is none, or of another length.
    """
    if not _is_row(x):
        raise OperandError(f"{name} is {shown(x)}: give a list or an array of numbers")
    found = [y if isinstance(y, Value) else as_float(y, f"{name}[{i}]") for i, y in enumerate(x)]
    if count is not None and len(found) != count:
        raise OperandError(f"{name} has {counted(len(found), 'number')}: give {count}")
    return found


def matrix(x: Any, name: str) -> Matrix:
    """Return a matrix of at least one row and column as a new list of rows.

    Raises
    ------
    OperandError
        If it is none, or its rows are of different lengths.
    """
    if not (is_matrix(x) and len(x) and all(map(_is_row, x))):
        raise OperandError(f"{name} is {shown(x)}: give a matrix, as a list of rows or an array")
    rows = [vector(row, f"{name}[{i}]") for i, row in enumerate(x)]
    lengths = [*map(len, rows)]
    if 0 in lengths or len({*lengths}) > 1:
        raise OperandError(f"{name} has rows of {shown(lengths)} numbers: give rows of one length")
    return rows


def square(x: Any, name: str) -> Matrix:
    """Return a matrix of n rows and n columns as a new list of rows.

    Raises
    ------
    OperandError
        If it is none.
    """
    rows = matrix(x, name)
    if len(rows) != len(rows[0]):
        raise OperandError(
            f"{name} has {counted(len(rows), 'row')} of {counted(len(rows[0]), 'number')}: give a "
            "square matrix"
        )
    return rows


def is_matrix(x: Any) -> bool:
    """Return whether something has rows."""
    return _is_row(x) and len(x) > 0 and (_is_row(x[0]) or getattr(x, "ndim", 1) > 1)


def _is_row(x: Any) -> bool:
    return isinstance(x, list | tuple) or (is_array(x) and x.ndim > 0)


def returned(x: Any, *given: Any) -> Any:
    """Return a vector or matrix as an array if an argument was one, else as lists."""
    if not any(map(is_array, given)):
        return x
    import numpy as np

    shape = (len(x), len(x[0])) if is_matrix(x) else (len(x),)
    numbers, rebuild = flatten(np.zeros(shape), "a result")[1], flatten(x, "a result")[0]
    return numbers(iter(rebuild))


def in_rows(x: Any, name: str, count: int) -> tuple[Matrix, bool]:
    """Return a right-hand side as a matrix, and whether it is a vector, which is one column."""
    if not is_matrix(x):
        return [[y] for y in vector(x, name, count)], True
    rows = matrix(x, name)
    if len(rows) != count:
        raise OperandError(f"{name} has {counted(len(rows), 'row')}: give {count}")
    return rows, False


def is_open(x: Any) -> bool:
    """Return whether a number is one of a recording, which has none yet."""
    return isinstance(x, Value) and recorder() is not None


def number(x: Any) -> float:
    """Return the number of a float or Value."""
    found: float = x.data if isinstance(x, Value) else x
    return found


def above(x: Any, least: Any, what: str) -> Any:
    """Return a number that must be above another.

    A compiled function does not ask: it takes the root of -1, and so its call is made eagerly, and
    ends here.

    Raises
    ------
    DomainError
        If it is not; `what` says what is wrong, with "{:g}" for the number.
    """
    if is_open(x) or is_open(least):
        return where(x > least, x, -1.0)
    if not number(x) > number(least):
        raise DomainError(what.format(number(x)))
    return x


def product(x: Sequence[Any], y: Sequence[Any]) -> Any:
    """Return the sum of products: one node, or in a compiled function steps of a loop."""
    if recorder() is None:
        return dot(x, y)
    found: Any = 0.0
    for u, v in zip(x, y, strict=True):
        found = found + u * v
    return found


def matmul(a: Any, b: Any) -> Any:
    """Multiply matrices and vectors, as `numpy.matmul`.

    Parameters
    ----------
    a : n × k numbers, or k
    b : k × m numbers, or k

    Returns
    -------
    n × m numbers, n or m numbers, or one
        a·b, without the axis of n if `a` is a vector, and that of m if `b` is one.

    Raises
    ------
    OperandError
        If one is neither, or their k differ.

    Examples
    --------
    >>> matmul([[1.0, 2.0], [3.0, 4.0]], [10.0, 100.0])
    [210.0, 430.0]
    """
    rows = matrix(a, "a") if is_matrix(a) else [vector(a, "a")]
    columns = (
        [[*x] for x in zip(*matrix(b, "b"), strict=True)] if is_matrix(b) else [vector(b, "b")]
    )
    if len(rows[0]) != len(columns[0]):
        raise OperandError(
            f"a has {counted(len(rows[0]), 'column')} and b {counted(len(columns[0]), 'row')}: "
            "give as many, or transpose one"
        )
    found: Any = [[product(row, column) for column in columns] for row in rows]
    if not is_matrix(b):
        found = [x for (x,) in found]
    if not is_matrix(a):
        (found,) = found
    return found if not isinstance(found, list) else returned(found, a, b)
