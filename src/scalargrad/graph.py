"""Traverse a graph of Values without recursion: topological order, leaves, fan-out, names."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from math import isfinite
from operator import attrgetter
from typing import Any

from scalargrad.errors import OperandError
from scalargrad.system.one_line import shown
from scalargrad.value import Value

_PARENTS = attrgetter("parents")


def are_leaves(values: Sequence[Value]) -> bool:
    """Return whether no Value among these was computed from others, and none stands there twice."""
    return len(set(values)) == len(values) and not any(map(_PARENTS, values))


def are_apart(values: Sequence[Value], places: Sequence[int]) -> bool:
    """Return whether no other of these Values is one at these places, or was computed from it."""
    chosen = {values[k] for k in places}
    if sum([x in chosen for x in values]) > len(chosen):
        return False
    made = {id(x.parents) for x in chosen}  # what one call returns is computed side by side
    others = [x for x in values if len(made) > 1 or id(x.parents) not in made]
    operands = [x for value in others for x in value.parents if isinstance(x, Value)]
    order = topological_order(*operands) if len(values) > 1 else []
    results: list[Any] = [x for x in chosen if x._call is not None]
    return chosen.isdisjoint(order) and not (
        results and results[0].first_read(results, [*values, *order])
    )


def topological_order(
    *roots: Value,
    until: Iterable[Value] = (),
    met: set[Value] | None = None,
    operands_of: Callable[[Value], Sequence[Value | float]] | None = None,
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
    operands_of : callable, optional
        Returns the operands of a node that count, if they are others than its parents.

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
    _require_values(roots)
    order: list[Value] = []
    seen: set[Value] = set() if met is None else met
    seen.update(until)
    ahead: list[Value | float | None] = [*reversed(roots)]
    push, pop = ahead.append, ahead.pop
    followed: Sequence[Value | float] | None = None
    while ahead:
        x = pop()
        if x is None:  # all under the node below it has been visited
            order.append(pop())  # type: ignore[arg-type]
            continue
        while x not in seen and isinstance(x, Value):
            seen.add(x)
            parents = x.parents if operands_of is None else operands_of(x)
            if not parents or parents is followed:
                order.append(x)
                break
            push(x)
            push(None)
            if len(parents) == 2:  # most nodes have two
                x, second = parents
                push(second)
                continue
            if len(parents) > 2:
                followed = parents  # results of a call share many parents: followed once
                ahead += parents[:0:-1]
            x = parents[0]
    return order


def depends_on_any(root: Value, wanted: Callable[[Value], bool]) -> bool:
    """Return whether `root`, or a node under it, is wanted; the search ends at the first.

    Examples
    --------
    >>> x = Value(3.0, "x")
    >>> depends_on_any((x - 1.0).tanh(), lambda node: node.label == "x")
    True
    """
    ahead: list[Value | float] = [root]
    seen: set[Value] = set()
    while ahead:
        x = ahead.pop()
        if not isinstance(x, Value) or x in seen:
            continue
        if wanted(x):
            return True
        seen.add(x)
        ahead += x.parents
    return False


def _require_values(roots: Iterable[Value]) -> None:
    for root in roots:
        if not isinstance(root, Value):
            raise OperandError(
                f"root is {shown(root)}; give a Value: only what is computed from one has a graph"
            )


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
    """Return how many wires leave each node; x · x counts two.

    Examples
    --------
    >>> x = Value(3.0)
    >>> fan_out(topological_order(x * x))[x]
    2
    """
    nodes = list(order)
    count = dict.fromkeys(nodes, 0)
    for node in nodes:
        for parent in node.parents:
            if isinstance(parent, Value):
                count[parent] += 1
    return count


def first_nonfinite(root: Value) -> Value | None:
    """Return the first node under `root` that is inf or nan though its operands are not."""
    for node in topological_order(root):
        if not isfinite(node.data):
            return node
    return None


_LETTERS = "vuztgh"  # for nodes without a label; the first that is no label


def names(order: Iterable[Value]) -> dict[Value, str]:
    """Return a short stable name for every node: its label, or v1, v2, … in order.

    Where something is called v, as a velocity is, u1, u2, … are less easily taken for it. A label
    used by several nodes gets a number from the second on, in the order in which they are first
    read: w, w_2, w_3.

    Examples
    --------
    >>> x = Value(3.0, "x")
    >>> list(names(topological_order(x * x + x)).values())
    ['x', 'v1', 'v2']
    """
    nodes = list(order)
    taken = {node.label for node in nodes}
    letter = next((letter for letter in _LETTERS if letter not in taken), _LETTERS[0])
    numbered = _unused(letter, taken, start=1)
    unused: dict[str, Iterator[str]] = {}
    named: dict[Value, str] = {}
    for node in as_read(nodes):
        if node.label in unused:
            named[node] = next(unused[node.label])
        elif node.label:
            unused[node.label] = _unused(f"{node.label}_", taken, start=2)
            named[node] = node.label
    return {node: named.get(node) or next(numbered) for node in nodes}


def as_read(nodes: Iterable[Value]) -> dict[Value, None]:
    """Return nodes with each leaf moved to just before the first node that reads it."""
    found: dict[Value, None] = {}
    leaves = []
    for node in nodes:
        if node.parents:
            found.update((x, None) for x in node.parents if isinstance(x, Value))
            found[node] = None
        else:
            leaves.append(node)
    return found | dict.fromkeys(leaves)


def _unused(prefix: str, taken: set[str], start: int) -> Iterator[str]:
    """Yield the prefix followed by start, start + 1, …, skipping names that are taken."""
    numbers = itertools.count(start)
    while True:
        name = f"{prefix}{next(numbers)}"
        if name not in taken:
            yield name


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
    return f"{label}{node.op.name}({', '.join(shown)}) = {node.data:.6g}"


def _operand(x: Value | float) -> str:
    if isinstance(x, float):
        return f"{x:.6g}"
    return f"{x.label}={x.data:.6g}" if x.label else f"{x.data:.6g}"
