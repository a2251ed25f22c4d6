"""Systems of linear equations with any square matrix, and its inverse."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scalargrad.linalg.matrices import (
    Matrix,
    Vector,
    above,
    in_rows,
    is_open,
    product,
    returned,
    square,
)
from scalargrad.linalg.triangular import substituted
from scalargrad.ops import maximum, sqrt

#: What is left of a column is rounding below its length times its number of rows times this.
_ROUNDING = 2.0**-52


def solve(a: Any, b: Any) -> Any:
    """Solve the linear equations a·x = b, as `numpy.linalg.solve`.

    Parameters
    ----------
    a : n × n numbers
    b : n numbers, or n × m
        The right-hand side, or several side by side.

    Returns
    -------
    n numbers, or n × m
        x, in the shape of `b`.

    Raises
    ------
    OperandError
        If `a` is not square, or `b` has another number of rows.
    DomainError
        If `a` is singular, but for rounding.

    Notes
    -----
    The columns are made orthogonal one after the other (modified Gram-Schmidt), which needs no
    exchange of rows, and so no choice: it is one program for all numbers. It takes three times as
    many operations as elimination; of a positive definite matrix, `cholesky` and
    `triangular_solve` take a sixth of it.

    References
    ----------
    Björck, Numerical Methods for Least Squares Problems, 1996, section 2.4.

    Examples
    --------
    >>> [round(x, 12) for x in solve([[2.0, 1.0], [1.0, 3.0]], [3.0, 5.0])]
    [0.8, 1.4]
    """
    rows = square(a, "a")
    right, is_vector = in_rows(b, "b", len(rows))
    found = _solved(rows, right, "solve")
    return returned([x for (x,) in found] if is_vector else found, a, b)


def inv(a: Any) -> Any:
    """Invert a matrix, as `numpy.linalg.inv`.

    Parameters
    ----------
    a : n × n numbers

    Raises
    ------
    OperandError
        If `a` is not square.
    DomainError
        If it is singular, but for rounding.

    Examples
    --------
    >>> inv([[2.0, 0.0], [0.0, 4.0]])
    [[0.5, 0.0], [0.0, 0.25]]
    """
    rows = square(a, "a")
    # In a compiled function its zeros are computed: among constants, loops are not found.
    zeros = [0.0 * row[0] if is_open(row[0]) else 0.0 for row in rows]
    identity = [[x + 1.0 if i == j else x for j in range(len(rows))] for i, x in enumerate(zeros)]
    return returned(_solved(rows, identity, "inv"), a)


def _solved(a: Matrix, right: Matrix, name: str) -> Matrix:
    """Return x of a·x = right, by orthogonal columns q with a = q·r."""
    n = len(a)
    sizes = [_largest(row, i, name) for i, row in enumerate(a)]  # of equations in other units
    columns = [_divided(column, sizes) for column in zip(*a, strict=True)]
    others = [_divided(column, sizes) for column in zip(*right, strict=True)]
    least = [(n * _ROUNDING) ** 2 * product(x, x) for x in columns]
    r: Matrix = [[0.0] * n for _ in a]
    projected: Matrix = [[] for _ in a]
    for k, column in enumerate(columns):
        what = (
            f"{name}: a is singular: its column {k} follows from those before it. Leave out "
            "equations that follow from others, or check how a is made"
        )
        left = above(product(column, column), least[k], what)
        r[k][k] = sqrt(left)
        q = [x / r[k][k] for x in column]
        for j in range(k + 1, n):
            r[k][j] = _project(columns[j], q)
        projected[k] = [_project(column, q) for column in others]
    return substituted(r, projected, lower=False)


def _largest(row: Vector, i: int, name: str) -> Any:
    """Return the largest magnitude in an equation, as a constant."""
    found = maximum(*map(abs, row))
    if is_open(found):
        return found.detach()
    return above(found, 0.0, f"{name}: a is singular: its row {i} holds only zeros")


def _divided(column: Sequence[Any], by: Vector) -> Vector:
    return [x / size for x, size in zip(column, by, strict=True)]


def _project(column: Vector, q: Vector) -> Any:
    """Take out of a column how much of q is in it, and return that."""
    share = product(q, column)
    for i, x in enumerate(q):
        column[i] = column[i] - share * x
    return share
