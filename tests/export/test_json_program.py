"""Programs as JSON: they validate, load back, and compute the same bits."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scalargrad as sg
from scalargrad import OperandError, StateError, TraceError, Value, jit
from scalargrad.compiler.trace.example_lanes import FEWEST
from scalargrad.export import load

SCHEMA = Path(sg.__file__).parent / "export" / "program.schema.json"


def lanes(w: list[Any], table: list[Any], points: Any, classes: Any) -> Any:
    """Return what needs stacks, picks, totals, lookups and what flows back from them."""
    rows = sg.vmap(lambda x, k: sg.tanh(sg.dot(w, x)) * sg.take(table, k))(points, classes)
    return sum(rows) + rows[0] * sg.take(table, classes[1])


def errors(w: list[Any]) -> Any:
    """Return a loss in a loop over as many results of vmap as are joined, each with a label."""
    rows = sg.vmap(lambda x: [sg.tanh(w[0] * x), w[1] * x])([0.01 * k for k in range(FEWEST)])
    return sum((y[k % 2] - 0.1 * (k % 7)) ** 2 for k, y in enumerate(rows)) + sum(map(sum, rows))


LANES = (
    [Value(0.5), Value(-1.0)],
    [Value(1.0), Value(2.0), Value(3.0)],
    np.linspace(-1.0, 1.0, 12).reshape(6, 2),
    [k % 3 for k in range(6)],
)
CASES: dict[str, tuple[Callable[..., Any], tuple[Any, ...]]] = {
    "lanes": (lanes, LANES),
    "joined examples": (errors, ([Value(0.5), Value(-0.2)],)),
    "mixture": (
        lambda x, y: [sg.gelu(x * y), sg.logsumexp([x, y, 2.0]), sg.maximum(x, y), -math.inf],
        (Value(0.3), Value(-1.2)),
    ),
    "pow": (lambda x: x**2.5 + sg.sqrt(x), (Value(2.0),)),
}


def flat(arguments: tuple[Any, ...]) -> list[float]:
    """Return the numbers of arguments in order."""
    from scalargrad.tree import flatten

    return [float(getattr(x, "data", x)) for x in flatten(list(arguments), "arguments")[0]]


@pytest.mark.parametrize("name", CASES)
def test_a_program_loads_back_and_computes_the_same_bits(tmp_path: Path, name: str) -> None:
    """Results and derivatives are those of the compiled function."""
    function, arguments = CASES[name]
    compiled = jit(function)
    (path,) = compiled.export(tmp_path / "f.json", *arguments)
    loaded = load(path)
    results = compiled(*arguments)
    listed = results if isinstance(results, list) else [results]
    leaves = [x for part in arguments for x in np.ravel(np.asarray(part, dtype=object))]
    leaves = [x for x in leaves if isinstance(x, Value)]
    found = loaded(flat(arguments))
    assert found[: len(listed)] == [getattr(x, "data", x) for x in listed]
    rows = [sg.gradients(x, leaves) for x in listed if isinstance(x, Value)]
    wanted = [slope for row in rows for slope in row]
    assert found[len(listed) :][: len(wanted)] == pytest.approx(wanted, rel=1e-14)
    assert len(loaded.inputs) == len(flat(arguments))
    assert len(loaded.outputs) == len(found)
    assert repr(loaded) == f"<f: {len(loaded.inputs)} numbers to {len(found)}>"


@pytest.mark.parametrize("name", CASES)
def test_a_program_validates(tmp_path: Path, name: str) -> None:
    """The schema that ships describes what is written, and not just anything."""
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    function, arguments = CASES[name]
    (path,) = jit(function).export(tmp_path / "f.json", *arguments)
    found = json.loads(path.read_text())
    jsonschema.validate(found, schema)
    found["nodes"][-1]["args"] = [-1]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(found, schema)


def test_numbers_on_another_way_are_refused(tmp_path: Path) -> None:
    """A program knows which way it was recorded on."""
    (path,) = jit(lambda x: x * x if x > 0 else -x).export(tmp_path / "square.json", 3.0)
    square = load(path)
    assert square([5.0]) == [25.0]
    with pytest.raises(TraceError, match="square was recorded on another path"):
        square([-5.0])
    with pytest.raises(OperandError, match="square takes 1 numbers, not 2"):
        square([1.0, 2.0])


def test_custom_operations_are_refused(tmp_path: Path) -> None:
    """A file has no room for what a user declares in Python."""

    @sg.custom_op(partials=lambda y, x: (1.0,))
    def mine(x: float) -> float:
        return x

    with pytest.raises(TraceError, match="mine cannot be written to a file"):
        jit(mine).export(tmp_path / "f.json", 1.0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "scalargrad program 9"}, "has the format 'scalargrad program 9'"),
        ({"nodes": None}, "is damaged: TypeError"),
        ({"nodes": [{"op": "no_such_op", "args": []}]}, "KeyError: 'no_such_op'"),
        ({"nodes": [{"op": "exp", "args": [0]}]}, "node 0 reads what is not before it"),
        ({"nodes": [{"op": "constant", "value": 1}, {"op": "input", "args": []}]}, "inputs stand"),
        ({"nodes": [{"op": "input", "args": []}], "results": [1]}, "an output is not a node"),
        ({"inputs": ["a", "b", "c"]}, "its names are not as many as its numbers"),
        (
            {"nodes": [{"op": "input", "args": []}, {"op": "exp", "partial": 1, "args": [0]}]},
            "exp has no partial 1",
        ),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    """The message says what is wrong, and names the file."""
    (path,) = jit(sg.exp).export(tmp_path / "f.json", 1.0)
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(StateError, match=message) as raised:
        load(path)
    assert str(path) in str(raised.value)


def test_what_is_no_json_is_refused(tmp_path: Path) -> None:
    """So is what is cut off."""
    path = tmp_path / "f.json"
    path.write_text('{"format": ')
    with pytest.raises(StateError, match="holds no program of scalargrad's"):
        load(path)


def test_random_numbers_travel_to_the_bit(tmp_path: Path) -> None:
    """Constants of all sizes, and those JSON has no word for."""
    rng = random.Random(0)
    numbers = [rng.uniform(-1, 1) * 10.0 ** rng.randint(-300, 300) for _ in range(50)]
    numbers += [math.inf, -math.inf, math.nan, -0.0, 5e-324]
    (path,) = jit(lambda x: [sg.where(sg.gt(x, 0), c, c) for c in numbers]).export(
        tmp_path / "f.json", 1.0
    )
    assert list(map(repr, load(path)([1.0]))) == list(map(repr, numbers))


@pytest.mark.parametrize(
    ("op", "args"),
    [
        ("exp", [2]),  # a row is no number
        ("exp", [3]),
        ("row", [0, 2]),
        ("take", [0, 0]),
        ("take", [2, 2]),
        ("take", [0, 3]),
        ("entry", [2, 1]),
        ("entry", [3, 0]),  # its place is known
        ("entry", [3, 1]),  # and in the row, which has no place 2
        ("scatter", [0, 0, 0]),  # its size is known
        ("scatter", [1, 0]),
        ("row", []),
    ],
)
def test_rows_are_read_by_lookups_alone(tmp_path: Path, op: str, args: list[int]) -> None:
    """A row has many cells, and its entries are those it has."""
    (path,) = jit(sg.exp).export(tmp_path / "f.json", 1.0)
    nodes: list[dict[str, Any]] = [
        {"op": "input", "args": []},
        {"op": "constant", "value": 2.0},
        {"op": "row", "args": [0, 1]},
        {"op": "scatter", "args": [1, 0, 0]},
        {"op": "constant", "value": 0.0},
        {"op": "entry", "args": [3, 4]},
        {"op": "take", "args": [4, 2]},
    ]
    sound = json.loads(path.read_text()) | {"one": -1, "outputs": ["y"], "expected": []}
    path.write_text(json.dumps({**sound, "nodes": nodes, "results": [6]}))
    assert load(path)([5.0]) == [5.0]
    path.write_text(json.dumps({**sound, "nodes": [*nodes, {"op": op, "args": args}]}))
    with pytest.raises(StateError, match=f"{op}, has operands that it cannot have"):
        load(path)
    path.write_text(json.dumps({**sound, "nodes": nodes[:3], "results": [2]}))
    with pytest.raises(StateError, match="a result is several numbers"):
        load(path)
