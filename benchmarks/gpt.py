"""The loss of a character-level GPT, number by number, as microgpt writes it.

4,192 parameters: A. Karpathy, microgpt, 2026. `scalargrad.experiments.GPT` is the same model built
of layers, and has the same loss.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from scalargrad import exp, log, relu

CHARACTERS, CONTEXT, WIDTH, HEADS = 27, 16, 16, 4
SIZE = WIDTH // HEADS
Vector = list[Any]
Matrix = list[Vector]

#: Rows and columns of the matrices, in the order in which the parameters stand.
SHAPES = {
    "token": (CHARACTERS, WIDTH),
    "position": (CONTEXT, WIDTH),
    "query": (WIDTH, WIDTH),
    "key": (WIDTH, WIDTH),
    "value": (WIDTH, WIDTH),
    "out": (WIDTH, WIDTH),
    "wide": (4 * WIDTH, WIDTH),
    "narrow": (WIDTH, 4 * WIDTH),
    "head": (CHARACTERS, WIDTH),
}


def matrices(parameters: Sequence[Any]) -> dict[str, Matrix]:
    """Cut a list of 4,192 numbers into the model's matrices."""
    remaining: Iterator[Any] = iter(parameters)
    return {
        name: [[next(remaining) for _ in range(columns)] for _ in range(rows)]
        for name, (rows, columns) in SHAPES.items()
    }


def linear(matrix: Matrix, x: Vector) -> Vector:
    """Multiply a matrix with a vector."""
    return [sum(w * xi for w, xi in zip(row, x, strict=True)) for row in matrix]


def rms_norm(x: Vector) -> Vector:
    """Scale a vector to root mean square 1."""
    scale = (sum(xi * xi for xi in x) / len(x) + 1e-5) ** -0.5
    return [xi * scale for xi in x]


def softmax(x: Vector) -> Vector:
    """Turn scores into probabilities."""
    exponentials = [exp(xi) for xi in x]
    total = sum(exponentials)
    return [e / total for e in exponentials]


def attention(query: Vector, keys: list[Vector], values: list[Vector]) -> Vector:
    """Mix the values of the positions so far, head by head."""
    found: Vector = []
    for start in range(0, WIDTH, SIZE):
        part = range(start, start + SIZE)
        weights = softmax([sum(query[i] * key[i] for i in part) / SIZE**0.5 for key in keys])
        found += [sum(w * v[i] for w, v in zip(weights, values, strict=True)) for i in part]
    return found


def loss(parameters: Sequence[Any], tokens: Sequence[int], targets: Sequence[int]) -> Any:
    """Return the mean cross-entropy over the positions of one name, in nats."""
    m = matrices(parameters)
    keys: list[Vector] = []
    values: list[Vector] = []
    losses = []
    for position, (token, target) in enumerate(zip(tokens, targets, strict=True)):
        x = [a + b for a, b in zip(m["token"][token], m["position"][position], strict=True)]
        x = rms_norm(x)
        normed = rms_norm(x)
        keys.append(linear(m["key"], normed))
        values.append(linear(m["value"], normed))
        mixed = linear(m["out"], attention(linear(m["query"], normed), keys, values))
        x = [a + b for a, b in zip(x, mixed, strict=True)]
        thought = linear(m["narrow"], [relu(h) for h in linear(m["wide"], rms_norm(x))])
        x = [a + b for a, b in zip(x, thought, strict=True)]
        losses.append(-log(softmax(linear(m["head"], x))[target]))
    return sum(losses) / len(losses)
