"""Find the module call that computed each node of a graph: recorded, or one call for each module.

If the graph is built for display, by a function passed to `draw` or `walk`, the calls of the model
and of its parts are recorded while the function runs. Each node gets the numbers of its calls, the
outermost first. For ``[model(x) for x in (x0, x1)]``, where a perceptron calls a layer::

    calls = [MLP, layers.0, MLP, layers.0]       # by number
    chains = {tanh of x0: (0, 1), tanh of x1: (2, 3)}

A finished graph does not contain this information. There, all calls of a module count as one: a
node belongs to the module whose parameters it uses, and a node without parameters belongs to the
modules of both its operands and its readers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from functools import wraps
from itertools import takewhile
from threading import RLock
from typing import Any, NamedTuple, Protocol, TypeAlias

from scalargrad.engine.value import Value
from scalargrad.opdef.operation import Reduction
from scalargrad.show.weighted_sums import readers_of

#: The numbers of a call and of the calls around it, the outermost first; () outside of all calls.
Chain: TypeAlias = tuple[int, ...]


class ModuleCall(NamedTuple):
    """One call of a module, or all its calls if they were not recorded.

    Attributes
    ----------
    path : str
        Path of the module in the model.
    constants : int
        Number of plain numbers among its inputs.
    """

    path: str
    constants: int


class Model(Protocol):
    """The interface of a model: its modules and its parameters, each with its path.

    In a finished graph, a module with a callable attribute `activation` is assumed to apply it to
    what it computes from its parameters, as `scalargrad.nn.Neuron` does, unless its attribute
    `nonlin` is false.
    """

    def named_modules(self) -> Iterable[tuple[str, Any]]:
        """Yield the model, under the name "", and the modules inside."""

    def named_parameters(self) -> Iterable[tuple[str, Value]]:
        """Yield the parameters."""


def common_prefix(sequences: Iterable[Sequence[Any]]) -> list[Any]:
    """Return the longest common prefix of all sequences.

    Examples
    --------
    >>> common_prefix(["layers", "lag"])
    ['l', 'a']
    """
    columns = zip(*sequences, strict=False)
    return [items[0] for items in takewhile(lambda items: len({*items}) == 1, columns)]


def common_call(chains: Iterable[Chain]) -> Chain:
    """Return the chain of the innermost call that contains all of some calls."""
    return tuple(common_prefix(dict.fromkeys(chains)))


# Recording ---------------------------------------------------------------------------------------


class RecordedModel:
    """A model, and the calls of its modules that were recorded while a graph was built.

    Modules without parameters, such as activations, are not recorded. If a module calls itself, as
    a perceptron does for each example of a batch, this is one call.

    Attributes
    ----------
    calls : list of ModuleCall
        In the order in which they began.
    chains : dict from Value to Chain
        The calls that computed each node.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        tree = ModuleTree(model)
        used = {path for name, _ in model.named_parameters() for path in tree.chain(name)}
        self._paths = {id(part): path for path, part in tree.by_path.items() if path in used}
        self._running: Chain = ()
        self.calls: list[ModuleCall] = []
        self.chains: dict[Value, Chain] = {}

    def named_modules(self) -> Iterable[tuple[str, Any]]:
        """Yield the modules of the model."""
        return self._model.named_modules()

    def named_parameters(self) -> Iterable[tuple[str, Value]]:
        """Yield the parameters of the model."""
        return self._model.named_parameters()

    def replace_nodes(self, replacements: Mapping[Value, Value]) -> None:
        """Assign the calls of some nodes to the nodes that are displayed instead of them."""
        chains = {replacements.get(node, node): chain for node, chain in self.chains.items()}
        self.chains = chains | self.chains

    def call(self, module: Any, method: Callable[..., Any], inputs: Any, options: Any) -> Any:
        """Return ``method(*inputs, **options)``, the output of a module, and record the call."""
        path = self._paths.get(id(module))
        if path is None or (self._running and self.calls[self._running[-1]].path == path):
            return method(*inputs, **options)
        outer, operands = self._running, [*_numbers_in([*inputs, *options.values()])]
        constants = sum(not isinstance(x, Value) for x in operands)
        self._running = (*outer, len(self.calls))
        self.calls.append(ModuleCall(path, constants))
        try:
            outputs = method(*inputs, **options)
            values = {x for x in operands if isinstance(x, Value)}
            self._assign(self._running, _numbers_in(outputs), values)
        finally:
            self._running = outer
        return outputs

    def _assign(self, chain: Chain, outputs: Iterable[Any], seen: set[Value]) -> None:
        """Assign a call to the nodes between its inputs, which are `seen`, and its outputs.

        The nodes of inner calls keep their chains, which include this call.
        """
        stack = [*outputs]
        while stack:
            node = stack.pop()
            if not isinstance(node, Value) or not node.parents or node in seen:
                continue
            seen.add(node)
            innermost = self.chains.setdefault(node, chain)
            if innermost[: len(chain)] == chain:  # not of an earlier call
                stack += node.parents


