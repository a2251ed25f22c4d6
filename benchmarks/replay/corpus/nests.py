"""Programs of loops over numbers, of any size, in which the finder is to find nests of loops.

With each comes how many operations its text has within loops and outside, counted by hand.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

import scalargrad as sg
from benchmarks.replay import Call, program

Vector = list[Any]
Matrix = list[Vector]


class Natural(NamedTuple):
    """A function of a list of numbers, how many it takes, and the operations of its text."""

    function: Callable[[Vector], Any]
    inputs: int
    operations: int


def draws(count: int, seed: int = 0) -> list[float]:
    """Return normal random numbers."""
    found: list[float] = np.random.default_rng(seed).normal(size=count).tolist()
    return found


def point(made: Natural) -> list[float]:
    """Return numbers at which a program is defined."""
    numbers = [abs(x) + 0.1 for x in draws(made.inputs, 3)]
    size = round(made.inputs**0.5)
    if size * size == made.inputs:  # a matrix to be factorised is mostly its diagonal
        numbers[:: size + 1] = [20.0] * size
    return numbers


def natural(make: Callable[..., Natural]) -> Callable[..., Natural]:
    """Add a program of the usual size to the corpus, with its gradient."""

    def made() -> Call:
        found = make()
        return sg.jit(sg.value_and_grad(found.function)), (point(found),)

    made.__name__ = make.__name__
    program(made)
    return make


class Taking:
    """Takes vectors and matrices from a list of numbers, one after the other."""

    def __init__(self, numbers: Vector) -> None:
        self.left = iter(numbers)

    def vector(self, n: int) -> Vector:
        """Return the next numbers."""
        return [next(self.left) for _ in range(n)]

    def matrix(self, rows: int, columns: int) -> Matrix:
        """Return the next numbers, row by row."""
        return [self.vector(columns) for _ in range(rows)]


def dot(a: Vector, b: Vector) -> Any:
    """Return the scalar product of two vectors."""
    return sum(x * y for x, y in zip(a, b, strict=True))


def reduced(a: Vector, b: Vector) -> Any:
    """Return the same, added up at once."""
    return sg.sum([x * y for x, y in zip(a, b, strict=True)])


@natural
def moons(n: int = 30, width: int = 6, *, total: Callable[..., Any] = dot) -> Natural:
    """Return the loss of a network of three layers with weight decay, as in micrograd's demo."""
    sizes, points = [2, width, width, 1], draws(2 * n)
    labels = [1.0 if k % 2 else -1.0 for k in range(n)]

    def loss(p: Vector) -> Any:
        t = Taking(p)
        layers = [(t.matrix(b, a), t.vector(b)) for a, b in pairwise(sizes)]
        losses = []
        for k, y in enumerate(labels):
            x: Vector = points[2 * k : 2 * k + 2]
            for place, (w, b) in enumerate(layers):
                x = [total(row, x) + c for row, c in zip(w, b, strict=True)]
                x = [sg.relu(v) for v in x] if place < 2 else x
            losses.append(sg.relu(1.0 - y * x[0]))
        return sum(losses) * (1.0 / n) + 1e-4 * sum(v * v for v in p)

    return Natural(loss, 3 * width + width * (width + 1) + width + 1, 24)


@natural
def logistic(n: int = 400, m: int = 10) -> Natural:
    """Return the loss of a logistic regression."""
    rows = [draws(m, k) for k in range(n)]

    def loss(w: Vector) -> Any:
        total = 0.0
        for k, row in enumerate(rows):
            total = total + sg.softplus((-1.0) ** k * dot(w, row))
        return total / n

    return Natural(loss, m, 6)


@natural
def garch(n: int = 400) -> Natural:
    """Return the likelihood of a variance that recurs."""
    returns = draws(n)

    def loss(p: Vector) -> Any:
        s, total = 1.0, 0.0
        for x in returns:
            s = p[0] + p[1] * x * x + p[2] * s
            total = total + sg.log(s) + x * x / s
        return total

    return Natural(loss, 3, 9)


@natural
def runge_kutta(steps: int = 60, h: float = 0.05) -> Natural:
    """Return how far predators and prey go from an equilibrium."""

    def loss(p: Vector) -> Any:
        def flow(x: Any, y: Any) -> tuple[Any, Any]:
            return p[0] * x - p[1] * x * y, p[2] * x * y - p[3] * y

        x, y, total = 1.0, 0.5, 0.0
        for _ in range(steps):
            a, b = flow(x, y)
            c, d = flow(x + h / 2 * a, y + h / 2 * b)
            e, f = flow(x + h / 2 * c, y + h / 2 * d)
            g, k = flow(x + h * e, y + h * f)
            x = x + h / 6 * (a + 2 * c + 2 * e + g)
            y = y + h / 6 * (b + 2 * d + 2 * f + k)
            total = total + (x - 1.0) ** 2 + (y - 1.0) ** 2
        return total

    return Natural(loss, 4, 64)


