"""A number outside a domain raises what it raises eagerly, whichever calls came before."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import Any

import pytest

from scalargrad import (
    DomainError,
    Value,
    clip,
    custom_op,
    drawn,
    exp,
    grad,
    gt,
    jit,
    log,
    maximum,
    mean,
    sigmoid,
    sqrt,
    tanh,
    value_and_grad,
    vmap,
    where,
)
from scalargrad.compiler.call import record_call
from scalargrad.compiler.explain.programs_of import programs_of
from scalargrad.compiler.trace import domains
from scalargrad.compiler.trace.record import recorded
from scalargrad.ops import TABLE
from scalargrad.table.domain import Domain
from scalargrad.table.operation import Elementwise

pytestmark = pytest.mark.usefixtures("backend")


def by_a_condition(x: Any) -> Any:
    """Leave the domain in one of two branches."""
    return log(x) if x > 0.5 else 1.0 / x


def for_a_condition(x: Any) -> Any:
    """Leave the domain in a condition only."""
    return x if log(x) > 0.0 else -x


def for_nothing(x: Any) -> Any:
    """Compute something that is not used."""
    log(x)
    return 2.0 * x


@custom_op(
    partials=lambda y, x: (2.0,),
    domain=Domain((0.0, 1.0), valid=lambda x: where(x >= 0, x <= 1, 0.0)),
)
def doubled_share(x: float) -> float:
    """Double a share; outside [0, 1] the number is finite, too."""
    return 2.0 * x


#: A function, a point of its domain, and one outside.
CASES: dict[str, tuple[Callable[[Any], Any], float, float]] = {
    "log": (log, 2.0, 0.0),
    "a root": (sqrt, 2.0, -1.0),
    "a quotient": (lambda x: 1.0 / x, 2.0, 0.0),
    "a power": (lambda x: x**-1, 2.0, 0.0),
    "a fraction of a negative number": (lambda x: x**0.5, 2.0, -1.0),
    "a power of two numbers": (lambda x: x**x, 2.0, -0.5),
    "below tanh": (lambda x: tanh(1.0 / x), 2.0, 0.0),
    "below exp": (lambda x: exp(-1.0 / x), 2.0, 0.0),
    "below a quotient": (lambda x: 1.0 / (1.0 + 1.0 / x), 2.0, 0.0),
    "after the same with a constant": (
        lambda x: tanh((x + 1.0) / 2.0) + tanh((x + 1.0) / x), 2.0, 0.0,
    ),
    "before the same with a constant": (
        lambda x: tanh((x + 1.0) / x) + tanh((x + 1.0) / 2.0), 2.0, 0.0,
    ),
    "after the same with two constants": (
        lambda x: tanh((x + 1.0) / 2.0 - (x + 1.0) / -3.0) + tanh((x + 1.0) / x), 2.0, 0.0,
    ),
    "not chosen": (lambda x: where(x > 0, log(x), 0.0), 2.0, -1.0),
    "clipped": (lambda x: clip(log(x), -10.0, 10.0), 2.0, 0.0),
    "not the largest": (lambda x: maximum(log(x), -5.0), 2.0, 0.0),
    "in a branch": (by_a_condition, 2.0, 0.0),
    "in a condition": (for_a_condition, 2.0, 0.0),
    "not used": (for_nothing, 2.0, -1.0),
    "one of several examples": (
        lambda x: sum(vmap(lambda z: tanh(1.0 / z))([1.0, x, 3.0])), 2.0, 0.0,
    ),
    "the last of them, in two kinds of examples": (
        lambda x: sum(vmap(lambda z: sigmoid(log(z)))([1.0, 2.0, x]))
        * sum(vmap(lambda z: z * z)([1.0, x])),
        2.0, 0.0,
    ),
    "an example of which nothing is used": (
        lambda x: vmap(log)([1.0, x])[0], 2.0, -1.0,
    ),
    "shared by examples of which nothing is used": (
        lambda x: (vmap(lambda z: z / x)([1.0, 3.0]), x)[1], 2.0, 0.0,
    ),
    "a derivative": (grad(log), 2.0, 0.0),
    "a derivative below tanh": (lambda x: value_and_grad(lambda z: tanh(1.0 / z))(x)[1], 2.0, 0.0),
    "an operation of one's own": (doubled_share, 0.5, 2.0),
}  # fmt: skip


def outcome(f: Callable[..., Any], *args: Any) -> tuple[str, str]:
    """Return the kind and the text of an error, or of a result."""
    try:
        y = f(*args)
    except (ArithmeticError, ValueError) as error:
        return type(error).__name__, str(error)
    return "result", f"{getattr(y, 'data', y):.12g}"


@pytest.mark.parametrize("kind", [float, lambda x: Value(x, "x")], ids=["floats", "Values"])
@pytest.mark.parametrize("case", CASES)
def test_order_of_calls_does_not_matter(case: str, kind: Any) -> None:
    """As first call, after a good one and once more: class and message are those of eager calls."""
    f, good, bad = CASES[case]
    expected = [outcome(f, kind(x)) for x in (bad, good, bad, bad, good)]
    compiled: Any = jit(f)
    assert [outcome(compiled, kind(x)) for x in (bad, good, bad, bad, good)] == expected
    assert expected[0] != expected[1]


POINTS = [0.0, -0.0, 1.0, -1.0, 2.0, -0.5, 1.75, -3.25, math.inf, -math.inf, math.nan]
ELEMENTWISE = [op for op in TABLE.values() if isinstance(op, Elementwise) and op.arity < 3]


def expression(chance: random.Random) -> Callable[[Any, Any], Any]:
    """Return operations of the table in a random chain, each of numbers, x, y or earlier ones."""
    steps = [chance.choice(ELEMENTWISE) for _ in range(chance.randint(2, 7))]
    places = [[chance.randrange(2 + k) for _ in range(op.arity)] for k, op in enumerate(steps)]
    numbers = [chance.choice([None, 0.0, 1.0, -2.0, 0.5]) for _ in steps]

    def f(x: Any, y: Any) -> Any:
        values = [x, y]
        for op, where_, number in zip(steps, places, numbers, strict=True):
            operands = [values[i] for i in where_]
            if number is not None and op.arity == 2:
                operands[1] = number
            values.append(op.of(*operands))
        return values[-1]

    return f


@pytest.mark.parametrize("seed", range(40))
def test_any_expression_fails_where_it_does_eagerly(seed: int) -> None:
    """At points inside and outside of domains, at infinities and nan, in any order."""
    chance = random.Random(seed)
    f = expression(chance)
    compiled: Any = jit(f)
    for _ in range(12):
        x, y = chance.choice(POINTS), chance.choice(POINTS)
        eager, mine = (outcome(g, Value(x, "x"), Value(y, "y")) for g in (f, compiled))
        assert mine[0] == eager[0]
        if eager[0] == "result":
            assert float(mine[1]) == pytest.approx(float(eager[1]), abs=1e-9, nan_ok=True)
        else:
            assert mine == eager


def test_draws_of_a_call_outside_are_made_once() -> None:
    """A generator is where an eager call leaves it, before and after a recording."""

    def f(x: Any, rng: random.Random) -> Any:
        return drawn(rng.random) + tanh(1.0 / x)

    eager, mine = random.Random(5), random.Random(5)
    compiled: Any = jit(lambda x: f(x, mine))
    for x in (0.0, 2.0, 0.0, 3.0):
        assert outcome(compiled, Value(x)) == outcome(lambda x: f(x, eager), Value(x))
        assert mine.getstate() == eager.getstate()


def test_nan_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is let pass as eagerly, by the program recorded for numbers."""
    made: list[str] = []

    def noted(*args: Any, **options: Any) -> Any:
        made.append("one more")
        return recorded(*args, **options)

    monkeypatch.setattr(record_call, "recorded", noted)

    def f(x: Any) -> Any:
        return where(gt(log(x), 0.0), 1.0, 2.0) * 3.0

    compiled: Any = jit(f)
    for x in (4.0, math.nan, 0.5, math.nan):
        assert compiled(Value(x)).data == f(Value(x)).data
    assert made == ["one more"]
    with pytest.raises(DomainError, match="log"):
        compiled(Value(-1.0))


