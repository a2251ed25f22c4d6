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
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import takewhile
from typing import Any, NamedTuple, Protocol, TypeAlias

from scalargrad.engine.value import Value
from scalargrad.opdef.operation import Reduction
from scalargrad.show.weighted_sums import readers_of

#: What a node reads: inputs of a call, or the parameters a node of it uses.
Operands: TypeAlias = tuple[Value | float, ...]

#: The numbers of a call and of those around it, the outermost first; empty outside of all.
Chain: TypeAlias = tuple[int, ...]


class Call(NamedTuple):
    """One call of a module: its path, and what the first node reads besides parameters."""

    path: str
    inputs: Operands


class Use(NamedTuple):
    """The use of a module's parameters by one node.

    Attributes
    ----------
    paths : list of str
        The modules around it, the outermost first; the last owns the parameters.
    inputs, own : tuple of Value or float
        Its operands: those that are not parameters of the module, and those that are.
    """

    paths: list[str]
    inputs: Operands
    own: Operands


def common_beginning(chains: Iterable[Sequence[Any]]) -> list[Any]:
    """Return the common beginning of all chains.

    Examples
    --------
    >>> common_beginning(["layers", "lag"])
    ['l', 'a']
    """
    abreast = zip(*chains, strict=False)
    return [links[0] for links in takewhile(lambda links: len({*links}) == 1, abreast)]


def around(chains: Iterable[Chain]) -> Chain:
    """Return the innermost call that contains all of some calls, with those around it."""
    return tuple(common_beginning(dict.fromkeys(chains)))


def between(
    order: Sequence[Value], of: Mapping[Value, Chain], readers: Mapping[Value, Sequence[Value]]
) -> Iterator[tuple[Value, Chain]]:
    """Yield each node that depends on nodes of a call and that the same call reads, with the call.

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
    found = {*of}
    for node in order:
        if node in of or not node.parents or not after.get(node):
            continue
        if node in before:
            chain = around([before[node], after[node]])
        else:
            chain = after[node] if found.issuperset(readers[node]) else ()
        if chain:
            found.add(node)
            yield node, chain


def _around_neighbours(
    order: Sequence[Value], of: Mapping[Value, Chain], neighbours: Mapping[Value, Sequence[Value]]
) -> dict[Value, Chain]:
    """Return, for each node, the innermost call around all calls among its neighbours, if any."""
    found: dict[Value, Chain] = {}
    for node in order:
        if node in of:
            found[node] = of[node]
        elif met := [found[x] for x in neighbours[node] if x in found]:
            found[node] = around(met)
    return found


class Model(Protocol):
    """The interface of a model: its modules and its parameters, each with its path.

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
    calls : list of Call
        All of them, by their numbers.
    of : dict from Value to Chain
        The calls that each computed node belongs to, if any.
    readers : dict from Value to list of Value
        What reads each node.
    """

    def __init__(self, order: Sequence[Value], model: Model) -> None:
        self.modules = Modules(model)
        self.readers = readers_of(order)
        self.owners = {
            parameter: self.modules.chain(name)[-1]
            for name, parameter in model.named_parameters()
            if parameter in self.readers
        }
        self.calls: list[Call] = []
        uses: dict[Value, Use] = {}
        before: dict[Value, Value] = {}  # what each node of an activation follows
        for node in order:
            if node not in before and (use := self._use(node)):
                uses[node] = use
                before |= dict.fromkeys(self._activated(node, use.paths[-1]), node)
        self.of: dict[Value, Chain] = dict.fromkeys(uses, ())
        for level in reversed(range(max((len(use.paths) for use in uses.values()), default=0))):
            for node, call in self._at_level(level, order, uses, before).items():
                self.of[node] = call, *self.of[node]
        self.of |= {node: self.of[x] for node, x in before.items()}
        self.of.update(between(order, self.of, self.readers))
        for path in sorted(_of_several_parts(self.modules, model), key=lambda x: -x.count(".")):
            self._add_tails(order, path)

    def _use(self, node: Value) -> Use | None:
        """Return what a node does with parameters of a module; None if it uses none.

        A penalty on weights, which has no input, belongs to no call.
        """
        values = [x for x in node.parents if isinstance(x, Value)]
        owners = [self.owners[x] for x in values if x in self.owners]
        if not owners:
            return None
        chain: list[str] = common_beginning([self.modules.chain(owner) for owner in owners])
        path = chain[-1]
        own = dict.fromkeys(x for x in values if self.is_within(x, path))
        inputs = tuple(x for x in node.parents if x not in own)
        varies = any(isinstance(x, Value) for x in inputs)
        if not varies and not (inputs and isinstance(node.op, Reduction)):
            return None
        return Use(chain, inputs, tuple(own))

    def is_within(self, node: Value, path: str) -> bool:
        """Return whether a node is a parameter of a module or of one inside it."""
        return node in self.owners and path in self.modules.chain(self.owners[node])

    def _activated(self, node: Value, path: str) -> list[Value]:
        """Return the gate of a module's activation, if that is all that reads `node`."""
        module, read = self.modules.by_path[path], self.readers[node]
        applies = callable(getattr(module, "activation", None)) and getattr(module, "nonlin", True)
        operands = [x for gate in read for x in gate.parents if isinstance(x, Value)]
        return read if applies and operands == [node] else []

    def _at_level(
        self,
        level: int,
        order: Sequence[Value],
        uses: Mapping[Value, Use],
        before: Mapping[Value, Value],
    ) -> dict[Value, int]:
        """Return the number of the call of a module of this level that each node belongs to."""
        found: dict[Value, int] = {}
        sources: dict[Value, int] = {}  # a call that each node depends on
        calls = _Level(self.calls)
        for node in order:
            read = [before[node]] if node in before else node.parents
            met = [sources[x] for x in read if isinstance(x, Value) and x in sources]
            met = list(dict.fromkeys(map(calls.settled, met)))
            if node not in uses:
                calls.meet(met)
            elif len(uses[node].paths) > level:
                path, inner = uses[node].paths[level], self.of[node][:1]
                met = [calls.using(path, uses[node], inner, met)]
                found[node] = met[0]
            else:
                met = []
            if met:
                sources[node] = met[0]
        return {node: calls.settled(call) for node, call in found.items()}

    def _add_tails(self, order: Sequence[Value], path: str) -> None:
        """Put the last nodes of the steps of a recurrence into its calls.

        These are computed from results of calls, and read by another call of the module; in the
        last step, those that do the same.
        """
        level = len(self.modules.chain(path))
        steps = {
            node: chain[:level]
            for node, chain in self.of.items()
            if len(chain) >= level and self.calls[chain[level - 1]].path == path
        }
        last = {steps[node]: i for i, node in enumerate(order) if node in steps}
        ends: dict[Value, Chain] = {}  # what is computed of results of calls alone, in the latest
        for node in order if len(last) > 1 else ():
            calls = [steps.get(x) or ends.get(x) for x in _computed(node)]
            known = [call for call in calls if call]
            if node in steps or not known or len(known) < len(calls):
                continue
            latest, now = max(known, key=last.__getitem__), self.of.get(node, ())
            if latest != now == latest[: len(now)]:
                ends[node] = latest
        read = set[Value]()
        for node in reversed(ends):
            if any(x in steps or x in read for x in self.readers[node]):
                read.add(node)
        forms = {_form(node) for node in read}
        for node, chain in ends.items():
            if _form(node) in forms and all(x in steps for x in _computed(node)):
                self.of[node] = steps[node] = chain


