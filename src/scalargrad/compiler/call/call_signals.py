"""Send the gradients of all results of one compiled call back in a single run of its program.

An error signal is the gradient of the root with respect to a node. A call of a compiled function
may have several results, each a node. A sweep sends nothing on from them until it is at the last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from operator import itemgetter
from typing import Any

from scalargrad.graph import topological_order
from scalargrad.value import Value


class CallSignals:
    """Sends the error signals of all results of a compiled call back at the last of them.

    Parameters
    ----------
    ahead : list of Value
        The nodes of the sweep, results before operands. What comes after `first` is reordered if
        results of one call have different operands, so that all results come before all operands.
    first : int
        The index of the first result of a call among them.
    """

    def __init__(self, ahead: list[Value], first: int) -> None:
        self._ahead: list[Any] = ahead
        #: Of each call, the indices of its results, and the different tuples of their operands.
        self._places: dict[int, list[int]] = {}
        self._operands: dict[int, dict[int, Sequence[Any]]] = {}
        self._find(first)
        if any(len(found) > 1 for found in self._operands.values()) and not self._gathered(first):
            ahead[first + 1 :] = reversed(self._in_order(ahead[:first:-1]))
            self._places.clear()
            self._find(first)
        apart = [found for found in self._places.values() if found[-1] - found[0] >= len(found)]
        #: Results that stand apart from the last of their call; the sweep passes over these.
        self.waiting = {ahead[k] for places in apart for k in places[:-1]}

    def _find(self, first: int) -> None:
        call = operands = None
        for k, node in enumerate(self._ahead[first:], first):
            if (made := node._call) is not None:
                if made is not call:
                    call, operands = made, None
                    places = self._places.setdefault(id(call), [])
                places.append(k)
                if node.parents is not operands:
                    operands = node.parents
                    self._operands.setdefault(id(call), {})[id(operands)] = operands

    def _gathered(self, first: int) -> bool:
        """Put the results of the only call before the leaves that stand between them.

        False if there is more than one call, or if other nodes stand there.
        """
        (call, places), *others = self._places.items()
        results, end = itemgetter(*places)(self._ahead), places[-1] + 1
        leaves = [x for x in self._ahead[first:end] if not x.parents]
        if others or len(results) + len(leaves) < end - first:
            return False
        self._ahead[first:end] = [*results, *leaves]
        self._places[call] = [*range(first, first + len(results))]
        return True

    def _in_order(self, order: Sequence[Value]) -> list[Value]:
        """Return nodes in topological order, all operands of a call before any of its results.

        Such an order exists, as a call has all its operands before it returns.
        """
        ahead, followed = set(order), set[int]()

        def operands_of(node: Value) -> list[Any]:
            call = id(node._call)
            if call in followed:  # by the first of its results, all operands are in the order
                return []
            together = self._operands.get(call)
            if together is None:
                return [x for x in node.parents if x in ahead]
            followed.add(call)
            return [x for operands in together.values() for x in operands if x in ahead]

        return topological_order(*order, operands_of=operands_of)

    def note_swept(self) -> None:
        """Note on the results of each call that `backward` went through them."""
        for places in self._places.values():
            self._ahead[places[0]].note_swept(self._ahead[k] for k in places)

    def send(
        self, signals: list[float], under_way: dict[Value, float], rest: Iterator[Value]
    ) -> bool:
        """Send back what the results of a call have received, at the last of them.

        Where they adjoin, at the first: the others are taken from the `rest` of the sweep.
        Returns False for the only result of a call, whose signal the sweep sends back itself.
        """
        here = len(signals) - 1
        result = self._ahead[here]
        places = self._places[id(result._call)]
        if len(places) == 1:
            return False
        if here == places[0]:
            signals += [under_way.pop(x, 0.0) for x in islice(rest, len(places) - 1)]
        at = itemgetter(*places)
        results, arrived = at(self._ahead), at(signals)
        together = result.sent_back(results, arrived)
        if together is None:
            terms = [(x.parents, up, x.local_grads) for x, up in zip(results, arrived, strict=True)]
        else:
            terms = [(together[0], 1.0, together[1])]
        for parents, signal, locals_ in terms:
            for parent, local in zip(parents, locals_, strict=True):
                under_way[parent] = under_way.get(parent, -0.0) + signal * local
        return True
