"""Programs that read captured state: objects, closures over data, settings, generators.

Several change it between their calls; such a program first restores the state, since it is called
several times. The last programs are refused (they count, sort in place, draw, read data) and then
run eagerly, never with a number of an earlier call.
"""

from __future__ import annotations

import functools
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.replay import Call, program
from scalargrad import (
    Parameter,
    TraceError,
    Value,
    drawn,
    exp,
    gradients,
    jit,
    log,
    sin,
    tanh,
    vmap,
)
from scalargrad.nn import MLP, Dropout, Embedding, Linear, Module, Sequential, Tanh
from scalargrad.optim import SGD


def close_over_data() -> tuple[list[float], list[float]]:
    """Return points near a line."""
    rng = random.Random(1)
    xs = [k / 10 for k in range(30)]
    return xs, [2.0 * x - 0.5 + rng.gauss(0.0, 0.1) for x in xs]


@program
def regression_on_data_closed_over() -> Call:
    """Gradient descent in a loop: the loss closes over data and two Values."""
    xs, ys = close_over_data()

    def run() -> list[float]:
        w, b = Value(0.0), Value(0.0)
        loss: Any = jit(lambda: sum((w * x + b - y) ** 2 for x, y in zip(xs, ys, strict=True)))
        for _ in range(5):
            slopes = gradients(loss(), [w, b])
            w.data -= 0.005 * slopes[0]
            b.data -= 0.005 * slopes[1]
        return [w.data, b.data]

    return run, ()


@program
def values_bound_anew() -> Call:
    """Descend with new Values at each step, as JAX's users write it."""
    xs, ys = close_over_data()

    def run() -> list[float]:
        w, b = Value(0.0), Value(0.0)
        loss: Any = jit(lambda: sum((w * x + b - y) ** 2 for x, y in zip(xs, ys, strict=True)))
        for _ in range(5):
            slope, shift = gradients(loss(), [w, b])
            w, b = Value(w.data - 0.005 * slope), Value(b.data - 0.005 * shift)
        return [w.data, b.data]

    return run, ()


@program
def model_as_the_function() -> Call:
    """Compile a network, and move its parameters by hand between calls."""
    model = MLP(2, [4, 1], activation="tanh", rng=0)
    start = [p.data for p in model.parameters()]
    compiled: Any = jit(model)

    def run() -> list[float]:
        for p, x in zip(model.parameters(), start, strict=True):
            p.data = x
        found = []
        for _ in range(3):
            y = compiled([0.5, -1.0])
            found.append(y.data)
            for p, slope in zip(model.parameters(), gradients(y, model.parameters()), strict=True):
                p.data -= 0.1 * slope
        return found

    return run, ()


@program
def models_in_turn() -> Call:
    """Losses of three networks, each of which the compiled function finds by the same name."""
    models = [MLP(2, [8, 1], activation="tanh", rng=k) for k in range(3)]
    held = {"model": models[0]}
    loss = jit(lambda: sum(held["model"]([x, -x]) ** 2 for x in (0.5, 1.5)))

    def run() -> list[float]:
        found = []
        for model in models:
            held["model"] = model
            found.append(loss().data)
        return found

    return run, ()


@program
def model_as_an_argument() -> Call:
    """Compute the loss of a model on a batch."""
    model = Sequential(Linear(2, 3, rng=1), Tanh(), Linear(3, 1, rng=2))

    def loss(model: Any, xs: list[list[float]], ys: list[float]) -> Any:
        return sum((model(x)[0] - y) ** 2 for x, y in zip(xs, ys, strict=True))

    return jit(loss), (model, [[0.1, 0.2], [0.3, -0.4], [-0.5, 0.6]], [1.0, -1.0, 0.5])