def product(a: Matrix, b: Matrix) -> Matrix:
    """Return the product of two matrices."""
    return [[dot(row, list(column)) for column in zip(*b, strict=True)] for row in a]


@natural
def leverage(n: int = 400) -> Natural:
    """Return the likelihood of a variance that falls add to: an `if` on data."""
    returns = draws(n)

    def loss(p: Vector) -> Any:
        s, total = 1.0, 0.0
        for x in returns:
            total = total + sg.log(s) + x * x / s
            s = p[0] + p[1] * x * x + p[2] * s
            if x < 0.0:
                s = s + p[3] * x * x
        return total

    return Natural(loss, 4, 11)


@natural
def levered_states(n: int = 400) -> Natural:
    """Return the likelihood with the variances in a list, which two branches set."""
    returns = draws(n)

    def loss(p: Vector) -> Any:
        states: Vector = [1.0]
        for x in returns:
            s = p[0] + p[1] * x * x + p[2] * states[-1]
            states.append(s + p[3] * x * x if x < 0.0 else s)
        return sum(map(sg.log, states[:-1])) + sum(
            x * x / s for x, s in zip(returns, states, strict=False)
        )

    return Natural(loss, 4, 13)


@natural
def regimes(n: int = 300) -> Natural:
    """Return the misfit of a curve of three pieces."""
    xs, ys = draws(n), draws(n, 1)

    def loss(p: Vector) -> Any:
        total = 0.0
        for x, y in zip(xs, ys, strict=True):
            if x < -0.5:
                h = p[0] * x
            elif x < 0.5:
                h = p[1] * x * x + p[2]
            else:
                h = sg.tanh(p[3] * x)
            total = total + (h - y) ** 2
        return total

    return Natural(loss, 4, 9)


@natural
def gaps(n: int = 300) -> Natural:
    """Return the likelihood of a level that is observed at most times, by a filter."""
    observed = [x if x > -0.8 else None for x in draws(n)]

    def loss(p: Vector) -> Any:
        level, variance, total = 0.0, 1.0, 0.0
        for y in observed:
            level, variance = p[0] * level, p[0] * p[0] * variance + p[1]
            if y is not None:
                spread = variance + p[2]
                gain, error = variance / spread, y - level
                total = total + sg.log(spread) + error * error / spread
                level, variance = level + gain * error, variance - gain * variance
        return total

    return Natural(loss, 3, 16)


@natural
def signs(n: int = 100, width: int = 5) -> Natural:
    """Return a sum over rows of terms that depend on the sign of an entry: an `if` in two loops."""
    rows = [draws(width, k) for k in range(n)]

    def loss(p: Vector) -> Any:
        total = 0.0
        for row in rows:
            h = 0.0
            for a, x in zip(p, row, strict=True):
                h = h + a * x if x > 0.0 else h - 0.1 * sg.exp(a * x)
            total = total + sg.tanh(h)
        return total

    return Natural(loss, width, 8)


@natural
def kalman(steps: int = 60) -> Natural:
    """Return the likelihood of a Kalman filter of two states."""
    observed = draws(steps)

    def loss(p: Vector) -> Any:
        t = Taking(p)
        f, q, (r,), variance = t.matrix(2, 2), t.matrix(2, 2), t.vector(1), t.matrix(2, 2)
        mean: Vector = [0.0, 0.0]
        total = 0.0
        for z in observed:
            mean = [dot(row, mean) for row in f]
            spread = product(product(f, variance), [list(x) for x in zip(*f, strict=True)])
            variance = [[x + y for x, y in zip(*rows, strict=True)]
                        for rows in zip(spread, q, strict=True)]  # fmt: skip
            s = variance[0][0] + r
            gain = [variance[0][0] / s, variance[1][0] / s]
            v = z - mean[0]
            total = total + sg.log(s) + v * v / s
            mean = [mean[i] + gain[i] * v for i in range(2)]
            variance = [[variance[i][j] - gain[i] * variance[0][j] for j in range(2)]
                        for i in range(2)]  # fmt: skip
        return total

    return Natural(loss, 13, 52)


