"""vmap in all its forms, scans with carries and results, and one within the other."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.replay import Call, program
from scalargrad import (
    Value,
    argmax,
    clip,
    dot,
    drawn,
    eq,
    exp,
    floor,
    grad,
    gradients,
    gt,
    hessian,
    jacfwd,
    jacobian,
    jit,
    jvp,
    log_softmax,
    logsumexp,
    maximum,
    scan,
    sigmoid,
    sin,
    softplus,
    sqrt,
    take,
    tanh,
    value_and_grad,
    vjp,
    vmap,
    where,
    while_loop,
)
from scalargrad.nn import MLP, Embedding


@dataclass
class Weather:
    """The state that a step carries, or returns."""

    pressure: Any
    days: int = 0


def table(rows: int, columns: int, seed: int = 0) -> list[list[float]]:
    """Return uniform random numbers in rows."""
    rng = random.Random(seed)
    return [[rng.uniform(-1.0, 1.0) for _ in range(columns)] for _ in range(rows)]


@program
def logistic_of_an_array() -> Call:
    """Logistic loss of 2,000 samples in an array argument, and its gradient."""
    xs = np.array(table(2_000, 5))
    labels = np.sign(xs[:, 0] + 0.1)

    def loss(w: Any, xs: Any, labels: Any) -> Any:
        return sum(vmap(lambda x, y: softplus(-y * dot(w, x)))(xs, labels))

    return jit(value_and_grad(loss)), ([0.3, -0.2, 0.1, 0.4, 0.0], xs, labels)


@program
def gradient_of_each_example() -> Call:
    """Gradient of a network's loss for each of 50 examples, clipped and averaged."""
    model = MLP(3, [5, 1], rng=3)
    xs, ys = table(50, 3), table(1, 50, 1)[0]

    def one(scale: Any, x: Any, y: Any) -> Any:
        return (scale * model(x)[0].detach() - y) ** 2 + softplus(scale * x[0])

    def averaged(scale: Any) -> Any:
        slopes = vmap(grad(one), in_axes=(None, 0, 0))(scale, xs, ys)
        return sum(clip(s, -1.0, 1.0) for s in slopes) / len(xs)

    return jit(averaged), (0.7,)


@program
def batch_normalised() -> Call:
    """Each of 60 activations minus their mean, divided by their spread, and the gradient."""
    xs = table(60, 3)

    def loss(w: Any) -> Any:
        found = vmap(lambda x: tanh(dot(w, x)))(xs)
        mean = sum(found) / len(found)
        variance = sum(vmap(lambda h: (h - mean) ** 2)(found)) / len(found)
        return sum(vmap(lambda h: maximum((h - mean) / (variance + 1e-3) ** 0.5, 0.0))(found))

    return jit(value_and_grad(loss)), ([0.3, -0.7, 0.5],)


@program
def classes_of_tokens() -> Call:
    """Cross-entropy of words looked up in a table by each of 40 examples."""
    rng = random.Random(1)
    tokens, targets = ([rng.randrange(n) for _ in range(40)] for n in (9, 3))
    embedding, rows = Embedding(9, 3, rng=1), table(9, 3, 4)

    def loss(rows: Any) -> Any:
        def one(token: Any, target: Any) -> Any:
            scores = [a + b for a, b in zip(take(rows, token), embedding(token), strict=True)]
            return logsumexp(scores) - take(scores, target)

        return sum(vmap(one)(tokens, targets)) / 40

    return jit(grad(loss)), (rows,)


@program
def hessians_of_examples() -> Call:
    """Hessian by two parameters for each of 20 instants of a decay."""

    def at(p: Any, t: Any) -> Any:
        return p[0] * sin(p[1] * t) + p[0] * p[0] * t

    return jit(vmap(hessian(at), in_axes=(None, 0))), ([1.3, 0.7], np.linspace(0.1, 1.8, 20))


@program
def kernel_matrix() -> Call:
    """All pairs of 12 points: vmap of vmap, and a bilinear form of the matrix."""
    points = table(12, 2)

    def form(scale: Any, points: Any) -> Any:
        def kernel(a: Any, b: Any) -> Any:
            return tanh(scale * dot(a, b)) + (a[0] - b[1]) ** 2

        rows = vmap(lambda a: vmap(lambda b: kernel(a, b))(points))(points)
        return sum(x * points[i][0] for i, row in enumerate(rows) for x in row)

    return jit(grad(form, argnums=(0, 1))), (0.8, points)


