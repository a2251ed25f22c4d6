"""Programs made of statements that a seed draws, for comparing ways to run them."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import scalargrad as sg
from scalargrad import (
    Value,
    drawn,
    grad,
    hessian,
    jacobian,
    jit,
    jvp,
    nn,
    scan,
    value_and_grad,
    vjp,
    vmap,
)
from scalargrad.errors import OperandError

Numbers = list[Any]
Step = Callable[[Numbers, random.Random], Any]

UNARY: list[Callable[[Any], Any]] = [
    lambda x: sg.sin(sg.tanh(x)), sg.tanh, sg.sigmoid, sg.relu, abs, lambda x: -x,
    lambda x: x * x, lambda x: 2.0 - x,
    lambda x: sg.exp(-abs(x)), lambda x: sg.log(1.0 + x * x), lambda x: sg.sqrt(abs(x) + 0.5),
    lambda x: x / (1.5 + sg.cos(sg.tanh(x))), lambda x: x**3,
    lambda x: x.detach() if isinstance(x, Value) else x,
    lambda x: 1.0 / x, sg.log, sg.sqrt,
]  # fmt: skip
BINARY: list[Callable[[Any, Any], Any]] = [
    lambda x, y: x + y, lambda x, y: x - y, lambda x, y: x * y, lambda x, y: x / y,
    sg.maximum, lambda x, y: sg.where(x > y, x, 0.5 * y), lambda x, y: sg.mean([x, y, x]),
    lambda x, y: sg.logsumexp([x, y]), lambda x, y: sg.take([x, y, 0.25], x > y),
    lambda x, y: x * y + x, lambda x, y: sum(sg.softmax([x, y, 1.0])[:2]) * x,
]  # fmt: skip


class Program:
    """A function of a list of numbers, made of statements drawn by a seed.

    Parameters
    ----------
    rng : random.Random
        What draws the statements.
    depth : int
        How deep derivatives and maps may be nested.
    """

    def __init__(self, rng: random.Random, depth: int = 2) -> None:
        self.weight = rng.uniform(-1.0, 1.0)  # closed over by each statement that multiplies by it
        self._models: list[nn.Module] = []
        self._within: list[Program] = []
        self.statements = [self._statement(rng, depth) for _ in range(rng.randint(2, 7))]

    def __call__(self, xs: Numbers, source: random.Random) -> Any:
        """Run the statements, each on the results of those before."""
        known = list(xs)
        for statement in self.statements:
            known.append(statement(known, source))
        return known[-1] + 0.5 * known[-2]

    def change(self) -> None:
        """Change the numbers that statements read around them."""
        self.weight = 0.5 - self.weight
        for model in self._models:
            for parameter in model.parameters():
                parameter.data *= -0.5
        for program in self._within:
            program.change()

    def _statement(self, rng: random.Random, depth: int) -> Step:
        kinds = [self._unary, self._binary, self._binary, self._branch, self._loop, self._closure]
        kinds += [self._delays, self._sorted, self._module, self._several]
        if depth:
            kinds += [self._grad, self._gradients, self._jvp, self._vjp, self._matrix]
            kinds += [self._grad_of_scan, self._grad_by_gradient, self._vmap, self._vmap_of_grad]
            kinds += [self._scan, self._scan_of_dict, self._jit, self._draw]
        chosen: Any = rng.choice(kinds)
        made: Step = chosen(rng, depth)
        return made

    def _place(self, rng: random.Random) -> Callable[[Numbers], Any]:
        k = rng.randrange(100)
        return lambda known: known[k % len(known)]

    def _unary(self, rng: random.Random, _: int) -> Step:
        op, x = rng.choice(UNARY), self._place(rng)
        return lambda known, source: op(x(known))

    def _binary(self, rng: random.Random, _: int) -> Step:
        op, x, y = rng.choice(BINARY), self._place(rng), self._place(rng)
        return lambda known, source: op(x(known), y(known))

    def _branch(self, rng: random.Random, depth: int) -> Step:
        x, limit = self._place(rng), rng.uniform(-1.0, 1.0)
        yes, no = self._statement(rng, depth - 1 if depth else 0), self._unary(rng, 0)
        return lambda known, source: (yes if x(known) > limit else no)(known, source)

    def _loop(self, rng: random.Random, _: int) -> Step:
        x, op, count = self._place(rng), rng.choice(BINARY), rng.randint(2, 5)

        def loop(known: Numbers, source: random.Random) -> Any:
            total = x(known)
            for k in range(count):
                total = op(total, known[k % len(known)]) * 0.5
            return total

        return loop

    def _closure(self, rng: random.Random, _: int) -> Step:
        x = self._place(rng)
        return lambda known, source: self.weight * x(known) + self.weight

    def _delays(self, rng: random.Random, _: int) -> Step:
        """Draw a recurrence that reads what it came to some steps before."""
        op, inner, back = rng.choice(BINARY), rng.choice(UNARY[:12]), rng.randint(1, 3)
        x, count = self._place(rng), rng.choice([8, 20])

        def delays(known: Numbers, source: random.Random) -> Any:
            cells = [x(known) * (0.1 * k) for k in range(back)]
            for k in range(count):
                cells.append(0.5 * op(inner(cells[-back]), cells[-1]) + known[k % len(known)])
            return cells[-1] + cells[count // 2]

        return delays

    def _sorted(self, rng: random.Random, _: int) -> Step:
        k = rng.randrange(3)

        def middle(known: Numbers, source: random.Random) -> Any:
            few = known[:3]
            return (sorted(few) if all(x == x for x in few) else few)[k % len(few)]

        return middle

    def _module(self, rng: random.Random, _: int) -> Step:
        model, x, y = nn.MLP(2, [3, 1], rng=rng), self._place(rng), self._place(rng)
        self._models.append(model)
        return lambda known, source: model([x(known), y(known)])

    def _several(self, rng: random.Random, _: int) -> Step:
        """Draw a sum over results that are computed alike."""
        op, x, count = rng.choice(UNARY[:12]), self._place(rng), rng.choice([5, 20, 40])
        total: Any = rng.choice([sum, sg.sum])

        def several(known: Numbers, source: random.Random) -> Any:
            rows = [op(x(known) * (0.1 * k) + known[k % len(known)]) for k in range(count)]
            return total([y * y for y in rows])

        return several

    def _inner(self, rng: random.Random, depth: int) -> Step:
        if rng.random() >= 0.4:
            return self._smooth(rng)
        self._within.append(Program(rng, depth - 1))
        return self._within[-1]

    def _smooth(self, rng: random.Random) -> Step:
        ops = [rng.choice(UNARY[:12]) for _ in range(2)]
        return lambda known, source: ops[0](ops[1](known[0]) * known[-1])

    def _grad(self, rng: random.Random, depth: int) -> Step:
        f, x, kind = self._inner(rng, depth), self._place(rng), rng.randrange(4)

        def derived(known: Numbers, source: random.Random) -> Any:
            def of_one(y: Any) -> Any:
                return f([y, *known], source)

            if kind == 0:
                value, slope = value_and_grad(of_one)(x(known))
                return value * 0.5 + slope
            if kind == 1:
                return grad(of_one)(x(known))
            if kind == 2:
                return grad(lambda a, b: f([a, b, *known], source), argnums=1)(known[0], x(known))
            slopes = grad(lambda ys: f(ys, source))(known[:3])
            return slopes[0] * slopes[1] + slopes[-1]

        return derived

    def _gradients(self, rng: random.Random, depth: int) -> Step:
        """Draw a derivative of what is made of a derivative, by its graph or without it."""
        f, x, twice = self._inner(rng, depth), self._place(rng), rng.random() < 0.5

        def derived(known: Numbers, source: random.Random) -> Any:
            def with_slope(z: Any) -> Any:
                leaf = z * 1.0 if twice else z
                y = f([leaf, *known], source)
                if not isinstance(y, Value):
                    return y * 0.5
                try:
                    (slope,) = sg.gradients(y, [leaf], create_graph=twice, allow_nonfinite=True)
                except OperandError:  # y is a number
                    return y * 0.5
                return y * 0.5 + slope * z

            return grad(with_slope)(x(known))

        return derived

    def _jvp(self, rng: random.Random, depth: int) -> Step:
        f, x, t = self._inner(rng, depth), self._place(rng), self._place(rng)

        def derived(known: Numbers, source: random.Random) -> Any:
            y, slope = jvp(lambda y: f([y, *known], source), (x(known),), (t(known),))
            return y * 0.5 + slope

        return derived

    def _vjp(self, rng: random.Random, depth: int) -> Step:
        f, x, t = self._inner(rng, depth), self._place(rng), self._place(rng)

        def derived(known: Numbers, source: random.Random) -> Any:
            y, pull = vjp(lambda y: f([y, *known], source), x(known))
            (slope,) = pull(t(known))
            return y * 0.5 + slope

        return derived

    def _matrix(self, rng: random.Random, depth: int) -> Step:
        """Draw an entry of a Hessian or of a Jacobian."""
        f, g = self._smooth(rng), self._inner(rng, depth)
        second, i, j = rng.random() < 0.5, rng.randrange(2), rng.randrange(2)

        def entry(known: Numbers, source: random.Random) -> Any:
            def results(ys: Numbers) -> Numbers:
                return [f(ys, source), g([*ys, *known], source)]

            xs = [known[0], known[-1]]
            if second:
                return hessian(lambda ys: f(ys, source))(xs)[i][j]
            return jacobian(results)(xs)[i][j]

        return entry

    def _grad_of_scan(self, rng: random.Random, _: int) -> Step:
        f, x, often = self._smooth(rng), self._place(rng), rng.choice([1, 4])

        def derived(known: Numbers, source: random.Random) -> Any:
            def loss(w: Any) -> Any:
                def step(carry: Any, y: Any) -> tuple[Any, Any]:
                    return 0.5 * f([carry, y * w], source), carry * w

                carry, ys = scan(step, known[-1], known[:3] * often)
                return carry + ys[-1] * ys[0]

            return grad(loss)(x(known))

        return derived

    def _grad_by_gradient(self, rng: random.Random, _: int) -> Step:
        """Draw a derivative by a number that is itself a derivative."""
        f, x, by_slope = self._smooth(rng), self._place(rng), rng.random() < 0.5

        def derived(known: Numbers, source: random.Random) -> Any:
            slope = grad(lambda y: f([y, known[0]], source))(x(known))
            at = slope if by_slope else x(known)
            return grad(lambda z: f([z * slope, known[-1]], source) * slope)(at) + slope

        return derived

    def _vmap(self, rng: random.Random, depth: int) -> Step:
        f = self._smooth(rng) if rng.random() < 0.7 else self._inner(rng, depth)
        return lambda known, source: sum(
            vmap(lambda y: f([y, *known], source))([*known[:3], 0.3, -0.4])
        )

    def _vmap_of_grad(self, rng: random.Random, depth: int) -> Step:
        """Draw values and slopes for several examples, with an argument that they share."""
        f, count = self._inner(rng, depth), rng.choice([3, 12, 33])

        def mapped(known: Numbers, source: random.Random) -> Any:
            xs = [known[k % len(known)] * (0.1 * k) for k in range(count)]
            slopes = vmap(grad(lambda y: f([y, known[-1]], source)))(xs)
            pairs = vmap(lambda y, z: (f([y, z], source), y * z), in_axes=(0, None))(xs, known[0])
            return sum(slopes) * slopes[1] + sum(y for y, _ in pairs) + pairs[-1][1] * pairs[0][0]

        return mapped

    def _scan(self, rng: random.Random, _: int) -> Step:
        f, x, often = self._smooth(rng), self._place(rng), rng.choice([1, 4])

        def scanned(known: Numbers, source: random.Random) -> Any:
            def step(carry: Any, y: Any) -> tuple[Any, Any]:
                return 0.5 * f([carry, y], source), carry

            carry, ys = scan(step, x(known), known[:3] * often)
            return carry + sum(ys)

        return scanned

    def _scan_of_dict(self, rng: random.Random, depth: int) -> Step:
        """Draw a scan whose carry, entries and results have several numbers each."""
        f, g = self._smooth(rng), self._inner(rng, depth)
        x, often = self._place(rng), rng.choice([1, 4])

        def scanned(known: Numbers, source: random.Random) -> Any:
            def step(carry: Any, entry: Any) -> tuple[Any, Any]:
                a, b = carry["a"], carry["b"]
                moved = {"a": 0.5 * f([a, b], source), "b": b * 0.3 + entry[0]}
                return moved, [g([a, entry[1], known[0]], source), b]

            entries = [(y, 0.5 * k) for k, y in enumerate(known[:3] * often)]
            carry, ys = scan(step, {"a": x(known), "b": known[-1]}, entries)
            return carry["a"] + sum(y[0] for y in ys) + ys[0][1] * ys[-1][0]

        return scanned

    def _jit(self, rng: random.Random, depth: int) -> Step:
        f = self._inner(rng, depth)
        return lambda known, source: jit(lambda ys: f(ys, source))([*known])  # as it is now

    def _draw(self, rng: random.Random, _: int) -> Step:
        x = self._place(rng)
        return lambda known, source: x(known) * drawn(source.uniform, 0.5, 1.5)
