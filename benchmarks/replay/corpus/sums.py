"""Likelihoods, energies and matrices: sums of many and few terms, in triangles and ragged rows."""

from __future__ import annotations

import math
import random
from itertools import combinations, pairwise
from typing import Any

import numpy as np

from benchmarks.replay import Call, program
from scalargrad import (
    dot,
    exp,
    hessian,
    hvp,
    jacrev,
    jit,
    lgamma,
    log,
    log1p,
    logsumexp,
    mean,
    sigmoid,
    softmax,
    softplus,
    sqrt,
    value_and_grad,
    vjp,
    vmap,
    where,
)
from scalargrad.linalg import cholesky, logdet, triangular_solve


def table(rows: int, columns: int, seed: int = 0) -> list[list[float]]:
    """Return normal random numbers."""
    rng = random.Random(seed)
    return [[rng.gauss(0.0, 1.0) for _ in range(columns)] for _ in range(rows)]


@program
def logistic() -> Call:
    """Logistic regression of 60 rows with a penalty, its gradient and its Hessian."""
    rows, labels = table(60, 3), [k % 2 for k in range(60)]

    def loss(w: Any) -> Any:
        scores = [sum(a * x for a, x in zip(w, row, strict=True)) for row in rows]
        fit = sum(softplus(-s if y else s) for s, y in zip(scores, labels, strict=True))
        return fit + 0.1 * sum(a * a for a in w)

    return jit(lambda w: (value_and_grad(loss)(w), hessian(loss)(w))), ([0.1, -0.2, 0.3],)


@program
def poisson() -> Call:
    """Poisson regression of counts on rows, with the logarithms of factorials."""
    rows, counts = table(50, 3), [(3 * k) % 7 for k in range(50)]

    def likelihood(w: Any) -> Any:
        total = 0.0
        for row, n in zip(rows, counts, strict=True):
            rate = dot(w, row)
            total = total + n * rate - exp(rate) - lgamma(n + 1.0)
        return total

    return jit(value_and_grad(likelihood)), ([0.1, -0.2, 0.3],)


@program
def students_t() -> Call:
    """Likelihood of Student's t over the thousand numbers of an array."""
    data = np.random.default_rng(0).normal(size=1_000)

    def likelihood(p: Any, xs: Any) -> Any:
        m, s, n = p
        start = lgamma((n + 1.0) / 2.0) - lgamma(n / 2.0) - 0.5 * log(math.pi * n) - log(s)
        each = vmap(lambda x: log1p(((x - m) / s) ** 2 / n))(xs)
        return len(xs) * start - (n + 1.0) / 2.0 * sum(each)

    return jit(value_and_grad(likelihood)), ([0.1, 1.2, 4.0], data)


@program
def mixture() -> Call:
    """Likelihood of three Gaussians in the plane: a sum of logarithms of sums."""
    points = table(40, 2)

    def likelihood(weights: Any, means: Any, scales: Any) -> Any:
        shares = [w - logsumexp(weights) for w in weights]
        total = 0.0
        for point in points:
            terms = []
            for share, centre, s in zip(shares, means, scales, strict=True):
                far = sum((a - b) ** 2 for a, b in zip(point, centre, strict=True))
                terms.append(share - 0.5 * far * exp(-2.0 * s) - 2.0 * s)
            total = total + logsumexp(terms)
        return total

    given = [0.1, 0.2, 0.3], table(3, 2, 1), [0.0, 0.1, -0.1]
    return jit(value_and_grad(likelihood, argnums=(0, 1, 2))), given


@program
def clusters() -> Call:
    """Step of k-means: each of 30 points goes to the nearest centre, by comparisons."""
    points = table(30, 2)

    def moved(centres: Any) -> Any:
        sums: Any = [[0.0, 0.0, 0.0] for _ in centres]
        for x, y in points:
            far = [(x - a) ** 2 + (y - b) ** 2 for a, b in centres]
            nearest = min(range(len(far)), key=far.__getitem__)
            for k, (part, share) in enumerate(zip(sums, far, strict=True)):
                own = 1.0 if k == nearest else 0.0
                part[0], part[1], part[2] = part[0] + own * x, part[1] + own * y, part[2] + share
        return [[a / (c + 1.0), b / (c + 1.0)] for a, b, c in sums]

    return jit(moved), (table(3, 2, 1),)


@program
def soft_clusters() -> Call:
    """Spread around centres with shares that fall with distance; Hessian times a vector."""
    points = table(30, 2)

    def spread(centres: Any) -> Any:
        total = 0.0
        for x, y in points:
            far = [(x - a) ** 2 + (y - b) ** 2 for a, b in centres]
            total = total + sum(p * d for p, d in zip(softmax([-d for d in far]), far, strict=True))
        return total

    centres = table(3, 2, 1)
    return jit(lambda c: hvp(spread, c, [[1.0, 0.5]] * 3)), (centres,)


