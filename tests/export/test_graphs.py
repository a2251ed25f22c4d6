"""Graphs of Values as JSON, with exact round trips, in NetworkX and in SymPy."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

import mpmath
import pytest
from tests.inner import TABLE, topological_order

import scalargrad as sg
from scalargrad import GraphError, OperandError, Parameter, StateError, Value, value_and_grad
from scalargrad.export import from_json, to_json, to_networkx, to_sympy


@sg.custom_op(partials=lambda y, x: (1.0,))
def custom_identity(x: float) -> float:
    """Return x: a custom operation, which other processes do not have."""
    return x


def example() -> Value:
    """Return a graph with shared nodes, constants, labels, parameters and infinities."""
    x, w = Value(0.1, "x"), Parameter(-2.0, "w")
    h = sg.tanh(w * x + 0.3)
    h.label = "h"
    y: Value = sg.dot([h, 2.0, h], [x, h, 0.5], 1.0) + h * h + sg.exp(Value(1000.0, "große Zahl"))
    y.backward(allow_nonfinite=True)
    return y


def describe(root: Value) -> list[Any]:
    """Return all data of a graph."""
    order = topological_order(root)
    place: dict[Any, int] = {node: k for k, node in enumerate(order)}
    return [
        (
            type(node),
            node.op,
            node.label,
            node.data.hex(),
            node.grad.hex(),
            [place[x] if isinstance(x, Value) else x.hex() for x in node.parents],
            [x if x is None else x.hex() for x in node.local_grads],
        )
        for node in order
    ]


def test_to_json_and_from_json_round_trip_is_exact() -> None:
    """Gradients are included; backward on the restored graph gives the same ones."""
    root = example()
    again = from_json(to_json(root))
    assert describe(again) == describe(root)
    for node in topological_order(again):
        node.grad = 0.0
    again.backward(allow_nonfinite=True)
    assert describe(again) == describe(root)
    assert to_json(from_json(to_json(root))) == to_json(root)


def test_to_json_refuses_custom_operations_and_compiled_functions() -> None:
    """Another process could not restore them."""
    for root, reason in (
        (custom_identity(Value(1.0)), "not an operation"),
        (sg.jit(lambda x: x * x)(Value(2.0)), "graph"),
    ):
        with pytest.raises(GraphError, match=reason):
            to_json(root)


def damaged_json(**changes: Any) -> str:
    """Return the JSON of x · 2 with changes."""
    found = json.loads(to_json(Value(1.0) * 2.0))
    for name, (place, change) in changes.items():
        found[name][place] = {**found[name][place], **change}
    return json.dumps(found)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("[", id="incomplete"),
        pytest.param('{"graph": {"format": "another"}}', id="another format"),
        pytest.param(damaged_json(nodes=(0, {"kind": "other"})), id="kind"),
        pytest.param(damaged_json(nodes=(2, {"op": "no_such_op"})), id="operation"),
        pytest.param(damaged_json(nodes=(2, {"op": None})), id="no operation"),
        pytest.param(damaged_json(edges=(0, {"source": 2})), id="cycle"),
        pytest.param(damaged_json(edges=(1, {"key": 7})), id="operand"),
        pytest.param(
            to_json(Value(1.0) * 2.0).replace('"root": 2', '"root": 1'), id="constant as root"
        ),
    ],
)
def test_from_json_refuses_damaged_text(text: str) -> None:
    """The graph is not restored in part."""
    with pytest.raises(StateError):
        from_json(text)


@pytest.mark.wide
def test_to_json_agrees_with_the_schema() -> None:
    """The schema of the package accepts a graph, and refuses one without a label."""
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    schema = json.loads((Path(sg.__file__).parent / "export" / "graph.schema.json").read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    found = json.loads(to_json(example()))
    jsonschema.validate(found, schema)
    del found["nodes"][0]["label"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(found, schema)


@pytest.mark.wide
def test_to_networkx_has_paths_with_local_gradients() -> None:
    """The products of the local gradients along all paths add up to the gradient."""
    networkx = pytest.importorskip("networkx", reason="networkx is not installed")
    x, y, z = Value(-2.0, "x"), Value(5.0, "y"), Value(-4.0, "z")
    f = (x + y) * z + x * 3.0
    f.backward()
    graph = to_networkx(f)
    (source,) = [k for k, node in graph.nodes(data=True) if node.get("label") == "x"]
    paths = networkx.all_simple_edge_paths(graph, source, graph.graph["root"])
    products = [math.prod(graph.edges[e]["local_grad"] for e in path) for path in paths]
    assert sum(products) == x.grad == -1.0
    assert graph.nodes[source] == {
        "kind": "value", "data": -2.0, "grad": -1.0, "label": "x", "op": None,
    }  # fmt: skip
    read = networkx.node_link_graph(json.loads(to_json(f)), edges="edges")
    assert networkx.utils.graphs_equal(read, graph)
    assert sorted(to_networkx(x * x).edges(keys=True)) == [(0, 1, 0), (0, 1, 1)]  # reads x twice


@pytest.fixture
def sympy() -> Any:
    """Return SymPy."""
    return pytest.importorskip("sympy", reason="sympy is not installed")


#: Expressions of SymPy that are defined at positive numbers.
EXPRESSIONS = [
    *("x + y", "x - y", "x * y", "x / y", "x**y", "x**-3", "sqrt(x)", "x**Rational(1, 3)"),
    *("exp(-x)", "log(x)", "log(x, 2)", "sin(x)", "cos(x * y)", "tan(x / 3)", "asin(x / 3)"),
    *("acos(x / 3)", "atan(x)", "atan2(y, x)", "sinh(x)", "cosh(x)", "tanh(x)", "asinh(x)"),
    *("acosh(x + 1)", "atanh(x / 3)", "erf(x)", "erfc(x)", "Abs(x - y)", "Max(x, y)"),
    *("Min(x, y, 1)", "Piecewise((x**2, x > y), (y, True))", "floor(x) * x", "ceiling(y) * x"),
    *("pi * x + E * y", "Mod(x, y) + y"),
]


@pytest.mark.wide
@pytest.mark.parametrize("formula", EXPRESSIONS)
def test_sympy_lambdify_with_scalargrad_is_differentiable(sympy: Any, formula: str) -> None:
    """Value and gradient agree with SymPy to thirteen digits."""
    symbols = sympy.symbols("x y", positive=True)
    expression = sympy.sympify(formula, dict(zip("xy", symbols, strict=True)))
    f = sympy.lambdify(symbols, expression, modules=[sg, "math"])
    value, slopes = value_and_grad(lambda x, y: f(x, y) + 0.0 * x, argnums=(0, 1))(1.25, 0.7)

    def number(*moved: Any) -> Any:
        at = (sympy.Rational(5, 4) + moved[0], sympy.Rational(7, 10) + moved[1])
        return sympy.N(expression.subs(dict(zip(symbols, at, strict=True))), 60)

    assert value == pytest.approx(float(number(0, 0)), rel=1e-13)
    step = sympy.Rational(1, 10**20)
    for slope, (dx, dy) in zip(slopes, ((step, 0), (0, step)), strict=True):
        exact = float((number(dx, dy) - number(-dx, -dy)) / (2 * step))
        assert slope == pytest.approx(exact, rel=1e-12, abs=1e-13)


@pytest.mark.wide
def test_sympy_sign_as_copysign_is_an_error(sympy: Any) -> None:
    """SymPy prints it as math.copysign, which does not accept Values."""
    x, y = sympy.symbols("x y")
    with pytest.raises(OperandError, match="gradient"):
        sympy.lambdify((x, y), sympy.sign(x - y), modules=[sg, "math"])(Value(1.0), 2.0)


@pytest.mark.wide
@pytest.mark.parametrize("name", [name for name in TABLE if name != "rint"])
def test_to_sympy_of_every_operation_has_its_value(sympy: Any, name: str) -> None:
    """They agree at points of the operation's domain."""
    op, generator = TABLE[name], random.Random(name)
    intervals = [op.domain.interval(i) for i in range(getattr(op, "arity", 4))]
    points = [[generator.uniform(*x) for x in intervals] for _ in range(2)]
    leaves = [Value(x, f"x{i}") for i, x in enumerate(points[0])]
    symbols = [sympy.Symbol(x.label, real=True) for x in leaves]
    function = sympy.lambdify(symbols, to_sympy(op.of(*leaves)), "mpmath")
    with mpmath.workdps(30):
        for at in points:
            found = float(function(*map(mpmath.mpf, at)))
            assert found == pytest.approx(op.of(*map(Value, at)).data, rel=1e-12)


