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

from scalargrad.checks.arguments import check_flag
from scalargrad.checks.numbers import as_float
from scalargrad.engine.recorder import is_traced, trace_as
from scalargrad.engine.tree import flatten, is_array
from scalargrad.engine.value import Value
from scalargrad.errors import DomainError, OperandError
from scalargrad.ops import dot, log, maximum, sqrt, where
from scalargrad.system.short_repr import format_value, pluralize

__all__ = ["cholesky", "inv", "logdet", "matmul", "solve", "triangular_solve"]

Vector = list[Any]
Matrix = list[list[Any]]


def as_vector(x: Any, name: str, count: int | None = None) -> Vector:
    """Check a vector, and return its numbers as a new list.

    Parameters
    ----------
    x : list, tuple or array of n numbers
    name : str
        Name for messages.
    count : int, optional
        The required length.

    Raises
    ------
    OperandError
        If it is not a vector, or has another length.
    """
    if not _is_row(x):
        raise OperandError(f"{name} is {format_value(x)}: give a list or an array of numbers")
    found = [y if isinstance(y, Value) else as_float(y, f"{name}[{i}]") for i, y in enumerate(x)]
    if count is not None and len(found) != count:
        raise OperandError(f"{name} has {pluralize(len(found), 'number')}: give {count}")
    return found


def as_matrix(x: Any, name: str) -> Matrix:
    """Check a matrix, which must not be empty, and return it as a new list of rows.

    Raises
    ------
    OperandError
        If it is not a matrix, or its rows have different lengths.
    """
    if not (is_matrix(x) and len(x) and all(map(_is_row, x))):
        raise OperandError(
            f"{name} is {format_value(x)}: give a matrix, as a list of rows or an array"
        )
    rows = [as_vector(row, f"{name}[{i}]") for i, row in enumerate(x)]
    lengths = [*map(len, rows)]
    if 0 in lengths or len({*lengths}) > 1:
        raise OperandError(
            f"{name} has rows of {format_value(lengths)} numbers: give rows of one length"
        )
    return rows


def as_square_matrix(x: Any, name: str) -> Matrix:
    """Check a square matrix, and return it as a new list of rows.

    Raises
    ------
    OperandError
        If it is not a square matrix.
    """
    rows = as_matrix(x, name)
    if len(rows) != len(rows[0]):
        raise OperandError(
            f"{name} has {pluralize(len(rows), 'row')} of {pluralize(len(rows[0]), 'number')}: "
            "give a square matrix"
        )
    return rows


def is_matrix(x: Any) -> bool:
    """Return True if x has rows."""
    return _is_row(x) and len(x) > 0 and (_is_row(x[0]) or getattr(x, "ndim", 1) > 1)


def _is_row(x: Any) -> bool:
    return isinstance(x, list | tuple) or (is_array(x) and x.ndim > 0)


def like_arguments(x: Any, *given: Any) -> Any:
    """Return a vector or matrix as an array if an argument is an array, else as lists."""
    if not any(map(is_array, given)):
        return x
    import numpy as np

    shape = (len(x), len(x[0])) if is_matrix(x) else (len(x),)
    numbers, rebuild = flatten(np.zeros(shape), "a result")[1], flatten(x, "a result")[0]
    return numbers(iter(rebuild))


def as_rows(x: Any, name: str, count: int) -> tuple[Matrix, bool]:
    """Return a right-hand side as rows, and whether it is a vector, which becomes one column."""
    if not is_matrix(x):
        return [[y] for y in as_vector(x, name, count)], True
    rows = as_matrix(x, name)
    if len(rows) != count:
        raise OperandError(f"{name} has {pluralize(len(rows), 'row')}: give {count}")
    return rows, False


def data_of(x: Any) -> float:
    """Return a float, or the data of a Value."""
    data: float = x.data if isinstance(x, Value) else x
    return data


def require_above(x: Any, least: Any, what: str) -> Any:
    """Check that a number is above `least`, and return it.

    A compiled function replaces an invalid number by -1. The root or logarithm of it is outside its
    domain, so the call is repeated eagerly, and raises the error.

    Raises
    ------
    DomainError
        If the number is not above `least`, with the message `what`; "{:g}" in it is replaced by the
        number.
    """
    if is_traced(x) or is_traced(least):
        return where(x > least, x, -1.0)
    if not data_of(x) > data_of(least):
        raise DomainError(what.format(data_of(x)))
    return x


def _trace_inner_product(x: Sequence[Any], y: Sequence[Any]) -> Any:
    """Return the sum of products by separate operations, in which the compiler finds loops."""
    found: Any = 0.0
    for u, v in zip(x, y, strict=True):
        found = found + u * v
    return found


