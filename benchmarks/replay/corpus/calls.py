"""Calls with arguments and results of all kinds, Values with gradients taken outside among them."""

from __future__ import annotations

import copy
import random
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from benchmarks.replay import Call, program
from scalargrad import (
    Parameter,
    Value,
    drawn,
    exp,
    grad,
    gradients,
    jit,
    log,
    no_grad,
    relu,
    softmax,
    tanh,
    value_and_grad,
)
from scalargrad.losses import cross_entropy, mse_loss
from scalargrad.nn import MLP, Dropout, Linear, Sequential, Tanh


def gauss(count: int, seed: int = 0) -> list[float]:
    """Return normal random numbers."""
    rng = random.Random(seed)
    return [rng.gauss(0.0, 1.0) for _ in range(count)]


@program
def readme() -> Call:
    """Expression of micrograd's README, and its gradients from outside."""

    @jit
    def g(a: Any, b: Any) -> Any:
        c = a + b
        d = a * b + b**3
        c += c + 1
        c += 1 + c + (-a)
        d += d * 2 + relu(b + a)
        d += 3 * d + relu(b - a)
        f = (c - d) ** 2
        return f / 2.0 + 10.0 / f

    def both(x: float, y: float) -> Any:
        a, b = Value(x), Value(y)
        result: Any = g(a, b)
        result.backward()
        return [result.data, a.grad, b.grad]

    return both, (-4.0, 2.0)


@program
def fit_of_a_line() -> Call:
    """Ordinary least squares of lists of numbers, twenty steps of one compiled function."""
    xs = gauss(30)
    ys = [2.0 * x - 1.0 + 0.1 * e for x, e in zip(xs, gauss(30, 1), strict=True)]

    @jit
    def step(p: list[float], xs: list[float], ys: list[float]) -> Any:
        def loss(p: Any) -> Any:
            return mse_loss([p[0] * x + p[1] for x in xs], ys)

        value, slopes = value_and_grad(loss)(p)
        return value, [a - 0.1 * b for a, b in zip(p, slopes, strict=True)]

    def fitted(p: list[float]) -> Any:
        for _ in range(20):
            value, p = step(p, xs, ys)
        return value, p

    return fitted, ([0.0, 0.0],)


class Point(NamedTuple):
    """A place in the plane."""

    x: Any
    y: Any


@program
def named_tuples() -> Call:
    """Segment of named tuples moved and turned; the result is one of them."""

    def turned(segment: tuple[Point, Point], angle: Any) -> Any:
        (a, b), c = segment, 1.0 - angle * angle / 2.0
        return Point(c * a.x - angle * b.y, {"length": (a.x - b.x) ** 2 + (a.y - b.y) ** 2})

    return jit(turned), ((Point(1.0, 2.0), Point(4.0, 6.0)), 0.1)


@dataclass
class Oscillator:
    """The settings of a simulation."""

    mass: Any
    stiffness: Any
    state: list[Any]
    name: str = "spring"


@program
def dataclasses() -> Call:
    """Energy of an oscillator that is a dataclass, after a few steps, and its gradient."""

    def energy(o: Oscillator, dt: Any) -> Any:
        x, v = o.state
        for _ in range(len(o.name)):
            v = v - dt * o.stiffness / o.mass * x
            x = x + dt * v
        return 0.5 * o.mass * v * v + 0.5 * o.stiffness * x * x

    return jit(grad(energy, argnums=1)), (Oscillator(2.0, 3.0, [1.0, 0.0]), 0.1)


@program
def dicts() -> Call:
    """Parameters by name, and gradients by the same names."""

    def loss(p: dict[str, Any], data: dict[str, Any]) -> Any:
        errors = [tanh(p["w"]["a"] * x + p["b"]) - y for x, y in zip(*data.values(), strict=True)]
        return sum(e * e for e in errors) + p["w"]["penalty"] ** 2

    given = {"w": {"a": 0.3, "penalty": 0.1}, "b": -0.2}
    return jit(value_and_grad(loss)), (given, {"x": gauss(10), "y": gauss(10, 1)})


@program
def matrices() -> Call:
    """Products, transposes and slices of arrays, returned as arrays."""

    def f(a: Any, b: Any) -> Any:
        product = a @ b.T
        return product * 2.0, {"rest": [product[0, 0] + 1.0, a.T[1:]], "trace": product.trace()}

    return jit(f), (np.array([gauss(3), gauss(3, 1)]), np.array([gauss(3, 2), gauss(3, 3)]))


@program
def rows_of_samples() -> Call:
    """Sum over 40 rows that are lists of floats, by value and gradient."""
    rows = [gauss(8, k) for k in range(40)]

    def total(w: Any, rows: Any) -> Any:
        return sum(tanh(sum(a * x for a, x in zip(w, row, strict=True))) for row in rows)

    return jit(value_and_grad(total)), ([0.1 * k for k in range(8)], rows)


