"""Divide a graph into nested subgraphs, each of which can be drawn as one box.

`divide_graph` makes the tree. The calls of a model's modules are subgraphs, and each node is in the
subgraph of its call. A level with too many items is cut into segments, between repetitions if
there are any. Each subgraph has a path, by which code refers to it, and a title for people::

    path                  title           items
    ""                    20 nodes        [MLP]
    "MLP"                 MLP             [layers.0, layers.1]
    "layers.0"            Layer 1         [layers.0.neurons.0, …]
    "layers.0.neurons.0"  Neuron 1: relu  [w0, w1, b, dot, relu]
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from math import isqrt
from operator import eq, itemgetter
from typing import Any, TypeAlias

from scalargrad.checks.arguments import is_word
from scalargrad.engine.naming import name_nodes
from scalargrad.engine.value import Parameter, Value
from scalargrad.errors import GraphError
from scalargrad.show.display_graph import display_order
from scalargrad.show.subgraphs.module_calls import Chain, Model, ModuleCalls, common_call
from scalargrad.show.weighted_sums import readers_of
from scalargrad.system.short_repr import format_value, pluralize


@dataclass(eq=False, slots=True)
class Subgraph:
    """A part of a graph that can be collapsed to one box, or expanded.

    No path leaves a subgraph and enters it again, so a graph of collapsed subgraphs is acyclic.

    Attributes
    ----------
    kind : str
        ``graph``, the whole; ``call``, of a module; ``parameters``, which several calls share;
        ``segment``, a part of a long level.
    path : str
        Its unique name: ``layers.0.neurons.3``, ``v12…v50``; "" for the whole graph.
    title : str
        A description: ``Layer 1``, ``Neuron 2: relu``, ``10 × (mul, tanh)``.
    items : list of Value or Subgraph
        The nodes and subgraphs directly inside, in topological order.
    module : object or None
        The module that was called, or that owns the parameters.
    module_path : str
        The path of that module.
    number : int
        The number of that module among those of its class in a list, from 1; 0 if it has a name.
    inputs : list of Value
        Nodes outside that have readers inside, in topological order.
    outputs : list of Value
        Nodes inside that have readers outside, and roots, in topological order.
    size : int
        Number of nodes inside, at any depth.
    shape : (int, int) or None
        Of a call, how many numbers it takes, not counting its parameters, and how many it returns.
    parent : Subgraph or None
        The subgraph around it.
    """

    kind: str
    items: list[Value | Subgraph] = field(default_factory=list)
    module: Any = None
    module_path: str = ""
    number: int = 0
    path: str = ""
    title: str = ""
    inputs: list[Value] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)
    size: int = 0
    shape: tuple[int, int] | None = None
    parent: Subgraph | None = None

    @property
    def is_module(self) -> bool:
        """True for a module's call, and for the parameters of a module."""
        return self.kind in {"call", "parameters"}

    @property
    def nodes(self) -> list[Value]:
        """The nodes directly inside."""
        return [item for item in self.items if isinstance(item, Value)]

    @property
    def children(self) -> list[Subgraph]:
        """The subgraphs directly inside."""
        return [item for item in self.items if isinstance(item, Subgraph)]

    def walk(self) -> Iterator[Subgraph]:
        """Yield this subgraph and all inside it, outer ones first."""
        pending = [self]
        while pending:
            subgraph = pending.pop()
            yield subgraph
            pending += reversed(subgraph.children)

    def lineage(self) -> Iterator[Subgraph]:
        """Yield this subgraph and those around it, inner ones first."""
        subgraph: Subgraph | None = self
        while subgraph is not None:
            yield subgraph
            subgraph = subgraph.parent

    def all_nodes(self) -> Iterator[Value]:
        """Yield the nodes inside, at any depth."""
        for subgraph in self.walk():
            yield from subgraph.nodes

    def find(self, path: str) -> Subgraph:
        """Return the subgraph of this path, here or inside.

        Raises
        ------
        GraphError
            If there is none.
        """
        paths = {subgraph.path: subgraph for subgraph in self.walk()}
        if not is_word(path, paths):
            known = [repr(name) for name in paths if name]
            listing = ", ".join(known[:_MAX_LISTED]) + ", …" * (len(known) > _MAX_LISTED)
            advice = f"use one of {listing}" if known else "the graph is not divided"
            raise GraphError(f"there is no subgraph {format_value(path)}: {advice}")
        return paths[path]

    def __repr__(self) -> str:
        return f"<Subgraph {self.path!r}: {self.title}>"


