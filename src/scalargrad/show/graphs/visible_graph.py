"""The visible part of a graph: its nodes and collapsed subgraphs, and the wires between them.

`expand_subgraphs` chooses which subgraphs of a tree are expanded in a picture; a page draws each
subgraph separately. A wire leads from a WireSource: a node, or a WireGroup of several nodes::

    items         x0, x1, <Subgraph 'layers.0'>, <Subgraph 'layers.1'>
    wire_sources  x0: x0, x1: x1, relu 0 … relu 2: WireGroup(3 nodes of layers.0), …
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from scalargrad.engine.value import Parameter, Value
from scalargrad.show.graphs.gates import boxed_constants
from scalargrad.show.subgraphs.subgraph import Item, Subgraph
from scalargrad.system.cached_property import cached_property

#: Maximum number of items on one level of a divided graph in a picture; a page shows more.
MAX_ITEMS_ON_LEVEL = 30

#: Number of lines for each shape in a picture at its limit.
_LINES_PER_SHAPE = 4

#: Maximum number of nodes with the same readers that a page draws separately; more are a bundle.
MAX_SEPARATE_NODES = 10

#: Maximum number of lines between three or more such nodes and their readers.
MAX_SEPARATE_LINES = 24

#: Maximum number of items of a small drawing. In a larger one, any three such nodes are a bundle.
MAX_SMALL_DRAWING = 60


@dataclass(frozen=True, slots=True, eq=False)
class WireGroup:
    """Nodes that share a wire.

    They are all outputs of a collapsed subgraph, `source`, or a bundle, which has a box.
    """

    nodes: Sequence[Value]
    source: Subgraph | None = None


WireSource: TypeAlias = Value | WireGroup


class VisibleGraph:
    """The visible part of one subgraph.

    Parameters
    ----------
    subgraph : Subgraph
        The subgraph that is drawn. Nodes outside that are read inside are at its edge.
    expanded : collection of Subgraph
        The subgraphs whose items are drawn, unless a subgraph around them is collapsed.
    bundled : bool
        Which nodes share a wire: if true, nodes of one kind with the same readers, if there are
        many; if false, all outputs of a collapsed subgraph.

    Attributes
    ----------
    items : list of Value or Subgraph
        The nodes and the collapsed subgraphs, in topological order.
    item_of : dict from Value to Value or Subgraph
        The item that represents each node inside: the node itself, or a collapsed subgraph.
    exits : dict from Value to None
        The nodes that are read outside of the subgraph.
    wire_sources : dict from Value to WireSource
        The source of the wire of each node that is read: the node itself, or a group.
    """

    def __init__(
        self, subgraph: Subgraph, expanded: Collection[Subgraph] = (), *, bundled: bool = False
    ) -> None:
        self.subgraph, self.expanded = subgraph, set(expanded)
        self.items: list[Item] = []
        self.item_of: dict[Value, Item] = {}
        self.exits = dict.fromkeys(subgraph.outputs if subgraph.parent else ())
        pending = subgraph.items[::-1]
        while pending:
            item = pending.pop()
            if isinstance(item, Subgraph) and item in self.expanded:
                pending += item.items[::-1]
                continue
            self.items.append(item)
            nodes = [item] if isinstance(item, Value) else item.all_nodes()
            self.item_of.update(dict.fromkeys(nodes, item))
        self.wire_sources: dict[Value, WireSource] = {node: node for node in self.readers}
        groups = [WireGroup(part.outputs, part) for part in self.collapsed if len(part.outputs) > 1]
        for group in self._bundles() if bundled else groups:
            self.wire_sources.update(dict.fromkeys(group.nodes, group))

    @property
    def collapsed(self) -> list[Subgraph]:
        """The subgraphs that are drawn as boxes."""
        return [item for item in self.items if isinstance(item, Subgraph)]

    @cached_property
    def readers(self) -> dict[Value, dict[Item, None]]:
        """The visible readers of each node that can be read, also of those at the edge."""
        readers: dict[Value, dict[Item, None]] = {}
        for item in self.items:
            for x in item.parents if isinstance(item, Value) else item.inputs:
                if isinstance(x, Value):
                    readers.setdefault(x, {})[item] = None
            for x in [item] if isinstance(item, Value) else item.outputs:
                readers.setdefault(x, {})
        return readers

    def sources(self, item: Item) -> list[WireSource]:
        """Return the source of each line into an item; operands in one group share a line."""
        if isinstance(item, Subgraph):
            return [*dict.fromkeys(self.wire_sources[x] for x in item.inputs)]
        sources = [self.wire_sources[x] for x in item.parents if isinstance(x, Value)]
        nodes = [source for source in sources if isinstance(source, Value)]
        return [*nodes, *dict.fromkeys(x for x in sources if isinstance(x, WireGroup))]

    @property
    def required_limit(self) -> int:
        """The smallest `limit` of `draw` that allows all shapes and lines."""
        nodes = (item for item in self.items if isinstance(item, Value))
        constants = sum(len(boxed_constants(node)) for node in nodes)
        lines = constants + sum(len(self.sources(item)) for item in self.items)
        return max(len(self.items) + constants, -(-lines // _LINES_PER_SHAPE))

    # Shared wires -----------------------------------------------------------------------------

    def _bundles(self) -> list[WireGroup]:
        """Return groups of nodes of one kind with the same readers, if these are many."""
        groups: dict[tuple[str, bool, tuple[Item, ...]], list[Value]] = {}
        is_large = len(self.items) > MAX_SMALL_DRAWING
        for node, readers in self.readers.items():
            is_exit = node in self.exits
            if readers or is_exit:
                groups.setdefault((self.kind_of(node), is_exit, tuple(readers)), []).append(node)
        bundles = []
        for (_, is_exit, common_readers), nodes in groups.items():
            lines = len(nodes) * (len(common_readers) + is_exit)
            is_dense = len(nodes) > 2 and (is_large or lines > MAX_SEPARATE_LINES)
            if is_dense or len(nodes) > MAX_SEPARATE_NODES:
                bundles.append(WireGroup(nodes))
        return bundles

    def kind_of(self, node: Value) -> str:
        """Return the kind of a node in this drawing.

        It is ``parameter`` or ``input`` for a leaf, ``results``, or ``port`` for a node outside.
        """
        if node not in self.item_of:
            return "port"
        if node.parents or self.item_of[node] is not node:
            return "results"
        return "parameter" if isinstance(node, Parameter) else "input"

    def is_hidden(self, node: Value) -> bool:
        """Return True if a node has no wire of its own, only the wire of its group."""
        group, source = self.wire_sources[node], self.item_of.get(node)
        if isinstance(group, Value):
            return False
        if not isinstance(source, Subgraph):
            return self.kind_of(node) != "results"
        if source.kind == "parameters" or group.source:
            return True
        return sum(self.item_of[x] is source for x in group.nodes) > MAX_SEPARATE_NODES


# Expanded subgraphs of a picture --------------------------------------------------------------


def expand_subgraphs(
    whole: Subgraph, depth: int | None, names: Sequence[str], limit: int
) -> tuple[VisibleGraph, bool]:
    """Return the visible graph of a picture, and True if the limit left subgraphs collapsed.

    Parameters
    ----------
    whole : Subgraph
        The divided graph.
    depth : int or None
        Maximum number of levels of modules to expand; None expands all.
    names : sequence of str
        Paths of subgraphs or modules that are expanded in any case, with all subgraphs around them.
    limit : int
        Maximum number of shapes; further levels are expanded only up to this limit.

    Raises
    ------
    GraphError
        If there is no subgraph and no module with one of the names.
    """
    expanded, is_cut = _expand_levels(whole, depth, limit)
    requested = [part for name in names for part in _find_subgraphs(whole, name)]
    expanded = expanded.union(*(part.lineage() for part in requested)) - {whole}
    return VisibleGraph(whole, expanded), is_cut


def _expand_levels(whole: Subgraph, depth: int | None, limit: int) -> tuple[set[Subgraph], bool]:
    """Return the subgraphs to expand, and True if the limit reduced them.

    These are up to `depth` levels of modules, as many as the limit allows, and all subgraphs that
    are not modules; none, if even these exceed the limit.
    """
    parts = [part for part in whole.walk() if part is not whole]
    levels = {part: sum(x.is_module for x in part.lineage()) - part.is_module for part in parts}
    deepest = max(levels.values(), default=-1) + 1
    requested = deepest if depth is None else min(depth, deepest)
    for level in range(requested, -1, -1):
        expanded = {part for part, at in levels.items() if not part.is_module or at < level}
        if level < deepest:  # shared parameters are one box until everything is expanded
            expanded = {part for part in expanded if part.kind != "parameters"}
        if VisibleGraph(whole, expanded).required_limit <= limit:
            return expanded, level < requested
    return set(), True


def _find_subgraphs(whole: Subgraph, name: str) -> list[Subgraph]:
    """Return every call of the module of this path, or the subgraph of this path."""
    calls = [part for part in whole.walk() if name and part.module_path == name]
    return calls or [whole.find(name)]
