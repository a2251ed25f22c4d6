"""Compiled functions as C: what is computed, how it is laid out, what is refused."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.export.compiling import compiled

import scalargrad as sg
from benchmarks import gpt
from benchmarks.moons import problem as moons
from scalargrad import OperandError, TraceError, Value, jit
from scalargrad.experiments import GPT, Alphabet
from scalargrad.experiments.names import plain_names
from scalargrad.export import c_file

UNARY: list[Callable[[Any], Any]] = [
    sg.sin, sg.tanh, sg.sigmoid, sg.gelu, abs, lambda x: -x, lambda x: x * x, lambda x: 1.0 - x,
]  # fmt: skip
BINARY: list[Callable[[Any, Any], Any]] = [
    lambda x, y: x + y, lambda x, y: x * y - y, sg.maximum, lambda x, y: x / (1.0 + y * y),
    lambda x, y: sg.where(sg.gt(x, y), x, y * 0.5), lambda x, y: sg.logsumexp([x, y, x]),
    lambda x, y: sg.mean([x, y, 2.0]), lambda x, y: sg.remainder(x, 1.5 + y * y),
]  # fmt: skip


both_kinds = pytest.mark.parametrize("kind", [".c", ".o"])


def random_program(seed: int, operations: int = 60) -> Callable[[list[Any]], Any]:
    """Return a function of three numbers that applies so many operations."""
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
    """Return results and gradients in the order of the layout, computed eagerly."""
    rows = [sg.gradients(x, leaves) for x in results]
    return [x.data for x in results] + [slope for row in rows for slope in row]


@both_kinds
def test_random_programs_agree(tmp_path: Path, kind: str) -> None:
    """Values and derivatives of many programs, at a point other than the one recorded."""
    points = random.Random(1)
    cases = {}
    for seed in range(30 if kind == ".c" else 6):
        run, name = random_program(seed), f"random_{seed}"
        start = [Value(points.uniform(-2, 2)) for _ in range(3)]
        jit(run).export(tmp_path / f"{name}{kind}", start)
        cases[name] = run
    functions = compiled([tmp_path / f"{name}{kind}" for name in cases])
    for name, run in cases.items():
        leaves = [Value(points.uniform(-2, 2)) for _ in range(3)]
        wanted = numbers_of(run(leaves), leaves)
        found = functions[name]([x.data for x in leaves])
        assert found[: len(wanted)] == pytest.approx(wanted, rel=1e-12, abs=1e-12), name


def test_packed_programs_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same programs, lookups and sums, written as large ones are."""
    monkeypatch.setattr(c_file, "UNPACKED", -1)
    test_random_programs_agree(tmp_path, ".c")
    test_sums_and_tables_of_any_length_agree(tmp_path, ".c")


@both_kinds
def test_the_moons_step_agrees(tmp_path: Path, kind: str) -> None:
    """Loss and gradient of micrograd's demo network, in functions of bounded size."""
    task = moons.moons(count=6)
    leaves = [Value(x) for x in task.parameters]

    def loss(parameters: list[Any]) -> Any:
        return moons.loss(parameters, task.points, task.labels, sg.relu, sg.relu)

    (source, _) = jit(loss).export(tmp_path / f"moons{kind}", leaves)
    root = loss(leaves)
    found = compiled([source])["moons"](task.parameters)
    assert found == pytest.approx(numbers_of([root], leaves), rel=1e-12, abs=1e-15)
    if kind == ".o":
        return
    bodies = re.findall(r"^static void moons_\d+\(.*?^}", source.read_text(), re.M | re.S)
    assert len(bodies) > 3
    assert max(body.count("\n") for body in bodies) < 700


def test_a_large_program_is_a_few_loops(tmp_path: Path) -> None:
    """The same over a hundred points: fifty thousand operations in a few hundred lines."""
    task = moons.moons(count=100)

    def loss(parameters: list[Any]) -> Any:
        return moons.loss(parameters, task.points, task.labels, sg.relu, sg.relu)

    step = sg.value_and_grad(loss)
    (source, header) = jit(step).export(tmp_path / "moons.c", task.parameters)
    value, gradient = step(task.parameters)
    found = compiled([source])["moons"](task.parameters)
    assert found == pytest.approx([value, *gradient], rel=1e-12, abs=1e-15)
    code = re.sub(r"= \{\n[^}]*\}", "", source.read_text())  # but for tables of numbers
    assert code.count("\n") < 500
    assert "bytes of static memory" in header.read_text()


