"""The problems of GradBench in scalar Python, compared with vectorised JAX and PyTorch.

    python -m benchmarks.gradbench [--write docs/benchmarks.md] [--repeats N] [--only gmm,lse]

The problems and the sizes of their inputs are those of GradBench's evals (gmm, ba, lstm, ode, det,
llsq, lse, kmeans, particle, saddle), except for ba's size, each with the derivative of its eval.
The numbers are random. JAX (compiled) and PyTorch (eager) run the same code on arrays; `det`,
which has no vectorised form, is scalar code in all three. The descents of `particle` and `saddle`
are one `while_loop` in JAX, which can differentiate it in forward mode only; here the outer one is
a loop that calls a compiled function. PyTorch would run them step by step, so it is left out.
Processor times are compared: all run in one thread.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np

import scalargrad as sg
from benchmarks.comparing import Comparison, Items, Row, main
from benchmarks.measuring import Run
from benchmarks.moons.by_jax import call_compiled, in_doubles
from benchmarks.torch_as_jax import torch_as_jax

OURS, JAX, TORCH = "scalargrad", "JAX", "PyTorch"
GENERATOR = np.random.default_rng(31337)


class Problem(NamedTuple):
    """A problem: a function and its inputs.

    Attributes
    ----------
    size : str
        The inputs, as GradBench names them.
    inputs : tuple of array
    ours : callable
        The derivative at the inputs, computed by scalargrad.
    theirs : callable
        Returns the same function on arrays; its arguments are ``jax`` and ``jax.numpy``, or
        `torch_as_jax` and ``torch``.
    primal : callable
        The function to differentiate.
    is_whole : bool
        Whether `ours` can be compiled; if not, it returns a function that calls compiled ones.
    """

    size: str
    inputs: tuple[Any, ...]
    ours: Callable[..., Any]
    theirs: Callable[[Any, Any], Callable[..., Any]]
    primal: Callable[..., Any]
    is_whole: bool = True


def random(*shape: int) -> Any:
    """Return numbers from [0, 1)."""
    return GENERATOR.random(shape)


# Sums ---------------------------------------------------------------------------------------------


def lse(n: int = 10_000) -> Problem:
    """Differentiate the logarithm of a sum of exponentials, shifted by their maximum."""

    def primal(xs: Any) -> Any:
        most = sg.maximum(*xs)
        return sg.log(sum(sg.exp(x - most) for x in xs)) + most

    def theirs(jax: Any, jnp: Any) -> Any:
        def primal(x: Any) -> Any:
            most = jnp.max(x)
            return jnp.log(jnp.sum(jnp.exp(x - most))) + most

        return jax.grad(primal)

    return Problem(f"n={n:,}", (random(n),), sg.grad(primal), theirs, primal)


def llsq(n: int = 1024, m: int = 128) -> Problem:
    """Differentiate the error of a polynomial that fits signs."""
    t = np.linspace(-1, 1, n)

    def error(x: Any, t: Any, sign: Any) -> Any:
        prediction, power = 0.0, 1.0
        for coefficient in x:
            prediction = prediction + coefficient * power
            power = power * t
        return (sign - prediction) ** 2

    def primal(x: Any) -> Any:
        return sum(sg.vmap(error, in_axes=(None, 0, 0))(x, t, np.sign(t))) / 2

    def theirs(jax: Any, jnp: Any) -> Any:
        powers, signs = jnp.asarray(np.vander(t, m, increasing=True)), jnp.asarray(np.sign(t))
        return jax.grad(lambda x: jnp.sum((signs - powers @ x) ** 2) / 2)

    return Problem(f"n={n:,}, m={m}", (random(m),), sg.grad(primal), theirs, primal)


def kmeans(k: int = 10, n: int = 1000, d: int = 8, *, points: Any = None) -> Problem:
    """Find Newton's direction: the gradient over the diagonal of the Hessian."""
    points = random(n, d) if points is None else points

    def closest(centroids: Any, point: Any) -> Any:
        distances = [sum((a - b) ** 2 for a, b in zip(c, point, strict=True)) for c in centroids]
        return sg.minimum(*distances)

    def cost(centroids: Any) -> Any:
        return sum(sg.vmap(closest, in_axes=(None, 0))(centroids, points))

    def ours(centroids: Any) -> Any:
        _, curvatures = sg.hvp(cost, centroids, np.ones((k, d)))
        return sg.grad(cost)(centroids) / curvatures

    def theirs(jax: Any, jnp: Any) -> Any:
        at = jnp.asarray(points)

        def cost(centroids: Any) -> Any:
            squares = jnp.sum((at[:, None] - centroids[None]) ** 2, axis=2)
            return jnp.sum(jnp.amin(squares, axis=1))

        def direction(centroids: Any) -> Any:
            ones = (jnp.ones((k, d)),)
            slopes, curvatures = jax.jvp(jax.grad(cost), (centroids,), ones)
            return slopes / curvatures

        return direction

    return Problem(f"k={k}, n={n:,}, d={d}", (points[-k:].copy(),), ours, theirs, cost)