@program
def training_with_an_optimiser_beside() -> Call:
    """Train by an object that holds the model, its optimiser and a log that grows."""

    class Training:
        def __init__(self) -> None:
            self.model = Linear(2, 1, rng=0)
            self.optimizer = SGD(self.model.parameters(), lr=0.1, momentum=0.9)
            self.losses: list[float] = []

        def loss(self, x: list[float], y: float) -> Any:
            return (self.model(x)[0] - y) ** 2

    def run() -> list[float]:
        training = Training()
        loss = jit(lambda x, y: training.loss(x, y))  # noqa: PLW0108
        for x, y in (([1.0, 2.0], 1.0), ([2.0, -1.0], 0.0), ([0.5, 0.5], 1.0)):
            training.optimizer.zero_grad()
            found: Any = loss(x, y)
            found.backward()
            training.optimizer.step()
            training.losses.append(found.data)
        return training.losses

    return run, ()


@program
def schedule_of_a_rate() -> Call:
    """Assign a setting between calls."""
    options = SimpleNamespace(rate=0.1, power=2)
    step = jit(lambda x: x - options.rate * options.power * x ** (options.power - 1))

    def run() -> list[float]:
        found = []
        for rate, power in ((0.1, 2), (0.05, 2), (0.05, 3), (0.1, 2)):
            options.rate, options.power = rate, power
            found.append(step(2.0))
        return found

    return run, ()


@program
def train_and_eval() -> Call:
    """Dropout drops while its model trains."""

    def run() -> list[float]:
        model = Sequential(Linear(2, 6, rng=0), Dropout(0.5, rng=3), Linear(6, 1, rng=1))
        compiled: Any = jit(lambda x: model(x)[0])
        found = []
        for mode in (True, False, True, False):
            model.train(mode)
            found.append(compiled([0.5, -1.0]).data)
        return found

    return run, ()


@program
def embeddings_of_tokens() -> Call:
    """Look rows of a table up by tokens that are closed over: a bag of words."""
    table, line, tokens = Embedding(5, 3, rng=0), Linear(3, 1, rng=1), [0, 3, 3, 1]

    def logit(x: float) -> Any:
        rows = [table(token) for token in tokens]
        return line([x * sum(column) / len(rows) for column in zip(*rows, strict=True)])[0]

    return jit(logit), (1.5,)


@program
def tied_weights() -> Call:
    """Compute the loss of an autoencoder whose decoder is its encoder, transposed."""
    rng = random.Random(2)
    w = [[Parameter(rng.gauss(0.0, 0.5)) for _ in range(4)] for _ in range(2)]

    def loss(x: list[float]) -> Any:
        code = [tanh(sum(a * b for a, b in zip(row, x, strict=True))) for row in w]
        back = [sum(w[i][j] * code[i] for i in range(2)) for j in range(4)]
        return sum((a - b) ** 2 for a, b in zip(back, x, strict=True))

    return jit(loss), ([0.5, -1.0, 0.25, 2.0],)


@dataclass
class Body:
    """A planet."""

    mass: Any
    position: list[Any]
    velocity: list[Any] = field(default_factory=lambda: [0.0, 0.0])


@program
def bodies_as_objects() -> Call:
    """Potential energy of planets that are dataclasses, by their masses."""
    bodies = [Body(Value(1.0 + k), [float(k), float(k * k)]) for k in range(4)]

    def energy(bodies: list[Body], g: float) -> Any:
        total = 0.0
        for i, a in enumerate(bodies):
            for b in bodies[:i]:
                squared = sum((x - y) ** 2 for x, y in zip(a.position, b.position, strict=True))
                total = total - g * a.mass * b.mass / (squared + 0.01) ** 0.5
        return total

    return jit(energy), (bodies, 6.67)


@program
def body_that_is_moved() -> Call:
    """Return a new body from each step, and pass it to the next."""

    def step(body: Body, dt: Any) -> Body:
        velocity = [v - dt * body.mass * x for x, v in zip(*parts(body), strict=True)]
        position = [x + dt * v for x, v in zip(body.position, velocity, strict=True)]
        return Body(body.mass, position, velocity)

    def parts(body: Body) -> tuple[list[Any], list[Any]]:
        return body.position, body.velocity

    compiled = jit(step)

    def run() -> list[float]:
        body = Body(Value(2.0), [Value(1.0), Value(0.5)], [Value(0.0), Value(0.1)])
        for _ in range(4):
            body = compiled(body, 0.1)
        return [x.data for x in body.position]

    return run, ()


