"""Infer which call of which module computed each node of a graph, from the parameters it uses.

Nothing is recorded while a model computes. A node that combines parameters of a module with an
input belongs to a call of that module. Nodes that read the same inputs, or results of each other,
belong to one call of the module around it, unless one of them uses parameters that this call has
used already: then it belongs to another call, such as that for another sample.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from scalargrad.grad_mode import enable_grad
from scalargrad.graph import topological_order
from scalargrad.show.subgraphs.call import Call, Operands, between, common_beginning, with_tails
from scalargrad.table.operation import Reduction
from scalargrad.value import Value


class Model(Protocol):
    """What a model must have: its modules and its parameters, each with its path.

    A module with a callable attribute `activation` is taken to apply it to what it computes from
    its parameters, as `scalargrad.nn.Neuron` does, unless its attribute `nonlin` is false.
    """

    def named_modules(self) -> Iterable[tuple[str, Any]]:
        """Yield the model, under the name "", and the modules inside."""

    def named_parameters(self) -> Iterable[tuple[str, Value]]:
        """Yield the parameters."""


class Modules:
    """The tree of a model's modules, by their paths.

    Attributes
    ----------
    by_path : dict from str to module
        The modules.
    numbers : dict from str to int
        The number of each module in a list among those of its kind, from 1, as lectures count:
        `layers.0` is layer 1, and in Linear, ReLU, Linear the last is Linear 2.
    """

    def __init__(self, model: Model) -> None:
        self.by_path = dict(model.named_modules())
        self.numbers: dict[str, int] = {}
        kinds = Counter[tuple[str, type]]()
        for path, module in self.by_path.items():
            around, _, last = path.rpartition(".")
            if last.isdigit():
                kinds[around, type(module)] += 1
                self.numbers[path] = kinds[around, type(module)]
        self._chains: dict[str, list[str]] = {}

    def chain(self, path: str) -> list[str]:
        """Return the paths of the modules around the module or parameter of a path, outer first."""
        if path not in self._chains:
            outer = self.chain(path.rpartition(".")[0]) if path else []
            self._chains[path] = [*outer, path] if path in self.by_path else outer
        return self._chains[path]

    def around(self, paths: Sequence[str]) -> str:
        """Return the innermost module that most of the paths share; on a tie, the outermost."""
        (first, most), *others = Counter(paths).most_common(2)
        if not others or most > others[0][1]:
            return first
        shared: list[str] = common_beginning([self.chain(path) for path in paths])
        return shared[-1]


class Calls:
    """The calls in a graph.

    Parameters
    ----------
    order : sequence of Value
        The graph, operands before results.
    model : Model
        The model whose calls to find.

    Attributes
    ----------
    owners : dict from Value to str
        The path of the module that each parameter belongs to.
    of : dict from Value to Call
        The innermost call that each computed node belongs to, if any.
    """

    def __init__(self, order: Sequence[Value], model: Model) -> None:
        self.modules = Modules(model)
        present = set(order)
        self.owners = {
            parameter: self.modules.chain(name)[-1]
            for name, parameter in model.named_parameters()
            if parameter in present
        }
        self.of: dict[Value, Call] = {}
        self._latest: dict[tuple[str, Operands], Call] = {}  # by path and inputs
        self._sources: dict[Value, Call] = {}  # a call that each node depends on
        self._readers = _readers(order)
        for node in order:
            self._assign(node)
        self.of = {node: call.settled() for node, call in self.of.items()}
        self.of |= between(order, self.of, self._readers)
        composed = {path.rpartition(".")[0] for path in self.modules.by_path if path}
        self.of = with_tails(order, self.of, self._readers, self.owners, composed)

    def _assign(self, node: Value) -> None:
        """Find the call of a node, if it uses parameters, and note on which call it depends."""
        found = (
            self._sources[x] for x in node.parents if isinstance(x, Value) and x in self._sources
        )
        sources = list(dict.fromkeys(call.settled() for call in found))
        if node in self.of:  # an activation
            sources = [self.of[node]]
        elif call := self._working(node, sources):
            for made in (node, *self._activated(node, self.modules.by_path[call.path])):
                self.of[made] = call
            sources = [call]
        else:
            _meet(sources)
        if sources:
            self._sources[node] = sources[0]

    def _working(self, node: Value, sources: list[Call]) -> Call | None:
        """Return the call of the module whose parameters a node uses; None if it uses none."""
        owners = [self.owners[x] for x in node.parents if isinstance(x, Value) and x in self.owners]
        if not owners:
            return None
        path = self.modules.around(owners)
        values = [x for x in node.parents if isinstance(x, Value)]
        own = {x: None for x in values if self.is_within(x, path)}
        inputs = tuple(x for x in node.parents if x not in own)
        if not _computes_with(node, inputs):
            return None
        return self._call(self.modules.chain(path), inputs, tuple(own), sources)

    def is_within(self, node: Value, path: str) -> bool:
        """Return whether a node is a parameter of a module or of one inside it."""
        return node in self.owners and path in self.modules.chain(self.owners[node])

    def _call(self, chain: list[str], inputs: Operands, own: Operands, sources: list[Call]) -> Call:
        """Return the call, of the last module of a chain, that a node belongs to."""
        known, call = len(chain), None
        while known and call is None:
            known -= 1
            call = self._known(chain[known], inputs, own, sources)
        known += call is not None
        for path in chain[known:]:
            call = Call(path, call, inputs)
        assert call is not None
        call.use(own)
        self._latest |= {(around.path, inputs): around for around in call.outwards()}
        return call

    def _known(
        self, path: str, inputs: Operands, own: Operands, sources: list[Call]
    ) -> Call | None:
        """Return the known call of a module that a node belongs to, if there is one.

        Everything that depends on a call of the whole model belongs to that call.
        """
        calls = [call for source in sources for call in source.outwards() if call.path == path]
        fitting = [call for call in calls if not path or call.fits(own)]
        if fitting:
            for call in fitting[1:]:
                fitting[0].join(call.settled())
            return fitting[0]
        latest = self._latest.get((path, inputs))
        return latest.settled() if latest and latest.settled().fits(own) else None

    def _activated(self, node: Value, module: Any) -> list[Value]:
        """Return the nodes of the module's activation, applied to `node`, if the graph has them."""
        activation = getattr(module, "activation", None)
        if not callable(activation) or not getattr(module, "nonlin", True):
            return []
        return _applied(activation, node, self._readers)


