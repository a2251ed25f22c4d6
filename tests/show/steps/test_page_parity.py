"""Texts, signs, digits and gradients of a step page equal those of Python at any input."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import pytest
from tests.inner import TABLE, FixedArityOperation

import scalargrad as sg
from scalargrad import DomainError, Parameter, Value
from scalargrad.nn import MLP
from scalargrad.show.steps import Walk, walk

from .conftest import Read
from .graphs import labelled
from .test_exactness import TELLING

pytestmark = pytest.mark.wide

Inputs = Mapping[str, float]
Build = Callable[..., Any]

GRAPHS: dict[str, tuple[Build, list[Inputs]]] = {
    "parameters": (
        lambda w0, x0, w1, x1, b: sg.reciprocal(sg.exp((w0 * x0 + w1 * x1 + b) * -1.0) + 1.0),
        [
            {"w0": 2.0, "x0": -1.0, "w1": -3.0, "x1": -2.0, "b": -3.0},
            {"w0": 0.1, "x0": 7.0, "w1": -2.5, "x1": 1e-5, "b": 12345.0},
        ],
    ),
    "network": (
        lambda x, y: sg.square(MLP(2, [3, 1], activation="tanh", rng=3)([x, y]) - 1.0),
        [{"x": 1.0, "y": -2.0}, {"x": -0.3, "y": 0.0}],
    ),
    "kinks and jumps": (
        lambda x, y: sg.relu(x) * sg.leaky_relu(y) + sg.clip(x, -1.0, y) + sg.floor(x + y),
        [{"x": 2.0, "y": -1.5}, {"x": -2.0, "y": 1.5}, {"x": 0.0, "y": 0.0}, {"x": 1.0, "y": 1.0}],
    ),
    "kinks that meet": (
        lambda x, y: sg.maximum(x * x, x) * y + sg.relu(x) - sg.relu(-x) - sg.minimum(x, y),
        [{"x": 2.0, "y": 2.0}, {"x": 0.0, "y": 2.0}, {"x": 1.0, "y": -1.0}],
    ),
    "rounded to few digits": (
        lambda x, y: sg.tanh(x) + sg.cos(y) + (1.0 + sg.exp(-x)) * sg.sqrt(abs(y)) + x / y,
        [{"x": 40.0, "y": 1e-9}, {"x": 0.0, "y": 0.5}, {"x": 1e18, "y": 2.0}],
    ),
    "not finite": (
        lambda x, y: y * sg.sqrt(x) + abs(y) * (2.0 - y) * -1.0,
        [{"x": 4.0, "y": 1.0}, {"x": 0.0, "y": 0.0}, {"x": 0.0, "y": 1e308}],
    ),
    "bends": (
        lambda x, y: sg.relu(x - 1.0) + sg.exp(30.0 * y) + x * x * 1e6 + (x + y) ** 0.5,
        [{"x": 0.999, "y": 0.0}, {"x": 0.0, "y": 0.1}, {"x": 1e9, "y": 1e-9}],
    ),
    "reductions": (
        lambda x, y, z: (
            sg.dot([x, y, 2.0], [z, x, y], z) + sg.logsumexp([x, y, 1.0])
            + sg.mean([x, y, z, x]) + sg.sum([x, y, z, x, y, z, x, y])
        ),
        [{"x": 0.5, "y": -1.25, "z": 3.0}, {"x": -7.0, "y": 0.0, "z": 1e7}],
    ),
    "softmax": (
        lambda x, y, z: (
            sg.softmax([x * y, y - z, -math.inf, sg.tanh(x)])[1] - sg.log(sg.softmax([x, y, z])[0])
        ),
        # the same class is the largest at each point, since it has its own gate
        [{"x": 20.0, "y": -20.0, "z": -60.0}, {"x": 30.0, "y": -30.0, "z": -90.0}],
    ),
    "softmax of softmax": (
        lambda x, y: sg.softmax([p * x for p in sg.softmax([x, y, x * y])])[0],
        [{"x": 2.0, "y": 1.0}, {"x": 0.5, "y": -0.25}, {"x": 1.0, "y": math.nan}],
    ),
    "names": (
        lambda x, y: labelled(labelled(x - y, "a + b") * y, "-c") + x * x,
        [{"x": 2.0, "y": -1.0}, {"x": -2.0, "y": 1e-7}],
    ),
}  # fmt: skip


def leaves_of(inputs: Inputs) -> dict[str, Value]:
    """Return leaves; w and b are parameters."""
    kinds = {name: Parameter if name[0] in "wb" else Value for name in inputs}
    return {name: kinds[name](x, name) for name, x in inputs.items()}


def words(steps: Walk, notation: Any) -> list[dict[str, Any]]:
    """Return all texts of each step by Python."""
    return [
        {
            "whole": [step.text(notation), step.mathml(notation)],
            "symbols": [step.symbols(notation), step.symbols(notation, "mathml")],
            "numbers": [step.numbers(notation), step.numbers(notation, "mathml")],
            "local": [step.local_text(), step.local_text("mathml")],
            "sentence": step.sentence(notation),
            "notes": step.notes(notation),
        }
        for step in steps
    ]


def said(page: Any, notation: str = "partial") -> Any:
    """Return all texts of each step by a page, through JSON, which is faster."""
    return json.loads(page.evaluate("own => JSON.stringify(scalargrad.texts(own))", notation))


@pytest.mark.parametrize("graph", GRAPHS)
def test_page_texts_and_numbers_equal_those_of_python(graph: str, read: Read) -> None:
    """In three notations, as text and as MathML; values and gradients to twelve digits."""
    build, points = GRAPHS[graph]
    page = read(walk(build(**leaves_of(points[-1]))))
    for inputs in points:
        page.set(**inputs)
        leaves = leaves_of(inputs)
        root = build(**leaves)
        steps = walk(root)
        for notation in ("partial", "bar", "delta"):
            assert said(page.page, notation) == words(steps, notation)
        numbers = page.page.evaluate("scalargrad.numbers()")
        nodes = [*steps.graph.order]
        close = partial(pytest.approx, rel=1e-12, abs=1e-15, nan_ok=True)
        assert numbers["data"] == close([x.data for x in nodes])
        assert numbers["gradients"] == close(sg.gradients(root, nodes, allow_nonfinite=True))


def valid_points(op: Any, arity: int, count: int) -> list[list[float]]:
    """Draw points at which an operation has a finite result, mostly special ones."""
    rng, found = random.Random(f"{op.name} of {arity}"), list[list[float]]()
    while len(found) < count:
        low, high = op.domain.interval(0)
        drawn = [float(rng.choice([*TELLING, rng.uniform(low, high)])) for _ in range(arity)]
        try:
            if math.isfinite(op.of_floats(*drawn)):
                found.append(drawn)
        except DomainError:
            pass
    return found


def compare(build: Callable[[list[Value]], Value], points: list[list[float]], read: Read) -> None:
    """Compare formulas, numbers and local derivatives of a page with Python's, at each point."""

    def at(point: list[float]) -> Walk:
        return walk(build([Value(x, f"a{i}") for i, x in enumerate(point)]))

    page = read(at(points[0]), limit=10_000)
    for point in points:
        page.set(**{f"a{i}": x for i, x in enumerate(point)})
        found = [
            (x["whole"][0], x["numbers"][0], x["local"][0], x["notes"]) for x in said(page.page)
        ]
        steps = at(point)
        expected = [(x.text(), x.numbers(), x.local_text(), x.notes()) for x in steps]
        assert found == expected


