"""Extrema in loops: equal operands share the gradient evenly, as in PyTorch."""

from __future__ import annotations

import itertools
import math
import pickle
import random
from collections.abc import Callable
from functools import partial, reduce
from typing import Any

import pytest
from tests.compiler.looped.reference import outputs
from tests.seeds import seeds

import scalargrad as sg
from scalargrad import Value, grad, hessian, hvp, jit, scan, value_and_grad, vmap
from scalargrad.compiler.loops.loop import Looped
from scalargrad.compiler.loops.looped import looped
from scalargrad.compiler.passes.expressions import fixed_arity
from scalargrad.compiler.passes.program import Program
from scalargrad.compiler.runner import LoopRunner
from scalargrad.compiler.trace.record import record

pytestmark = pytest.mark.usefixtures("small_loops")

Function = Callable[[Any], Any]

#: How often a step is repeated.
STEPS = 40
EXTREMA = [sg.maximum, sg.minimum]


def repeated(step: Callable[[Any, Any], Any]) -> Function:
    """Return a function of some numbers that makes many steps from 1."""

    def f(p: Any) -> Any:
        s: Any = 1.0
        for _ in range(STEPS):
            s = step(s, p)
        return s

    return f


def powers(share: float) -> float:
    """Return the sum of the powers of a share: what is left of a signal after each step."""
    return math.fsum(share**k for k in range(1, STEPS + 1))


def twice(op: Any, x: Any, *others: Any) -> Any:
    """Return an extremum of a number, of others, and of that number again."""
    return op(x, *others, x)


#: Steps whose operands are all 1 where both numbers are, and the slopes there.
TIED: dict[str, tuple[Callable[[Any, Any, Any], Any], list[float]]] = {
    "nodes": (lambda op, s, p: op(p[0] * s, p[1] * s), [STEPS / 2, STEPS / 2]),
    "constant": (lambda op, s, p: op(p[0] * s, 1.0), [powers(1 / 2), 0.0]),
    "constant first": (lambda op, s, p: op(1.0, p[0] * s), [powers(1 / 2), 0.0]),
    "input": (lambda op, s, p: op(p[0] * s, p[1]), [powers(1 / 2), powers(1 / 2)]),
    "itself": (lambda op, s, p: twice(op, p[0] * s), [STEPS, 0.0]),
    "three": (lambda op, s, p: op(p[0] * s, 1.0, p[1]), [powers(1 / 3), powers(1 / 3)]),
    "itself twice": (
        lambda op, s, p: twice(op, p[0] * s, p[1]),
        [powers(2 / 3), powers(2 / 3) / 2],
    ),
    "both": (lambda op, s, p: sg.minimum(sg.maximum(p[0] * s, 1.0), p[1]), [powers(1 / 4), 2 / 3]),
}


def program_of(f: Function, p: list[float]) -> Program:
    """Return what is recorded of a function and its gradient."""
    leaves = [Value(x) for x in p]
    return record(lambda: value_and_grad(f)(leaves), leaves)[0].program


@pytest.mark.parametrize("op", EXTREMA)
@pytest.mark.parametrize("name", TIED)
def test_equal_operands_share_the_gradient_in_each_iteration(name: str, op: Any) -> None:
    """Loops, carried out step by step, have the slopes of a closed form."""
    step, slopes = TIED[name]
    f = repeated(partial(step, op))
    found = looped(program_of(f, [1.0, 1.0]))
    assert isinstance(found, Looped)
    value, *gradient = outputs(found, [1.0, 1.0])
    assert value == 1.0
    assert [*gradient, 0.0][:2] == pytest.approx(slopes, rel=1e-14)
    assert jit(grad(f))([1.0, 1.0]) == pytest.approx(slopes, rel=1e-14)


@pytest.mark.parametrize("count", [1, 2, 9, 32, 33])
def test_many_operands_are_kept_in_loops_with_gradients(count: int) -> None:
    """One of many equal operands gets its share, in a loop or packed; values alone are loops."""
    f = repeated(lambda s, p: sg.maximum(*[1.0] * (count - 1), p[0] * s))
    leaves = [Value(1.0)]
    assert isinstance(looped(program_of(f, [1.0])), Looped) == (count <= 32)
    assert isinstance(looped(record(lambda: f(leaves), leaves)[0].program), Looped)
    assert jit(value_and_grad(f))([1.0]) == (1.0, pytest.approx([powers(1 / count)], rel=1e-14))