#: Return the sum of products: one node, or separate operations if traced.
inner_product = trace_as(_trace_inner_product)(dot)


def matmul(a: Any, b: Any) -> Any:
    """Multiply matrices and vectors, as `numpy.matmul`.

    Parameters
    ----------
    a : n × k numbers, or k
    b : k × m numbers, or k

    Returns
    -------
    n × m numbers, n or m numbers, or one
        a·b, without the axis n if `a` is a vector, and without m if `b` is a vector.

    Raises
    ------
    OperandError
        If one is not a vector or a matrix, or their k differ.

    Examples
    --------
    >>> matmul([[1.0, 2.0], [3.0, 4.0]], [10.0, 100.0])
    [210.0, 430.0]
    """
    rows = as_matrix(a, "a") if is_matrix(a) else [as_vector(a, "a")]
    columns = (
        [[*x] for x in zip(*as_matrix(b, "b"), strict=True)]
        if is_matrix(b)
        else [as_vector(b, "b")]
    )
    if len(rows[0]) != len(columns[0]):
        raise OperandError(
            f"a has {pluralize(len(rows[0]), 'column')} and b {pluralize(len(columns[0]), 'row')}: "
            "give equal numbers, or transpose one"
        )
    found: Any = [[inner_product(row, column) for column in columns] for row in rows]
    if not is_matrix(b):
        found = [x for (x,) in found]
    if not is_matrix(a):
        (found,) = found
    return found if not isinstance(found, list) else like_arguments(found, a, b)


def cholesky(a: Any) -> Any:
    """Factor a symmetric positive definite matrix, a = L·Lᵀ, as `numpy.linalg.cholesky`.

    Parameters
    ----------
    a : n × n numbers
        The matrix; only its lower triangle is read.

    Returns
    -------
    n × n numbers
        L, a lower triangular matrix.

    Raises
    ------
    OperandError
        If `a` is not square.
    DomainError
        If it is not positive definite.

    Notes
    -----
    The gradient of an element above the diagonal is 0, since only the lower triangle is read. If
    both triangles are computed from the same variables, the gradients of these are correct.

    Examples
    --------
    >>> cholesky([[4.0, 2.0], [2.0, 5.0]])
    [[2.0, 0.0], [1.0, 2.0]]
    """
    factor = _factor(as_square_matrix(a, "a"), "cholesky")
    n = len(factor)
    return like_arguments([[*row, *[0.0] * (n - len(row))] for row in factor], a)


def logdet(a: Any, *, factored: bool = False) -> Any:
    """Compute the logarithm of the determinant of a symmetric positive definite matrix.

    Parameters
    ----------
    a : n × n numbers
        The matrix, read as by `cholesky`.
    factored : bool
        Whether `a` is the Cholesky factor of the matrix; it can be shared with other uses.

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
    rows = as_square_matrix(a, "a")
    if not check_flag(factored, "factored"):
        rows = _factor(rows, "logdet")
    found: Any = 0.0
    for i, row in enumerate(rows):
        found = found + log(row[i])
    return 2.0 * found


def _factor(a: Matrix, name: str) -> Matrix:
    """Return the rows of the Cholesky factor up to the diagonal, computed column by column."""
    factor: Matrix = [[] for _ in a]
    for j, across in enumerate(factor):
        rest = a[j][j]
        for k in range(j):
            rest = rest - across[k] * across[k]
        what = (
            f"{name}: a is not positive definite: the pivot {j} is {{:g}}. Add a small number to "
            "the diagonal, such as 1e-8, or check whether a is a covariance"
        )
        pivot = sqrt(require_above(rest, 0.0, what))
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
        The matrix; only one of its triangles is read.
    b : n numbers, or n × m
        The right-hand side, or a matrix whose columns are right-hand sides.
    lower : bool
        Whether the lower triangle is read, else the upper one.
    transpose_a : bool
        Whether aᵀ·x = b is solved instead.

    Returns
    -------
    n numbers, or n × m
        x, in the shape of `b`.

    Raises
    ------
    OperandError
        If `a` is not square, or `b` does not have the same number of rows.
    DomainError
        If an element of the diagonal is 0.

    Examples
    --------
    >>> triangular_solve([[2.0, 0.0], [1.0, 4.0]], [2.0, 9.0])
    [1.0, 2.0]
    >>> triangular_solve([[2.0, 0.0], [1.0, 4.0]], [4.0, 8.0], transpose_a=True)
    [1.0, 2.0]
    """
    rows, is_lower = as_square_matrix(a, "a"), check_flag(lower, "lower")
    if check_flag(transpose_a, "transpose_a"):
        rows, is_lower = [[*column] for column in zip(*rows, strict=True)], not is_lower
    right, is_vector = as_rows(b, "b", len(rows))
    for i, row in enumerate(rows):
        if not is_traced(row[i]) and data_of(row[i]) == 0.0:
            raise DomainError(f"triangular_solve: a is singular: a[{i}][{i}] is 0")
    found = substitute(rows, right, lower=is_lower)
    return like_arguments([x for (x,) in found] if is_vector else found, a, b)


