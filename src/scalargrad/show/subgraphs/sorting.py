"""Sort the items of a fold topologically."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence

from scalargrad.show.subgraphs.folds import Fold, Item
from scalargrad.value import Value


def in_order(part: Fold, position: dict[Value, int]) -> list[list[int]]:
    """Sort the items of a fold topologically, and return which items each of them reads.

    If folds form a cycle, the largest of them is replaced by its contents.
    """
    while True:
        reads = _reads(part.items)
        rank = [_rank(item, position) for item in part.items]
        order, cycle = _sorted(reads, rank)
        if not cycle:
            place = {k: i for i, k in enumerate(order)}
            part.items = [part.items[k] for k in order]
            return [sorted(place[x] for x in reads[k]) for k in order]
        part.items = _opened(part.items, cycle)


def _opened(items: Sequence[Item], cycle: Sequence[int]) -> list[Item]:
    """Return the items with the largest fold of a cycle replaced by its contents."""
    sizes = {k: len(list(_inside(items[k]))) for k in cycle}
    largest = max(cycle, key=sizes.__getitem__)
    opened = items[largest]
    assert isinstance(opened, Fold)  # nodes alone form no cycle
    return [*items[:largest], *opened.items, *items[largest + 1 :]]


def _inside(item: Item) -> Iterable[Value]:
    return [item] if isinstance(item, Value) else item.everything()


def _rank(item: Item, position: dict[Value, int]) -> int:
    """Return the position, in the order of the graph, at which an item is complete."""
    return max(position[node] for node in _inside(item))


def _reads(items: Sequence[Item]) -> list[set[int]]:
    """Return, for each item, which others it reads."""
    at: dict[Value | float, int] = {}
    inside = [list(_inside(item)) for item in items]
    for k, nodes in enumerate(inside):
        at.update(dict.fromkeys(nodes, k))
    return [
        {at[x] for node in nodes for x in node.parents if x in at} - {k}
        for k, nodes in enumerate(inside)
    ]


def _sorted(reads: Sequence[set[int]], rank: Sequence[int]) -> tuple[list[int], list[int]]:
    """Return a topological order, ties broken by rank, and a cycle if there is one."""
    missing = [len(operands) for operands in reads]
    readers: list[list[int]] = [[] for _ in reads]
    for k, operands in enumerate(reads):
        for operand in operands:
            readers[operand].append(k)
    order = list[int]()
    ready = [(rank[k], k) for k, count in enumerate(missing) if not count]
    heapq.heapify(ready)
    while ready:
        _, k = heapq.heappop(ready)
        order.append(k)
        for reader in readers[k]:
            missing[reader] -= 1
            if not missing[reader]:
                heapq.heappush(ready, (rank[reader], reader))
    if len(order) == len(reads):
        return order, []
    return order, _cycle(reads, set(range(len(reads))) - set(order))


def _cycle(reads: Sequence[set[int]], left: set[int]) -> list[int]:
    """Return a cycle among items each of which reads another of them."""
    path, seen = [min(left)], dict[int, int]()
    while path[-1] not in seen:
        seen[path[-1]] = len(path) - 1
        path.append(min(reads[path[-1]] & left))
    return path[seen[path[-1]] : -1]
