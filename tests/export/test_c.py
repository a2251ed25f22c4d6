"""Exported C and object code give the results of Python, in files of bounded size."""

from __future__ import annotations

import importlib
import itertools
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.export.compiling import build_functions
from tests.inner import TABLE, FixedArityOperation, Operation, flatten

import scalargrad as sg
from benchmarks.replay import PROGRAMS
from scalargrad import ScalargradError, Value, jit

pytestmark = pytest.mark.wide

UNARY: list[Callable[[Any], Any]] = [
    sg.sin, sg.tanh, sg.sigmoid, sg.gelu, abs, lambda x: -x, lambda x: x * x, lambda x: 1.0 - x,
]  # fmt: skip
BINARY: list[Callable[[Any, Any], Any]] = [
    lambda x, y: x + y, lambda x, y: x * y - y, sg.maximum, lambda x, y: x / (1.0 + y * y),
    lambda x, y: sg.where(sg.gt(x, y), x, y * 0.5), lambda x, y: sg.logsumexp([x, y, x]),
    lambda x, y: sg.mean([x, y, 2.0]), lambda x, y: sg.remainder(x, 1.5 + y * y),
]  # fmt: skip

both_suffixes = pytest.mark.parametrize("kind", [".c", ".o"])


def random_program(seed: int, operations: int = 60) -> Callable[[list[Any]], Any]:
    """Return a function of three numbers with a given number of operations."""
    draw = random.Random(seed)
    plan = [(draw.randrange(16), draw.random(), draw.random()) for _ in range(operations)]

    def run(xs: list[Any]) -> Any:
        known = list(xs)
        for op, i, j in plan:
            x, y = known[int(i * len(known))], known[int(j * len(known))]
            known.append(UNARY[op](x) if op < 8 else BINARY[op - 8](x, y))
        return [sg.tanh(known[-1]) + known[-2], sum(known[3:12])]

    return run


def numbers_of(results: list[Any], leaves: list[Value]) -> list[float]:
    """Return results and gradients in the order of the export, computed eagerly."""
    rows = [sg.gradients(x, leaves) for x in results]
    return [x.data for x in results] + [slope for row in rows for slope in row]


@both_suffixes
def test_export_of_random_programs_agrees_with_python(tmp_path: Path, kind: str) -> None:
    """Values are bit for bit those of jit, also at another point than the traced one."""
    points = random.Random(1)
    cases = {}
    for seed in range(10 if kind == ".c" else 4):
        run, name = random_program(seed), f"random_{seed}"
        start = [Value(points.uniform(-2, 2)) for _ in range(3)]
        jit(run).export(tmp_path / f"{name}{kind}", start)
        cases[name] = run
    functions = build_functions([tmp_path / f"{name}{kind}" for name in cases])
    for name, run in cases.items():
        leaves = [Value(points.uniform(-2, 2)) for _ in range(3)]
        wanted = numbers_of(run(leaves), leaves)
        found = functions[name]([x.data for x in leaves])
        assert found[: len(wanted)] == pytest.approx(wanted, rel=1e-12, abs=1e-12), name
        assert found[:2] == jit(run)([x.data for x in leaves]), name


@dataclass
class Spring:
    """An argument with named fields."""

    stiffness: Any
    lengths: Any
    turns: int = 3


def test_export_inputs_are_the_numbers_of_the_arguments_in_order(tmp_path: Path) -> None:
    """Numbers in dataclasses are included, static arguments and sizes are not."""
    spring, ends = Spring(Value(2.0), [0.5, 1.5]), [1.0, (2.0, 3.0), 4.0]

    def energy(power: int, spring: Any, ends: list[Any]) -> Any:
        (first, second), (low, (a, b), high) = spring.lengths, ends
        return spring.stiffness * ((high - low) * first + (b - a) ** power * second) * spring.turns

    export = jit(energy, static_argnames="power").export
    source, header = export(tmp_path / "energy.c", 2, spring, ends)
    assert build_functions([source])["energy"]([2.0, 0.5, 1.5, 1.0, 2.0, 3.0, 4.0]) == [18.0, 9.0]
    assert "d(result)/d(spring.stiffness)" in header.read_text()


EXTREMES = (
    *(math.nan, math.inf, -math.inf, 0.0, -0.0, 1.0, -1.0, 0.5, -3.0, 5e-324, -5e-324, 1e308),
    *(-1e308, 2.0, 20.0, -40.0, 711.0, -744.0, 1e-9, 1e17),
)


def agree(found: float, wanted: float) -> bool:
    """Return True if two floats are equal up to rounding; 0 and -0 are different."""
    if not math.isfinite(wanted) or wanted == 0.0 == found:
        return repr(abs(found) if wanted != wanted else found) == repr(wanted)
    return math.isclose(found, wanted, rel_tol=1e-12, abs_tol=20 * 5e-324)


