"""Plain loops give compiled what they give eagerly: values, gradients, their derivatives, ties."""

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
def test_a_hessian_of_a_recurrence_is_that_of_its_closed_form(n: int) -> None:
    """The Hessian of p₁ · p₀ⁿ + p₂, and its product with a vector."""
    a, b, c = 0.99, -1.3, 0.1
    mixed, bend = n * a ** (n - 1), n * (n - 1) * a ** (n - 2) * b
    found = jit(hessian(power(n)))([a, b, c])
    assert plain(found) == pytest.approx([bend, mixed, 0, mixed, 0, 0, 0, 0, 0], rel=1e-12)
    product = jit(lambda p: hvp(power(n), p, [1.0, 0.5, 0.5])[1])([a, b, c])
    assert product == pytest.approx([bend + 0.5 * mixed, mixed, 0.0], rel=1e-12)


@pytest.mark.parametrize("step", [0, 5, 58])
def test_a_gradient_by_a_state_on_the_way_is_that_of_its_closed_form(step: int) -> None:
    """The state sₙ = a·sₙ₋₁ after 60 steps has the slope a⁵⁹⁻ᵏ in that after step k."""

    def slope(p: Any) -> Any:
        states = [p[0] * p[1]]
        for _ in range(59):
            states.append(p[0] * states[-1])
        return gradients(states[-1], [states[step]])

    found = jit(slope)([Value(1.03), Value(0.4)])
    assert found == pytest.approx([1.03 ** (59 - step)], rel=1e-13)


@pytest.mark.parametrize("every", [1, 3])
def test_many_results_of_a_loop_send_their_signals_back(every: int) -> None:
    """d/dp Σ k·pᵏ = Σ k²·pᵏ⁻¹, for 900 powers or each third of them."""

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


def test_a_derivative_that_is_always_0_stays_one() -> None:
    """The second derivative of what is straight is 0.0."""
    assert jit(hessian(lambda p: sum(p[0] * x for x in DATA)))([0.3]) == [[0.0]]


# Extrema: equal operands share the gradient evenly, as in PyTorch ---------------------------------

STEPS = 70
EXTREMA = [sg.maximum, sg.minimum]


def repeated(step: Callable[[Any, Any], Any]) -> Function:
    """Return a function of some numbers that makes many steps from 1."""

    def f(p: Any) -> Any:
        s: Any = 1.0
        for _ in range(STEPS):
            s = step(s, p)
        return s

    return f


def left(share: float) -> float:
    """Return what is left of a signal after each step that passes a share on, added up."""
    return math.fsum(share**k for k in range(1, STEPS + 1))


#: Steps whose operands are all 1 where both numbers are, and the slopes there.
TIED: dict[str, tuple[Callable[[Any, Any, Any], Any], list[float]]] = {
    "nodes": (lambda op, s, p: op(p[0] * s, p[1] * s), [STEPS / 2, STEPS / 2]),
    "constant": (lambda op, s, p: op(p[0] * s, 1.0), [left(1 / 2), 0.0]),
    "constant first": (lambda op, s, p: op(1.0, p[0] * s), [left(1 / 2), 0.0]),
    "input": (lambda op, s, p: op(p[0] * s, p[1]), [left(1 / 2), left(1 / 2)]),
    "three": (lambda op, s, p: op(p[0] * s, 1.0, p[1]), [left(1 / 3), left(1 / 3)]),
    "both": (lambda op, s, p: sg.minimum(sg.maximum(p[0] * s, 1.0), p[1]), [left(1 / 4), 2 / 3]),
}


@pytest.mark.parametrize("op", EXTREMA)
@pytest.mark.parametrize("name", TIED)
def test_equal_operands_share_the_gradient_in_each_iteration(name: str, op: Any) -> None:
    """The slopes are those of a closed form."""
    step, slopes = TIED[name]
    f = repeated(partial(step, op))
    assert jit(value_and_grad(f))([1.0, 1.0]) == (1.0, pytest.approx(slopes, rel=1e-14))


def test_operands_of_logsumexp_share_by_their_softmax() -> None:
    """A hidden chain whose states are alike: each step adds log Σ e^pᵢ."""
    p = [0.1 * k for k in range(9)]
    total = math.fsum(map(math.exp, p))
    f = repeated(lambda s, p: sg.logsumexp([s + x for x in p]))
    value, slopes = jit(value_and_grad(f))(p)
    assert value == pytest.approx(1.0 + STEPS * math.log(total), rel=1e-13)
    assert slopes == pytest.approx([STEPS * math.exp(x) / total for x in p], rel=1e-12)
    curvature = jit(grad(lambda p: grad(f)(p)[0]))(p)[:2]
    first, second = (math.exp(x) / total for x in p[:2])
    expected = [STEPS * first * (1.0 - first), -STEPS * first * second]
    assert curvature == pytest.approx(expected, rel=1e-10)


def test_ties_in_a_scan_and_under_vmap() -> None:
    """A bound reached in each step halves the signal each time, where an example reaches it."""
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
    """A recurrence of random statements over few numbers, exact, so that many are equal."""

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
        """Return the sum of what it carries in the end, and of what it met."""
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


def ours(which: str, *operands: Any) -> Any:
    """Return the smallest or the largest operand."""
    return (sg.minimum if which == "<" else sg.maximum)(*operands)


@pytest.mark.wide
@pytest.mark.parametrize("seed", range(12))
def test_random_recurrences_with_ties_have_pytorchs_derivatives(seed: int) -> None:
    """PyTorch splits ties evenly as well; value, gradient and Hessian."""
    torch = pytest.importorskip("torch", reason="the convention is PyTorch's: it is the oracle")

    def theirs(which: str, *operands: Any) -> Any:
        given = [torch.as_tensor(x, dtype=torch.float64) for x in operands]
        if len(given) == 2:
            return (torch.minimum if which == "<" else torch.maximum)(*given)
        return (torch.amin if which == "<" else torch.amax)(torch.stack(given))

    f = Recurrence(seed)
    point = torch.tensor(f.p, dtype=torch.float64, requires_grad=True)
    y = f(point, theirs)
    (slopes,) = torch.autograd.grad(y, point, create_graph=True)
    rows = [
        torch.autograd.grad(x, point, retain_graph=True)[0] if x.requires_grad else 0.0 * point
        for x in slopes
    ]
    compiled = jit(value_and_grad(partial(f, extremum=ours)))
    assert close(compiled(f.p), [y.item(), slopes.tolist()])
    assert close(jit(hessian(partial(f, extremum=ours)))(f.p), [row.tolist() for row in rows])


def test_a_loop_stays_one_where_what_follows_its_gradient_is_irregular() -> None:
    """Of 600 turns, whose gradient goes on into thirty operations in no order."""

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
