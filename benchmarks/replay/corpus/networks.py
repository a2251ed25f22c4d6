"""Networks written neuron by neuron, with `nn` and under `vmap`: losses, gradients and steps."""

from __future__ import annotations

import math
import random
from itertools import pairwise
from typing import Any

import numpy as np

from benchmarks.replay import Call, program
from scalargrad import (
    dot,
    exp,
    grad,
    hessian,
    jit,
    log,
    losses,
    maximum,
    mean,
    relu,
    scan,
    sigmoid,
    softmax,
    sqrt,
    take,
    tanh,
    value_and_grad,
    vmap,
)
from scalargrad.nn import MLP


def table(rows: int, columns: int, seed: int = 0) -> list[list[float]]:
    """Return normal random numbers."""
    rng = random.Random(seed)
    return [[rng.gauss(0.0, 0.5) for _ in range(columns)] for _ in range(rows)]


def dense(p: Any, sizes: list[int], x: Any, act: Any = tanh) -> list[Any]:
    """Return the outputs of a network whose parameters are in one list."""
    at = 0
    for wide, high in pairwise(sizes):
        rows = [p[at + k * (wide + 1) : at + (k + 1) * (wide + 1)] for k in range(high)]
        x = [act(sum((w * y for w, y in zip(row, x, strict=False)), row[-1])) for row in rows]
        at += high * (wide + 1)
    return list(x)


def parameters(sizes: list[int], seed: int = 1) -> list[float]:
    """Return random parameters for `dense`."""
    return [x for (x,) in table(sum((a + 1) * b for a, b in pairwise(sizes)), 1, seed)]


@program
def few_points() -> Call:
    """Squares of a network at four points, as in a first lecture, with equal units."""
    sizes, points = [2, 16, 16, 1], table(4, 2, 7)
    return jit(value_and_grad(lambda p: sum(dense(p, sizes, x)[0] ** 2 for x in points))), (
        parameters(sizes),
    )


@program
def few_points_by_layers() -> Call:
    """Squares of a network of `nn` at four points, whose last layer is linear."""
    random.seed(1)
    model, points = MLP(2, [16, 16, 1]), table(4, 2, 7)
    loss = jit(lambda: sum(model(x) ** 2 for x in points))

    def slopes() -> list[float]:
        model.zero_grad()
        loss().backward()
        return [p.grad for p in model.parameters()]

    return slopes, ()


@program
def moons() -> Call:
    """Hinge loss of a network of `nn` over 40 points, with a penalty; gradients by backward."""
    random.seed(0)
    model = MLP(2, [8, 8, 1])
    points, labels = table(40, 2), [1.0, -1.0] * 20

    def loss() -> Any:
        outputs = [model(point) for point in points]
        hinge = [relu(1.0 - y * out) for y, out in zip(labels, outputs, strict=True)]
        return mean(hinge) + 1e-4 * sum(p * p for p in model.parameters())

    return jit(loss), ()


@program
def by_hand() -> Call:
    """Squared errors of a network written out, with its gradient."""
    sizes, rows = [3, 6, 4, 1], table(30, 3)

    def loss(p: Any) -> Any:
        return sum((dense(p, sizes, row)[0] - row[0]) ** 2 for row in rows)

    return jit(value_and_grad(loss)), (parameters(sizes),)


@program
def adam() -> Call:
    """Step of Adam as one function: loss, gradient, both moments and the update."""
    sizes, rows = [2, 5, 1], table(20, 2)

    def loss(p: Any) -> Any:
        return sum((dense(p, sizes, row)[0] - row[1]) ** 2 for row in rows)

    def step(p: Any, m: Any, v: Any) -> Any:
        value, g = value_and_grad(loss)(p)
        m = [0.9 * a + 0.1 * b for a, b in zip(m, g, strict=True)]
        v = [0.99 * a + 0.01 * b * b for a, b in zip(v, g, strict=True)]
        p = [x - 0.1 * a / (sqrt(b) + 1e-8) for x, a, b in zip(p, m, v, strict=True)]
        return value, p, m, v

    p = parameters(sizes)
    return jit(step), (p, [0.0] * len(p), [0.1] * len(p))


@program
def lstm() -> Call:
    """Last state of an LSTM of four units over twelve numbers, unit by unit, with all gradients."""
    units, steps = 4, 12

    def last(gates: Any, xs: Any) -> Any:
        h, c = [0.0] * units, [0.0] * units
        for x in xs:
            read = [x, *h, 1.0]
            sums = [[dot(row, read) for row in gate] for gate in gates]
            keep, put, out = ([sigmoid(s) for s in gate] for gate in sums[:3])
            c = [k * a + i * tanh(s) for k, a, i, s in zip(keep, c, put, sums[3], strict=True)]
            h = [o * tanh(a) for o, a in zip(out, c, strict=True)]
        return sum(a * a for a in h)

    gates = [table(units, units + 2, k) for k in range(4)]
    return jit(value_and_grad(last)), (gates, [math.sin(k) for k in range(steps)])


