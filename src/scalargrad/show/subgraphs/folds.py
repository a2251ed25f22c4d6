"""The tree of folds: parts of a graph, each of which can be shown as one thing, or opened.

Each gets a path, by which code refers to it, and a title for people. `fold` makes the tree: with a
model, its calls are folds, and every node is put into that of its call. A level that is too large
is cut into stretches, between its repetitions.
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
from scalargrad.engine.naming import names
from scalargrad.engine.value import Parameter, Value
from scalargrad.errors import GraphError
from scalargrad.show.shown_graph import shown_order
from scalargrad.show.subgraphs.calls import Calls, Chain, Model, around
from scalargrad.show.weighted_sums import readers_of
from scalargrad.system.short_repr import format_value, pluralize


@dataclass(eq=False, slots=True)
class Fold:
    """A part of a graph that can be shown as one box, or opened.

    No path leaves a fold and returns to it, so closed folds form an acyclic graph.

    Attributes
    ----------
    kind : str
        ``graph``, the whole; ``call``, of a module; ``parameters``, shared by several calls;
        ``stretch``, a part of a long sequence.
    path : str
        Its unique name: ``layers.0.neurons.3``, ``v12…v50``; "" for the whole graph.
    title : str
        A description: ``Layer 1``, ``Neuron 2: relu``, ``10 × (mul, tanh)``.
    items : list of Value or Fold
        The nodes and folds directly inside, in topological order.
    module : object or None
        The module that was called, or that owns the parameters.
    module_path : str
        The path of that module.
    number : int
        The number of that module among those of its kind in a list, from 1; 0 if it has a name.
    inputs : list of Value
        Nodes outside that are read inside, in topological order.
    outputs : list of Value
        Nodes inside that are read outside, and roots, in topological order.
    size : int
        Number of nodes inside, at any depth.
    shape : (int, int) or None
        Of a call, how many numbers it takes (not counting its parameters) and returns.
    outer : Fold or None
        The fold around it.
    """

    kind: str
    items: list[Value | Fold] = field(default_factory=list)
    module: Any = None
    module_path: str = ""
    number: int = 0
    path: str = ""
    title: str = ""
    inputs: list[Value] = field(default_factory=list)
    outputs: list[Value] = field(default_factory=list)
    size: int = 0
    shape: tuple[int, int] | None = None
    outer: Fold | None = None

    @property
    def is_module(self) -> bool:
        """True for a module's call, and for the parameters of one."""
        return self.kind in {"call", "parameters"}

    @property
    def nodes(self) -> list[Value]:
        """The nodes directly inside."""
        return [item for item in self.items if isinstance(item, Value)]

    @property
    def folds(self) -> list[Fold]:
        """The folds directly inside."""
        return [item for item in self.items if isinstance(item, Fold)]

    def walk(self) -> Iterator[Fold]:
        """Yield this fold and all inside it, outer ones first."""
        pending = [self]
        while pending:
            fold = pending.pop()
            yield fold
            pending += reversed(fold.folds)

    def outwards(self) -> Iterator[Fold]:
        """Yield this fold and those around it, inner ones first."""
        fold: Fold | None = self
        while fold is not None:
            yield fold
            fold = fold.outer

    def everything(self) -> Iterator[Value]:
        """Yield all nodes inside, at any depth."""
        for fold in self.walk():
            yield from fold.nodes

    def find(self, path: str) -> Fold:
        """Return the fold of this path, here or inside.

        Raises
        ------
        GraphError
            If there is none.
        """
        paths = {fold.path: fold for fold in self.walk()}
        if not is_word(path, paths):
            known = [repr(name) for name in paths if name]
            there = ", ".join(known[:_SHOWN]) + ", …" * (len(known) > _SHOWN)
            raise GraphError(
                f"there is no fold {format_value(path)}: there are {there or 'none at all'}"
            )
        return paths[path]

    def __repr__(self) -> str:
        return f"<Fold {self.path!r}: {self.title}>"


Item: TypeAlias = Value | Fold

_SHOWN = 8


