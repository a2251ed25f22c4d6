"""Models of `nn` and of the experiments, losses of all kinds, and programs of the guides."""

from __future__ import annotations

import math
import random
from typing import Any

import numpy as np

from benchmarks.moons import problem as two_moons
from benchmarks.replay import Call, program
from examples.experiments import GPT, ClickModel, Cubic, WideAndDeep
from scalargrad import (
    Value,
    cos,
    dot,
    exp,
    grad,
    gradients,
    hessian,
    hvp,
    jacobian,
    jit,
    log,
    losses,
    ndtr,
    nn,
    relu,
    scan,
    sqrt,
    tanh,
    value_and_grad,
    vmap,
)
from scalargrad.solvers import odeint

SCORES = [[0.2, -1.0, 0.5], [1.5, 0.3, -0.2], [-0.4, 0.1, 0.9], [0.0, 2.0, 1.0]]
CLASSES = [0, 2, 1, 1]
PREDICTED, TRUE = [[0.25, 0.5], [0.75, 0.125]], [[1.0, 0.0], [0.5, 1.0]]


def slopes(model: nn.Module, loss: Any) -> list[Any]:
    """Return a loss and its gradient by the parameters of a model."""
    return [loss, *gradients(loss, model.parameters())]


@program
def tiny_mlp() -> Call:
    """Micrograd's perceptron on its four examples, with the gradients of all 41 parameters."""
    model = nn.MLP(3, [4, 4, 1], rng=1, activation="tanh")
    xs = [[2.0, 3.0, -1.0], [3.0, -1.0, 0.5], [0.5, 1.0, 1.0], [1.0, 1.0, -1.0]]
    ys = [1.0, -1.0, -1.0, 1.0]
    total = jit(lambda: sum(((model(x) - y) ** 2 for x, y in zip(xs, ys, strict=True)), Value(0.0)))
    return (lambda: slopes(model, total())), ()


@program
def embedded_words() -> Call:
    """Bag of words of one length, padded, looked up by each example of vmap."""
    bag = nn.EmbeddingBag(6, 3, mode="mean", padding_idx=0, rng=0)
    read = nn.Linear(3, 2, rng=1)
    run = jit(vmap(lambda words: losses.cross_entropy(read(bag(words)), 1)))
    words = [[1, 4, 0], [5, 5, 2], [3, 0, 0], [0, 0, 0]]
    return (lambda: slopes(nn.Sequential(bag, read), sum(run(words), Value(0.0)))), ()


@program
def rows_of_an_embedding() -> Call:
    """Similarity of a row selected by an argument and a fixed row."""
    table = nn.Embedding(7, 4, rng=2)
    run = jit(lambda word: dot(table(word), table(3)))
    return (lambda: [slopes(table, run(word)) for word in (0, 3, 6)]), ()


@program
def dropped_units() -> Call:
    """Dropout between two layers, with draws of a seeded generator, then without."""

    def run() -> list[Any]:
        model = nn.Sequential(
            nn.Linear(3, 6, rng=0), nn.Dropout(0.5, rng=4), nn.Tanh(), nn.Linear(6, 1, rng=1)
        )
        predict = jit(lambda x: model(x)[0])
        drawn = [predict([0.5, -1.0, 2.0]).data for _ in range(3)]
        model.eval()
        return [*drawn, predict([0.5, -1.0, 2.0]).data]

    return run, ()


@program
def losses_of_numbers() -> Call:
    """Squared, absolute, Huber's, smooth, hinge and binary losses, each with its gradient."""

    def run(x: Any) -> list[Any]:
        t = TRUE
        return [
            losses.mse_loss(x, t),
            losses.l1_loss(x, t, reduction="sum"),
            losses.huber_loss(x, t, delta=0.3),
            losses.smooth_l1_loss(x, t, beta=0.6),
            losses.hinge_loss(x, t, margin=0.5),
            losses.binary_cross_entropy(x, t, [2.0, 3.0]),
            losses.binary_cross_entropy_with_logits(x, t, pos_weight=[1.5, 0.5]),
        ]

    return jit(lambda x: (run(x), jacobian(run)(x))), (PREDICTED,)