def test_a_program_without_repetition_is_in_functions_of_bounded_size(tmp_path: Path) -> None:
    """Thousands of operations of all kinds, each on what came before."""
    run = random_program(5, operations=6000)
    start = [Value(x) for x in (0.3, -0.4, 0.9)]
    (source, _) = jit(run).export(tmp_path / "irregular.c", start)
    bodies = re.findall(r"^static void irregular_\d+\(.*?^}", source.read_text(), re.M | re.S)
    assert len(bodies) > 3
    assert max(body.count("\n") for body in bodies) < 700
    wanted = numbers_of(run(start), start)
    found = compiled([source])["irregular"]([x.data for x in start])
    assert found[: len(wanted)] == pytest.approx(wanted, rel=1e-9, abs=1e-12)


@pytest.mark.uncounted
@both_kinds
def test_a_gpt_agrees(tmp_path: Path, kind: str) -> None:
    """Loss and gradient of 4,192 parameters, by value_and_grad, for a name of two letters."""
    alphabet = Alphabet(plain_names())
    (tokens,), (targets,) = alphabet.examples(["al"])
    parameters = [p.data for p in GPT(len(alphabet), rng=0).parameters()]
    step = sg.value_and_grad(lambda parameters: gpt.loss(parameters, tokens, targets))
    (source, _) = jit(step).export(tmp_path / f"gpt{kind}", parameters)
    value, gradient = step(parameters)
    found = compiled([source])["gpt"](parameters)
    assert found[:-1] == pytest.approx([value, *gradient], rel=1e-12, abs=1e-15)
    assert found[-1] == 1.0


@both_kinds
def test_examples_of_vmap_are_loops_and_agree(tmp_path: Path, kind: str) -> None:
    """Forty examples are a few lines; a lookup for each, and what flows back, agree."""
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
    found = compiled([source])["lanes"](numbers)
    assert found[:8] == pytest.approx(numbers_of([eagerly(w, table)], [*w, *table]), rel=1e-12)
    assert found[8] == 1.0
    text = source.read_text() if kind == ".c" else ""
    assert (text.count("i < 40") > 5) is (kind == ".c")
    assert text.count("\n") < 250


@both_kinds
def test_numbers_of_each_example_are_looked_up_without_derivatives(
    tmp_path: Path, kind: str
) -> None:
    """A choice among what each example computes, where nothing flows back."""

    def one(x: Any) -> Any:
        return sg.take([x, sg.sin(x), x * x], sg.gt(x, 0.0) + sg.gt(x, 1.0))

    points = [-0.5, 0.5, 1.5, 2.5, -3.0]
    (source, _) = jit(sg.vmap(one)).export(tmp_path / f"chosen{kind}", points)
    found = compiled([source])["chosen"](points)
    assert found[:5] == pytest.approx([-0.5, math.sin(0.5), 2.25, 6.25, -3.0], rel=1e-15)


@both_kinds
def test_sums_and_tables_of_any_length_agree(tmp_path: Path, kind: str) -> None:
    """A hundred terms, a table of constants, entries far from one another."""
    constants = [float(k * k) for k in range(20)]

    def f(xs: list[Any], k: Any) -> list[Any]:
        odd = [xs[i] for i in (5, 3, 90, 7)]
        rows = [xs[i : i + 3] for i in range(4)]
        return [sg.dot(xs, xs), sg.take(constants, k), sg.take(odd, k), *sg.take(rows, k)]

    xs = [math.sin(k) for k in range(100)]
    leaves = [Value(x) for x in xs]
    (source, _) = jit(f).export(tmp_path / f"long_sums{kind}", leaves, 2)
    run = compiled([source])["long_sums"]
    for k in (0, 3, -1):
        found = run([*xs, float(k)])
        expected = [sum(x * x for x in xs), constants[k], [xs[5], xs[3], xs[90], xs[7]][k]]
        expected += [xs[k % 4 + i] for i in range(3)]
        assert found[:6] == pytest.approx(expected, rel=1e-12)
        assert found[6:106] == pytest.approx([2.0 * x for x in xs], rel=1e-12)
        assert found[206:306] == [float(i == [5, 3, 90, 7][k]) for i in range(100)]
        assert found[606] == 1.0
    assert math.isnan(run([*xs, 7.0])[0])


def branching(x: Any) -> Any:
    """Return one expression or another, by the number."""
    return x * x if x > 0 else -3.0 * x


