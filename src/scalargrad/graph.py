"""Traverse a graph of Values without recursion: topological order, leaves, fan-out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from math import isfinite

from scalargrad.errors import OperandError
from scalargrad.system.short_repr import format_value
from scalargrad.value import Value


def topological_order(
    *roots: Value,
    until: Iterable[Value] = (),
    met: set[Value] | None = None,
    leaves: bool = True,
) -> list[Value]:
    """Return every node under `roots`, operands before results, roots last.

    Operands are visited first to last, so the order is the one in which an expression is
    evaluated by hand: for ``(x + y) * z`` it is x, y, q, z, f.

    Parameters
    ----------
    *roots : Value
        Nodes whose graphs are ordered together.
    until : iterable of Value
        Nodes at which the search stops; they and what only they reach are left out.
    met : set of Value, optional
        More such nodes; all that the search meets are added.
    leaves : bool
        Whether all nodes without operands are in the order; a sweep has no need of them, and
        thousands among the operands of one node take time.

    Returns
    -------
    list of Value
        Each node once. Constants are not nodes.

    Raises
    ------
    OperandError
        If a root is no Value.

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
            raise OperandError(
                f"root is {format_value(root)}; give a Value: only what is computed from one has a "
                "graph"
            )
    order: list[Value] = []
    seen: set[Value] = set() if met is None else met
    seen.update(until)
    ahead: list[Value | float | None] = [*reversed(roots)]
    push, pop = ahead.append, ahead.pop
    while ahead:
        x = pop()
        if x is None:  # all under the node below it has been visited
            order.append(pop())  # type: ignore[arg-type]
            continue
        while x not in seen and isinstance(x, Value):  # down along first operands
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
                ahead += parents[:0:-1] if leaves else _inner(parents[:0:-1])
            x = parents[0]
    return order


def _inner(nodes: Iterable[Value | float]) -> list[Value | float | None]:
    """Return the nodes that have operands."""
    return [x for x in nodes if isinstance(x, Value) and x.parents]


def leaves(root: Value) -> list[Value]:
    """Return the leaves under `root`, in the order an expression names them.

    Examples
    --------
    >>> x, y = Value(1.0, "x"), Value(2.0, "y")
    >>> [leaf.label for leaf in leaves(x * y + x)]
    ['x', 'y']
    """
    return [node for node in topological_order(root) if not node.parents]


def fan_out(order: Iterable[Value]) -> dict[Value, int]:
    """Return the number of wires that leave each node; x · x counts two.

    Examples
    --------
    >>> x = Value(3.0)
    >>> fan_out(topological_order(x * x))[x]
    2
    """
    nodes = list(order)
    wires = Counter(x for node in nodes for x in node.parents if isinstance(x, Value))
    return {node: wires[node] for node in nodes}


def first_nonfinite(root: Value) -> Value | None:
    """Return the first node under `root` that is inf or nan though its operands are not."""
    return next((node for node in topological_order(root) if not isfinite(node.data)), None)


def describe(node: Value) -> str:
    """Name a node in a message: its label, what made it from what, and its data.

    Examples
    --------
    >>> describe(Value(800.0, "x").exp())
    'exp(x=800) = inf'
    """
    if node.op is None:
        return f"{node.label or 'a leaf'} = {node.data:.6g}"
    shown = [_operand(x) for x in node.parents[:4]] + ["…"] * (len(node.parents) > 4)
    label = f"{node.label}: " if node.label else ""
    return f"{label}{node.op.name}({', '.join(shown)}) = {node:.6g}"


def _operand(x: Value | float) -> str:
    if isinstance(x, float):
        return f"{x:.6g}"
    return f"{x.label}={x.data:.6g}" if x.label else f"{x.data:.6g}"