@program
def recurrent() -> Call:
    """Recurrent network of three units over 60 numbers by scan, and the loss of each step."""

    def loss(weights: Any, xs: Any) -> Any:
        def step(h: Any, x: Any) -> Any:
            h = [tanh(dot(row, [*h, x])) for row in weights]
            return h, (h[0] - x) ** 2

        _, errors = scan(jit(step), [0.0] * 3, xs)
        return sum(errors)

    return jit(value_and_grad(loss)), (table(3, 4), [math.sin(0.2 * k) for k in range(60)])


@program
def attention() -> Call:
    """Head of causal attention over eight places of four numbers: softmax of ragged rows."""

    def head(q: Any, k: Any, v: Any, rows: Any) -> Any:
        asked, keys, values = ([[dot(w, x) for w in m] for x in rows] for m in (q, k, v))
        total = 0.0
        for place, query in enumerate(asked):
            shares = softmax([dot(query, key) / 2.0 for key in keys[: place + 1]])
            mixed = [dot(shares, column) for column in zip(*values[: place + 1], strict=True)]
            total = total + sum(x * x for x in mixed)
        return total

    given = *(table(4, 4, k) for k in range(3)), table(8, 4, 3)
    return jit(value_and_grad(head, argnums=(0, 1, 2))), given


def layer_norm(x: list[Any]) -> list[Any]:
    """Return numbers shifted and scaled to mean 0 and variance 1."""
    middle = sum(x) / len(x)
    spread = sum((a - middle) ** 2 for a in x) / len(x)
    return [(a - middle) / sqrt(spread + 1e-5) for a in x]


@program
def encoder() -> Call:
    """Two layers of a transformer, with two heads, without a mask: gradient by all weights."""
    tokens, size = table(6, 8, 4), 4
    layers = [[table(8, 8, 4 * k + j) for j in range(4)] for k in (5, 6)]

    def times(matrix: Any, x: Any) -> list[Any]:
        return [dot(row, x) for row in matrix]

    def mixed(q: Any, ks: Any, vs: Any) -> list[Any]:
        found: list[Any] = []
        for part in (slice(0, size), slice(size, 2 * size)):
            scores = [
                exp(sum(a * b for a, b in zip(q[part], k[part], strict=True)) / 2) for k in ks
            ]
            total = sum(scores)
            found += [
                sum(s / total * v for s, v in zip(scores, column, strict=True))
                for column in zip(*(v[part] for v in vs), strict=True)
            ]
        return found

    def loss(layers: Any) -> Any:
        xs = tokens
        for query, key, value, wide in layers:
            ks, vs = ([times(matrix, x) for x in xs] for matrix in (key, value))
            rows = [mixed(times(query, x), ks, vs) for x in xs]
            xs = [
                layer_norm([a + b for a, b in zip(x, r, strict=True)])
                for x, r in zip(xs, rows, strict=True)
            ]
            xs = [
                layer_norm([a + tanh(b) for a, b in zip(x, times(wide, x), strict=True)])
                for x in xs
            ]
        return sum(x[0] * x[0] + x[1] for x in xs)

    return jit(value_and_grad(loss)), (layers,)


@program
def convolution() -> Call:
    """Convolution of a picture with pooling and a class: windows in three loops."""
    picture, places = table(8, 8), [(a, b) for a in range(3) for b in range(3)]

    def loss(kernel: Any, weights: Any) -> Any:
        seen = [
            [
                relu(sum(kernel[3 * a + b] * picture[i + a][j + b] for a, b in places))
                for j in range(6)
            ]
            for i in range(6)
        ]
        pooled = [
            maximum(seen[i][j], seen[i + 1][j], seen[i][j + 1], seen[i + 1][j + 1])
            for i in range(0, 6, 2)
            for j in range(0, 6, 2)
        ]
        return losses.cross_entropy([dot(row, pooled) for row in weights], 1)

    given = [x for (x,) in table(9, 1, 2)], table(3, 9, 3)
    return jit(value_and_grad(loss, argnums=(0, 1))), given


@program
def messages() -> Call:
    """Three rounds of messages along the edges of a graph, whose nodes have one to five of them."""
    rng = random.Random(3)
    near = [rng.sample(range(12), rng.randint(1, 5)) for _ in range(12)]

    def energy(w: Any, start: Any) -> Any:
        state = list(start)
        for _ in range(3):
            state = [
                tanh(w[0] * state[k] + w[1] * mean([state[j] for j in found]) + w[2])
                for k, found in enumerate(near)
            ]
        return sum(x * x for x in state)

    return jit(value_and_grad(energy, argnums=(0, 1))), (
        [0.5, 0.8, 0.1],
        [0.1 * k for k in range(12)],
    )