@program
def gaussian_process() -> Call:
    """Likelihood of a Gaussian process at 12 points by Cholesky's factors: triangles of sums."""
    xs = [0.3 * k for k in range(12)]
    ys = [math.sin(x) for x in xs]

    def likelihood(p: Any) -> Any:
        n, length, noise = len(xs), p[0], p[1]
        low: Any = [[0.0] * n for _ in xs]
        for i in range(n):
            for j in range(i + 1):
                kernel = exp(-0.5 * ((xs[i] - xs[j]) / length) ** 2) + (noise if i == j else 0.0)
                rest = kernel - sum(low[i][k] * low[j][k] for k in range(j))
                low[i][j] = sqrt(rest) if i == j else rest / low[j][j]
        solved: list[Any] = []
        for i in range(n):
            solved.append((ys[i] - sum(low[i][k] * solved[k] for k in range(i))) / low[i][i])
        return -0.5 * sum(z * z for z in solved) - sum(log(low[i][i]) for i in range(n))

    return jit(value_and_grad(likelihood)), ([1.1, 0.3],)


@program
def kernel_of_all_pairs() -> Call:
    """Likelihood of a Gaussian process whose kernel is computed at all pairs; half are read."""
    rng = random.Random(3)
    xs = [rng.uniform(0.0, 5.0) for _ in range(16)]
    ys = [math.sin(x) for x in xs]

    def likelihood(p: Any) -> Any:
        length, size, noise = p
        rows = [
            [size * exp(-((a - b) ** 2) / (2 * length * length)) + (noise if a is b else 0.0)
             for b in xs]
            for a in xs
        ]  # fmt: skip
        low = cholesky(rows)
        solved = triangular_solve(low, ys)
        return 0.5 * dot(solved, solved) + 0.5 * logdet(low, factored=True)

    return jit(value_and_grad(likelihood)), ([1.1, 0.8, 0.3],)


@program
def cholesky_by_columns() -> Call:
    """Log-determinant of an 8 × 8 matrix, each of whose columns is computed from those before."""
    n = 8

    def logdet(a: Any) -> Any:
        low: list[list[Any]] = [[] for _ in range(n)]
        for j in range(n):
            rest = a[j][j]
            for k in range(j):
                rest = rest - low[j][k] * low[j][k]
            low[j].append(sqrt(rest))
            for i in range(j + 1, n):
                x = a[i][j]
                for k in range(j):
                    x = x - low[i][k] * low[j][k]
                low[i].append(x / low[j][j])
        return 2.0 * sum(log(row[-1]) for row in low)

    matrix = [[4.0 if i == j else 0.5 / (1 + abs(i - j)) for j in range(n)] for i in range(n)]
    return jit(value_and_grad(logdet)), (matrix,)


@program
def determinant() -> Call:
    """Product of determinant and inverse of a matrix by elimination, with its gradient."""
    n = 6

    def weighed(entries: Any) -> Any:
        a: Any = [[*row, *(float(i == j) for j in range(n))] for i, row in enumerate(entries)]
        product: Any = 1.0
        for k in range(n):
            product = product * a[k][k]
            a[k] = [x / a[k][k] for x in a[k]]
            for i in range(n):
                if i != k:
                    a[i] = [x - a[i][k] * y for x, y in zip(a[i], a[k], strict=True)]
        return product * sum(a[i][n + i] for i in range(n))

    matrix = [[x + 3.0 * (i == j) for j, x in enumerate(row)] for i, row in enumerate(table(n, n))]
    return jit(value_and_grad(weighed)), (matrix,)


@program
def orthonormal() -> Call:
    """Gram and Schmidt's orthonormal rows of a matrix, all of them results of a call."""

    def rows(matrix: Any) -> Any:
        found: list[list[Any]] = []
        for row in matrix:
            for other in found:
                along = dot(row, other)
                row = [x - along * y for x, y in zip(row, other, strict=True)]
            length = sqrt(dot(row, row))
            found.append([x / length for x in row])
        return found

    return jit(rows), (table(5, 8),)


@program
def products() -> Call:
    """Trace of a product of three matrices, by loops over rows and columns."""

    def times(a: Any, b: Any) -> Any:
        columns = [*zip(*b, strict=True)]
        return [[sum(x * y for x, y in zip(r, c, strict=True)) for c in columns] for r in a]

    def trace(a: Any, b: Any, c: Any) -> Any:
        found = times(times(a, b), c)
        return sum(found[i][i] for i in range(len(found)))

    given = table(9, 11, 1), table(11, 7, 2), table(7, 9, 3)
    return jit(value_and_grad(trace, argnums=(0, 1, 2))), given


@program
def page_rank() -> Call:
    """Ranks of 30 pages after 25 rounds: sums over the links of each, of different number."""
    rng = random.Random(2)
    links = [rng.sample(range(30), rng.randint(1, 9)) for _ in range(30)]

    def ranks(damping: Any) -> Any:
        rank: Any = [1.0 / 30] * 30
        for _ in range(25):
            rank = [
                (1.0 - damping) / 30 + damping * sum(rank[k] / len(links[k]) for k in found)
                for found in links
            ]
        return sum(k * x for k, x in enumerate(rank))

    return jit(value_and_grad(ranks)), (0.85,)


