"""The graph that is shown: with softmax's maximum as an input, without the 0 of Python's `sum`.

In a graph that maximum is a plain number, held constant. Pictures and step pages name the scores it
was taken from, and compute it again when these change.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence

from scalargrad import ops
from scalargrad.call import require_no_call
from scalargrad.graph import topological_order
from scalargrad.ops.reductions import MaxScore
from scalargrad.value import Value


def shown_order(*roots: Value) -> list[Value]:
    """Return a topological order in which scores come before the gates that hold their maximum.

    Where no gate holds one, it is the order of `topological_order`.
    """
    order = topological_order(*roots)
    require_no_call(order)
    if not any(isinstance(x, MaxScore) for node in order for x in node.parents):
        return order
    known, done = set(order), dict[Value, None]()
    for node in order:
        stack = [node]
        while stack:
            missing = [x for x in _read(stack[-1], known) if x not in done]
            stack += reversed(missing)
            if not missing:
                done.setdefault(stack.pop())
    return [*done]


def _read(node: Value, known: Container[Value]) -> list[Value]:
    read = [x for x in node.parents if isinstance(x, Value)]
    return read + [x for held in node.parents for x in scores_of(held, known) if x not in read]


def readers_of(order: Iterable[Value]) -> dict[Value, list[Value]]:
    """Return what reads each node of a graph, as often as it does."""
    readers: dict[Value, list[Value]] = {node: [] for node in order}
    for node in readers:
        for operand in node.parents:
            if isinstance(operand, Value):
                readers[operand].append(node)
    return readers


def scores_of(held: Value | float, known: Container[Value]) -> list[Value]:
    """Return the Values whose maximum a constant is; empty if it is none, or one is unknown."""
    if not isinstance(held, MaxScore):
        return []
    scores = [x for x in held.scores if isinstance(x, Value)]
    return scores if all(x in known for x in scores) else []


def largest_of(words: Sequence[str]) -> str:
    """Write the maximum of names, max(a, b); of many, the first three and the last."""
    shown = words if len(words) <= _MOST else [*words[: _MOST - 1], "…", words[-1]]
    return f"max({', '.join(shown)})"


_MOST = 4


def without_zeros(roots: Iterable[Value]) -> dict[Value, Value]:
    """Return what stands for each node that is shown otherwise: x for 0 + x, copies above it.

    Empty where there is no such 0, and where a node cannot be copied: a result of a compiled call.

    Examples
    --------
    >>> x, y = Value(1.0, "x"), Value(2.0, "y")
    >>> total = sum([x, y])
    >>> [operand.label for operand in without_zeros([total])[total].parents]
    ['x', 'y']
    """
    roots = list(roots)
    found: dict[Value, Value] = {}
    for node in shown_order(*roots):
        now = tuple([_standing_for(x, found) for x in node.parents])
        if _starts_a_sum(node) and node not in roots and isinstance(now[1], Value):
            found[node] = now[1]
        elif any(x is not y for x, y in zip(now, node.parents, strict=True)):
            if node.__class__ is not Value:
                return {}
            found[node] = _copied(node, now)
    return found


def _standing_for(x: Value | float, found: Mapping[Value, Value]) -> Value | float:
    """Return what stands for an operand; of the maximum of scores, that of what stands for them."""
    if isinstance(x, Value):
        return found.get(x, x)
    if isinstance(x, MaxScore) and any(score in found for score in x.scores):
        return MaxScore(x, [found.get(score, score) for score in x.scores])
    return x


def _starts_a_sum(node: Value) -> bool:
    first = node.parents[0] if node.op is ops.add else None
    return isinstance(first, float) and first == 0.0 and not node.label


def _copied(node: Value, parents: tuple[Value | float, ...]) -> Value:
    made = object.__new__(Value)
    made.data, made.grad, made.label = node.data, node.grad, node.label
    made.op, made.parents, made.local_grads = node.op, parents, node.local_grads
    return made
