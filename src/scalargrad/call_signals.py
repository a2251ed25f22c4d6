"""Error signals of results that one compiled call returned, which go back in one sweep."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from scalargrad.value import Value


class CallSignals:
    """What is known, during a sweep, of the compiled calls whose results are in a graph.

    Parameters
    ----------
    ahead : list of Value
        The nodes of the graph, results before operands. Where results of one call have different
        operands, it is arranged anew, so that its operands come after all of them.
    first : Value
        The first result of a call there.
    """

    def __init__(self, ahead: list[Value], first: Value) -> None:
        results: dict[int, list[Any]] = {}
        for node in ahead:
            if node._call is not None:
                results.setdefault(id(node._call), []).append(node)
        #: Of each call with several results: those whose signals arrived, and how many there are.
        self._arriving: dict[int, tuple[list[tuple[Any, float]], int]] = {
            call: ([], len(nodes)) for call, nodes in results.items() if len(nodes) > 1
        }
        self._operands: dict[int, dict[int, Sequence[Any]]] = {
            call: {id(x.parents): x.parents for x in nodes} for call, nodes in results.items()
        }
        if any(len(found) > 1 for found in self._operands.values()):
            here = ahead.index(first) + 1
            ahead[here:] = reversed(self._in_order(ahead[: here - 1 : -1]))

    def _in_order(self, order: Sequence[Value]) -> list[Value]:
        """Return nodes, operands before results, so that all of a call's come before its results.

        There is such an order, because a call was given all its operands before it returned.
        """
        found: list[Value] = []
        left = set(order)
        stack: list[Value | None] = [*reversed(order)]
        while stack:
            node = stack.pop()
            if node is None:
                found.append(stack.pop())  # type: ignore[arg-type]
            elif node in left:
                left.remove(node)
                stack += (node, None)
                stack += [x for x in self._read(node) if x in left]
        return found

    def _read(self, node: Value) -> Iterable[Any]:
        """Return the operands of a node, of a call's result those of all its results."""
        if node._call is None:
            return node.parents
        return [x for operands in self._operands[id(node._call)].values() for x in operands]

    def keeps(self, node: Any, upstream: float, under_way: dict[Value, float]) -> bool:
        """Take a result's signal, unless it is the only one; send all back with the last."""
        arriving = self._arriving.get(id(node._call))
        if arriving is None:
            return False
        arrived, expected = arriving
        arrived.append((node, upstream))
        if len(arrived) < expected:
            return True
        together = node.sent_back(arrived)
        if together is None:
            terms = [(x.parents, signal, x.local_grads) for x, signal in arrived]
        else:
            terms = [(together[0], 1.0, together[1])]
        for parents, signal, locals_ in terms:
            for parent, local in zip(parents, locals_, strict=True):
                under_way[parent] = under_way.get(parent, 0.0) + signal * local
        return True
