"""Random programs: eager against compiled against NumPy, which runs the same programs.

Each seed is a program of branches, loops, closures, derivatives, vmap, scan, nested jit and draws,
called with several arguments, infinities and nan among them. So many comparisons, of other programs
each day, are asked for by ``SCALARGRAD_DIFFERENTIAL=50000``: each program is called at more points
then, once by floats and once by Values, compiled and by NumPy.
"""

from __future__ import annotations

import functools
import math
import os
import random
import warnings
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from tests.seeds import seeds

import scalargrad as sg
from scalargrad import TraceError, Value, drawn, grad, jit, scan, value_and_grad, vmap
from scalargrad.autodiff import error_signals
from scalargrad.compiler.scan import recorded_steps
from scalargrad.errors import JitWarning, ScalargradError
from scalargrad.graph import topological_order

pytestmark = pytest.mark.usefixtures("backend")

COMPARISONS = int(os.environ.get("SCALARGRAD_DIFFERENTIAL", "0"))
POINTS = 16 if COMPARISONS else 6
_TODAY = date.today().toordinal() * 1_000_000  # the same in all workers of one run
_FRESH = range(_TODAY, _TODAY + math.ceil(COMPARISONS / (4 * POINTS)))
SEEDS = _FRESH if COMPARISONS else seeds(60, light=24)
SPECIAL = [0.0, -0.0, 1.0, -1.0, 1e200, -1e-200, math.inf, -math.inf, math.nan]

#: So large are numbers that, added up or multiplied in another order, may overflow.
_HUGE = 1e290

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
        self.statements = [self._statement(rng, depth) for _ in range(rng.randint(2, 7))]

    def __call__(self, xs: Numbers, source: random.Random) -> Any:
        """Run the statements, each on the results of those before."""
        known = list(xs)
        for statement in self.statements:
            known.append(statement(known, source))
        return known[-1] + 0.5 * known[-2]

    def _statement(self, rng: random.Random, depth: int) -> Step:
        kinds = [self._unary, self._binary, self._binary, self._branch, self._loop, self._closure]
        if depth:
            kinds += [self._grad, self._vmap, self._scan, self._jit, self._draw]
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

    def _inner(self, rng: random.Random, depth: int) -> Step:
        return Program(rng, depth - 1) if rng.random() < 0.4 else self._smooth(rng)

    def _smooth(self, rng: random.Random) -> Step:
        ops = [rng.choice(UNARY[:12]) for _ in range(2)]
        return lambda known, source: ops[0](ops[1](known[0]) * known[-1])

    def _grad(self, rng: random.Random, depth: int) -> Step:
        f, x, both = self._inner(rng, depth), self._place(rng), rng.random() < 0.5

        def derived(known: Numbers, source: random.Random) -> Any:
            def of_one(y: Any) -> Any:
                return f([y, *known], source)

            if both:
                value, slope = value_and_grad(of_one)(x(known))
                return value * 0.5 + slope
            return grad(of_one)(x(known))

        return derived

    def _vmap(self, rng: random.Random, depth: int) -> Step:
        f = self._smooth(rng) if rng.random() < 0.7 else self._inner(rng, depth)
        return lambda known, source: sum(
            vmap(lambda y: f([y, *known], source))([*known[:3], 0.3, -0.4])
        )

    def _scan(self, rng: random.Random, _: int) -> Step:
        f, x, often = self._smooth(rng), self._place(rng), rng.choice([1, 4])

        def scanned(known: Numbers, source: random.Random) -> Any:
            def step(carry: Any, y: Any) -> tuple[Any, Any]:
                return 0.5 * f([carry, y], source), carry

            carry, ys = scan(step, x(known), known[:3] * often)
            return carry + sum(ys)

        return scanned

    def _jit(self, rng: random.Random, depth: int) -> Step:
        f = self._inner(rng, depth)
        return lambda known, source: jit(lambda ys: f(ys, source))([*known])  # as it is now

    def _draw(self, rng: random.Random, _: int) -> Step:
        x = self._place(rng)
        return lambda known, source: x(known) * drawn(source.uniform, 0.5, 1.5)


def _arguments(rng: random.Random) -> list[list[float]]:
    found = [[rng.uniform(-2.0, 2.0) for _ in range(3)] for _ in range(4)]
    while len(found) < POINTS - 1:
        found.append([rng.choice(SPECIAL) if rng.random() < 0.5 else x for x in found[0]])
        found.append([rng.uniform(-2.0, 2.0) for _ in range(3)])
    return [*found[: POINTS - 1], found[0]]


def _outcome(f: Callable[[], Any], source: random.Random) -> Any:
    """Return what a call comes to, with where it leaves the generator."""
    try:
        found = f()
    except (ScalargradError, ArithmeticError, ValueError) as error:
        return type(error), source.random()
    numbers = found if isinstance(found, list) else [found]
    return [float(x.data if isinstance(x, Value) else x) for x in numbers], source.random()