@program
def kalman_filter_of_an_object() -> Call:
    """Step a filter whose noise is an attribute; state and variance are passed along."""

    class Filter:
        def __init__(self) -> None:
            self.drift, self.noise = Value(0.1), 0.5

        def step(self, state: Any, variance: Any, seen: Any) -> tuple[Any, Any]:
            variance = variance + self.drift
            gain = variance / (variance + self.noise)
            return state + gain * (seen - state), (1.0 - gain) * variance

    def run() -> list[float]:
        smoother = Filter()
        compiled = jit(smoother.step)
        state, variance = Value(0.0), Value(1.0)
        for k, seen in enumerate((0.9, 1.1, 1.4, 0.8)):
            smoother.noise = 0.5 if k < 2 else 0.25
            state, variance = compiled(state, variance, seen)
        return [state.data, variance.data, *gradients(state, [smoother.drift])]

    return run, ()


@program
def window_of_prices() -> Call:
    """Average over a deque that is moved on between calls."""
    window: deque[float] = deque(maxlen=3)
    weights = [Parameter(0.2), Parameter(0.3), Parameter(0.5)]
    average = jit(lambda x: sum(w * p for w, p in zip(weights, window, strict=True)) - x)

    def run() -> list[float]:
        window.extend([1.0, 2.0, 3.0])
        found = []
        for price in (4.0, 2.0, 5.0):
            found.append(average(price).data)
            window.append(price)
        return found

    return run, ()


@program
def lookup_in_a_dict_of_parts() -> Call:
    """Compute the likelihood of a mixture whose components are entries of a dict."""
    parts = {"narrow": (Parameter(0.7), 0.5), "wide": (Parameter(0.3), 2.0)}

    def loss(x: float) -> Any:
        return -log(sum(w * exp(-0.5 * (x / s) ** 2) / s for w, s in parts.values()))

    return jit(loss), (0.8,)


@program
def array_closed_over() -> Call:
    """Ridge regression on arrays of NumPy's."""
    rng = np.random.default_rng(0)
    design, target = rng.normal(size=(12, 3)), rng.normal(size=12)

    def loss(w: Any) -> Any:
        residual = design @ w - target
        return residual @ residual + 0.1 * (w @ w)

    return jit(loss), (np.array([Value(0.1), Value(-0.2), Value(0.3)]),)


@program
def noise_of_a_generator() -> Call:
    """Draws by `drawn`, in the order of eager calls."""
    rng = random.Random(0)

    def price(drift: Any) -> Any:
        s = 1.0
        for _ in range(5):
            s = s * exp(0.1 * drift + 0.2 * drawn(rng.gauss, 0.0, 1.0))
        return s

    compiled = jit(price)

    def run(drift: Any) -> list[Any]:
        rng.seed(7)
        return [compiled(drift), compiled(drift)]

    return run, (Value(0.05),)


@program
def helpers_and_partial_functions() -> Call:
    """Call functions in a list, one with arguments filled in, one exchanged at times."""
    gain = Parameter(1.5)

    def scaled(by: Any, x: Any) -> Any:
        return by * x

    stages: list[Any] = [functools.partial(scaled, gain), tanh, sin]
    apply = jit(lambda x: functools.reduce(lambda y, f: f(y), stages, x))

    def run() -> list[float]:
        stages[2] = sin
        found = [apply(0.5).data]
        stages[2] = exp
        return [*found, apply(0.5).data]

    return run, ()