@pytest.mark.parametrize(
    "f",
    [
        lambda x: 10.0 / x + 3.0 * log(x) - x**-2,
        lambda x: tanh(x / 2.0) + exp(-(x**2)),
        lambda x: tanh(2.0**x),
    ],
    ids=["the result tells", "whole powers", "powers of 2"],
)
def test_nothing_is_checked_without_need(f: Any) -> None:
    """Where results tell, or constants exclude it, the program has no guard."""
    compiled: Any = jit(f)
    compiled(Value(2.0))
    (path,) = programs_of(compiled)
    assert path.outcomes == ()


def test_wide_sums_are_tried_with_few_operands(monkeypatch: pytest.MonkeyPatch) -> None:
    """How a mean of 5,000 numbers passes an infinity on is asked of one of a few dozen."""
    tried = []
    ask = domains.passes

    def noted(place: int, op: Any, constants: Any) -> bool:
        tried.append(len(constants))
        return ask(place, op, constants)

    monkeypatch.setattr(domains, "passes", noted)
    domains.passes_all.cache_clear()
    compiled = jit(lambda xs: mean([log(x) for x in xs]))
    assert compiled([1.0] * 5000) == 0.0
    assert 0 < max(tried) < 100
    with pytest.raises(DomainError):
        compiled([1.0] * 4999 + [-1.0])


def test_nodes_are_compared_once_for_all_of_their_operands(monkeypatch: Any) -> None:
    """Which operands pass on what is not finite is asked once for all places, not for each."""
    asked: list[int] = []
    ask = domains.asked_once

    def counted(columns: Any, nodes: Any, numbers: Any, chosen: Any, question: Any) -> Any:
        asked.extend({len(columns.args(x)) for x in chosen.tolist()})
        return ask(columns, nodes, numbers, chosen, question)

    monkeypatch.setattr(domains, "asked_once", counted)
    compiled = jit(lambda xs: log(sum(maximum(*xs[:k]) for k in range(2, 20))))
    assert compiled([float(x) for x in range(20)]) == pytest.approx(math.log(sum(range(1, 19))))
    assert asked.count(19) == 1
