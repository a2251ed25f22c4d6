"""Random programs with forward-mode derivatives, and Jacobians of random programs.

``python -m tests.compiler.random_tangents --from 0 --count 2000`` compares, for each seed,

- a Jacobian of a random function by `jacfwd` and by `jacrev`, compiled and eager, with one another
  and with central differences;
- a random program with `jvp`, `jacfwd` and second derivatives by it among its statements, compiled
  with what it is eagerly, as `random_programs` does.
"""

from __future__ import annotations

import math
import os
import random
import sys
import warnings
from contextlib import suppress
from typing import Any

import numpy as np
from tests.compiler.random_programs import UNARY, Drawing, Numbers, Step, compare
from tests.compiler.search import NOT_COMPARED, main

from scalargrad import JitWarning, TraceError, grad, jacfwd, jacobian, jacrev, jit, jvp, scan, vmap
from scalargrad.errors import ScalargradError

#: Relative tolerance between derivatives by two modes, and of central differences.
CLOSE, DIFFERENCES = 1e-8, 1e-4


class ForwardDrawing(Drawing):
    """Draws statements of which many are derivatives in forward mode."""

    def _statement(self, rng: random.Random, depth: int) -> Step:
        if not depth or rng.random() < 0.5:
            return super()._statement(rng, depth)
        kinds: list[Any] = [self._jacobian, self._jacobian, self._directional, self._second]
        kinds += [self._of_examples, self._for_examples, self._within_scan, self._of_scan]
        made: Step = rng.choice(kinds)(rng, depth)
        return made

    def _outputs(self, rng: random.Random, depth: int) -> Any:
        """Draw a function of some numbers with several results."""
        inner = self._inner if depth else self._smooth_one
        parts = [inner(rng, depth) for _ in range(rng.randint(1, 3))]
        same, shares = self._smooth(rng), rng.random() < 0.5

        def outputs(ys: Numbers, known: Numbers, source: random.Random) -> Numbers:
            found = [f([*ys, known[0]], source) for f in parts]
            first = ys[0] if shares else 0.5
            return [*found, same([first, ys[-1]], source), known[-1] * 2.0, ys[0]]

        return outputs

    def _smooth_one(self, rng: random.Random, _: int) -> Step:
        return self._smooth(rng)

    def _jacobian(self, rng: random.Random, depth: int) -> Step:
        f, count, take = self._outputs(rng, depth), rng.randint(1, 5), rng.random()
        kind, at = rng.choice([jacfwd, jacobian]), self._place(rng)

        def entries(known: Numbers, source: random.Random) -> Any:
            xs = [at(known), *[known[k % len(known)] for k in range(1, count)]]
            rows = kind(lambda ys: f(ys, known, source))(xs)
            if take < 0.3:
                return rows[0][-1]
            return sum(sum(0.1 * k * y for k, y in enumerate(row, 1)) for row in rows)

        return entries

    def _directional(self, rng: random.Random, depth: int) -> Step:
        f, x, t = self._outputs(rng, depth), self._place(rng), self._place(rng)
        is_still = rng.random() < 0.3

        def along(known: Numbers, source: random.Random) -> Any:
            tangents = [0.0 if is_still else t(known), 1.0]
            values, slopes = jvp(
                lambda ys: f(ys, known, source), ([x(known), known[0]],), (tangents,)
            )
            return values[0] * 0.5 + slopes[0] * slopes[-2] + slopes[-1]

        return along

    def _second(self, rng: random.Random, depth: int) -> Step:
        f, x, kind = self._smooth(rng), self._place(rng), rng.randrange(6)

        def second(known: Numbers, source: random.Random) -> Any:
            def of(ys: Any) -> Any:
                return f([ys[0], ys[1] * known[0]], source) * ys[1]

            def slope(y: Any) -> Any:
                return jvp(of, ([y, known[-1]],), ([known[0], y],))[1]

            xs = [x(known), known[-1]]
            if kind == 0:
                return jacfwd(jacfwd(of))(xs)[0][1]
            if kind == 1:
                return jacfwd(grad(of))(xs)[1][0]
            if kind == 2:
                return jacrev(jacfwd(of))(xs)[0][1]
            if kind == 3:
                return grad(slope)(x(known))
            if kind == 4:
                return jvp(slope, (x(known),), (known[0],))[1]
            return jvp(grad(slope), (x(known),), (1.0,))[1]

        return second

    def _of_examples(self, rng: random.Random, depth: int) -> Step:
        """Draw the derivatives of all examples of a vmap by numbers that they share."""
        f, count = self._smooth(rng), rng.choice([3, 12, 33])

        def derived(known: Numbers, source: random.Random) -> Any:
            def all_of(ys: Numbers) -> Numbers:
                each: Any = vmap(lambda x: f([ys[0] * x, ys[1] + x], source))
                return list(each([0.1 * k * known[k % len(known)] for k in range(count)]))

            rows = jacfwd(all_of)([known[0], known[-1]])
            return sum(a * b for a, b in rows)

        return derived

    def _for_examples(self, rng: random.Random, depth: int) -> Step:
        """Draw the Jacobian of each example."""
        f, count = self._outputs(rng, 0), rng.choice([3, 12])
        kind = rng.choice([jacfwd, jacobian])

        def derived(known: Numbers, source: random.Random) -> Any:
            xs = [[known[k % len(known)] * (0.1 * k), known[0], 0.3] for k in range(count)]
            rows = vmap(kind(lambda ys: f(ys, known, source)))(xs)
            return sum(row[0][0] + row[-1][0] * row[-3][-1] for row in rows)

        return derived

    def _within_scan(self, rng: random.Random, depth: int) -> Step:
        f, x, often = self._smooth(rng), self._place(rng), rng.choice([1, 4, 40])

        def scanned(known: Numbers, source: random.Random) -> Any:
            def step(carry: Any, y: Any) -> tuple[Any, Any]:
                value, slope = jvp(lambda z: f([z, y], source), (carry,), (1.0,))
                return 0.5 * value, slope

            carry, slopes = scan(step, x(known), known[:3] * often)
            return carry + sum(slopes)

        return scanned

    def _of_scan(self, rng: random.Random, depth: int) -> Step:
        f, x, often = self._smooth(rng), self._place(rng), rng.choice([1, 4, 40])

        def derived(known: Numbers, source: random.Random) -> Any:
            def path(ws: Numbers) -> Numbers:
                def step(carry: Any, y: Any) -> tuple[Any, Any]:
                    now = 0.5 * f([carry * ws[0], y], source) + ws[1] * ws[2]
                    return now, now

                return scan(step, x(known), known[:3] * often)[1]

            rows = jacfwd(path)([known[0], 0.3, known[-1]])
            return sum(a + 0.5 * b - c for a, b, c in rows)

        return derived


