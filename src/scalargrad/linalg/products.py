"""Products of matrices and vectors."""

from __future__ import annotations

from typing import Any

from scalargrad.errors import OperandError
from scalargrad.linalg.matrices import is_matrix, matrix, product, returned, vector
from scalargrad.system.short_repr import counted


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
