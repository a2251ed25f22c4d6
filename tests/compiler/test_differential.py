"""Random programs, graphs and expressions: jit computes the results of eager code.

The tests with seeds are the main guard of a change to the compiler. With
``HYPOTHESIS_PROFILE=fresh`` they have other seeds each day (or for each ``--hypothesis-seed``), as
many as fit into ``SECONDS_OF_TESTS``; ``python -m tests.compiler.random_programs`` compares
100,000 calls.
"""

from __future__ import annotations

import math
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.compiler.random_arguments import differing
from tests.compiler.random_containers import stale
from tests.compiler.random_examples import difference
from tests.compiler.random_programs import compare
from tests.compiler.search import NOT_COMPARED
from tests.inner import TABLE, FixedArityOperation
from tests.random_seeds import seed_parameters

import scalargrad as sg
from scalargrad import GraphError, Value, grad, gradients, jit, value_and_grad, vmap

pytestmark = pytest.mark.differential

#: Number of seeds of each test, and number of those that the light suite runs.
SEEDS = {
    "test_jit_of_a_random_program_matches_eager_code": (8, 5),
    "test_jit_of_a_random_expression_raises_the_errors_of_eager_code": (10, 4),
    "test_jitted_gradients_by_interior_nodes_match_eager_code": (12, 6),
    "test_gradients_of_graphs_of_jitted_pieces_match_eager_code": (5, 2),
    "test_jit_distinguishes_random_arguments": (10, 6),
    "test_jitted_vmap_of_random_examples_matches_eager_code": (10, 5),
    "test_jit_sees_random_changes_of_containers": (10, 6),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize a test by its seeds, or by fresh ones if the profile says so."""
    if metafunc.function.__name__ in SEEDS:
        count, light = SEEDS[metafunc.function.__name__]
        values: Sequence[Any] = seed_parameters(count, light)
        # The derivative with respect to a result of one piece may differ if another piece
        # differentiates through it (docs/explained/limits.md): in one of 2,400 fresh graphs.
        are_fixed = "pieces" in metafunc.function.__name__
        if os.environ.get("HYPOTHESIS_PROFILE") == "fresh" and not are_fixed:
            option = metafunc.config.getoption("--hypothesis-seed", default=None)
            first = 10_000 * int(option or date.today().toordinal())
            values = range(first, first + 10 * count)
        metafunc.parametrize("seed", values)


@pytest.mark.parametrize("by_values", [False, True], ids=["floats", "Values"])
def test_jit_of_a_random_program_matches_eager_code(seed: int, by_values: bool) -> None:
    """Results, gradients, errors and states of generators agree, or the program is refused."""
    assert compare(seed, by_values) in {"", NOT_COMPARED}


REGRESSIONS = {
    "derivative by an unused gradient": (28000005, False, 32),
    "third derivative within a loop, floats": (129_833_016, False, 2),
    "third derivative within a loop, Values": (129_833_016, True, 2),
    "gather from a strided copy": (920_823_800_028, True, 2),
}


@pytest.mark.parametrize(("seed", "by_values", "points"), REGRESSIONS.values(), ids=REGRESSIONS)
def test_jit_of_a_former_counterexample_matches_eager_code(
    seed: int, by_values: bool, points: int
) -> None:
    """Random programs that were once compiled to a wrong number, or not at all."""
    assert not compare(seed, by_values, points)


def test_jit_distinguishes_random_arguments(seed: int) -> None:
    """Lists, dicts, dataclasses and sizes, of equal and different structure alternately."""
    assert not differing(seed)


def test_jitted_vmap_of_random_examples_matches_eager_code(seed: int) -> None:
    """Recurrences under vmap, gradients within them, and sums between them."""
    assert not difference(seed)


@pytest.mark.filterwarnings("ignore::scalargrad.JitWarning")
def test_jit_sees_random_changes_of_containers(seed: int) -> None:
    """Objects and containers, captured or within an argument, that change between calls."""
    assert not stale(seed)


@pytest.mark.parametrize("first", seed_parameters(3, 1))
def test_jit_sees_random_changes_of_captured_state(first: int) -> None:
    """250 programs that read captured state by every route, with a change between the calls."""
    seed = 250 * first  # others are searched from the command line
    command = [sys.executable, "-m", "tests.compiler.random_surroundings", "--show"]
    run = subprocess.run(
        [*command, "--from", str(seed), "--count", "250"],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        check=False,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.wide
def test_random_programs_in_the_notes_are_not_run_again(tmp_path: Path) -> None:
    """The second search has no time; its output is that of the first."""
    command = [sys.executable, "-m", "tests.compiler.random_programs", "--from", "100"]
    command += ["--count", "4", "--notes", str(tmp_path / "notes.txt")]
    said = [
        subprocess.run(
            [*command, *more],
            cwd=Path(__file__).parents[2],
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for more in ([], ["--seconds", "0"])
    ]
    assert ": 0 seeds differ" in said[0]
    assert said[0] == said[1]


# Random graphs of many rows -----------------------------------------------------------------------

UNARY: list[Callable[[Any], Any]] = [
    sg.sin, sg.tanh, sg.sigmoid, lambda x: -x, lambda x: x * x, lambda x: 1.0 - x,
    lambda x: 0.5 * x, sg.exp, sg.softplus, sg.silu, sg.gelu, sg.relu, sg.tan,
    lambda x: sg.sqrt(x * x + 1.0), lambda x: (x * x + 0.5) ** 0.7, lambda x: +x,
    lambda x: 1.0 / (x * x + 1.0), abs, lambda x: x - 0.0, lambda x: x * 1.0,
]  # fmt: skip
BINARY: list[Callable[[Any, Any], Any]] = [
    lambda x, y: x + y, lambda x, y: x - y, lambda x, y: x * y, lambda x, y: x + y * x,
    sg.maximum, lambda x, y: x / (1.0 + y * y), lambda x, y: (x * x + 1.0) ** sg.tanh(y),
    lambda x, y: sg.logsumexp([x, y, x]), lambda x, y: sg.softmax([x, y])[0],
    lambda x, y: sg.dot([x, y], [y, x]), lambda x, y: sg.mean([x, y, x]),
]  # fmt: skip
#: Operations that return one of their operands eagerly, and another node when compiled.
SELECTIONS: list[Callable[[Any, Any], Any]] = [
    lambda x, y: sg.where(x > y, x, y * 0.5), lambda x, y: sg.take([y, x * y, 0.5], x > y),
]  # fmt: skip
Plan = list[tuple[int, int, int]]
plans = st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99)), max_size=20)
rows_of_three = st.lists(
    st.lists(st.floats(-2.0, 2.0, allow_subnormal=False), min_size=3, max_size=3),
    min_size=2,
    max_size=6,
)


def follow(plan: Plan, xs: list[Any]) -> Any:
    """Apply the operations of a plan to numbers and return the sum of the last results."""
    binary = [*BINARY, *SELECTIONS]
    known = list(xs)
    for op, i, j in plan:
        x, y = known[i % len(known)], known[j % len(known)]
        if op < 50:
            known.append(sg.tanh(UNARY[op % len(UNARY)](x)))
        else:
            known.append(binary[op % len(binary)](x, sg.tanh(y)))
    return sum(known[-3:]) + xs[-1]


@settings(max_examples=max(12, (settings.default or settings()).max_examples // 4))
@given(plan=plans, rows=rows_of_three)
def test_derivatives_of_random_graphs_in_loops_and_vmap_agree(
    plan: Plan, rows: list[list[float]]
) -> None:
    """In a Python loop and vmap, with jit inside and outside; first and second derivatives."""

    def looped(weights: Any, rows: Any) -> Any:
        return sum(follow(plan, [*row, *weights]) for row in rows)

    def mapped(weights: Any, rows: Any) -> Any:
        return sum(vmap(lambda row: follow(plan, [*row, *weights]))(rows))

    weights = [0.3, -0.7]
    second = grad(lambda w: sum(grad(looped)(w, rows)))(weights)
    expected = value_and_grad(looped)(weights, rows)
    close = partial(pytest.approx, rel=1e-9, abs=1e-9)
    leaves = [*map(Value, weights)]
    assert gradients(jit(looped)(leaves, rows), leaves) == close(expected[1])
    value, slopes = jit(value_and_grad(mapped))(weights, rows)
    assert (value, *slopes) == close((expected[0], *expected[1]))
    assert jit(grad(lambda w: sum(grad(mapped)(w, rows))))(weights) == close(second)


# Errors -------------------------------------------------------------------------------------------

POINTS = [0.0, -0.0, 1.0, -1.0, 2.0, -0.5, 1.75, -3.25, math.inf, -math.inf, math.nan]


def random_expression(chance: random.Random) -> Callable[[Any, Any], Any]:
    """Return a random chain of operations, of x, y, constants and earlier results."""
    elementwise = [
        op for op in TABLE.values() if isinstance(op, FixedArityOperation) and op.arity < 3
    ]
    steps = [chance.choice(elementwise) for _ in range(chance.randint(2, 7))]
    places = [[chance.randrange(2 + k) for _ in range(op.arity)] for k, op in enumerate(steps)]
    constants = [chance.choice([None, 0.0, 1.0, -2.0, 0.5]) for _ in steps]

    def f(x: Any, y: Any) -> Any:
        values = [x, y]
        for op, where, constant in zip(steps, places, constants, strict=True):
            operands = [values[i] for i in where]
            if constant is not None and op.arity == 2:
                operands[1] = constant
            values.append(op.of(*operands))
        return values[-1]

    return f


def outcome(f: Callable[..., Any], *args: Any) -> Any:
    """Return the number of a result, or the class and the message of an error."""
    try:
        return float(getattr(y := f(*args), "data", y))
    except (ArithmeticError, ValueError) as error:
        return type(error), str(error)


def test_jit_of_a_random_expression_raises_the_errors_of_eager_code(seed: int) -> None:
    """At points inside and outside of domains, infinities and nan."""
    chance = random.Random(seed)
    f = random_expression(chance)
    compiled = jit(f)
    for _ in range(12):
        x, y = chance.choice(POINTS), chance.choice(POINTS)
        expected, found = (outcome(g, Value(x, "x"), Value(y, "y")) for g in (f, compiled))
        assert found == (
            pytest.approx(expected, rel=1e-9, abs=1e-9, nan_ok=True)
            if isinstance(expected, float)
            else expected
        )


# Gradients with respect to any node ---------------------------------------------------------------


def floats(xs: Iterable[Any]) -> list[float]:
    """Return numbers and Values as floats."""
    return [float(x.data if isinstance(x, Value) else x) for x in xs]


def random_gradients(seed: int) -> Callable[[list[Any]], list[Any]]:
    """Return a function with random_gradients gradients by random nodes, adjoints included."""

    def f(xs: list[Any]) -> list[Any]:
        generator = random.Random(seed)
        known = [*xs]
        for _ in range(generator.randint(3, 9)):
            a, b = generator.choice(known[-5:]), generator.choice(known[-5:])
            unary = generator.random() < 0.5
            known.append(generator.choice(UNARY)(a) if unary else generator.choice(BINARY)(a, b))
        y = known[-1] * 0.7 + known[-1] * known[-1] * 0.1
        for _ in range(generator.randint(1, 3)):
            wrt = [generator.choice(known) for _ in range(generator.randint(1, 3))]
            found = gradients(y, wrt, create_graph=True)
            known += map(sg.identity, found) if generator.random() < 0.5 else []
            y = sum((w + 0.3) * x for w, x in zip((1.0, -0.7, 0.4), found, strict=False))
            y = sg.tanh(y) if generator.random() < 0.4 else y
            known.append(y)
        return [y, *gradients(y, [generator.choice(known) for _ in range(2)])]

    return f


def test_jitted_gradients_by_interior_nodes_match_eager_code(seed: int) -> None:
    """With respect to any node and any gradient, repeatedly; alone and in vmap."""
    generator = random.Random(seed)
    f, rows = (
        random_gradients(seed),
        [[generator.uniform(-1.0, 1.0) for _ in range(3)] for _ in range(2)],
    )
    expected = [pytest.approx(floats(f([*map(Value, x)])), rel=1e-8, abs=1e-10) for x in rows]
    compiled = jit(f)
    assert [floats(compiled([*map(Value, row)])) for row in rows] == expected
    assert [*map(floats, jit(vmap(f))([[*map(Value, row)] for row in rows]))] == expected


CAPTURED = [Value(0.3), Value(-0.6)]
LAYER = sg.nn.Linear(2, 2, rng=0)
#: Number of leaves with gradients, in addition to three other nodes.
NODES = 3 + len(CAPTURED) + len(LAYER.parameters())


def piece(seed: int) -> Callable[[list[Any]], Any]:
    """Return a random function of two Values that returns some of its nodes, nested at random."""

    def f(xs: list[Any]) -> Any:
        generator = random.Random(seed)
        known = [*xs, *CAPTURED[: generator.randint(0, 2)]]
        known += LAYER(known[:2]) if generator.random() < 0.2 else []
        for _ in range(generator.randint(1, 8)):
            a, b = generator.choice(known), generator.choice(known)
            unary = generator.random() < 0.5
            known.append(
                sg.tanh(generator.choice(UNARY)(a)) if unary else generator.choice(BINARY[:5])(a, b)
            )
        some = [generator.choice(known) for _ in range(generator.randint(1, 4))]
        last = known[-1]
        kinds: list[Callable[[], Any]] = [
            lambda: some,
            lambda: {"first": some[0], "all": some},
            lambda: np.array([*some, known[0]], dtype=object),
            lambda: [*some, *vmap(lambda x: [y := sg.tanh(x), y * some[0]])(xs)],
            lambda: [
                *some,
                *(2.0 * x for x in gradients(some[0] * last, xs, create_graph=True)),
            ],
            lambda: [grad(lambda y: y * y * known[1])(some[0]), last],
        ]
        return generator.choice(kinds)()

    return f


def values(tree: Any) -> list[Value]:
    """Return the numbers of a tree as Values, in order."""
    if isinstance(tree, Value | float):
        return [tree if isinstance(tree, Value) else Value(tree)]
    parts = tree.values() if isinstance(tree, dict) else tree
    return [x for part in parts for x in values(part)]


def gradients_of_graph(pieces: Sequence[Any], seed: int) -> list[Any]:
    """Return first and second gradients, and `.grad`, of a random graph of pieces."""
    generator = random.Random(seed)
    leaves = [Value(generator.uniform(-1.0, 1.0)) for _ in range(3)]
    for x in [*CAPTURED, *LAYER.parameters()]:
        x.grad = 0.0
    known = [*leaves]
    for _ in range(generator.randint(1, 6)):
        a, b = generator.choice(known[-8:]), generator.choice(known[-8:])
        if generator.random() < 0.6:
            known += values(generator.choice(pieces)([a, b]))[:4]
        else:
            known.append(generator.choice(BINARY[:5])(a, b))
    root = 0.7 * known[-1] + sum(generator.choice(known) for _ in range(3))
    wrt = [generator.choice(known) for _ in range(3)]
    wrt += [*leaves, *CAPTURED, *LAYER.parameters()]
    first = call(lambda: gradients(root, wrt))
    graphs = call(lambda: gradients(root, wrt, create_graph=True))
    assert (first is None) == (graphs is None)
    total = sum(x * x for x in graphs or [])
    second = call(lambda: gradients(total, leaves)) if graphs else None
    root.backward()
    return [first, second, *(call(partial(getattr, x, "grad")) for x in wrt)]


def call(run: Callable[[], Any]) -> Any:
    """Return the result of a function; None if it raises GraphError."""
    try:
        return run()
    except GraphError:
        return None


def test_gradients_of_graphs_of_jitted_pieces_match_eager_code(seed: int) -> None:
    """With respect to any node, or refused if a piece computed one result from another."""
    pieces = [piece(4 * seed + k) for k in range(4)]
    compiled = [jit(f) for f in pieces]
    for k in range(30):
        expected = gradients_of_graph(pieces, 1000 * seed + k)
        try:
            found = gradients_of_graph(compiled, 1000 * seed + k)
        except GraphError:  # the graph differentiates by a result that another result depends on
            continue
        assert None not in found[-NODES:]
        for ours, right in zip(found, expected, strict=True):
            assert ours is None or ours == pytest.approx(right, rel=1e-8, abs=1e-10), k