@program
def along_axes() -> Call:
    """Results of rows laid out along other axes, in a dict, with one that all share."""

    def scored(w: Any, x: Any) -> Any:
        first, second = w[0] * x[0] - x[1], x[2] * x[2]
        return {"pair": (first, [second, first * second]), "row": x * 2.0, "own": w[0] * w[1]}

    axes = {"pair": 0, "row": 1, "own": None}
    mapped = vmap(scored, in_axes=(None, 0), out_axes=axes)
    return jit(mapped), (np.array([0.5, -0.3, 2.0]), np.array(table(30, 3)))


@program
def masked_examples() -> Call:
    """Sum of the larger logarithms of probabilities, chosen by where and not by if."""

    def loss(w: Any, xs: Any) -> Any:
        def one(x: Any) -> Any:
            scores = log_softmax([w[0] * x[0], w[1] * x[1], x[2]])
            return where(scores[1] > scores[0], scores[1] * w[2], clip(x[2], -0.5, 0.5))

        return sum(vmap(one)(xs))

    return jit(value_and_grad(loss)), ([0.3, -0.7, 0.5], table(300, 3))


@program
def dropped_at_random() -> Call:
    """Inverted dropout of 30 numbers by a seeded generator, a mask for each example."""

    def loss(w: Any, rng: random.Random) -> Any:
        mapped = vmap(lambda x: where(drawn(rng.random) < 0.4, 0.0, w * x / 0.6) ** 2)
        return sum(mapped([0.1] * 30))

    def slopes(w: float) -> Any:
        rng = random.Random(3)
        f = jit(grad(lambda w: loss(w, rng)))
        return [f(w), f(w)]

    return slopes, (0.7,)


@program
def draws_of_a_random_walk() -> Call:
    """Walk of 50 steps by `drawn` of a new generator in each call."""

    def last(scale: Any, rng: random.Random) -> Any:
        def step(x: Any, _: None) -> Any:
            x = x + scale * drawn(rng.gauss, 0.0, 1.0)
            return x, x

        end, passed = scan(step, 0.0, length=50)
        return end * end + sum(passed)

    def walk(scale: float) -> Any:
        rng = random.Random(7)
        f = jit(value_and_grad(lambda scale: last(scale, rng)))
        return [f(scale), f(scale)]

    return walk, (0.3,)


@program
def pendulum_by_scan() -> Call:
    """Energy of a pendulum after 400 steps of symplectic Euler, by where it started."""

    def energy(x: Any, v: Any) -> Any:
        def step(state: Any, _: None) -> Any:
            x, v = state
            v = v - 0.01 * sin(x)
            return (x + 0.01 * v, v), x * v

        (x, v), ys = scan(step, (x, v), length=400)
        return v * v - sin(x) + sum(ys)

    return jit(value_and_grad(energy, argnums=(0, 1))), (0.3, 0.2)


@program
def planets() -> Call:
    """Five bodies that attract each other, by the slope of their energy, for 100 steps."""
    rng = random.Random(4)
    places = [[rng.gauss(0.0, 1.0) for _ in range(3)] for _ in range(5)]
    masses = [1.0, 0.5, 2.0, 1.5, 0.7]

    def energy(places: Any) -> Any:
        pairs = [(i, j) for i in range(5) for j in range(i)]
        apart = [sum((a - b) ** 2 for a, b in zip(places[i], places[j], strict=True))
                 for i, j in pairs]  # fmt: skip
        masses_of = [masses[i] * masses[j] for i, j in pairs]
        return -sum(m / (d + 0.01) ** 0.5 for m, d in zip(masses_of, apart, strict=True))

    def moved(x: Any, v: Any, rate: Any) -> Any:
        return [[a + rate * b for a, b in zip(*rows, strict=True)]
                for rows in zip(x, v, strict=True)]  # fmt: skip

    def after(speeds: Any) -> Any:
        def step(state: Any, _: None) -> Any:
            x, v = state
            slopes = grad(energy)(x)
            v = [moved([row], [by], -0.01 / m)[0]
                 for row, by, m in zip(v, slopes, masses, strict=True)]  # fmt: skip
            return (moved(x, v, 0.01), v), None

        (x, _), _ = scan(step, (places, speeds), length=100)
        return energy(x)

    return jit(value_and_grad(after)), ([[0.1 * (i - j) for j in range(3)] for i in range(5)],)


