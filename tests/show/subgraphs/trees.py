"""Checks of trees of subgraphs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from tests.inner import Subgraph, topological_order

from scalargrad import Value


def count_operations(nodes: Iterable[Value]) -> Counter[str]:
    """Return how often each operation computed one of some nodes."""
    return Counter(node.op.name for node in nodes if node.op)


def require_sound(whole: Subgraph, roots: Sequence[Value], limit: int = 60) -> None:
    """Assert the properties of every tree of subgraphs.

    Each node is in one subgraph, paths differ, inputs and outputs are complete, no level exceeds
    the limit, and on each level operands come before their readers, so that there is no cycle.
    """
    order = topological_order(*roots)
    subgraphs = list(whole.walk())
    assert Counter(whole.all_nodes()) == Counter(order)
    assert len({part.path for part in subgraphs}) == len(subgraphs)
    lines = [(x, node) for node in order for x in node.parents if isinstance(x, Value)]
    for part in subgraphs:
        inside = set(part.all_nodes())
        read = {x for x, reader in lines if x in inside and reader not in inside}
        assert set(part.outputs) == read | (inside & set(roots))
        assert set(part.inputs) == {x for x, reader in lines if reader in inside} - inside
        assert part.size == len(inside)
        assert part is whole or part.items
        assert len(part.items) <= limit
        position = {
            node: i
            for i, item in enumerate(part.items)
            for node in ([item] if isinstance(item, Value) else item.all_nodes())
        }
        for operand, reader in lines:
            if operand in position and reader in position:
                assert position[operand] <= position[reader]
