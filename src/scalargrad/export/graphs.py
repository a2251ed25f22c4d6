"""Graphs of Values as JSON, which restores them exactly, in NetworkX, and in SymPy.

The schema of the JSON ships with the package as ``graph.schema.json``, and
``networkx.node_link_graph`` reads it. x·x is

    {"graph": {"format": "scalargrad graph 1", "root": 1},
     "nodes": [{"id": 0, "kind": "value", "data": 3.0, "op": null, …}, {"id": 1, "op": "mul", …}],
     "edges": [{"source": 0, "target": 1, "key": 0, "local_grad": 3.0}, …]}

SymPy converts expressions back: ``lambdify(x, expression, modules=[scalargrad, "math"])``.
"""

from __future__ import annotations

import json
import operator
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from scalargrad.checks.arguments import check_instance
from scalargrad.checks.numbers import json_number
from scalargrad.engine.graph import topological_order
from scalargrad.engine.multi_output import require_no_multi_output_node
from scalargrad.engine.naming import name_nodes
from scalargrad.engine.value import Parameter, Value
from scalargrad.errors import GraphError, StateError
from scalargrad.opdef.operation import FixedArityOperation, Operation, Reduction
from scalargrad.opdef.symbol import Symbol, evaluate
from scalargrad.ops import TABLE
from scalargrad.system.packages import optional_dependency
from scalargrad.system.short_repr import format_error, format_value

if TYPE_CHECKING:
    import networkx as nx
    import sympy

FORMAT = "scalargrad graph 1"
_KINDS: dict[str, type[Value]] = {"value": Value, "parameter": Parameter}


def to_json(root: Value) -> str:
    """Encode the graph of a Value as JSON.

    Parameters
    ----------
    root : Value

    Returns
    -------
    str
        Node-link data: ``nodes``, operands before results, with data, grad, label and operation;
        ``edges`` from operands to results, with the position of the operand and the local gradient.

    Raises
    ------
    GraphError
        If it has custom operations or compiled functions.

    Examples
    --------
    >>> x = Value(3.0, "x")
    >>> again = from_json(to_json(x * x))
    >>> again.data, again.parents[0] is again.parents[1]
    (9.0, True)
    """
    return json.dumps(_node_link(root, json_number), ensure_ascii=False)


def _node_link(root: Value, number: Any) -> dict[str, Any]:
    """Return node-link data, with numbers encoded by `number`."""
    order = topological_order(root)
    require_no_multi_output_node(order)
    nodes: list[dict[str, Any]] = []
    edges: list[dict[str, Any]] = []
    index: dict[Value, int] = {}
    for node in order:
        operands = []
        for operand in node.parents:
            if not isinstance(operand, Value):
                nodes.append({"id": len(nodes), "kind": "constant", "data": number(operand)})
            operands.append(index[operand] if isinstance(operand, Value) else len(nodes) - 1)
        index[node] = target = len(nodes)
        nodes.append(_encode_node(node, target, number))
        locals_ = zip(operands, node.local_grads, strict=True)
        edges += [
            {"source": source, "target": target, "key": k, "local_grad": _unless_none(x, number)}
            for k, (source, x) in enumerate(locals_)
        ]
    graph = {"format": FORMAT, "root": index[root]}
    return {"directed": True, "multigraph": True, "graph": graph, "nodes": nodes, "edges": edges}


def _unless_none(x: float | None, number: Any) -> Any:
    return None if x is None else number(x)


def _encode_node(node: Value, index: int, number: Any) -> dict[str, Any]:
    op = node.op
    if op is not None and TABLE.get(op.name) is not op:
        raise GraphError(
            f"{node!r} was made by {op.name}, which is not an operation of scalargrad: custom "
            "operations and compiled functions cannot be exported; see jit(f).export"
        )
    kind = "parameter" if isinstance(node, Parameter) else "value"
    found = {"id": index, "kind": kind, "data": number(node.data), "grad": number(node.grad)}
    return {**found, "label": node.label, "op": None if op is None else op.name}