@program
def normalized() -> Call:
    """Layer whose outputs are normalized over a batch of 16, so that each example reads all."""
    rows = table(16, 3)

    def loss(weights: Any, scale: Any) -> Any:
        columns = [[dot(w, row) for row in rows] for w in weights]
        total = 0.0
        for column, s in zip(columns, scale, strict=True):
            m = mean(column)
            spread = mean([(x - m) ** 2 for x in column])
            total = total + sum(relu(s * (x - m) / sqrt(spread + 1e-5)) ** 2 for x in column)
        return total

    return jit(value_and_grad(loss, argnums=(0, 1))), (table(4, 3, 1), [1.0, 0.9, 1.1, 1.2])


@program
def classes_under_vmap() -> Call:
    """Step of descent of a network with classes, whose examples are mapped over an array."""
    rng = np.random.default_rng(0)
    inputs, targets = rng.normal(size=(300, 5)), rng.integers(0, 3, size=300)

    def loss(layers: Any, inputs: Any, targets: Any) -> Any:
        def of_one(x: Any, target: Any) -> Any:
            hidden = [relu(dot(row, x)) for row in layers[0]]
            return losses.cross_entropy([dot(row, hidden) for row in layers[1]], target)

        return sum(vmap(of_one)(inputs, targets)) / len(inputs)

    def step(layers: Any, inputs: Any, targets: Any) -> Any:
        value, slopes = value_and_grad(loss)(layers, inputs, targets)
        return value, [w - 0.1 * slope for w, slope in zip(layers, slopes, strict=True)]

    layers = [rng.normal(size=(8, 5)), rng.normal(size=(3, 8))]
    return jit(step), (layers, inputs, targets)


@program
def letters() -> Call:
    """Bigram model of letters: rows that they choose, and the logarithms of shares."""
    text = [ord(c) - 97 for c in "thequickbrownfoxjumpsoverthelazydog"]

    def loss(rows: Any) -> Any:
        total = 0.0
        for a, b in pairwise(text):
            total = total - log(take(softmax(rows[a % 6]), b % 6))
        return total / len(text)

    return jit(value_and_grad(loss)), (table(6, 6),)


@program
def physics() -> Call:
    """Network that solves u'' = -u: its second derivatives are part of the loss."""
    sizes = [1, 5, 1]

    def loss(p: Any) -> Any:
        def u(x: Any) -> Any:
            return dense(p, sizes, [x])[0]

        bends = [(grad(grad(u))(0.3 * k) + u(0.3 * k)) ** 2 for k in range(6)]
        return sum(bends) + u(0.0) ** 2 + (grad(u)(0.0) - 1.0) ** 2

    return jit(value_and_grad(loss)), (parameters(sizes),)


@program
def curvature() -> Call:
    """Hessian of the loss of a small network: dense, with a row for each of 13 parameters."""
    sizes, rows = [2, 3, 1], table(12, 2)

    def loss(p: Any) -> Any:
        return sum((dense(p, sizes, row)[0] - row[0] * row[1]) ** 2 for row in rows)

    return jit(hessian(loss)), (parameters(sizes),)


@program
def flow() -> Call:
    """Likelihood of points under four coupled layers that each move one coordinate by the other."""
    points = table(25, 2)

    def likelihood(p: Any) -> Any:
        total = 0.0
        for x, y in points:
            for k in range(0, 16, 4):
                scale = tanh(p[k] * x + p[k + 1])
                x, y = y * exp(scale) + p[k + 2] * x + p[k + 3], x
                total = total + scale
            total = total - 0.5 * (x * x + y * y)
        return total

    return jit(value_and_grad(likelihood)), ([0.1 * math.sin(k) for k in range(16)],)


@program
def perceptron() -> Call:
    """Rosenblatt's rule over 20 points: an update only where a comparison says so."""
    points, labels = table(20, 2), [1.0 if k % 3 else -1.0 for k in range(20)]

    def trained(w: Any) -> Any:
        for (x, y), label in zip(points, labels, strict=True):
            if label * (w[0] * x + w[1] * y + w[2]) <= 0.0:
                w = [w[0] + label * x, w[1] + label * y, w[2] + label]
        return w

    return jit(trained), ([0.1, -0.1, 0.0],)


@program
def autoencoder() -> Call:
    """Network that gives back its inputs, over 600 examples; each weight is used twice."""
    rows = np.random.default_rng(5).normal(size=(600, 4))

    def loss(w: Any, rows: Any) -> Any:
        def error(x: Any) -> Any:
            code = [tanh(dot(row, x)) for row in w]
            back = [dot(code, column) for column in zip(*w, strict=True)]
            return sum((a - b) ** 2 for a, b in zip(back, x, strict=True))

        return mean(vmap(error)(rows))

    return jit(value_and_grad(loss)), (table(2, 4), rows)
