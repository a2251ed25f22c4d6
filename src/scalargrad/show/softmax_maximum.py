"""Show the maximum that softmax subtracts as one of its inputs, though its derivative counts as 0.

In a graph that maximum is a plain number, held constant. Pictures and step pages name the scores it
was taken from, and compute it again when these change.
"""

from __future__ import annotations

from collections.abc import Container, Sequence

from scalargrad.call import require_no_call
from scalargrad.graph import topological_order
from scalargrad.ops.reductions import Largest
from scalargrad.value import Value


def shown_order(*roots: Value) -> list[Value]:
    """Return a topological order in which scores come before the gates that hold their maximum.

    Where no gate holds one, it is the order of `topological_order`.
    """
    order = topological_order(*roots)
    require_no_call(order)
    if not any(isinstance(x, Largest) for node in order for x in node.parents):
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


def scores_of(held: Value | float, known: Container[Value]) -> list[Value]:
    """Return the Values whose maximum a constant is; empty if it is none, or one is unknown."""
    if not isinstance(held, Largest):
        return []
    scores = [x for x in held.scores if isinstance(x, Value)]
    return scores if all(x in known for x in scores) else []


def largest_of(words: Sequence[str]) -> str:
    """Write the maximum of names, max(a, b); of many, the first three and the last."""
    shown = words if len(words) <= _MOST else [*words[: _MOST - 1], "…", words[-1]]
    return f"max({', '.join(shown)})"


_MOST = 4