@pytest.mark.wide
def test_to_sympy_can_be_simplified_and_differentiated(sympy: Any) -> None:
    """The derivative of a sigmoid neuron agrees with backward; 5,000 additions are no problem."""
    w, x = Value(2.0, "w"), Value(-1.0, "x")
    root = sg.sigmoid(w * x - 3)
    root.backward()
    expression = to_sympy(root)
    symbols = sympy.symbols("w x", real=True)
    assert sympy.simplify(expression - 1 / (1 + sympy.exp(3 - symbols[0] * symbols[1]))) == 0
    slope = sympy.diff(expression, symbols[0]).subs(dict(zip(symbols, (2, -1), strict=True)))
    assert w.grad == pytest.approx(float(slope), rel=1e-14)
    chosen = to_sympy(sg.where(sg.gt(w, x), sg.hypot(w, x), sg.square(x)))
    found = [chosen.subs(dict(zip(symbols, at, strict=True))) for at in ((3, -1), (3, 4))]
    assert found == [sympy.sqrt(10), 16]
    total = x
    for _ in range(5000):
        total = total + x
    assert to_sympy(total) == 5001 * symbols[1]


@pytest.mark.wide
def test_to_sympy_refuses_rint_and_custom_operations(sympy: Any) -> None:
    """SymPy has no function for them."""
    for root in (sg.rint(Value(1.5)), custom_identity(Value(1.0))):
        with pytest.raises(GraphError, match="SymPy"):
            to_sympy(root)
