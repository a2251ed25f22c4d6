"""The Cholesky factor of a positive definite matrix, and its determinant."""

from __future__ import annotations

from typing import Any

from scalargrad.linalg.matrices import Matrix, above, returned, square
from scalargrad.ops import log, sqrt
from scalargrad.table.validation import flag


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
