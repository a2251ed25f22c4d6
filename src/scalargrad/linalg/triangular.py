"""Systems of linear equations with a triangular matrix."""

from __future__ import annotations

from typing import Any

from scalargrad.errors import DomainError
from scalargrad.linalg.matrices import Matrix, Vector, in_rows, is_open, number, returned, square
from scalargrad.table.validation import flag


def triangular_solve(a: Any, b: Any, *, lower: bool = True, transpose_a: bool = False) -> Any:
    """Solve a·x = b for a triangular matrix, such as a Cholesky factor.

    Parameters
    ----------
    a : n × n numbers
        Of which the diagonal and one side of it are read.
    b : n numbers, or n × m
        The right-hand side, or several side by side.
    lower : bool
        Whether what is below the diagonal is read, else what is above.
    transpose_a : bool
        Whether aᵀ·x = b is solved instead.

    Returns
    -------
    n numbers, or n × m
        x, in the shape of `b`.

    Raises
    ------
    OperandError
        If `a` is not square, or `b` has another number of rows.
    DomainError
        If a number on the diagonal is 0.

    Examples
    --------
    >>> triangular_solve([[2.0, 0.0], [1.0, 4.0]], [2.0, 9.0])
    [1.0, 2.0]
    >>> triangular_solve([[2.0, 0.0], [1.0, 4.0]], [4.0, 8.0], transpose_a=True)
    [1.0, 2.0]
    """
    rows, is_lower = square(a, "a"), flag(lower, "lower")
    if flag(transpose_a, "transpose_a"):
        rows, is_lower = [[*column] for column in zip(*rows, strict=True)], not is_lower
    right, is_vector = in_rows(b, "b", len(rows))
    for i, row in enumerate(rows):
        if not is_open(row[i]) and number(row[i]) == 0.0:
            raise DomainError(f"triangular_solve: a[{i}][{i}] is 0: such a matrix has no inverse")
    found = substituted(rows, right, lower=is_lower)
    return returned([x for (x,) in found] if is_vector else found, a, b)


def substituted(a: Matrix, right: Matrix, *, lower: bool) -> Matrix:
    """Return x of a·x = right, row by row from where one number is left."""
    n = len(a)
    columns = [_column(a, [*column], range(n) if lower else range(n - 1, -1, -1))
               for column in zip(*right, strict=True)]  # fmt: skip
    return [[*row] for row in zip(*columns, strict=True)]


def _column(a: Matrix, right: Vector, order: range) -> Vector:
    found = right
    for i in order:
        row, x = a[i], right[i]
        for j in range(order.start, i, order.step):
            x = x - row[j] * found[j]
        found[i] = x / row[i]
    return found
