"""Programs as nests, each beside the same in plain Python on lists, which Values and jit run."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from tests.compiler.nests import (
    Array,
    Builder,
    Cells,
    Index,
    Program,
    Var,
    contract,
    gradient,
    simplify,
)

import scalargrad as sg


@dataclass
class Named:
    """A program with its gradient as nests, the same function on lists, and a point."""

    builder: Builder
    inputs: Cells
    loss: Cells
    plain: Callable[[Any], Any]
    point: Any

    def __post_init__(self) -> None:
        program, found = gradient(self.builder.program(), self.loss[()].access, [self.inputs.array])
        self.program: Program = contract(simplify(program))
        self.slopes: Array = found[self.inputs.array]


def begun(*shape: int) -> tuple[Builder, Cells, Cells]:
    """Return a builder with an input and a loss."""
    b = Builder()
    return b, b.input("p", *shape), b.output("loss")


def garch(n: int) -> Named:
    """Return the likelihood of a variance that recurs."""
    numbers = np.random.default_rng(0).normal(size=n)
    b, p, loss = begun(3)
    x, s = b.const("x", numbers), b.temp("s", n + 1)
    s[0] = 1.0
    with b.loop(n, "t") as t:
        square = b.let(x[t] * x[t])
        s[t + 1] = p[0] + p[1] * square + p[2] * s[t]
        b.add(loss[()], sg.log(s[t + 1]) + square / s[t + 1])
    data = tuple(numbers.tolist())

    def plain(p: Any) -> Any:
        s, total = 1.0, 0.0
        for x in data:
            s = p[0] + p[1] * x * x + p[2] * s
            total = total + sg.log(s) + x * x / s
        return total

    return Named(b, p, loss, plain, [0.1, 0.15, 0.8])


def runge_kutta(n: int, h: float = 0.05) -> Named:
    """Return a fit of the rates of predators and prey, by Runge and Kutta's method."""
    b, p, loss = begun(4)
    x, y = b.temp("x", n + 1), b.temp("y", n + 1)
    x[0], y[0] = 1.0, 0.5

    def flow(p: Any, x: Any, y: Any) -> tuple[Any, Any]:
        return p[0] * x - p[1] * x * y, p[2] * x * y - p[3] * y

    def step(p: Any, x: Any, y: Any) -> tuple[Any, Any]:
        a, c = flow(p, x, y)
        d, e = flow(p, x + h / 2 * a, y + h / 2 * c)
        f, g = flow(p, x + h / 2 * d, y + h / 2 * e)
        k, m = flow(p, x + h * f, y + h * g)
        new = x + h / 6 * (a + 2.0 * d + 2.0 * f + k)
        return new, y + h / 6 * (c + 2.0 * e + 2.0 * g + m)

    with b.loop(n, "t") as t:
        x[t + 1], y[t + 1] = step(p, x[t], y[t])
        u, v = b.let(x[t + 1] - 1.0), b.let(y[t + 1] - 1.0)
        b.add(loss[()], u * u + v * v)

    def plain(p: Any) -> Any:
        x, y, total = 1.0, 0.5, 0.0
        for _ in range(n):
            x, y = step(p, x, y)
            total = total + (x - 1.0) * (x - 1.0) + (y - 1.0) * (y - 1.0)
        return total

    return Named(b, p, loss, plain, [1.1, 0.4, 0.1, 0.4])


def logistic(n: int, m: int) -> Named:
    """Return the loss of a logistic regression."""
    rng = np.random.default_rng(0)
    inputs, labels = rng.normal(size=(n, m)), np.sign(rng.normal(size=n))
    b, w, loss = begun(m)
    x, y = b.const("x", inputs), b.const("y", labels)
    with b.loop(n) as i:
        z = b.sum(m, lambda j: w[j] * x[i, j])
        b.add(loss[()], sg.log(1.0 + sg.exp(-(y[i] * z))) * (1.0 / n))
    rows, ys = tuple(map(tuple, inputs.tolist())), tuple(labels.tolist())

    def plain(w: Any) -> Any:
        total = 0.0
        for row, y in zip(rows, ys, strict=True):
            z = sum(a * x for a, x in zip(w, row, strict=True))
            total = total + sg.log(1.0 + sg.exp(-(y * z)))
        return total / n

    return Named(b, w, loss, plain, (0.1 * rng.normal(size=m)).tolist())


def _weighed(p: Cells, at: Index, layer: Cells, i: Var, q: Var) -> Any:
    return p[at + q] * layer[q, i]


def _gated(w: Cells, at: tuple[int, Var, int], x: Cells, t: Var, k: Var) -> Any:
    gate, unit, start = at
    return w[gate, unit, start + k] * x[t, k]


