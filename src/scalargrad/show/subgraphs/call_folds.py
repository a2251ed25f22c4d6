"""Make folds of calls, and put each node of a graph into the fold of its call."""

from __future__ import annotations

from collections.abc import Sequence

from scalargrad.show.subgraphs.call import Call, around
from scalargrad.show.subgraphs.calls import Calls
from scalargrad.show.subgraphs.folds import Fold
from scalargrad.value import Value


class CallFolds:
    """The folds of calls: every node is in that of its call, every parameter with its readers.

    Attributes
    ----------
    whole : Fold
        The whole graph, divided into calls only.
    """

    def __init__(self, order: Sequence[Value], calls: Calls) -> None:
        self.calls = calls
        self.whole = Fold("graph")
        self._of: dict[Call, Fold] = {}
        self._numbers: dict[Fold, int] = {}  # inputs of each call that are not nodes
        self._shared: dict[tuple[Fold, str], Fold] = {}
        readers: dict[Value, list[Call | None]] = {leaf: [] for leaf in calls.owners}
        for node in order:
            for leaf in {x for x in node.parents if isinstance(x, Value) and x in readers}:
                readers[leaf].append(calls.of.get(node))
        for node in order:
            if node in readers:
                home = self._for_parameter(calls.owners[node], around(readers[node]))
            else:
                home = self._fold(calls.of.get(node))
            home.items.append(node)

    def _fold(self, call: Call | None) -> Fold:
        if call is None:
            return self.whole
        missing = []
        for around_it in call.outwards():
            if around_it in self._of:
                break
            missing.append(around_it)
        for inner in reversed(missing):
            made = self._of_module("call", inner.path)
            self._numbers[made] = sum(isinstance(x, float) for x in inner.inputs)
            outer = self.whole if inner.outer is None else self._of[inner.outer.settled()]
            outer.items.append(made)
            self._of[inner] = made
        return self._of[call]

    def _of_module(self, kind: str, path: str) -> Fold:
        modules = self.calls.modules
        return Fold(kind, [], modules.by_path[path], path, number=modules.numbers.get(path, 0))

    def _for_parameter(self, owner: str, call: Call | None) -> Fold:
        """Return the fold for a parameter that is used in `call`.

        A parameter shared by several calls is in a fold of parameters beside these, within folds
        named after the modules around it.
        """
        chain = self.calls.modules.chain(owner)
        near = [x for x in call.outwards() if x.path in chain] if call else []
        home = self._fold(near[0] if near else None)
        for path in chain[chain.index(near[0].path) + 1 :] if near else chain:
            if (home, path) not in self._shared:
                made = self._of_module("parameters", path)
                home.items.append(made)
                self._shared[home, path] = made
            home = self._shared[home, path]
        return home

    def measure(self) -> None:
        """Set how many numbers each call takes (not counting its parameters) and returns."""
        for part in self.whole.walk():
            if part.kind == "call":
                taken = sum(not self.calls.is_within(x, part.module_path) for x in part.inputs)
                part.shape = taken + self._numbers[part], len(part.outputs)