def test_page_signs_equal_those_of_python_for_every_operation(read: Read) -> None:
    """= or ≈ before results, local derivatives and products."""
    uses = [(op, op.arity if isinstance(op, FixedArityOperation) else 3) for op in TABLE.values()]
    drawn = [valid_points(op, arity, 5) for op, arity in uses]

    def build(leaves: list[Value]) -> Value:
        ahead = iter(leaves)
        results: list[Value] = [op.of(*[next(ahead) for _ in range(arity)]) for op, arity in uses]
        return sg.sum(results)

    points = [[x for found in drawn for x in found[k]] for k in range(5)]
    compare(build, points, read)


#: Ties, which JavaScript's toFixed and toPrecision round up, and Python to even.
TIES = [0.5, 1.5, 1000.5, 1001.5, 12345.0, 12355.0, 9999.5, 99995.0, -2000.5, 0.03125, 3.0625]
TIES += [3988.5, 1000.25, -227.25, 14577.5, -47018.0, -5.3125]
#: Subnormal numbers with so few bits that several numbers of four digits give the same float.
SUBNORMAL = [5e-324, -1e-323, 2e-320, 3e-310]


def test_page_numbers_and_sums_equal_those_of_python(read: Read) -> None:
    """Including ties: four digits, the sign of a change, = or ≈, and the sums."""
    rng = random.Random(0)

    def drawn() -> float:
        size = rng.uniform(-1.0, 1.0) * 10.0 ** rng.randint(-300, 300)
        half = rng.randrange(-(10**6), 10**6) / 2 ** rng.randrange(12)
        decimal = rng.randrange(10**5) / 10 ** rng.randrange(9)
        chosen: float = rng.choice([size, half, decimal, rng.choice(TIES), rng.choice(SUBNORMAL)])
        return chosen

    def build(leaves: list[Value]) -> Value:
        x, *rest = leaves
        sums: list[Value] = [
            sg.dot([x] * n, rest[8 * i :][:n]) for i, n in enumerate([2, 3, 4, 5, 8])
        ]
        return sg.sum([*sums, *(a * b for a, b in zip(rest[::2], rest[1::2], strict=True))])

    def point() -> list[float]:
        return [1.0, *(drawn() for _ in range(40))]

    compare(build, [point() for _ in range(12)], read)