Item: TypeAlias = Value | Subgraph

#: Maximum number of paths in an error message.
_MAX_LISTED = 8


def assign_names(whole: Subgraph, order: Sequence[Value]) -> None:
    """Set the path and the title of every subgraph."""
    subgraphs = [*whole.walk()]
    _assign_paths(subgraphs, order)
    calls: dict[Subgraph, list[Subgraph]] = {}  # the outermost calls in each
    for subgraph in reversed(subgraphs):  # the title of a segment may be that of its contents
        inner = [call for child in subgraph.children for call in calls[child]]
        calls[subgraph] = [subgraph] if subgraph.kind == "call" else inner
        subgraph.title = subgraph.title or _title(subgraph, inner)
    whole.title = pluralize(whole.size, "node")


def _assign_paths(subgraphs: Sequence[Subgraph], order: Sequence[Value]) -> None:
    """Set paths, and the titles of repeated calls: ``MLP, call 2 of 3``."""
    words, position = name_nodes(order), {node: i for i, node in enumerate(order)}
    enclosing = {x: _enclosing_call(x) for x in subgraphs}
    totals = Counter((enclosing[x], x.module_path) for x in subgraphs if x.kind == "call")
    counts = Counter[tuple[Subgraph | None, str]]()
    used = Counter({subgraphs[0].path})
    for subgraph in subgraphs[1:]:
        outer = enclosing[subgraph]
        key, path = (outer, subgraph.module_path), _relative_path(subgraph, outer)
        if outer and (outer.module_path or totals[enclosing[outer], ""] > 1):
            path = f"{outer.path}.{path}"
        if subgraph.kind == "parameters":
            path += ".parameters"
        elif subgraph.kind != "call":
            nodes = [*subgraph.all_nodes()]
            first, last = (pick(nodes, key=position.__getitem__) for pick in (min, max))
            path = f"{words[first]}…{words[last]}"
        elif totals[key] > 1:
            path += f"[{counts[key]}]"
            counts[key] += 1
            subgraph.title = f"{_module_name(subgraph)}, call {counts[key]} of {totals[key]}"
        used[path] += 1
        subgraph.path = path if used[path] == 1 else f"{path}_{used[path]}"


def _enclosing_call(subgraph: Subgraph) -> Subgraph | None:
    """Return the innermost call around a subgraph, if there is one."""
    return next((x for x in subgraph.lineage() if x.kind == "call" and x is not subgraph), None)


def _relative_path(subgraph: Subgraph, outer: Subgraph | None) -> str:
    """Return the path of a module within the module around it; of a model, the class name."""
    if not subgraph.module_path:
        return type(subgraph.module).__name__
    prefix = f"{outer.module_path}." if outer is not None and outer.module_path else ""
    return subgraph.module_path.removeprefix(prefix)


def _title(subgraph: Subgraph, calls: Sequence[Subgraph]) -> str:
    """Return the title of a subgraph that contains these calls."""
    if subgraph.kind == "parameters":
        return f"{_module_name(subgraph)}: {pluralize(subgraph.size, 'parameter')}"
    if subgraph.kind != "call":
        return _segment_title(subgraph, calls)
    detail = _activation_name(subgraph.module)
    return f"{_module_name(subgraph)}: {detail}" if detail else _module_name(subgraph)


def _module_name(subgraph: Subgraph) -> str:
    """Return the name of a module: ``Layer 1``, or ``encoder (MLP)`` if it has its own name."""
    kind, last = type(subgraph.module).__name__, subgraph.module_path.rpartition(".")[2]
    if subgraph.number:
        return f"{kind} {subgraph.number}"
    return f"{last} ({kind})" if last else kind


def _activation_name(module: Any) -> str:
    activation = getattr(module, "activation", None)
    if not callable(activation):
        return ""
    if not getattr(module, "nonlin", True):
        return "linear"
    name = getattr(activation, "name", None) or getattr(activation, "__name__", "")
    return "" if name == "<lambda>" else str(name)