@both_kinds
def test_a_branch_is_exported_with_whether_it_was_taken(tmp_path: Path, kind: str) -> None:
    """The last output says so; where it was not, there is no number that could be taken for one."""
    source, header = jit(branching).export(tmp_path / f"branch{kind}", Value(2.0))
    run = compiled([source])["branch"]
    assert run([5.0]) == [25.0, 10.0, 1.0]
    *others, taken = run([-5.0])
    assert taken == 0.0
    assert all(map(math.isnan, others))
    assert "2: whether the recorded way was taken" in header.read_text()


@both_kinds
def test_second_derivatives_of_a_polynomial_at_0_are_numbers(tmp_path: Path, kind: str) -> None:
    """Its first term is 3 x**0, whose slope has the slope 0 there, too, and not 0 · ∞."""

    def polynomial(x: Any) -> Any:
        return sum(c * x**k for k, c in enumerate([3.0, -1.0, 2.0, 0.5]))

    source, _ = jit(sg.grad(sg.grad(polynomial))).export(tmp_path / f"bent{kind}", 0.5)
    run = compiled([source])["bent"]
    assert [run([x])[0] for x in (0.0, 1.0, -2.0)] == [4.0, 7.0, -2.0]


def test_leaving_a_domain_unseen_is_told_too(tmp_path: Path) -> None:
    """The eager function raises DomainError where the result would be finite."""
    source, _ = jit(lambda x: 1.0 / (1.0 + 1.0 / x)).export(tmp_path / "unseen.c", 2.0)
    run = compiled([source])["unseen"]
    assert run([1.0]) == [0.5, 1.0]
    assert math.isnan(run([0.0])[0])


def test_what_is_closed_over_is_written_as_it_is_now(tmp_path: Path) -> None:
    """A model's parameters are constants of the file; its inputs are the function's."""
    model = sg.nn.Linear(2, 1, rng=0)
    for k, parameter in enumerate(model.parameters()):
        parameter.data = float(k + 1)
    held = jit(model).export(tmp_path / "held.c", [0.0, 0.0])
    closed = jit(lambda x: [*model(x)]).export(tmp_path / "closed.c", [0.0, 0.0])
    given = jit(lambda model, x: model(x)).export(tmp_path / "given.c", model, [0.0, 0.0])
    functions = compiled([held[0], closed[0], given[0]])
    model.parameters()[-1].data = 100.0
    assert [run([10.0, 20.0]) for run in functions.values()] == [[53.0]] * 3


def test_the_header_says_what_stands_where(tmp_path: Path) -> None:
    """Names are those of the parameters; containers are read in order; numbers are counted."""

    def f(w: Any, *points: Any, scale: Any) -> Any:
        a, b = points
        return {"loss": w["a"] * a[0] * scale, "rest": (b[1][0], 3.0, "note")}

    arguments: Any = {"a": Value(1.0), "b": 2.0}, (3.0, 4.0), np.eye(2)
    _, header = jit(f).export(tmp_path / "layout.c", *arguments, scale=np.float64(2.0))
    text = header.read_text()
    for line in (
        "in, 9 numbers:",
        "0: w['a']",
        "1: w['b']",
        "2 to 3: points[0][0] to points[0][1]",
        "4 to 7: points[1][0][0] to points[1][1][1]",
        "8: scale",
        "out, 6 numbers:",
        "0: result['loss']",
        "1 to 2: result['rest'][0] to result['rest'][1]",
        "3: d(result['loss'])/d(w['a'])",
    ):
        assert f" *   {line}\n" in text or f" * {line}\n" in text, line
    assert "#define LAYOUT_INPUTS 9\n#define LAYOUT_OUTPUTS 6\n" in text


def test_keys_with_the_signs_of_comments_compile(tmp_path: Path) -> None:
    """In the header they stand in a comment, which they neither end nor seem to begin again."""
    source, _ = jit(lambda d: {"*/ int": 2.0 * d["/*"], "/*/": d["??/"]}).export(
        tmp_path / "signs.c", {"/*": 1.0, "??/": 2.0}
    )
    assert compiled([source])["signs"]([3.0, 4.0]) == [6.0, 4.0]


def test_a_layout_too_long_to_read_is_cut_short(tmp_path: Path) -> None:
    """Two hundred lines are listed; the last says where it ends."""
    f = jit(lambda w: sum(w.values()))
    _, header = f.export(tmp_path / "many.c", {f"w{k}": float(k) for k in range(300)})
    assert "… and so on, to 299: w['w299']" in header.read_text()


