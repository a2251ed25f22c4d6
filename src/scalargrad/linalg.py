"""Linear algebra on matrices of numbers and Values, with derivatives of any order.

A matrix is a list of rows, or a NumPy array of two axes; a vector is a list, or an array of one.
Results are arrays if an argument is one, else lists. The names are those of NumPy and JAX, whose
own functions take floats only. Each function is a loop over scalars, which `jit` compiles:

>>> from scalargrad import grad
>>> from scalargrad.linalg import logdet, solve
>>> solve([[2.0, 0.0], [0.0, 4.0]], [3.0, 5.0])
[1.5, 1.25]
>>> grad(logdet)([[4.0, 0.0], [0.0, 16.0]])
[[0.25, 0.0], [-0.0, 0.0625]]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from scalargrad.errors import DomainError, OperandError
from scalargrad.grad_mode import recorder
from scalargrad.ops import dot, log, maximum, sqrt, where
from scalargrad.system.short_repr import format_value, pluralize
from scalargrad.table.numbers import as_float
from scalargrad.table.validation import flag
from scalargrad.tree import flatten, is_array
from scalargrad.value import Value

__all__ = ["cholesky", "inv", "logdet", "matmul", "solve", "triangular_solve"]

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
        raise OperandError(f"{name} is {format_value(x)}: give a list or an array of numbers")
    found = [y if isinstance(y, Value) else as_float(y, f"{name}[{i}]") for i, y in enumerate(x)]
    if count is not None and len(found) != count:
        raise OperandError(f"{name} has {pluralize(len(found), 'number')}: give {count}")
    return found


def matrix(x: Any, name: str) -> Matrix:
    """Return a matrix of at least one row and column as a new list of rows.

    Raises
    ------
    OperandError
        If it is none, or its rows are of different lengths.
    """
    if not (is_matrix(x) and len(x) and all(map(_is_row, x))):
        raise OperandError(
            f"{name} is {format_value(x)}: give a matrix, as a list of rows or an array"
        )
    rows = [vector(row, f"{name}[{i}]") for i, row in enumerate(x)]
    lengths = [*map(len, rows)]
    if 0 in lengths or len({*lengths}) > 1:
        raise OperandError(
            f"{name} has rows of {format_value(lengths)} numbers: give rows of one length"
        )
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
            f"{name} has {pluralize(len(rows), 'row')} of {pluralize(len(rows[0]), 'number')}: "
            "give a square matrix"
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
        raise OperandError(f"{name} has {pluralize(len(rows), 'row')}: give {count}")
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
            f"a has {pluralize(len(rows[0]), 'column')} and b {pluralize(len(columns[0]), 'row')}: "
            "give as many, or transpose one"
        )
    found: Any = [[product(row, column) for column in columns] for row in rows]
    if not is_matrix(b):
        found = [x for (x,) in found]
    if not is_matrix(a):
        (found,) = found
    return found if not isinstance(found, list) else returned(found, a, b)


def cholesky(a: Any) -> Any:
    """Factor a symmetric positive definite matrix, a = L·Lᵀ, as `numpy.linalg.cholesky`.

    Parameters
    ----------
    a : n × n numbers
        Of which the diagonal and what is below it are read.

    Returns
    -------
    n × n numbers
        L, with zeros above the diagonal.

    Raises
    ------
    OperandError
        If `a` is not square.
    DomainError
        If it is not positive definite.

    Notes
    -----
    What is above the diagonal of `a` counts as what is below it, and its gradient is 0: of a matrix
    whose two halves are computed alike, the gradients by what they are computed from are right.

    Examples
    --------
    >>> cholesky([[4.0, 2.0], [2.0, 5.0]])
    [[2.0, 0.0], [1.0, 2.0]]
    """
    factor = _factor(square(a, "a"), "cholesky")
    n = len(factor)
    return returned([[*row, *[0.0] * (n - len(row))] for row in factor], a)


def logdet(a: Any, *, factored: bool = False) -> Any:
    """Compute the logarithm of the determinant of a symmetric positive definite matrix.

    Parameters
    ----------
    a : n × n numbers
        The matrix, read as by `cholesky`.
    factored : bool
        Whether `a` is the Cholesky factor of the matrix, as if it is needed elsewhere, too.

    Raises
    ------
    OperandError
        If `a` is not square.
    DomainError
        If it is not positive definite.

    Examples
    --------
    >>> a = [[4.0, 2.0], [2.0, 5.0]]
    >>> [f"{x:.6f}" for x in (logdet(a), logdet(cholesky(a), factored=True))]
    ['2.772589', '2.772589']
    """
    rows = square(a, "a")
    if not flag(factored, "factored"):
        rows = _factor(rows, "logdet")
    found: Any = 0.0
    for i, row in enumerate(rows):
        found = found + log(row[i])
    return 2.0 * found


def _factor(a: Matrix, name: str) -> Matrix:
    """Return the rows of the factor up to the diagonal, computed column by column."""
    factor: Matrix = [[] for _ in a]
    for j, across in enumerate(factor):
        rest = a[j][j]
        for k in range(j):
            rest = rest - across[k] * across[k]
        what = (
            f"{name}: a is not positive definite: of a[{j}][{j}], {{:g}} is left. Add a small "
            "number to the diagonal, such as 1e-8, or check whether a is a covariance"
        )
        pivot = sqrt(above(rest, 0.0, what))
        across.append(pivot)
        for i in range(j + 1, len(a)):
            row, x = factor[i], a[i][j]
            for k in range(j):
                x = x - row[k] * across[k]
            row.append(x / pivot)
    return factor


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


#: Machine epsilon. The rest of a column is rounding if it is shorter than the column was, times its
#: number of rows, times this.
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