def substitute(a: Matrix, right: Matrix, *, lower: bool) -> Matrix:
    """Solve a triangular system a·x = right by forward or backward substitution."""
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


#: Machine epsilon. The remainder of a column is a rounding error if its length, relative to that of
#: the column, is below this times the number of rows.
_ROUNDING = 2.0**-52


def solve(a: Any, b: Any) -> Any:
    """Solve the linear equations a·x = b, as `numpy.linalg.solve`.

    Parameters
    ----------
    a : n × n numbers
    b : n numbers, or n × m
        The right-hand side, or a matrix whose columns are right-hand sides.

    Returns
    -------
    n numbers, or n × m
        x, in the shape of `b`.

    Raises
    ------
    OperandError
        If `a` is not square, or `b` does not have the same number of rows.
    DomainError
        If `a` is singular up to rounding.

    Notes
    -----
    The columns are orthogonalized one after another (modified Gram-Schmidt). This needs no
    pivoting, and so no branches: one program serves all numbers. It takes three times as many
    operations as elimination. For a positive definite matrix, `cholesky` and `triangular_solve`
    need a sixth.

    References
    ----------
    Björck, Numerical Methods for Least Squares Problems, 1996, section 2.4.

    Examples
    --------
    >>> [round(x, 12) for x in solve([[2.0, 1.0], [1.0, 3.0]], [3.0, 5.0])]
    [0.8, 1.4]
    """
    rows = as_square_matrix(a, "a")
    right, is_vector = as_rows(b, "b", len(rows))
    found = _solve_by_qr(rows, right, "solve")
    return like_arguments([x for (x,) in found] if is_vector else found, a, b)


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
        If it is singular up to rounding.

    Examples
    --------
    >>> inv([[2.0, 0.0], [0.0, 4.0]])
    [[0.5, 0.0], [0.0, 0.25]]
    """
    rows = as_square_matrix(a, "a")
    # If traced, the identity is computed, because no loops are detected among constants.
    zeros = [0.0 * row[0] if is_traced(row[0]) else 0.0 for row in rows]
    identity = [[x + 1.0 if i == j else x for j in range(len(rows))] for i, x in enumerate(zeros)]
    return like_arguments(_solve_by_qr(rows, identity, "inv"), a)


def _solve_by_qr(a: Matrix, right: Matrix, name: str) -> Matrix:
    """Solve a·x = right by the factorization a = q·r with orthonormal columns q."""
    n = len(a)
    sizes = [
        _largest(row, i, name) for i, row in enumerate(a)
    ]  # equations may have different units
    columns = [_divide(column, sizes) for column in zip(*a, strict=True)]
    others = [_divide(column, sizes) for column in zip(*right, strict=True)]
    least = [(n * _ROUNDING) ** 2 * inner_product(x, x) for x in columns]
    r: Matrix = [[0.0] * n for _ in a]
    projected: Matrix = [[] for _ in a]
    for k, column in enumerate(columns):
        what = (
            f"{name}: a is singular: its column {k} is a linear combination of the columns before "
            "it. Leave out dependent equations, or check how a is computed"
        )
        left = require_above(inner_product(column, column), least[k], what)
        r[k][k] = sqrt(left)
        q = [x / r[k][k] for x in column]
        for j in range(k + 1, n):
            r[k][j] = _project(columns[j], q)
        projected[k] = [_project(column, q) for column in others]
    return substitute(r, projected, lower=False)


def _largest(row: Vector, i: int, name: str) -> Any:
    """Return the largest magnitude in a row, as a constant."""
    found = maximum(*map(abs, row))
    if is_traced(found):
        return found.detach()
    return require_above(found, 0.0, f"{name}: a is singular: its row {i} has only zeros")


def _divide(column: Sequence[Any], by: Vector) -> Vector:
    return [x / size for x, size in zip(column, by, strict=True)]


def _project(column: Vector, q: Vector) -> Any:
    """Subtract the projection on q from a column, and return the coefficient."""
    share = inner_product(q, column)
    for i, x in enumerate(q):
        column[i] = column[i] - share * x
    return share