def test_a_function_of_nothing_and_of_constants_compiles(tmp_path: Path) -> None:
    """Parameters that are not used do not offend the compiler."""
    first = jit(lambda x: [1.5, -math.inf]).export(tmp_path / "constants.c", 1.0)
    second = jit(lambda x: x).export(tmp_path / "same.c", Value(1.0))
    third = jit(lambda x: []).export(tmp_path / "none.c", 1.0)
    functions = compiled([first[0], second[0], third[0]])
    assert functions["constants"]([0.0]) == [1.5, -math.inf]
    assert functions["same"]([7.0]) == [7.0, 1.0]


def test_a_large_workspace_is_static_and_the_header_says_so(tmp_path: Path) -> None:
    """A thread's stack may be small."""
    f = jit(lambda xs: sum(sg.vmap(lambda x: sg.tanh(x) + x)(xs)))
    source, header = f.export(tmp_path / "wide.c", np.ones(9000))
    assert "static double m[" in source.read_text()
    assert "bytes of static memory: call it from one thread at a time" in header.read_text()
    assert compiled([source])["wide"]([0.5] * 9000) == pytest.approx(
        [9000 * (math.tanh(0.5) + 0.5)], rel=1e-12
    )


def test_a_method_is_exported_too(tmp_path: Path) -> None:
    """It is bound to its object, whose numbers are constants of the file."""

    class Scale:
        def __init__(self) -> None:
            self.factor = 3.0

        @jit
        def apply(self, x: Any) -> Any:
            return self.factor * x

    (source, _) = Scale().apply.export(tmp_path / "scaled.c", 1.0)
    assert compiled([source])["scaled"]([2.0]) == [6.0]


@pytest.mark.parametrize("name", ["a-b.c", "double.c", "exp.c", "1st.c", ".c", "main.c", "_x.c"])
def test_names_that_c_has_no_room_for_are_refused(tmp_path: Path, name: str) -> None:
    """The message names the path and what may be written."""
    with pytest.raises(OperandError, match=r"C does not allow|end it in"):
        jit(lambda x: x).export(tmp_path / name, 1.0)


def test_other_endings_are_refused(tmp_path: Path) -> None:
    """The message lists those there are."""
    with pytest.raises(OperandError, match=r"ends in '.rs': end it in one of .c, .json, .o, .so"):
        jit(lambda x: x).export(tmp_path / "f.rs", 1.0)


def test_what_a_file_cannot_hold_is_refused(tmp_path: Path) -> None:
    """Random numbers, operations declared by users, results in objects."""
    rng = random.Random(0)

    @sg.custom_op(partials=lambda y, x: (1.0,))
    def mine(x: float) -> float:
        return x

    class Holder:
        def __init__(self, x: Any) -> None:
            self.x = x

    for function, message in (
        (lambda x: x * sg.drawn(rng.random), "draws random numbers"),
        (mine, "mine cannot be written in C"),
        (Holder, "result is an object that holds Values"),
    ):
        with pytest.raises(TraceError, match=message):
            jit(function).export(tmp_path / "f.c", Value(1.0))
    assert not list(tmp_path.iterdir())


@both_kinds
def test_lanes_are_filled_from_anywhere_and_picked_one_by_one(tmp_path: Path, kind: str) -> None:
    """Inputs in and out of order, constants, and what is computed; results as an array."""

    def f(X: Any) -> Any:  # noqa: N803 - the field's name for the inputs
        x = X.ravel()
        mixed = [x[0], x[1], x[2], x[7], x[3], *map(float, range(9)), x[0] * x[1], 0.5, x[5]]
        rows = sg.vmap(lambda a, b: [sg.tanh(a) + b, a * b])(mixed, mixed[::-1])
        return np.array([rows[0][0], rows[3][1], rows[16][0], rows[8][1]]).reshape(2, 2)

    points = np.linspace(0.1, 0.8, 8).reshape(2, 4)
    files = jit(f).export(tmp_path / f"lanes_of_all{kind}", points)
    found = compiled(files[:1])["lanes_of_all"](points.ravel().tolist())
    with sg.disable_jit():
        wanted = f(points)
    assert found == pytest.approx(wanted.ravel().tolist(), rel=1e-12)
    assert "0 to 3: result[0][0] to result[1][1]" in files[1].read_text()