@program
def rod() -> Call:
    """Heat along a rod of eight points whose ends keep their temperature."""

    def step(state: Any, _: None) -> Any:
        u, k = state
        inner = [u[i] + k * (u[i - 1] - 2.0 * u[i] + u[i + 1]) for i in range(1, len(u) - 1)]
        return ([u[0], *inner, u[-1]], k), u[4]

    return jit(lambda k: scan(step, ([0.2, *[0.0] * 6, 1.0], k), length=400)), (0.3,)


@program
def delay_line() -> Call:
    """Recurrence that reads what it came to seven steps before."""

    def last(a: Any, b: Any) -> Any:
        def step(seen: Any, x: Any) -> Any:
            new = tanh(a * seen[0] + b * seen[-1] + x)
            return [*seen[1:], new], new

        return scan(step, [0.0] * 7, table(1, 200)[0])

    return jit(last), (0.5, 0.3)


@program
def descent_in_a_scan() -> Call:
    """Gradient in each step, and the gradient of the whole descent by its rate."""

    def loss(w: Any) -> Any:
        return sum((x - 1.0) ** 2 * (x + 0.3) for x in w)

    def after(w: Any, rate: Any) -> Any:
        def step(w: Any, _: None) -> Any:
            value, slopes = value_and_grad(loss)(w)
            return [x - 0.01 * rate * y for x, y in zip(w, slopes, strict=True)], value

        w, values = scan(step, w, length=100)
        return sum(values[:3]) + w[1]

    return jit(value_and_grad(after, argnums=(0, 1))), ([0.4, 0.9, 1.4], 0.2)


@program
def compiled_step_by_itself() -> Call:
    """Compiled step in a scan that is not compiled: momentum descent with rows as entries."""
    rows = [(*row, 0.5) for row in table(80, 2)]

    @jit
    def step(carry: Any, row: Any) -> Any:
        w, m = carry["w"], carry["m"]
        loss, slopes = value_and_grad(lambda w: (w[0] * row[0] + w[1] * row[1] - row[2]) ** 2)(w)
        m = [0.9 * a + b for a, b in zip(m, slopes, strict=True)]
        return {"w": [a - 0.05 * b for a, b in zip(w, m, strict=True)], "m": m}, loss

    return lambda start: scan(step, {"w": start, "m": [0.0, 0.0]}, rows), ([0.1, -0.2],)


@program
def jvp_of_the_gradient_of_a_scan() -> Call:
    """Push a direction through the gradient of a recurrence, and pull back by it."""

    def last(p: Any) -> Any:
        def step(state: Any, x: Any) -> Any:
            return tanh(p[0] * state + p[1] * x), state * state

        state, squares = scan(step, 0.1, table(1, 60)[0])
        return state + sum(squares)

    def along(p: Any, direction: Any) -> Any:
        slopes, change = jvp(grad(last), (p,), (direction,))
        value, pull = vjp(last, p)
        return [slopes, change, value, pull(2.0)]

    return jit(along), ([0.7, 0.4], [1.0, -0.5])


@program
def vmap_of_scan() -> Call:
    """Forty paths of a logistic map, each a scan, with the slope of each."""

    def path(rate: Any) -> Any:
        return scan(lambda x, _: (rate * x * (1.0 - x), x), 0.2, length=30)[0]

    return jit(vmap(value_and_grad(path))), ([1.5 + 0.05 * k for k in range(40)],)


@program
def scan_of_vmap() -> Call:
    """Ten coupled oscillators, moved by vmap in each of 60 steps."""
    weights = table(10, 10, 2)

    def moved(phases: Any, k: Any) -> Any:
        def step(phases: Any, _: None) -> Any:
            pulls = vmap(
                lambda p, row: k * sum(w * sin(q - p) for w, q in zip(row, phases, strict=True))
            )
            moves = pulls(phases, weights)
            return [p + 0.05 * (1.0 + m) for p, m in zip(phases, moves, strict=True)], moves[0]

        return scan(step, phases, length=60)

    return jit(moved), (table(1, 10)[0], 0.6)


