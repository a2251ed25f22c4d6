"""The visible part of a graph: nodes, open and closed folds, and the wires that they share."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from scalargrad.engine.value import Parameter, Value
from scalargrad.show.graphs.gates import boxed_constants
from scalargrad.show.subgraphs.folds import Fold, Item
from scalargrad.system.cached_property import cached_property

#: The most parts on one level of a folded graph in a picture; a page shows more.
SIDE_BY_SIDE = 30

_LINES_PER_SHAPE = 4  # of a picture at its limit

#: The most nodes with the same readers that a page draws side by side, and the most lines between
#: three or more of them and these readers. What exceeds either is drawn as one bundle.
ABREAST, MOST_LINES = 10, 24

#: The most items of a drawing that is not large; in a larger one, any three such nodes are one.
MOST_ITEMS = 60


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Nodes that share a wire: all that leave a closed fold, `source`, or a bundle with a box."""

    nodes: Sequence[Value]
    source: Fold | None = None


Unit: TypeAlias = Value | Group  # what a line comes from


class View:
    """The visible part of one fold.

    Parameters
    ----------
    fold : Fold
        What is drawn; nodes around it that are read inside stand at the edge.
    opened : collection of Fold
        The folds whose inside is drawn, unless a fold around them is closed.
    bundled : bool
        Whether nodes of one kind with the same readers share a wire, where these are many; else all
        that leaves a closed fold does.

    Attributes
    ----------
    items : list of Value or Fold
        The nodes and the closed folds, in topological order.
    stands : dict from Value to Value or Fold
        What is drawn for each node inside: itself, or the closed fold that hides it.
    leaving : dict from Value to None
        The nodes that are read around the fold.
    units : dict from Value to Value or Group
        What has the wire of each node that is read: the node itself, or a group of several.
    """

    def __init__(self, fold: Fold, opened: Collection[Fold] = (), *, bundled: bool = False) -> None:
        self.fold, self.opened = fold, set(opened)
        self.items: list[Item] = []
        self.stands: dict[Value, Item] = {}
        self.leaving = dict.fromkeys(fold.outputs if fold.outer else ())
        pending = fold.items[::-1]
        while pending:
            item = pending.pop()
            if isinstance(item, Fold) and item in self.opened:
                pending += item.items[::-1]
                continue
            self.items.append(item)
            inside = [item] if isinstance(item, Value) else item.everything()
            self.stands.update(dict.fromkeys(inside, item))
        self.units: dict[Value, Unit] = {node: node for node in self.readers}
        groups = [Group(part.outputs, part) for part in self.closed if len(part.outputs) > 1]
        for group in self._by_readers() if bundled else groups:
            self.units.update(dict.fromkeys(group.nodes, group))

    @property
    def closed(self) -> list[Fold]:
        """The folds that are drawn as boxes."""
        return [item for item in self.items if isinstance(item, Fold)]

    @cached_property
    def readers(self) -> dict[Value, dict[Item, None]]:
        """The nodes that can be read, those at the edge too, each with what reads it here."""
        found: dict[Value, dict[Item, None]] = {}
        for item in self.items:
            for x in item.parents if isinstance(item, Value) else item.inputs:
                if isinstance(x, Value):
                    found.setdefault(x, {})[item] = None
            for x in [item] if isinstance(item, Value) else item.outputs:
                found.setdefault(x, {})
        return found

    def read(self, item: Item) -> list[Unit]:
        """Return what each line into an item comes from; operands of one group share a line."""
        if isinstance(item, Fold):
            return [*dict.fromkeys(self.units[x] for x in item.inputs)]
        units = [self.units[x] for x in item.parents if isinstance(x, Value)]
        nodes = [unit for unit in units if isinstance(unit, Value)]
        return [*nodes, *dict.fromkeys(unit for unit in units if isinstance(unit, Group))]

    @property
    def needed(self) -> int:
        """The smallest `limit` that allows this view: its shapes, or a quarter of its lines."""
        nodes = (item for item in self.items if isinstance(item, Value))
        constants = sum(len(boxed_constants(node)) for node in nodes)
        lines = constants + sum(len(self.read(item)) for item in self.items)
        return max(len(self.items) + constants, -(-lines // _LINES_PER_SHAPE))

    # Shared wires -----------------------------------------------------------------------------

    def _by_readers(self) -> list[Group]:
        """Return groups of nodes of one kind with the same readers, where these are many."""
        alike: dict[tuple[str, bool, tuple[Item, ...]], list[Value]] = {}
        is_large = len(self.items) > MOST_ITEMS
        for node, readers in self.readers.items():
            leaves = node in self.leaving
            if readers or leaves:
                alike.setdefault((self.kind_of(node), leaves, tuple(readers)), []).append(node)
        return [
            Group(nodes)
            for (_, leaves, readers), nodes in alike.items()
            if len(nodes) > ABREAST
            or (len(nodes) > 2 and (is_large or len(nodes) * (len(readers) + leaves) > MOST_LINES))
        ]

    def kind_of(self, node: Value) -> str:
        """Return what a node is in this drawing: a leaf, a result, or outside, ``port``."""
        if node not in self.stands:
            return "port"
        if node.parents or self.stands[node] is not node:
            return "results"
        return "parameter" if isinstance(node, Parameter) else "input"

    def is_hidden(self, node: Value) -> bool:
        """Return whether a node has no wire but that of its group."""
        group, source = self.units[node], self.stands.get(node)
        if isinstance(group, Value):
            return False
        if not isinstance(source, Fold):
            return self.kind_of(node) != "results"
        is_named = source.kind != "parameters" and not group.source
        return not is_named or sum(self.stands[x] is source for x in group.nodes) > ABREAST


# Which folds a picture opens ------------------------------------------------------------------


def expanded_folds(
    whole: Fold, depth: int | None, names: Sequence[str], limit: int
) -> tuple[View, bool]:
    """Choose which folds are open, and say whether more would be if the limit allowed it.

    Parameters
    ----------
    whole : Fold
        All folds of the graph.
    depth : int or None
        The most levels of modules to open; None opens all.
    names : sequence of str
        Paths of folds or modules that are opened in any case, with all folds around them.
    limit : int
        The most shapes; levels are opened as long as there are no more.

    Raises
    ------
    GraphError
        If there is no fold and no module of a given name.
    """
    opened, cut = _deepest(whole, depth, limit)
    asked = [part for name in names for part in _named(whole, name)]
    opened = opened.union(*(part.outwards() for part in asked)) - {whole}
    return View(whole, opened), cut


def _deepest(whole: Fold, depth: int | None, limit: int) -> tuple[set[Fold], bool]:
    """Return the folds to open, and whether the limit made them fewer.

    These are up to `depth` levels of modules, as many as fit, and all folds that are not modules;
    none if even that is too much.
    """
    inside = [part for part in whole.walk() if part is not whole]
    levels = {part: sum(x.is_module for x in part.outwards()) - part.is_module for part in inside}
    deepest = max(levels.values(), default=-1) + 1
    wanted = deepest if depth is None else min(depth, deepest)
    for level in range(wanted, -1, -1):
        opened = {part for part, at in levels.items() if not part.is_module or at < level}
        if level < deepest:  # parameters that calls share are one box until all is open
            opened = {part for part in opened if part.kind != "parameters"}
        if View(whole, opened).needed <= limit:
            return opened, level < wanted
    return set(), True


def _named(whole: Fold, name: str) -> list[Fold]:
    """Return the fold of this path, or every call of the module of this path."""
    calls = [part for part in whole.walk() if name and part.module_path == name]
    return calls or [whole.find(name)]