@program
def losses_of_classes() -> Call:
    """Losses whose classes are arguments: weights, smoothing, margins and ignored classes."""

    def run(z: Any, t: Any) -> Any:
        shares = [[zi - log(sum(exp(x) for x in row)) for zi in row] for row in z]
        return (
            losses.cross_entropy(z, t, [1.0, 2.0, 0.5], label_smoothing=0.2)
            + losses.nll_loss(shares, t, ignore_index=0)
            + losses.multi_margin_loss(z, t, p=2, margin=0.7)
        )

    step = jit(value_and_grad(run))
    return (lambda: [step(SCORES, t) for t in (CLASSES, [2, 2, 1, 0])]), ()


@program
def metrics() -> Call:
    """Share of right answers and the table of mistakes, of scores that change."""
    rate = jit(lambda z, t: [losses.accuracy(z, t), losses.zero_one_loss(z, t, reduction="sum")])
    return (lambda: [rate(z, CLASSES) for z in (SCORES, SCORES[::-1])]), ()


@program
def gpt() -> Call:
    """Character-level transformer of two heads: loss of a name and all gradients."""
    model = GPT(5, context=4, width=4, heads=2, layers=1, rng=3)

    def loss() -> Any:
        tokens, targets = [0, 4, 1, 3], [4, 1, 3, 0]
        return losses.cross_entropy(model(tokens), targets)

    compiled = jit(loss)
    return (lambda: slopes(model, compiled())), ()


@program
def wide_and_deep() -> Call:
    """Recommender of a few users and items: chance of a click and the gradients of a batch."""
    shown, clicked = ClickModel(3, 5, seed=0).log(6, seed=1)
    model = WideAndDeep(range(3), range(5), width=2, hidden=3, buckets=16, rng=0)
    rows = [model.encode(x) for x in shown]
    loss = jit(lambda rows, t: losses.binary_cross_entropy_with_logits([model(x) for x in rows], t))
    return (lambda: slopes(model, loss(rows, [float(y) for y in clicked]))), ()


@program
def cubic_fit() -> Call:
    """Cubic fitted to a sine by twenty steps of descent on the sum of squares."""

    def run() -> list[float]:
        model = Cubic(rng=0)
        xs = [-math.pi + 0.1 * math.pi * i for i in range(21)]

        @jit
        def loss() -> Any:
            return losses.mse_loss([model([x])[0] for x in xs], list(map(math.sin, xs)))

        found = []
        for _ in range(20):
            total = loss()
            model.zero_grad()
            total.backward()
            for p in model.parameters():
                p.data -= 1e-4 * p.grad
            found.append(total.data)
        return found

    return run, ()


@program
def moons_loss() -> Call:
    """Loss of micrograd's demo written out over five points, with 337 slopes."""
    task = two_moons.moons(count=5)

    def loss(parameters: Any) -> Any:
        return two_moons.loss(parameters, task.points, task.labels, relu, relu)

    return jit(value_and_grad(loss)), (task.parameters,)


@program
def unc_example() -> Call:
    """Three layers of UNC's lecture at its numbers, whose output is .489, with dead units."""

    def h(x: Any, layers: Any) -> Any:
        for layer in layers:
            x = [relu(dot(row, x)) for row in layer]
        return x[0]

    layers = [
        [[0.3, 0.4, 0.2], [0.3, 0.5, 0.2], [0.8, 1.0, -1.0]],
        [[0.0, -1.2, 0.5], [0.9, 1.0, 0.0]],
        [[-1.0, 1.0]],
    ]
    return jit(value_and_grad(h, argnums=(0, 1))), ([1.5, -1.0, 1.3], layers)


@program
def decay() -> Call:
    """Misfit, gradient and Hessian of a decaying oscillation to 60 noisy measurements."""
    rng = random.Random(7)
    times = [0.1 * i for i in range(60)]

    def displacement(t: float, p: Any) -> Any:
        return p[0] * exp(-p[1] * t) * cos(p[2] * t)

    at = (2.0, 0.3, 1.7)
    data = [(t, float(displacement(t, at)) + rng.gauss(0.0, 0.05)) for t in times]

    def misfit(p: Any) -> Any:
        return sum((displacement(t, p) - y) ** 2 for t, y in data)

    return jit(lambda p: (value_and_grad(misfit)(p), hessian(misfit)(p))), ([1.0, 0.1, 1.5],)


