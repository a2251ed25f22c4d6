"""Algorithms as textbooks write them, on lists of lists whose cells are set in many orders."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from benchmarks.replay import Call, program
from scalargrad import jit, log, sqrt, value_and_grad

Matrix = list[list[Any]]


def numbers(count: int, seed: int, low: float = 0.5, high: float = 1.5) -> list[float]:
    """Return evenly distributed random numbers."""
    rng = random.Random(seed)
    return [rng.uniform(low, high) for _ in range(count)]


def dominant(n: int, seed: int = 0) -> list[list[float]]:
    """Return a matrix whose diagonal outweighs the rest."""
    return [
        [0.1 * x + 3.0 * (i == j) for j, x in enumerate(numbers(n, seed + i))] for i in range(n)
    ]


def positive(n: int) -> list[list[float]]:
    """Return a positive definite matrix."""
    return [[4.0 if i == j else 0.5 / (1 + abs(i - j)) for j in range(n)] for i in range(n)]


def weighted(rows: Matrix) -> Any:
    """Return a sum in which each entry counts otherwise."""
    return sum(x * (1 + i + 2 * j) for i, row in enumerate(rows) for j, x in enumerate(row))


def differentiated(f: Callable[..., Any], *args: Any) -> Call:
    """Return the value of a function with its gradient by all arguments."""
    return jit(value_and_grad(f, argnums=tuple(range(len(args))))), args


@program
def cholesky_right_looking() -> Call:
    """Each column, once known, is taken from all columns to its right."""
    n = 12

    def factor(a: Matrix) -> Any:
        a = [row[:] for row in a]
        for k in range(n):
            a[k][k] = sqrt(a[k][k])
            for i in range(k + 1, n):
                a[i][k] = a[i][k] / a[k][k]
            for j in range(k + 1, n):
                for i in range(j, n):
                    a[i][j] = a[i][j] - a[i][k] * a[j][k]
        return weighted([row[: i + 1] for i, row in enumerate(a)])

    return differentiated(factor, positive(n))


@program
def cholesky_of_zeros() -> Call:
    """By columns, in a matrix of zeros."""
    n = 12

    def factor(a: Matrix) -> Any:
        low: Matrix = [[0.0] * n for _ in range(n)]
        for j in range(n):
            rest = a[j][j]
            for k in range(j):
                rest = rest - low[j][k] ** 2
            low[j][j] = sqrt(rest)
            for i in range(j + 1, n):
                rest = a[i][j]
                for k in range(j):
                    rest = rest - low[i][k] * low[j][k]
                low[i][j] = rest / low[j][j]
        return weighted([row[: i + 1] for i, row in enumerate(low)])

    return differentiated(factor, positive(n))


@program
def ldl() -> Call:
    """Diagonal of a symmetric matrix, and its unit lower triangle."""
    n = 10

    def factor(a: Matrix) -> Any:
        low: Matrix = [[1.0 * (i == j) for j in range(n)] for i in range(n)]
        d: list[Any] = [0.0] * n
        for j in range(n):
            d[j] = a[j][j] - sum(low[j][k] ** 2 * d[k] for k in range(j))
            for i in range(j + 1, n):
                rest = a[i][j] - sum(low[i][k] * low[j][k] * d[k] for k in range(j))
                low[i][j] = rest / d[j]
        return sum(log(x) for x in d) + low[-1][0]

    return differentiated(factor, positive(n))


@program
def lu() -> Call:
    """Doolittle's factors, and the determinant."""
    n = 10

    def determinant(a: Matrix) -> Any:
        low: Matrix = [[1.0 * (i == j) for j in range(n)] for i in range(n)]
        up: Matrix = [[0.0] * n for _ in range(n)]
        product: Any = 1.0
        for i in range(n):
            for j in range(i, n):
                up[i][j] = a[i][j] - sum(low[i][k] * up[k][j] for k in range(i))
            for j in range(i + 1, n):
                rest = a[j][i] - sum(low[j][k] * up[k][i] for k in range(i))
                low[j][i] = rest / up[i][i]
            product = product * up[i][i]
        return product

    return differentiated(determinant, dominant(n))


