"""Graphs of Values as node-link data: JSON there and back to the bit, and NetworkX.

The schema ships with the package as ``graph.schema.json``. ``networkx.node_link_graph`` reads the
same JSON.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from scalargrad.call import require_no_call
from scalargrad.errors import GraphError, StateError
from scalargrad.graph import topological_order
from scalargrad.ops import TABLE
from scalargrad.system.packages import needed
from scalargrad.system.short_repr import shown
from scalargrad.table.numbers import json_number
from scalargrad.table.validation import instance
from scalargrad.value import Parameter, Value

if TYPE_CHECKING:
    import networkx as nx

FORMAT = "scalargrad graph 1"
_KINDS: dict[str, type[Value]] = {"value": Value, "parameter": Parameter}


def to_json(root: Value) -> str:
    """Write the graph under a Value as JSON.

    Parameters
    ----------
    root : Value

    Returns
    -------
    str
        Node-link data: ``nodes``, operands before results, with data, grad, label and operation;
        ``edges`` from operands to results, with the place of the operand and the local gradient.

    Raises
    ------
    GraphError
        If it holds operations that are not in the table: custom ones, compiled functions.

    Examples
    --------
    >>> x = Value(3.0, "x")
    >>> again = from_json(to_json(x * x))
    >>> again.data, again.parents[0] is again.parents[1]
    (9.0, True)
    """
    return json.dumps(_node_link(root, json_number), ensure_ascii=False)


def _node_link(root: Value, number: Any) -> dict[str, Any]:
    """Return node-link data, with numbers as `number` writes them."""
    order = topological_order(root)
    require_no_call(order)
    nodes: list[dict[str, Any]] = []
    edges: list[dict[str, Any]] = []
    place: dict[Value, int] = {}
    for node in order:
        operands = []
        for operand in node.parents:
            if not isinstance(operand, Value):
                nodes.append({"id": len(nodes), "kind": "constant", "data": number(operand)})
            operands.append(place[operand] if isinstance(operand, Value) else len(nodes) - 1)
        place[node] = target = len(nodes)
        nodes.append(_described(node, target, number))
        locals_ = zip(operands, node.local_grads, strict=True)
        edges += [
            {"source": source, "target": target, "key": k, "local_grad": _unless_none(x, number)}
            for k, (source, x) in enumerate(locals_)
        ]
    graph = {"format": FORMAT, "root": place[root]}
    return {"directed": True, "multigraph": True, "graph": graph, "nodes": nodes, "edges": edges}


def _unless_none(x: float | None, number: Any) -> Any:
    return None if x is None else number(x)


def _described(node: Value, place: int, number: Any) -> dict[str, Any]:
    op = node.op
    if op is not None and TABLE.get(op.name) is not op:
        raise GraphError(
            f"{node!r} was made by {op.name}, which is not an operation of the table: custom "
            "operations and compiled functions cannot be written; for these, see jit(f).export"
        )
    kind = "parameter" if isinstance(node, Parameter) else "value"
    found = {"id": place, "kind": kind, "data": number(node.data), "grad": number(node.grad)}
    return {**found, "label": node.label, "op": None if op is None else op.name}


def from_json(text: str) -> Value:
    """Return the root of a graph that `to_json` wrote, as it was to the bit.

    Raises
    ------
    StateError
        If the text is damaged or foreign.
    """
    try:
        found = json.loads(instance(text, "text", str, "what to_json wrote (str)"))
        if found["graph"]["format"] != FORMAT:
            raise StateError(f"the graph has the format {shown(found['graph']['format'])}")
        nodes = [_read_node(node) for node in found["nodes"]]
        _connect(nodes, found)
        root = nodes[found["graph"]["root"]]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise StateError(
            f"the text holds no graph of scalargrad's, or is damaged: {type(error).__name__}: "
            f"{error}"
        ) from error
    if not isinstance(root, Value):
        raise StateError("the text is damaged: the root of the graph is a constant")
    return root


def _read_node(node: dict[str, Any]) -> Value | float:
    if node["kind"] == "constant":
        return float(node["data"])
    made = _KINDS[node["kind"]](float(node["data"]), node["label"])
    made.grad = float(node["grad"])
    made.op = None if node["op"] is None else TABLE[node["op"]]
    return made


def _connect(nodes: list[Value | float], found: dict[str, Any]) -> None:
    """Give each node its operands, which stand before it."""
    wires: dict[int, list[dict[str, Any]]] = {}
    for edge in found["edges"]:
        if not 0 <= edge["source"] < edge["target"]:
            raise ValueError(f"node {edge['target']} reads what is not before it")
        wires.setdefault(edge["target"], []).append(edge)
    for target, edges in wires.items():
        edges.sort(key=lambda edge: edge["key"])
        if [edge["key"] for edge in edges] != list(range(len(edges))):
            raise ValueError(f"node {target} lacks an operand")
        node: Any = nodes[target]
        node.parents = tuple([nodes[edge["source"]] for edge in edges])
        node.local_grads = tuple([_unless_none(edge["local_grad"], float) for edge in edges])
    for node, described in zip(nodes, found["nodes"], strict=True):
        if isinstance(node, Value) and (node.op is None) is bool(node.parents):
            raise ValueError(f"node {described['id']} has operands and no operation, or none")


def to_networkx(root: Value) -> nx.MultiDiGraph:
    """Return the graph under a Value as a graph of NetworkX.

    Parameters
    ----------
    root : Value

    Returns
    -------
    networkx.MultiDiGraph
        Nodes are numbers, operands before results, with the attributes ``kind``, ``data``,
        ``grad``, ``label`` and ``op``; edges lead from operand to result, their key the place of
        the operand, with the attribute ``local_grad``. The graph's own attribute ``root`` is a
        node.

    Raises
    ------
    MissingPackageError
        If NetworkX is not installed.
    GraphError
        As `to_json`.

    Examples
    --------
    >>> x = Value(3.0, "x")
    >>> graph = to_networkx(x * x)  # doctest: +SKIP
    >>> list(graph.edges(data="local_grad"))  # doctest: +SKIP
    [(0, 1, 3.0), (0, 1, 3.0)]
    """
    with needed("to_networkx needs"):
        import networkx as nx
    found: nx.MultiDiGraph = nx.node_link_graph(_node_link(root, float), edges="edges")
    return found
