"""Leave out of graphs that are shown the 0 from which Python's `sum` starts: 0 + x is x."""

from __future__ import annotations

from collections.abc import Iterable

from scalargrad import ops
from scalargrad.graph import topological_order
from scalargrad.ops.reductions import Largest
from scalargrad.value import Value


def without_zeros(roots: Iterable[Value]) -> dict[Value, Value]:
    """Return what stands for each node that is shown otherwise: x for 0 + x, copies above it.

    Empty where there is no such 0, and where a node cannot be copied: a result of a compiled call,
    or one that holds the maximum of nodes.

    Examples
    --------
    >>> x, y = Value(1.0, "x"), Value(2.0, "y")
    >>> total = sum([x, y])
    >>> [operand.label for operand in without_zeros([total])[total].parents]
    ['x', 'y']
    """
    roots = list(roots)
    found: dict[Value, Value] = {}
    for node in topological_order(*roots):
        now = tuple([found.get(x, x) if isinstance(x, Value) else x for x in node.parents])
        if _starts_a_sum(node) and node not in roots and isinstance(now[1], Value):
            found[node] = now[1]
        elif any(x is not y for x, y in zip(now, node.parents, strict=True)):
            if node.__class__ is not Value or any(isinstance(x, Largest) for x in now):
                return {}
            found[node] = _copied(node, now)
    return found


def _starts_a_sum(node: Value) -> bool:
    first = node.parents[0] if node.op is ops.add else None
    return isinstance(first, float) and first == 0.0 and not node.label


def _copied(node: Value, parents: tuple[Value | float, ...]) -> Value:
    made = object.__new__(Value)
    made.data, made.grad, made.label = node.data, node.grad, node.label
    made.op, made.parents, made.local_grads = node.op, parents, node.local_grads
    return made