def from_json(text: str) -> Value:
    """Restore a graph from the result of `to_json`, with exact numbers, and return its root.

    Raises
    ------
    StateError
        If the text is damaged or foreign.
    """
    try:
        found = json.loads(check_instance(text, "text", str, "what to_json wrote (str)"))
        if found["graph"]["format"] != FORMAT:
            raise StateError(f"the graph has the format {format_value(found['graph']['format'])}")
        nodes = [_read_node(node) for node in found["nodes"]]
        _connect(nodes, found)
        root = nodes[found["graph"]["root"]]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        raise StateError(
            f"the text is not a graph of scalargrad, or is damaged: {format_error(error)}"
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
    """Set the operands of each node, which come before it."""
    wires: dict[int, list[dict[str, Any]]] = {}
    for edge in found["edges"]:
        if not 0 <= edge["source"] < edge["target"]:
            raise ValueError(f"node {edge['target']} has an operand that is not before it")
        wires.setdefault(edge["target"], []).append(edge)
    for target, edges in wires.items():
        edges.sort(key=lambda edge: edge["key"])
        if [edge["key"] for edge in edges] != list(range(len(edges))):
            raise ValueError(f"an operand of node {target} is missing")
        node: Any = nodes[target]
        node.parents = tuple([nodes[edge["source"]] for edge in edges])
        node.local_grads = tuple([_unless_none(edge["local_grad"], float) for edge in edges])
    for node, entry in zip(nodes, found["nodes"], strict=True):
        if isinstance(node, Value) and (node.op is None) is bool(node.parents):
            raise ValueError(
                f"node {entry['id']} has operands but no operation, or no operands but an operation"
            )


def to_networkx(root: Value) -> nx.MultiDiGraph:
    """Return the graph of a Value as a graph of NetworkX.

    Parameters
    ----------
    root : Value

    Returns
    -------
    networkx.MultiDiGraph
        Nodes are integers, operands before results, with the attributes ``kind``, ``data``,
        ``grad``, ``label`` and ``op``. Edges lead from operand to result, with the position of the
        operand as key and the attribute ``local_grad``. The attribute ``root`` of the graph is a
        node.

    Raises
    ------
    MissingPackageError
        If NetworkX is not installed.
    GraphError
        As in `to_json`.

    Examples
    --------
    >>> x = Value(3.0, "x")
    >>> graph = to_networkx(x * x)  # doctest: +SKIP
    >>> list(graph.edges(data="local_grad"))  # doctest: +SKIP
    [(0, 1, 3.0), (0, 1, 3.0)]
    """
    with optional_dependency("to_networkx needs"):
        import networkx as nx
    found: nx.MultiDiGraph = nx.node_link_graph(_node_link(root, float), edges="edges")
    return found


#: Operations with the same name in SymPy.
_SAME_NAMES = frozenset(
    """
    exp log sqrt erf erfc sign floor sin cos tan asin acos atan atan2 sinh cosh tanh asinh acosh
    atanh
    """.split()  # noqa: SIM905 - read more easily
)


_COMPARISONS = ("eq", "ge", "gt", "le", "lt", "ne")


def _comparison(sp: Any, name: str) -> Callable[..., Any]:
    return lambda a, b: _truth(sp, getattr(sp, name.title())(a, b))


def _sympy_operations(sp: Any) -> dict[str, Callable[..., Any]]:
    """Return a function of SymPy expressions for each operation."""
    return {
        **{name: getattr(sp, name) for name in _SAME_NAMES},
        **{name: getattr(operator, name) for name in ("abs", "add", "mul", "neg", "pow", "sub")},
        "div": operator.truediv,
        "floor_divide": operator.floordiv,
        "identity": operator.pos,
        "remainder": operator.mod,
        "cbrt": lambda x: sp.sign(x) * sp.Abs(x) ** sp.Rational(1, 3),
        "exp2": lambda x: 2**x,
        "expm1": lambda x: sp.exp(x) - 1,
        "log1p": lambda x: sp.log(1 + x),
        "log2": lambda x: sp.log(x, 2),
        "log10": lambda x: sp.log(x, 10),
        "hypot": lambda a, b: sp.sqrt(a**2 + b**2),
        "sum": sp.Add,
        "ceil": sp.ceiling,
        "maximum": sp.Max,
        "minimum": sp.Min,
        **{name: _comparison(sp, name) for name in _COMPARISONS},
        "logsumexp": lambda *xs: sp.log(sp.Add(*map(sp.exp, xs))),
        "where": lambda c, a, b: sp.Piecewise((a, _is_nonzero(sp, c)), (b, True)),
        "sigmoid": lambda x: 1 / (1 + sp.exp(-x)),
        "softplus": lambda x: sp.log(1 + sp.exp(x)),
        "relu": lambda x: sp.Max(x, 0),
        "logical_and": lambda a, b: _truth(sp, sp.And(_is_nonzero(sp, a), _is_nonzero(sp, b))),
        "logical_or": lambda a, b: _truth(sp, sp.Or(_is_nonzero(sp, a), _is_nonzero(sp, b))),
        "logical_not": lambda a: _truth(sp, sp.Not(_is_nonzero(sp, a))),
    }


def to_sympy(root: Value) -> sympy.Expr:
    """Return the expression that a graph computes, with symbols for its leaves.

    Parameters
    ----------
    root : Value

    Returns
    -------
    sympy.Expr
        A leaf is a real symbol with its label as name, or with the name it has in pictures if it
        has no label. Integral constants become Integers, others Floats.

    Raises
    ------
    MissingPackageError
        If SymPy is not installed.
    GraphError
        If an operation has no counterpart in SymPy: `rint`, custom ones, compiled functions.

    Examples
    --------
    >>> from scalargrad import exp
    >>> x = Value(0.5, "x")
    >>> to_sympy(x**2 * exp(-x)).diff()  # doctest: +SKIP
    -x**2*exp(-x) + 2*x*exp(-x)
    """
    with optional_dependency("to_sympy needs"):
        import sympy
    converter = _SympyConverter(sympy)
    order = topological_order(root)
    require_no_multi_output_node(order)
    node_names = name_nodes(order)
    found: dict[Value, Any] = {}
    for node in order:
        if node.op is None:
            found[node] = sympy.Symbol(node_names[node], real=True)
            continue
        operands = [found[x] if isinstance(x, Value) else x for x in node.parents]
        found[node] = converter.apply(node.op, operands)
    return found[root]


class _SympyConverter:
    """Converts operations to expressions of SymPy."""

    def __init__(self, sp: Any) -> None:
        self.sp = sp
        self.functions = _sympy_operations(sp)

    def number(self, x: float) -> Any:
        """Convert a constant."""
        return self.sp.Integer(int(x)) if x == x // 1 and abs(x) < 2**53 else self.sp.Float(x)

    def apply(self, op: Operation, operands: Sequence[Any]) -> Any:
        """Apply an operation to expressions and floats."""
        arguments = [self.number(x) if isinstance(x, float) else x for x in operands]
        if TABLE.get(op.name) is op and op.name in self.functions:
            return self.functions[op.name](*arguments)
        if isinstance(op, FixedArityOperation) and op.composite:
            symbols, traced = op.operand_symbols, op.function(*op.operand_symbols)
        elif isinstance(op, Reduction):
            symbols = tuple([Symbol() for _ in operands])
            traced = op.function(symbols)
        else:
            raise GraphError(
                f"{op.name} has no counterpart in SymPy: write it as an expression of other "
                "operations"
            )
        return evaluate(traced, dict(zip(symbols, arguments, strict=True)), self.apply, decide=None)


def _truth(sp: Any, condition: Any) -> Any:
    """Return 1 where a condition is true, else 0."""
    return sp.Piecewise((1, condition), (0, True))


def _is_nonzero(sp: Any, x: Any) -> Any:
    """Return the condition x ≠ 0; for the result of a comparison, the comparison itself."""
    if isinstance(x, sp.Piecewise) and x.args[-1] == (0, True) and x.args[0][0] == 1:
        return x.args[0][1]
    return sp.Ne(x, 0)