@program
def two_calls_and_a_leaf() -> Call:
    """Results of one call go into another and into a loss; gradients are taken outside."""
    first = jit(lambda w: [relu(tanh(a * b)) for a in w for b in w])
    second = jit(lambda w, hs: [h * a for h in hs for a in w])

    def slopes(numbers: list[float]) -> Any:
        w = [Parameter(x) for x in numbers]
        hs = first(w)
        loss = sum(y * y for y in second(w, hs[:5])) + sum(hs) * w[0] + w[1]
        return gradients(loss, w)

    return slopes, ([0.5, -0.4, 0.3],)


@program
def network_learns() -> Call:
    """Network that is closed over, updated between ten calls of its compiled loss."""
    points = [[*pair] for pair in zip(gauss(20), gauss(20, 1), strict=True)]

    def losses() -> Any:
        model = MLP(2, [8, 1], activation="tanh", rng=7)
        loss = jit(lambda: sum((model(p)[0] - p[0] * p[1]) ** 2 for p in points) / 20)
        found = []
        for _ in range(10):
            y: Any = loss()
            model.zero_grad()
            y.backward()
            for p in model.parameters():
                p.data -= 0.1 * p.grad
            found.append(y.data)
        return found

    return losses, ()


@program
def model_as_argument() -> Call:
    """Model as an argument, with its loss and the gradients of its parameters from outside."""
    score = jit(lambda model, xs, k: cross_entropy([model(x) for x in xs], k))

    def slopes(xs: Any) -> Any:
        model = MLP(2, [4, 3], rng=5)
        loss: Any = score(model, xs, [0, 2, 1])
        return loss.data, gradients(loss, model.parameters())

    return slopes, ([[0.5, 1.0], [-1.0, 0.3], [0.2, -0.7]],)


@program
def dropout_learns() -> Call:
    """Network whose masks are drawn by its own seeded generator at each call."""
    points = [[*pair] for pair in zip(gauss(10), gauss(10, 1), strict=True)]

    def losses() -> Any:
        model = Sequential(Linear(2, 8, rng=1), Tanh(), Dropout(0.5, rng=2), Linear(8, 1, rng=3))
        loss: Any = jit(lambda: sum(model(p)[0] ** 2 for p in points))
        found = [loss() for _ in range(4)]
        return [(y.data, gradients(y, model.parameters()[:2])) for y in found]

    return losses, ()


@program
def noise_of_a_generator() -> Call:
    """Four draws by three methods in each call, of a stream that is seeded again."""

    def noisy(x: float) -> Any:
        rng, numpys = random.Random(3), np.random.default_rng(3)
        f = jit(
            lambda x: tanh(x * drawn(rng.random)) + drawn(rng.gauss, 1.0, 2.0) * drawn(rng.random)
            + drawn(numpys.normal)
        )  # fmt: skip
        return [f(x) for _ in range(5)]

    return noisy, (0.5,)


@program
def piecewise() -> Call:
    """Three branches, taken alternately."""

    @jit
    def halves(x: Any) -> Any:
        if x > 10:
            return x / 2
        return 3 * x if x > 0 else -x

    return lambda xs: [halves(x) for x in xs], ([20.0, 4.0, -1.0, 30.0, 5.0, -2.0, 10.0],)


@program
def growing_data() -> Call:
    """Loss with a branch for each of the samples, which come in one by one."""

    def loss(p: list[Any], xs: list[float]) -> Any:
        total: Any = 0.0
        for x in xs:
            z = p[0] * x + p[1]
            total = total + (z * z if z > 0 else exp(z))
        return total

    def fitted(xs: list[float]) -> list[Any]:
        slopes, known = jit(value_and_grad(loss)), xs[:5]
        found = []
        for k, x in enumerate(xs[5:]):
            known.append(x)
            found.append(slopes([0.3 + 0.01 * k, 0.1], known))
        return found

    return fitted, (gauss(40),)


@program
def static_count() -> Call:
    """Power series whose number of terms is static, and named."""

    def series(x: Any, terms: int, scaled: bool = False) -> Any:
        total, term = 1.0, 1.0
        for k in range(1, terms):
            term = term * x / k
            total = total + term
        return total / exp(x) if scaled else total

    compiled = jit(series, static_argnames="terms")
    return lambda x: [compiled(x, terms=n, scaled=n > 4) for n in (2, 5, 9)], (0.7,)


class Line:
    """A line whose method is compiled."""

    def __init__(self, slope: float) -> None:
        self.slope = Parameter(slope)

    @jit
    def at(self, x: Any) -> Any:
        """Return its height at x."""
        return self.slope * x + 1.0


