"""The digits of a number depend on the program and on nothing else."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.seeds import seeds

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


class Formula:
    """A random formula of shared numbers w and an example x, with sums of few terms and of many.

    Nothing in it is computed from shared numbers alone, which `vmap` computes once.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        generator = random.Random(seed)
        shapes = generator.randint(1, 3), generator.randint(1, 4)
        self.w, *self.rows = [
            [generator.uniform(-1.5, 1.5) for _ in range(shapes[k > 0])] for k in range(21)
        ]

    def __call__(self, w: Any, x: Any) -> Any:
        """Compute the formula."""
        generator = random.Random(self.seed)
        known = [*(a * b for a in w for b in x), *(tanh(a + x[0]) for a in w), *x]
        for _ in range(generator.randint(4, 12)):
            a, b, kind = generator.choice(known), generator.choice(known), generator.random()
            if kind < 0.6:
                count = generator.choice([2, 3, 4, 6, 80])
                known.append(tanh(sum(self.terms(generator, known, count), start=a)))
            else:
                known.append(sin(a) if kind < 0.7 else a * b if kind < 0.85 else a / (b * b + 1.0))
        return sum(tanh(a) * known[-1] for a in known[-4:])

    def terms(self, generator: random.Random, known: list[Any], count: int) -> list[Any]:
        """Return terms of all kinds."""
        pairs = [(generator.choice(known), generator.choice(known)) for _ in range(count)]
        return [generator.choice([a * b, a, -a, a * 0.3, a - b]) for a, b in pairs]


@pytest.mark.alike
@pytest.mark.parametrize("seed", seeds(60, light=12))
def test_digits_of_random_formulas_depend_on_nothing_else(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Alone, in lists, on lanes, in blocks; whether shared numbers come first or last."""
    f = Formula(seed)
    value = value_and_grad(f if seed % 2 else lambda x, w: f(w, x), argnums=(0, 1))
    order = 1 if seed % 2 else -1
    axes = (None, 0)[::order]

    def each(*given: Any) -> Any:
        w, xs = given[::order]
        return [value(*(w, x)[::order]) for x in xs]

    alone = [jit(value)(*(f.w, x)[::order]) for x in f.rows]
    for size in (3, 17):
        assert jit(each)(*(f.w, f.rows[:size])[::order]) == alone[:size]
    for most in (segments.MOST, 3):
        monkeypatch.setattr(segments, "FEWEST", min(most, segments.FEWEST))
        monkeypatch.setattr(segments, "MOST", most)
        for size in (2, len(f.rows)):
            lanes = jit(vmap(value, in_axes=axes))
            assert lanes(*(f.w, f.rows[:size])[::order]) == alone[:size], (most, size)


@pytest.mark.parametrize("f", EXAMPLES)
def test_digits_do_not_depend_on_threads(f: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread, two or three: the same sums."""
    from scalargrad.compiler.backend import steps

    monkeypatch.setattr(segments, "FEWEST", 3)
    monkeypatch.setattr(segments, "MOST", 3)
    monkeypatch.setattr(steps, "LANES_FOR_THREADS", 0)
    w, xs = np.array(weights(FEW)), np.array(rows(FEW))
    found = []
    for threads in ("1", "2", "3"):
        monkeypatch.setenv("SCALARGRAD_THREADS", threads)
        each = vmap(f, in_axes=(None, 0))
        loss = jit(value_and_grad(lambda w, xs, each=each: sum(each(w, xs))))
        value, gradient = loss(w, xs)
        found.append((float(value), [float(x) for x in gradient]))
    assert found[0] == found[1] == found[2]
