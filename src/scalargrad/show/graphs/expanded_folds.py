"""Choose which folds of a graph a picture opens."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import NamedTuple, TypeAlias

from scalargrad.show.graphs.gates import boxed_constants
from scalargrad.show.subgraphs import Fold
from scalargrad.value import Value

#: The most parts on one level of a folded graph in a picture; a page shows more.
SIDE_BY_SIDE = 30

#: The most lines of a picture, for each shape allowed.
LINES_PER_SHAPE = 4

Source: TypeAlias = Value | Fold  # what a line comes from: a node, or all that leaves a fold


class Opening:
    """The folds of a graph, and which of them are open.

    Parameters
    ----------
    whole : Fold
        The tree of folds.
    opened : set of Fold
        The folds whose inside is drawn, unless a fold around them is closed.
    cut : bool
        Whether more folds would have been opened if the limit allowed it.

    Attributes
    ----------
    framed : set of Fold
        The open folds that get a frame: modules, and those asked for by name.
    stands : dict from Value to Value or Fold
        What is drawn for each node: the node itself, or the closed fold that hides it.
    """

    def __init__(self, whole: Fold, opened: Collection[Fold] = (), *, cut: bool = False) -> None:
        self.whole, self.opened, self.cut = whole, set(opened), cut
        self.framed = {part for part in self.opened if is_module(part)}
        self.stands = whole.shown(self.opened)

    def source(self, node: Value) -> Source:
        """Return the node or closed fold where lines from a node start."""
        item = self.stands[node]
        return node if isinstance(item, Value) or len(item.outputs) == 1 else item

    def line_sources(self, item: Value | Fold) -> list[Source]:
        """Return the source of each line into a node or closed fold.

        All nodes that a closed fold reads from one source share a line, as do all operands that a
        gate reads from one fold.
        """
        if isinstance(item, Fold):
            return list(dict.fromkeys(map(self.source, item.inputs)))
        sources = [self.source(x) for x in item.parents if isinstance(x, Value)]
        nodes = [source for source in sources if isinstance(source, Value)]
        return [*nodes, *{source: None for source in sources if isinstance(source, Fold)}]

    def closed(self) -> set[Fold]:
        """Return the folds that are drawn as boxes."""
        return {item for item in self.stands.values() if isinstance(item, Fold)}

    def size(self) -> Size:
        """Return how many shapes and lines are drawn."""
        items = dict.fromkeys(self.stands.values())
        nodes = (item for item in items if isinstance(item, Value))
        constants = sum(len(boxed_constants(node)) for node in nodes)
        lines = sum(len(self.line_sources(item)) for item in items)
        return Size(len(items) + constants, lines + constants)


class Size(NamedTuple):
    """The number of shapes and lines in a picture, not counting wires and dots."""

    shapes: int
    lines: int

    @property
    def needed(self) -> int:
        """The smallest `limit` that allows this picture."""
        return max(self.shapes, -(-self.lines // LINES_PER_SHAPE))


def expanded_folds(whole: Fold, depth: int | None, names: Sequence[str], limit: int) -> Opening:
    """Choose which folds are open.

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
    chosen = _deepest(whole, depth, limit)
    asked = [part for name in names for part in _named(whole, name)]
    if asked:
        chosen = Opening(
            whole,
            chosen.opened.union(*(part.outwards() for part in asked)) - {whole},
            cut=chosen.cut,
        )
        chosen.framed.update(asked)
    return chosen


def all_open(whole: Fold) -> Opening:
    """Return the opening in which nothing is folded."""
    return Opening(whole, set(whole.walk()) - {whole})


def _deepest(whole: Fold, depth: int | None, limit: int) -> Opening:
    """Open up to `depth` levels of modules, as many as fit, and all folds that are not modules.

    If even that is too much, open the other folds as far as a reader can survey them.
    """
    levels = _levels(whole)
    deepest = max(levels.values(), default=-1) + 1
    wanted = deepest if depth is None else min(depth, deepest)
    for level in range(wanted, -1, -1):
        opened = {part for part, at in levels.items() if not is_module(part) or at < level}
        if level < deepest:  # parameters that calls share are one box until all is open
            opened = {part for part in opened if part.kind != "parameters"}
        chosen = Opening(whole, opened, cut=level < wanted)
        if chosen.size().needed <= limit:
            return chosen
    return Opening(whole, _readable(whole, min(limit, SIDE_BY_SIDE)), cut=True)


def is_module(part: Fold) -> bool:
    """Return whether a fold is a module's call, or parameters of one."""
    return part.kind in {"call", "parameters"}


def _levels(whole: Fold) -> dict[Fold, int]:
    """Return the module depth of each fold inside: how many modules are around it."""
    inside = (part for part in whole.walk() if part is not whole)
    return {part: sum(map(is_module, part.outwards())) - is_module(part) for part in inside}


def _readable(whole: Fold, limit: int) -> set[Fold]:
    """Return the folds that can be opened, level by level, with at most `limit` visible shapes."""
    opened = set[Fold]()
    level = [part for part in whole.folds if not is_module(part)]
    while level and Opening(whole, opened.union(level)).size().needed <= limit:
        opened.update(level)
        level = [inner for part in level for inner in part.folds if not is_module(inner)]
    return opened


def _named(whole: Fold, name: str) -> list[Fold]:
    """Return the fold of this path, or every call of the module of this path."""
    calls = [part for part in whole.walk() if name and part.module_path == name]
    return calls or [whole.find(name)]