# Models -------------------------------------------------------------------------------------------


def gmm(
    d: int = 10, k: int = 10, n: int = 1000, m: int = 0, gamma: float = 1.0, *, data: Any = None
) -> Problem:
    """Differentiate a Gaussian mixture's log-posterior, with a Wishart prior.

    A precision is QᵀQ, with exp(q) on the diagonal of Q and l below it, column by column.
    """
    data = GENERATOR.normal(size=(n, d)) if data is None else data
    below = [(i, j) for j in range(d) for i in range(j + 1, d)]
    freedom = d + m + 1
    constant = k * freedom * d * math.log(gamma / math.sqrt(2)) - n * d / 2 * math.log(math.tau)
    halves = sum(math.lgamma((freedom - j) / 2) for j in range(d))
    constant -= k * (halves + d * (d - 1) / 4 * math.log(math.pi))

    def likelihood(x: Any, alpha: Any, mu: Any, q: Any, low: Any) -> Any:
        terms = []
        for a, center, diagonal, rest in zip(alpha, mu, q, low, strict=True):
            offset = [u - v for u, v in zip(x, center, strict=True)]
            turned = [sg.exp(s) * u for s, u in zip(diagonal, offset, strict=True)]
            for (i, j), entry in zip(below, rest, strict=True):
                turned[i] = turned[i] + entry * offset[j]
            terms.append(a + sum(diagonal) - sum(u * u for u in turned) / 2)
        return sg.logsumexp(terms)

    def posterior(alpha: Any, mu: Any, q: Any, low: Any) -> Any:
        every = sg.vmap(likelihood, in_axes=(0, None, None, None, None))
        found = sum(every(data, alpha, mu, q, low)) - n * sg.logsumexp(alpha)
        for diagonal, rest in zip(q, low, strict=True):
            squares = sum(sg.exp(s) ** 2 for s in diagonal) + sum(u * u for u in rest)
            found = found + m * sum(diagonal) - gamma * gamma / 2 * squares
        return found + constant

    def theirs(jax: Any, jnp: Any) -> Any:
        x, (rows, columns) = jnp.asarray(data), np.array(below).T
        place = np.full((d, d), len(below))
        place[rows, columns] = range(len(below))

        def posterior(alpha: Any, mu: Any, q: Any, low: Any) -> Any:
            factors = jnp.concatenate([low, jnp.zeros((k, 1))], axis=1)[:, place]
            offset = x[:, None] - mu
            turned = jnp.exp(q) * offset + jnp.einsum("kij,nkj->nki", factors, offset)
            terms = alpha + q.sum(1) - (turned**2).sum(2) / 2
            found = jax.nn.logsumexp(terms, axis=1).sum() - n * jax.nn.logsumexp(alpha, axis=0)
            squares = (jnp.exp(q) ** 2).sum() + (low**2).sum()
            return found + m * q.sum() - gamma * gamma / 2 * squares + constant

        return jax.grad(posterior, argnums=(0, 1, 2, 3))

    normal = GENERATOR.normal
    inputs = normal(size=k), random(k, d), normal(size=(k, d)), normal(size=(k, len(below)))
    ours = sg.grad(posterior, argnums=(0, 1, 2, 3))
    return Problem(f"d={d}, k={k}, n={n:,}", inputs, ours, theirs, posterior)