def points_of(op: Operation, arity: int) -> list[tuple[float, ...]]:
    """Return points of an operation's domain, and combinations of extreme numbers."""
    draw = random.Random(op.name)
    inside = [tuple(draw.uniform(*op.domain.interval(i)) for i in range(arity)) for _ in range(40)]
    mixed = itertools.product(EXTREMES[: 20 if arity < 3 else 6], repeat=arity)
    return [*inside, *(mixed if isinstance(op, FixedArityOperation) else ())]


def test_export_of_every_operation_agrees_with_python(tmp_path: Path) -> None:
    """Values and derivatives agree in the domain and at the limits of floats."""
    sources, arities = [], {}
    for name, op in TABLE.items():
        arities[name] = arity = op.arity if isinstance(op, FixedArityOperation) else 3
        start = [Value(x) for x in points_of(op, arity)[0]]
        function = jit(
            op.of if isinstance(op, FixedArityOperation) else lambda *xs, op=op: op.of(*xs)
        )
        sources.append(function.export(tmp_path / f"op_{name}.c", *start)[0])
    functions = build_functions(sources)
    for name, op in TABLE.items():
        compared = 0
        for point in points_of(op, arities[name]):
            leaves = [Value(x) for x in point]
            try:
                root = op.of(*leaves)
                root.backward(allow_nonfinite=True)
            except ScalargradError:
                continue
            wanted = [root.data, *(x.grad for x in leaves)]
            value, *slopes = functions[f"op_{name}"](point)
            found = [value, *(x + 0.0 for x in slopes)]  # as sums of slopes, none is -0
            assert all(map(agree, found, wanted)), f"{name}{point}: {found}, not {wanted}"
            compared += 1
        assert compared >= 40, name


def test_export_of_corpus_programs_agrees_with_python(tmp_path: Path) -> None:
    """Every twelfth program of the corpus that can be exported gives equal results."""
    for path in Path(importlib.import_module("benchmarks.replay.corpus").__path__[0]).glob(
        "[a-z]*.py"
    ):
        importlib.import_module(f"benchmarks.replay.corpus.{path.stem}")
    compared = 0
    once_nan = ["loops.hidden_markov", "vmap_and_scan.masked_examples"]
    for name in [*sorted(PROGRAMS)[::12], *once_nan]:
        function, arguments = PROGRAMS[name]()
        export: Any = getattr(function, "export", None)
        file = name.replace(".", "_")
        try:
            source, _ = export(tmp_path / f"{file}.c", *arguments)
            given = [getattr(x, "data", x) for x in flatten(list(arguments), "arguments")[0]]
            wanted = flatten(function(*arguments), "results")[0]
        except (ScalargradError, TypeError, IndexError):  # random, objects, several calls, outside
            continue
        found = build_functions([source])[file](given)
        wanted = [float(getattr(x, "data", x)) for x in wanted]
        assert found[: len(wanted)] == pytest.approx(wanted, rel=1e-9, abs=1e-11), name
        compared += 1
    assert compared > 4


@both_suffixes
def test_export_of_vmap_is_a_loop_and_agrees_with_python(tmp_path: Path, kind: str) -> None:
    """Forty examples are a few lines of C; lookups and gradients agree."""
    points = np.linspace(-1.0, 1.0, 120).reshape(40, 3)
    classes = [k % 4 for k in range(40)]

    def loss(w: list[Any], table: list[Any], X: Any, t: Any) -> Any:  # noqa: N803 - the field's
        def one(x: Any, k: Any) -> Any:
            return sg.softplus(sg.dot(w, x)) * sg.take(table, k) + sg.take([x[0], x[1]], k >= 2)

        return sum(sg.vmap(one)(X, t)) + sg.take(table, t[3])

    def eagerly(w: list[Any], table: list[Any]) -> Any:
        rows = zip(points.tolist(), classes, strict=True)
        each = [sg.softplus(sg.dot(w, x)) * table[k] + x[k >= 2] for x, k in rows]
        return sum(each) + table[classes[3]]

    w, table = [Value(0.1 * k) for k in range(3)], [Value(1.0 + k) for k in range(4)]
    (source, _) = jit(loss).export(tmp_path / f"lanes{kind}", w, table, points, classes)
    numbers = [*(x.data for x in [*w, *table]), *points.ravel(), *map(float, classes)]
    found = build_functions([source])["lanes"](numbers)
    assert found[:8] == pytest.approx(numbers_of([eagerly(w, table)], [*w, *table]), rel=1e-12)
    assert found[8] == 1.0
    if kind == ".c":
        assert source.read_text().count("\n") < 1200


