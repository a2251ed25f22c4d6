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

from scalargrad.linalg.matrices import matmul
from scalargrad.linalg.systems import cholesky, inv, logdet, solve, triangular_solve

__all__ = ["cholesky", "inv", "logdet", "matmul", "solve", "triangular_solve"]