def _readers(order: Iterable[Value]) -> dict[Value, list[Value]]:
    readers: dict[Value, list[Value]] = {node: [] for node in order}
    for node in readers:
        for operand in node.parents:
            if isinstance(operand, Value):
                readers[operand].append(node)
    return readers


def _meet(calls: Sequence[Call]) -> None:
    """Merge calls of one module whose results meet, unless they use the same parameters."""
    for other in calls[1:]:
        met = dict.fromkeys(calls[0].outwards())
        paths = {call.path: call for call in met}
        for call in other.outwards():
            if call.path in paths and call not in met:
                if paths[call.path].is_apart_from(call):
                    paths[call.path].join(call)
                break


def _computes_with(node: Value, inputs: Sequence[Value | float]) -> bool:
    """Return whether a node that uses parameters has an input; a penalty on weights has none."""
    if any(isinstance(x, Value) for x in inputs):
        return True
    return bool(inputs) and isinstance(node.op, Reduction)


def _applied(
    function: Callable[[Value], Any], node: Value, readers: dict[Value, list[Value]]
) -> list[Value]:
    """Return the nodes of a function applied to `node`, found by applying it once more."""
    stand_in = Value(node.data)
    with enable_grad():
        result = function(stand_in)
    if not isinstance(result, Value):
        return []
    twins: dict[Value | float, Value | float] = {stand_in: node}
    for made in topological_order(result, until=[stand_in]):
        operands = tuple(twins.get(x, x) for x in made.parents)
        fed = [x for x in operands if isinstance(x, Value) and x in readers]
        alike = (x for x in (readers[fed[0]] if fed else []) if x.op is made.op)
        found = next((x for x in alike if x.parents == operands), None)
        if found is None:
            return []
        twins[made] = found
    return [x for x in twins.values() if isinstance(x, Value) and x is not node]