class _Level:
    """The calls of modules of one level, as far as they are known: first of the innermost.

    Parameters
    ----------
    calls : list of Call
        Those of inner levels; these are added.
    """

    def __init__(self, calls: list[Call]) -> None:
        self._calls = calls
        self._around: dict[Chain, int] = {}  # by calls of the next level
        self._used: dict[int, set[Operands]] = {}  # the parameters of each node
        self._latest: dict[Call, int] = {}
        self._joined: dict[int, int] = {}

    def settled(self, call: int) -> int:
        """Return the call that one was joined with."""
        while call in self._joined:
            call = self._joined[call]
        return call

    def using(self, path: str, use: Use, inner: Chain, met: Sequence[int]) -> int:
        """Return the call of a module that a node belongs to: it uses parameters of it.

        The node is within an inner call, too, if there is one, and depends on the calls `met`.
        Everything that depends on a call of the whole model belongs to that call.
        """
        alike = (x for x in met if self._calls[x].path == path)
        fitting = [x for x in alike if not path or use.own not in self._used[x]]
        if inner in self._around:
            fitting.append(self.settled(self._around[inner]))
        here = Call(path, use.inputs)
        if not fitting and here in self._latest:
            known = self.settled(self._latest[here])
            fitting = [known] * (use.own not in self._used[known])
        if not fitting:
            fitting = [len(self._calls)]
            self._calls.append(here)
            self._used[fitting[0]] = set()
        call, *others = dict.fromkeys(fitting)
        for other in others:
            self._join(call, other)
        self._used[call].add(use.own)
        self._latest[here] = call
        if inner:
            self._around[inner] = call
        return call

    def meet(self, met: Sequence[int]) -> None:
        """Join calls of one module whose results meet, unless they use the same parameters."""
        for call in met[1:]:
            alike = self._calls[call].path == self._calls[met[0]].path
            if alike and self._used[call].isdisjoint(self._used[met[0]]):
                self._join(met[0], call)

    def _join(self, call: int, other: int) -> None:
        self._joined[other] = call
        self._used[call] |= self._used[other]


def _computed(node: Value) -> list[Value]:
    """Return the operands of a node that are no leaves."""
    return [x for x in node.parents if isinstance(x, Value) and x.parents]


def _form(node: Value) -> tuple[object, ...]:
    """Return what a node does: its operation, and those of its operands."""
    return node.op, *(x.op if isinstance(x, Value) else None for x in node.parents)


def _of_several_parts(modules: Modules, model: Model) -> set[str]:
    """Return the modules that combine others, or more tensors than a weight and a bias: cells.

    What follows the single product of a `Linear` does not belong to it.
    """
    tensors = {path: set[str]() for path in modules.by_path}
    for name, _ in model.named_parameters():
        owner = modules.chain(name)[-1]
        tensors[owner].add(name.removeprefix(f"{owner}.").partition(".")[0])
    combining = {path.rpartition(".")[0] for path in modules.by_path if path}
    return combining | {path for path, found in tensors.items() if len(found) > 2}
