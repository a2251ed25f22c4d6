"""One call of a module, as inferred from its nodes: their parameters, and the inputs they read.

Nodes that use no parameters belong to a call, too: those between its inputs and its outputs, and
those at its end, if it is a step of a recurrence.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from scalargrad.value import Value

#: What a node reads: inputs of a call, or the parameters a node of it uses.
Operands: TypeAlias = tuple[Value | float, ...]


@dataclass(eq=False, slots=True)
class Call:
    """One call of a module.

    Attributes
    ----------
    path : str
        The path of the module.
    outer : Call or None
        The call of the module around it.
    inputs : tuple of Value or float
        The operands of the call's first node that are not parameters.
    """

    path: str
    outer: Call | None
    inputs: Operands
    _used: set[Operands] = field(default_factory=set)  # the parameters of each node
    _same: Call | None = None

    def settled(self) -> Call:
        """Return the call that this one was joined with."""
        call = self
        while call._same is not None:
            call = call._same
        return call

    def outwards(self) -> Iterator[Call]:
        """Yield this call and those around it."""
        call: Call | None = self
        while call is not None:
            yield (call := call.settled())
            call = call.outer

    def fits(self, own: Operands) -> bool:
        """Return whether a node that uses these parameters can belong to this call."""
        return own not in self._used

    def use(self, own: Operands) -> None:
        """Note that a node uses these parameters, here and in the calls around."""
        for call in self.outwards():
            call._used.add(own)

    def is_apart_from(self, other: Call) -> bool:
        """Return whether the two calls use different parameters."""
        return self._used.isdisjoint(other._used)

    def join(self, other: Call) -> None:
        """Merge another call of the same module, and the calls around it, into this one."""
        for one, same in zip(self.outwards(), other.outwards(), strict=True):
            if one is not same:
                one._used |= same._used
                same._same = one


def between(
    order: Sequence[Value], of: Mapping[Value, Call], readers: Mapping[Value, Sequence[Value]]
) -> dict[Value, Call]:
    """Return the call of each node that depends on nodes of a call and that the same call reads.

    A node computed from parameters alone belongs to the call that reads it, if it is only one.

    Parameters
    ----------
    order : sequence of Value
        The graph, operands before results.
    of : mapping from Value to call
        The nodes whose call is known.
    readers : mapping from Value to sequence of Value
        What reads each node.
    """
    operands = {node: [x for x in node.parents if isinstance(x, Value)] for node in order}
    before = _around_neighbours(order, of, operands)
    after = _around_neighbours(order[::-1], of, readers)
    found: dict[Value, Call] = {}
    for node in order:
        call = None
        if node in of or not node.parents or node not in after:
            continue
        if node in before:
            call = around([before[node], after[node]])
        elif all(reader in of or reader in found for reader in readers[node]):
            call = after[node]
        if call is not None:
            found[node] = call
    return found


def _around_neighbours(
    order: Sequence[Value], of: Mapping[Value, Call], neighbours: Mapping[Value, Sequence[Value]]
) -> dict[Value, Call | None]:
    """Return, for each node, the innermost call around all calls among its neighbours, if any."""
    found: dict[Value, Call | None] = {}
    for node in order:
        if node in of:
            found[node] = of[node]
        elif met := [found[x] for x in neighbours[node] if x in found]:
            found[node] = around(met)
    return found


def around(calls: Iterable[Call | None]) -> Call | None:
    """Return the innermost call that contains all of `calls`, if there is one."""
    distinct = list(dict.fromkeys(calls))
    if len(distinct) == 1:
        return distinct[0]
    if None in distinct:
        return None
    chains = [list(call.outwards())[::-1] for call in distinct if call is not None]
    shared = common_beginning(chains)
    return shared[-1] if shared else None


def common_beginning(chains: Sequence[Sequence[Any]]) -> list[Any]:
    """Return the common beginning of all chains.

    Examples
    --------
    >>> common_beginning(["layers", "lag"])
    ['l', 'a']
    """
    links = zip(*chains, strict=False)
    shared: list[Any] = []
    for first, *others in links:
        if any(link != first for link in others):
            break
        shared.append(first)
    return shared


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