def name_folds(whole: Fold, order: Sequence[Value]) -> None:
    """Give every fold its path and its title."""
    parts = [*whole.walk()]
    _name_paths(parts, order)
    calls: dict[Fold, list[Fold]] = {}  # the outermost ones in each
    for part in reversed(parts):  # the title of a group may be that of its contents
        within = [call for inner in part.folds for call in calls[inner]]
        calls[part] = [part] if part.kind == "call" else within
        part.title = part.title or _title(part, within)
    whole.title = pluralize(whole.size, "node")


def _name_paths(parts: Sequence[Fold], order: Sequence[Value]) -> None:
    """Assign paths, and the titles of calls of which there are several: ``MLP, call 2 of 3``."""
    words, position = names(order), {node: i for i, node in enumerate(order)}
    around = {
        part: next((x for x in part.outwards() if x.kind == "call" and x is not part), None)
        for part in parts
    }
    count = Counter((around[x], x.module_path) for x in parts if x.kind == "call")
    met, taken = Counter[tuple[Fold | None, str]](), Counter({parts[0].path})
    for part in parts[1:]:
        outer = around[part]
        key, path = (outer, part.module_path), _name_inside(part, outer)
        if outer and (outer.module_path or count[around[outer], ""] > 1):
            path = f"{outer.path}.{path}"
        if part.kind == "parameters":
            path += ".parameters"
        elif part.kind != "call":
            ends = [*part.everything()]
            first, last = (pick(ends, key=position.__getitem__) for pick in (min, max))
            path = f"{words[first]}…{words[last]}"
        elif count[key] > 1:
            path += f"[{met[key]}]"
            met[key] += 1
            part.title = f"{_module_name(part)}, call {met[key]} of {count[key]}"
        taken[path] += 1
        part.path = path if taken[path] == 1 else f"{path}_{taken[path]}"


def _name_inside(part: Fold, outer: Fold | None) -> str:
    """Return the path of a fold's module within the module around it; of a model, its class."""
    if not part.module_path:
        return type(part.module).__name__
    inside = f"{outer.module_path}." if outer is not None and outer.module_path else ""
    return part.module_path.removeprefix(inside)


def _title(part: Fold, calls: Sequence[Fold]) -> str:
    """Return a description of a fold, in which there are calls."""
    if part.kind == "parameters":
        return f"{_module_name(part)}: {pluralize(part.size, 'parameter')}"
    if part.kind != "call":
        return _row_title(part, calls)
    detail = _activation(part.module)
    return f"{_module_name(part)}: {detail}" if detail else _module_name(part)


def _module_name(part: Fold) -> str:
    """Return the name of a module: ``Layer 1``, or ``encoder (MLP)`` if it has its own name."""
    kind, last = type(part.module).__name__, part.module_path.rpartition(".")[2]
    if part.number:
        return f"{kind} {part.number}"
    return f"{last} ({kind})" if last else kind


def _activation(module: Any) -> str:
    activation = getattr(module, "activation", None)
    if not callable(activation):
        return ""
    if not getattr(module, "nonlin", True):
        return "linear"
    name = getattr(activation, "name", None) or getattr(activation, "__name__", "")
    return "" if name == "<lambda>" else str(name)


def _row_title(part: Fold, calls: Sequence[Fold]) -> str:
    """Return a description of the contents of a stretch."""
    if len(calls) > 1 and len({call.module_path for call in calls}) == 1:
        return f"{len(calls):,} calls of {_module_name(calls[0])}"
    if not any(node.parents for node in part.everything()):
        held = {isinstance(node, Parameter) for node in part.everything()}
        words = ["parameter"] * (True in held) + ["input"] * (False in held)
        return pluralize(part.size, "s and ".join(words))
    return _repeated(part) or pluralize(part.size, "node")