@pytest.mark.parametrize("count", [2, 9, 33])
def test_logsumexp_in_a_recurrence_is_a_loop(count: int) -> None:
    """A hidden chain whose states are alike: each step adds log Σ e^pᵢ, with their softmax."""

    def f(p: Any) -> Any:
        s: Any = 0.0
        for _ in range(STEPS):
            s = sg.logsumexp([s + x for x in p])
        return s

    p = [0.1 * k for k in range(count)]
    total = math.fsum(map(math.exp, p))
    assert isinstance(looped(program_of(f, p)), Looped)
    value, slopes = jit(value_and_grad(f))(p)
    assert value == pytest.approx(STEPS * math.log(total), rel=1e-13)
    assert slopes == pytest.approx([STEPS * math.exp(x) / total for x in p], rel=1e-12)
    curvature = jit(grad(lambda p: grad(f)(p)[0]))(p)[:2]
    first, second = (math.exp(x) / total for x in p[:2])
    expected = [STEPS * first * (1.0 - first), -STEPS * first * second]
    assert curvature == pytest.approx(expected, rel=1e-12)


def test_the_largest_score_of_a_softmax_takes_no_gradient() -> None:
    """Of nine equal scores, each loss of the first has the slope 1/9 - 1; it is a loop."""

    def f(p: Any) -> Any:
        s, total = 1.0, 0.0
        for _ in range(STEPS):
            s = p[1] * s
            total = total - sg.log(sg.softmax([p[0] * s, *[0.0] * 8])[0])
        return total

    assert isinstance(looped(program_of(f, [0.0, 1.0])), Looped)
    value, slopes = jit(value_and_grad(f))([0.0, 1.0])
    assert value == pytest.approx(STEPS * math.log(9.0))
    assert slopes == pytest.approx([-STEPS * 8 / 9, 0.0])


def test_a_volatility_held_above_a_bound_is_a_loop() -> None:
    """So is a GARCH likelihood of usual length, at the usual thresholds, with its gradient."""
    pytest.importorskip("llvmlite")
    draws = random.Random(1)
    returns = [draws.gauss(0.0, 1.0) for _ in range(2_000)]

    def garch(p: Any, largest: Any = sg.maximum) -> Any:
        s, total = 1.0, 0.0
        for r in returns:
            s = largest(p[0] + p[1] * (r * r) + p[2] * s, 1e-6)
            total = total + sg.log(s) + r * r / s
        return 0.5 * total

    compiled = jit(value_and_grad(garch))
    p = [0.1, 0.1, 0.8]
    value, slopes = compiled(p)
    (path,) = compiled.paths(p)
    assert isinstance(path.function.values, LoopRunner)
    expected, expected_slopes = value_and_grad(partial(garch, largest=max))(p)
    assert value == pytest.approx(expected, rel=1e-13)
    assert slopes == pytest.approx(expected_slopes, rel=1e-12)
    again = pickle.loads(pickle.dumps(path.function))
    assert again.values(p) == path.function.values(p)


@pytest.mark.parametrize("op", EXTREMA)
def test_second_derivatives_share_as_well(op: Any) -> None:
    """Where s·a and s·b are equal, the derivatives are those of ((a + b) / 2)ⁿ."""
    f = repeated(lambda s, p: op(p[0] * s, p[1] * s))
    n = float(STEPS)
    expected = [[n * (n - 1.0) / 4.0] * 2] * 2
    assert hessian(f)([1.0, 1.0]) == expected
    assert jit(hessian(f))([1.0, 1.0]) == expected
    assert jit(lambda p: hvp(f, p, [1.0, 0.0])[1])([1.0, 1.0]) == expected[0]
    leaves = [Value(1.0), Value(1.0)]
    assert isinstance(looped(record(lambda: hessian(f)(leaves), leaves)[0].program), Looped)


def test_ties_in_a_scan_and_under_vmap() -> None:
    """A bound reached in each step halves the signal each time, where an example reaches it."""
    step = jit(lambda s, x: (sg.maximum(x * s, 1.0), None))

    def last(x: Any) -> Any:
        return scan(lambda s, _: step(s, x), 1.0, length=STEPS)[0]

    slopes = [0.0, powers(1 / 2), STEPS * 2.0 ** (STEPS - 1)]
    assert [jit(grad(last))(x) for x in (0.5, 1.0, 2.0)] == slopes
    assert jit(vmap(grad(last)))([0.5, 1.0, 2.0]) == slopes
    assert jit(grad(lambda xs: sg.sum(vmap(last)(xs))))([0.5, 1.0, 2.0]) == slopes


SPECIAL = [-1.0, -0.0, 0.0, 0.5, 1.0, math.inf, -math.inf, math.nan]


def swinging(op: Any, kind: str, number: float) -> Callable[..., Any]:
    """Return a function of one or two Values that swings between two extrema."""

    def f(*given: Any) -> Any:
        a, b = {"nodes": given, "constant": (*given, number), "first": (number, *given)}[kind]
        for k in range(STEPS):
            a, b = op(a, b), (a if k % 2 else op(b, a))
        return op(a, b)

    return f


