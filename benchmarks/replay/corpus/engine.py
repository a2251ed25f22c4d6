"""Eager graphs of Values: first and higher derivatives, and errors."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any

import scalargrad as sg
from benchmarks.replay import Call, program
from scalargrad import Value, custom_op, grad, gradients, ops


@program
def readme_of_micrograd() -> Call:
    """Evaluate the expression of micrograd's README: value and both gradients."""

    def run(x: float, y: float) -> list[float]:
        a, b = Value(x), Value(y)
        c = a + b
        d = a * b + b**3
        c += c + 1
        c += 1 + c + (-a)
        d += d * 2 + (b + a).relu()
        d += 3 * d + (b - a).relu()
        e = c - d
        f = e**2
        g = f / 2.0
        g += 10.0 / f
        g.backward()
        return [g.data, a.grad, b.grad]

    return run, (-4.0, 2.0)


@program
def neuron_by_hand() -> Call:
    """Write the tanh of a neuron with exp, and take each node's own step backwards."""

    def run(x: list[float], w: list[float]) -> list[float]:
        leaves = [Value(v) for v in (*x, *w)]
        n: Any = (
            sum(a * b for a, b in zip(leaves[:2], leaves[2:], strict=True)) + 6.8813735870195432
        )
        e = (2 * n).exp()
        o = (e - 1) / (e + 1)
        order: list[Value] = []

        def visit(v: Value) -> None:
            if v not in order:
                for child in v._prev:
                    visit(child)
                order.append(v)

        visit(o)
        o.grad = 1.0
        for node in reversed(order):
            node._backward()
        return [o.data, *(v.grad for v in leaves)]

    return run, ([2.0, 0.0], [-3.0, 1.0])


@program
def letters_in_a_row() -> Call:
    """Train a model of names as microgpt's: softmax over scores, Adam by hand, five steps."""
    names = ["anna", "nana", "ana"]
    letters = sorted({*"".join(names)})
    rng = random.Random(42)
    start = [
        [rng.gauss(0.0, 0.3) for _ in range(len(letters) + 1)] for _ in range(len(letters) + 1)
    ]

    def run() -> list[float]:
        rows = [[Value(w) for w in row] for row in start]
        weights = [w for row in rows for w in row]
        momentum, variance, losses = [0.0] * len(weights), [0.0] * len(weights), []
        for step in range(1, 6):
            tokens = [len(letters), *map(letters.index, names[step % 3]), len(letters)]
            loss = Value(0.0)
            for token, following in itertools.pairwise(tokens):
                largest = max(v.data for v in rows[token])
                shares = [(v - largest).exp() for v in rows[token]]
                loss = loss - (shares[following] / sum(shares)).log()
            loss.backward()
            losses.append(loss.data)
            for i, w in enumerate(weights):
                momentum[i] = 0.85 * momentum[i] + 0.15 * w.grad
                variance[i] = 0.99 * variance[i] + 0.01 * w.grad**2
                unbiased = momentum[i] / (1 - 0.85**step), variance[i] / (1 - 0.99**step)
                w.data -= 0.02 * unbiased[0] / (unbiased[1] ** 0.5 + 1e-8)
                w.grad = 0
        return losses

    return run, ()


@program
def closure_of_microgpt() -> Call:
    """Assign _backward in a class of one's own, which would not be called: refused."""

    class Own(Value):
        def sine(self) -> Value:
            out = Own(math.sin(self.data))
            out._backward = lambda: None
            return out

    return lambda x: Own(x).sine(), (1.0,)


@program
def operation_of_ones_own() -> Call:
    """Declare an operation, and take its gradient and curvature."""

    @custom_op(partials=lambda y, a, b: (a / y, b / y))
    def distance(a: float, b: float) -> float:
        return math.sqrt(a * a + b * b)

    def run(p: list[float]) -> Any:
        return sg.value_and_grad(lambda p: distance(*p))(p), sg.hessian(lambda p: distance(*p))(p)

    return run, ([3.0, 4.0],)


def _springs(x: Any) -> Any:
    """Return the energy of masses in a row, between walls."""
    ends = [0.0, *x, 5.0]
    return ops.sum([(b - a - 1.0) ** 2 + 0.1 * (b - a) ** 4 for a, b in itertools.pairwise(ends)])


@program
def modes_of_springs() -> Call:
    """Force, stiffness and its product with a direction, at rest and near it."""

    def run(x: list[float], v: list[float]) -> Any:
        return grad(_springs)(x), sg.hessian(_springs)(x), sg.hvp(_springs, x, v)

    return run, ([1.2, 2.1, 3.4], [1.0, -0.5, 0.25])