class AttachedDrawing(Drawing):
    """Draws no statement that detaches a number: differences would see what gradients do not."""

    def _unary(self, rng: random.Random, depth: int) -> Step:
        op, x = rng.choice([*UNARY[:12], *UNARY[14:]]), self._place(rng)
        return lambda known, source: op(x(known))

    def _still(self, rng: random.Random, depth: int) -> Step:
        return self._unary(rng, depth)

    def _gradients(self, rng: random.Random, depth: int) -> Step:
        return self._grad(rng, depth)


# Jacobians ----------------------------------------------------------------------------------------


def jacobians_differ(seed: int) -> str:
    """Return how Jacobians of a random function differ: '' if they agree."""
    rng = random.Random(seed)
    inputs, outputs = rng.randint(1, 6), rng.randint(1, 8)
    program = AttachedDrawing(rng, rng.choice([0, 0, 1])).program
    xs = [rng.uniform(-1.5, 1.5) for _ in range(inputs)]
    weights = [[rng.uniform(-1.0, 1.0) for _ in range(3)] for _ in range(outputs)]

    def f(xs: Numbers) -> Numbers:
        found = []
        for a, b, c in weights:
            y = program([a * xs[0] + b * xs[-1], c * xs[len(xs) // 2], b], random.Random(seed))
            found.append(y + a * xs[-1])
        return found

    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", JitWarning)
        try:
            expected = _numbers(jacrev(f)(xs))
            found = {
                "eager forward": jacfwd(f)(xs),
                "compiled reverse": jit(jacrev(f))(xs),
                "compiled forward": jit(jacfwd(f))(xs),
            }
            with suppress(TraceError):  # of a branch that depends on the example
                found["compiled examples"] = jit(vmap(jacfwd(f)))([xs, xs[::-1], xs])[2]
        except (TraceError, ArithmeticError, ScalargradError, ValueError):
            return NOT_COMPARED
        if not np.isfinite(expected).all():
            return NOT_COMPARED
        scale = np.abs(expected).max() + 1.0
        for name, rows in found.items():
            if not np.allclose(_numbers(rows), expected, CLOSE, 1e-12 * scale):
                return f"{name} {rows} for {expected.tolist()} at {xs}"
        for k in range(inputs):
            once, twice = (_difference(f, xs, k, h) for h in (1e-5, 2e-5))
            limits = DIFFERENCES * (np.abs(expected[:, k]) + 1e-3 * scale)
            is_smooth = np.abs(once - twice) < 0.1 * limits
            if (is_smooth & (np.abs(once - expected[:, k]) > limits)).any():
                return f"column {k}: {expected[:, k].tolist()} but differences {once.tolist()}"
    return ""


def _numbers(rows: Any) -> Any:
    """Return the numbers of a Jacobian, which are Values where the function reads Values."""
    return np.array([[getattr(y, "data", y) for y in row] for row in rows], float)


def _difference(f: Any, xs: Numbers, k: int, h: float) -> Any:
    """Return the central difference of all results with respect to one number."""
    above, below = ([*xs[:k], xs[k] + step, *xs[k + 1 :]] for step in (h, -h))
    try:
        return (np.array(f(above), float) - np.array(f(below), float)) / (2.0 * h)
    except (ArithmeticError, ScalargradError, ValueError):
        return np.full(len(f(xs)), math.nan)


def differs(seed: int) -> str:
    """Return what differs for a seed, of Jacobians and of a program."""
    return jacobians_differ(seed) or compare(seed, bool(seed % 2), drawing=ForwardDrawing)


if __name__ == "__main__":
    os.environ.setdefault("SCALARGRAD_JIT", "check")
    sys.exit(main(differs, "random_tangents"))
