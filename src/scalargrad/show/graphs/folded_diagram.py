"""Which parts of a graph a picture opens, and its diagram with the others folded into boxes.

Besides the shapes and lines of `scalargrad.show.graphs.diagram` there are, for fold k, counted from
the outside in:

============ ===============================================================
``f2``       the box of fold 2, or its frame if it is open
``f2-out``   the line from the box to its wire; that of node 7, which is all
             that leaves the box, is ``n7-out``
``f2-wire``  the wire of fold 2, where several values leave it
``f2-stem``  the line from there to the dot where it branches
``f2-fan``   that dot
``f2-n1``    the line that brings node 1 into fold 2
``f2-f1``    the line that brings values of fold 1 into fold 2
``n9-f1``    the line that brings values of fold 1 into gate 9
``n9-w0-to0`` the line up to ``n9-w0-b0``, where operand 0 of gate 9 passes the border of a
             frame; ``n9-w0-to1`` goes on to the next, and so on
============ ===============================================================
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from scalargrad.show.characters import aliases, is_long, printed, visible
from scalargrad.show.graphs.builder import ALL_NUMBERS, Builder, DrawnGraph, WireNumbers
from scalargrad.show.graphs.diagram import (
    Border,
    Box,
    Bundle,
    Cluster,
    Diagram,
    Folded,
    Junction,
    Line,
    Shape,
    Wire,
)
from scalargrad.show.graphs.gates import FanOutCopy, boxed_constants
from scalargrad.show.number_format import number
from scalargrad.show.subgraphs import Fold
from scalargrad.value import Parameter, Value

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


_LISTED = 6  # values of a bundle that its title lists


class FoldedBuilder(Builder):
    """Makes the diagram of the visible part of a graph: nodes, and closed folds as boxes.

    Parameters
    ----------
    order : sequence of Value
        The whole graph, operands before results.
    copies : mapping
        As for `Builder`; empty unless all folds are open.
    opening : Opening
        The folds, and which of them are open.
    names : mapping from Value to str
        Names of nodes besides their labels, such as the paths of a model's parameters.
    numbers : WireNumbers
        The numbers that are written on wires.
    """

    def __init__(
        self,
        order: Sequence[Value],
        copies: Mapping[tuple[Value, int], FanOutCopy],
        opening: Opening,
        names: Mapping[Value, str],
        numbers: WireNumbers = ALL_NUMBERS,
    ) -> None:
        super().__init__(DrawnGraph(order), copies, numbers)
        self.places = {
            x: visible(printed(name), lines=False) for x, name in names.items() if x in self.names
        }
        self.names = self.names | self.places
        self.short, self.legend = aliases(self.names)
        self.opening = opening
        self.folds = {part: f"f{k}" for k, part in enumerate(opening.whole.walk())}
        last = {opening.stands[node]: i for i, node in enumerate(order)}  # of each item's nodes
        self.items = sorted(last, key=last.__getitem__)
        sources = (source for item in self.items for source in opening.line_sources(item))
        self.branches = Counter(map(self.unit_of, sources))

    def build(self, roots: Sequence[Value]) -> Diagram:
        """Return the diagram, in which each frame knows the shapes in it."""
        closed = len(self.opening.closed())
        count = f", {closed} folded part{'s' * (closed != 1)}" if closed else ""
        diagram = Diagram(self.title(roots) + count)
        frames = self.frames(diagram)
        for item in self.items:
            shapes: list[Shape]
            if isinstance(item, Value):
                shapes, lines = [*self.shapes(item)], [*self.lines(item)]
            else:
                shapes, lines = [*self.fold_shapes(item)], [*self.fold_lines(item)]
            if frame := frames.get(item):
                frame.shapes += [shape.id for shape in shapes]
            diagram.shapes += shapes
            diagram.lines += lines
        cut_at_borders(diagram)
        diagram.legend = self.legend_of(diagram.shapes)
        return diagram

    def frames(self, diagram: Diagram) -> dict[Value | Fold, Cluster]:
        """Make the frames of open folds, and return the innermost one around each item."""
        around: dict[Value | Fold, Cluster] = {}
        pending: list[Fold] = [self.opening.whole]
        while pending:
            part = pending.pop()
            if part in self.opening.framed:
                frame = Cluster(self.folds[part], visible(part.title), _said(part), [], [])
                (around[part].inside if part in around else diagram.clusters).append(frame)
                around[part] = frame
            if part in around:
                around.update(dict.fromkeys(part.items, around[part]))
            pending += [inner for inner in reversed(part.folds) if inner in self.opening.opened]
        return around

    def leaf(self, node: Value) -> Box:
        """Return the box of a leaf, with the place of a parameter of the model."""
        box = super().leaf(node)
        return replace(box, text=self.short_for(self.places.get(node, box.text), node))

    def wire(self, node: Value) -> Wire:
        """Return the wire of a node, with a short name instead of a long one."""
        wire = super().wire(node)
        return replace(wire, name=self.short_for(wire.name, node))

    def short_for(self, name: str, node: Value) -> str:
        """Return the name of a node as shown, or its alias if that is too long."""
        return self.short[node] if is_long(name) else name

    def legend_of(self, shapes: Sequence[Shape]) -> str:
        """Return what the aliases among the shapes stand for, one per line."""
        shown = {shape.text for shape in shapes if isinstance(shape, Box)}
        shown |= {shape.name for shape in shapes if isinstance(shape, Wire)}
        stems = {name.partition("[")[0] for name in shown}
        return "\n".join(f"{a}: {name}" for a, name in self.legend.items() if a in stems)

    def unit(self, node: Value) -> str:
        """Return the unit that a node is read from: itself, or all that leaves its fold."""
        return self.unit_of(self.opening.source(node))

    def unit_of(self, source: Source) -> str:
        """Return the id of what a line comes from."""
        return self.ids[source] if isinstance(source, Value) else self.folds[source]

    def fold_shapes(self, part: Fold) -> Iterator[Shape]:
        """Yield the box of a closed fold, and the wire that leaves it."""
        own = self.folds[part]
        yield Folded(own, visible(part.title), tuple(_details(part)), _said(part))
        if len(part.outputs) == 1:
            yield self.wire(part.outputs[0])
            if self.branches[self.ids[part.outputs[0]]] > 1:
                yield self.branching(part.outputs[0])
            return
        text = f"{len(part.outputs):,} values"
        yield Bundle(f"{own}-wire", text, f"{text} of {visible(part.title)}: {_listed(part)}")
        if self.branches[own] > 1:
            yield Junction(f"{own}-fan", f"{text} are read in {self.branches[own]} places")

    def fold_lines(self, part: Fold) -> Iterator[Line]:
        """Yield the lines that enter a closed fold, and those to its wire."""
        own = self.folds[part]
        for source in self.opening.line_sources(part):
            yield self.arriving(self.unit_of(source), own)
        yield from self.leaving(self.unit(part.outputs[0]), own)


def _details(part: Fold) -> Iterator[str]:
    """Yield the lines in the box of a closed fold below its title."""
    held = sum(isinstance(node, Parameter) for node in part.everything())
    if part.shape is not None:
        yield f"{part.shape[0]:,} → {part.shape[1]:,}"
    if is_module(part) and held and part.kind == "call":
        yield f"{held:,} parameter{'s' * (held != 1)}"
    if not is_module(part):
        yield visible(part.path)


def _said(part: Fold) -> str:
    """Return the description of a fold."""
    return visible(f"{part.title}, {part.size:,} nodes; its path is {part.path}")


def _listed(part: Fold) -> str:
    shown = ", ".join(number(node.data) for node in part.outputs[:_LISTED])
    return f"{shown}, …" if len(part.outputs) > _LISTED else shown


def stand_ins(order: Sequence[Value], opening: Opening) -> dict[str, set[str]]:
    """Return, for the id of each hidden shape or line, the ids of what is drawn in its place.

    Examples
    --------
    Nodes 2 and 3 of a chain are in its first fold:

    >>> from scalargrad.graph import topological_order
    >>> from scalargrad.show.subgraphs import fold
    >>> x = Value(1.0)
    >>> y = x.tanh().exp().sin().cos().exp()
    >>> stand_ins(topological_order(y), Opening(fold(y, limit=4)))["n3"]
    {'f1'}
    """
    folds = {part: f"f{k}" for k, part in enumerate(opening.whole.walk())}
    found: dict[str, set[str]] = {}
    for k, node in enumerate(order):
        item = opening.stands[node]
        if isinstance(item, Fold):
            own = folds[item]
            found[f"n{k}"] = {own}
            found |= {f"n{k}-w{i}": {own} for i in range(len(node.parents))}
            if len(item.outputs) > 1 and node in item.outputs:
                found |= {f"n{k}-{end}": {f"{own}-{end}"} for end in ("out", "wire", "stem", "fan")}
    return found


def cut_at_borders(diagram: Diagram) -> None:
    """Split the lines of a diagram at the borders they cross; the last piece keeps the id."""
    around = dict(_around(diagram.clusters, ()))
    lines: list[Line] = []
    for line in diagram.lines:
        passed = _passed(around.get(line.source, ()), around.get(line.target, ()))
        borders = [Border(f"{line.id}-b{k}", out) for k, (_, out) in enumerate(passed)]
        for border, (frame, _) in zip(borders, passed, strict=True):
            frame.shapes.append(border.id)
        diagram.shapes += borders
        lines += _stretches(line, [border.id for border in borders])
    diagram.lines = lines


def _around(
    clusters: Sequence[Cluster], outer: tuple[Cluster, ...]
) -> Iterator[tuple[str, tuple[Cluster, ...]]]:
    """Yield each shape with the frames around it, the outermost first."""
    pending = [(cluster, outer) for cluster in clusters]
    for cluster, outside in pending:  # grows while it is read
        path = (*outside, cluster)
        yield from ((id, path) for id in cluster.shapes)
        pending += [(inner, path) for inner in cluster.inside]


def _passed(source: Sequence[Cluster], target: Sequence[Cluster]) -> list[tuple[Cluster, bool]]:
    """Return the frames that a line leaves, and then those that it enters, in that order."""
    common = sum(one is other for one, other in zip(source, target, strict=False))
    left = [(frame, True) for frame in reversed(source[common:])]
    return [*left, *((frame, False) for frame in target[common:])]


def _stretches(line: Line, borders: Sequence[str]) -> Iterator[Line]:
    """Yield the pieces of a line, from border to border."""
    for k, (source, target) in enumerate(pairwise([line.source, *borders])):
        yield Line(f"{line.id}-to{k}", source, target, line.title, thick=line.thick)
    yield replace(line, source=borders[-1]) if borders else line