def _close(a: float, b: float) -> bool:
    same = a == b or (a != a and b != b) or math.isclose(a, b, rel_tol=1e-8, abs_tol=1e-9)
    return same or (min(a, b) >= _HUGE or max(a, b) <= -_HUGE)


def _agree(found: Any, expected: Any, errors: Callable[[], list[float]]) -> bool:
    """Return whether two outcomes are the same, to what rounding may make of them."""
    if not isinstance(found[0], list) or not isinstance(expected[0], list):
        return bool(found == expected)
    if found[1] != expected[1] or len(found[0]) != len(expected[0]):
        return False
    pairs = enumerate(zip(found[0], expected[0], strict=True))
    unlike = [i for i, (x, y) in pairs if not _close(x, y)]
    if not all(math.isfinite(found[0][i]) and math.isfinite(expected[0][i]) for i in unlike):
        return False
    if not unlike:
        return True
    allowed = errors()
    return all(abs(found[0][i] - expected[0][i]) <= allowed[i] for i in unlike)


def _errors(program: Program, xs: list[float], state: Any) -> list[float]:
    """Return by how much rounding may change value and slopes of a program.

    Each node may be another by some units in its last place, which the value sees as much of as
    its derivative says: x / s'(9) does, of which s' = s (1 - s) keeps few digits. A slope is a sum
    of products along all ways, which may cancel.
    """
    leaves = [Value(x) for x in xs]
    source = random.Random()
    source.setstate(state)
    with sg.disable_jit():
        y = program(leaves, source)
    if not isinstance(y, Value):
        return [0.0] * (len(xs) + 1)
    order = topological_order(y)
    signals = error_signals(order, {y: 1.0})
    terms = [abs(signals[node] * node.data) for node in order]
    of_value = 1e-15 * sum(filter(math.isfinite, terms))
    relative = 1e-12 + 1e3 * of_value / abs(y.data or math.inf)
    sizes = dict.fromkeys(leaves, 0.0) | {y: 1.0}
    for node in reversed(order):
        size = sizes.get(node, 0.0)
        for x, local in zip(node.parents, node.local_grads, strict=True):
            if isinstance(x, Value) and local is not None:
                sizes[x] = sizes.get(x, 0.0) + size * abs(local)
    return [of_value, *(relative * sizes[x] for x in leaves)]


def _by_values(f: Any, source: random.Random) -> Callable[[list[float]], Any]:
    """Return value and gradient by Values."""

    def both(xs: list[float]) -> Any:
        leaves = [Value(x) for x in xs]
        y = f(leaves, source)
        if not isinstance(y, Value):  # as what `take` chose here does not depend on any
            return [y, *[0.0] * len(xs)]
        return [y, *sg.gradients(y, leaves, allow_nonfinite=True)]

    return both


def _nan_among(outcome: Any) -> bool:
    return isinstance(outcome[0], list) and any(map(math.isnan, outcome[0]))


def _as_python(expected: Any, f: Callable[[], Any], source: random.Random, before: Any) -> Any:
    """Return an outcome with what Python alone, without any jit, has where it has nan.

    A compiled function in the eager one looks entries up, sends 0 to those not chosen, and
    meets an infinite slope behind them; where an entry is chosen in Python, no edge leads there.
    """
    source.setstate(before)
    with sg.disable_jit():
        numbers, state = _outcome(f, source)
    if not isinstance(numbers, list) or state != expected[1]:
        return expected
    pairs = zip(expected[0], numbers, strict=True)
    return [y if math.isnan(x) else x for x, y in pairs], state


@pytest.fixture(autouse=True)
def _short_scans_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have few nodes be worth writing at once."""
    monkeypatch.setattr(recorded_steps, "WORTH", 20)


@pytest.mark.alike
@pytest.mark.parametrize("by_values", [False, True], ids=["floats", "Values"])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_random_program_is_what_it_is_eagerly(seed: int, by_values: bool) -> None:
    """Numbers, gradients, errors and the generator's state, or a refusal that says so."""
    program = Program(random.Random(seed))
    eager, mine = random.Random(seed), random.Random(seed)
    recorded = jit(lambda xs: program(xs, mine))
    function: Any = lambda xs: program(xs, eager)  # noqa: E731
    compiled: Any = recorded
    if by_values:
        function = _by_values(program, eager)
        compiled = _by_values(lambda xs, _: recorded(xs), mine)
    for xs in _arguments(random.Random(seed + 1)):
        before = eager.getstate()
        expected = _outcome(functools.partial(function, xs), eager)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", JitWarning)
            found = _outcome(functools.partial(compiled, xs), mine)
        if found[0] is TraceError:
            return  # refused: by a condition on the examples of vmap
        errors = functools.partial(_errors, program, xs, before)
        if _nan_among(expected) and not _agree(found, expected, errors):
            expected = _as_python(expected, functools.partial(function, xs), eager, before)
        assert _agree(found, expected, errors), (seed, xs, found, expected)
