"""Random programs: eager against compiled against NumPy, which runs the same programs.

Each seed is a program of branches, loops, closures, modules, derivatives of all kinds, vmap, scan,
nested jit and draws, called with several arguments, infinities and nan among them. So many
comparisons, of other programs each day, are asked for by ``SCALARGRAD_DIFFERENTIAL=50000``: each
program is called at more points then, once by floats and once by Values, compiled and by NumPy.
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
from tests.compiler.random_programs import Program
from tests.seeds import seeds

import scalargrad as sg
from scalargrad import TraceError, Value, jit
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
    """Numbers, gradients, errors and the generator's state, or a refusal that says so.

    Half-way, what the program reads around it changes.
    """
    program = Program(random.Random(seed))
    eager, mine = random.Random(seed), random.Random(seed)
    recorded = jit(lambda xs: program(xs, mine))
    function: Any = lambda xs: program(xs, eager)  # noqa: E731
    compiled: Any = recorded
    if by_values:
        function = _by_values(program, eager)
        compiled = _by_values(lambda xs, _: recorded(xs), mine)
    for k, xs in enumerate(_arguments(random.Random(seed + 1))):
        if k == POINTS // 2:
            program.change()
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