@program
def elimination() -> Call:
    """Gauss's elimination and substitution backwards."""
    n = 10

    def solved(a: Matrix, b: list[Any]) -> Any:
        a, b = [row[:] for row in a], b[:]
        for k in range(n):
            for i in range(k + 1, n):
                factor = a[i][k] / a[k][k]
                for j in range(k, n):
                    a[i][j] = a[i][j] - factor * a[k][j]
                b[i] = b[i] - factor * b[k]
        x: list[Any] = [0.0] * n
        for i in reversed(range(n)):
            x[i] = (b[i] - sum(a[i][j] * x[j] for j in range(i + 1, n))) / a[i][i]
        return weighted([x])

    return differentiated(solved, dominant(n), numbers(n, 7))


@program
def gauss_jordan() -> Call:
    """Inverse of a matrix, by rows divided and taken from all others."""
    n = 8

    def inverse(a: Matrix) -> Any:
        rows = [[*row, *(1.0 * (i == j) for j in range(n))] for i, row in enumerate(a)]
        for k in range(n):
            pivot = rows[k][k]
            rows[k] = [x / pivot for x in rows[k]]
            for i in range(n):
                if i != k:
                    factor = rows[i][k]
                    rows[i] = [x - factor * y for x, y in zip(rows[i], rows[k], strict=True)]
        return weighted([row[n:] for row in rows])

    return differentiated(inverse, dominant(n))


@program
def modified_gram_schmidt() -> Call:
    """Each vector, once of length 1, is taken from all that follow."""
    n = 8

    def orthonormal(rows: Matrix) -> Any:
        rows = [row[:] for row in rows]
        for i in range(n):
            length = sqrt(sum(x * x for x in rows[i]))
            rows[i] = [x / length for x in rows[i]]
            for j in range(i + 1, n):
                part = sum(x * y for x, y in zip(rows[i], rows[j], strict=True))
                rows[j] = [x - part * y for x, y in zip(rows[j], rows[i], strict=True)]
        return weighted(rows)

    return differentiated(orthonormal, dominant(n))


@program
def householder() -> Call:
    """Triangle of a matrix by reflections."""
    n = 6

    def reflected(a: Matrix) -> Any:
        a = [row[:] for row in a]
        for k in range(n - 1):
            v = [a[i][k] for i in range(k, n)]
            v[0] = v[0] + sqrt(sum(x * x for x in v))
            square = sum(x * x for x in v)
            for j in range(k, n):
                part = 2 * sum(v[i - k] * a[i][j] for i in range(k, n)) / square
                for i in range(k, n):
                    a[i][j] = a[i][j] - part * v[i - k]
        return weighted([[0.0] * i + a[i][i:] for i in range(n)])

    return differentiated(reflected, dominant(n))


@program
def tridiagonal() -> Call:
    """Thomas's algorithm: a sweep forwards and one backwards."""
    n = 40

    def solved(a: list[Any], b: list[Any], c: list[Any], d: list[Any]) -> Any:
        above: list[Any] = [c[0] / b[0]]
        right: list[Any] = [d[0] / b[0]]
        for i in range(1, n):
            pivot = b[i] - a[i] * above[i - 1]
            above.append(c[i] / pivot)
            right.append((d[i] - a[i] * right[i - 1]) / pivot)
        x = right[-1:]
        for i in reversed(range(n - 1)):
            x.append(right[i] - above[i] * x[-1])
        return weighted([x])

    sides = (numbers(n, k, 0.1, 0.4) for k in (1, 2))
    return differentiated(solved, next(sides), numbers(n, 3, 2.0, 3.0), next(sides), numbers(n, 4))


@program
def substitution_by_columns() -> Call:
    """Lower triangle of equations; what is known of a number goes to all that follow."""
    n = 16

    def solved(low: Matrix, b: list[Any]) -> Any:
        x = b[:]
        for j in range(n):
            x[j] = x[j] / low[j][j]
            for i in range(j + 1, n):
                x[i] = x[i] - low[i][j] * x[j]
        return weighted([x])

    return differentiated(solved, dominant(n), numbers(n, 9))


@program
def neville() -> Call:
    """Polynomial through points, by a triangle of shorter and shorter rows."""
    places = [0.3 * k for k in range(10)]

    def value(y: list[Any], x: Any) -> Any:
        p = y[:]
        for m in range(1, len(p)):
            for i in range(len(p) - m):
                above, below = (x - places[i + m]) * p[i], (places[i] - x) * p[i + 1]
                p[i] = (above + below) / (places[i] - places[i + m])
        return p[0]

    return differentiated(value, numbers(10, 3), 0.77)