@program
def recurrent_network_of_a_batch() -> Call:
    """Recurrent network over sequences of eight numbers, for each of 12, and its gradient."""
    sequences, targets = table(12, 8), table(1, 12, 5)[0]

    def loss(p: Any) -> Any:
        def one(sequence: Any, target: Any) -> Any:
            def cell(h: Any, x: Any) -> Any:
                h = [tanh(p[0] * a + p[1] * x + p[2] * b) for a, b in zip(h, h[::-1], strict=True)]
                return h, h[0]

            h, _ = scan(cell, [0.0, 0.1], sequence)
            return (sigmoid(h[0] + h[1]) - target) ** 2

        return sum(vmap(one)(sequences, targets))

    return jit(value_and_grad(loss)), ([0.5, -0.4, 0.3],)


@program
def jacobian_of_results() -> Call:
    """Jacobian of the results of examples, with respect to three shared weights."""
    xs = table(15, 3)
    each = vmap(lambda w, x: tanh(dot(w, x)) * x[0], in_axes=(None, 0))
    return jit(jacobian(lambda w: each(w, xs))), ([0.3, -0.7, 0.5],)


@program
def filter_with_missing_values() -> Call:
    """Level predicted and corrected by observations, some of them missing."""

    @jit
    def step(carry: Any, y: Any) -> Any:
        level, spread = carry[0], carry[1] + 0.5
        if y is not None:
            gain = spread / (spread + 1.0)
            level, spread = level + gain * (y - level), (1.0 - gain) * spread
        return (level, spread), level

    observed = [1.0, None, 2.0, 2.5, None, None, 1.5]
    return lambda start: scan(step, (start, 1.0), observed), (0.0,)


@program
def an_index_outside() -> Call:
    """One of the examples looks up what is not in the table: an error."""
    return jit(lambda w, t: vmap(lambda i: take(w, i) ** 2)(t)), ([0.3, -0.7], [0, 1, 4])


@program
def array_carried_by_a_long_scan() -> Call:
    """Array of three states through 3,000 steps, each of which returns their sum."""

    def run(a: Any, b: Any) -> Any:
        start = np.array([a, b, a * b], dtype=object)
        return scan(lambda x, _: (x * a + b, x.sum()), start, length=3_000)

    return jit(run), (0.3, 0.2)


@program
def state_of_a_long_scan() -> Call:
    """Dataclass through 3,000 steps, which return others; sign and name are carried, too."""

    def step(a: Any, b: Any, carry: Any) -> Any:
        state, sign, name = carry
        new = Weather(state.pressure * a + b * sign, state.days + 1)
        return (new, -sign, name), {"now": Weather(new.pressure * b), "before": [state.pressure]}

    def run(a: Any, b: Any) -> Any:
        begun = (Weather(a), 1.0, "x")
        (last, *_), seen = scan(lambda carry, _: step(a, b, carry), begun, length=3_000)
        found = [x["now"].pressure + x["before"][0] for x in seen[::500]]
        return last.pressure * float(last.days), found

    return jit(run), (0.5, 0.1)


@program
def states_changed_in_place() -> Call:
    """List that 2,000 steps change in place, so that each result is the last one."""

    def run(a: Any, b: Any) -> Any:
        def step(c: list[Any], _: None) -> Any:
            c[0], c[1] = c[0] * a, c[1] + c[0] * b
            return c, c

        carried, seen = scan(step, [a, a * a], length=2_000)
        return [seen[3][1], carried[1]]

    return jit(value_and_grad(lambda a, b: sum(run(a, b)))), (0.5, 0.1)


@program
def gradient_out_of_the_examples() -> Call:
    """Gradient, within each example, by the number that all examples were computed from."""

    def reach(w: Any, xs: Any) -> Any:
        scaled = [[w * a for a in x] for x in xs]
        slopes = vmap(lambda x: gradients(x[0] * x[1], [w], create_graph=True)[0])(scaled)
        roots = [w * x[0] for x in xs]
        return slopes, vmap(lambda y: gradients(y * y * w, [y, w]))(roots)

    return jit(reach), (Value(2.0), table(7, 2))


