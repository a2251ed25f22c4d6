"""Assign the last nodes of each step of a recurrent module, which use no parameters, to that step.

In h ← tanh(U x + V h), only U x and V h use parameters. The sum and its tanh are read by the next
step of the cell, so they belong to this step. The last step is read by no other; there, the nodes
that do the same as in other steps belong to it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from scalargrad.show.subgraphs.call import Call
from scalargrad.value import Value


def with_tails(
    order: Sequence[Value],
    of: Mapping[Value, Call],
    readers: Mapping[Value, Sequence[Value]],
    parameters: Collection[Value],
    paths: Iterable[str],
) -> dict[Value, Call]:
    """Return the call of each node, including the last nodes of the steps of recurrences.

    Parameters
    ----------
    order : sequence of Value
        The graph, operands before results.
    of : mapping from Value to Call
        The nodes whose call is known.
    readers : mapping from Value to sequence of Value
        What reads each node.
    parameters : collection of Value
        Those of the model.
    paths : iterable of str
        The modules that contain others. Only these are considered, since what follows the single
        product of a `Linear` does not belong to it.
    """
    found = dict(of)
    for path in sorted(paths, key=lambda path: -path.count(".")):  # inner ones first
        found |= _Steps(order, found, parameters, path).tails(readers)
    return found


class _Steps:
    """The calls of one module, seen as possible steps of a recurrence.

    Attributes
    ----------
    calls : dict from Value to Call
        The nodes inside.
    ends : dict from Value to Call
        Nodes computed only from results of calls and from leaves, with the latest of these calls.
    forms : dict from Value to int
        For the nodes of both, a number for what the node does in its step; equal numbers mean
        the same.
    """

    def __init__(
        self,
        order: Sequence[Value],
        of: Mapping[Value, Call],
        parameters: Collection[Value],
        path: str,
    ) -> None:
        self._order, self._parameters = order, parameters
        self.calls = {
            node: around
            for node, inner in of.items()
            for around in inner.outwards()
            if around.path == path
        }
        self._numbers = {call: k for k, call in enumerate(dict.fromkeys(self.calls.values()))}
        self.ends: dict[Value, Call] = {}
        self.forms: dict[Value, int] = {}
        if len(self._numbers) > 1:
            self._follow(of)

    def _follow(self, of: Mapping[Value, Call]) -> None:
        known: dict[tuple[object, ...], int] = {}
        for node in self._order:
            if node not in self.calls and node.parents:
                self._try_end(node, of.get(node))
            call = self._step_of(node)
            if call is not None:
                form = (node.op, *(self._part(x, call) for x in node.parents))
                self.forms[node] = known.setdefault(form, len(known))

    def _step_of(self, node: Value) -> Call | None:
        return self.calls.get(node) or self.ends.get(node)

    def _try_end(self, node: Value, inside: Call | None) -> None:
        """Note the latest call of whose end a node can be part: it reads nothing from elsewhere."""
        operands = [x for x in node.parents if isinstance(x, Value) and x.parents]
        calls = [call for x in operands if (call := self._step_of(x))]
        if not calls or len(calls) < len(operands):
            return
        latest = max(calls, key=self._numbers.__getitem__)
        if inside in {None, *list(latest.outwards())[1:]}:
            self.ends[node] = latest

    def _part(self, operand: Value | float, call: Call) -> object:
        """Return the role of an operand in a step: computed in it, a parameter, or from outside."""
        if not isinstance(operand, Value):
            return None
        if self._step_of(operand) is call:
            return self.forms[operand]
        return operand if operand in self._parameters else None

    def tails(self, readers: Mapping[Value, Sequence[Value]]) -> dict[Value, Call]:
        """Return the ends that another step reads, and the nodes that do the same in their step."""
        read = set[Value]()
        for node in reversed(self._order):
            if node in self.ends and any(x in self.calls or x in read for x in readers[node]):
                read.add(node)
        forms = {self.forms[node] for node in read}
        return {node: call for node, call in self.ends.items() if self.forms[node] in forms}
