"""Python loops in jit: results, gradients, second derivatives and ties, against closed forms."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from tests.compiler.loops import close, draws, plain

import scalargrad as sg
from scalargrad import Value, grad, gradients, hessian, hvp, jit, scan, value_and_grad, vmap

Function = Callable[[Any], Any]

DATA = draws(101)


def power(steps: int) -> Function:
    """Return p₁ · p₀ⁿ + p₂, computed by a loop of n steps."""

    def f(p: Any) -> Any:
        state = p[1]
        for _ in range(steps):
            state = p[0] * state
        return state + p[2]

    return f


@pytest.mark.parametrize("n", [60, 240])
def test_hessian_of_a_jitted_recurrence_matches_its_closed_form(n: int) -> None:
    """Of p₁ · p₀ⁿ + p₂; hvp is its product with a vector."""
    a, b, c = 0.99, -1.3, 0.1
    mixed, bend = n * a ** (n - 1), n * (n - 1) * a ** (n - 2) * b
    found = jit(hessian(power(n)))([a, b, c])
    assert plain(found) == pytest.approx([bend, mixed, 0, mixed, 0, 0, 0, 0, 0], rel=1e-12)
    product = jit(lambda p: hvp(power(n), p, [1.0, 0.5, 0.5])[1])([a, b, c])
    assert product == pytest.approx([bend + 0.5 * mixed, mixed, 0.0], rel=1e-12)


@pytest.mark.parametrize("step", [0, 5, 58])
def test_gradients_with_respect_to_an_intermediate_state_in_jit(step: int) -> None:
    """For sₙ = a·sₙ₋₁ the derivative of s₆₀ with respect to the state after step k is a⁵⁹⁻ᵏ."""

    def slope(p: Any) -> Any:
        states = [p[0] * p[1]]
        for _ in range(59):
            states.append(p[0] * states[-1])
        return gradients(states[-1], [states[step]])

    found = jit(slope)([Value(1.03), Value(0.4)])
    assert found == pytest.approx([1.03 ** (59 - step)], rel=1e-13)


@pytest.mark.parametrize("every", [1, 3])
def test_backward_of_many_results_of_a_jitted_loop(every: int) -> None:
    """d/dp Σ k·pᵏ = Σ k²·pᵏ⁻¹, for 900 powers or every third of them."""

    @jit
    def all_powers(p: Any) -> list[Any]:
        found = [1.0 * p]
        for _ in range(899):
            found.append(found[-1] * p)
        return found[::every]

    p = Value(0.99)
    degrees = range(1, 901)[::every]
    sum(k * x for k, x in zip(degrees, all_powers(p), strict=True)).backward()
    assert p.grad == pytest.approx(sum(k**2 * 0.99 ** (k - 1) for k in degrees), rel=1e-12)


def test_jitted_hessian_of_a_linear_function_is_zero() -> None:
    """The second derivative is 0.0, not a small number."""
    assert jit(hessian(lambda p: sum(p[0] * x for x in DATA)))([0.3]) == [[0.0]]


# Extrema: equal operands share the gradient evenly, as in PyTorch ---------------------------------

STEPS = 70
EXTREMA = [sg.maximum, sg.minimum]


def repeat_step(step: Callable[[Any, Any], Any]) -> Function:
    """Return a function of some numbers that applies a step 70 times, starting from 1."""

    def f(p: Any) -> Any:
        s: Any = 1.0
        for _ in range(STEPS):
            s = step(s, p)
        return s

    return f


def series(share: float) -> float:
    """Return Σ shareᵏ over the steps: the gradient if each step passes on this share."""
    return math.fsum(share**k for k in range(1, STEPS + 1))


#: Steps whose operands are all 1 if both numbers are 1, and the derivatives at this point.
TIED: dict[str, tuple[Callable[[Any, Any, Any], Any], list[float]]] = {
    "nodes": (lambda op, s, p: op(p[0] * s, p[1] * s), [STEPS / 2, STEPS / 2]),
    "constant": (lambda op, s, p: op(p[0] * s, 1.0), [series(1 / 2), 0.0]),
    "constant first": (lambda op, s, p: op(1.0, p[0] * s), [series(1 / 2), 0.0]),
    "input": (lambda op, s, p: op(p[0] * s, p[1]), [series(1 / 2), series(1 / 2)]),
    "three": (
        lambda op, s, p: op(p[0] * s, 1.0, p[1]),
        [series(1 / 3), series(1 / 3)],
    ),
    "both": (
        lambda op, s, p: sg.minimum(sg.maximum(p[0] * s, 1.0), p[1]),
        [series(1 / 4), 2 / 3],
    ),
}


@pytest.mark.parametrize("op", EXTREMA)
@pytest.mark.parametrize("name", TIED)
def test_extrema_divide_the_gradient_of_ties_in_jitted_loops(name: str, op: Any) -> None:
    """Evenly in each iteration, as in a closed form."""
    step, slopes = TIED[name]
    f = repeat_step(partial(step, op))
    assert jit(value_and_grad(f))([1.0, 1.0]) == (1.0, pytest.approx(slopes, rel=1e-14))


def test_logsumexp_in_a_jitted_loop_has_softmax_gradients() -> None:
    """A hidden Markov chain whose states are equal: each step adds log Σ e^pᵢ."""
    p = [0.1 * k for k in range(9)]
    total = math.fsum(map(math.exp, p))
    f = repeat_step(lambda s, p: sg.logsumexp([s + x for x in p]))
    value, slopes = jit(value_and_grad(f))(p)
    assert value == pytest.approx(1.0 + STEPS * math.log(total), rel=1e-13)
    assert slopes == pytest.approx([STEPS * math.exp(x) / total for x in p], rel=1e-12)
    curvature = jit(grad(lambda p: grad(f)(p)[0]))(p)[:2]
    first, second = (math.exp(x) / total for x in p[:2])
    expected = [STEPS * first * (1.0 - first), -STEPS * first * second]
    assert curvature == pytest.approx(expected, rel=1e-10)


def test_maximum_divides_the_gradient_of_ties_in_scan_and_vmap() -> None:
    """At x = 1 each of 40 steps is a tie and halves the adjoint."""
    step = jit(lambda s, x: (sg.maximum(x * s, 1.0), None))

    def last(x: Any) -> Any:
        return scan(lambda s, _: step(s, x), 1.0, length=40)[0]

    halved = math.fsum(0.5**k for k in range(1, 41))
    slopes = [0.0, halved, 40 * 2.0**39]
    assert [jit(grad(last))(x) for x in (0.5, 1.0, 2.0)] == slopes
    assert jit(vmap(grad(last)))([0.5, 1.0, 2.0]) == slopes
    assert jit(grad(lambda xs: sg.sum(vmap(last)(xs))))([0.5, 1.0, 2.0]) == slopes


FEWER_EXAMPLES = [-1.0, -0.5, 0.0, 0.5, 1.0, 2.0]


class Recurrence:
    """A random recurrence over few exact numbers, so that many operands are equal."""

    def __init__(self, seed: int) -> None:
        generator = random.Random(seed)
        self.p = generator.choices(FEWER_EXAMPLES, k=generator.randint(1, 3))
        self.start = generator.choices(FEWER_EXAMPLES, k=generator.randint(1, 3))
        self.data = generator.choices(FEWER_EXAMPLES, k=generator.choice([12, 41, 90]))
        known = len(self.p) + len(self.start) + 1
        self.statements = [
            (
                generator.randrange(6),
                generator.choice("<>"),
                generator.choice(FEWER_EXAMPLES),
                [generator.randrange(known + k) for _ in range(3)],
            )
            for k in range(generator.randint(2, 6))
        ]
        self.ends = [known + generator.randrange(len(self.statements)) for _ in self.start]

    def __call__(self, p: Any, extremum: Callable[..., Any]) -> Any:
        """Return the sum of the last states, and of products of states in each iteration."""
        carried: list[Any] = [*self.start]
        total: Any = 0.0 * p[0]
        for x in self.data:
            known = [*p, *carried, x]
            for kind, which, c, places in self.statements:
                a, b, d = (known[k] for k in places)
                operands = [(a, b), (a, c), (c, a), (a, b, d), (a * c - b,), (a * b, b * a)][kind]
                made = extremum(which, *operands) if len(operands) > 1 else operands[0]
                known.append(extremum("<", extremum(">", made, -2.0), 2.0))
            carried = [known[k] for k in self.ends]
            total = total + carried[0] * carried[-1]
        return sum(carried, total)


def extremum(which: str, *operands: Any) -> Any:
    """Return the smallest or the largest operand."""
    return (sg.minimum if which == "<" else sg.maximum)(*operands)


@pytest.mark.wide
@pytest.mark.parametrize("seed", range(12))
def test_jit_of_random_recurrences_with_ties_matches_pytorch(seed: int) -> None:
    """PyTorch divides gradients of ties evenly as well; value, gradient and Hessian."""
    torch = pytest.importorskip("torch", reason="the convention is PyTorch's: it is the oracle")

    def torch_extremum(which: str, *operands: Any) -> Any:
        tensors = [torch.as_tensor(x, dtype=torch.float64) for x in operands]
        if len(tensors) == 2:
            return (torch.minimum if which == "<" else torch.maximum)(*tensors)
        return (torch.amin if which == "<" else torch.amax)(torch.stack(tensors))

    f = Recurrence(seed)
    point = torch.tensor(f.p, dtype=torch.float64, requires_grad=True)
    y = f(point, torch_extremum)
    (slopes,) = torch.autograd.grad(y, point, create_graph=True)
    rows = [
        torch.autograd.grad(x, point, retain_graph=True)[0] if x.requires_grad else 0.0 * point
        for x in slopes
    ]
    compiled = jit(value_and_grad(partial(f, extremum=extremum)))
    assert close(compiled(f.p), [y.item(), slopes.tolist()])
    assert close(jit(hessian(partial(f, extremum=extremum)))(f.p), [row.tolist() for row in rows])


def test_jit_keeps_a_loop_whose_gradient_feeds_irregular_code() -> None:
    """600 iterations, whose gradient is the input of thirty different operations."""

    def last(x: Any) -> Any:
        y = x
        for k in range(600):
            y = sg.sin(y) * 0.9 + 0.01 * k * x
        return y

    choices: list[Any] = [
        lambda a, b: a * b,
        lambda a, b: sg.exp(-a * a) + b,
        lambda a, b: a / (1.0 + b * b),
        lambda a, b: sg.sin(a) - b,
    ]
    order = random.Random(0).choices(choices, k=30)

    def f(x: Any) -> Any:
        a, b = grad(last)(x), x
        for choice in order:
            a, b = choice(a, b), a
        return a + b

    compiled: Any = jit(f)
    assert compiled(0.3) == pytest.approx(f(0.3), rel=1e-12)
    assert len(str(compiled.explain(0.3)).splitlines()) < 600