class Tree:
    """A node of a decision tree with soft decisions."""

    def __init__(self, depth: int, rng: random.Random) -> None:
        self.slope, self.leaf = Parameter(rng.gauss(0.0, 1.0)), Parameter(rng.gauss(0.0, 1.0))
        self.sides = [Tree(depth - 1, rng) for _ in range(2)] if depth else []

    def __call__(self, x: Any) -> Any:
        """Return the mean of the sides, weighted by the decision."""
        if not self.sides:
            return self.leaf
        right = 0.5 + 0.5 * tanh(self.slope * x)
        return right * self.sides[1](x) + (1.0 - right) * self.sides[0](x)


@program
def tree_of_objects() -> Call:
    """Objects within objects, called from one another."""
    tree = Tree(3, random.Random(3))
    return jit(lambda x: tree(x)), (0.7,)  # noqa: PLW0108


@program
def memo_of_a_basis() -> Call:
    """Work out a table at the first call, and keep it."""

    @functools.cache
    def coefficients(n: int) -> tuple[float, ...]:
        return tuple((-1.0) ** k / (k + 1.0) for k in range(n))

    return jit(lambda x: sum(c * x**k for k, c in enumerate(coefficients(8)))), (Value(0.5),)


@program
def examples_with_a_model_closed_over() -> Call:
    """Predictions for a batch by vmap."""
    model = MLP(2, [3, 1], activation="tanh", rng=4)
    return jit(vmap(model)), ([[0.1 * k, 1.0 - 0.2 * k] for k in range(8)],)


def or_eagerly(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a jitted function that falls back to eager code if it is refused."""
    compiled = jit(function)

    def called(*args: Any) -> Any:
        try:
            return compiled(*args)
        except TraceError:
            return function(*args)

    return called


@program
def counts_its_calls() -> Call:
    """Divide by a counter of calls."""
    counter = {"calls": 0}

    def decayed(x: float) -> float:
        counter["calls"] += 1
        return x / counter["calls"]

    called = or_eagerly(decayed)

    def run() -> list[float]:
        counter["calls"] = 0
        return [called(2.0), called(2.0), called(3.0)]

    return run, ()


@program
def keeps_its_state() -> Call:
    """Call a recurrent unit whose state is an attribute."""

    class Unit(Module):
        def __init__(self) -> None:
            self.w, self.state = Parameter(0.5), Value(0.0)

        def forward(self, x: Any) -> Any:
            self.state = tanh(self.w * self.state + x)
            return self.state

    unit = Unit()
    called = or_eagerly(unit)

    def run() -> list[Any]:
        unit.state = Value(0.0)
        return [called(x) for x in (1.0, 1.0, -0.5)]

    return run, ()


@program
def sorts_its_argument() -> Call:
    """Take the median of a list that is sorted in place, and see the list."""

    def median(xs: list[float]) -> float:
        xs.sort()
        return xs[len(xs) // 2]

    called = or_eagerly(median)

    def run() -> list[float]:
        xs = [3.0, 1.0, 2.0]
        return [called(xs), *xs, called([5.0, 4.0, 3.0])]

    return run, ()


@program
def draws_plainly() -> Call:
    """Draw without `drawn`."""
    rng = random.Random(0)
    called = or_eagerly(lambda x: x + rng.gauss(0.0, 1.0))

    def run() -> list[float]:
        rng.seed(0)
        return [called(1.0), called(1.0)]

    return run, ()


@program
def reads_a_number() -> Call:
    """Choose a bin by the number given."""
    bins = [0.5, 1.5, 2.5]
    called = or_eagerly(lambda x: bins[int(x)] * x)
    return (lambda: [called(1.2), called(2.2), called(0.2)]), ()


@program
def looks_a_number_up() -> Call:
    """Look rates up by the number of children."""
    rates = {0: 1.0, 1: 0.9, 2: 0.75}
    called = or_eagerly(lambda children, income: rates.get(children, 0.5) * income)
    return (lambda: [called(1, 100.0), called(2, 100.0), called(5, 100.0)]), ()
