"""Recurrences, simulations, filters and dynamic programming in loops over numbers."""

from __future__ import annotations

import math
import random
from functools import reduce
from typing import Any

from benchmarks.replay import Call, program
from scalargrad import (
    Value,
    cos,
    custom_op,
    drawn,
    exp,
    grad,
    hessian,
    jit,
    log,
    logsumexp,
    maximum,
    minimum,
    scan,
    sin,
    sqrt,
    tanh,
    value_and_grad,
    vmap,
    where,
    while_loop,
)


def draws(count: int, seed: int = 0) -> list[float]:
    """Return normal random numbers."""
    rng = random.Random(seed)
    return [rng.gauss(0.0, 1.0) for _ in range(count)]


@program
def pendulum() -> Call:
    """Fit of a pendulum to 200 observed angles; two states that wait for each other."""
    observed = draws(200)

    def loss(p: Any) -> Any:
        angle, speed, total = 1.0, 0.0, 0.0
        for x in observed:
            speed = speed - 0.01 * (p[0] * sin(angle) + p[1] * speed)
            angle = angle + 0.01 * speed
            total = total + (angle - x) ** 2
        return total

    return jit(value_and_grad(loss)), ([1.3, 0.1],)


@program
def kalman() -> Call:
    """Likelihood of a Kalman filter over 200 observations; one recurrence waits for another."""
    observed = draws(200)

    def loss(p: Any) -> Any:
        mean, variance, total = 0.0, 1.0, 0.0
        for x in observed:
            variance = variance + p[0]
            s = variance + p[1]
            gain = variance / s
            total = total + 0.5 * (log(s) + (x - mean) ** 2 / s)
            mean = mean + gain * (x - mean)
            variance = (1.0 - gain) * variance
        return total

    return jit(value_and_grad(loss)), ([0.1, 0.2],)


@program
def heat() -> Call:
    """Energy of a rod after 60 explicit steps in time, by the conductivity of each of 30 cells."""

    def energy(k: Any) -> Any:
        u = [float(i % 7) for i in range(30)]
        for _ in range(60):
            new = u[:]
            for i in range(1, 29):
                new[i] = u[i] + 0.1 * (k[i] + k[i + 1]) * (u[i + 1] - 2 * u[i] + u[i - 1])
            u = new
        return sum(x * x for x in u)

    return jit(value_and_grad(energy)), ([1.0 + 0.01 * i for i in range(30)],)


@program
def heat_on_a_ring() -> Call:
    """Energy of a closed ring of 60 cells after 40 steps: the first cell is next to the last."""

    def energy(parameters: Any) -> Any:
        rate, *u = parameters
        for _ in range(40):
            u = [u[i] + rate * (u[i - 1] - 2 * u[i] + u[(i + 1) % len(u)]) for i in range(len(u))]
        return sum(x * x for x in u)

    return jit(value_and_grad(energy)), ([0.1, *draws(60)],)


@program
def heat_on_a_torus() -> Call:
    """Energy of 16 x 16 cells after ten steps, where each border is next to the one opposite."""
    n = 16

    def energy(rate: Any, u: Any) -> Any:
        for _ in range(10):
            u = [
                [
                    u[i][j]
                    + rate
                    * (
                        u[i - 1][j]
                        + u[(i + 1) % n][j]
                        + u[i][j - 1]
                        + u[i][(j + 1) % n]
                        - 4 * u[i][j]
                    )
                    for j in range(n)
                ]
                for i in range(n)
            ]
        return sum(x * x for row in u for x in row)

    start = draws(n * n)
    rows = [start[n * i : n * (i + 1)] for i in range(n)]
    return jit(value_and_grad(energy, argnums=(0, 1))), (0.1, rows)