def lstm(layers: int = 2, count: int = 1024, bits: int = 14) -> Problem:
    """Differentiate the loss of recurrent layers whose weight matrices are diagonal."""
    text = (random(count, bits) < 0.5).astype(float)
    state = random(layers, 2, bits)

    def cell(layer: tuple[Any, Any], hidden: Any, memory: Any, x: Any, f: Any) -> tuple[Any, Any]:
        """Return the hidden state and the memory after a step; `f` provides exp and tanh."""
        w, b = layer

        def sigmoid(z: Any) -> Any:
            return 1 / (1 + f.exp(-z))

        forget, out = sigmoid(x * w[0] + b[0]), sigmoid(x * w[2] + b[2])
        change = sigmoid(hidden * w[1] + b[1]) * f.tanh(hidden * w[3] + b[3])
        memory = memory * forget + change
        return out * f.tanh(memory), memory

    def ours(weights: Any, extra: Any, state: Any, text: Any) -> Any:
        def step(carry: Any, characters: Any) -> Any:
            now, (x, expected) = [], characters
            xs = [u * v for u, v in zip(x, extra[0], strict=True)]
            for (w, b), (hidden, memory) in zip(weights, carry, strict=True):
                cells = [
                    cell((w[:, i], b[:, i]), hidden[i], memory[i], xs[i], sg) for i in range(bits)
                ]
                xs, memories = [u for u, _ in cells], [u for _, u in cells]
                now.append((xs, memories))
            ys = [u * v + b for u, v, b in zip(xs, extra[1], extra[2], strict=True)]
            scale = sg.log(sum(sg.exp(y) for y in ys) + 2.0)
            return now, sum(u * (y - scale) for u, y in zip(expected, ys, strict=True))

        first = [(layer[0].tolist(), layer[1].tolist()) for layer in state]
        _, losses = sg.scan(step, first, (text[:-1], text[1:]))
        return -sum(losses) / (bits * (count - 1))

    def theirs(jax: Any, jnp: Any) -> Any:
        def loss(weights: Any, extra: Any, state: Any, text: Any) -> Any:
            def step(carry: Any, characters: Any) -> Any:
                x, expected = characters
                x, now = x * extra[0], []
                for layer, (hidden, memory) in zip(weights, carry, strict=True):
                    x, memory = cell(layer, hidden, memory, x, jnp)
                    now.append((x, memory))
                ys = x * extra[1] + extra[2]
                return now, jnp.sum(expected * (ys - jnp.log(jnp.sum(jnp.exp(ys)) + 2)))

            first = [(layer[0], layer[1]) for layer in state]
            _, losses = jax.lax.scan(step, first, (text[:-1], text[1:]))
            return -jnp.sum(losses) / (bits * (count - 1))

        return jax.grad(loss, argnums=(0, 1))

    inputs = random(layers, 2, 4, bits), random(3, bits), state, text
    gradient = sg.grad(ours, argnums=(0, 1))
    return Problem(f"l={layers}, c={count:,}, b={bits}", inputs, gradient, theirs, ours)