@pytest.mark.parametrize("op", EXTREMA)
@pytest.mark.parametrize("kind", ["nodes", "constant", "first"])
def test_special_points_are_what_they_are_eagerly(op: Any, kind: str) -> None:
    """Both zeros, infinities and nan in either operand: the same value and slopes, to the bit."""
    for y in SPECIAL:
        f = swinging(op, kind, y)
        compiled = jit(f)
        for x in SPECIAL:
            point = [x, y] if kind == "nodes" else [x]
            assert repr(by_values(compiled, point)) == repr(by_values(f, point)), (x, y)


def by_values(f: Callable[..., Any], point: list[float]) -> list[float]:
    """Return the value and slopes of a function of Values."""
    leaves = [Value(x) for x in point]
    y = f(*leaves)
    y.backward(allow_nonfinite=True)
    return [y.data, *(x.grad for x in leaves)]


def test_an_extremum_of_fixed_arity_is_the_one_of_the_table() -> None:
    """It has the value and the partials of the reduction, and is one object, in pickles as well."""
    for op, count in itertools.product(EXTREMA, (1, 2, 3)):
        fixed = fixed_arity(op, count)
        assert pickle.loads(pickle.dumps(fixed)) is fixed
        for point in itertools.product([-1.0, 0.5, math.nan], repeat=count):
            assert repr(fixed.of_floats(*point)) == repr(op.of_floats(*point))


# Random recurrences -------------------------------------------------------------------------------

FEW = [-1.0, -0.5, 0.0, 0.5, 1.0, 2.0]


class Recurrence:
    """A recurrence of random statements over few numbers, exact, so that many are equal."""

    def __init__(self, seed: int) -> None:
        draws = random.Random(seed)
        self.p = [draws.choice(FEW) for _ in range(draws.randint(1, 3))]
        self.start = [draws.choice(FEW) for _ in range(draws.randint(1, 3))]
        self.data = [draws.choice(FEW) for _ in range(draws.choice([12, 25, 41]))]
        known = len(self.p) + len(self.start) + 1
        self.statements = [
            (
                draws.randrange(6),
                draws.choice("<>"),
                draws.choice(FEW),
                self._some(draws, known + k),
            )
            for k in range(draws.randint(2, 6))
        ]
        ends = range(known, known + len(self.statements))
        self.ends = [draws.choice(ends) for _ in self.start]

    @staticmethod
    def _some(draws: random.Random, known: int) -> list[int]:
        return [draws.randrange(known) for _ in range(3)]

    def __call__(self, p: Any, extremum: Callable[..., Any]) -> Any:
        """Return the sum of what it carries in the end, and of what it met."""
        carried: list[Any] = [*self.start]
        total: Any = 0.0 * p[0]
        for x in self.data:
            known = [*p, *carried, x]
            for kind, which, c, places in self.statements:
                a, b, d = (known[k] for k in places)
                made = [
                    lambda a, b, d, c, e: e(a, b),
                    lambda a, b, d, c, e: e(a, c),
                    lambda a, b, d, c, e: e(c, a),
                    lambda a, b, d, c, e: e(a, b, d),
                    lambda a, b, d, c, e: a * c - b,
                    lambda a, b, d, c, e: e(a * b, b * a),
                ][kind](a, b, d, c, partial(extremum, which))
                known.append(extremum("<", extremum(">", made, -2.0), 2.0))
            carried = [known[k] for k in self.ends]
            total = total + carried[0] * carried[-1]
        return reduce(lambda x, y: x + y, carried, total)


def ours(which: str, *operands: Any) -> Any:
    """Return the smallest or the largest operand."""
    return (sg.minimum if which == "<" else sg.maximum)(*operands)


@pytest.mark.alike
@pytest.mark.parametrize("seed", seeds(200, light=30))
def test_random_recurrences_with_ties_have_pytorchs_derivatives(seed: int) -> None:
    """Value, gradient and Hessian, of which PyTorch splits ties evenly as well."""
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
    value, gradient = jit(value_and_grad(partial(f, extremum=ours)))(f.p)
    assert [value, *gradient] == pytest.approx([y.item(), *slopes.tolist()], rel=1e-11, abs=1e-11)
    curvature = jit(hessian(partial(f, extremum=ours)))(f.p)
    for found, row in zip(curvature, rows, strict=True):
        assert found == pytest.approx(row.tolist(), rel=1e-11, abs=1e-11)


def test_most_of_these_recurrences_are_loops() -> None:
    """Of the first 30, no fewer than 20, with value and gradient."""
    made = [Recurrence(seed) for seed in range(30)]
    found = [looped(program_of(partial(f, extremum=ours), f.p)) for f in made]
    assert sum(isinstance(x, Looped) for x in found) >= 20