@natural
def lstm(width: int = 6, steps: int = 20) -> Natural:
    """Return a loss of a long short-term memory."""
    xs = draws(steps)

    def loss(p: Vector) -> Any:
        t = Taking(p)
        gates = [(t.matrix(width, width), t.vector(width), t.vector(width)) for _ in range(4)]
        h: Vector = [0.0] * width
        c: Vector = [0.0] * width
        total = 0.0
        for x in xs:
            z = [[dot(u[i], h) + v[i] * x + b[i] for i in range(width)] for u, v, b in gates]
            keep, forget, out = ([sg.sigmoid(y) for y in z[k]] for k in range(3))
            new = [sg.tanh(y) for y in z[3]]
            c = [forget[k] * c[k] + keep[k] * new[k] for k in range(width)]
            h = [out[k] * sg.tanh(c[k]) for k in range(width)]
            total = total + h[0] ** 2
        return total

    return Natural(loss, 4 * width * (width + 2), 15)


@natural
def rnn(width: int = 8, steps: int = 30) -> Natural:
    """Return a loss of a recurrent network."""
    xs = draws(steps)

    def loss(p: Vector) -> Any:
        t = Taking(p)
        u, v = t.matrix(width, width), t.vector(width)
        h: Vector = [0.0] * width
        total = 0.0
        for x in xs:
            h = [sg.tanh(dot(u[i], h) + v[i] * x) for i in range(width)]
            total = total + h[0] ** 2
        return total

    return Natural(loss, width * (width + 1), 8)


@natural
def attention(n: int = 10, width: int = 6) -> Natural:
    """Return a loss of causal attention."""

    def loss(p: Vector) -> Any:
        t = Taking(p)
        queries, keys, values = (t.matrix(n, width) for _ in range(3))
        total = 0.0
        for k, q in enumerate(queries):
            exps = [sg.exp(dot(q, keys[j]) / math.sqrt(width)) for j in range(k + 1)]
            z = sum(exps)
            shares = [e / z for e in exps]
            for j in range(width):
                y = sum(shares[i] * values[i][j] for i in range(k + 1))
                total = total + y * y
        return total

    return Natural(loss, 3 * n * width, 13)


@natural
def cholesky(n: int = 16) -> Natural:
    """Return the log-determinant of a matrix by its Cholesky factor, in a triangle of loops."""

    def loss(p: Vector) -> Any:
        a = Taking(p).matrix(n, n)
        c: Matrix = [[0.0] * n for _ in range(n)]
        for i in range(n):
            for j in range(i + 1):
                s = a[i][j]
                for k in range(j):
                    s = s - c[i][k] * c[j][k]
                c[i][j] = sg.sqrt(s) if i == j else s / c[j][j]
        return sum(sg.log(c[i][i]) for i in range(n))

    return Natural(loss, n * n, 6)


@natural
def mixture(n: int = 100, clusters: int = 5) -> Natural:
    """Return the likelihood of a mixture of normal distributions."""
    points = [draws(2, k) for k in range(n)]

    def loss(p: Vector) -> Any:
        t = Taking(p)
        means, scales, weights = t.matrix(clusters, 2), t.vector(clusters), t.vector(clusters)
        z = sg.log(sum(sg.exp(w) for w in weights))
        total = 0.0
        for x in points:
            found = []
            for k in range(clusters):
                far = sum((x[j] - means[k][j]) ** 2 for j in range(2))
                found.append(weights[k] - z - 2 * scales[k] - 0.5 * far * sg.exp(-2 * scales[k]))
            total = total + sg.log(sum(sg.exp(y) for y in found))
        return total

    return Natural(loss, 4 * clusters, 22)


@natural
def convolution(n: int = 60, size: int = 5) -> Natural:
    """Return a loss of a convolution in one dimension."""

    def loss(p: Vector) -> Any:
        x, w = p[:n], p[n:]
        return sum(sg.relu(dot(w, x[i : i + size])) ** 2 for i in range(n - size + 1))

    return Natural(loss, n + size, 6)


@natural
def convolution_of_image(n: int = 14, size: int = 3) -> Natural:
    """Return a loss of a convolution in two dimensions."""

    def loss(p: Vector) -> Any:
        t = Taking(p)
        x, w = t.matrix(n, n), t.matrix(size, size)
        total = 0.0
        for i in range(n - size + 1):
            for j in range(n - size + 1):
                s = 0.0
                for a in range(size):
                    for b in range(size):
                        s = s + w[a][b] * x[i + a][j + b]
                total = total + sg.relu(s)
        return total

    return Natural(loss, n * n + size * size, 4)


@natural
def heat(n: int = 30, steps: int = 40) -> Natural:
    """Return the energy of a rod after explicit steps in time."""

    def loss(p: Vector) -> Any:
        *u, k = p
        for _ in range(steps):
            inner = [u[i] + k * (u[i - 1] - 2 * u[i] + u[i + 1]) for i in range(1, n - 1)]
            u = [u[0], *inner, u[-1]]
        return sum(v * v for v in u)

    return Natural(loss, n + 1, 8)