@program
def magnets_on_a_torus() -> Call:
    """Mean of 16 x 16 magnets, each the tanh of its field and neighbours, after ten rounds."""
    n = 16
    fields = draws(n * n, 1)

    def mean(coupling: Any, scale: Any) -> Any:
        m: Any = [[0.1] * n for _ in range(n)]
        for _ in range(10):
            m = [
                [
                    tanh(
                        scale
                        * (
                            fields[n * i + j]
                            + coupling
                            * (m[i - 1][j] + m[(i + 1) % n][j] + m[i][j - 1] + m[i][(j + 1) % n])
                        )
                    )
                    for j in range(n)
                ]
                for i in range(n)
            ]
        return sum(x for row in m for x in row) / n

    return jit(value_and_grad(mean, argnums=(0, 1))), (0.3, 0.7)


@program
def cells_that_learn() -> Call:
    """Neural cellular automaton: 20 cells in a ring, each of which sees itself and two more."""
    n, channels = 20, 4

    def grown(inner: Any, outer: Any) -> Any:
        state: Any = [[float(i == n // 2)] * channels for i in range(n)]
        for _ in range(5):
            after = []
            for i, own in enumerate(state):
                seen = [*state[i - 1], *own, *state[(i + 1) % n]]
                hidden = [tanh(sum(w * x for w, x in zip(row, seen, strict=True))) for row in inner]
                moves = [sum(w * x for w, x in zip(row, hidden, strict=True)) for row in outer]
                after.append([x + 0.1 * y for x, y in zip(own, moves, strict=True)])
            state = after
        return sum(cell[0] for cell in state) ** 2

    weights = [0.3 * x for x in draws(128)]
    inner = [weights[12 * k : 12 * k + 12] for k in range(8)]
    outer = [weights[96 + 8 * k : 104 + 8 * k] for k in range(4)]
    return jit(value_and_grad(grown, argnums=(0, 1))), (inner, outer)


@program
def implicit_heat() -> Call:
    """Energy of a rod after five implicit steps in time, each an elimination of 40 rows."""

    def energy(k: Any) -> Any:
        u = [float(i % 7) for i in range(40)]
        for _ in range(5):
            c, d = [-k[0] / (1 + 2 * k[0])], [u[0] / (1 + 2 * k[0])]
            for x, y in zip(k[1:], u[1:], strict=True):
                pivot = 1 + 2 * x + x * c[-1]
                c.append(-x / pivot)
                d.append((y + x * d[-1]) / pivot)
            u = [d[-1]]
            for a, b in zip(c[-2::-1], d[-2::-1], strict=True):
                u.insert(0, b - a * u[0])
        return sum(x * x for x in u)

    return jit(value_and_grad(energy)), ([1.0 + 0.01 * i for i in range(40)],)


def _wave(n: int, steps: int) -> Call:
    def energy(p: Any) -> Any:
        u: Any = [[p[0] * (i * j % 5) for j in range(n)] for i in range(n)]
        v: Any = [[0.0] * n for _ in range(n)]
        for _ in range(steps):
            for i in range(n):
                for j in range(n):
                    around = [u[a][j] for a in (i - 1, i + 1) if 0 <= a < n]
                    around += [u[i][b] for b in (j - 1, j + 1) if 0 <= b < n]
                    v[i][j] = v[i][j] + p[1] * (sum(around) - len(around) * u[i][j])
            u = [[x + 0.1 * y for x, y in zip(*r, strict=True)] for r in zip(u, v, strict=True)]
        return sum(x * x for row in u for x in row)

    return jit(value_and_grad(energy)), ([1.0, 0.2],)


@program
def wave_on_a_square() -> Call:
    """Energy of a wave on 8 × 8 cells after ten steps; cells at the edge have fewer neighbours."""
    return _wave(8, 10)


@program
def wave_on_a_small_square() -> Call:
    """Energy of a wave on 6 × 6 cells after four steps: each number of neighbours is a branch."""
    return _wave(6, 4)


@program
def predator_and_prey() -> Call:
    """Lotka and Volterra's equations by 50 steps of Runge and Kutta; Hessian of the end."""

    def end(p: Any) -> Any:
        def slope(x: Any, y: Any) -> tuple[Any, Any]:
            return p[0] * x - p[1] * x * y, p[1] * x * y - p[0] * y

        x, y, h = 1.0, 0.5, 0.05
        for _ in range(50):
            a, b = slope(x, y)
            c, d = slope(x + h / 2 * a, y + h / 2 * b)
            e, f = slope(x + h / 2 * c, y + h / 2 * d)
            g, i = slope(x + h * e, y + h * f)
            x, y = x + h / 6 * (a + 2 * c + 2 * e + g), y + h / 6 * (b + 2 * d + 2 * f + i)
        return x * x + y

    return jit(hessian(end)), ([0.9, 0.5],)


@program
def planets() -> Call:
    """Find the places of four bodies after 30 steps of leapfrog, by their masses."""
    start = [(math.cos(k * 1.7) * (k + 1), math.sin(k * 1.7) * (k + 1)) for k in range(4)]

    def spread(masses: Any) -> Any:
        at: Any = [list(p) for p in start]
        speed: Any = [[-0.3 * y, 0.3 * x] for x, y in start]
        for _ in range(30):
            for i, v in enumerate(speed):
                for j, mass in enumerate(masses):
                    if i != j:
                        dx, dy = at[j][0] - at[i][0], at[j][1] - at[i][1]
                        cubed = (dx * dx + dy * dy + 0.1) ** 1.5
                        v[0], v[1] = (
                            v[0] + 0.05 * mass * dx / cubed,
                            v[1] + 0.05 * mass * dy / cubed,
                        )
            at = [[x + 0.05 * u, y + 0.05 * w] for (x, y), (u, w) in zip(at, speed, strict=True)]
        return sum(x * x + y * y for x, y in at)

    return jit(value_and_grad(spread)), ([1.0, 0.1, 0.2, 0.3],)


@program
def lorenz() -> Call:
    """Lorenz's attractor by scan, with all of its states and the gradient of their mean height."""

    def height(p: Any) -> Any:
        def step(s: Any, _: Any) -> Any:
            x, y, z = s
            moved = x + 0.01 * p[0] * (y - x), y + 0.01 * (x * (p[1] - z) - y)
            return (*moved, z + 0.01 * (x * y - p[2] * z)), z

        _, heights = scan(jit(step), (1.0, 1.0, 1.0), length=150)
        return sum(heights) / len(heights)

    return jit(value_and_grad(height)), ([10.0, 28.0, 8.0 / 3.0],)


@program
def edit_distance() -> Call:
    """Levenshtein's distance of two words, by the costs of changes and gaps: a table of minima."""
    one, two = "intention of words", "execution by swords"

    def distance(p: Any) -> Any:
        row = [p[1] * j for j in range(len(two) + 1)]
        for i, a in enumerate(one):
            new = [p[1] * (i + 1)]
            for j, b in enumerate(two):
                new.append(
                    minimum(row[j] + (0.0 if a == b else p[0]), minimum(row[j + 1], new[-1]) + p[1])
                )
            row = new
        return row[-1]

    return jit(value_and_grad(distance)), ([1.5, 1.0],)


@program
def time_warp() -> Call:
    """Soft dynamic time warping of two series: a table in which each cell reads three."""

    def warped(xs: Any, ys: Any) -> Any:
        row = [0.0, *[1e6] * len(ys)]
        for x in xs:
            new: list[Any] = [1e6]
            for j, y in enumerate(ys):
                best = -0.5 * logsumexp([-2.0 * z for z in (row[j], row[j + 1], new[-1])])
                new.append((x - y) ** 2 + best)
            row = new
        return row[-1]

    return jit(value_and_grad(warped)), (draws(14, 1), draws(12, 2))


@program
def american_put() -> Call:
    """Price of an American put by Cox, Ross and Rubinstein's lattice, with its Greeks."""
    steps, strike = 20, 100.0

    def price(p: Any) -> Any:
        spot, rate, volatility = p
        up = exp(volatility * math.sqrt(1.0 / steps))
        growth = exp(rate / steps)
        q = (growth - 1.0 / up) / (up - 1.0 / up)
        values = [maximum(strike - spot * up ** (2 * j - steps), 0.0) for j in range(steps + 1)]
        for step in range(steps - 1, -1, -1):
            held = [(q * values[j + 1] + (1 - q) * values[j]) / growth for j in range(step + 1)]
            paid = [strike - spot * up ** (2 * j - step) for j in range(step + 1)]
            values = [maximum(x, y) for x, y in zip(held, paid, strict=True)]
        return values[0]

    return jit(value_and_grad(price)), ([95.0, 0.05, 0.3],)


@program
def fourier() -> Call:
    """Power of the upper frequencies of 32 numbers by the recursive fast Fourier transform."""

    def transform(z: list[Any]) -> list[Any]:
        if len(z) == 1:
            return z
        even, odd, n = transform(z[::2]), transform(z[1::2]), len(z)
        turned = []
        for k, (x, y) in enumerate(odd):
            c, s = math.cos(2 * math.pi * k / n), -math.sin(2 * math.pi * k / n)
            turned.append((x * c - y * s, x * s + y * c))
        pairs = [*zip(even, turned, strict=True)]
        upper = [(a + c, b + d) for (a, b), (c, d) in pairs]
        return upper + [(a - c, b - d) for (a, b), (c, d) in pairs]

    def power(xs: Any) -> Any:
        found = transform([(x, 0.0) for x in xs])
        return sum(a * a + b * b for a, b in found[8:16]) / len(xs)

    return jit(value_and_grad(power)), (draws(32),)


@program
def hidden_markov() -> Call:
    """Likelihood of a hidden chain of three states by the forward algorithm in logarithms."""
    seen = [(7 * k * k + k) % 4 for k in range(50)]

    def likelihood(moves: Any, shows: Any) -> Any:
        moved = [[x - logsumexp(row) for x in row] for row in moves]
        shown = [[x - logsumexp(row) for x in row] for row in shows]
        states: Any = [row[seen[0]] for row in shown]
        for symbol in seen[1:]:
            states = [
                logsumexp([states[i] + moved[i][j] for i in range(3)]) + shown[j][symbol]
                for j in range(3)
            ]
        return logsumexp(states)

    moves = [[0.1 * i - 0.2 * j for j in range(3)] for i in range(3)]
    shows = [[math.sin(i + 2 * j) for j in range(4)] for i in range(3)]
    return jit(value_and_grad(likelihood, argnums=(0, 1))), (moves, shows)


@program
def viterbi() -> Call:
    """Score of the best path through 40 columns of four nodes: maxima of sums, with ties."""

    def score(costs: Any) -> Any:
        best: Any = [0.0] * 4
        for k in range(40):
            moved = [[best[i] + costs[(i + j + k) % 7] for i in range(4)] for j in range(4)]
            best = [maximum(*row) for row in moved]
        return maximum(*best)

    return jit(value_and_grad(score)), ([0.5, 1.0, -0.5, 1.0, 0.25, 0.0, 0.75],)


@program
def shortest_paths() -> Call:
    """Lengths of shortest paths from one town to all others by Bellman and Ford."""
    rng = random.Random(4)
    roads = [(rng.randrange(9), rng.randrange(9)) for _ in range(24)]

    def lengths(costs: Any) -> Any:
        at: Any = [0.0, *[50.0] * 8]
        for _ in range(8):
            for (a, b), cost in zip(roads, costs, strict=True):
                at[b] = minimum(at[b], at[a] + cost)
        return at, sum(at)

    def summed(costs: Any) -> Any:
        return lengths(costs)[1]

    return jit(lambda costs: (lengths(costs), grad(summed)(costs))), (
        [1.0 + abs(x) for x in draws(24)],
    )


@program
def kepler() -> Call:
    """Kepler's equation by ten steps of Newton's method for many times, under vmap."""

    def anomaly(mean: Any, eccentricity: Any) -> Any:
        e = mean
        for _ in range(10):
            e = e - (e - eccentricity * sin(e) - mean) / (1.0 - eccentricity * cos(e))
        return e

    def total(times: Any, eccentricity: Any) -> Any:
        found = vmap(anomaly, in_axes=(0, None))(times, eccentricity)
        return sum(cos(x) for x in found)

    times = [0.01 * k for k in range(300)]
    return jit(value_and_grad(total, argnums=1)), (times, 0.6)


@program
def pendulums() -> Call:
    """Find the ends of twenty pendulums after 300 steps each: a long recurrence under vmap."""

    def end(angle: Any, k: Any) -> Any:
        speed = 0.0
        for _ in range(300):
            angle, speed = angle + 0.05 * speed, speed - 0.05 * (k * sin(angle) + 0.1 * speed)
        return angle * angle + speed

    def mean(angles: Any, k: Any) -> Any:
        return sum(vmap(lambda x: end(x, k))(angles)) / len(angles)

    return jit(value_and_grad(mean, argnums=(0, 1))), ([0.05 * k for k in range(20)], 1.3)


@program
def averages() -> Call:
    """Exponential averages of 120 numbers, all of them results, with gradients by backward."""

    def smoothed(xs: Any, rate: Any) -> Any:
        found = [xs[0]]
        for x in xs[1:]:
            found.append(found[-1] * rate + x * (1.0 - rate))
        return found

    return jit(smoothed), ([Value(x) for x in draws(120)], Value(0.9))


@program
def queue() -> Call:
    """Queue at a counter by Lindley's recurrence, which starts again from 0."""
    coming, serving = draws(150, 1), draws(150, 2)

    def waiting(p: Any) -> Any:
        waits, total = 0.0, 0.0
        for a, s in zip(coming, serving, strict=True):
            waits = maximum(waits + p[0] * abs(s) - p[1] * abs(a), 0.0)
            total = total + waits
        return total / len(coming)

    return jit(value_and_grad(waiting)), ([1.0, 1.1],)


@program
def filtered() -> Call:
    """Energy of a signal behind a filter with two poles and two zeros."""
    signal = [math.sin(0.3 * k) + 0.5 * math.sin(2.1 * k) for k in range(200)]

    def energy(c: Any) -> Any:
        x1 = x2 = y1 = y2 = total = 0.0
        for x in signal:
            y = c[0] * x + c[1] * x1 + c[2] * x2 - c[3] * y1 - c[4] * y2
            x1, x2, y1, y2 = x, x1, y, y1
            total = total + y * y
        return total

    return jit(value_and_grad(energy)), ([0.2, 0.4, 0.2, -0.5, 0.3],)


@program
def escape() -> Call:
    """Move points of the plane by z² + c, fixed once they are outside: selects by where."""

    def far(a: Any, b: Any) -> Any:
        x, y = 0.0, 0.0
        for _ in range(12):
            inside = x * x + y * y < 4.0
            x, y = where(inside, x * x - y * y + a, x), where(inside, 2.0 * x * y + b, y)
        return x * x + y * y

    grid = [(-1.5 + 0.2 * i, -1.0 + 0.25 * j) for i in range(12) for j in range(9)]
    xs, ys = [list(x) for x in zip(*grid, strict=True)]
    return jit(vmap(far)), (xs, ys)


@program
def quadrature() -> Call:
    """Simpson's rule by bisection where it is not yet exact: recursion that numbers decide."""

    def simpson(f: Any, a: float, b: float, depth: int) -> Any:
        def rule(a: float, b: float) -> Any:
            return (b - a) / 6.0 * (f(a) + 4.0 * f((a + b) / 2.0) + f(b))

        middle = (a + b) / 2.0
        whole, halves = rule(a, b), rule(a, middle) + rule(middle, b)
        if depth == 0 or abs(whole - halves) < 1e-6:
            return halves
        return simpson(f, a, middle, depth - 1) + simpson(f, middle, b, depth - 1)

    def area(p: Any) -> Any:
        return simpson(lambda x: exp(-p * x * x) * cos(5.0 * x), 0.0, 2.0, 8)

    return jit(value_and_grad(area)), (1.3,)


@program
def sorting() -> Call:
    """Weighted sum of 16 numbers in order, sorted by a network of minima and maxima."""

    def ordered(xs: Any) -> Any:
        xs = list(xs)
        for k in range(len(xs)):
            for i in range(k % 2, len(xs) - 1, 2):
                xs[i], xs[i + 1] = minimum(xs[i], xs[i + 1]), maximum(xs[i], xs[i + 1])
        return sum(k * x for k, x in enumerate(xs))

    return jit(value_and_grad(ordered)), (draws(16),)


@program
def bubble_sort() -> Call:
    """Five numbers sorted by comparisons: each order of the numbers is another path."""

    def order(xs: Any) -> Any:
        xs = list(xs)
        for end in range(len(xs) - 1, 0, -1):
            for i in range(end):
                if xs[i] > xs[i + 1]:
                    xs[i], xs[i + 1] = xs[i + 1], xs[i]
        return xs

    return jit(order), ([0.3, -0.2, 1.5, 0.1, 0.7],)


@program
def walk_in_a_crystal() -> Call:
    """Energy of a random walk with drift that a generator draws, the same at each call."""

    def energy(p: Any, rng: random.Random) -> Any:
        x, total = p[0], 0.0
        for _ in range(60):
            x = x - 0.1 * sin(x) * p[1] + 0.05 * drawn(rng.gauss, 0.0, 1.0)
            total = total + cos(x)
        return total

    compiled = jit(value_and_grad(energy))
    return lambda p: compiled(p, random.Random(3)), ([0.3, 0.8],)


@program
def chebyshev() -> Call:
    """Series of Chebyshev's polynomials by Clenshaw's recurrence, and its slopes."""

    def series(c: Any, x: Any) -> Any:
        a = b = 0.0
        for k in reversed(c[1:]):
            a, b = 2.0 * x * a - b + k, a
        return x * a - b + c[0]

    def both(c: Any, xs: Any) -> Any:
        return [(series(c, x), grad(lambda x: series(c, x))(x)) for x in xs]

    return jit(both), ([1.0 / (k + 1) ** 2 for k in range(30)], [-0.9, -0.3, 0.0, 0.5, 1.0])


@program
def out_of_its_domain() -> Call:
    """Recurrence that comes to the logarithm of a negative number, which is an error."""

    def falling(x: Any) -> Any:
        total = 0.0
        for _ in range(40):
            total = total + log(x)
            x = x - 0.1
        return total

    return jit(value_and_grad(falling)), (2.05,)


@program
def growth() -> Call:
    """Squares of squares, which overflow to infinity."""

    def grown(x: Any) -> Any:
        found = []
        for _ in range(14):
            x = x * x
            found.append(tanh(x) + 1.0 / x)
        return x, found, sqrt(x)

    return jit(grown), (Value(1.5),)


@program
def in_no_order() -> Call:
    """Sum over pairs of 40 numbers that a table chooses."""
    pairs, data = [(7 * k * k % 40, 11 * k % 40) for k in range(200)], draws(40)

    def total(p: Any) -> Any:
        return sum(tanh(p[i] * data[i]) * p[j] for i, j in pairs)

    return jit(value_and_grad(total)), (data,)


@program
def powers() -> Call:
    """Polynomial of powers, of which the exponents 1 and 2 are special."""
    data = draws(70)

    def total(p: Any) -> Any:
        found = sum((p[0] + x) ** 2 + (p[1] * x) ** 3 + (p[1] + x * x) ** 1 for x in data)
        return found + sum(p[0] ** float(k) for k in range(20))

    return jit(value_and_grad(total)), ([0.7, 0.2],)


@program
def first_and_last_differ() -> Call:
    """Recurrence and sum whose first and last iterations differ from the others."""
    data = draws(100)

    def total(p: Any) -> Any:
        state, found = p[0] * 2.0, p[1]
        for k, x in enumerate(data):
            state = exp(-state * state) if k == 0 else state * p[1] + 0.1 * x
            found = found + (state if k < len(data) - 1 else state * state)
        return found + state

    return jit(value_and_grad(total)), ([0.3, 0.2],)


@program
def some_of_the_states() -> Call:
    """Sum over the first states of a recurrence, and one of its numbers in each step."""

    def total(p: Any) -> Any:
        states = [0.3]
        for x in p:
            states.append(tanh(0.5 * (p[-5] + x * sin(states[-1]))))
        return sum(exp(x) for x in states[:51]) + states[-1] * 3.0

    return jit(value_and_grad(total)), (draws(90),)


@program
def tree() -> Call:
    """Tree of numbers, each of which two later ones read, next to a recurrence."""

    def total(p: Any) -> Any:
        known, state = [p[0]], p[0]
        for k in range(30):
            known += [known[k] * 0.5, known[k] * p[1]]
        for _ in range(300):
            state = state * 0.8 + sin(state) * p[1]
        return sum(known) + state

    return jit(value_and_grad(total)), ([0.4, 0.3],)


@program
def after_a_swing() -> Call:
    """Swing of a pendulum, and 300 statements in no order that read its end."""

    def irregular(p: Any) -> Any:
        x, v = p, 0.0
        for _ in range(500):
            v = v - 0.01 * sin(x)
            x = x + 0.01 * v
        known, rng = [x, v, p], random.Random(1)
        for _ in range(300):
            a, b = rng.choice(known[-20:]), rng.choice(known[-20:])
            made = (a * b * 0.9, a + b * 0.1, tanh(a) - b, exp(-a * a) + b * 0.5)
            known.append(rng.choice(made))
        return known[-1]

    return jit(value_and_grad(irregular)), (0.3,)


@program
def filters() -> Call:
    """Likelihood of nine series under one filter, whose variances all of them share."""
    rows = [draws(120, k) for k in range(9)]

    def likelihood(q: Any, r: Any) -> Any:
        known, p = [], 1.0
        for _ in range(120):
            for _ in range(3):
                p = 0.9 * p + 0.1 * q * cos(sin(p) * tanh(r * p))
            known.append((p + r, p / (p + r)))
            p = p - p * known[-1][1]

        def of_one(seen: Any) -> Any:
            x, total = 0.0, 0.0
            for z, (s, k) in zip(seen, known, strict=True):
                total = total + log(s) + (z - 0.9 * x) ** 2 / s
                x = 0.9 * x + k * (z - 0.9 * x)
            return total

        return sum(vmap(of_one)(rows)) * known[-1][1] + known[40][0]

    return jit(value_and_grad(likelihood, argnums=(0, 1))), (0.3, 0.7)


@program
def paths() -> Call:
    """Every state of nine recurrences under vmap, and sums of some that are computed outside."""

    def run(xs: Any, k: Any) -> Any:
        def path(x: Any) -> list[Any]:
            found = [x]
            for _ in range(600):
                found.append(found[-1] + 0.01 * sin(k * found[-1]))
            return found

        found = vmap(path)(xs)
        return found, sum(found[3]), xs[0] * k

    return jit(run), (draws(9), 0.7)


@program
def pushed() -> Call:
    """States that each number of a row pushes, and a step of descent for these numbers."""
    rows = [draws(80, k) for k in range(3)]

    def loss(a: Any, rows: Any) -> Any:
        def of_one(row: Any) -> Any:
            state = total = 0.0
            for z in row:
                state = tanh(a * state + z)
                for k in range(4):
                    state = state + 0.1 * sin(state * a + 0.3 * k)
                total = total + state * state
            return total / len(row)

        return sum(vmap(of_one)([*rows, rows[0]])) + rows[1][2] * a + rows[0][0] ** 2

    def step(a: Any, rows: Any) -> Any:
        value, slopes = value_and_grad(loss, argnums=1)(a, rows)
        moved = zip(rows, slopes, strict=True)
        return value, [[z - 0.1 * g * a for z, g in zip(*x, strict=True)] for x in moved]

    return jit(step), (0.6, rows)


@program
def keplers_equation() -> Call:
    """Eccentric anomalies by Newton's method, until each has converged, and their slopes."""

    def anomaly(m: Any) -> Any:
        def newton(e: Any) -> Any:
            return e - (e - 0.3 * sin(e) - m) / (1.0 - 0.3 * cos(e))

        return while_loop(lambda e: abs(e - 0.3 * sin(e) - m) > 1e-12, newton, m)

    return jit(vmap(value_and_grad(anomaly))), ([0.1 * k for k in range(1, 30)],)


@program
def slopes_at_points() -> Call:
    """Slopes and curvatures of a function at 100 points, each by its own `grad`."""

    def f(x: Any) -> Any:
        return tanh(x) * x + sin(x) * exp(-x * x)

    return jit(lambda xs: [(grad(f)(x), grad(grad(f))(x)) for x in xs]), (draws(100),)


@program
def product_of_matrices() -> Call:
    """Slopes of a product of 250 matrices of 2 x 2, of which one entry of the last is not read."""

    def times(a: Any, b: Any) -> Any:
        return (
            a[0] * b[0] + a[1] * b[2], a[0] * b[1] + a[1] * b[3],
            a[2] * b[0] + a[3] * b[2], a[2] * b[1] + a[3] * b[3],
        )  # fmt: skip

    def power(angles: Any) -> Any:
        m = reduce(times, [(cos(t), -sin(t) * 0.9, sin(t) * 1.1, cos(t)) for t in angles])
        return m[0] ** 2 + m[1] * m[2]

    return jit(value_and_grad(power)), (draws(250),)


@program
def largest_eigenvalue() -> Call:
    """Slopes of the largest eigenvalue of a chain of 50 sites, by 60 steps of power iteration."""

    def largest(energies: Any, bonds: Any) -> Any:
        v, norm = [1.0] * len(energies), 0.0
        for _ in range(60):
            w = []
            for i, x in enumerate(v):
                y = (energies[i] + 3.0) * x
                if i > 0:
                    y += bonds[i - 1] * v[i - 1]
                if i < len(v) - 1:
                    y += bonds[i] * v[i + 1]
                w.append(y)
            norm = sqrt(sum(y * y for y in w))
            v = [y / norm for y in w]
        return norm

    energies, bonds = draws(50), [1.0 + 0.01 * k for k in range(49)]
    return jit(value_and_grad(largest, argnums=(0, 1))), (energies, bonds)


@program
def recurrence_of_an_own_operation() -> Call:
    """State passed through an operation of one's own, whose value is Python's."""

    @custom_op(lambda y, _: (1.0 - y * y,))
    def squashed(x: float) -> float:
        return math.tanh(x)

    def last(p: Any) -> Any:
        state = 0.1
        for k in range(300):
            state = squashed(p[0] * state + p[1] * 0.01 * k) + p[2]
        return state

    return jit(value_and_grad(last)), ([0.3, 0.2, 0.1],)


@program
def attractor_of_1024_steps() -> Call:
    """Lorenz's attractor step by step: arrays of 8 kB, one element of each per iteration."""

    def last(p: Any) -> Any:
        x, y, z = 1.0, 1.0, 1.0
        for _ in range(1024):
            dx, dy, dz = p[0] * (y - x), x * (p[1] - z) - y, x * y - p[2] * z
            x, y, z = x + 0.01 * dx, y + 0.01 * dy, z + 0.01 * dz
        return x * x + y * y + z * z

    return jit(value_and_grad(last)), ([10.0, 28.0, 8.0 / 3.0],)