@both_suffixes
def test_export_of_long_sums_and_lookups_agrees_with_python(tmp_path: Path, kind: str) -> None:
    """A hundred terms, an array of constants, and scattered elements."""
    constants = [float(k * k) for k in range(20)]

    def f(xs: list[Any], k: Any) -> list[Any]:
        odd = [xs[i] for i in (5, 3, 90, 7)]
        rows = [xs[i : i + 3] for i in range(4)]
        return [sg.dot(xs, xs), sg.take(constants, k), sg.take(odd, k), *sg.take(rows, k)]

    xs = [math.sin(k) for k in range(100)]
    leaves = [Value(x) for x in xs]
    (source, _) = jit(f).export(tmp_path / f"long_sums{kind}", leaves, 2)
    run = build_functions([source])["long_sums"]
    for k in (0, 3, -1):
        found = run([*xs, float(k)])
        expected = [sum(x * x for x in xs), constants[k], [xs[5], xs[3], xs[90], xs[7]][k]]
        expected += [xs[k % 4 + i] for i in range(3)]
        assert found[:6] == pytest.approx(expected, rel=1e-12)
        assert found[6:106] == pytest.approx([2.0 * x for x in xs], rel=1e-12)
        assert found[206:306] == [float(i == [5, 3, 90, 7][k]) for i in range(100)]
        assert found[606] == 1.0
    assert math.isnan(run([*xs, 7.0])[0])


@both_suffixes
def test_export_of_a_branch_has_an_output_that_says_if_it_was_taken(
    tmp_path: Path, kind: str
) -> None:
    """The last output is 0 if another branch was taken; then all others are nan."""

    def branching(x: Any) -> Any:
        return x * x if x > 0 else -3.0 * x

    source, header = jit(branching).export(tmp_path / f"branch{kind}", Value(2.0))
    run = build_functions([source])["branch"]
    assert run([5.0]) == [25.0, 10.0, 1.0]
    *others, taken = run([-5.0])
    assert taken == 0.0
    assert all(map(math.isnan, others))
    assert "2: whether the recorded branch was taken" in header.read_text()
    unseen = jit(lambda x: 1.0 / (1.0 + 1.0 / x)).export(tmp_path / f"unseen{kind}", 2.0)
    run = build_functions(unseen[:1])[
        "unseen"
    ]  # Python raises DomainError, though 1 / (1 + ∞) is 0
    assert run([1.0]) == [0.5, 1.0]
    assert math.isnan(run([0.0])[0])


def test_export_writes_captured_state_as_constants(tmp_path: Path) -> None:
    """Parameters of a model and numbers of an object are constants; arguments are inputs."""

    class Scale:
        def __init__(self) -> None:
            self.factor = 3.0

        @jit
        def apply(self, x: Any) -> Any:
            return self.factor * x

    model = sg.nn.Linear(2, 1, rng=0)
    for k, parameter in enumerate(model.parameters()):
        parameter.data = float(k + 1)
    wrapped = jit(model).export(tmp_path / "wrapped.c", [0.0, 0.0])
    captured = jit(lambda x: [*model(x)]).export(tmp_path / "captured.c", [0.0, 0.0])
    argument = jit(lambda model, x: model(x)).export(tmp_path / "argument.c", model, [0.0, 0.0])
    scaled = Scale().apply.export(tmp_path / "scaled.c", 1.0)
    functions = build_functions([wrapped[0], captured[0], argument[0], scaled[0]])
    model.parameters()[-1].data = 100.0
    assert functions.pop("scaled")([2.0]) == [6.0]
    assert [run([10.0, 20.0]) for run in functions.values()] == [[53.0]] * 3


def test_export_of_constants_empty_results_and_odd_keys(tmp_path: Path) -> None:
    """Keys may contain the characters of comments and trigraphs."""
    files = [
        jit(lambda x: [1.5, -math.inf]).export(tmp_path / "constants.c", 1.0),
        jit(lambda x: x).export(tmp_path / "same.c", Value(1.0)),
        jit(lambda x: []).export(tmp_path / "none.c", 1.0),
        jit(lambda d: {"*/ int": 2.0 * d["/*"], "/*/": d["??/"]}).export(
            tmp_path / "signs.c", {"/*": 1.0, "??/": 2.0}
        ),
    ]
    functions = build_functions([sources[0] for sources in files])
    assert functions["constants"]([0.0]) == [1.5, -math.inf]
    assert functions["same"]([7.0]) == [7.0, 1.0]
    assert functions["signs"]([3.0, 4.0]) == [6.0, 4.0]


@both_suffixes
def test_export_of_a_gradient_step_agrees_with_python(tmp_path: Path, kind: str) -> None:
    """The gradient of a loop is compared, and may be infinite."""

    def loss(k: Any, x: Any) -> Any:
        for _ in range(500):
            x = x + 0.001 * sg.sin(k * x)
        return sg.sqrt(x) * k

    def step(k: Any, x: Any) -> Any:
        (dk, dx) = sg.grad(loss, argnums=(0, 1))(k, x)
        return sg.where(sg.gt(dx, 5.0), k, k - 0.1 * dk)

    source, _ = jit(step).export(tmp_path / f"descent{kind}", 0.7, 0.3)
    run = build_functions([source])["descent"]
    assert run([0.9, 0.4])[0] == pytest.approx(step(0.9, 0.4), rel=1e-11)
    assert not math.isfinite(run([0.9, 0.0])[0])
