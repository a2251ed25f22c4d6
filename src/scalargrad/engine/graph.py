"""Traverse a graph of Values without recursion: topological order, leaves, fan-out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from math import isfinite

from scalargrad.engine.value import Value
from scalargrad.errors import OperandError
from scalargrad.system.short_repr import format_value


def topological_order(
    *roots: Value,
    stop_at: Iterable[Value] = (),
    seen: set[Value] | None = None,
    include_leaves: bool = True,
) -> list[Value]:
    """Return every node under `roots`, operands before results, roots last.

    Operands are visited first to last, so the order is the one in which an expression is
    evaluated by hand: for ``f = q * z`` with ``q = x + y`` it is x, y, q, z, f.

    Parameters
    ----------
    *roots : Value
        Nodes whose graphs are ordered together.
    stop_at : iterable of Value
        Nodes at which the search stops. They are left out, and so are nodes that can be reached
        only through them.
    seen : set of Value, optional
        More nodes at which the search stops; every node that it visits is added to the set.
    include_leaves : bool
        If False, leaves may be missing from the order: a sweep does not need them, and to visit
        thousands of leaves below one node takes time.

    Returns
    -------
    list of Value
        Each node once. Constants are not nodes.

    Raises
    ------
    OperandError
        If a root is not a Value.

    Notes
    -----
    Takes time linear in nodes and edges.

    Examples
    --------
    >>> x = Value(3.0)
    >>> y = x * x
    >>> topological_order(y) == [x, y]
    True
    """
    for root in roots:
        if not isinstance(root, Value):
            raise OperandError(f"root is {format_value(root)}, which has no graph: give a Value")
    order: list[Value] = []
    seen = set() if seen is None else seen
    seen.update(stop_at)
    stack: list[Value | float | None] = [*reversed(roots)]
    push, pop = stack.append, stack.pop
    while stack:
        x = pop()
        if x is None:  # everything under the next node on the stack has been visited
            order.append(pop())  # type: ignore[arg-type]
            continue
        while x not in seen and isinstance(x, Value):  # descend along first operands
            seen.add(x)
            parents = x.parents
            if not parents:
                order.append(x)
                break
            push(x)
            push(None)
            if len(parents) == 2:  # most nodes have two
                x, second = parents
                push(second)
                continue
            if len(parents) > 2:
                stack += parents[:0:-1] if include_leaves else _interior(parents[:0:-1])
            x = parents[0]
    return order


def _interior(nodes: Iterable[Value | float]) -> list[Value | float | None]:
    """Return the nodes that have operands."""
    return [x for x in nodes if isinstance(x, Value) and x.parents]


def leaves(root: Value) -> list[Value]:
    """Return the leaves under `root`, in the order in which the expression reads them.

    Examples
    --------
    >>> x, y = Value(1.0, "x"), Value(2.0, "y")
    >>> [leaf.label for leaf in leaves(x * y + x)]
    ['x', 'y']
    """
    return [node for node in topological_order(root) if not node.parents]


def fan_out(order: Iterable[Value]) -> dict[Value, int]:
    """Return the number of edges from each node to its results; x · x has two edges from x.

    Examples
    --------
    >>> x = Value(3.0)
    >>> fan_out(topological_order(x * x))[x]
    2
    """
    nodes = list(order)
    edges = Counter(x for node in nodes for x in node.parents if isinstance(x, Value))
    return {node: edges[node] for node in nodes}


def first_nonfinite(root: Value) -> Value | None:
    """Return the first node under `root` that is inf or nan while its operands are finite."""
    return next((node for node in topological_order(root) if not isfinite(node.data)), None)


def describe(node: Value) -> str:
    """Return a node as messages describe it: label, operation with its operands, and data.

    Examples
    --------
    >>> describe(Value(800.0, "x").exp())
    'exp(x=800) = inf'
    """
    if node.op is None:
        return f"{node.label or 'a leaf'} = {node.data:.6g}"
    operands = [_describe_operand(x) for x in node.parents[:4]]
    operands += ["…"] * (len(node.parents) > 4)
    label = f"{node.label}: " if node.label else ""
    return f"{label}{node.op.name}({', '.join(operands)}) = {node:.6g}"


def _describe_operand(x: Value | float) -> str:
    if isinstance(x, float):
        return f"{x:.6g}"
    return f"{x.label}={x.data:.6g}" if x.label else f"{x.data:.6g}"
