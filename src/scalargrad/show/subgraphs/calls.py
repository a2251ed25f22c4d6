"""Infer which call of which module computed each node of a graph, from the parameters it uses.

Nothing is recorded while a model computes. A node that combines parameters of a module with an
input belongs to a call of that module. Nodes that read the same inputs, or results of each other,
belong to one call of the module around it, unless one of them uses parameters that this call has
used already: then it belongs to another call, such as that for another sample.

Nodes that use no parameters belong to a call, too: those between its inputs and its outputs, and
those at its end, if it is a step of a recurrence.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from scalargrad.grad_mode import enable_grad
from scalargrad.graph import topological_order
from scalargrad.show.weighted_sums import readers_of
from scalargrad.table.operation import Reduction
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
    paths: Iterable[str],
) -> dict[Value, Call]:
    """Return the call of each node, including the last nodes of the steps of recurrences.

    These are computed from results of calls, and read by another call of the module; in the last
    step, those that do the same.

    Parameters
    ----------
    order : sequence of Value
        The graph, operands before results.
    of : mapping from Value to Call
        The nodes whose call is known.
    readers : mapping from Value to sequence of Value
        What reads each node.
    paths : iterable of str
        The modules of several parts. Only these are considered, since what follows the single
        product of a `Linear` does not belong to it.
    """
    found = dict(of)
    for path in sorted(paths, key=lambda path: -path.count(".")):  # inner ones first
        steps = {
            node: step
            for node, call in found.items()
            for step in call.outwards()
            if step.path == path
        }
        ends = _ends(order, found, steps)
        read = set[Value]()
        for node in reversed(ends):
            if any(x in steps or x in read for x in readers[node]):
                read.add(node)
        forms = {_form(node) for node in read}
        for node, call in ends.items():
            operands = [x for x in node.parents if isinstance(x, Value) and x.parents]
            if _form(node) in forms and all(x in steps for x in operands):
                found[node] = steps[node] = call
    return found


def _ends(
    order: Sequence[Value], of: Mapping[Value, Call], steps: Mapping[Value, Call]
) -> dict[Value, Call]:
    """Return the latest of these calls for each node computed from results of them alone."""
    last = {steps[node]: i for i, node in enumerate(order) if node in steps}
    ends: dict[Value, Call] = {}
    for node in order if len(last) > 1 else ():
        operands = [x for x in node.parents if isinstance(x, Value) and x.parents]
        calls = [call for x in operands if (call := steps.get(x) or ends.get(x))]
        if node in steps or not calls or len(calls) < len(operands):
            continue
        latest = max(calls, key=last.__getitem__)
        if of.get(node) in {None, *list(latest.outwards())[1:]}:
            ends[node] = latest
    return ends


def _form(node: Value) -> tuple[object, ...]:
    """Return what a node does: its operation, and those of its operands."""
    return node.op, *(x.op if isinstance(x, Value) else None for x in node.parents)


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
    readers : dict from Value to list of Value
        What reads each node.
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
        self.readers = readers_of(order)
        for node in order:
            self._assign(node)
        self.of = {node: call.settled() for node, call in self.of.items()}
        self.of |= between(order, self.of, self.readers)
        paths = _of_several_parts(self.modules, model)
        self.of = with_tails(order, self.of, self.readers, paths)

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
        return _applied(activation, node, self.readers)


def _of_several_parts(modules: Modules, model: Model) -> set[str]:
    """Return the modules that combine others, or more tensors than a weight and a bias: cells."""
    tensors = {path: set[str]() for path in modules.by_path}
    for name, _ in model.named_parameters():
        owner = modules.chain(name)[-1]
        tensors[owner].add(name.removeprefix(f"{owner}.").partition(".")[0])
    combining = {path.rpartition(".")[0] for path in modules.by_path if path}
    return combining | {path for path, found in tensors.items() if len(found) > 2}


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