def ba(observations: int = 5000, *, features: Any = None) -> Problem:
    """Compute the nonzero part of the Jacobian of reprojection errors, 2 × 15 per observation.

    A camera has a rotation (an axis times an angle), a center, a focal length, a principal point
    and two numbers for radial distortion; a point has a position and a weight.
    """
    camera = np.array([0.05, -0.11, 0.08, 0.3, 0.2, -4.0, 419.0, 5.9, -8.5, 0.088, 0.0027])
    cameras = camera + 0.01 * GENERATOR.normal(size=(observations, 11))
    points, weights = GENERATOR.normal(size=(observations, 3)), random(observations, 1)
    features = 100 * GENERATOR.normal(size=(observations, 2)) if features is None else features
    unknown = np.concatenate([cameras, points, weights], axis=1)

    def residual(given: Any, feature: Any, f: Any) -> list[Any]:
        """Return two errors; `f` provides sqrt, sin and cos."""
        rotation, center = given[0:3], given[3:6]
        x = [given[11 + i] - center[i] for i in range(3)]
        angle = f.sqrt(sum(r * r for r in rotation))
        axis = [r / angle for r in rotation]
        cosine, sine = f.cos(angle), f.sin(angle)
        along = sum(a * u for a, u in zip(axis, x, strict=True)) * (1 - cosine)
        across = [axis[i - 2] * x[i - 1] - axis[i - 1] * x[i - 2] for i in range(3)]
        turned = [x[i] * cosine + across[i] * sine + axis[i] * along for i in range(3)]
        u, v = turned[0] / turned[2], turned[1] / turned[2]
        square = u * u + v * v
        scale = (1 + given[9] * square + given[10] * square * square) * given[6]
        there = u * scale + given[7], v * scale + given[8]
        return [given[14] * (a - feature[i]) for i, a in enumerate(there)]

    def ours(unknown: Any) -> Any:
        one = sg.jacobian(partial(residual, f=sg))
        return sg.vmap(one, in_axes=(0, 0))(unknown, features)

    def primal(unknown: Any) -> Any:
        return sg.vmap(partial(residual, f=sg))(unknown, features)

    def theirs(jax: Any, jnp: Any) -> Any:
        at = jnp.asarray(features)

        def one(given: Any, feature: Any) -> Any:
            return jnp.stack(residual(given, feature, jnp))

        return lambda unknown: jax.vmap(jax.jacrev(one), (0, 0), 1)(unknown, at)

    return Problem(f"{observations:,} observations", (unknown,), ours, theirs, primal)


# Scalar code ----------------------------------------------------------------------------------


def ode(n: int = 1000, steps: int = 10) -> Problem:
    """Differentiate the last component after Runge-Kutta steps."""
    h = 2 / steps

    def solve(x: Any) -> Any:
        def rate(y: Any) -> Any:
            return [x[0], *[x[i] * y[i - 1] for i in range(1, n)]]

        def move(y: Any, by: float, k: Any) -> Any:
            return [u + by * v for u, v in zip(y, k, strict=True)]

        y: Any = [0.0] * n
        for _ in range(steps):
            k1 = rate(y)
            k2 = rate(move(y, h / 2, k1))
            k3 = rate(move(y, h / 2, k2))
            k4 = rate(move(y, h, k3))
            y = [
                u + h * (a + 2 * b + 2 * c + d) / 6
                for u, a, b, c, d in zip(y, k1, k2, k3, k4, strict=True)
            ]
        return y

    def theirs(jax: Any, jnp: Any) -> Any:
        def solve(x: Any) -> Any:
            def rate(y: Any) -> Any:
                return x * jnp.concatenate([jnp.ones(1), y[:-1]])

            def step(y: Any, _: Any) -> Any:
                k1 = rate(y)
                k2 = rate(y + h / 2 * k1)
                k3 = rate(y + h / 2 * k2)
                return y + h * (k1 + 2 * k2 + 2 * k3 + rate(y + h * k3)) / 6, None

            return jax.lax.scan(step, jnp.zeros(n), None, length=steps)[0][-1]

        return jax.grad(solve)

    gradient = sg.grad(lambda x: solve(x)[-1])
    return Problem(f"n={n:,}, s={steps}", (random(n),), gradient, theirs, solve)