@program
def atoms() -> Call:
    """Energy of Lennard and Jones of 15 atoms and the forces on them: all pairs, a triangle."""

    def energy(at: Any) -> Any:
        total = 0.0
        for one, two in combinations(at, 2):
            squared = sum((a - b) ** 2 for a, b in zip(one, two, strict=True))
            sixth = 1.0 / (squared + 0.5) ** 3
            total = total + 4.0 * (sixth * sixth - sixth)
        return total

    return jit(value_and_grad(energy)), (table(15, 3),)


@program
def groups() -> Call:
    """Likelihood of groups of three to forty measurements, each with a mean of its own."""
    rng = random.Random(1)
    measured = [[rng.gauss(k, 1.0) for _ in range(3 + 5 * k)] for k in range(8)]

    def likelihood(p: Any) -> Any:
        centre, spread, *means = p
        total = -sum((m - centre) ** 2 for m in means) * exp(-spread) - len(means) * spread
        for m, group in zip(means, measured, strict=True):
            total = total - 0.5 * sum((x - m) ** 2 for x in group)
        return total

    return jit(value_and_grad(likelihood)), ([3.0, 0.5, *map(float, range(8))],)


@program
def survival() -> Call:
    """Cox's partial likelihood: at each death, a sum over all that still live."""
    rows = table(25, 2)
    dies = [k % 3 > 0 for k in range(25)]

    def likelihood(w: Any) -> Any:
        scores = [dot(w, row) for row in rows]
        return sum(s - logsumexp(scores[k:]) for k, s in enumerate(scores) if dies[k])

    return jit(value_and_grad(likelihood)), ([0.3, -0.2],)


@program
def games() -> Call:
    """Strengths of players by Bradley and Terry: a sum over games in no order."""
    rng = random.Random(5)
    played = [(rng.randrange(20), rng.randrange(20)) for _ in range(200)]

    def loss(s: Any) -> Any:
        lost = sum(softplus(s[b] - s[a]) for a, b in played if a != b)
        return lost + 0.1 * sum(x * x for x in s)

    return jit(value_and_grad(loss)), ([0.1 * k for k in range(20)],)


@program
def quantiles() -> Call:
    """Regression by quantiles and by Huber's loss: sums of pieces that comparisons choose."""
    rows = table(60, 2)

    def loss(p: Any) -> Any:
        total = 0.0
        for x, y in rows:
            r = y - p[0] * x - p[1]
            huber = where(abs(r) < 1.0, 0.5 * r * r, abs(r) - 0.5)
            total = total + where(r > 0.0, 0.8 * r, -0.2 * r) + huber
        return total

    return jit(value_and_grad(loss)), ([0.3, 0.1],)


@program
def residuals() -> Call:
    """Jacobian of 25 residuals of a decay, and the gradient of their squares."""
    times = [0.2 * k for k in range(25)]

    def errors(p: Any) -> Any:
        return [exp(-p[0] * t) * p[1] + p[2] * sigmoid(t - 2.0) - 1.0 / (1.0 + t) for t in times]

    def step(p: Any) -> Any:
        found, back = vjp(errors, p)
        return jacrev(errors)(p), back([2.0 * r for r in found])[0]

    return jit(step), ([0.3, 0.5, 0.7],)


@program
def smooth_curve() -> Call:
    """Second derivatives of a curve's energy: neighbours alone, so that most entries are 0."""

    def energy(ys: Any) -> Any:
        bends = [a - 2.0 * b + c for a, b, c in zip(ys, ys[1:], ys[2:], strict=False)]
        return sum(x * x for x in bends) + sum((a * b) ** 2 for a, b in pairwise(ys))

    return jit(hessian(energy)), ([0.1 * k * k for k in range(10)],)


@program
def kernel_density() -> Call:
    """Leave-one-out likelihood of a density at 25 points, by its width."""
    points = [row[0] for row in table(25, 1)]

    def likelihood(width: Any) -> Any:
        total = 0.0
        for i, x in enumerate(points):
            others = [-0.5 * ((x - y) / width) ** 2 for j, y in enumerate(points) if i != j]
            total = total + logsumexp(others) - log(width)
        return total / len(points)

    return jit(value_and_grad(likelihood)), (0.4,)


@program
def covariance() -> Call:
    """Covariances of the columns of an array, of which means are subtracted first."""
    rows = np.random.default_rng(3).normal(size=(260, 4))

    def matrix(rows: Any, power: Any) -> Any:
        columns = [[x * power for x in column] for column in zip(*rows, strict=True)]
        apart = [[x - mean(column) for x in column] for column in columns]
        return [[dot(a, b) / len(a) for b in apart] for a in apart]

    return jit(matrix), (rows, 1.5)