@program
def methods() -> Call:
    """Compiled method of two objects, before and after one of them changes."""

    def heights(x: float) -> Any:
        first, second = Line(2.0), Line(3.0)
        found: list[Any] = [first.at(x), second.at(x)]
        second.slope.data = 4.0
        return [y.data for y in [*found, first.at(x), second.at(x)]]

    return heights, (5.0,)


@program
def surrounded_by_numbers() -> Call:
    """Float, item and Value that are captured and change between the calls."""

    def totals(xs: list[float]) -> Any:
        scale, entries, held = 2.0, [3.0, 4.0], [Value(5.0)]
        f: Any = jit(lambda xs: sum(x * scale + entries[0] * held[0] for x in xs))
        found = [f(xs)]
        scale = 7.0
        found.append(f(xs[1:]))
        entries[0] = -1.0
        found.append(f(xs))
        held[0] = Value(6.0)
        return [y.data for y in [*found, f(xs)]]

    return totals, (gauss(4),)


@program
def without_gradients() -> Call:
    """Target network: what is computed under no_grad is a constant of the loss."""

    def loss(w: Any, xs: Any) -> Any:
        with no_grad():
            targets = [tanh(w[0] * x) for x in xs]
        return sum((w[1] * x + w[0] - t) ** 2 for x, t in zip(xs, targets, strict=True))

    return jit(value_and_grad(loss)), ([0.4, 0.7], gauss(12))


@program
def second_order() -> Call:
    """Newton step made of a gradient and the gradients of its entries, as Values."""

    def step(numbers: list[float]) -> Any:
        w = [Value(x) for x in numbers]
        f: Any = jit(lambda w: exp(w[0] * w[1]) + w[0] ** 2 + 2.0 * w[1] ** 2)
        slopes = gradients(f(w), w, create_graph=True)
        (a, b), (_, d) = (gradients(s, w) for s in slopes)
        g, h = (s.data for s in slopes)
        return [w[0].data - (d * g - b * h) / (a * d - b * b), (a * h - b * g) / (a * d - b * b)]

    return step, ([0.3, -0.4],)


@program
def ragged_results() -> Call:
    """Nested lists of other lengths, with constants, text and nothing between the numbers."""

    def nested(x: Any) -> Any:
        blocks = [[[x[f + 2 * i + j] * 3.0 for j in range(2)] for i in range(3)] for f in (0, 6)]
        return blocks, [[x[0] + 1.0], [x[1], x[2], 7.0]], ("text", None, 1.5), softmax(x[:3])

    return jit(nested), (gauss(12),)


@program
def undefined() -> Call:
    """Logarithm of a number that becomes negative in the last of a few terms: an error."""
    return jit(lambda xs: sum(log(x) for x in xs)), ([3.0, 2.0, 1.0, -1.0],)


@dataclass
class Sample:
    """Point with a name, as people keep their data."""

    x: float
    name: str
    weight: Any


@program
def many_samples() -> Call:
    """Sum over 40 dataclasses, lists of them, dicts and pairs, in which numbers change."""

    def total(samples: Any, groups: Any, records: Any, pairs: Any) -> Any:
        found = sum(s.x * len(s.name) * s.weight for s in samples)
        found = found + sum(s.x * s.weight[-1] for group in groups for s in group)
        found = found + sum(r["x"] * r["y"] for r in records)
        return found + sum((x - y) ** 2 for x, y in pairs)

    compiled, xs = jit(total), gauss(40)

    def run() -> Any:
        found = []
        for shift in (0.0, 1.0):
            samples = [Sample(x + shift, "ab", Value(x)) for x in xs]
            groups = [[Sample(x, "a", [shift, x]), Sample(1.0, "b", [x, x])] for x in xs]
            records = [{"x": x, "y": x * shift} for x in xs]
            found.append(compiled(samples, groups, records, [(x, shift) for x in xs]))
        return found

    return run, ()


@program
def gradient_of_a_part() -> Call:
    """Gradient by an array of which every other number is read, and by rows of a matrix."""

    def loss(w: Any, m: Any) -> Any:
        return sum(tanh(x) * (k + 1.0) for k, x in enumerate(w[::2])) + m[1, 0] * m[1, 1]

    given = np.array(gauss(9)), np.array(gauss(6)).reshape(2, 3)
    return jit(grad(loss, argnums=(0, 1))), given


@program
def copied_model() -> Call:
    """Network and its deep copy, made within the call, with parameters of its own."""
    model = MLP(2, [3, 1], rng=1)

    def both(model: Any, x: Any) -> Any:
        return model([x, x]) * copy.deepcopy(model)([x, x])

    return jit(both), (model, Value(0.7))