def det(size: int = 6) -> Problem:
    """Differentiate a determinant, expanded by minors."""

    def minor(a: Any, row: int, columns: tuple[int, ...]) -> Any:
        if len(columns) == 1:
            return a[row][columns[0]]
        total, sign = 0.0, 1
        for k, column in enumerate(columns):
            rest = minor(a, row + 1, columns[:k] + columns[k + 1 :])
            total = total + sign * a[row][column] * rest
            sign = -sign
        return total

    def primal(a: Any) -> Any:
        return minor(a, 0, tuple(range(size)))

    def theirs(jax: Any, _: Any) -> Any:
        return jax.grad(primal)

    return Problem(f"l={size}", (random(size, size),), sg.grad(primal), theirs, primal)


# Descents -----------------------------------------------------------------------------------------

#: A descent ends when the slope or the step is at most this long; and its first rate.
SHORT, RATE = 1e-5, 1e-5


def minimize(f: Callable[..., Any], x: list[float]) -> list[float]:
    """Descend; each tenth step doubles the rate, a step upwards halves it."""
    (y, slope), rate, kept = f(x), RATE, 0
    while math.hypot(*slope) > SHORT:
        if kept == 10:
            rate, kept = 2 * rate, 0
            continue
        near = [a - rate * b for a, b in zip(x, slope, strict=True)]
        if math.dist(x, near) <= SHORT:
            break
        at_near = f(near)
        if at_near[0] < y:
            x, (y, slope), kept = near, at_near, kept + 1
        else:
            rate, kept = rate / 2, 0
    return x


def length(v: Any, sqrt: Callable[[Any], Any] = sg.sqrt) -> Any:
    """Return the length of a vector."""
    return sqrt(sum(a * a for a in v))


def minimize_in_loop(f: Callable[..., Any], x: Any, lax: Any, sqrt: Any) -> Any:
    """Descend like `minimize`, in a loop of `scalargrad` or ``jax.lax``, which have the same names.

    `f` returns the value and the slope.
    """

    def step(state: Any) -> Any:
        x, y, slope, rate, kept, _ = state
        near = x - rate * slope
        short = length(rate * slope, sqrt) <= SHORT
        ends = (length(slope, sqrt) <= SHORT) | ((kept != 10) & short)

        def try_step() -> Any:
            value, there = f(near)
            return lax.cond(
                value < y,
                lambda: (near, value, there, rate, kept + 1, True),
                lambda: (x, y, slope, rate / 2, 0.0, True),
            )

        def next_state() -> Any:
            return lax.cond(kept == 10, lambda: (x, y, slope, 2 * rate, 0.0, True), try_step)

        return lax.cond(ends, lambda: (x, y, slope, rate, kept, False), next_state)

    start = x, *f(x), RATE, 0.0, True
    return lax.while_loop(lambda state: state[-1], step, start)[0]


def minimize_in_jax(jax: Any, jnp: Any) -> Callable[..., Any]:
    """Return `minimize` as one loop of JAX, with slopes by forward mode."""
    return lambda f, x: minimize_in_loop(lambda x: (f(x), jax.jacfwd(f)(x)), x, jax.lax, jnp.sqrt)