@natural
def matrices(n: int = 8, spelling: str = "sum") -> Natural:
    """Return the sum of the squares of a product of matrices, in one of three spellings."""

    def entry(row: Vector, column: Vector) -> Any:
        if spelling == "sum":
            return sum(x * y for x, y in zip(row, column, strict=True))
        if spelling == "reduction":
            return sg.sum([x * y for x, y in zip(row, column, strict=True)])
        s = 0.0
        for x, y in zip(row, column, strict=True):
            s = s + x * y
        return s

    def loss(p: Vector) -> Any:
        t = Taking(p)
        a, b = t.matrix(n, n), t.matrix(n, n)
        return sum(entry(row, list(column)) ** 2 for row in a for column in zip(*b, strict=True))

    return Natural(loss, 2 * n * n, 5)


@natural
def fourier(n: int = 32) -> Natural:
    """Return the energy of some frequencies, by the fast Fourier transform in place."""
    bits = n.bit_length() - 1
    order = [int(f"{i:0{bits}b}"[::-1], 2) for i in range(n)]

    def loss(p: Vector) -> Any:
        re, im, m = [p[i] for i in order], [p[n + i] for i in order], 1
        while m < n:
            for s in range(0, n, 2 * m):
                for k in range(m):
                    c, d = math.cos(math.pi * k / m), math.sin(math.pi * k / m)
                    a, b = s + k, s + k + m
                    u, v = c * re[b] - d * im[b], d * re[b] + c * im[b]
                    re[b], im[b] = re[a] - u, im[a] - v
                    re[a], im[a] = re[a] + u, im[a] + v
            m *= 2
        return sum(x * x + y * y for x, y in zip(re, im, strict=True))

    return Natural(loss, 2 * n, 14)


@natural
def edit_distance(n: int = 12) -> Natural:
    """Return the least cost of turning one text into another, in a table of minima."""

    def loss(p: Vector) -> Any:
        gap, costs = p[0], Taking(p[1:]).matrix(n, n)
        d: Matrix = [[0.0] * (n + 1) for _ in range(n + 1)]
        for i in range(1, n + 1):
            d[i][0] = d[i - 1][0] + gap
            d[0][i] = d[0][i - 1] + gap
        for i in range(1, n + 1):
            for j in range(1, n + 1):
                skipped = sg.minimum(d[i - 1][j] + gap, d[i][j - 1] + gap)
                d[i][j] = sg.minimum(skipped, d[i - 1][j - 1] + costs[i - 1][j - 1])
        return d[n][n]

    return Natural(loss, 1 + n * n, 7)


@natural
def ragged(names: int = 20, width: int = 4) -> Natural:
    """Return a loss of a recurrent network on words of different lengths."""
    rng = random.Random(5)
    words = [[rng.randrange(9) for _ in range(rng.randrange(3, 9))] for _ in range(names)]

    def loss(p: Vector) -> Any:
        t = Taking(p)
        embedding, u, first = t.matrix(9, width), t.matrix(width, width), t.vector(width)
        total = 0.0
        for word in words:
            h = first
            for c in word:
                h = [sg.tanh(dot(u[i], h) + embedding[c][i]) for i in range(width)]
            total = total + h[0] * h[1]
        return total

    return Natural(loss, 9 * width + width * width + width, 8)


@natural
def elimination(n: int = 12) -> Natural:
    """Return the log-determinant of a matrix by Gaussian elimination."""

    def loss(p: Vector) -> Any:
        a = Taking(p).matrix(n, n)
        for k in range(n - 1):
            for i in range(k + 1, n):
                f = a[i][k] / a[k][k]
                for j in range(k + 1, n):
                    a[i][j] = a[i][j] - f * a[k][j]
        return sum(sg.log(a[k][k] ** 2) for k in range(n))

    return Natural(loss, n * n, 6)


@natural
def bodies(n: int = 4, steps: int = 20) -> Natural:
    """Return the spread of bodies that attract each other, their speeds changed in place."""

    def loss(p: Vector) -> Any:
        t = Taking(p)
        masses, x, v, dt = t.vector(n), t.matrix(n, 3), t.matrix(n, 3), 0.01
        for _ in range(steps):
            for i in range(n):
                for j in range(i + 1, n):
                    d = [x[i][c] - x[j][c] for c in range(3)]
                    r = d[0] * d[0] + d[1] * d[1] + d[2] * d[2]
                    pull = dt / (r * sg.sqrt(r))
                    for c in range(3):
                        v[i][c] = v[i][c] - d[c] * masses[j] * pull
                        v[j][c] = v[j][c] + d[c] * masses[i] * pull
            for i in range(n):
                for c in range(3):
                    x[i][c] = x[i][c] + dt * v[i][c]
        return sum(c * c for row in x for c in row)

    return Natural(loss, 7 * n, 22)
