"""fold: divide a graph into nested folds, their items in order, with inputs and outputs.

With a model, its calls are folds: every node is put into that of its call.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from graphlib import CycleError, TopologicalSorter

from scalargrad.errors import OperandError
from scalargrad.show.shown_graph import shown_order
from scalargrad.show.subgraphs.calls import Call, Calls, Model, around
from scalargrad.show.subgraphs.folds import Fold, Item, name_folds
from scalargrad.show.subgraphs.grouping import Member, grouped
from scalargrad.system.short_repr import shown
from scalargrad.table.validation import whole
from scalargrad.value import Value

#: The default for the most items on one level: as many as can be read in one picture.
LIMIT = 60


def fold(*roots: Value, model: Model | None = None, limit: int = LIMIT) -> Fold:
    """Divide a graph into nested folds, with few items on each level.

    Parameters
    ----------
    *roots : Value
        Nodes whose graphs are folded together.
    model : Module, optional
        Its calls become folds, as do the calls of the modules inside. They are recognised by
        the parameters that nodes use, so that modules without any are not folded. Parameters
        that several calls share, as those of a batch do, are one fold beside these.
    limit : int
        Most nodes and folds beside one another, at least 4. A level with more is cut into
        stretches, between repetitions if there are any.

    Returns
    -------
    Fold
        The whole graph. Every node is directly inside exactly one fold.

    Notes
    -----
    Takes time nearly linear in nodes and wires, without recursion. Equal graphs give equal folds.
    To find the nodes of an `activation` that is not an operation, it is applied once more, to a
    stand-in. Calls that need results of each other cannot be folded.

    Examples
    --------
    >>> from scalargrad.nn import MLP
    >>> model = MLP(2, [3, 1], rng=0)
    >>> tree = fold(model([1.0, -1.0]), model=model)
    >>> for part in tree.walk():
    ...     print(part.path or "-", "|", part.title, "|", part.size)
    - | 20 nodes | 20
    MLP | MLP: 2 layers | 20
    layers.0 | Layer 1: 3 neurons | 15
    layers.0.neurons.0 | Neuron 1: relu | 5
    layers.0.neurons.1 | Neuron 2: relu | 5
    layers.0.neurons.2 | Neuron 3: relu | 5
    layers.1 | Layer 2: 1 neuron | 5
    layers.1.neurons.0 | Neuron 1: linear | 5
    """
    if model is not None and (isinstance(model, type) or not hasattr(model, "named_modules")):
        raise OperandError(f"model is {shown(model)}; give the Module of the graph")
    limit = whole(limit, "limit", 4)
    order = shown_order(*roots)
    by_calls = None if model is None else CallFolds(order, Calls(order, model))
    root = by_calls.whole if by_calls else Fold("graph", list(order))
    position = {node: i for i, node in enumerate(order)}
    for part in root.walk():  # its contents are visited after it has been divided
        _divide(part, position, limit)
    note_interfaces(root, order, roots)
    if by_calls:
        by_calls.measure()
    name_folds(root, order)
    return root


def _divide(part: Fold, position: dict[Value, int], limit: int) -> None:
    """Sort the items of a fold, and group them if there are too many."""
    reads = in_order(part, position)
    if len(part.items) <= limit:
        return
    shared = [item for item in part.items if isinstance(item, Fold) and item.kind == "parameters"]
    if not 0 < len(shared) <= min(limit // 2, limit - 3):  # the rest needs three
        part.items = _as_folds(grouped(reads, limit, _forms(part)), part.items)
        return
    part.items = [item for item in part.items if item not in shared]  # they stay in sight
    reads = in_order(part, position)
    if len(part.items) + len(shared) > limit:
        part.items = _as_folds(grouped(reads, limit - len(shared), _forms(part)), part.items)
    part.items = [*shared, *part.items]


def _forms(part: Fold) -> list[object]:
    """Return what each item of a fold is: an operation, a leaf, a call of a module."""
    return [item.op if isinstance(item, Value) else item.module_path for item in part.items]


def _as_folds(members: Sequence[Member], items: Sequence[Item]) -> list[Item]:
    """Return folds for stretches of items."""
    whole = Fold("graph")
    pending = [(whole, members)]
    while pending:
        part, inside = pending.pop()
        for member in inside:
            if isinstance(member, int):
                part.items.append(items[member])
            else:
                made = Fold("stretch")
                part.items.append(made)
                pending.append((made, member))
    return whole.items


def note_interfaces(whole: Fold, order: Sequence[Value], roots: Sequence[Value]) -> None:
    """Set the size, the inputs and the outputs of every fold.

    Parameters
    ----------
    whole : Fold
        The tree.
    order : sequence of Value
        All its nodes, operands before results.
    roots : sequence of Value
        Those that are read from outside although nothing in the graph reads them.
    """
    folds = list(whole.walk())
    for part in folds:
        for inner in part.folds:
            inner.outer = part
    for part in reversed(folds):
        part.size = len(part.nodes) + sum(inner.size for inner in part.folds)
    chains = {part: [*part.outwards()] for part in folds}
    around = {node: chains[part] for part in folds for node in part.nodes}
    inputs: dict[Fold, set[Value]] = {part: set() for part in folds}
    outputs: dict[Fold, set[Value]] = {part: set() for part in folds}
    for root in roots:
        for part in around[root]:
            outputs[part].add(root)
    lines = [(node, x) for node in order for x in node.parents if isinstance(x, Value)]
    for node, x in lines:
        for part in around[node]:
            inputs[part].update([x] * (part not in around[x]))
        for part in around[x]:
            outputs[part].update([x] * (part not in around[node]))
    position = {node: i for i, node in enumerate(order)}
    for part in folds:
        part.inputs = sorted(inputs[part], key=position.__getitem__)
        part.outputs = sorted(outputs[part], key=position.__getitem__)


def in_order(part: Fold, position: dict[Value, int]) -> list[list[int]]:
    """Sort the items of a fold topologically, and return which items each of them reads.

    If folds form a cycle, the largest of them is replaced by its contents.
    """
    while True:
        reads = _reads(part.items)
        rank = [_rank(item, position) for item in part.items]
        order, cycle = _sorted(reads, rank)
        if not cycle:
            place = {k: i for i, k in enumerate(order)}
            part.items = [part.items[k] for k in order]
            return [sorted(place[x] for x in reads[k]) for k in order]
        part.items = _opened(part.items, cycle)


def _opened(items: Sequence[Item], cycle: Sequence[int]) -> list[Item]:
    """Return the items with the largest fold of a cycle replaced by its contents."""
    sizes = {k: len(list(_inside(items[k]))) for k in cycle}
    largest = max(cycle, key=sizes.__getitem__)
    opened = items[largest]
    assert isinstance(opened, Fold)  # nodes alone form no cycle
    return [*items[:largest], *opened.items, *items[largest + 1 :]]


def _inside(item: Item) -> Iterable[Value]:
    return [item] if isinstance(item, Value) else item.everything()


def _rank(item: Item, position: dict[Value, int]) -> int:
    """Return the position, in the order of the graph, at which an item is complete."""
    return max(position[node] for node in _inside(item))


def _reads(items: Sequence[Item]) -> list[set[int]]:
    """Return, for each item, which others it reads."""
    at: dict[Value | float, int] = {}
    inside = [list(_inside(item)) for item in items]
    for k, nodes in enumerate(inside):
        at.update(dict.fromkeys(nodes, k))
    return [
        {at[x] for node in nodes for x in node.parents if x in at} - {k}
        for k, nodes in enumerate(inside)
    ]


def _sorted(reads: Sequence[set[int]], rank: Sequence[int]) -> tuple[list[int], list[int]]:
    """Return a topological order, ties broken by rank, and a cycle if there is one."""
    sorter = TopologicalSorter(dict(enumerate(reads)))
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
