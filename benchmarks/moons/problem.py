"""The problem of all peers: points, parameters, and the loss as scalar code."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from scalargrad import data, nn

Step = Callable[[], float]
Unit = Callable[[Any], Any]

SEED = 1337
WIDTHS = (2, 16, 16, 1)
PENALTY = 1e-4


class Problem(NamedTuple):
    """The demo's points, labels (1 or -1), first parameters, hidden units and learning rate.

    The rate is so small that all peers compute the same numbers after any number of calls.
    """

    points: list[list[float]]
    labels: list[float]
    parameters: list[float]
    activation: str
    rate: float


def labelled_points(count: int = 100) -> tuple[list[list[float]], list[float]]:
    """Return the first of the demo's 100 points, and their labels, 1 or -1."""
    points, classes = data.moons(100, 0.1, seed=SEED)
    return points[:count], [2.0 * y - 1.0 for y in classes[:count]]


def moons(activation: str = "relu", count: int = 100, rate: float = 1e-14) -> Problem:
    """Return the demo's problem, on its first `count` points."""
    points, labels = labelled_points(count)
    random.seed(SEED)
    parameters = [p.data for p in nn.MLP(WIDTHS[0], list(WIDTHS[1:])).parameters()]
    return Problem(points, labels, parameters, activation, rate)


def network(parameters: Sequence[Any], x: Sequence[Any], activate: Unit) -> Any:
    """Compute the score of one point in scalar code."""
    remaining = iter(parameters)
    for nout in WIDTHS[1:]:
        outputs = []
        for _ in range(nout):
            s = sum(next(remaining) * xi for xi in x) + next(remaining)
            outputs.append(s if nout == 1 else activate(s))
        x = outputs
    return x[0]


def loss(
    parameters: Sequence[Any],
    points: Sequence[Sequence[Any]],
    labels: Sequence[Any],
    activate: Unit,
    relu: Unit,
) -> Any:
    """Return the max-margin loss with L2 regularisation, on the numbers of any library."""
    scores = [network(parameters, x, activate) for x in points]
    margins = [relu(1 + -y * score) for y, score in zip(labels, scores, strict=True)]
    data_loss = sum(margins) * (1.0 / len(margins))
    return data_loss + PENALTY * sum(p * p for p in parameters)


def run_backward(value: Any) -> float:
    """Run backward from a Value of any library, and return its number."""
    value.backward()
    return float(value.data)


def on_values(loss: Callable[[], Any], parameters: Sequence[Any], rate: float) -> Step:
    """Return micrograd's own loop with Values of any library: forward, backward, update."""

    def run() -> float:
        value = loss()
        for p in parameters:
            p.grad = 0.0
        number = run_backward(value)
        for p in parameters:
            p.data -= rate * p.grad
        return number

    return run


def layers(
    parameters: Sequence[float], widths: Sequence[int] = WIDTHS
) -> Iterator[tuple[list[list[float]], list[float]]]:
    """Split the parameters into a weight matrix (nout rows) and biases for each layer.

    Examples
    --------
    >>> [len(biases) for weights, biases in layers([0.0] * 337)]
    [16, 16, 1]
    """
    remaining = iter(parameters)
    for nin, nout in pairwise(widths):
        rows = [[next(remaining) for _ in range(nin + 1)] for _ in range(nout)]
        yield [row[:-1] for row in rows], [row[-1] for row in rows]