@program
def rows_turned_over() -> Call:
    """Columns, rows backwards and rows in another order of one array of 400 × 3 numbers."""
    xs = np.array(table(400, 3))

    def found(w: Any, xs: Any) -> Any:
        columns = vmap(lambda x: w * x[1] * x[5])(xs.T)
        backwards = vmap(lambda x: tanh(w * x[0]) + x[1])(xs[::-1])
        return columns, sum(backwards), vmap(lambda x: x * w)(xs[[3, 1, 1], 2])

    return jit(found), (0.7, xs)


@program
def gradients_by_examples() -> Call:
    """Gradients by the numbers of examples, one of which is a result of its example, too."""

    def found(xs: Any) -> Any:
        results = vmap(lambda x: (x, y := sin(x), y**3))(xs)
        total = sum(z for _, _, z in results) + results[1][1] ** 2
        slopes = gradients(total, xs, create_graph=True)
        once = gradients(total + xs[0] ** 2, [xs[0], results[0][0]])
        return slopes, once, gradients(slopes[2] * xs[2], xs)

    return jit(found), ([Value(0.3), Value(-0.7), Value(1.1)],)


@program
def jacobians_of_models() -> Call:
    """Jacobians of three models of two parameters at each of 200 points, which nothing adds up."""
    models = [
        lambda p, t: {"y": p[0] * exp(-p[1] * t), "z": (p[1], t)},
        lambda p, t: {"y": logsumexp([p[0] * t, p[1], t]), "z": (p[1], t)},
        lambda p, t: {"y": floor(p[0] * t) + p[1], "z": (p[1], t)},
    ]
    each = [vmap(jacfwd(f), in_axes=(None, 0)) for f in models]
    ts = 0.11 + np.arange(200) / 120
    return jit(lambda p, ts: [f(p, ts) for f in each]), ([1.3, 0.7], ts)


@program
def decision_tree() -> Call:
    """Loss of 40 samples that a tree of seven thresholds and eight leaves sorts, by indices."""
    features, depth = [0.0, 2.0, 1.0, 3.0, 0.0, 1.0, 2.0], 3
    xs, ys = np.array(table(40, 4)), np.array(table(40, 1))[:, 0]

    def squared_error(thresholds: Any, leaves: Any, x: Any, y: Any) -> Any:
        at = 0.0
        for _ in range(depth):
            at = 2.0 * at + 1.0 + gt(take(x, take(features, at)), take(thresholds, at))
        return (take(leaves, at - 7.0) - y) ** 2

    each = vmap(squared_error, in_axes=(None, None, 0, 0))
    weights = table(1, 7)[0], table(1, 8)[0]
    return jit(value_and_grad(lambda t, z: sum(each(t, z, xs, ys)), argnums=(0, 1))), weights


@program
def arms_learned() -> Call:
    """Likelihood of a learner's rate: at each of 30 trials it takes the arm that it values most."""
    rewards = table(30, 3)

    def likelihood(rate: Any, heat: Any) -> Any:
        values, total = [0.0 * rate, 0.1, 0.2], 0.0
        for paid in rewards:
            arm = argmax(values)
            error = take(paid, arm) - take(values, arm)
            total = total + heat * error * error
            values = [x + where(eq(arm, float(j)), rate * error, 0.0) for j, x in enumerate(values)]
        return total

    return jit(value_and_grad(likelihood, argnums=(0, 1))), (0.3, 1.2)


@program
def charged_particle() -> Call:
    """Where a particle lands that two charges push, by the place of one; 300 steps and more."""

    def landing(w: Any) -> Any:
        charges = [10.0, 10.0 - w], [10.0, 0.0]

        def potential(x: Any) -> Any:
            return sum(
                1 / sqrt(sum((a - b) ** 2 for a, b in zip(x, c, strict=True))) for c in charges
            )

        def step(state: Any) -> Any:
            x, v, _ = state
            moved = [a + 0.1 * b for a, b in zip(x, v, strict=True)]
            pushed = [a - 0.1 * b for a, b in zip(v, grad(potential)(x), strict=True)]
            falls = moved[1] > 0.0
            kept = [where(falls, a, b) for a, b in zip([*moved, *pushed], [*x, *v], strict=True)]
            return kept[:2], kept[2:], where(falls, 1.0, 0.0)

        start = [0.0, 8.0], [0.75, 0.0], 1.0
        x, v, _ = while_loop(lambda state: state[2], step, start)
        return (x[0] - x[1] / v[1] * v[0]) ** 2

    return jit(value_and_grad(landing)), (0.5,)