def _repeated(part: Fold) -> str:
    """Return what a stretch repeats, such as ``20 × (mul, tanh)``; "" if nothing."""
    done = [node.op.name for node in part.everything() if node.op]
    for unit in range(1, len(done) // 2 + 1):
        if len(done) % unit == 0 and done[unit:] == done[:-unit]:
            once = done[:unit] if unit <= _REPEATED else [done[0], "…", done[unit - 1]]
            words = ", ".join(once)
            return f"{len(done) // unit:,} × {words if unit == 1 else f'({words})'}"
    return ""


_REPEATED = 5  # nodes: where more are repeated, the first and the last are named


# Making it ---------------------------------------------------------------------------------------


def fold(*roots: Value, model: Model | None = None, limit: int = 60) -> Fold:
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
    Calls that need results of each other cannot be folded.

    Examples
    --------
    >>> from scalargrad.nn import MLP
    >>> model = MLP(2, [3, 1], rng=0)
    >>> tree = fold(model([1.0, -1.0]), model=model)
    >>> for part in tree.walk():
    ...     print(part.path or "-", "|", part.title, "|", part.size)
    - | 20 nodes | 20
    MLP | MLP | 20
    layers.0 | Layer 1 | 15
    layers.0.neurons.0 | Neuron 1: relu | 5
    layers.0.neurons.1 | Neuron 2: relu | 5
    layers.0.neurons.2 | Neuron 3: relu | 5
    layers.1 | Layer 2 | 5
    layers.1.neurons.0 | Neuron 1: linear | 5
    """
    order = shown_order(*roots)
    calls = None if model is None else Calls(order, model)
    root = folded_by_calls(order, calls) if calls else Fold("graph", list(order))
    position = {node: i for i, node in enumerate(order)}
    for part in root.walk():  # its contents are visited after it has been divided
        _divide(part, position, limit)
    note_interfaces(root, order, roots)
    for part in root.walk():
        if calls and part.shape:
            taken = sum(not calls.is_within(x, part.module_path) for x in part.inputs)
            part.shape = part.shape[0] + taken, len(part.outputs)
    name_folds(root, order)
    return root


def _divide(part: Fold, position: dict[Value, int], limit: int) -> None:
    """Sort the items of a fold, and group them if there are too many; shared parameters are not."""
    sort(part, position)
    if len(part.items) <= limit:
        return
    shared = [item for item in part.items if isinstance(item, Fold) and item.kind == "parameters"]
    shared = shared if len(shared) <= min(limit // 2, limit - 3) else []
    others = [item for item in part.items if item not in shared]
    part.items = [*shared, *_grouped(others, limit - len(shared))]


def _grouped(items: list[Item], limit: int) -> list[Item]:
    """Group the items of a level, in topological order, so that it shows no more than `limit`.

    A sequence that repeats, as the steps of a recurrence do, is cut between repetitions, any other
    into stretches of similar length. Leaves that are read far and wide stand
    beside these or, if they are many, are one more.
    """
    last = {x: k for k, item in enumerate(items) for node in _inside(item) for x in node.parents}
    leaves = {x: k for k, x in enumerate(items) if isinstance(x, Value) and not x.parents}
    far = {leaf for leaf, k in leaves.items() if last.get(leaf, k) - k > limit}
    first: list[Item] = [leaf for leaf in leaves if leaf in far]
    beside = first if len(first) <= max(1, limit // 8) else [Fold("stretch", first)]
    return [*beside, *_cut([x for x in items if x not in far], limit - len(beside))]


_LONGEST_UNIT = 500  # items; to look for longer repetitions would take long


def _cut(items: list[Item], limit: int) -> list[Item]:
    """Cut a sequence into a limited number of stretches, again if these are too many."""
    row = items
    forms: list[tuple[object, ...]] = [(_form(item),) for item in items]
    length = most_inside = max(2, 2 * limit // 3)  # so that each can be shown whole when opened
    while len(row) > limit:
        start, end, unit = _repetition(forms, _LONGEST_UNIT if row is items else length)
        if unit:
            inside = max(2, min(length, (end - start) // 2))
            size = unit * max(1, inside // unit)  # what is left joins the last
            repeated = range(start, end - size // 2, size)
            few = limit // 8
            cuts = [*_ends(0, start, few), *repeated, *_ends(end, len(row), few), len(row)]
        else:
            pieces = max(2, -(-len(row) // length))
            cuts = [k * len(row) // pieces for k in range(pieces + 1)]
        parts = [*itertools.pairwise(cuts)]
        row = [row[a] if b - a == 1 else Fold("stretch", row[a:b]) for a, b in parts]
        forms = [tuple(itertools.chain.from_iterable(forms[a:b])) for a, b in parts]
        length = min(most_inside, max(2, isqrt(len(row))))  # stretches, each of as many
    return row


def _form(item: Item) -> object:
    """Return what an item is: an operation, a leaf, a call of a module."""
    return item.op if isinstance(item, Value) else item.module_path


def _repetition(forms: Sequence[object], most: int) -> tuple[int, int, int]:
    """Return where repetitions in a sequence begin and end, and their length; 0 if there are none.

    They are the shortest that at least half of the sequence consists of, and at `most` so long.
    """
    numbers: dict[object, int] = {}
    row = [numbers.setdefault(form, len(numbers)) for form in forms]
    for unit in range(1, min(len(row) // 3, most) + 1):
        again = [*map(eq, row, row[unit:])]
        if sum(again) >= len(row) // 2:
            start, length = _longest(again)
            if length >= len(row) // 2:
                return start, start + length // unit * unit + unit, unit
    return 0, 0, 0


def _longest(found: Sequence[bool]) -> tuple[int, int]:
    """Return the place and the length of the longest run of true.

    Examples
    --------
    >>> _longest([True, False, True, True])
    (2, 2)
    """
    ends = [-1, *(i for i, is_true in enumerate(found) if not is_true), len(found)]
    runs = [(before + 1, end - before - 1) for before, end in itertools.pairwise(ends)]
    return max(runs, key=itemgetter(1))


def _ends(start: int, end: int, few: int) -> list[int]:
    """Return where pieces begin of what stands before repetitions, or after them.

    A `few` are pieces by themselves: what all repetitions read or give stays in sight.

    Examples
    --------
    >>> _ends(0, 2, few=3), _ends(0, 9, few=3)
    ([0, 1], [0])
    """
    return [*range(start, end)] if end - start <= few else [start]


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
    around: dict[Value, dict[Fold, None]] = {}  # one for all nodes of a fold
    for part in whole.walk():
        for inner in part.folds:
            inner.outer = part
        around.update(dict.fromkeys(part.nodes, dict.fromkeys(part.outwards())))
        part.size = sum(1 for _ in part.everything())
    readers = readers_of(order)
    for x in order:
        reading = {id(around[node]): around[node] for node in readers[x]}.values()
        for part in around[x]:
            if x in roots or not all(part in folds for folds in reading):
                part.outputs.append(x)
        for part in dict.fromkeys(itertools.chain.from_iterable(reading)):
            if part not in around[x]:
                part.inputs.append(x)


def sort(part: Fold, position: dict[Value, int]) -> None:
    """Sort the items of a fold topologically.

    If folds form a cycle, the largest of them is replaced by its contents.
    """
    while True:
        rank = [max(position[node] for node in _inside(item)) for item in part.items]
        order, cycle = _sorted(_reads(part.items), rank)
        if not cycle:
            part.items = [part.items[k] for k in order]
            return
        largest = max(cycle, key=lambda k: len([*_inside(part.items[k])]))
        opened = part.items[largest]
        assert isinstance(opened, Fold)  # nodes alone form no cycle
        part.items[largest : largest + 1] = opened.items


def _inside(item: Item) -> Iterable[Value]:
    return [item] if isinstance(item, Value) else item.everything()


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


def folded_by_calls(order: Sequence[Value], calls: Calls) -> Fold:
    """Return a graph as a tree of calls: every node is in that of its call.

    A parameter that several calls share is in a fold of parameters beside these, within folds named
    after the modules around it.
    """
    whole = Fold("graph")
    made: dict[object, Fold] = {(): whole}

    def inside(outer: Fold, key: object, kind: str, path: str) -> Fold:
        if key not in made:
            module, number = calls.modules.by_path[path], calls.modules.numbers.get(path, 0)
            made[key] = Fold(kind, [], module, path, number=number)
            outer.items.append(made[key])
        return made[key]

    def home(chain: Chain) -> Fold:
        found = whole
        for k, number in enumerate(chain, 1):
            call = calls.calls[number]
            found = inside(found, chain[:k], "call", call.path)
            found.shape = sum(isinstance(x, float) for x in call.inputs), 0
        return found

    for node in order:
        if node not in calls.owners:
            home(calls.of.get(node, ())).items.append(node)
            continue
        modules = calls.modules.chain(calls.owners[node])
        near = around(calls.of.get(x, ()) for x in calls.readers[node])
        while near and calls.calls[near[-1]].path not in modules:
            near = near[:-1]
        found = home(near)
        for path in modules[len(near) :]:
            found = inside(found, (found, path), "parameters", path)
        found.items.append(node)
    return whole