@program
def orbit() -> Call:
    """Take a step of a planet, with its jvp and vjp, and its Jacobian by both."""

    def step(state: Any) -> Any:
        x, y, u, v = state
        cube = (x * x + y * y) ** 1.5
        u, v = u - 0.1 * x / cube, v - 0.1 * y / cube
        return [x + 0.1 * u, y + 0.1 * v, u, v]

    def run(state: list[float], moved: list[float]) -> Any:
        _, tangent = sg.jvp(step, (state,), (moved,))
        _, pull_back = sg.vjp(step, state)
        return tangent, pull_back(moved), sg.jacfwd(step)(state), sg.jacrev(step)(state)

    return run, ([1.0, 0.0, 0.0, 1.0], [0.1, -0.2, 0.3, 0.4])


@program
def high_orders() -> Call:
    """Take the first six derivatives of e^sin x."""

    def run(x: float) -> list[float]:
        found, f = [], lambda x: ops.exp(ops.sin(x))
        for _ in range(6):
            f = grad(f)
            found.append(f(x))
        return found

    return run, (0.7,)


@program
def penalty_on_a_gradient() -> Call:
    """Train on a gradient, which is a graph."""

    def run(data: list[float]) -> list[float]:
        w, b = Value(0.5), Value(-0.2)
        loss: Any = 0.0
        for d in data:
            x = Value(d)
            y = (w * x + b).tanh() * w
            slope = gradients(y, x, create_graph=True)
            loss = loss + (slope * slope - 1.0) ** 2 + y * y
        loss.backward()
        return [loss.data, w.grad, b.grad]

    return run, ([0.3, -1.2, 2.0, 0.0],)


@program
def outside_a_domain() -> Call:
    """Take the logarithm of a number that became negative."""
    return lambda x: ops.log(Value(x, "x") - 3.0), (2.0,)


@program
def guarded_domain() -> Call:
    """Take the logarithm where it is defined, by where, and by an exception handler."""

    def run(xs: list[float]) -> list[Any]:
        found: list[Any] = []
        for x in xs:
            guarded = sg.value_and_grad(
                lambda v: sg.where(v > 0, ops.log(sg.where(v > 0, v, 1)), v)
            )
            found.append(guarded(x))
            try:
                found.append(grad(lambda v: 1.0 / v)(x))
            except ZeroDivisionError:
                found.append("undefined")
        return found

    return run, ([-1.0, 0.0, 4.0],)


@program
def overflow() -> Call:
    """Differentiate a loss that overflowed: refused with the node where it began."""
    return grad(lambda x: ops.exp(1000.0 * x) * 2.0 + 1.0), (0.8,)


@program
def large_sum() -> Call:
    """Add up 3,000 numbers in two reductions and in a chain, and differentiate."""
    rng = random.Random(1)
    data = [rng.gauss(0.0, 1.0) for _ in range(3_000)]

    def run(w: float) -> list[float]:
        x = Value(w)
        chain: Any = 0.0
        for d in data:
            chain = chain + d * x
        together = sg.mean([(d * x - 1.0) ** 2 for d in data]) + sg.dot(data, [x] * len(data))
        (chain + together).backward()
        return [chain.data, together.data, x.grad]

    return run, (0.5,)


@program
def scores_far_apart() -> Call:
    """Softmax, its logarithms and logsumexp of scores from -700 to 700, with their slopes."""

    def run(scores: list[float]) -> Any:
        slopes = sg.jacobian(lambda s: sg.softmax(s) + sg.log_softmax(s))(scores)
        return (
            slopes,
            sg.value_and_grad(sg.logsumexp)(scores),
            grad(lambda s: sg.maximum(*s))(scores),
        )

    return run, ([-700.0, 2.0, 1.0, 0.1, 700.0, 2.0],)


@program
def formula() -> Call:
    """Read a formula as lectures write it; take its gradients by name."""

    def run(text: str, values: dict[str, float]) -> dict[str, float]:
        leaves = {name: Value(x, name) for name, x in values.items()}
        root = sg.parse(text, **leaves)
        root.backward()
        return {"value": root.data, **{name: x.grad for name, x in leaves.items()}}

    text = "s = w0*x0 + w1*x1 + w2; f = 1 / (1 + e^-s) + where(s > 0, s^2, -s)"
    return run, (text, {"w0": 2.0, "x0": -1.0, "w1": -3.0, "x1": -2.0, "w2": -3.0})


@program
def formula_with_a_slip() -> Call:
    """Leave out the sign of a product."""
    return lambda text: sg.parse(text, x=1.0), ("2x + 1",)
