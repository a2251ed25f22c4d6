"""The digits of a number depend on the program and on nothing else."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from scalargrad import erf, exp, grad, jit, log, sigmoid, sin, tanh, value_and_grad, vmap
from scalargrad.compiler.passes import segments

pytestmark = pytest.mark.usefixtures("backend")


#: How many numbers an example has: sums of few products, and of many.
FEW, MANY = 5, 90
MOST = 40

Example = Callable[[Any, Any], Any]


def weights(count: int) -> list[float]:
    """Return fixed random numbers."""
    generator = random.Random(3)
    return [generator.uniform(-1, 1) for _ in range(count)]


def neuron(w: Any, x: Any) -> Any:
    """Compute one neuron with a bias."""
    return tanh(sum(a * b for a, b in zip(w, x, strict=True)) + 0.3)


def layers(w: Any, x: Any) -> Any:
    """Compute two layers, the second over all outputs of the first."""
    n = len(x)
    hidden = [sigmoid(sum(w[(i + j) % n] * x[j] for j in range(n)) + w[i % n]) for i in range(6)]
    return sum(w[i % n] * h for i, h in enumerate(hidden)) + x[0] * 1.5


def elementary(w: Any, x: Any) -> Any:
    """Use functions that are written out, and those of the C library."""
    terms = [exp(x[0] * w[0]), log(x[1] * x[1] + 1.0), sin(x[2]), erf(x[3]), abs(x[4]) ** 1.3]
    return sum(terms) * x[0] - x[1] / (1.0 + x[2] * x[2])


EXAMPLES: list[Example] = [neuron, layers, elementary]
CASES = [*((f, FEW) for f in EXAMPLES), (neuron, MANY)]


def rows(width: int) -> list[list[float]]:
    """Return examples."""
    generator = random.Random(7)
    return [[generator.uniform(-2, 2) for _ in range(width)] for _ in range(MOST)]


def of_batches(f: Example, w: list[float], xs: list[list[float]]) -> dict[int, list[Any]]:
    """Return results and gradients by x of every example in batches of several sizes."""

    def each(w: Any, batch: Any) -> Any:
        found = [(f(w, x), *grad(lambda x: f(w, x))(x)) for x in batch]
        return [list(x) for x in found]

    sizes = (1, 3, 8, 17, MOST)
    found = {}
    for size in sizes:
        compiled = jit(each)
        found[size] = [row for k in range(0, MOST, size) for row in compiled(w, xs[k : k + size])]
    return found


@pytest.mark.alike
@pytest.mark.parametrize(("f", "width"), CASES)
def test_an_example_has_the_same_digits_in_a_batch_of_any_size(f: Example, width: int) -> None:
    """Alone, in a batch of up to forty and in what is left over: values and gradients."""
    found = of_batches(f, weights(width), rows(width))
    for size, results in found.items():
        assert results == found[1], size


@pytest.mark.parametrize(("f", "width"), CASES)
def test_a_lane_of_vmap_has_the_digits_of_a_single_call(f: Example, width: int) -> None:
    """Examples recorded once have the digits of those recorded each."""
    w, xs = weights(width), rows(width)
    one = jit(value_and_grad(lambda x: f(w, x)))
    alone = [one(x) for x in xs]
    for size in (2, 9, MOST):
        found = jit(vmap(value_and_grad(lambda x: f(w, x))))(xs[:size])
        assert found == alone[:size]


@pytest.mark.parametrize("f", EXAMPLES)
def test_digits_do_not_depend_on_threads(f: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread, two or three: the same sums."""
    from scalargrad.compiler.backend import blocks

    monkeypatch.setattr(segments, "_FEWEST", 3)
    monkeypatch.setattr(segments, "_MOST", 3)
    monkeypatch.setattr(blocks, "_LANES_FOR_THREADS", 0)
    w, xs = np.array(weights(FEW)), np.array(rows(FEW))
    found = []
    for threads in ("1", "2", "3"):
        monkeypatch.setenv("SCALARGRAD_THREADS", threads)
        each = vmap(f, in_axes=(None, 0))
        loss = jit(value_and_grad(lambda w, xs, each=each: sum(each(w, xs))))
        value, gradient = loss(w, xs)
        found.append((float(value), [float(x) for x in gradient]))
    assert found[0] == found[1] == found[2]
