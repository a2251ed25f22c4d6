"""Graphs of Values as JSON and as graphs of NetworkX."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

import scalargrad as sg
from scalargrad import GraphError, Parameter, StateError, Value
from scalargrad.export import from_json, to_json, to_networkx
from scalargrad.graph import topological_order

SCHEMA = Path(sg.__file__).parent / "export" / "graph.schema.json"


def example() -> Value:
    """Return a graph with all there is: shared nodes, constants, labels, parameters, infinities."""
    x, w = Value(0.1, "x"), Parameter(-2.0, "w")
    h = sg.tanh(w * x + 0.3)
    h.label = "h"
    y: Value = sg.dot([h, 2.0, h], [x, h, 0.5], 1.0) + h * h + sg.exp(Value(1000.0, "große Zahl"))
    y.backward(allow_nonfinite=True)
    return y


def described(root: Value) -> list[Any]:
    """Return all there is to know of a graph."""
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


def test_a_graph_comes_back_to_the_bit() -> None:
    """With its gradients; and it goes on from there: backward gives the same again."""
    root = example()
    again = from_json(to_json(root))
    assert described(again) == described(root)
    for node in topological_order(again):
        node.grad = 0.0
    again.backward(allow_nonfinite=True)
    assert described(again) == described(root)
    assert to_json(from_json(to_json(root))) == to_json(root)


def test_a_graph_is_node_link_data_and_validates() -> None:
    """By the schema that ships; NetworkX reads it as it is."""
    jsonschema = pytest.importorskip("jsonschema", reason="jsonschema is not installed")
    schema = json.loads(SCHEMA.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    found = json.loads(to_json(example()))
    jsonschema.validate(found, schema)
    del found["nodes"][0]["label"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(found, schema)


def test_networkx_finds_paths_in_a_graph() -> None:
    """Its wires carry local gradients, whose products along all paths add up to the gradient."""
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


def test_two_wires_between_the_same_nodes_are_two() -> None:
    """X · x reads x twice."""
    pytest.importorskip("networkx", reason="networkx is not installed")
    x = Value(3.0)
    assert sorted(to_networkx(x * x).edges(keys=True)) == [(0, 1, 0), (0, 1, 1)]


def test_operations_that_are_not_in_the_table_are_refused() -> None:
    """Custom ones and compiled functions have no name that another process would know."""

    @sg.custom_op(partials=lambda y, x: (1.0,))
    def mine(x: float) -> float:
        return x

    for made in (mine(Value(1.0)), sg.jit(lambda x: x * x)(Value(2.0))):
        with pytest.raises(GraphError, match="not an operation of the table"):
            to_json(made)


def broken(**changes: Any) -> str:
    """Return the JSON of x · 2, changed."""
    found = json.loads(to_json(Value(1.0) * 2.0))
    for name, (place, change) in changes.items():
        found[name][place] = {**found[name][place], **change}
    return json.dumps(found)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[", "holds no graph of scalargrad's"),
        ('{"graph": {"format": "another"}}', "has the format 'another'"),
        (broken(nodes=(0, {"kind": "other"})), "KeyError: 'other'"),
        (broken(nodes=(2, {"op": "no_such_op"})), "KeyError: 'no_such_op'"),
        (broken(nodes=(2, {"op": None})), "node 2 has operands and no operation"),
        (broken(edges=(0, {"source": 2})), "node 2 reads what is not before it"),
        (broken(edges=(1, {"key": 7})), "node 2 lacks an operand"),
    ],
)
def test_damaged_text_is_refused(text: str, message: str) -> None:
    """The message says what is wrong."""
    with pytest.raises(StateError, match=message):
        from_json(text)


def test_a_root_that_is_a_constant_is_refused() -> None:
    """It has no graph."""
    found = json.loads(to_json(Value(1.0) * 2.0))
    found["graph"]["root"] = 1
    with pytest.raises(StateError, match="the root of the graph is a constant"):
        from_json(json.dumps(found))