@program
def greeks() -> Call:
    """Black and Scholes's call over a chain of strikes: prices, deltas, vegas and one gamma."""

    def call(spot: Any, strike: Any, rate: Any, volatility: Any, years: Any) -> Any:
        spread = volatility * sqrt(years)
        d1 = (log(spot / strike) + (rate + volatility**2 / 2) * years) / spread
        return spot * ndtr(d1) - strike * exp(-rate * years) * ndtr(d1 - spread)

    axes = (None, 0, None, None, None)
    chain = jit(vmap(value_and_grad(call, argnums=(0, 3)), in_axes=axes))
    gamma = jit(grad(grad(call)))
    rest = (0.03, 0.2, 0.5)
    strikes = np.linspace(80.0, 120.0, 50)
    return (lambda: [chain(100.0, strikes, *rest), gamma(100.0, 105.0, *rest)]), ()


@program
def logistic_growth() -> Call:
    """Rate and capacity of growth from a curve by Runge and Kutta: residuals' Jacobian."""
    truth = [3.0 / (1 + 29.0 * math.exp(-0.4 * i)) for i in range(1, 13)]

    def residuals(p: Any) -> list[Any]:
        def slope(u: Any) -> Any:
            return p[0] * u * (1 - u / p[1])

        u: Any = 0.1
        found, h = [], 0.125
        for y in truth:
            for _ in range(4):
                k1 = slope(u)
                k2 = slope(u + h / 2 * k1)
                k3 = slope(u + h / 2 * k2)
                u = u + h / 6 * (k1 + 2 * k2 + 2 * k3 + slope(u + h * k3))
            found.append(u - y)
        return found

    return jit(lambda p: (residuals(p), jacobian(residuals)(p))), ([0.5, 2.0],)


@program
def pharmacokinetics() -> Call:
    """Absorb a dose and excrete it, in steps that fit: the Jacobian of six concentrations."""

    def concentrations(p: Any) -> list[Any]:
        def rates(y: Any, _t: Any) -> list[Any]:
            return [-p[0] * y[0], p[0] * y[0] - p[1] * y[1]]

        found = odeint(rates, [100.0, 0.0], [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 12.0])
        return [y[1] / p[2] for y in found[1:]]

    return jit(jacobian(concentrations)), ([1.0, 0.2, 10.0],)


@program
def valley() -> Call:
    """Rosenbrock's function of four numbers: gradient, Hessian, and Hessian times a vector."""

    def rosenbrock(p: Any) -> Any:
        return sum((1 - p[i]) ** 2 + 100 * (p[i + 1] - p[i] ** 2) ** 2 for i in range(len(p) - 1))

    def run(p: Any, v: Any) -> Any:
        return value_and_grad(rosenbrock)(p), hessian(rosenbrock)(p), hvp(rosenbrock, p, v)

    return jit(run), (np.array([1.3, 0.7, 0.8, 1.9]), np.array([1.0, 0.0, -1.0, 2.0]))


@program
def adam_over_state() -> Call:
    """Adam as a scan: parameters and both moments are carried over 100 steps."""

    @jit
    def step(state: Any, _: Any) -> Any:
        p, m, v = state
        value, slope = value_and_grad(lambda p: (p[0] - 1) ** 2 + tanh(p[1] + 2) ** 2)(p)
        m = [0.9 * a + 0.1 * s for a, s in zip(m, slope, strict=True)]
        v = [0.999 * a + 0.001 * s * s for a, s in zip(v, slope, strict=True)]
        p = [x - 0.1 * a / (sqrt(b) + 1e-8) for x, a, b in zip(p, m, v, strict=True)]
        return (p, m, v), value

    return (lambda: scan(step, ([0.0, 0.0], [0.0, 0.0], [0.0, 0.0]), length=100)), ()


@program
def an_unknown_class() -> Call:
    """Target that is not a class, in the second call of a compiled loss: an error."""
    loss = jit(losses.cross_entropy)

    def run() -> Any:
        return [loss(SCORES, t) for t in (CLASSES, [0, 1, 2, 3])]

    return run, ()
