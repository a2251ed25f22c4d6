"""Short, stable names for the nodes of a graph: their labels, or v1, v2, … in order."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator

from scalargrad.engine.value import Value

#: Letters for nodes without a label, in order of preference; one that no label uses is chosen.
_LETTERS = "vuztgh"


def name_nodes(order: Iterable[Value]) -> dict[Value, str]:
    """Return a short, stable name for every node: its label, or v1, v2, … in order.

    If a label is v or v1, as for a velocity, nodes without labels are called u1, u2, …. If several
    nodes have the same label, it gets a number from the second node on: w, w_2, w_3.

    Examples
    --------
    >>> from scalargrad.engine.graph import topological_order
    >>> x = Value(3.0, "x")
    >>> list(name_nodes(topological_order(x * x + x)).values())
    ['x', 'v1', 'v2']
    """
    nodes = list(order)
    taken = {node.label for node in nodes}
    begun = {label.rstrip("0123456789") for label in taken}
    letter = next((letter for letter in _LETTERS if letter not in begun), _LETTERS[0])
    unlabelled = free_names(letter, taken, start=1)
    repeated: dict[str, Iterator[str]] = {}
    labelled: dict[Value, str] = {}
    for node in nodes:
        if node.label in repeated:
            labelled[node] = next(repeated[node.label])
        elif node.label:
            repeated[node.label] = free_names(f"{node.label}_", taken, start=2)
            labelled[node] = node.label
    return {node: labelled.get(node) or next(unlabelled) for node in nodes}


def free_names(prefix: str, taken: set[str], start: int) -> Iterator[str]:
    """Yield the prefix followed by start, start + 1, …, except names that are taken."""
    numbers = itertools.count(start)
    while True:
        name = f"{prefix}{next(numbers)}"
        if name not in taken:
            yield name