def particle() -> Problem:
    """Find the charge with which a particle, pushed by two charges, falls to the origin."""

    def landing(w: Any, lax: Any = sg, jnp: Any = np, slopes: Any = sg.grad, m: Any = sg) -> Any:
        """Return the squared distance, computed by `scalargrad` or by the parts of JAX."""
        charges = jnp.array([10.0, 10.0 - w[0]]), jnp.array([10.0, 0.0])
        push = slopes(lambda x: sum(1 / length(x - c, m.sqrt) for c in charges))

        def step(state: Any) -> Any:
            x, v, _ = state
            moved, pushed = x + 0.1 * v, v - 0.1 * push(x)
            return lax.cond(moved[1] > 0, lambda: (moved, pushed, True), lambda: (x, v, False))

        start = jnp.array([0.0, 8.0]), jnp.array([0.75, 0.0]), True
        x, v, _ = lax.while_loop(lambda state: state[-1], step, start)
        return (x[0] - x[1] / v[1] * v[0]) ** 2

    def ours() -> Callable[..., Any]:
        falls = sg.jit(sg.value_and_grad(landing))
        return lambda w: minimize(falls, w.tolist())

    def theirs(jax: Any, jnp: Any) -> Any:
        find, parts = minimize_in_jax(jax, jnp), (jax.lax, jnp, jax.jacfwd, jnp)
        return lambda w: find(lambda w: landing(w, *parts), w)

    return Problem("w=0", (np.zeros(1),), ours, theirs, landing, False)


def saddle() -> Problem:
    """Find the minimum of the maximum of x² - y², by a descent within a descent."""

    def between(p: Any, q: Any) -> Any:
        return p[0] ** 2 + p[1] ** 2 - (q[0] ** 2 + q[1] ** 2)

    def ours() -> Callable[..., Any]:
        @sg.jit
        def highest(p: Any, start: Any) -> Any:
            return minimize_in_loop(sg.value_and_grad(lambda q: -between(p, q)), start, sg, sg.sqrt)

        worst = sg.jit(sg.value_and_grad(lambda p, start: between(p, highest(p, start))))

        def find_saddle(start: Any) -> Any:
            p = minimize(lambda x: worst(x, start), start.tolist())
            return p, highest(p, start)

        return find_saddle

    def theirs(jax: Any, jnp: Any) -> Any:
        find = minimize_in_jax(jax, jnp)

        def highest(p: Any, start: Any) -> Any:
            return find(lambda q: -between(p, q), start)

        def find_saddle(start: Any) -> Any:
            p = find(lambda x: between(x, highest(x, start)), start)
            return p, highest(p, start)

        return find_saddle

    return Problem("start=(1, 1)", (np.ones(2),), ours, theirs, between, False)


Make = Callable[[], Problem]
PROBLEMS: list[Make] = [gmm, ba, lstm, ode, det, llsq, lse, kmeans, particle, saddle]
#: Problems whose loops PyTorch would run step by step.
NOT_IN_TORCH = particle, saddle
#: Allowed relative difference of results; the columns of llsq's polynomial are nearly dependent.
CLOSE = 1e-7


def compare_problem(make: Make) -> Comparison:
    """Compare a problem's derivative, and the time until its first result."""
    problem = make()

    def ours() -> Run:
        compiled = sg.jit(problem.ours) if problem.is_whole else problem.ours()
        return lambda: compiled(*problem.inputs)

    def by_jax() -> Run:
        jax = in_doubles()
        return call_compiled(problem.theirs(jax, jax.numpy), *problem.inputs)

    def by_torch() -> Run:
        import torch

        torch.set_default_dtype(torch.float64)
        run, inputs = problem.theirs(torch_as_jax(torch), torch), map(torch.asarray, problem.inputs)
        return partial(run, *inputs)

    rows = [Row(OURS, JAX, at_most=1.0), Row(OURS, JAX, first=True)]
    makers = {OURS: ours, JAX: by_jax}
    if make not in NOT_IN_TORCH:
        rows.insert(1, Row(OURS, TORCH, at_most=1.0))
        makers[TORCH] = by_torch
    return Comparison(f"{make.__name__}, {problem.size}", makers, rows, time.process_time, CLOSE)


def comparisons() -> Items:
    """Yield the comparison of each problem."""
    yield from map(compare_problem, PROBLEMS)


if __name__ == "__main__":
    main("gradbench", comparisons, repeats=9)