def _numbers_in(tree: Any) -> Iterator[Value | float]:
    """Yield the Values and plain numbers in nested lists, tuples, dicts and arrays."""
    stack = [tree]
    while stack:
        part = stack.pop()
        if isinstance(part, Value | float | int):
            yield part
        elif isinstance(part, list | tuple):
            stack += part
        elif isinstance(part, dict):
            stack += part.values()
        elif hasattr(part, "tolist"):
            stack.append(part.tolist())


_active: ContextVar[RecordedModel | None] = ContextVar("recorded_model", default=None)
#: Held while classes have the methods that record.
_lock = RLock()


def record_calls(build: Callable[[], Any], model: Model) -> tuple[Any, RecordedModel]:
    """Return the result of a function that builds a graph, and the module calls that it made.

    While it runs, the ``__call__`` methods of the model's classes are replaced by methods that
    record the calls in this thread. So modules cost nothing when no graph is built for display, and
    a class that overrides ``__call__`` is recorded like any other.

    Examples
    --------
    >>> from scalargrad.nn import MLP
    >>> model = MLP(2, [3, 1], rng=0)
    >>> _, recorded = record_calls(lambda: model([1.0, -1.0]), model)
    >>> [call.path for call in recorded.calls][:3]
    ['', 'layers.0', 'layers.0.neurons.0']
    """
    recorded = RecordedModel(model)
    with _lock:
        methods: dict[Any, Any] = {}
        for _, module in model.named_modules():
            kind = next(kind for kind in type(module).__mro__ if "__call__" in vars(kind))
            methods[kind] = vars(kind)["__call__"]
        token = _active.set(recorded)
        try:
            for kind, method in methods.items():
                kind.__call__ = _recording_method(method)
            return build(), recorded
        finally:
            for kind, method in methods.items():
                kind.__call__ = method
            _active.reset(token)


def _recording_method(method: Any) -> Callable[..., Any]:
    """Return a ``__call__`` method that records the call if a graph is built for display here."""

    @wraps(method)
    def __call__(self: Any, *inputs: Any, **options: Any) -> Any:  # noqa: N807 - it replaces one
        bound, recorded = method.__get__(self, type(self)), _active.get()
        if recorded is None:
            return bound(*inputs, **options)
        return recorded.call(self, bound, inputs, options)

    return __call__


# The modules and calls of a graph ----------------------------------------------------------------


class ModuleTree:
    """The tree of a model's modules, by their paths.

    Attributes
    ----------
    by_path : dict from str to module
        The modules.
    numbers : dict from str to int
        The number of each module in a list among those of its class, from 1, as lectures count:
        `layers.0` is layer 1, and in Linear, ReLU, Linear the last is Linear 2.
    """

    def __init__(self, model: Model) -> None:
        self.by_path = dict(model.named_modules())
        self.numbers: dict[str, int] = {}
        counts = Counter[tuple[str, type]]()
        for path, module in self.by_path.items():
            outer, _, last = path.rpartition(".")
            if last.isdigit():
                counts[outer, type(module)] += 1
                self.numbers[path] = counts[outer, type(module)]
        self._chains: dict[str, list[str]] = {}

    def chain(self, path: str) -> list[str]:
        """Return the paths of the modules around the module or parameter of a path, outer first."""
        if path not in self._chains:
            outer = self.chain(path.rpartition(".")[0]) if path else []
            self._chains[path] = [*outer, path] if path in self.by_path else outer
        return self._chains[path]


class _Use(NamedTuple):
    """The use of a module's parameters by one node.

    Attributes
    ----------
    path : str
        Path of the innermost module that owns all of the parameters.
    parameters : tuple of Value
        The operands that are parameters of this module.
    constants : int
        Number of plain numbers among the other operands.
    """

    path: str
    parameters: tuple[Value, ...]
    constants: int