def moons(n: int, width: int = 16) -> Named:
    """Return the hinge loss of a network of two hidden layers on points of the plane."""
    rng = np.random.default_rng(0)
    points, labels = rng.normal(size=(n, 2)), np.sign(rng.normal(size=n))
    sizes = [2, width, width, 1]
    total = sum((a + 1) * c for a, c in itertools.pairwise(sizes))
    b, p, loss = begun(total)
    x, y = b.const("x", points.T), b.const("y", labels)
    i, first, layer = b.var(n), 0, x
    for m, k in itertools.pairwise(sizes):
        new = b.temp("h", k, n)
        with b.loop(k) as j, b.loop(i):
            at = first + (m + 1) * j
            z = b.sum(m, functools.partial(_weighed, p, at, layer, i)) + p[at + m]
            new[j, i] = z if k == 1 else sg.relu(z)
        layer, first = new, first + (m + 1) * k
    with b.loop(i):
        b.add(loss[()], sg.relu(1.0 - y[i] * layer[0, i]) * (1.0 / n))
    rows, ys = tuple(map(tuple, points.tolist())), tuple(labels.tolist())

    def plain(p: Any) -> Any:
        total = 0.0
        for row, y in zip(rows, ys, strict=True):
            first = 0
            values: Any = row
            for m, k in itertools.pairwise(sizes):
                z = []
                for j in range(k):
                    at = first + (m + 1) * j
                    z.append(sum(p[at + q] * values[q] for q in range(m)) + p[at + m])
                values, first = [sg.relu(v) for v in z] if k > 1 else z, first + (m + 1) * k
            total = total + sg.relu(1.0 - y * values[0])
        return total / n

    return Named(b, p, loss, plain, (0.5 * rng.normal(size=total)).tolist())


def lstm(steps: int, size: int) -> Named:
    """Return the squared error of a recurrent cell with gates."""
    rng = np.random.default_rng(0)
    inputs, wanted = rng.normal(size=(steps, size)), rng.normal(size=(steps, size))
    b, w, loss = begun(4, size, 2 * size + 1)
    x, y = b.const("x", inputs), b.const("y", wanted)
    h, c = b.temp("h", steps + 1, size), b.temp("c", steps + 1, size)
    j = b.var(size)
    with b.loop(j):
        h[0, j] = 0.0
        c[0, j] = 0.0
    with b.loop(steps, "t") as t, b.loop(j):
        s = [
            b.sum(size, functools.partial(_gated, w, (g, j, 0), x, t))
            + b.sum(size, functools.partial(_gated, w, (g, j, size), h, t))
            + w[g, j, 2 * size]
            for g in range(4)
        ]
        forgotten = sg.sigmoid(s[1]) * c[t, j]
        c[t + 1, j] = forgotten + sg.sigmoid(s[0]) * sg.tanh(s[3])
        h[t + 1, j] = sg.sigmoid(s[2]) * sg.tanh(c[t + 1, j])
        d = b.let(h[t + 1, j] - y[t, j])
        b.add(loss[()], d * d)
    xs, ys = tuple(map(tuple, inputs.tolist())), tuple(map(tuple, wanted.tolist()))

    def plain(w: Any) -> Any:
        h, c, total = [0.0] * size, [0.0] * size, 0.0
        for x, y in zip(xs, ys, strict=True):
            s = [
                [sum(a * v for a, v in zip(row[:-1], [*x, *h], strict=True)) + row[-1] for row in g]
                for g in w
            ]
            c = [
                sg.sigmoid(f) * v + sg.sigmoid(i) * sg.tanh(g)
                for i, f, g, v in zip(s[0], s[1], s[3], c, strict=True)
            ]
            h = [sg.sigmoid(o) * sg.tanh(v) for o, v in zip(s[2], c, strict=True)]
            total = total + sum((a - v) * (a - v) for a, v in zip(h, y, strict=True))
        return total

    point = (0.3 * rng.normal(size=(4, size, 2 * size + 1))).tolist()
    return Named(b, w, loss, plain, point)


def cholesky(n: int) -> Named:
    """Return the logarithm of the determinant of a matrix whose rows are scaled, by Cholesky."""
    root = np.random.default_rng(0).normal(size=(n, n))
    matrix = root @ root.T + n * np.eye(n)
    b, p, loss = begun(n)
    a, low = b.const("a", matrix), b.temp("L", n, n)
    products, squares = b.temp("S", n, n), b.temp("D", n)
    with b.loop(n, "i") as i:
        with b.loop(i + 0, "j") as j:
            with b.loop(j + 0, "k") as k:
                b.add(products[i, j], low[i, k] * low[j, k])
            low[i, j] = (a[i, j] * p[j] - products[i, j]) / low[j, j]
        with b.loop(i + 0, "k") as k:
            b.add(squares[i], low[i, k] * low[i, k])
        low[i, i] = sg.sqrt(a[i, i] * p[i] - squares[i])
        b.add(loss[()], sg.log(low[i, i]))

    def plain(p: Any) -> Any:
        low: list[list[Any]] = [[0.0] * n for _ in range(n)]
        total = 0.0
        for i in range(n):
            for j in range(i):
                s = sum(low[i][k] * low[j][k] for k in range(j))
                low[i][j] = (matrix[i, j] * p[j] - s) / low[j][j]
            low[i][i] = sg.sqrt(matrix[i, i] * p[i] - sum(x * x for x in low[i][:i]))
            total = total + sg.log(low[i][i])
        return total

    return Named(b, p, loss, plain, [1.0 + 0.1 * k / n for k in range(n)])
