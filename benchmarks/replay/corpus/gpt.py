"""The loss of a character-level GPT, number by number, as microgpt writes it.

4,192 parameters: A. Karpathy, microgpt, 2026. `examples.experiments.GPT` is the same model built
of layers, and has the same loss. `m` has the functions exp, log and relu of some library.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import scalargrad as sg
from benchmarks.replay import Call, program
from examples.experiments import GPT

CHARACTERS, CONTEXT, WIDTH, HEADS = 27, 16, 16, 4
SIZE = WIDTH // HEADS
Vector = list[Any]
Matrix = list[Vector]

#: Rows and columns of the matrices, in the order of the parameters.
INPUTS = {"token": (CHARACTERS, WIDTH), "position": (CONTEXT, WIDTH)}
LAYER = {
    **dict.fromkeys(("query", "key", "value", "out"), (WIDTH, WIDTH)),
    "wide": (4 * WIDTH, WIDTH),
    "narrow": (WIDTH, 4 * WIDTH),
}
OUTPUTS = {"head": (CHARACTERS, WIDTH)}
#: How many numbers a layer has.
OF_LAYER = sum(rows * columns for rows, columns in LAYER.values())


def matrices(remaining: Iterator[Any], shapes: dict[str, tuple[int, int]]) -> dict[str, Matrix]:
    """Take the next numbers as matrices."""
    return {
        name: [[next(remaining) for _ in range(columns)] for _ in range(rows)]
        for name, (rows, columns) in shapes.items()
    }


def linear(matrix: Matrix, x: Vector) -> Vector:
    """Multiply a matrix with a vector."""
    return [sum(w * xi for w, xi in zip(row, x, strict=True)) for row in matrix]


def rms_norm(x: Vector) -> Vector:
    """Scale a vector to root mean square 1."""
    scale = (sum(xi * xi for xi in x) / len(x) + 1e-5) ** -0.5
    return [xi * scale for xi in x]


def softmax(x: Vector, m: Any) -> Vector:
    """Turn scores into probabilities."""
    exponentials = [m.exp(xi) for xi in x]
    total = sum(exponentials)
    return [e / total for e in exponentials]


def attention(query: Vector, keys: list[Vector], values: list[Vector], m: Any) -> Vector:
    """Mix the values of the positions so far, head by head."""
    found: Vector = []
    for start in range(0, WIDTH, SIZE):
        part = range(start, start + SIZE)
        weights = softmax([sum(query[i] * key[i] for i in part) / SIZE**0.5 for key in keys], m)
        found += [sum(w * v[i] for w, v in zip(weights, values, strict=True)) for i in part]
    return found


def loss(
    parameters: Sequence[Any],
    tokens: Sequence[int],
    targets: Sequence[int],
    m: Any,
    layers: int = 1,
) -> Any:
    """Return the mean cross-entropy over the positions of one name, in nats."""
    remaining: Iterator[Any] = iter(parameters)
    first = matrices(remaining, INPUTS)
    own = [matrices(remaining, LAYER) for _ in range(layers)]
    head = matrices(remaining, OUTPUTS)["head"]
    keys: list[list[Vector]] = [[] for _ in own]
    values: list[list[Vector]] = [[] for _ in own]
    losses = []
    for position, (token, target) in enumerate(zip(tokens, targets, strict=True)):
        x = [a + b for a, b in zip(first["token"][token], first["position"][position], strict=True)]
        x = rms_norm(x)
        for layer, of in enumerate(own):
            normed = rms_norm(x)
            keys[layer].append(linear(of["key"], normed))
            values[layer].append(linear(of["value"], normed))
            query = linear(of["query"], normed)
            mixed = linear(of["out"], attention(query, keys[layer], values[layer], m))
            x = [a + b for a, b in zip(x, mixed, strict=True)]
            thought = linear(of["narrow"], [m.relu(h) for h in linear(of["wide"], rms_norm(x))])
            x = [a + b for a, b in zip(x, thought, strict=True)]
        losses.append(-m.log(softmax(linear(head, x), m)[target]))
    return sum(losses) / len(losses)


#: The tokens of “lea” behind the mark that begins and ends a name, and the token that follows each.
TOKENS, NEXT = [26, 11, 4, 0], [11, 4, 0, 26]


def loss_of_lea(parameters: Any) -> Any:
    """Return the loss for one name."""
    return loss(parameters, TOKENS, NEXT, sg)


@program
def of_floats() -> Call:
    """Loss and gradient with respect to a list of 4,192 floats."""
    given = [p.data for p in GPT(CHARACTERS, rng=0).parameters()]
    return sg.jit(sg.value_and_grad(loss_of_lea)), (given,)


@program
def of_three_layers() -> Call:
    """Loss and gradient of a GPT with three layers, by a list of 10,336 floats."""
    given = [p.data for p in GPT(CHARACTERS, rng=0).parameters()]
    end = len(given) - CHARACTERS * WIDTH
    given[end:end] = 2 * given[end - OF_LAYER : end]
    deep = sg.value_and_grad(lambda p: loss(p, TOKENS, NEXT, sg, layers=3))
    return sg.jit(deep), (given,)


@program
def of_parameters() -> Call:
    """Loss and gradient with respect to Parameters that the function reads."""
    own = [sg.Parameter(p.data) for p in GPT(CHARACTERS, rng=0).parameters()]
    read = sg.jit(lambda: loss_of_lea(own))

    def slopes() -> list[Any]:
        value = read()
        return [value.data, *sg.gradients(value, own)]

    return slopes, ()