class ModuleCalls:
    """The module calls in a graph.

    Parameters
    ----------
    order : sequence of Value
        The graph, operands before results.
    model : Model
        The model whose calls to find. If it is a RecordedModel, they are known.

    Attributes
    ----------
    modules : ModuleTree
        The modules of the model.
    owners : dict from Value to str
        The path of the module that each parameter belongs to.
    calls : list of ModuleCall
        All of them, by their numbers.
    of : dict from Value to Chain
        The calls that each computed node belongs to, if any.
    readers : dict from Value to list of Value
        The readers of each node.
    """

    def __init__(self, order: Sequence[Value], model: Model) -> None:
        self.modules = ModuleTree(model)
        self.readers = readers_of(order)
        self.owners = {
            parameter: self.modules.chain(name)[-1]
            for name, parameter in model.named_parameters()
            if parameter in self.readers
        }
        self.of: dict[Value, Chain] = {}
        if isinstance(model, RecordedModel):
            self.calls = model.calls
            self.of = {node: model.chains[node] for node in order if node in model.chains}
            return
        uses, activated = self._uses(order)
        numbers = {path: i for i, path in enumerate(self.modules.by_path)}
        self.calls = self._merged_calls(uses.values())
        for node, use in uses.items():
            chain = tuple(numbers[path] for path in self.modules.chain(use.path))
            self.of |= dict.fromkeys([node, *activated.get(node, ())], chain)
        self.of.update(nodes_between(order, self.of, self.readers))

    def is_within(self, node: Value, path: str) -> bool:
        """Return True if a node is a parameter of a module or of a module inside it."""
        return node in self.owners and path in self.modules.chain(self.owners[node])

    def _uses(self, order: Sequence[Value]) -> tuple[dict[Value, _Use], dict[Value, list[Value]]]:
        """Return the nodes that use parameters, and the gates of activations that follow them."""
        uses: dict[Value, _Use] = {}
        activated: dict[Value, list[Value]] = {}
        gates = set[Value]()
        for node in order:
            if node not in gates and (use := self._use(node)):
                uses[node] = use
                activated[node] = self._activation(node, use.path)
                gates.update(activated[node])
        return uses, activated

    def _use(self, node: Value) -> _Use | None:
        """Return the use of a module's parameters by a node; None if it uses none.

        A penalty on weights, which has no other operand, belongs to no call.
        """
        values = [x for x in node.parents if isinstance(x, Value)]
        owners = [self.owners[x] for x in values if x in self.owners]
        if not owners:
            return None
        path: str = common_prefix([self.modules.chain(owner) for owner in owners])[-1]
        parameters = dict.fromkeys(x for x in values if self.is_within(x, path))
        others = [x for x in node.parents if x not in parameters]
        constants = sum(not isinstance(x, Value) for x in others)
        if constants == len(others) and not (others and isinstance(node.op, Reduction)):
            return None
        return _Use(path, tuple(parameters), constants)

    def _activation(self, node: Value, path: str) -> list[Value]:
        """Return the gate of a module's activation, if it is the only reader of `node`."""
        module, readers = self.modules.by_path[path], self.readers[node]
        applies = callable(getattr(module, "activation", None)) and getattr(module, "nonlin", True)
        operands = [x for gate in readers for x in gate.parents if isinstance(x, Value)]
        return readers if applies and operands == [node] else []

    def _merged_calls(self, uses: Iterable[_Use]) -> list[ModuleCall]:
        """Return one call for each module; its first parameters are used once for each example."""
        constants = Counter[tuple[Value, ...]]()
        first: dict[str, tuple[Value, ...]] = {}
        for use in uses:
            constants[use.parameters] += use.constants
            for path in self.modules.chain(use.path):
                first.setdefault(path, use.parameters)
        return [ModuleCall(path, constants[first.get(path, ())]) for path in self.modules.by_path]


def nodes_between(
    order: Sequence[Value], of: Mapping[Value, Chain], readers: Mapping[Value, Sequence[Value]]
) -> Iterator[tuple[Value, Chain]]:
    """Yield the nodes without parameters that lie between nodes of one call, with this call.

    A node that is computed from parameters alone belongs to the call of its readers, if they belong
    to the same one.

    Parameters
    ----------
    order : sequence of Value
        The graph, operands before results.
    of : mapping from Value to Chain
        The nodes whose call is known.
    readers : mapping from Value to sequence of Value
        The readers of each node.
    """
    operands = {node: [x for x in node.parents if isinstance(x, Value)] for node in order}
    before = _calls_of_neighbours(order, of, operands)
    after = _calls_of_neighbours(order[::-1], of, readers)
    known = {*of}
    for node in order:
        if node in of or not node.parents or not after.get(node):
            continue
        if node in before:
            chain = common_call([before[node], after[node]])
        else:
            chain = after[node] if known.issuperset(readers[node]) else ()
        if chain:
            known.add(node)
            yield node, chain


def _calls_of_neighbours(
    order: Sequence[Value], of: Mapping[Value, Chain], neighbours: Mapping[Value, Sequence[Value]]
) -> dict[Value, Chain]:
    """Return, for each node, the innermost call around all calls of its neighbours, if any."""
    chains: dict[Value, Chain] = {}
    for node in order:
        if node in of:
            chains[node] = of[node]
        elif known := [chains[x] for x in neighbours[node] if x in chains]:
            chains[node] = common_call(known)
    return chains