def _segment_title(segment: Subgraph, calls: Sequence[Subgraph]) -> str:
    """Return a description of the contents of a segment."""
    if len(calls) > 1 and len({call.module_path for call in calls}) == 1:
        return f"{len(calls):,} calls of {_module_name(calls[0])}"
    if not any(node.parents for node in segment.all_nodes()):
        kinds = {isinstance(node, Parameter) for node in segment.all_nodes()}
        words = ["parameter"] * (True in kinds) + ["input"] * (False in kinds)
        return pluralize(segment.size, "s and ".join(words))
    return _repetition_title(segment) or pluralize(segment.size, "node")


def _repetition_title(segment: Subgraph) -> str:
    """Return the repeated operations of a segment: ``20 × (mul, tanh)``; "" if there are none."""
    operations = [node.op.name for node in segment.all_nodes() if node.op]
    for period in range(1, len(operations) // 2 + 1):
        if len(operations) % period == 0 and operations[period:] == operations[:-period]:
            once = operations[:period]
            if period > _MAX_NAMED:
                once = [once[0], "…", once[-1]]
            words = ", ".join(once)
            return f"{len(operations) // period:,} × {words if period == 1 else f'({words})'}"
    return ""


#: Maximum number of repeated operations in a title; of more, only the first and the last are named.
_MAX_NAMED = 5


# Division ----------------------------------------------------------------------------------------


def divide_graph(*roots: Value, model: Model | None = None, limit: int = 60) -> Subgraph:
    """Divide a graph into nested subgraphs, with few items on each level.

    Parameters
    ----------
    *roots : Value
        Nodes whose graphs are divided together.
    model : Module or RecordedModel, optional
        Its calls become subgraphs, as do the calls of the modules inside; modules without
        parameters do not. Parameters that several calls share, as those of a batch do, are one
        subgraph beside the calls.
    limit : int
        Maximum number of nodes and subgraphs on one level, at least 4. A level with more is cut
        into segments, between repetitions if there are any.

    Returns
    -------
    Subgraph
        The whole graph. Every node is directly inside exactly one subgraph.

    Notes
    -----
    Takes time nearly linear in nodes and wires, without recursion. Equal graphs are divided
    equally. If calls need results of each other, the largest of them is not a subgraph.

    Examples
    --------
    >>> from scalargrad.nn import MLP
    >>> model = MLP(2, [3, 1], rng=0)
    >>> tree = divide_graph(model([1.0, -1.0]), model=model)
    >>> for subgraph in tree.walk():
    ...     print(subgraph.path or "-", "|", subgraph.title, "|", subgraph.size)
    - | 20 nodes | 20
    MLP | MLP | 20
    layers.0 | Layer 1 | 15
    layers.0.neurons.0 | Neuron 1: relu | 5
    layers.0.neurons.1 | Neuron 2: relu | 5
    layers.0.neurons.2 | Neuron 3: relu | 5
    layers.1 | Layer 2 | 5
    layers.1.neurons.0 | Neuron 1: linear | 5
    """
    order = display_order(*roots)
    calls = None if model is None else ModuleCalls(order, model)
    whole = group_by_calls(order, calls) if calls else Subgraph("graph", list(order))
    position = {node: i for i, node in enumerate(order)}
    for subgraph in whole.walk():  # its items are visited after it has been divided
        _limit_items(subgraph, position, limit)
    assign_interfaces(whole, order, roots)
    for subgraph in whole.walk():
        if calls and subgraph.shape:
            taken = sum(not calls.is_within(x, subgraph.module_path) for x in subgraph.inputs)
            subgraph.shape = subgraph.shape[0] + taken, len(subgraph.outputs)
    assign_names(whole, order)
    return whole


def _limit_items(subgraph: Subgraph, position: dict[Value, int], limit: int) -> None:
    """Sort the items of a subgraph, and group them if there are too many.

    Shared parameters are not grouped, unless there are very many.
    """
    sort_items(subgraph, position)
    if len(subgraph.items) <= limit:
        return
    shared = [
        item for item in subgraph.items if isinstance(item, Subgraph) and item.kind == "parameters"
    ]
    shared = shared if len(shared) <= min(limit // 2, limit - 3) else []
    others = [item for item in subgraph.items if item not in shared]
    subgraph.items = [*shared, *_group_items(others, limit - len(shared))]


def _group_items(items: list[Item], limit: int) -> list[Item]:
    """Group the items of a level, in topological order, so that there are no more than `limit`.

    A sequence that repeats, such as the steps of a recurrence, is cut between repetitions; any
    other is cut into segments of similar length. Leaves with a distant reader are not part of a
    segment: they come first or, if there are many, form a segment of their own.
    """
    last = {x: k for k, item in enumerate(items) for node in _nodes_of(item) for x in node.parents}
    leaves = {x: k for k, x in enumerate(items) if isinstance(x, Value) and not x.parents}
    distant = {leaf for leaf, k in leaves.items() if last.get(leaf, k) - k > limit}
    first: list[Item] = [leaf for leaf in leaves if leaf in distant]
    if len(first) > max(1, limit // 8):
        first = [Subgraph("segment", first)]
    return [*first, *_cut([x for x in items if x not in distant], limit - len(first))]


#: Maximum length of a repetition, in items; the search for longer ones would take long.
_MAX_PERIOD = 500


def _cut(items: list[Item], limit: int) -> list[Item]:
    """Cut a sequence into a limited number of segments; cut these again if they are too many."""
    row = items
    forms: list[tuple[object, ...]] = [(_form(item),) for item in items]
    length = max_length = max(2, 2 * limit // 3)  # so that an expanded segment is not cut again
    while len(row) > limit:
        start, end, period = _find_repetition(forms, _MAX_PERIOD if row is items else length)
        if period:
            inside = max(2, min(length, (end - start) // 2))
            size = period * max(1, inside // period)  # the remainder joins the last segment
            repeated = range(start, end - size // 2, size)
            few = limit // 8
            cuts = [*_starts(0, start, few), *repeated, *_starts(end, len(row), few), len(row)]
        else:
            pieces = max(2, -(-len(row) // length))
            cuts = [k * len(row) // pieces for k in range(pieces + 1)]
        spans = [*itertools.pairwise(cuts)]
        row = [row[a] if b - a == 1 else Subgraph("segment", row[a:b]) for a, b in spans]
        forms = [tuple(itertools.chain.from_iterable(forms[a:b])) for a, b in spans]
        length = min(max_length, max(2, isqrt(len(row))))  # as many segments as items in each
    return row


def _form(item: Item) -> object:
    """Return the operation of a gate, None for a leaf, or the path of a called module."""
    return item.op if isinstance(item, Value) else item.module_path


def _find_repetition(forms: Sequence[object], max_period: int) -> tuple[int, int, int]:
    """Return start, end and period of the repetitions in a sequence; zeros if there are none.

    The period is the shortest one whose repetitions cover at least half of the sequence.
    """
    numbers: dict[object, int] = {}
    row = [numbers.setdefault(form, len(numbers)) for form in forms]
    for period in range(1, min(len(row) // 3, max_period) + 1):
        is_equal = [*map(eq, row, row[period:])]
        if sum(is_equal) >= len(row) // 2:
            start, length = _longest_run(is_equal)
            if length >= len(row) // 2:
                return start, start + length // period * period + period, period
    return 0, 0, 0


def _longest_run(flags: Sequence[bool]) -> tuple[int, int]:
    """Return start and length of the longest run of True.

    Examples
    --------
    >>> _longest_run([True, False, True, True])
    (2, 2)
    """
    ends = [-1, *(i for i, flag in enumerate(flags) if not flag), len(flags)]
    runs = [(before + 1, end - before - 1) for before, end in itertools.pairwise(ends)]
    return max(runs, key=itemgetter(1))


def _starts(start: int, end: int, few: int) -> list[int]:
    """Return the starts of the segments before or after repetitions.

    If there are at most `few` items, each is by itself, so that the operands and the results of
    all repetitions stay visible.

    Examples
    --------
    >>> _starts(0, 2, few=3), _starts(0, 9, few=3)
    ([0, 1], [0])
    """
    return [*range(start, end)] if end - start <= few else [start]


def assign_interfaces(whole: Subgraph, order: Sequence[Value], roots: Sequence[Value]) -> None:
    """Set the parent, the size, the inputs and the outputs of every subgraph.

    Parameters
    ----------
    whole : Subgraph
        The tree.
    order : sequence of Value
        All its nodes, operands before results.
    roots : sequence of Value
        Nodes that are outputs although nothing in the graph reads them.
    """
    lineage: dict[Value, dict[Subgraph, None]] = {}  # one object for all nodes of a subgraph
    for subgraph in whole.walk():
        for child in subgraph.children:
            child.parent = subgraph
        lineage.update(dict.fromkeys(subgraph.nodes, dict.fromkeys(subgraph.lineage())))
        subgraph.size = sum(1 for _ in subgraph.all_nodes())
    readers = readers_of(order)
    for x in order:
        reading = {id(lineage[node]): lineage[node] for node in readers[x]}.values()
        for subgraph in lineage[x]:
            if x in roots or not all(subgraph in subgraphs for subgraphs in reading):
                subgraph.outputs.append(x)
        for subgraph in dict.fromkeys(itertools.chain.from_iterable(reading)):
            if subgraph not in lineage[x]:
                subgraph.inputs.append(x)


def sort_items(subgraph: Subgraph, position: dict[Value, int]) -> None:
    """Sort the items of a subgraph topologically.

    If subgraphs form a cycle, the largest of them is replaced by its items.
    """
    while True:
        rank = [max(position[node] for node in _nodes_of(item)) for item in subgraph.items]
        order, cycle = _topological_order(_dependencies(subgraph.items), rank)
        if not cycle:
            subgraph.items = [subgraph.items[k] for k in order]
            return
        largest = max(cycle, key=lambda k: len([*_nodes_of(subgraph.items[k])]))
        item = subgraph.items[largest]
        assert isinstance(item, Subgraph)  # nodes alone form no cycle
        subgraph.items[largest : largest + 1] = item.items


def _nodes_of(item: Item) -> Iterable[Value]:
    return [item] if isinstance(item, Value) else item.all_nodes()


def _dependencies(items: Sequence[Item]) -> list[set[int]]:
    """Return, for each item, the indices of the other items that it reads."""
    index: dict[Value | float, int] = {}
    inside = [list(_nodes_of(item)) for item in items]
    for k, nodes in enumerate(inside):
        index.update(dict.fromkeys(nodes, k))
    return [
        {index[x] for node in nodes for x in node.parents if x in index} - {k}
        for k, nodes in enumerate(inside)
    ]


def _topological_order(
    dependencies: Sequence[set[int]], rank: Sequence[int]
) -> tuple[list[int], list[int]]:
    """Return a topological order, ties broken by rank, and a cycle if there is one."""
    sorter = TopologicalSorter(dict(enumerate(dependencies)))
    try:
        sorter.prepare()
    except CycleError as error:
        return [], error.args[1][1:]
    order, ready = list[int](), list[tuple[int, int]]()
    while sorter.is_active():
        for k in sorter.get_ready():
            heapq.heappush(ready, (rank[k], k))
        order.append(heapq.heappop(ready)[1])
        sorter.done(order[-1])
    return order, []


def group_by_calls(order: Sequence[Value], calls: ModuleCalls) -> Subgraph:
    """Return a graph as a tree of calls: every node is in the subgraph of its call.

    A parameter that several calls share is in a subgraph of parameters beside these calls, within
    subgraphs named after the modules around it.
    """
    whole = Subgraph("graph")
    subgraphs: dict[object, Subgraph] = {(): whole}

    def child(outer: Subgraph, key: object, kind: str, path: str) -> Subgraph:
        if key not in subgraphs:
            module, number = calls.modules.by_path[path], calls.modules.numbers.get(path, 0)
            subgraphs[key] = Subgraph(kind, [], module, path, number=number)
            outer.items.append(subgraphs[key])
        return subgraphs[key]

    def call_subgraph(chain: Chain) -> Subgraph:
        subgraph = whole
        for k, number in enumerate(chain, 1):
            call = calls.calls[number]
            subgraph = child(subgraph, chain[:k], "call", call.path)
            subgraph.shape = call.constants, 0
        return subgraph

    for node in order:
        if node not in calls.owners:
            call_subgraph(calls.of.get(node, ())).items.append(node)
            continue
        modules = calls.modules.chain(calls.owners[node])
        chain = common_call(calls.of.get(x, ()) for x in calls.readers[node])
        while chain and calls.calls[chain[-1]].path not in modules:
            chain = chain[:-1]
        inner = modules.index(calls.calls[chain[-1]].path) + 1 if chain else 0
        subgraph = call_subgraph(chain)
        for path in modules[inner:]:
            subgraph = child(subgraph, (subgraph, path), "parameters", path)
        subgraph.items.append(node)
    return whole