@program
def divided_differences() -> Call:
    """Newton's form of it, whose coefficients are changed in place from the last on."""
    places = [0.3 * k + 0.01 * k * k for k in range(10)]

    def value(y: list[Any], x: Any) -> Any:
        c = y[:]
        for m in range(1, len(c)):
            for i in range(len(c) - 1, m - 1, -1):
                c[i] = (c[i] - c[i - 1]) / (places[i] - places[i - m])
        total = c[-1]
        for i in reversed(range(len(c) - 1)):
            total = total * (x - places[i]) + c[i]
        return total

    return differentiated(value, numbers(10, 3), 0.77)


@program
def gauss_seidel() -> Call:
    """Equations solved by rounds, each of which uses what it has just found."""
    n = 8

    def solved(a: Matrix, b: list[Any]) -> Any:
        x: list[Any] = [0.0] * n
        for _ in range(8):
            for i in range(n):
                rest = b[i]
                for j in range(n):
                    if j != i:
                        rest = rest - a[i][j] * x[j]
                x[i] = rest / a[i][i]
        return weighted([x])

    return differentiated(solved, dominant(n), numbers(n, 5))


@program
def levinson() -> Call:
    """Levinson's recursion: the coefficients of longer and longer predictions."""
    covariances = [2.0 * 0.7**k + (k == 0) for k in range(12)]

    def error(r: list[Any]) -> Any:
        a: list[Any] = [1.0]
        left = r[0]
        for i in range(1, len(r)):
            k = -sum(a[j] * r[i - j] for j in range(i)) / left
            a = [1.0, *(a[j] + k * a[i - j] for j in range(1, i)), k]
            left = left * (1 - k * k)
        return left

    return differentiated(error, covariances)


@program
def bezier() -> Call:
    """De Casteljau's triangles, at several places of a curve."""

    def bent(points: list[Any]) -> Any:
        total = 0.0
        for k in range(16):
            row, t = points[:], k / 15
            while len(row) > 1:
                row = [(1 - t) * a + t * b for a, b in pairwise(row)]
            total = total + row[0] ** 2
        return total

    return differentiated(bent, numbers(8, 2))


@program
def matrix_exponential() -> Call:
    """Powers of a matrix over factorials."""
    n = 5

    def exponential(a: Matrix) -> Any:
        found: Matrix = [[1.0 * (i == j) for j in range(n)] for i in range(n)]
        term = [row[:] for row in found]
        for k in range(1, 12):
            columns = [*zip(*a, strict=True)]
            term = [
                [sum(x * y for x, y in zip(row, c, strict=True)) / k for c in columns]
                for row in term
            ]
            found = [
                [x + y for x, y in zip(one, other, strict=True)]
                for one, other in zip(found, term, strict=True)
            ]
        return weighted(found)

    return differentiated(exponential, dominant(n))


@program
def ring_of_cells() -> Call:
    """Ring buffer of five elements, read in another order."""

    def total(x: list[Any]) -> Any:
        cells: list[Any] = [0.0] * 5
        found = 0.0
        for i, each in enumerate(x):
            cells[i % 5] = 0.5 * cells[i % 5] + each
            found = found + cells[(2 * i) % 5] * each
        return found

    return differentiated(total, numbers(40, 1))


@program
def romberg() -> Call:
    """Trapezoids of half the width each time, extrapolated."""

    def integral(a: Any, end: Any) -> Any:
        def f(x: Any) -> Any:
            return 1 / (1 + a * x * x)

        rows: Matrix = [[end / 2 * (f(0.0) + f(end))]]
        for i in range(1, 6):
            width = end / 2**i
            between = sum(f(k * width) for k in range(1, 2**i, 2))
            row = [rows[-1][0] / 2 + width * between]
            for j in range(1, i + 1):
                row.append(row[-1] + (row[-1] - rows[-1][j - 1]) / (4**j - 1))
            rows.append(row)
        return rows[-1][-1]

    return differentiated(integral, 1.3, 2.0 * math.pi / 3)
